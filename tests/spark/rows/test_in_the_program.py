"""A program takes the samples that it asks for itself, in its own session, before it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage import Sample
from spark_lineage.errors import QueryError
from spark_lineage.store.tables import Store


def test_track_write_flush_take(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked of Spark for it is not among what the run did. Once they are there nothing is due."""
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    spark.range(60).selectExpr("id", "id % 20 AS k").write.format("delta").save(str(tmp_path / "orders"))
    store = str(tmp_path / "store")
    attached = spark_lineage.attach(spark, store=store, snapshots="off", strict=True)
    assert attached is not None
    try:
        counts = spark.read.format("delta").load(str(tmp_path / "orders")).groupBy("k").count()
        tracked = spark_lineage.track(counts, rows=Sample(fraction=0.5), key=["k"])
        tracked.write.format("delta").save(str(tmp_path / "counts"))
        assert spark_lineage.flush(timeout=120)
        lineage = spark_lineage.open(store)
        with pytest.raises(QueryError, match="at least 1"):
            lineage.take_rows(limit=0)
        (taken,) = lineage.take_rows(spark=spark)
        assert (taken.reason, taken.name, taken.witness_rows) == (None, str(tmp_path / "counts"), 3 * (taken.rows_chosen or 0))
        assert 2 <= (taken.rows_chosen or 0) <= 18
        assert lineage.take_rows(spark=spark) == ()
        rows = lineage.row_lineage(str(tmp_path / "counts"))
        assert len(rows) == taken.witness_rows
        assert {
            len({row.source_position for row in rows if row.target_row == one}) for one in {row.target_row for row in rows}
        } <= {1, 2, 3}
        assert len(lineage.row_values(rows, spark=spark)) == len(rows)
        (hop,) = lineage.trace(str(tmp_path / "counts"), where="k = 3", spark=spark)
        assert hop.witness is not None
        assert len(lineage.trace(str(tmp_path / "orders"), where="k = 3", forward=True, spark=spark)) == 1
        (replayed,) = lineage.replay(str(taken.execution_id), spark=spark)
        assert replayed.verdict == "identical"
        spark.read.format("delta").load(str(tmp_path / "counts")).write.format("delta").save(str(tmp_path / "copy"))
        assert spark_lineage.flush(timeout=120)
    finally:
        spark_lineage.detach(spark)
    found = Store.open(store)
    executions = found.arrow("executions", ["execution_id", "operation"]).to_pylist()
    assert len(executions) == 2, executions
    assert sorted(Path(row["name"]).name for row in found.arrow("outputs", ["name"]).to_pylist()) == ["copy", "counts"]


@pytest.mark.soak
def test_inside_of_a_function_of_foreach_batch(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for there is no part of the batch."""
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    store, orders, copy = (str(tmp_path / name) for name in ("store", "orders", "copy"))
    spark.range(9).write.format("delta").save(orders)
    attached = spark_lineage.attach(spark, store=store, snapshots="off", strict=True)
    assert attached is not None
    try:
        spark.read.format("delta").load(orders).write.format("delta").save(copy)
        assert spark_lineage.flush(timeout=120)
        traced = []

        def batch(rows: Any, number: int) -> None:
            rows.write.format("delta").mode("append").save(str(tmp_path / "batches"))
            traced.extend(spark_lineage.open(store).trace(copy, where="id = 4", spark=spark))
            traced.extend(spark_lineage.open(store).replay("last", spark=spark))

        stream = spark.readStream.format("delta").load(orders).writeStream.foreachBatch(batch)
        asked = stream.option("checkpointLocation", str(tmp_path / "checkpoint")).trigger(availableNow=True).start()
        assert asked.awaitTermination(120)
        assert [type(one).__name__ for one in traced] == ["Hop", "Replayed"]
        assert spark_lineage.flush(timeout=120)
    finally:
        spark_lineage.detach(spark)
    found = Store.open(store)
    names = {(Path(row["name"]).name) for table in ("inputs", "outputs") for row in found.arrow(table, ["name"]).to_pylist()}
    assert names == {"orders", "copy", "batches"}
    of_batch = found.arrow("inputs", ["name", "execution_id"], "name like '%/copy'").to_pylist()
    assert of_batch == []
    assert found.arrow("executions", ["execution_id"]).num_rows == 2


@pytest.mark.soak
def test_the_sessions_of_our_commands_are_not_recorded(spark: Any, tmp_path: Path) -> None:
    """Also where all that Python starts is: `trace` has a session of its own, and reads a table with it."""
    spark.range(3).write.format("delta").save(str(tmp_path / "rows"))
    recorded, asked = ["--store", str(tmp_path / "store")], ["trace", str(tmp_path / "rows"), "--where", "id = 1"]
    own = [sys.executable, "-m", "spark_lineage.cli", *recorded]
    subprocess.run([*own, "run", "--", sys.executable, "-c", PROGRAM, str(tmp_path / "rows")], check=True, timeout=300)
    subprocess.run([*own, "ingest"], check=True, timeout=300)
    before = Store.open(str(tmp_path / "store")).arrow("runs", ["run_id"]).num_rows
    assert before == 1
    done = subprocess.run([*own, "run", "--", *own, *asked], capture_output=True, text=True, check=False, timeout=300)
    assert "written by nothing that is recorded" in done.stdout, done
    subprocess.run([*own, "ingest"], check=True, timeout=300)
    assert Store.open(str(tmp_path / "store")).arrow("runs", ["run_id"]).num_rows == before
    subprocess.run([sys.executable, "-c", ATTACHED_LATER, str(tmp_path / "store")], check=True, timeout=300)


ATTACHED_LATER = """
import sys
import spark_lineage
from spark_lineage.replay.session import session
assert spark_lineage.attach(session(), store=sys.argv[1], ingest="none", strict=True) is not None
"""
PROGRAM = """
import sys
from spark_lineage.replay.session import delta_settings
from pyspark.sql import SparkSession
builder = SparkSession.builder
for name, value in delta_settings("").items():
    builder = builder.config(name, value)
print(builder.getOrCreate().read.format("delta").load(sys.argv[1]).collect())
"""
