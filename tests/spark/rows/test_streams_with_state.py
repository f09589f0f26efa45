"""Rows of streams that keep a state, traced: windows that close, duplicates that are dropped, joins of two streams; also what a batch without new rows gave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import ForwardHop, Hop

SECONDS = 240
EARLIER = "its stream keeps a state: rows of earlier batches are among these"
KEYS = "key BIGINT, n INT"


def events(spark: Any, batch: int) -> Any:
    """Four rows with the numbers and minutes 4n..4n+3 of the hour `batch`."""
    first = batch * 4
    return spark.sql(
        f"SELECT id, id % 3 AS k, timestamp'2026-01-01 00:00:00' + make_interval(0, 0, 0, 0, {batch}, CAST(id AS INT), 0) AS at "
        f"FROM range({first}, {first + 4}, 1, 1)"
    )


def others(spark: Any, batch: int) -> Any:
    return spark.sql(
        f"SELECT id AS oid, id % 3 AS ok, timestamp'2026-01-01 00:00:00' + make_interval(0, 0, 0, 0, {batch}, 0, 0) AS oat "
        f"FROM range({batch * 10}, {batch * 10 + 2}, 1, 1)"
    )


class Streams:
    """A folder with two tables of three commits each, what streams in batches of one file made of them, and the lineage of it."""

    def __init__(self, spark: Any, root: Path) -> None:
        self.spark, self.root = spark, root

    def run(self, rows: Any, name: str, mode: str = "append") -> None:
        writer = rows.writeStream.option("checkpointLocation", f"{self.root}/of_{name}").outputMode(mode)
        assert writer.trigger(availableNow=True).format("delta").start(f"{self.root}/{name}").awaitTermination(SECONDS)

    def record(self, *names: str) -> None:
        for batch in range(3):
            events(self.spark, batch).write.format("delta").mode("append").save(f"{self.root}/events")
            others(self.spark, batch).write.format("delta").mode("append").save(f"{self.root}/others")
        attachment = attach(self.spark, inbox=str(self.root / "inbox"), ingest="none", strict=True, job_name="state")
        assert attachment is not None
        for name in names:
            self.run(self.made(name), name)
        assert attachment.flush(60)
        detach(self.spark)
        report = ingest(
            str(self.root / "inbox"), str(self.root / "store"), executables_key=os.environ["SPARK_LINEAGE_EXECUTABLES_KEY"]
        )
        assert report.quarantined == 0

    def read(self, name: str, at: str) -> Any:
        stream = self.spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(f"{self.root}/{name}")
        return stream.withWatermark(at, "10 minutes")

    def made(self, name: str) -> Any:
        rows, more = self.read("events", "at"), self.read("others", "oat")
        if name == "windows":
            return (
                rows.groupBy(F.window("at", "1 hour"), "k")
                .agg(F.count("id").alias("count"))
                .select(F.col("window.start").alias("start"), "k", "count")
            )
        if name == "sessions":
            return (
                rows.groupBy(F.session_window("at", "10 minutes"), "k")
                .agg(F.count("id").alias("count"))
                .select("session_window.start", "k", "count")
            )
        if name == "once":
            return rows.dropDuplicates(["k"])
        if name == "within":
            return rows.dropDuplicatesWithinWatermark(["k"])
        if name == "joined":
            near = F.expr("k = ok AND at BETWEEN oat - INTERVAL 5 HOURS AND oat + INTERVAL 5 HOURS")
            return rows.join(more, near).select("id", "oid")
        if name == "padded":
            same = F.expr("id = oid AND at BETWEEN oat - INTERVAL 5 MINUTES AND oat + INTERVAL 5 MINUTES")
            return rows.join(more, same, "left").select("id", "oid")
        if name == "grouped":
            return rows.groupBy("k").applyInPandasWithState(counting(), KEYS, "n INT", "append", "NoTimeout")
        assert name == "plain"
        return rows.where("k > 0").select("id", "at")

    def trace(self, name: str, where: str) -> Hop:
        """The first hop of rows of a table. Raises as `trace` does."""
        hops = spark_lineage.open(self.root / "store").trace(str(self.root / name), where=where, spark=self.spark)
        return hops[0]  # type: ignore[return-value]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """With times as texts in the zone of the session."""
        frame = self.spark.read.format("delta").load(f"{self.root}/{name}")
        columns = (F.col(name).cast("string") if kind == "timestamp" else F.col(name) for name, kind in frame.dtypes)
        return [row.asDict() for row in frame.select(*columns).collect()]


def counting() -> Any:
    """Made here, so that it travels to Python's workers by value."""

    def counted(key: Any, frames: Any, state: Any) -> Iterator[Any]:
        import pandas as pd

        n = (state.get[0] if state.exists else 0) + sum(map(len, frames))
        state.update((n,))
        yield pd.DataFrame({"key": [key[0]], "n": [n]})

    return counted


