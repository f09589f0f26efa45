"""Rows that micro-batches wrote, traced to the rows of the batch: from tables and files, through state, and through functions of `foreachBatch`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import ForwardHop, Hop, Source

SECONDS = 240


@dataclass(frozen=True)
class Recorded:
    """A folder with what streams wrote, and the lineage of it."""

    spark: Any
    root: Path

    def trace(self, table: str, where: str, **more: Any) -> tuple[Hop, ...]:
        return spark_lineage.open(self.root / "store").trace(str(self.root / table), where=where, spark=self.spark, **more)


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Three commits of a table and two CSV files, each read by streams in batches of one."""
    root = tmp_path_factory.mktemp("streams")
    events = f"delta.`{root}/events`"

    def run(rows: Any, name: str, mode: str = "append", function: Any = None) -> None:
        writer = rows.writeStream.option("checkpointLocation", f"{root}/of_{name}").outputMode(mode).trigger(availableNow=True)
        query = writer.format("delta").start(f"{root}/{name}") if function is None else writer.foreachBatch(function).start()
        assert query.awaitTermination(SECONDS)

    def upsert(batch: Any, number: int) -> None:
        batch.where("id % 2 = 0").write.format("delta").mode("append").save(f"{root}/even")
        batch.createOrReplaceTempView("batch")
        batch.sparkSession.sql(
            f"MERGE INTO delta.`{root}/latest` t USING (SELECT k, max(id) AS id, count(*) AS n FROM batch GROUP BY k) s ON t.k = s.k "
            "WHEN MATCHED THEN UPDATE SET id = s.id, n = t.n + s.n WHEN NOT MATCHED THEN INSERT *"
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        for first in (0, 4, 8):
            rows = spark.range(first, first + 4, 1, 1).selectExpr("id", "id % 3 AS k")
            rows.write.format("delta").mode("append").save(f"{root}/events")
        (root / "raw").mkdir()
        for number in (1, 2):
            (root / "raw" / f"{number}.csv").write_text(f"{number},x\n{number * 10},y\n")
        spark.sql(f"CREATE TABLE delta.`{root}/latest` (k BIGINT, id BIGINT, n BIGINT) USING delta")
        spark.sql(f"CREATE TABLE delta.`{root}/names` USING delta AS SELECT id AS k, 'k' || id AS name FROM range(3)")
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="streams")
        assert attachment is not None
        stream = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(f"{root}/events")
        run(stream.selectExpr("id * 2 AS twice", "k"), "copy")
        run(stream.join(spark.read.format("delta").load(f"{root}/names"), "k").select("id", "name"), "named")
        run(stream.groupBy("k").agg(F.count("id").alias("count")), "counts", "complete")
        run(stream, "function", function=upsert)
        files = spark.readStream.schema("id BIGINT, s STRING").option("maxFilesPerTrigger", 1).csv(f"{root}/raw")
        run(files.selectExpr("id + 1 AS more", "s"), "read")
        running = stream.writeStream.option("checkpointLocation", f"{root}/of_running").format("delta").start(f"{root}/running")
        running.processAllAvailable()
        spark.sql("SELECT 20L AS id, 2L AS k").write.format("delta").mode("append").save(f"{root}/events")
        running.processAllAvailable()
        running.stop()
        assert attachment.flush(60)
        detach(spark)
        report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        assert report.quarantined == 0
        spark.sql(f"DELETE FROM {events} WHERE id < 0")
        yield Recorded(spark, root)


def from_(hop: Hop, name: str) -> Source:
    assert hop.witness is not None, hop.ended
    (found,) = (one for one in hop.witness.sources if one.name.endswith(f"/{name}"))
    return found


def ids(source: Source) -> list[int]:
    return sorted(row.values["id"] for row in source.rows)


def test_a_row_of_a_batch(recorded: Recorded) -> None:
    (hop,) = recorded.trace("copy", "twice = 10")
    assert ids(from_(hop, "events")) == [5]
    assert hop.witness is not None
    assert hop.witness.completeness == "exact"
    (first, later) = (recorded.trace("copy", f"twice = {twice}")[0] for twice in (0, 10))
    assert (first.batch_id, later.batch_id) == (0, 1)
    told = [json.loads(str(from_(one, "events").offsets)) for one in (first, later)]
    assert told[1]["from"] == told[0]["to"] != told[1]["to"]
    (hop,) = recorded.trace("named", "id = 9")
    assert (ids(from_(hop, "events")), from_(hop, "names").rows[0].values["name"]) == ([9], "k0")


