"""Checksums of what jobs wrote, without anybody asking: what is due, what is left out and why, and what a corruption looks like."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from driver_documents import Driver

from spark_lineage.config import load
from spark_lineage.errors import ConfigError
from spark_lineage.ingest import ingest
from spark_lineage.lineage.limits import Limits
from spark_lineage.snapshot import deferred
from spark_lineage.snapshot.deferred import Deferred, due, take_wanted
from spark_lineage.snapshot.policy import Policy, Wanted
from spark_lineage.snapshot.taking import snapshots, take
from spark_lineage.store.tables import Store

OUTPUTS = Policy("outputs", Limits(), 10**9)
RUN = "01950000-0000-7000-8000-00000000000a"
Tell = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "lake" / "sales")


@pytest.fixture
def told(tmp_path: Path) -> Tell:
    """Writes the document of an execution that committed the newest version of a table, and brings it in; gives the store."""
    driver = Driver(tmp_path / "inbox", RUN)
    driver.start()

    def tell(place: str, snapshots: Policy | None = None, **more: Any) -> str:
        table = DeltaTable(place)
        commit = {
            "path": f"file:{place}",
            "table_id": str(table.metadata().id),
            "version": table.version(),
            "version_before": None,
        }
        commit |= {"operation": "WRITE", "metrics": {}, "timestamp_ms": 1_700_000_000_000, "basis": "exact"}
        driver.execution(place, commits=[commit])
        ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), snapshots=snapshots, **more)
        return str(tmp_path / "store")

    return tell


def test_what_a_job_wrote_has_a_checksum_when_its_documents_are_in(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place, OUTPUTS))
    (taken,) = snapshots(store)
    (output,) = store.arrow("outputs").to_pylist()
    assert (taken.name, taken.delta_version, taken.row_count, taken.files_read) == (place, 0, 2, 1)
    assert taken.execution_id == output["execution_id"]
    assert taken.checksum == take(store, place, version=0).checksum
    write_deltalake(place, pa.table({"id": [3]}), mode="append")
    told(place, OUTPUTS)
    assert [(one.delta_version, one.method, one.files_read) for one in snapshots(store)] == [
        (0, "scan", 1),
        (1, "incremental", 1),
    ]
    assert due(store, OUTPUTS) == []


def test_off_takes_none_and_due_finds_them_later(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place, Policy("off", Limits(), 10**9)))
    write_deltalake(place, pa.table({"id": [3]}), mode="append")
    told(place)
    assert snapshots(store) == []
    assert due(store, Policy("off", Limits(), 10**9)) == []
    found = due(store, OUTPUTS)
    assert [(one.name, one.version) for one in found] == [(place, 0), (place, 1)]
    assert all(one.execution_id for one in found)
    assert take_wanted(store, found, OUTPUTS).sound
    assert [(one.delta_version, one.row_count) for one in snapshots(store)] == [(0, 2), (1, 3)]


@pytest.mark.parametrize(
    ("limits", "there"),
    [
        (Limits(allow=("*/sales",)), True),
        (Limits(allow=("*/orders",)), False),
        (Limits(deny=("*/sales",)), False),
        (Limits(allow=("*/lake/*",), deny=("*orders*",)), True),
    ],
)
def test_patterns_say_of_which_datasets(limits: Limits, there: bool, told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place, Policy("outputs", limits, 10**9)))
    assert len(snapshots(store, without=True)) == int(there)


def test_what_is_read_is_due_when_all_is_asked_for(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1]}))
    store = Store.open(told(place))
    (read,) = store.arrow("inputs").to_pylist()
    assert {one.name for one in due(store, OUTPUTS)} == {place}
    found = due(store, Policy("all", Limits(), 10**9))
    assert {(one.name, one.execution_id is None) for one in found} == {(place, False), (read["name"], True)}


def test_too_much_to_read_is_recorded_and_not_tried_again(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place, Policy("outputs", Limits(), 10)))
    assert snapshots(store) == []
    (kept,) = snapshots(store, without=True)
    assert kept.reason is not None
    assert "more than snapshots.max.bytes (10)" in kept.reason
    assert (kept.method, kept.checksum, kept.row_count, kept.delta_version) == ("none", None, None, 0)
    assert due(store, OUTPUTS) == []
    again = take_wanted(store, due(store, OUTPUTS, again=True), OUTPUTS)
    assert [one.row_count for one in again.snapshots] == [2]
    assert due(store, OUTPUTS, again=True) == []


def test_the_bound_is_of_what_has_to_be_read(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": list(range(1000))}))
    store = Store.open(told(place, OUTPUTS))
    write_deltalake(place, pa.table({"id": [1]}), mode="append")
    sizes = sorted(action for action in pa.table(DeltaTable(place).get_add_actions(flatten=True))["size_bytes"].to_pylist())
    told(place, Policy("outputs", Limits(), sizes[0]))
    assert [one.row_count for one in snapshots(store)] == [1000, 1001]


def test_a_table_in_the_place_of_another_is_not_taken_for_it(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place))
    shutil.rmtree(place)
    write_deltalake(place, pa.table({"id": [7]}))
    (taken,) = take_wanted(store, due(store, OUTPUTS), OUTPUTS).snapshots
    assert taken.checksum is None
    assert "is another table now" in str(taken.reason)
    shutil.rmtree(place)
    (wanted,) = due(store, OUTPUTS, again=True)
    (gone,) = take_wanted(store, [wanted], OUTPUTS).snapshots
    assert "no Delta table" in str(gone.reason)


def test_a_version_that_is_gone_does_not_keep_the_others_from_being_taken(told: Tell, place: str, tmp_path: Path) -> None:
    other = str(tmp_path / "lake" / "orders")
    for table in (place, other):
        write_deltalake(table, pa.table({"id": [1, 2]}))
        told(table)
    shutil.rmtree(place)
    store = Store.open(told(other))
    taken = take_wanted(store, due(store, OUTPUTS), OUTPUTS)
    assert not taken.sound
    assert {one.name: one.row_count for one in taken.snapshots} == {place: None, other: 2}


def optimized(place: str, rows: pa.Table) -> None:
    """A commit that says that it only rearranges the table's rows, into one file with these."""
    pq.write_table(rows, Path(place) / "rearranged.parquet")
    table = DeltaTable(place)
    removed = [{"remove": {"path": path, "deletionTimestamp": 1, "dataChange": False}} for path in pa.table(table.get_add_actions())["path"].to_pylist()]  # fmt: skip
    size = (Path(place) / "rearranged.parquet").stat().st_size
    added = {"path": "rearranged.parquet", "partitionValues": {}, "size": size, "modificationTime": 1, "dataChange": False}
    actions = [{"commitInfo": {"timestamp": 1, "operation": "OPTIMIZE"}}, {"add": added}, *removed]
    log = Path(place) / "_delta_log" / f"{table.version() + 1:020}.json"
    log.write_text("\n".join(json.dumps(action) for action in actions))