def sources(hop: Hop) -> dict[str, list[int]]:
    assert hop.witness is not None, hop.ended
    return {
        source.name.rsplit("/", 1)[1]: sorted(
            row.values["id" if source.name.endswith("/events") else "oid"] for row in source.rows
        )
        for source in hop.witness.sources
    }


@pytest.fixture(scope="module", autouse=True)
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path_factory.mktemp("key") / "key"))
        yield


@pytest.fixture(scope="module")
def closed(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Streams:
    streams = Streams(spark, tmp_path_factory.mktemp("closed"))
    streams.record("windows")
    return streams


def test_a_window_that_a_batch_without_rows_closed(closed: Streams) -> None:
    """Spark closes the last windows in a batch that only moves the watermark: it reads nothing, and its plan has no source."""
    (row, *_) = [row for row in closed.rows("windows") if row["start"][11:13] == "01" and row["k"] == 1]
    assert row["count"] == 2
    hop = closed.trace("windows", "hour(start) = 1 AND k = 1")
    assert hop.batch_id == 3
    assert sources(hop) == {"events": [4, 7]}
    assert hop.witness is not None
    assert (hop.witness.completeness, hop.witness.reasons) == ("superset", (EARLIER,))


@pytest.mark.soak
def test_what_windows_were_made_of_a_row(closed: Streams) -> None:
    found: tuple[ForwardHop, ...] = spark_lineage.open(closed.root / "store").trace(
        str(closed.root / "events"), where="id = 7", forward=True, history=True, spark=closed.spark
    )  # type: ignore[assignment]
    made = [(row.values["k"], row.values["count"]) for hop in found if hop.target for row in hop.target.rows]
    assert made == [(1, 2)]


@pytest.fixture(scope="module")
def streams(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Streams:
    made = Streams(spark, tmp_path_factory.mktemp("state"))
    made.record("once", "within", "joined", "padded", "sessions", "grouped", "plain")
    return made


@pytest.mark.soak
@pytest.mark.parametrize("name", ["once", "within"])
def test_a_row_that_others_were_duplicates_of(name: str, streams: Streams) -> None:
    for row in streams.rows(name):
        hop = streams.trace(name, f"id = {row['id']}")
        found = sources(hop)["events"]
        alike = [id for id in range(12) if id % 3 == row["k"]]
        assert row["id"] in found
        assert {*found} <= {*alike}
        assert hop.witness is not None
        assert hop.witness.completeness == "superset"
        assert EARLIER in hop.witness.reasons


@pytest.mark.soak
def test_a_row_of_two_streams(streams: Streams) -> None:
    rows = streams.rows("joined")
    assert len(rows) == 24
    for row in rows[::5]:
        assert sources(streams.trace("joined", f"id = {row['id']} AND oid = {row['oid']}")) == {
            "events": [row["id"]],
            "others": [row["oid"]],
        }


@pytest.mark.soak
def test_a_row_of_one_stream_that_nothing_came_for(streams: Streams) -> None:
    rows = streams.rows("padded")
    assert {row["oid"] is None for row in rows} == {True, False}
    batches = set()
    for row in rows:
        hop = streams.trace("padded", f"id = {row['id']}")
        expected = {"events": [row["id"]]} if row["oid"] is None else {"events": [row["id"]], "others": [row["oid"]]}
        assert {name: ids for name, ids in sources(hop).items() if ids} == expected
        batches.add((row["oid"] is None, hop.batch_id))
    assert (True, 3) in batches  # the last one, which no rows came to


@pytest.mark.soak
def test_a_session(streams: Streams) -> None:
    rows = streams.rows("sessions")
    assert {row["count"] for row in rows} == {1, 2}
    for row in rows:
        hop = streams.trace("sessions", f"k = {row['k']} AND start = TIMESTAMP'{row['start']}'")
        expected = {id for id in range(12) if id % 3 == row["k"] and id // 4 == int(row["start"][11:13])}
        assert expected <= {*sources(hop)["events"]}


@pytest.mark.soak
def test_what_a_function_with_a_state_gave(streams: Streams) -> None:
    hop = streams.trace("grouped", "key = 1")
    assert "applyInPandasWithState is unsupported in batch query" in str(hop.ended)


@pytest.mark.soak
def test_a_watermark_alone_keeps_no_state(streams: Streams) -> None:
    hop = streams.trace("plain", "id = 7")
    assert sources(hop) == {"events": [7]}
    assert hop.witness is not None
    assert (hop.witness.completeness, hop.witness.reasons) == ("exact", ())
