"""Reads that write nothing, and frames that no plan stands behind: made from RDDs, checkpointed, cached."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from captured import Capture
from resolved import records_of

from spark_lineage.capture.attach import attach, detach
from spark_lineage.model import Records


def table(spark: Any, capture: Capture, name: str = "t") -> Any:
    spark.range(10).selectExpr("id", "id % 3 AS k").coalesce(1).write.format("delta").save(str(capture.data / name))
    capture.executions()
    return spark.read.format("delta").load(str(capture.data / name))


def inputs(records: Records) -> list[tuple[str, int | None, str]]:
    return [(Path(one.name).name, one.delta_version, one.version_basis) for one in records.inputs]


READS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "collect": (lambda frame: frame.collect(), "collect"),
    "toPandas": (lambda frame: frame.toPandas(), "collect"),
    "toArrow": (lambda frame: frame.toArrow(), "collect"),
    "show": (lambda frame: frame.show(1), "show"),
    "take": (lambda frame: frame.take(1), "collect"),
    "first": (lambda frame: frame.first(), "collect"),
    "tail": (lambda frame: frame.tail(1), "tailToPython"),
    "isEmpty": (lambda frame: frame.isEmpty(), "isEmpty"),
    "count": (lambda frame: frame.where("k = 1").count(), "count"),
    "toLocalIterator": (lambda frame: list(frame.toLocalIterator()), "iterate"),
}
UNSEEN: dict[str, Callable[[Any], Any]] = {
    "foreach": lambda frame: frame.foreach(lambda row: None),
    "foreachPartition": lambda frame: frame.foreachPartition(lambda rows: None),
    "rdd": lambda frame: frame.rdd.count(),
}


def test_each_read_is_one_execution_with_its_input(spark: Any, capture: Capture) -> None:
    frame = table(spark, capture)
    for name, (act, operation) in READS.items():
        before = len(capture.executions())
        act(frame)
        recorded = capture.executions()[before:]
        assert len(recorded) == 1, name
        records = records_of(recorded[0])
        assert records.executions[0].operation == operation, name
        assert inputs(records) == [("t", 0, "exact")], name
        assert records.outputs == (), name


def test_actions_on_rows_outside_spark_sql_are_not_seen(spark: Any, capture: Capture) -> None:
    """A blind spot that the docs tell of: Spark posts no execution for them."""
    frame = table(spark, capture)
    before = len(capture.executions())
    for act in UNSEEN.values():
        act(frame)
    assert capture.executions()[before:] == []


def test_reads_can_be_left_out(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, reads=False)
    assert attachment is not None
    capture = Capture(spark, attachment, tmp_path / "inbox", tmp_path / "data")
    try:
        frame = table(spark, capture)
        for act, _ in READS.values():
            act(frame)
        frame.write.format("delta").save(str(capture.data / "copy"))
        assert [one["name"] for one in capture.executions()] == ["command", "command"]
    finally:
        detach(spark)


def written(spark: Any, capture: Capture, frame: Any) -> Records:
    frame.write.format("delta").mode("append").save(str(capture.data / "out"))
    return records_of(capture.executions()[-1])


def test_a_frame_of_rdds_keeps_the_datasets_behind_it(spark: Any, capture: Capture) -> None:
    frame = table(spark, capture)
    frame.write.parquet(str(capture.data / "files"))
    frame.selectExpr("CAST(id AS STRING)").write.text(str(capture.data / "lines"))
    lines = spark.sparkContext.textFile(str(capture.data / "lines")).map(lambda line: (int(line), 0))
    rows = lines.union(spark.read.parquet(str(capture.data / "files")).rdd.map(tuple)).union(frame.rdd.map(tuple))
    records = written(spark, capture, spark.createDataFrame(rows.repartition(2), "a BIGINT, b BIGINT"))
    assert sorted(inputs(records)) == [("files", None, "inferred"), ("lines", None, "inferred"), ("t", None, "inferred")]
    assert {(Path(edge.source_name).name, edge.certainty) for edge in records.dataset_lineage} == {
        ("files", "inferred"), ("lines", "inferred"), ("t", "inferred"),
    }  # fmt: skip
    assert {edge.source_kind for edge in records.column_lineage} == {"column", "unknown"}
    assert {edge.certainty for edge in records.column_lineage if edge.source_kind == "column"} == {"inferred"}


def test_rdds_beyond_counting_are_said_to_be(spark: Any, capture: Capture) -> None:
    context = spark.sparkContext
    united = context.union([context.parallelize([(number,)], 1) for number in range(250)])
    spark.createDataFrame(united, "a INT").take(1)
    reasons = records_of(capture.executions()[-1]).executions[0].incomplete_reasons
    assert any("more RDDs behind a frame than are looked at" in reason for reason in reasons)


@pytest.mark.parametrize(
    "way", ["localCheckpoint", "checkpoint", *(pytest.param(way, marks=pytest.mark.soak) for way in ("lazy", "twice"))]
)
def test_a_checkpointed_frame_keeps_its_columns(way: str, spark: Any, capture: Capture) -> None:
    spark.sparkContext.setCheckpointDir(str(capture.data / "checkpoints"))
    frame = table(spark, capture).selectExpr("id + k AS x", "k")
    frame = {
        "localCheckpoint": lambda: frame.localCheckpoint(),
        "checkpoint": lambda: frame.checkpoint(),
        "lazy": lambda: frame.localCheckpoint(eager=False),
        "twice": lambda: frame.localCheckpoint().where("k > 0").localCheckpoint(),
    }[way]()
    records = written(spark, capture, frame)
    assert inputs(records) == [("t", 0, "inferred")]
    direct = {(edge.target_column, edge.source_column) for edge in records.column_lineage if edge.edge_type == "DIRECT"}
    assert direct == {("x", "id"), ("x", "k"), ("k", "k")}
    filtered = {edge.source_column for edge in records.column_lineage if edge.subtype == "FILTER"}
    assert filtered == ({"k"} if way == "twice" else set())


def test_checkpoints_in_a_loop_are_freed_and_keep_their_columns(spark: Any, capture: Capture) -> None:
    """Spark frees the blocks of a checkpoint when nobody has the frame any more: we must not be somebody."""
    frame = table(spark, capture).selectExpr("id AS x", "k")
    context = spark.sparkContext
    before = kept_rdds(context)
    for _ in range(12):
        frame = frame.selectExpr("x + k AS x", "k").localCheckpoint()
    assert kept_rdds(context) - before
    records = written(spark, capture, frame)
    assert inputs(records) == [("t", 0, "inferred")]
    direct = {(edge.target_column, edge.source_column) for edge in records.column_lineage if edge.edge_type == "DIRECT"}
    assert direct == {("x", "id"), ("x", "k"), ("k", "k")}

    for _ in range(100):
        gc.collect()
        context._jvm.System.gc()
        kept = kept_rdds(context) - before
        if len(kept) <= 3:
            break
        time.sleep(0.1)
    assert len(kept) <= 3, f"{len(kept)} of 12 are still there"


def kept_rdds(context: Any) -> set[int]:
    """Ids of the RDDs that have blocks; those of other tests go when they like, so a number of them would tell nothing.

    (`getPersistentRDDs` gives the RDDs themselves, and py4j holds what it gave for half a minute more.)
    """
    return {info.id() for info in context._jsc.sc().getRDDStorageInfo()}


def test_a_cached_frame_keeps_everything_in_another_session_too(spark: Any, capture: Capture) -> None:
    frame = table(spark, capture).where("k = 1").cache()
    frame.count()
    frame.createOrReplaceGlobalTempView("kept")
    other = spark.newSession().sql("SELECT id FROM global_temp.kept")
    records = written(spark, capture, other)
    spark.catalog.dropGlobalTempView("kept")
    frame.unpersist()
    assert inputs(records) == [("t", 0, "exact")]
    assert {(edge.target_column, edge.source_column, edge.subtype) for edge in records.column_lineage} == {
        ("id", "id", "IDENTITY"), (None, "k", "FILTER"),
    }  # fmt: skip


def test_rows_of_the_program_are_said_to_be(spark: Any, capture: Capture) -> None:
    records = written(spark, capture, spark.createDataFrame([(1,)], "a INT"))
    assert records.inputs == ()
    assert records.executions[0].incomplete_reasons == (
        "rows that the program handed over (createDataFrame): where it had them from is not known",
    )
