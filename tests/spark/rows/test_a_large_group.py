"""One row that comes of a hundred million: what is kept of it is bounded, in its sample and when it is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage import Sample
from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.rows.due import due
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.rows.stored import samples
from spark_lineage.store.tables import Store

ROWS = 100_000_000


@pytest.mark.soak
def test_a_hundred_million_rows(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = spark.sparkContext._jvm.java.lang.Runtime.getRuntime()
    assert runtime.maxMemory() < 32 * ROWS  # ids of all of them would fill it
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    monkeypatch.setenv("SPARK_LINEAGE_STORE", str(tmp_path / "store"))
    spark.range(0, ROWS, 1, 4).selectExpr("CAST(id % 2 AS INT) AS v", "1 AS k").write.format("delta").save(
        str(tmp_path / "skewed")
    )
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None
    skewed = spark.read.format("delta").load(str(tmp_path / "skewed"))
    sums = skewed.groupBy("k").agg(F.sum("v").alias("s"))
    spark_lineage.track(sums, rows=Sample(1.0, per_row=1000), key=["k"]).write.format("delta").save(str(tmp_path / "sums"))
    assert attachment.flush(60)
    detach(spark)
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(tmp_path / "key"))
    store = Store.open(str(tmp_path / "store"))
    list(take_samples(spark, store, due(store, load(store=str(tmp_path / "store"))), Limits(key=str(tmp_path / "key"))))
    (sample,) = samples(store)
    assert (sample.reason, sample.rows_chosen, sample.rows_truncated) == (None, 1, 1)
    lineage = spark_lineage.open(tmp_path / "store")
    rows = lineage.row_lineage(str(tmp_path / "sums"))
    assert (len(rows), {row.source_rows for row in rows}, {row.completeness for row in rows}) == (1000, {ROWS}, {"truncated"})
    hop = lineage.trace(str(tmp_path / "sums"), where="k = 1", spark=spark)[0]
    assert hop.witness is not None
    assert (hop.witness.completeness, [one.count for one in hop.witness.sources]) == ("truncated", [ROWS])
