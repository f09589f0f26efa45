"""When the sums of a write tell those of a version, and when they must not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from spark_lineage.model import Observed
from spark_lineage.snapshot.arrow import sums_of
from spark_lineage.snapshot.delta import version_of
from spark_lineage.snapshot.inline import sums_of_write
from spark_lineage.snapshot.kinds import classes_hash
from spark_lineage.snapshot.sums import Sums
from spark_lineage.snapshot.taking import take
from spark_lineage.store.tables import Store


@pytest.fixture
def place(tmp_path: Path) -> str:
    place = str(tmp_path / "table")
    write_deltalake(place, rows(3))
    return place


def rows(count: int) -> pa.Table:
    return pa.table({"id": list(range(count)), "name": ["a"] * count})


def observed(place: str, table: pa.Table, **changed: Any) -> Observed:
    columns = version_of(place).columns
    sums = sums_of(table.to_batches(), columns)
    return replace(Observed(sums.rows, sums.checksum, classes_hash(columns)), **changed)


def nothing() -> Sums | None:
    raise AssertionError("the version before is not asked for")


def test_a_version_of_one_write(store: Store, place: str) -> None:
    found = sums_of_write(version_of(place), observed(place, rows(3)), nothing)
    assert found is not None
    assert found.whole == found.written
    taken = take(store, place, observed=observed(place, rows(3)))
    assert (taken.method, taken.files_read, taken.row_count) == ("inline", 0, 3)
    assert take(Store.open(store.location), place, version=0) == taken
    write_deltalake(place, rows(1), mode="append")
    assert take(store, place).files_read == 1, "the one file of the write was known"


def test_an_append_needs_the_version_before(store: Store, place: str) -> None:
    write_deltalake(place, rows(2), mode="append")
    table, seen = version_of(place), observed(place, rows(2))
    assert sums_of_write(table, seen, lambda: None) is None
    before = sums_of(rows(3).to_batches(), table.columns)
    found = sums_of_write(table, seen, lambda: before)
    assert found is not None
    assert found.whole.rows == 5
    assert take(store, place, observed=seen).method == "scan", "nothing is known of version 0"
    other = Store.open(Path(store.location).parent / "other", create=True)
    take(other, place, version=0)
    assert take(other, place, observed=seen).method == "inline"
    assert take(other, place).checksum == take(store, place).checksum


@pytest.mark.parametrize("changed", [{"rows": 4}, {"classes": "0" * 32}])
def test_a_write_that_its_commit_denies_is_not_believed(changed: dict[str, Any], store: Store, place: str) -> None:
    """Tasks that are tried again could be counted twice."""
    seen = observed(place, rows(3), **changed)
    assert sums_of_write(version_of(place), seen, nothing) is None
    taken = take(store, place, observed=seen)
    assert (taken.method, taken.row_count) == ("scan", 3)


def test_an_overwrite_is_a_version_of_one_write(place: str) -> None:
    write_deltalake(place, rows(7), mode="overwrite")
    found = sums_of_write(version_of(place), observed(place, rows(7)), nothing)
    assert found is not None
    assert found.whole.rows == 7


def test_rows_that_were_taken_away_are_not_known(place: str) -> None:
    write_deltalake(place, rows(5), mode="append")
    DeltaTable(place).update(updates={"name": "'b'"}, predicate="id = 1")
    table = version_of(place)
    assert sums_of_write(table, observed(place, rows(8)), lambda: Sums(0, 0, 0)) is None or len(table.files) == 1


def test_without_statistics_or_a_log_nothing_is_believed(place: str) -> None:
    seen, table = observed(place, rows(3)), version_of(place)
    log = Path(place) / "_delta_log" / f"{0:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        (action.get("add") or {}).pop("stats", None)
    log.write_text("\n".join(json.dumps(action) for action in actions))
    assert sums_of_write(table, seen, nothing) is None
    log.unlink()
    assert sums_of_write(table, seen, nothing) is None


def test_texts_to_partition_by_may_be_written_otherwise(tmp_path: Path) -> None:
    place = str(tmp_path / "parted")
    write_deltalake(place, rows(3), partition_by=["name"])
    assert sums_of_write(version_of(place), observed(place, rows(3)), nothing) is None
    numbers = str(tmp_path / "numbers")
    write_deltalake(numbers, rows(3), partition_by=["id"])
    assert sums_of_write(version_of(numbers), observed(numbers, rows(3)), nothing) is not None
