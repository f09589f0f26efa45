"""Maintenance makes tables smaller and loses nothing, also while others write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from spark_lineage.errors import StoreError, StoreNotFound
from spark_lineage.model import ExecutableBlob, Plan, Run, Schema, SessionConfs
from spark_lineage.store import maintain as module
from spark_lineage.store.maintain import maintain
from spark_lineage.store.rows import arrow_of
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import MOST_KEYS, Store, Transaction, uri

from .made import (
    archive,
    at,
    column_edge,
    dataset,
    dataset_edge,
    executable,
    execution,
    input_,
    output,
    preserved,
    replay,
    row_lineage,
    row_sample,
    snapshot,
    snapshot_file,
    snapshot_part,
)

DAY = 24 * 60


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "lineage", create=True)


def add_execution(store: Store, name: str, minutes: float, batch: int, lineage: str | None = None) -> None:
    """An execution and all it refers to, as one batch."""
    lineage = lineage or f"lineage of {name}"
    transaction = Transaction("inbox", batch)
    seen = at(minutes)
    run = Run(run_id=f"run of {name}", status="succeeded", ended_at=seen)
    content = f"content of {lineage}"
    store.upsert("runs", [run], transaction)
    store.upsert("datasets", [dataset(f"target of {name}", minutes, schema_hash=content)], transaction)
    if not store.known("column_lineage", "lineage_id", [lineage]):
        store.append("schemas", [Schema(schema_hash=content, fields=())], transaction)
        store.append("plans", [Plan(plan_id=content, operators=())], transaction)
        store.append("session_confs", [SessionConfs(session_confs_id=content, confs={})], transaction)
        store.append("dataset_lineage", [dataset_edge(lineage, "source", "target")], transaction)
        store.append("column_lineage", [column_edge(lineage, f"source.{n}", f"target.{n}") for n in "ab"], transaction)
        store.append("executable_blobs", [ExecutableBlob(executable_id=content, blob=b"plan")], transaction)
    store.append("snapshots", [snapshot("target", int(minutes))], transaction)
    store.append("archives", [archive(int(minutes))], transaction)
    store.append("preserved", [preserved("source", minutes)], transaction)
    store.append("replays", [replay(name, minutes)], transaction)
    store.append("snapshot_files", [snapshot_file(f"{name}.parquet")], transaction)
    store.append("snapshot_parts", [snapshot_part(name)], transaction)
    store.append("inputs", [input_(name, "source", minutes, schema_hash=content)], transaction)
    store.append("outputs", [output(name, "target", minutes, schema_hash=content)], transaction)
    store.append("plan_executables", [executable(name, content, minutes)], transaction)
    store.append("row_lineage", [row_lineage(name, minutes)], transaction)
    store.append("row_samples", [row_sample(name, minutes)], transaction)
    named = {"lineage_id": lineage, "plan_id": content, "session_confs_id": content, "run_id": run.run_id}
    store.append("executions", [execution(name, minutes, **named)], transaction)


def contents(store: Store) -> dict[str, list[str]]:
    return {name: sorted(str(row) for row in store.arrow(name).to_pylist()) for name in TABLES}


def test_fewer_files_the_same_rows(store: Store) -> None:
    for number in range(6):
        add_execution(store, f"e{number}", number, number)
    before = contents(store)
    report = maintain(store.location)
    assert contents(store) == before
    for table in report.tables:
        assert table.files_before >= 6, table
        assert table.files_after == 1, table
        assert 0 < table.bytes_after < table.bytes_before, table
        assert (table.rows_expired, table.duplicates_removed, table.skipped) == (0, 0, ()), table


def test_again_changes_nothing(store: Store) -> None:
    for number in range(4):
        add_execution(store, f"e{number}", number, number)
    maintain(store.location)
    files = {name: store.delta_table(name).file_uris() for name in TABLES}
    maintain(store.location)
    assert {name: store.delta_table(name).file_uris() for name in TABLES} == files


def test_transactions_survive(store: Store) -> None:
    """A batch that is there stays there through checkpoints and clean-up, or a retry would double it."""
    add_execution(store, "e", 0, 5)
    maintain(store.location, retention_hours=0)
    for name in TABLES:
        assert Store.open(store.location).has_transaction(name, Transaction("inbox", 5)), name


def test_edges_are_sorted_by_target_and_source(store: Store) -> None:
    for number in range(40):
        edges = [column_edge(f"l{number}", f"s{(number * 7) % 40:02}.x", f"t{(number * 11) % 40:02}.x")]
        store.append("column_lineage", edges, Transaction("inbox", number))
    maintain(store.location)
    rows = store.arrow("column_lineage", ["target_name", "source_name"]).to_pylist()
    # Z-order, not a plain sort: near rows share the high bits of both columns.
    apart = [abs(int(a["target_name"][1:]) - int(b["target_name"][1:])) for a, b in pairwise(rows)]
    assert sum(apart) / len(apart) < 8, "neighbours in no order are 13 apart"


def test_worth_sorting() -> None:
    full = 1000
    assert not module._worth_sorting([], full)
    assert not module._worth_sorting([300], full)
    assert not module._worth_sorting([300, 2, 3], full), "a little is only joined"
    assert module._worth_sorting([300, 20, 30], full)
    assert not module._worth_sorting([1000, 990, 980, 400], full), "what does not fill a file stays as it is"
    assert module._worth_sorting([1000, 990, 300, 300], full)


def test_vacuum_removes_what_no_version_needs(store: Store) -> None:
    for number in range(4):
        add_execution(store, f"e{number}", number, number)
    folder = Path(uri(store.location, "column_lineage"))
    maintain(store.location)
    assert len(list(folder.glob("*.parquet"))) == 5, "a reader of the version before still finds its files"
    maintain(store.location, retention_hours=0)
    assert len(list(folder.glob("*.parquet"))) == 1
    assert store.arrow("column_lineage").num_rows == 8


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.content_named])
def test_duplicates_of_two_writers_are_removed(store: Store, name: str) -> None:
    add_execution(store, "e", 0, 0)
    add_execution(store, "other", 0, 1)
    before = store.arrow(name)
    late = before
    if name == "column_lineage":
        late_edges = [column_edge("lineage of e", f"source.{n}", f"target.{n}", first_seen_at=at(5)) for n in "ab"]
        late = arrow_of(TABLES[name], late_edges)
    write_deltalake(uri(store.location, name), late, mode="append")
    assert maintain(store.location).table(name).duplicates_removed == late.num_rows
    assert sorted(map(str, store.arrow(name).to_pylist())) == sorted(map(str, before.to_pylist()))


def test_more_duplicates_than_one_predicate_names(store: Store) -> None:
    confs = [SessionConfs(session_confs_id=f"c{number}", confs={}) for number in range(MOST_KEYS + 10)]
    for _ in range(3):
        store.append("session_confs", confs, None)
    assert maintain(store.location).table("session_confs").duplicates_removed == 2 * len(confs)
    assert store.arrow("session_confs").num_rows == len(confs)


class TestExpiry:
    @pytest.fixture
    def store(self, store: Store) -> Store:
        add_execution(store, "old", 0, 0, "old lineage")
        add_execution(store, "old too", 1 * DAY, 1, "lineage of both")
        add_execution(store, "new", 9 * DAY, 2, "lineage of both")
        return store

    def test_nothing_expires_by_default(self, store: Store) -> None:
        before = contents(store)
        maintain(store.location, now=at(10_000 * DAY))
        assert contents(store) == before

    def test_the_old_goes_and_what_only_it_referred_to(self, store: Store) -> None:
        report = maintain(store.location, keep_days=5, now=at(10 * DAY))
        expired = {table.table: table.rows_expired for table in report.tables}
        assert expired == {
            "runs": 2,
            "datasets": 2,
            "schemas": 1,
            "session_confs": 1,
            "plans": 1,
            "dataset_lineage": 1,
            "column_lineage": 2,
            "inputs": 2,
            "outputs": 2,
            "executable_blobs": 1,
            "plan_executables": 2,
            "snapshot_files": 0,
            "snapshot_parts": 0,
            "snapshots": 0,
            "archives": 0,
            "preserved": 0,
            "row_lineage": 2,
            "row_samples": 2,
            "replays": 0,
            "executions": 2,
        }
        assert store.arrow("executions").column("execution_id").to_pylist() == ["new"]
        assert set(store.arrow("column_lineage").column("lineage_id").to_pylist()) == {"lineage of both"}
        assert store.arrow("runs").column("run_id").to_pylist() == ["run of new"]

    def test_the_day_itself_stays(self, store: Store) -> None:
        maintain(store.location, keep_days=9, now=at(10 * DAY + 1))
        assert sorted(store.arrow("executions").column("execution_id").to_pylist()) == ["new", "old too"]

    def test_content_of_a_batch_on_its_way_stays(self, store: Store) -> None:
        """Edges are written before the executions that refer to them."""
        store.append("column_lineage", [column_edge("on its way", "a.x", "b.x")], None)
        maintain(store.location, keep_days=5, now=at(10 * DAY))
        assert "on its way" in store.arrow("column_lineage").column("lineage_id").to_pylist()

    def test_a_writer_forgets_what_expired(self, store: Store) -> None:
        assert store.known("column_lineage", "lineage_id", ["old lineage"]) == {"old lineage"}
        maintain(store.location, keep_days=5, now=at(10 * DAY))
        add_execution(store, "again", 11 * DAY, 3, "old lineage")
        assert store.arrow("column_lineage", filter="lineage_id = 'old lineage'").num_rows == 2

    def test_content_that_is_used_again_in_that_moment_is_put_back(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A writer found the lineage known, and appends its execution while maintenance deletes the lineage."""
        delete = module._delete
        used: list[bool] = []

        def delete_while_used(handle: DeltaTable, predicate: str, announce: bool = False) -> int:
            if announce and not used:
                used.append(True)
                store.append("executions", [execution("again", 11 * DAY, lineage_id="old lineage")], Transaction("inbox", 3))
            return delete(handle, predicate, announce)

        monkeypatch.setattr(module, "_delete", delete_while_used)
        report = maintain(store.location, keep_days=5, now=at(10 * DAY))
        assert used
        assert store.arrow("column_lineage", filter="lineage_id = 'old lineage'").num_rows == 2
        assert report.table("column_lineage").rows_expired == 0

    def test_a_run_that_goes_on_stays(self, store: Store) -> None:
        store.upsert("runs", [Run(run_id="run of old", last_seen_at=at(9 * DAY), ended_at=at(9 * DAY))], None)
        maintain(store.location, keep_days=5, now=at(10 * DAY))
        assert "run of old" in store.arrow("runs").column("run_id").to_pylist()


