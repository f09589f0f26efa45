"""Structured Streaming: a micro-batch is one execution, with its stream, its offsets, and nothing of what Delta does beside."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture, documents, executions, versions_written
from resolved import records_of

from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.errors import ConfigError
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store

TIMEOUT = 240
SECONDS_A_BATCH = 5
"""Spark and Delta alone take 1.5 on a slow machine."""


def run(writer: Any, path: Path | None = None, seconds: float = TIMEOUT) -> None:
    """The stream until it has read all that is there."""
    query = writer.trigger(availableNow=True).start(None if path is None else str(path))
    assert query.awaitTermination(seconds), "the stream did not end"


def checkpointed(frame: Any, capture: Capture, name: str = "checkpoint") -> Any:
    return frame.writeStream.option("checkpointLocation", str(capture.data / name))


def append(spark: Any, table: Path, start: int) -> None:
    spark.range(start, start + 10).selectExpr("id", "id % 3 AS k").coalesce(1).write.format("delta").mode("append").save(
        str(table)
    )


def new_batches(capture: Capture, before: int) -> list[dict[str, Any]]:
    return capture.executions()[before:]


def csv_files(capture: Capture, count: int) -> Path:
    folder = capture.data / "in"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.csv").write_text(f"{number},{number % 3}\n")
    return folder


def files_stream(spark: Any, folder: Path) -> Any:
    return spark.readStream.schema("id BIGINT, k BIGINT").option("maxFilesPerTrigger", 1).csv(str(folder))


def test_each_batch_is_one_execution_and_a_restart_goes_on(spark: Any, capture: Capture) -> None:
    source, sink = capture.data / "source", capture.data / "sink"
    append(spark, source, 0)
    append(spark, source, 10)
    before = len(capture.executions())
    rows = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(str(source))
    run(checkpointed(rows, capture).queryName("copy").format("delta"), sink)
    first = new_batches(capture, before)
    append(spark, source, 20)
    run(checkpointed(rows, capture).queryName("copy").format("delta"), sink)
    second = new_batches(capture, before + len(first) + 1)
    batches = [*first, *second]
    assert [one["stream"]["batch_id"] for one in first] == [0, 1]
    assert [one["stream"]["batch_id"] for one in batches] == list(range(len(batches)))
    assert [versions_written(one) for one in batches] == [{"sink": [number]} for number in range(len(batches))]
    assert {one["stream"]["name"] for one in batches} == {"copy"}
    assert len({one["stream"]["query_id"] for one in batches}) == 1
    assert {one["stream"]["run_id"] for one in first}.isdisjoint({one["stream"]["run_id"] for one in second})
    sources = [source for one in batches for source in one["stream"]["sources"]]
    assert len(sources) == len(batches), "one source each"
    assert sources[0]["from"] is None
    ends, starts = [one["to"] for one in sources[:-1]], [one["from"] for one in sources[1:]]
    assert [json.loads(text) for text in ends] == [json.loads(text) for text in starts]
    assert [one["rows"] for one in sources][:3] == [10, 10, 10]
    inputs = [records_of(one).inputs for one in batches]
    assert [(one.delta_version, one.version_basis, one.rows_read) for (one,) in inputs][:3] == [(1, "exact", 10)] * 2 + [
        (2, "exact", 10)
    ]


@pytest.mark.soak
def test_a_change_feed_from_a_version(spark: Any, capture: Capture) -> None:
    spark.sql(
        f"CREATE TABLE delta.`{capture.data}/fed` (id BIGINT) USING delta TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    for number in range(3):
        spark.range(number, number + 1).write.format("delta").mode("append").save(str(capture.data / "fed"))
    before = len(capture.executions())
    rows = (
        spark.readStream.format("delta")
        .option("readChangeFeed", "true")
        .option("startingVersion", 2)
        .load(f"{capture.data}/fed")
    )
    run(checkpointed(rows.select("id", "_change_type", "_commit_version"), capture).format("delta"), capture.data / "changes")
    batches = [records_of(one) for one in new_batches(capture, before)]
    (batch,) = [one for one in batches if one.outputs[0].rows_written]
    (read_from,) = batch.inputs
    assert read_from.name.endswith("/fed")
    assert (read_from.delta_version, read_from.version_basis) == (3, "exact")
    assert json.loads(str(read_from.offsets))["versions"]["to"] == 3
    assert {edge.source_column for edge in batch.column_lineage if edge.target_column == "id"} == {"id"}


@pytest.mark.parametrize(
    "sink", ["parquet", "toTable", *(pytest.param(name, marks=pytest.mark.soak) for name in ("memory", "console", "noop"))]
)
def test_sinks(sink: str, spark: Any, capture: Capture) -> None:
    rows = files_stream(spark, csv_files(capture, 2))
    writer = checkpointed(rows, capture).format("delta" if sink == "toTable" else sink)
    if sink == "toTable":
        spark.sql(f"CREATE TABLE streamed_to (id BIGINT, k BIGINT) USING delta LOCATION '{capture.data}/sink'")
        before = len(capture.executions())
        assert writer.trigger(availableNow=True).toTable("streamed_to").awaitTermination(TIMEOUT)
        recorded = new_batches(capture, before)
        spark.sql("DROP TABLE streamed_to")
    else:
        run(
            writer.queryName("remembered") if sink == "memory" else writer, capture.data / "sink" if sink == "parquet" else None
        )
        recorded = capture.executions()
    assert [one["stream"]["batch_id"] for one in recorded] == [0, 1]
    for number, document in enumerate(recorded):
        records = records_of(document)
        assert records.executions[0].operation == "stream"
        assert [one.name for one in records.inputs] == [str(capture.data / "in")]
        assert json.loads(str(records.inputs[0].offsets))["to"] == {"logOffset": number}
        assert records.inputs[0].rows_read == 1
        expected = [str(capture.data / "sink")] if sink in ("parquet", "toTable") else []
        assert [one.name for one in records.outputs] == expected
        assert {one.format for one in records.datasets if one.name in expected} <= {"parquet" if sink == "parquet" else "delta"}


def test_a_folder_that_is_watched_through_a_link_is_the_real_one_and_the_only_input(spark: Any, capture: Capture) -> None:
    folder = csv_files(capture, 1)
    link = capture.data / "link"
    link.symlink_to(folder)
    run(checkpointed(files_stream(spark, link), capture).format("parquet"), capture.data / "sink")
    lines = spark.createDataFrame(spark.sparkContext.textFile(str(link)).map(lambda line: (line,)), "line string")
    lines.write.parquet(str(capture.data / "lines"))
    streamed, made = [records_of(one) for one in capture.executions() if one["name"] in (None, "command")]
    assert [one.name for one in streamed.inputs] == [one.name for one in made.inputs] == [str(folder)]
    assert json.loads(str(streamed.inputs[0].offsets))["to"] == {"logOffset": 0}


def test_a_batch_that_a_function_writes_to_several_places(spark: Any, capture: Capture) -> None:
    source = capture.data / "source"
    append(spark, source, 0)
    append(spark, source, 10)
    spark.sql(f"CREATE TABLE merged (id BIGINT, k BIGINT) USING delta LOCATION '{capture.data}/merged'")
    before = len(capture.executions())

    def write(batch: Any, number: int) -> None:
        batch.persist()
        batch.count()
        batch.groupBy("k").count().write.format("delta").mode("append").save(str(capture.data / "counts"))
        batch.select("id").write.mode("append").parquet(str(capture.data / "files"))
        batch.createOrReplaceTempView("batch")
        batch.sparkSession.sql("MERGE INTO merged m USING batch b ON m.id = b.id WHEN NOT MATCHED THEN INSERT *")
        batch.unpersist()

    rows = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(str(source))
    run(checkpointed(rows, capture).foreachBatch(write))
    recorded = new_batches(capture, before)
    spark.sql("DROP TABLE merged")
    assert [one["stream"]["batch_id"] for one in recorded] == [0, 1]
    for number, document in enumerate(recorded):
        records = records_of(document)
        versions = {Path(one.name).name: one.delta_version for one in records.outputs}
        assert versions == {"counts": number, "files": None, "merged": number + 1}
        edges = {
            (Path(edge.target_name).name, edge.target_column, edge.source_column)
            for edge in records.column_lineage
            if edge.edge_type == "DIRECT"
        }
        assert {("counts", "k", "k"), ("files", "id", "id"), ("merged", "id", "id")} <= edges
        assert {edge.source_kind for edge in records.column_lineage} <= {"column", "generated"}


@pytest.fixture
def hourly(spark: Any, tmp_path: Path) -> Iterator[Capture]:
    """As `capture`, with one execution for the batches of an hour."""
    (tmp_path / "data").mkdir()
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, streams_record="3600")
    assert attachment is not None
    yield Capture(spark, attachment, tmp_path / "inbox", tmp_path / "data")
    detach(spark)


def test_a_period_is_one_execution_and_a_failed_batch_its_own(spark: Any, hourly: Capture) -> None:
    source, sink = hourly.data / "source", hourly.data / "sink"
    for start in (0, 10, 20):
        append(spark, source, start)
    before = len(hourly.executions())
    rows = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(str(source))

    def write(batch: Any, number: int) -> None:
        if number == 3:
            raise RuntimeError("the fourth batch")
        batch.write.format("delta").mode("append").save(str(sink))

    run(checkpointed(rows, hourly).foreachBatch(write))
    append(spark, source, 30)
    with pytest.raises(Exception, match="the fourth batch"):
        run(checkpointed(rows, hourly).foreachBatch(write))
    assert hourly.attachment.bridge.flush(30_000) >= 0
    recorded = [one for one in executions(hourly.inbox)[before:] if "stream" in one]
    assert [
        (one["stream"]["first_batch_id"], one["stream"]["batch_id"], one["stream"]["batches"], one["status"])
        for one in recorded
    ] == [
        (0, 2, 3, "succeeded"),
        (3, 3, 1, "failed"),
    ]
    records = records_of(recorded[0])
    (output,), (read_from,) = records.outputs, records.inputs
    assert (output.delta_version_before, output.delta_version, output.rows_written) == (-1, 2, 30)
    assert json.loads(str(output.offsets)) == {"from": {"batch": 0}, "to": {"batch": 2}}
    assert (read_from.rows_read, json.loads(str(read_from.offsets))["from"]) == (30, None)
    assert records.executions[0].batches == 3


@pytest.mark.parametrize("pattern", [{"redact_literals_columns": "k"}, {"redact_literals_datasets": "*/sink"}])
def test_batches_of_a_period_are_written_as_each_by_itself_would_be(
    pattern: dict[str, str], spark: Any, tmp_path: Path
) -> None:
    """Without the literals of their filters, and with their files where a link really leads."""
    (tmp_path / "data").mkdir()
    read_from = tmp_path / "linked"
    found: dict[str, list[dict[str, Any]]] = {}
    for record in ("3600", "every"):
        inbox = tmp_path / f"inbox{record}"
        attachment = attach(
            spark, inbox=str(inbox), ingest="none", strict=True, streams_record=record, redact_literals="drop", **pattern
        )
        assert attachment is not None
        capture = Capture(spark, attachment, inbox, tmp_path / "data")
        if record == "3600":
            read_from.symlink_to(csv_files(capture, 3))
        rows = files_stream(spark, read_from).where("k <> 918273645")
        run(checkpointed(rows, capture, f"checkpoint{record}").format("parquet"), tmp_path / "data" / "sink")
        detach(spark)
        documents_of = executions(inbox)
        assert "918273645" not in json.dumps(documents_of)
        assert all("literals are redacted: it cannot be run again" in document["incomplete"] for document in documents_of)
        found[record] = [scan for document in documents_of for scan in document["scans"]]
    told = {record: {scan["fingerprint"]: sorted(scan["filters"]) for scan in scans} for record, scans in found.items()}
    assert len(told["every"]) == 3
    assert all("'?'" in str(filters) for filters in told["every"].values())
    assert told["3600"] == told["every"]


def test_batches_that_do_something_else_are_not_put_together(spark: Any, hourly: Capture) -> None:
    def write(batch: Any, number: int) -> None:
        chosen = batch.select("id") if number < 2 else batch.select("k")
        chosen.write.mode("append").parquet(str(hourly.data / ("ids" if number < 2 else "keys")))

    run(checkpointed(files_stream(spark, csv_files(hourly, 3)), hourly).foreachBatch(write))
    recorded = hourly.executions()
    assert [one["stream"]["batches"] for one in recorded] == [2, 1]
    assert [[Path(one.name).name for one in records_of(document).outputs] for document in recorded] == [["ids"], ["keys"]]


def test_the_last_batches_are_there_when_recording_stops(spark: Any, hourly: Capture) -> None:
    run(checkpointed(files_stream(spark, csv_files(hourly, 2)), hourly).format("parquet"), hourly.data / "sink")
    detach(spark)
    kinds = [one["kind"] for one in documents(hourly.inbox)]
    assert kinds == ["run_start", "execution", "run_end"]
    assert executions(hourly.inbox)[0]["stream"]["batches"] == 2


def test_targets_that_differ_in_a_number_are_not_put_together(spark: Any, hourly: Capture) -> None:
    def write(batch: Any, number: int) -> None:
        batch.write.mode("append").parquet(str(hourly.data / f"out/{2 * number // 3}"))

    run(checkpointed(files_stream(spark, csv_files(hourly, 3)), hourly).foreachBatch(write))
    recorded = hourly.executions()
    assert [one["stream"]["batches"] for one in recorded] == [2, 1]
    assert [[Path(one.name).name for one in records_of(document).outputs] for document in recorded] == [["0"], ["1"]]


def test_the_batches_of_a_stream_that_runs_on_are_there_when_recording_stops(spark: Any, hourly: Capture) -> None:
    query = checkpointed(files_stream(spark, csv_files(hourly, 2)), hourly).format("parquet").start(str(hourly.data / "sink"))
    try:
        query.processAllAvailable()
        detach(spark)
        recorded = documents(hourly.inbox)
        assert [one["kind"] for one in recorded] == ["run_start", "execution", "run_end"]
        assert recorded[1]["stream"]["batches"] == 2
    finally:
        query.stop()


@pytest.mark.soak
def test_a_socket(spark: Any, capture: Capture) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    held: list[socket.socket] = []

    def serve() -> None:
        connection, _ = server.accept()
        held.append(connection)
        connection.sendall(b"one\ntwo\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    lines = spark.readStream.format("socket").option("host", "127.0.0.1").option("port", port).load()
    query = checkpointed(lines, capture).format("delta").start(str(capture.data / "lines"))
    try:
        query.processAllAvailable()
    finally:
        query.stop()
        thread.join(10)
        for connection in (*held, server):
            connection.close()
    recorded = [records_of(one) for one in capture.executions() if one["status"] == "succeeded"]
    assert recorded
    assert {(one.namespace, one.name) for records in recorded for one in records.inputs} == {("socket", f"127.0.0.1:{port}")}
    assert all(one.offsets for records in recorded for one in records.inputs)


def _flood(spark: Any, capture: Capture, batches: int, sink: str) -> None:
    source = str(capture.data / "source")
    detach(spark)
    spark.range(0, batches, 1, batches).write.format("delta").save(source)
    attachment = attach(spark, inbox=str(capture.inbox), ingest="none", strict=True)
    assert attachment is not None
    rows = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(source).where("id >= 0")
    run(
        checkpointed(rows, capture).queryName("flood").format(sink),
        capture.data / "sink",
        max(TIMEOUT, SECONDS_A_BATCH * batches),
    )
    detach(spark)
    store = capture.data / "lineage"
    ingest(str(capture.inbox), str(store), final=True)
    tables = Store.open(str(store))
    counts = {name: tables.arrow(name).num_rows for name in COUNTED}
    expected = {name: batches if per_batch else 1 for name, per_batch in COUNTED.items()}
    assert counts == expected | {"runs": 2, "datasets": 2, "column_lineage": 2}


COUNTED = {
    "executions": True, "inputs": True, "outputs": True, "runs": False, "plans": False, "schemas": False, "session_confs": False,
    "dataset_lineage": False, "datasets": False, "column_lineage": False,
}  # fmt: skip
"""The lineage tables, and which of them a stream's batch adds a row to."""


