"""One sample of a version is kept and read, whoever takes it, and however many do so at once. No Spark."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from store.made import row_lineage, row_sample

from spark_lineage.model import RowSample
from spark_lineage.rows.accepted import accept, recorded
from spark_lineage.rows.stored import row_lineage as stored
from spark_lineage.rows.stored import samples
from spark_lineage.store.rows import records_of
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store

KEY = ("file", "target")


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Store:
    shutil.copytree(empty_store, tmp_path / "store")
    return Store.open(tmp_path / "store")


def taken(store: Store, sample_id: str, minutes: float = 0, **values: object) -> RowSample:
    """A sample whose rows are stored, as one that has come to its end."""
    sample = row_sample("e", minutes, sample_id=sample_id, **values)
    rows = [
        row_lineage(
            "e", 0, target_row=bytes([number] * 16), target_key=number, sample_id=sample_id, table_id=sample.table_id,
            target_version=sample.delta_version,
        )
        for number in range(3)
    ]  # fmt: skip
    store.append("row_lineage", rows if sample.reason is None else rows[:1], None)
    return sample


def ids(store: Store) -> set[str | None]:
    return {row.sample_id for row in records_of(TABLES["row_lineage"], store.arrow("row_lineage"))}


def test_of_two_at_once_one_is_kept(store: Store) -> None:
    one, other = taken(store, "one"), taken(store, "other", 1)
    assert recorded(store, one) == ()
    assert accept(store, one, ()) == one
    assert {row.sample_id for row in stored(store, KEY)} == {"one"}
    assert accept(store, other, ()) == one, "what is there is given"
    assert (recorded(store, one), ids(store)) == ((one,), {"one"})
    assert len(stored(store, KEY)) == 3


def test_many_at_once(store: Store) -> None:
    many = [taken(store, str(number), number) for number in range(6)]
    came: list[RowSample] = []
    barrier = threading.Barrier(len(many))

    def run(sample: RowSample) -> None:
        own = Store.open(store.location)
        barrier.wait()
        came.append(accept(own, sample, ()))

    threads = [threading.Thread(target=run, args=(sample,)) for sample in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (kept,) = recorded(store, many[0])
    assert came == [kept] * len(many)
    assert ids(store) == {kept.sample_id}
    assert len(stored(store, KEY)) == 3


def test_rows_of_a_sample_that_is_being_taken_are_not_read(store: Store) -> None:
    first = taken(store, "first")
    assert stored(store, KEY) == ()
    accept(store, first, ())
    second = taken(store, "second", 1)
    assert {row.sample_id for row in stored(store, KEY)} == {"first"}
    assert accept(store, second, [first]) == second, "it was meant to be taken again"
    assert {row.sample_id for row in stored(store, KEY)} == {"second"} == ids(store)
    assert samples(store, KEY) == (first, second)


def test_where_one_cannot_be_taken(store: Store) -> None:
    failed = taken(store, "failed", reason="the source is gone")
    assert accept(store, failed, ()) == failed
    assert ids(store) == set(), "its rows are no sample"
    again = taken(store, "again", 1, reason="the source is gone")
    assert accept(store, again, ()) == failed
    better = taken(store, "better", 2)
    assert accept(store, better, ()) == better
    assert accept(store, taken(store, "late", 3, reason="no memory"), [failed]) == better
    assert ids(store) == {"better"}


def test_a_table_that_was_made_again_under_its_name(store: Store) -> None:
    old = taken(store, "old", table_id="gone")
    accept(store, old, ())
    later = accept(store, taken(store, "later", 1, table_id="gone", delta_version=4), ())
    new = accept(store, taken(store, "new", 2, table_id="now"), ())
    assert ids(store) == {"old", "later", "new"}
    assert {row.table_id for row in stored(store, KEY, 0)} == {"now"}
    assert {(row.table_id, row.target_version) for row in stored(store, KEY)} == {("now", 0)}, "not version 4 of the other"
    assert samples(store, KEY) == (old, later, new)


def test_rows_of_schema_version_8(store: Store) -> None:
    """They tell neither a sample nor a table's id, and count."""
    old = replace(taken(store, "x"), sample_id=None)
    store.remove("row_lineage", "true")
    store.append("row_lineage", [row_lineage("e", 0)], None)
    store.append("row_samples", [old], None)
    assert len(stored(store, KEY)) == 1
    new = taken(store, "new", 1)
    assert accept(store, new, recorded(store, new)) == new
    assert ids(store) == {"new"}