def write_until(location: str, writer: int, started: Event, stop: Event) -> None:
    store = Store.open(location)
    number = 0
    while not stop.is_set() or number < 5:
        transaction = Transaction(f"inbox {writer}", number)
        store.upsert("runs", [Run(run_id="shared", labels={"writer": str(writer)})], transaction)
        store.upsert("datasets", [dataset("/d", number, aliases=(f"{writer}-{number}",))], transaction)
        lineage = f"lineage {number % 3}"
        if not store.known("column_lineage", "lineage_id", [lineage]):
            store.append("column_lineage", [column_edge(lineage, "a.x", "b.x")], transaction)
        store.append("executions", [execution(f"{writer}-{number}", number, lineage_id=lineage)], transaction)
        number += 1
        started.set()


def test_beside_writers_nothing_is_lost_or_doubled(store: Store) -> None:
    context = get_context("spawn")
    stop = context.Event()
    started = [context.Event() for _ in range(2)]
    writers = [context.Process(target=write_until, args=(store.location, n, started[n], stop)) for n in range(2)]
    for writer in writers:
        writer.start()
    for event in started:
        assert event.wait(60)
    reports = [maintain(store.location) for _ in range(6)]
    stop.set()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    written = {}
    for row in store.arrow("executions").to_pylist():
        writer, number = row["execution_id"].split("-")
        written.setdefault(writer, []).append(int(number))
    assert {writer: sorted(numbers) for writer, numbers in written.items()} == {
        writer: list(range(len(numbers))) for writer, numbers in written.items()
    }
    [only] = store.arrow("datasets").to_pylist()
    assert only["aliases"] == sorted(f"{writer}-{number}" for writer, numbers in written.items() for number in numbers)
    maintain(store.location)
    lineages = store.arrow("column_lineage").column("lineage_id").to_pylist()
    assert sorted(lineages) == sorted(set(lineages))
    assert any(report.table("executions").files_after < report.table("executions").files_before for report in reports)


