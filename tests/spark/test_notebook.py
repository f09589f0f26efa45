"""What a notebook does with the public names alone: attach, jobs, flush, ask, detach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import spark_lineage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_attach_work_flush_ask_detach(spark: SparkSession, tmp_path: Path) -> None:
    store, orders, totals = tmp_path / "lineage", str(tmp_path / "orders"), str(tmp_path / "totals")
    spark_lineage.attach(spark, store=str(store), strict=True)
    try:
        with spark_lineage.job("load"):
            spark.sql("SELECT id, id % 3 AS customer, id * 1.5 AS amount FROM range(10)").write.format("delta").save(orders)
        with spark_lineage.job("daily_totals", parameters={"day": "2026-03-01"}):
            rows = spark.read.format("delta").load(orders).groupBy("customer").sum("amount").toDF("customer", "total")
            rows.write.format("delta").save(totals)
        assert spark_lineage.flush(timeout=120)
        lineage = spark_lineage.open(store)
        walk = lineage.upstream("totals.total")
        assert {(node.name, node.column) for node in walk.nodes} >= {(totals, "total"), (orders, "amount")}
        assert {run.job_name for run in lineage.runs()} >= {"load", "daily_totals"}
    finally:
        spark_lineage.detach(spark)
    jobs = {run.job_name: run for run in spark_lineage.open(store).runs()}
    assert jobs["daily_totals"].status == "succeeded"
    assert jobs["daily_totals"].outputs == ("totals",)
