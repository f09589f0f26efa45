"""Each reason why something cannot be replayed is provoked, and named with what would have helped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, forget, recorded_of

import spark_lineage
from spark_lineage.replay.verdict import Replayed
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

SECONDS = 240
DERBY = "org.apache.derby.jdbc.EmbeddedDriver"
ROWS = "SELECT id, id % 4 AS k, timestamp_seconds(id * 60) AS at FROM range(0, 20, 1, 1)"


def write(spark: Any, root: Path) -> None:
    for name in ("trimmed", "gone"):
        spark.sql(f"CREATE TABLE delta.`{root}/of_{name}` USING delta AS SELECT id FROM delta.`{root}/{name}`")
    rows = spark.sql(ROWS)
    rows.write.partitionBy("k").csv(f"{root}/lines")
    rows.write.partitionBy("k").json(f"{root}/objects")
    rows.write.format("xml").option("rowTag", "r").save(f"{root}/elements")
    rows.write.parquet(f"{root}/folder")
    rows.write.mode("append").parquet(f"{root}/folder")
    stream = spark.readStream.format("delta").load(f"{root}/events").withWatermark("at", "1 minute").groupBy("at").count()
    writer = stream.writeStream.format("delta").outputMode("append").option("checkpointLocation", f"{root}/checkpoint")
    assert writer.trigger(availableNow=True).start(f"{root}/closed").awaitTermination(SECONDS)
    double = spark.udf.register("doubled", lambda value: value * 2, "bigint")
    rows.select("id", double("id").alias("twice")).write.format("delta").save(f"{root}/python")
    base = {"driver": DERBY, "user": "us", "password": "not to be recorded"}
    url = f"jdbc:derby:{root}/base;create=true"
    spark.range(3).write.jdbc(url, "prices", mode="overwrite", properties=base)
    spark.read.jdbc(url, "prices", properties=base).write.format("delta").save(f"{root}/of_database")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("missing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        for name in ("trimmed", "gone", "events"):
            spark.sql(ROWS).write.format("delta").save(f"{root}/{name}")
        yield recorded_of(spark, root, "missing", write)


def missing(recorded: Recorded, name: str, version: int | None = 0) -> str:
    one = recorded.replay(name, version)
    assert one.verdict == "not_replayable", one
    assert (one.causes, one.difference, one.rows) == ((), None, (None, None))
    code, text = recorded.ask(one.execution_id)
    assert code == 2, text
    assert str(one.reason) in text.replace("\n", " ")
    (kept,) = {
        row["reason"]
        for row in Store.open(recorded.store).arrow("replays").to_pylist()
        if row["execution_id"] == one.execution_id
    }
    assert kept == one.reason
    return str(one.reason)


def not_promised(recorded: Recorded, name: str, version: int | None = 0) -> str:
    """What is said of it without Spark."""
    (one,) = spark_lineage.open(recorded.store).replay_check(recorded.execution(name, version)).executions
    assert one.replayable is False, one
    return str(one.reason)


def test_a_log_that_was_cleaned_up(recorded: Recorded) -> None:
    """As Delta does after `delta.logRetentionDuration`, once there is a checkpoint."""
    table = recorded.root / "trimmed"
    spark = recorded.spark
    spark.sql(f"DELETE FROM delta.`{table}` WHERE id = 3")
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, str(table)).checkpoint()
    for file in (table / "_delta_log").glob(f"*{0:020}.*"):
        file.unlink()
    forget(spark, table)
    reason = missing(recorded, "of_trimmed")
    assert "version 0 of " in reason
    assert "delta.logRetentionDuration" in reason
    assert not spark_lineage.open(recorded.store).replay_check(recorded.execution("of_trimmed")).holds


def test_a_source_that_is_gone(recorded: Recorded) -> None:
    shutil.rmtree(recorded.root / "gone")
    reason = missing(recorded, "of_gone")
    assert (
        f"version 0 of file:{recorded.root}/gone, which it read, is gone: nothing is at {recorded.root}/gone any more" in reason
    )
    assert reason.endswith("the table was dropped or moved")


@pytest.mark.parametrize("name", ["lines", "objects"])
def test_lines_in_folders_of_partitions(recorded: Recorded, name: str) -> None:
    reason = missing(recorded, name, None)
    assert "with folders for partitions, whose lines are not compared" in reason
    assert not_promised(recorded, name, None) == reason


def test_a_format_whose_rows_are_not_compared(recorded: Recorded) -> None:
    reason = missing(recorded, "elements", None)
    assert "is of format xml, whose rows are not compared" in reason
    assert not_promised(recorded, "elements", None) == reason


def test_files_beside_those_of_others(recorded: Recorded) -> None:
    verdicts: list[Replayed] = []
    for execution in sorted(recorded.executions("folder", None), key=lambda name: int(name.partition(":")[2])):
        verdicts += spark_lineage.open(recorded.store).replay(execution, spark=recorded.spark)
    assert [one.verdict for one in verdicts] == ["not_replayable"] * 2, verdicts
    assert "has no versions and has changed since" in str(verdicts[0].reason)
    assert "has files of other writes too, and which of them it wrote is not recorded" in str(verdicts[1].reason)


def test_a_stream_that_keeps_a_state(recorded: Recorded) -> None:
    reason = missing(recorded, "closed")
    assert "keeps a state" in reason
    assert not_promised(recorded, "closed") == reason


def test_another_python(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded.replay("python").verdict == "identical"
    monkeypatch.setattr(recorded.spark.sparkContext, "pythonVer", "3.4")
    one = recorded.replay("python")
    assert one.verdict == "not_replayable"
    assert "were made by Python 3." in str(one.reason)
    assert "this session runs 3.4" in str(one.reason)


def test_a_database_with_a_password(recorded: Recorded) -> None:
    reason = missing(recorded, "of_database")
    assert "password" in reason
    assert "which are not recorded" in reason
    assert "not to be recorded" not in reason
    assert not_promised(recorded, "of_database") == "it read a source with secrets, which are not recorded"
