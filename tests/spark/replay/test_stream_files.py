"""Micro-batches that a stream wrote as files: which are its files, its own log says."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage
from spark_lineage.replay.verdict import Replayed
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

BATCHES = 12
"""More than ten: Spark then puts the logs of the first ten into one."""
SINKS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "parquet": ("parquet", {}, []),
    "parted": ("parquet", {"compression": "gzip"}, ["k", "day"]),
    "csv": ("csv", {"header": True, "sep": ";"}, []),
    "json": ("json", {"compression": "gzip"}, []),
    "orc": ("orc", {}, []),
    "text": ("text", {}, []),
    "parted_json": ("json", {}, ["k"]),
}
ROWS = 5


def write(spark: Any, root: Path) -> None:
    source = f"{root}/source"
    for name, (kind, options, partitions) in SINKS.items():
        rows = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(source)
        if kind == "text":
            rows = rows.selectExpr("concat_ws('|', id, s) AS value")
        stream = rows.writeStream.format(kind).options(**options).option("checkpointLocation", f"{root}/checkpoints/{name}")
        stream.partitionBy(*partitions).trigger(availableNow=True).start(f"{root}/{name}").awaitTermination()


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("stream_files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        for batch in range(BATCHES):
            rows = spark.sql(
                f"SELECT id + {batch * ROWS} AS id, id % 2 AS k, DATE '2026-01-01' + CAST({batch} AS INT) AS day, 's ' || id AS s "
                f"FROM range(0, {ROWS}, 1, 1)"
            )
            rows.coalesce(1).write.format("delta").mode("append").save(f"{root}/source")
        found = recorded_of(spark, root, "streams", write)
        for name in SINKS:
            for batch in range(9):  # as Spark does after a hundred batches (spark.sql.streaming.minBatchesToRetain)
                (root / name / "_spark_metadata" / str(batch)).unlink()
        yield found


@pytest.fixture(scope="module")
def replays(recorded: Recorded) -> dict[str, list[Replayed]]:
    found: dict[str, list[Replayed]] = {name: [] for name in SINKS}
    for one in spark_lineage.open(recorded.store).replay("last", spark=recorded.spark):
        found[str(one.name).rsplit("/", 1)[-1]].append(one)
    return found


@pytest.mark.parametrize("name", [name for name in SINKS if name != "parted_json"])
def test_each_batch_is_held_against_its_own_files(recorded: Recorded, replays: dict[str, list[Replayed]], name: str) -> None:
    log = {file.name for file in Path(f"{recorded.root}/{name}/_spark_metadata").iterdir()}
    assert "9.compact" in log
    assert "8" not in log
    assert [(one.verdict, one.rows, one.reason) for one in replays[name]] == [("identical", (ROWS, ROWS), None)] * BATCHES


def test_what_is_not_given_again_is_said_of_each(replays: dict[str, list[Replayed]]) -> None:
    assert {one.verdict for one in replays["parted_json"]} == {"not_replayable"}
    assert {"partition" in str(one.reason) for one in replays["parted_json"]} == {True}


def replay(recorded: Recorded, name: str, batch: int) -> Replayed:
    of_batch = {
        row["execution_id"]
        for row in Store.open(recorded.store).arrow("executions", ["execution_id", "batch_id"]).to_pylist()
        if row["batch_id"] == batch
    }
    (mine,) = of_batch & recorded.executions(name, None)
    (one,) = spark_lineage.open(recorded.store).replay(mine, spark=recorded.spark)
    return one


def files_of(recorded: Recorded, name: str, text: str) -> Path:
    (found,) = (file for file in Path(f"{recorded.root}/{name}").glob("*.json.gz") if text in read(file))
    return found


def read(file: Path) -> str:
    return gzip.decompress(file.read_bytes()).decode()


def test_files_that_are_others_now(recorded: Recorded, replays: dict[str, list[Replayed]]) -> None:
    """Of the batch that wrote them alone."""
    gone = files_of(recorded, "json", f'"id":{3 * ROWS},')
    aside = gone.rename(f"{recorded.root}/aside")
    changed = files_of(recorded, "json", f'"id":{10 * ROWS},')
    before = changed.stat()
    os.utime(changed)
    try:
        found = [replay(recorded, "json", batch) for batch in (2, 3, 10, 11)]
    finally:
        aside.rename(gone)
        os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [one.verdict for one in found] == ["identical", "not_replayable", "not_replayable", "identical"]
    assert "a file that batch 3 wrote is gone" in str(found[1].reason)
    assert "which batch 10 wrote, has changed since" in str(found[2].reason)


def test_rows_that_are_others(recorded: Recorded, replays: dict[str, list[Replayed]]) -> None:
    """Somebody changed a file, and its size and time are as they were: only its rows tell."""
    file = files_of(recorded, "json", f'"id":{11 * ROWS},')
    before, kept = file.stat(), file.read_bytes()
    log = Path(f"{recorded.root}/json/_spark_metadata/11")
    (file.parent / f".{file.name}.crc").unlink()
    other = gzip.compress(read(file).replace('"s":"s 1"', '"s":"s 7"').encode())
    file.write_bytes(other)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = log.read_text()
    log.write_text(told.replace(f'"size":{before.st_size}', f'"size":{len(other)}'))
    try:
        one = replay(recorded, "json", 11)
    finally:
        file.write_bytes(kept)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        log.write_text(told)
    assert one.verdict == "different"
    assert one.difference is not None
    assert (one.difference.missing, one.difference.unexpected) == (1, 1)


def test_a_log_that_is_gone_or_unknown(recorded: Recorded, replays: dict[str, list[Replayed]]) -> None:
    log = Path(f"{recorded.root}/orc/_spark_metadata")
    told = (log / "11").read_text()
    (log / "11").write_text(told.replace("v1", "v9"))
    unknown = replay(recorded, "orc", 11)
    (log / "11").write_text(told)
    aside = Path(f"{recorded.root}/log aside")
    shutil.move(log, aside)
    try:
        gone = replay(recorded, "orc", 11)
    finally:
        shutil.move(aside, log)
    assert [one.verdict for one in (unknown, gone)] == ["not_replayable"] * 2
    assert "cannot be read" in str(unknown.reason)
    assert "version v9" in str(unknown.reason)
    assert "does not tell what batch 11 wrote" in str(gone.reason)


def test_what_is_told_before_is_so(recorded: Recorded, replays: dict[str, list[Replayed]]) -> None:
    told = spark_lineage.open(recorded.store).replay_check("all").executions
    assert sum(one.replayable is not False for one in told) >= BATCHES * (len(SINKS) - 1)
