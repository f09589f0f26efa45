"""Data files whose columns are not quite the table's: what is read as Spark reads it, and what is refused by name."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.arrow import sums_of
from spark_lineage.snapshot.delta import sums_of_file, version_of
from spark_lineage.snapshot.diff import diff
from spark_lineage.snapshot.keyed import Keyed
from spark_lineage.snapshot.kinds import columns_of
from spark_lineage.snapshot.stored import as_stored, stored_in
from spark_lineage.snapshot.sums import Sums
from spark_lineage.snapshot.taking import take, verify
from spark_lineage.store.tables import Store


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "some table")


def file_of(place: str) -> Path:
    (file,) = Path(place).glob("*.parquet")
    return file


def sums(place: str) -> Sums:
    table = version_of(place)
    return sum((sums_of_file(table, file) for file in table.files), Sums(0, 0, 0))


NESTED = [{"x": 1, "y": [{"z": "a"}, None]}, None]
FOUND = pa.table({"id": [1, 2], "V": [3, 4], "s": NESTED, "m": pa.array([[("k", {"q": 1.5})], None], pa.map_(pa.string(), pa.struct([("q", pa.float64())])))})  # fmt: skip
IN_OTHER_LETTERS = pa.table({"M": pa.array([[("k", {"Q": 1.5})], None], pa.map_(pa.string(), pa.struct([("Q", pa.float64())]))), "S": [{"Y": [{"Z": "a"}, None], "X": 1}, None], "ID": [1, 2], "v": [3, 4]})  # fmt: skip


def test_names_in_other_letters(place: str) -> None:
    write_deltalake(place, FOUND)
    before, keyed = sums(place), sums_of_file(version_of(place), version_of(place).files[0], Keyed(b"k" * 16))
    shutil.copytree(place, f"{place} before")
    pq.write_table(IN_OTHER_LETTERS, file_of(place))
    assert sums(place) == before
    assert sums_of_file(version_of(place), version_of(place).files[0], Keyed(b"k" * 16)) == keyed
    assert diff(None, place, f"{place} before").equal


def test_the_very_name_comes_first(place: str) -> None:
    write_deltalake(place, pa.table({"id": [1]}))
    before = sums(place)
    pq.write_table(pa.table({"ID": [2], "id": [1], "Id": [3]}), file_of(place))
    assert sums(place) == before


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"ID": [1], "Id": [1], "s": [{"x": 1}]}, r"column id is more than once in .*\.parquet, as ID, Id"),
        ({"id": [1], "s": [{"X": 1, "x ": 2, "x": 3}]}, None),
        (
            {
                "id": [1],
                "S": pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], fields=[pa.field("X", pa.int64())] * 2),
            },
            r"column s\.x is more than once",
        ),
    ],
)
def test_names_that_could_be_either(place: str, there: Any, said: str | None) -> None:
    write_deltalake(place, pa.table({"id": [1], "s": [{"x": 3}]}))
    before = sums(place)
    pq.write_table(pa.table(there), file_of(place))
    if said is None:
        assert sums(place) == before
        return
    with pytest.raises(SnapshotError, match=said):
        sums(place)


def test_a_partition_in_other_letters_is_the_logs(place: str) -> None:
    write_deltalake(place, pa.table({"p": ["a"], "id": [1]}), partition_by=["p"])
    before = sums(place)
    (file,) = Path(place).glob("*/*.parquet")
    pq.write_table(pa.table({"P": ["b"], "id": [1]}), file)
    assert sums(place) == before


INSTANT = dt.datetime(2024, 1, 2, 3, 4, 5, 6000)
DAY = dt.date(2024, 1, 2)
AS = {
    "int8": pa.array([7], pa.int8()), "int32": pa.array([7], pa.int32()), "int64": pa.array([7], pa.int64()), "uint8": pa.array([7], pa.uint8()),
    "uint16": pa.array([7], pa.uint16()), "uint32": pa.array([7], pa.uint32()), "uint64": pa.array([7], pa.uint64()), "duration": pa.array([7], pa.duration("us")),
    "float": pa.array([7.0], pa.float32()), "double": pa.array([7.0]), "half": pa.array([7.0], pa.float16()), "boolean": pa.array([True]),
    "text": pa.array(["7"]), "large": pa.array(["7"], pa.large_string()), "view": pa.array(["7"], pa.string_view()), "bytes": pa.array([b"7"]),
    "dictionary": pa.array(["7"]).dictionary_encode(), "fixed": pa.array([b"7"], pa.binary(1)), "date": pa.array([DAY]), "null": pa.array([None], pa.null()),
    "us": pa.array([INSTANT], pa.timestamp("us", "UTC")), "Berlin": pa.array([INSTANT], pa.timestamp("us", "Europe/Berlin")),
    "ms": pa.array([INSTANT], pa.timestamp("ms", "UTC")), "ns": pa.array([INSTANT], pa.timestamp("ns", "UTC")), "local": pa.array([INSTANT], pa.timestamp("us")),
    "time": pa.array([dt.time(1, 2)], pa.time64("us")), "time_ns": pa.array([dt.time(1, 2)], pa.time64("ns")), "struct": pa.array([{"a": 7}]), "list": pa.array([[7, 8]]),
    "9,2": pa.array([Decimal(7)], pa.decimal128(9, 2)), "9,1": pa.array([Decimal(7)], pa.decimal128(9, 1)), "18,2": pa.array([Decimal(7)], pa.decimal128(18, 2)),
    "38,2": pa.array([Decimal(7)], pa.decimal128(38, 2)), "9,3": pa.array([Decimal(7)], pa.decimal128(9, 3)), "pair": pa.array([[7, 8]], pa.list_(pa.int64(), 2)),
}  # fmt: skip
LONGS = {"type": "array", "elementType": "long", "containsNull": True}
READ: list[tuple[Any, str, str]] = [
    ("byte", "int8 int32", "uint8 uint16 int64 double"),
    ("short", "int8 int32 uint8", "uint16 int64"),
    ("integer", "int8 int32 uint8 uint16", "uint32 int64 text float double date boolean struct list us 9,2"),
    ("long", "int8 int32 int64 uint32 duration", "uint64 text double us"),
    ("float", "float", "half double int32 text"),
    ("double", "float double int32", "half int64 text 9,2"),
    ("boolean", "boolean", "int8 text"),
    ("string", "text large view bytes dictionary", "fixed int32 struct"),
    ("varchar(9)", "text large dictionary", "int32"),
    ("binary", "text bytes fixed dictionary", "int32"),
    ("date", "date", "int32 us text"),
    ("timestamp", "us ms Berlin local", "ns date int64 text"),
    ("timestamp_ntz", "us ms local", "ns int64"),
    ("time(6)", "time", "time_ns"),
    ("interval year to month", "int32", "int64 text"),
    ("interval day to second", "int64 duration", "int32"),
    ("decimal(9,2)", "9,2", "18,2 38,2 9,3 int32 double text"),
    ("decimal(18,2)", "9,2 9,1 18,2 int8 int32", "38,2 9,3 int64"),
    ("decimal(38,2)", "9,2 18,2 38,2 int64", "9,3 uint64 double"),
    ("decimal(20,0)", "int64 uint64", "9,2"),
    (LONGS, "list pair", "int64 text struct"),
    ({"type": "struct", "fields": [{"name": "a", "type": "long"}]}, "struct", "list text"),
    ({"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}, "", "list struct text"),
]  # fmt: skip


def in_a_file(array: pa.Array, folder: Path) -> pa.Table:
    pq.write_table(pa.table({"c": array}), folder / "f.parquet")
    return pq.read_table(folder / "f.parquet")


@pytest.mark.parametrize(("kind", "read", "refused"), READ, ids=[str(kind) for kind, _, _ in READ])
def test_what_a_column_may_be_stored_as(kind: Any, read: str, refused: str, tmp_path: Path) -> None:
    """What Spark 4.1 does with these files; tests of a JVM would take a minute for it."""
    columns = columns_of({"fields": [{"name": "c", "type": kind}]})
    found = set()
    for name in read.split():
        table = in_a_file(AS[name], tmp_path)
        (batch,) = table.to_batches()
        found.add(sums_of([as_stored(batch, stored_in(table.schema, columns, "f"))], columns))
    assert len(found) <= 1, "a value is the same however it is stored"
    for name in refused.split():
        table = in_a_file(AS[name], tmp_path)
        with pytest.raises(SnapshotError, match=r"column c is stored as .* in f, which the table's schema"):
            stored_in(table.schema, columns, "f")
    table = in_a_file(AS["null"], tmp_path)
    if isinstance(kind, str):
        assert stored_in(table.schema, columns, "f")


def test_dates_that_became_times(tmp_path: Path) -> None:
    columns = columns_of({"fields": [{"name": "c", "type": "timestamp_ntz"}]})
    midnight = pa.array([dt.datetime.combine(DAY, dt.time())], pa.timestamp("us"))
    one, other = (in_a_file(array, tmp_path).to_batches() for array in (AS["date"], midnight))
    assert stored_in(one[0].schema, columns, "f")
    assert sums_of(one, columns) == sums_of(other, columns)


@pytest.mark.parametrize("now", [["1", "2"], [1.0, 2.0], [1.5, 2.0], [{"a": 1}, {"a": 2}]])
def test_a_file_that_was_written_anew_with_another_type(store: Store, place: str, now: list[Any]) -> None:
    write_deltalake(place, pa.table({"id": [1, 2]}))
    recorded = take(store, place)
    file = file_of(place)
    pq.write_table(pa.table({"id": now}), file)
    held = verify(store, recorded, place)
    assert (held.holds, held.lost) == (False, (file.name,))
    assert f"column id is stored as {pa.array(now).type} in {file.name}" in str(held.reason)


def test_values_that_no_table_can_hold(store: Store, place: str) -> None:
    write_deltalake(place, pa.table({"at": AS["us"]}))
    file = file_of(place)
    pq.write_table(pa.table({"at": pa.array([2**60], pa.timestamp("ms", "UTC"))}), file)
    with pytest.raises(SnapshotError, match=f"{file.name} of .* has values that cannot be summed: .* out of bounds timestamp"):
        take(store, place)


@pytest.mark.parametrize(
    ("noted", "array", "said"),
    [
        ({"org.apache.spark.version": "2.4.8"}, pa.array([DAY]), "Spark 2.4.8"),
        ({"org.apache.spark.version": "2.4.8"}, pa.array([[DAY]]), "Spark 2.4.8"),
        ({"org.apache.spark.version": "3.5.0", "org.apache.spark.legacyDateTime": ""}, AS["us"], "legacyDateTime"),
        ({"org.apache.spark.version": "3.0.1"}, AS["us"], None),
        ({"org.apache.spark.version": "2.4.8"}, AS["local"], None),
        ({"org.apache.spark.version": "2.4.8"}, AS["int64"], None),
    ],
)
def test_days_of_the_old_calendar_are_left_to_spark(
    place: str, noted: dict[str, str], array: pa.Array, said: str | None
) -> None:
    write_deltalake(place, pa.table({"id": [1], "c": array}))
    pq.write_table(pa.table({"id": [1], "c": array}).replace_schema_metadata(noted), file_of(place))
    if said is None:
        assert sums(place).rows == 1
        return
    with pytest.raises(SnapshotError, match=f"is written in the calendar of Spark 2 .*{said}.*: it is left to Spark"):
        sums(place)


@pytest.mark.parametrize(("release", "left"), [("3.0.3", True), ("3.1.0", False)])
def test_times_of_96_bits_were_of_the_old_calendar_for_longer(place: str, release: str, left: bool) -> None:
    table = pa.table({"at": AS["us"]})
    write_deltalake(place, table)
    before = sums(place)
    noted = table.replace_schema_metadata({"org.apache.spark.version": release})
    pq.write_table(noted, file_of(place), use_deprecated_int96_timestamps=True)
    if not left:
        assert sums(place) == before
        return
    with pytest.raises(SnapshotError, match=r"calendar of Spark 2 \(.*3\.0\.3"):
        sums(place)