@pytest.mark.soak
def test_twenty_batches_add_three_rows_each(spark: Any, capture: Capture) -> None:
    _flood(spark, capture, 20, "parquet")


@pytest.mark.soak
def test_two_hundred_batches_add_three_rows_each(spark: Any, capture: Capture) -> None:
    _flood(spark, capture, 200, "delta")


@pytest.mark.parametrize("text", ["often", "-1", "0", "nan"])
def test_a_period_that_is_none_is_refused(text: str, spark: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"streams\.record"):
        attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, streams_record=text)
    assert load(streams_record="every").streams_record == "every"


@pytest.mark.soak
def test_continuous_processing_is_one_execution_of_which_little_is_known(spark: Any, capture: Capture) -> None:
    """A blind spot that the docs tell of."""
    rows = spark.readStream.format("rate").option("rowsPerSecond", 5).option("numPartitions", 1).load().select("value")
    query = checkpointed(rows, capture).format("noop").trigger(continuous="1 second").start()
    commits = capture.data / "checkpoint" / "commits"
    deadline = time.monotonic() + TIMEOUT
    while not (commits.is_dir() and any(commits.glob("[0-9]*"))) and query.isActive and time.monotonic() < deadline:
        time.sleep(0.2)
    assert capture.executions() == [], "none for an epoch"
    query.stop()
    (document,) = capture.executions()
    (execution,) = records_of(document).executions
    assert "stream" not in document
    assert execution.incomplete_reasons == ("unknown node WriteToContinuousDataSource",)
    assert records_of(document).outputs == ()
