"""Checksums of columns and of groups of rows: what they are of, and that a difference is named by them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from test_checksum import batch_of, schema

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot import parts as module
from spark_lineage.snapshot.arrow import sums_of
from spark_lineage.snapshot.arrow_types import spark_field
from spark_lineage.snapshot.delta import version_of
from spark_lineage.snapshot.kinds import columns_of
from spark_lineage.snapshot.parts import ByColumn, ByGroup, differing_parts, kept_parts, parts_of, take_parts
from spark_lineage.snapshot.taking import take, verify
from spark_lineage.store.tables import Store

TABLE = pa.table(
    {
        "id": [5, -1, 99_999, 100_000, None],
        "day": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 1), dt.date(2024, 1, 2), None],
        "name": ["a", "", None, "a", "é"],
        "at": pa.array(
            [dt.datetime(2024, 1, 1, 1, 2, 3)] * 4 + [dt.datetime(2024, 1, 1, 1, 2, 3, 5)], pa.timestamp("us", "UTC")
        ),
        "flag": [True, False, None, True, False],
        "price": pa.array([Decimal("1.00")] * 5, pa.decimal128(10, 2)),
    }
)


@pytest.fixture
def place(tmp_path: Path) -> str:
    place = str(tmp_path / "table")
    write_deltalake(place, TABLE.slice(0, 3), partition_by=["day"])
    write_deltalake(place, TABLE.slice(3), mode="append")
    return place


def of(table: pa.Table, place: str, names: list[str] | None = None) -> Any:
    columns = tuple(one for one in version_of(place).columns if names is None or one.name in names)
    return sums_of(table.combine_chunks().to_batches(), columns)


def test_a_column_is_summed_as_if_there_were_no_other(place: str) -> None:
    found = parts_of(version_of(place), ByColumn())
    assert dict(found.sums) == {name: of(TABLE, place, [name]) for name in TABLE.column_names}


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("day", {"day=2024-01-01", "day=2024-01-02", "day is null"}),
        ("name", {"name=a", "name=", "name=é", "name is null"}),
        ("flag", {"flag=true", "flag=false", "flag is null"}),
        ("at", {"at=2024-01-01 01:02:03", "at=2024-01-01 01:02:03.000005"}),
        ("id", {"id=5", "id=-1", "id=99999", "id=100000", "id is null"}),
        ("id/100000", {"id=-100000..-1", "id=0..99999", "id=100000..199999", "id is null"}),
    ],
)
def test_groups(by: str, names: set[str], place: str) -> None:
    found = parts_of(version_of(place), ByGroup.parsed(by))
    assert set(found.sums) == names
    assert found.whole == of(TABLE, place)


def test_a_group_is_summed_as_if_there_were_no_other_rows(place: str) -> None:
    by_day = parts_of(version_of(place), ByGroup.parsed("day")).sums
    assert by_day["day=2024-01-01"] == of(TABLE.filter(pc.equal(TABLE["day"], dt.date(2024, 1, 1))), place)
    assert by_day["day is null"] == of(TABLE.filter(pc.is_null(TABLE["day"])), place)
    by_range = parts_of(version_of(place), ByGroup.parsed("id/100000")).sums
    assert by_range["id=0..99999"] == of(TABLE.filter(pa.array([True, False, True, False, False])), place)


def test_rows_that_a_deletion_vector_leaves_out_are_in_no_group(place: str) -> None:
    DeltaTable(place).delete("id = 5")
    found = parts_of(version_of(place), ByGroup.parsed("day"))
    assert found.sums["day=2024-01-01"].rows == 1


@given(st.lists(st.tuples(st.none() | st.integers(-20, 20), st.none() | st.text(max_size=2)), max_size=30), st.integers(1, 7))
def test_groups_add_up(content: list[Any], width: int) -> None:
    fields = (("n", "long"), ("t", "string"))
    batches, columns = [batch_of(content, *fields)], columns_of(schema(*fields))
    for by in (ByGroup("n"), ByGroup("n", width), ByGroup("t")):
        found = by.of(batches, columns)
        assert found.whole == sums_of(batches, columns)
        assert sum((by.of([batch_of([row], *fields)], columns) for row in content), by.zero) == found
    ranged = ByGroup("n", width).of(batches, columns).sums
    assert {name: one.rows for name, one in ranged.items()} == {
        name: sum(1 for n, _ in content if ByGroup("n", width).name_of(None if n is None else n // width * width) == name)
        for name in ranged
    }


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("nothing", "there is no column nothing to group by; there are at, day, flag, id, name, price"),
        ("price", r"price is of type decimal\(10,2\), which rows are not grouped by here"),
        ("name/10", "name is of type string, which rows are not grouped by in ranges here"),
        ("id/0", "there is no column id/0"),
        ("", "names no column"),
    ],
)
def test_what_rows_are_not_grouped_by(by: str, said: str, place: str) -> None:
    with pytest.raises(SnapshotError, match=said):
        parts_of(version_of(place), ByGroup.parsed(by))


def test_too_many_groups_are_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_GROUPS", 3)
    with pytest.raises(SnapshotError, match="more than 3 groups"):
        parts_of(version_of(place), ByGroup.parsed("id"))
    assert len(parts_of(version_of(place), ByGroup.parsed("day")).sums) == 3


def test_they_are_kept_and_name_a_difference(store: Store, place: str) -> None:
    taken = take(store, place)
    assert kept_parts(store, taken) == {}
    by_column, by_day = take_parts(store, taken, place, ByColumn()), take_parts(store, taken, place, ByGroup.parsed("day"))
    assert kept_parts(store, taken) == {None: by_column, "day": by_day}
    rewrite_names(place, 100_000, ["b"])
    held = verify(store, taken, place)
    assert not held.holds
    assert (held.columns, held.groups) == (("name",), ("day=2024-01-02",))
    assert take_parts(store, taken, place, ByColumn()) == by_column, "known: not read again"
    with pytest.raises(SnapshotError, match="is not what its checksum is of"):
        take_parts(store, taken, place, ByGroup.parsed("flag"))
    assert set(kept_parts(store, taken)) == {None, "day"}


@pytest.mark.parametrize("scheme", [ByColumn(), ByGroup("day")])
def test_parts_of_files_that_have_changed_are_not_kept(scheme: Any, store: Store, place: str) -> None:
    taken = take(store, place)
    rewrite_names(place, 100_000, ["b"])
    with pytest.raises(SnapshotError, match="is not what its checksum is of"):
        take_parts(store, taken, place, scheme)
    assert kept_parts(store, taken) == {}


def test_a_change_that_makes_too_many_groups_is_told(store: Store, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = take(store, place)
    take_parts(store, taken, place, ByGroup("name"))
    rewrite_names(place, 100_000, ["b", "c", "d", "e", "f"])
    monkeypatch.setattr(module, "MOST_GROUPS", 4)
    table = version_of(place)
    columns, groups = differing_parts(store, table, taken)
    assert (columns, groups) == ((), ("name has other values", "name=a"))
    monkeypatch.undo()
    assert differing_parts(store, table, taken) == ((), ("name=a", *(f"name={letter}" for letter in "bcdef")))


@pytest.mark.parametrize(
    ("number", "kind", "name"),
    [
        (2_932_897, pa.date32(), "x=+10000-01-01"),
        (-719_163, pa.date32(), "x=0000-12-31"),
        (-719_163 - 366 - 365 * 9, pa.date32(), "x=-0009-01-02"),
        (253_402_300_800_000_001, pa.timestamp("us", "UTC"), "x=+10000-01-01 00:00:00.000001"),
        (-62_135_596_800_000_001, pa.timestamp("us"), "x=0000-12-31 23:59:59.999999"),
        (253_402_300_799_000_000, pa.timestamp("us", "America/New_York"), "x=9999-12-31 23:59:59"),
    ],
)
def test_groups_of_days_and_times_that_python_does_not_have(number: int, kind: pa.DataType, name: str) -> None:
    batch = pa.record_batch({"x": pa.array([number], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)})
    columns = columns_of({"fields": [spark_field(field) for field in batch.schema]})
    assert set(ByGroup("x").of([batch], columns).sums) == {name}


def rewrite_names(place: str, id_: int, names: list[str]) -> None:
    """The file that has the row with this id, as one that has a row for each of these names."""
    file = next(path for path in Path(place).rglob("*.parquet") if pq.read_table(path, partitioning=None)["id"].to_pylist() == [id_])  # fmt: skip
    there = pa.concat_tables([pq.read_table(file, partitioning=None)] * len(names))
    pq.write_table(there.set_column(there.schema.get_field_index("name"), "name", pa.array(names)), file)