def test_files_that_a_batch_read(recorded: Recorded) -> None:
    (hop,) = recorded.trace("read", "more = 21")
    (row,) = from_(hop, "2.csv" if hop.witness and hop.witness.sources[0].name.endswith("csv") else "raw").rows
    assert row.values == {"id": 20, "s": "y"}


def test_a_row_that_is_made_of_earlier_batches_too(recorded: Recorded) -> None:
    (hop,) = recorded.trace("counts", "k = 0")
    assert hop.rows[0]["count"] == 4
    assert ids(from_(hop, "events")) == [0, 3, 6, 9]
    assert hop.witness is not None
    assert hop.witness.completeness == "superset"
    assert "earlier batches" in " ".join(hop.witness.reasons)
    (hop,) = recorded.trace("counts", "k = 0", version=1)
    assert (hop.rows[0]["count"], ids(from_(hop, "events"))) == (3, [0, 3, 6])


def test_what_came_while_the_stream_ran(recorded: Recorded) -> None:
    (hop,) = recorded.trace("running", "id = 20")
    source = from_(hop, "events")
    assert (ids(source), source.version) == ([20], 3)
    (hop,) = recorded.trace("running", "id = 5")
    assert ids(from_(hop, "events")) == [5]


@pytest.mark.soak
def test_what_a_function_of_foreach_batch_wrote(recorded: Recorded) -> None:
    (hop,) = recorded.trace("even", "id = 6")
    assert ids(from_(hop, "events")) == [6]
    first, *before = recorded.trace("latest", "k = 1", depth=3)
    assert (first.rows[0]["id"], first.rows[0]["n"]) == (10, 4)
    assert ids(from_(first, "events")) == [10]
    assert from_(first, "latest").rows[0].values["n"] == 3
    again = [hop for hop in before if hop.name.endswith("/latest")]
    assert [ids(from_(hop, "events")) for hop in again] == [[4, 7], [1]]


@pytest.mark.soak
def test_what_batches_made_of_a_row(recorded: Recorded) -> None:
    found: tuple[ForwardHop, ...] = spark_lineage.open(recorded.root / "store").trace(
        str(recorded.root / "events"), where="id = 6", forward=True, history=True, spark=recorded.spark
    )  # type: ignore[assignment]
    made = {
        (hop.target.name.rsplit("/", 1)[1], hop.target.version): [row.values for row in hop.target.rows]
        for hop in found
        if hop.target is not None and hop.target.rows
    }
    assert made == {
        ("copy", 1): [{"twice": 12, "k": 0}],
        ("named", 1): [{"id": 6, "name": "k0"}],
        ("counts", 1): [{"k": 0, "count": 3}],
        ("counts", 2): [{"k": 0, "count": 4}],
        ("even", 1): [{"id": 6, "k": 0}],
        ("latest", 2): [{"k": 0, "id": 6, "n": 3}],
        ("running", 1): [{"id": 6, "k": 0}],
    }
    assert {hop.source.count for hop in found} == {1}


def test_what_a_batch_made_of_a_row_of_a_file(recorded: Recorded) -> None:
    """Each batch is known to have read the file that it reads again; not so once that has changed."""
    lineage = spark_lineage.open(recorded.root / "store")

    def made() -> dict[int | None, tuple[str | None, tuple[str, ...], list[Any]]]:
        found: tuple[ForwardHop, ...] = lineage.trace(
            str(recorded.root / "raw"), where="id IN (20, 77)", forward=True, history=True, spark=recorded.spark
        )  # type: ignore[assignment]
        return {
            hop.target.version: (hop.completeness, hop.reasons, [row.values["more"] for row in hop.target.rows])
            for hop in found
            if hop.target is not None and hop.target.rows
        }

    (version, found) = next(iter(made().items()))
    assert found == ("exact", (), [21])
    (hop,) = recorded.trace("read", "more = 21")
    assert hop.witness is not None
    assert (hop.witness.completeness, hop.witness.reasons) == ("exact", ())
    assert hop.witness.sources[0].offsets is not None
    file = recorded.root / "raw" / "2.csv"
    before, told = file.read_text(), file.stat()
    try:
        file.write_text(before + "7,new\n")
        completeness, reasons, values = made()[version]
        assert (completeness, values) == ("partial", [21])
        assert "may not be what was read then" in reasons[0]
        (hop,) = recorded.trace("read", "more = 21")
        assert hop.witness is not None
        assert hop.witness.completeness == "partial"
    finally:
        file.write_text(before)
        os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