@pytest.mark.parametrize("rows", [pa.table({"id": [1, 2]}), pa.table({"id": [2, 3, 1]})])
def test_rows_lost_by_an_optimize_are_reported(rows: pa.Table, told: Tell, place: str, caplog: Any) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    write_deltalake(place, pa.table({"id": [3]}), mode="append")
    store = Store.open(told(place, OUTPUTS))
    optimized(place, rows)
    with caplog.at_level(logging.WARNING):
        told(place, OUTPUTS)
    before, after = snapshots(store)
    if rows.num_rows == 3:
        assert (after.checksum, after.reason) == (before.checksum, None)
        assert not caplog.records
    else:
        assert after.reason is not None
        assert (
            f"corrupted: version 2 says that it only rearranges the rows of version 1, which had 3 with checksum {before.checksum}"
            in after.reason
        )
        assert [record.message for record in caplog.records if "corrupted" in record.message]


def test_a_version_settles_before_the_thread_takes_it(told: Tell, place: str, tmp_path: Path) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place))
    (wanted,) = due(store, OUTPUTS)
    thread = Deferred(store.location, OUTPUTS, settle_seconds=3600)
    row = store.arrow("outputs").to_pylist()[0]
    thread.offer([_Row(row)], [])
    assert snapshots(store) == []
    thread.finish(threading.Event())
    assert [one.delta_version for one in snapshots(store)] == [wanted.version]
    thread.finish(threading.Event())


def test_a_thread_that_is_told_to_stop_leaves_the_rest_due(told: Tell, place: str) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    store = Store.open(told(place))
    stop = threading.Event()
    stop.set()
    thread = Deferred(store.location, OUTPUTS, settle_seconds=3600)
    thread._stopped = True
    thread.offer([_Row(store.arrow("outputs").to_pylist()[0])], [])
    thread.finish(stop)
    assert isinstance(due(store, OUTPUTS)[0], Wanted)


class _Row:
    def __init__(self, row: dict[str, Any]) -> None:
        self.__dict__ |= row


def test_a_misspelt_policy_is_refused() -> None:
    assert Policy.of(load(environment={})) == Policy("outputs", Limits(), 2**30)
    with pytest.raises(ConfigError, match="off, outputs, all"):
        load(environment={}, snapshots="output")


def test_one_that_cannot_be_read_does_not_keep_the_others_from_being_taken(
    told: Tell, place: str, tmp_path: Path, monkeypatch: Any
) -> None:
    other = str(tmp_path / "lake" / "orders")
    for table in (place, other):
        write_deltalake(table, pa.table({"id": [1, 2]}))
        told(table)
    store = Store.open(told(other))
    taking = deferred._take

    def broken(store: Store, where: str, *rest: Any) -> Any:
        if where.endswith("sales"):
            raise ZeroDivisionError("a defect")
        return taking(store, where, *rest)

    monkeypatch.setattr(deferred, "_take", broken)
    for _ in range(3):
        taken = take_wanted(store, due(store, OUTPUTS, again=True), OUTPUTS)
    assert "ZeroDivisionError: a defect" in str(taken.snapshots[0].reason)
    assert [(one.name, one.row_count) for one in snapshots(store, without=True)].count((place, None)) == 1, "kept once"
    assert {one.name: one.row_count for one in snapshots(store, without=True)} == {place: None, other: 2}
