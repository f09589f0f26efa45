"""Executions recorded = commands typed, each with the versions that were really read and written."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from captured import Capture, versions_read, versions_written
from command_cases import CASES, NOTHING, Case, Tables, do
from pyspark.sql import functions as sf
from resolved import records_of

from spark_lineage.capture.attach import attach, detach
from spark_lineage.model import Input, Output


@pytest.fixture(scope="module")
def attached(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    """One attachment for the whole table: its cases differ in what they do, not in who listens."""
    inbox = tmp_path_factory.mktemp("inbox")
    attachment = attach(spark, inbox=str(inbox), ingest="none", strict=True)
    assert attachment is not None
    yield Attached(attachment, inbox)
    detach(spark)


@dataclass
class Attached:
    """Gives what was recorded since it was last asked."""

    attachment: Any
    inbox: Path
    seen: int = 0

    def new(self) -> list[dict[str, Any]]:
        assert self.attachment.bridge.flush(60_000) >= 0
        names = sorted(self.inbox.glob("*/[0-9]*.execution.json.gz"))
        found = [json.loads(gzip.decompress(path.read_bytes())) for path in names[self.seen :]]
        self.seen = len(names)
        return found


@pytest.fixture(scope="module")
def made(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("cmd")
    (folder / "data").mkdir()
    yield Tables(spark, folder / "data", folder / "kept")
    spark.sql("DROP DATABASE cmd CASCADE")


@pytest.fixture
def tables(spark: Any, made: Tables) -> Iterator[Path]:
    yield made.data
    spark.sql("USE default")
    spark.catalog.dropTempView("t")
    made.bring_back()


def _selected(cases: list[Case]) -> list[Any]:
    """All of them, a fifth in the normal suite: the same ones each time, the others are in the long one."""
    chosen = set(random.Random(41).sample([case.name for case in cases], len(cases) // 5))
    return [pytest.param(case, id=case.name, marks=() if case.name in chosen else pytest.mark.soak) for case in cases]


@pytest.mark.parametrize("case", _selected(CASES))
def test_one_command_is_one_document(case: Case, spark: Any, attached: Attached, tables: Path) -> None:
    for step in case.before:
        do(spark, tables, step)
    attached.new()
    do(spark, tables, case.act)
    recorded = attached.new()
    assert len(recorded) == case.documents, [(one["name"], one.get("statement")) for one in recorded]
    document = recorded[-1]
    records = records_of(document)
    (execution,) = records.executions
    assert (execution.operation, execution.status) == (case.operation, "succeeded")
    assert execution.incomplete_reasons == case.incomplete
    assert _versions(records.inputs) == case.read
    assert {
        name: [one.delta_version for one in records.outputs if short(one.name) == name]
        for name in map(short, _names(records.outputs))
    } == case.written
    assert all(one.version_basis == "exact" for one in records.outputs if one.delta_version is not None)
    assert (
        case.inferred
        or None in {v for versions in case.read.values() for v in versions}
        or {one.version_basis for one in records.inputs} <= {"exact"}
    )
    if case.modes:
        assert tuple(one.write_mode for one in records.outputs) == case.modes
    for one in records.outputs:
        if short(one.name) in case.rows and one.write_mode != "optimize":
            assert (one.rows_written, one.rows_deleted) == case.rows[short(one.name)]
    if case.statement is not None:
        assert bool(document.get("statement")) == case.statement


def _names(found: Iterable[Input | Output]) -> list[str]:
    return [one.name for one in found]


def _versions(inputs: Iterable[Input]) -> dict[str, set[int | None]]:
    result: dict[str, set[int | None]] = {}
    for one in inputs:
        result.setdefault(short(one.name), set()).add(one.delta_version)
    return result


def short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


@pytest.mark.parametrize("name", NOTHING)
def test_what_reads_and_changes_nothing_is_not_recorded(name: str, spark: Any, attached: Attached, tables: Path) -> None:
    attached.new()
    do(spark, tables, NOTHING[name])
    assert attached.new() == []


def test_each_target_of_a_multi_insert_has_its_own_sources(spark: Any, attached: Attached, tables: Path) -> None:
    attached.new()
    spark.sql("FROM cmd.a INSERT INTO cmd.b SELECT id, k, v WHERE k = 'x' INSERT INTO cmd.d SELECT id, upper(k), v * 2")
    (document,) = attached.new()
    records = records_of(document)
    edges = {(short(e.target_name), e.target_column, e.source_column, e.subtype) for e in records.column_lineage}
    assert edges == {
        ("b", "id", "id", "IDENTITY"), ("b", "k", "k", "IDENTITY"), ("b", "v", "v", "IDENTITY"), ("b", None, "k", "FILTER"),
        ("d", "id", "id", "IDENTITY"), ("d", "k", "k", "TRANSFORMATION"), ("d", "v", "v", "TRANSFORMATION"),
    }  # fmt: skip


def test_commits_in_a_row_bring_no_document_of_their_own(spark: Any, capture: Capture) -> None:
    """Twelve: Delta writes a checkpoint after ten, cleans its log, and computes states and statistics all along."""
    for _ in range(12):
        spark.range(1).write.format("delta").mode("append").save(str(capture.data / "t"))
    spark.read.format("delta").load(str(capture.data / "t")).where("id = 0").collect()
    recorded = capture.executions()
    assert [versions_written(document).get("t") for document in recorded] == [*([i] for i in range(12)), None]


def test_a_stale_frame_gets_the_version_it_scanned(spark: Any, capture: Capture) -> None:
    table = str(capture.data / "t")
    spark.range(3).write.format("delta").save(table)
    stale = spark.read.format("delta").load(table)
    spark.range(3, 6).write.format("delta").mode("append").save(table)
    rows = stale.count()
    stale.write.format("delta").save(str(capture.data / "copy"))
    spark.range(6, 9).write.format("delta").mode("append").save(table)
    document = next(d for d in capture.executions() if "copy" in versions_written(d))
    assert rows == 6, "this Delta reads the latest version for a frame that was analysed earlier"
    assert versions_read(document) == {"t": {1}}


@pytest.mark.soak
def test_eight_threads_on_one_table_each_get_their_own_version(spark: Any, capture: Capture) -> None:
    table = str(capture.data / "t")
    spark.range(0).write.format("delta").save(table)
    errors: list[BaseException] = []

    def append(thread: int) -> None:
        try:
            for turn in range(3):
                frame = spark.range(1).select((sf.col("id") + thread * 100 + turn).alias("id"))
                frame.write.format("delta").mode("append").save(table)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    recorded = [document for document in capture.executions() if versions_written(document) != {"t": [0]}]
    versions = sorted(version for document in recorded for version in versions_written(document)["t"])
    assert versions == list(range(1, 25))
    for document in recorded:
        (version,) = versions_written(document)["t"]
        assert _literals(document) == _ids_added(spark, table, version), "the version belongs to another execution"


def _literals(document: dict[str, Any]) -> int:
    """The number that the execution wrote: the sum of the two literals in its projection."""
    import re

    return sum(int(number) for number in re.findall(r'"l": "(\d+)"', __import__("json").dumps(document["analyzed"])))


def _ids_added(spark: Any, table: str, version: int) -> int:
    """The number that this version added, from Delta's own log."""
    after = {row.id for row in spark.read.format("delta").option("versionAsOf", version).load(table).collect()}
    before = {row.id for row in spark.read.format("delta").option("versionAsOf", version - 1).load(table).collect()}
    (added,) = after - before
    return int(added)


def test_a_failed_write_is_recorded_with_its_error(spark: Any, capture: Capture) -> None:
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        spark.sql("SELECT 1 / id AS x FROM range(3)").write.format("delta").save(str(capture.data / "t"))
    (document,) = capture.executions()
    assert document["status"] == "failed"
    assert "DIVIDE_BY_ZERO" in document["error_message"]
    assert document["error_class"].startswith("org.apache.spark.")
    assert document["commits"] == []