def test_a_writer_that_is_always_quicker_is_reported(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_execution(store, "e", 0, 0)
    add_execution(store, "f", 0, 1)
    compact: Callable[..., int] = module._compact
    overtakes = iter(range(100))

    def compact_overtaken(handle: DeltaTable, table: object) -> int:
        if getattr(table, "name", "") == "runs":
            store.upsert("runs", [Run(run_id="run of e", documents_missing=next(overtakes))], None)
        return compact(handle, table)

    monkeypatch.setattr(module, "_compact", compact_overtaken)
    report = maintain(store.location)
    assert report.table("runs").skipped == ("compaction",)
    assert report.table("executions").skipped == ()
    assert store.arrow("runs").num_rows == 2


class TestExecutablesApart:
    """`executables.store` was set when there were executables beside the other tables already."""

    OLD, NEW = 0, 40 * DAY

    @pytest.fixture
    def apart(self, store: Store, tmp_path: Path) -> Store:
        apart = Store.open(store.location, create=True, executables=tmp_path / "secure")
        for place, at_place in (("beside", store), ("apart", apart)):
            for age, minutes in (("old", self.OLD), ("new", self.NEW)):
                name = f"{place}, {age}"
                at_place.append("executable_blobs", [ExecutableBlob(executable_id=f"plan of {name}", blob=b"plan")], None)
                at_place.append("plan_executables", [executable(name, f"plan of {name}", minutes)], None)
        return apart

    def test_both_places_forget(self, store: Store, apart: Store) -> None:
        report = maintain(store.location, keep_days=30, now=at(self.NEW), executables=apart.executables)
        for name, column in (("plan_executables", "execution_id"), ("executable_blobs", "executable_id")):
            left = [store.arrow(name, [column]).column(0).to_pylist(), apart.arrow(name, [column]).column(0).to_pylist()]
            assert [[text.split("of ")[-1] for text in texts] for texts in left] == [["beside, new"], ["apart, new"]]
            assert (report.table(name).rows_expired, report.table(name).files_after) == (2, 2)
        assert [table.table for table in report.tables] == list(TABLES)

    def test_a_place_where_nothing_was_kept_yet(self, store: Store, tmp_path: Path) -> None:
        store.append("plan_executables", [executable("e", "plan", 0)], None)
        assert maintain(store.location, executables=tmp_path / "later").table("plan_executables").files_after == 1

    def test_a_place_that_cannot_be_read_is_the_one_that_is_named(self, store: Store, apart: Store) -> None:
        log = Path(uri(apart.executables, "executable_blobs"), "_delta_log")
        for entry in log.iterdir():
            entry.write_text("not json")
        with pytest.raises(StoreError, match=f"executable_blobs in {apart.executables} cannot be read"):
            maintain(store.location, executables=apart.executables)
        again = Store.open(store.location, executables=apart.executables)
        with pytest.raises(StoreError, match=f"executable_blobs in {apart.executables} cannot be"):
            again.append("executable_blobs", [ExecutableBlob(executable_id="x", blob=b"x")], None)


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound):
        maintain(tmp_path / "none", keep_days=1, now=at(0) + timedelta(days=1))
