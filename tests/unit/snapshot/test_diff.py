"""Two datasets or versions held against each other: what is read for it, what is told, and what is refused."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow import orc

import spark_lineage
from spark_lineage.errors import NotFound, QueryError, SnapshotError
from spark_lineage.snapshot.batches import BYTES
from spark_lineage.snapshot.diff import Options, diff
from spark_lineage.snapshot.difference import ColumnDifference, Difference
from spark_lineage.snapshot.files import FilesSide
from spark_lineage.snapshot.pairing import SchemaDifference
from spark_lineage.snapshot.parts import ByColumn, take_parts
from spark_lineage.snapshot.taking import take
from spark_lineage.store.tables import Store


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    shutil.copytree(empty_store, tmp_path / "lineage")
    monkeypatch.chdir(tmp_path)
    return Store.open(tmp_path / "lineage")


def orders(*ids: int, **more: Any) -> pa.Table:
    return pa.table({"id": list(ids), "name": [f"n{one}" for one in ids], **more})


def told(here: str, there: str, **options: Any) -> Difference:
    return diff(None, here, there, Options(**options))


def parquet(name: str, table: pa.Table) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, name)
    return name


def counted(found: Difference) -> tuple[int | None, int | None, int | None]:
    return found.only_here, found.only_there, found.changed


def test_versions_of_a_table(store: Store) -> None:
    write_deltalake("t", orders(1, 2, 3))
    write_deltalake("t", orders(4), mode="append")
    DeltaTable("t").update(updates={"name": "'x'"}, predicate="id = 2")
    found = diff(store, "t@0", "t@2")
    assert (found.equal, found.known, counted(found)) == (False, False, (1, 2, None))
    assert found.differing == (ColumnDifference(column="id"), ColumnDifference(column="name"))
    assert (found.sample_here, sorted(found.sample_there)) == (((2, "n2"),), [(2, "x"), (4, "n4")])
    keyed = diff(store, "t@0", "t", Options(key=("id",)))
    assert (counted(keyed), keyed.there.version) == ((0, 1, 1), 2)
    assert keyed.differing == (ColumnDifference(column="name", rows=1),)
    (changed,) = keyed.sample_changed
    assert (changed.here, changed.there, changed.columns) == ((2, "n2"), (2, "x"), ("name",))
    assert diff(store, "t@2", "t").equal


def test_files_that_both_versions_have_are_not_read(store: Store) -> None:
    write_deltalake("t", orders(1, 2, 3))
    (common,) = Path("t").glob("*.parquet")
    write_deltalake("t", orders(4), mode="append")
    common.unlink()
    found = diff(store, "t@0", "t@1")
    assert (counted(found), found.there.rows) == ((0, 1, None), None)
    shutil.copytree("t", "copy")
    with pytest.raises(SnapshotError, match=rf"{common.name} .* is gone"):
        diff(store, "t@0", "copy@1")


def test_known_checksums_tell_without_the_data(store: Store) -> None:
    write_deltalake("t", orders(1, 2, 3))
    write_deltalake("t", orders(3, 2, 1), mode="overwrite")
    write_deltalake("t", orders(1), mode="append", schema_mode="merge")
    for version in (0, 1, 2):
        take(store, "t", version)
    shutil.rmtree("t")
    equal = diff(store, "t@0", "t@1", Options(key=("id",)))
    assert (equal.equal, equal.known, counted(equal), equal.here.rows) == (True, True, (0, 0, 0), 3)
    other = diff(store, "t@0", "t@2")
    assert (other.equal, other.known, counted(other)) == (False, True, (None, None, None))
    assert "the rows were not compared: " in str(other.reason)
    with pytest.raises(SnapshotError, match="no checksum of t@7 is kept"):
        diff(store, "t@0", "t@7")
    with pytest.raises(QueryError, match=r"neither side has a column 'idd'\. Near names: id"):
        diff(store, "t@0", "t@1", Options(key=("idd",)))


def test_a_brief_answer_reads_nothing_where_checksums_are_kept(store: Store) -> None:
    for name, ids in (("a", (1, 2)), ("b", (2, 3))):
        write_deltalake(name, orders(*ids))
    read = diff(store, "a", "b", Options(brief=True))
    assert (read.equal, read.known) == (False, False)
    for name in "ab":
        take(store, name)
        for file in Path(name).glob("*.parquet"):
            file.unlink()
    found = diff(store, "a", "b", Options(brief=True))
    assert (found.equal, found.known, counted(found)) == (False, True, (None, None, None))


def test_kept_sums_of_columns_tell_where_the_rows_cannot(store: Store) -> None:
    write_deltalake("t", orders(1, 2))
    write_deltalake("other", pa.table({"id": [1, 2], "name": ["n1", None]}))
    kept = take(store, "t")
    take_parts(store, kept, "t", ByColumn())
    other = take(store, "other")
    assert diff(store, "t", "other", Options(brief=True)).differing == (), "those of one are not enough"
    take_parts(store, other, "other", ByColumn())
    assert diff(store, "t", "other", Options(brief=True)).differing == (ColumnDifference(column="name"),)
    shutil.rmtree("other")
    found = diff(store, "t", "other@0")
    assert (found.known, found.differing) == (True, (ColumnDifference(column="name"),))
    assert "the rows were not compared: " in str(found.reason)


def test_a_checksum_of_a_table_that_was_there_before_is_not_taken_for_the_new_one(store: Store) -> None:
    write_deltalake("t", orders(1))
    write_deltalake("other", orders(2))
    for name in ("t", "other"):
        take(store, name)
    shutil.rmtree("t")
    write_deltalake("t", orders(2))
    assert diff(store, "t@0", "other@0").equal


def test_equal_sums_of_other_schemas(store: Store) -> None:
    write_deltalake("a", orders(1, 2))
    write_deltalake("b", orders(1, 2, more=pa.array([None, None], pa.int32())))
    for name in "ab":
        take(store, name)
    found = diff(store, "a", "b")
    assert (found.equal, found.known, counted(found)) == (False, True, (0, 0, None))
    assert found.schema == (SchemaDifference(column="more", here=None, there="integer"),)
    assert diff(store, "a", "b", Options(ignored=("more",))).equal


def test_delta_against_parquet_and_orc(store: Store) -> None:
    every = {
        "b": pa.array([1, None], pa.int8()),
        "d": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
        "day": pa.array([dt.date(2024, 1, 1), None], pa.date32()),
        "l": pa.array([[1, None], None], pa.list_(pa.int32())),
        "m": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        "s": pa.array([{"x": 1.5, "y": "ü"}, None], pa.struct([("x", pa.float64()), ("y", pa.string())])),
        "x": pa.array([b"\x00", None], pa.binary()),
        "yes": pa.array([True, None]),
    }
    instants = {"t": pa.array([1, None], pa.timestamp("us", "UTC")), "n": pa.array([1, None], pa.timestamp("us"))}
    write_deltalake("t", pa.table({**every, **instants}))
    parquet("p/part.parquet", pa.table({**every, **instants}))
    assert told("t", "p") == told("t", "p", sample=0)
    assert (told("t", "p").equal, told("t", "p").schema) == (True, ())
    Path("o").mkdir()
    orc.write_table(pa.table(every), "o/part.orc", stripe_size=1)
    assert told("t", "o", ignored=("t", "n")).equal
    orc.write_table(pa.table({"t": instants["n"]}), "times.orc")
    with pytest.raises(SnapshotError, match=r"column t of .* left to Spark; --ignore-column t"):
        told("times.orc", "p")
    orc.write_table(pa.table({"day": pa.array([dt.date(1582, 10, 14)], pa.date32())}), "julian.orc")
    with pytest.raises(SnapshotError, match=r"column day of .* has a date before 1582-10-15 in ORC"):
        told("julian.orc", "p")


def test_values_of_other_widths(store: Store) -> None:
    digits = [Decimal("1.50"), Decimal("-2.25"), None]
    here = pa.table({"i": pa.array([1, 2, 3], pa.int8()), "f": pa.array([0.5, 1.5, None], pa.float32()), "d": pa.array(digits, pa.decimal128(10, 2))})  # fmt: skip
    there = pa.table({"i": [1, 2, 3], "f": [0.5, 1.5, None], "d": pa.array(digits, pa.decimal128(30, 2))})
    found = told(parquet("a.parquet", here), parquet("b.parquet", there))
    assert found.equal
    assert found.schema == (
        SchemaDifference(column="d", here="decimal(10,2)", there="decimal(30,2)", compared=True),
        SchemaDifference(column="f", here="float", there="double", compared=True),
        SchemaDifference(column="i", here="byte", there="long", compared=True),
    )


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (pa.array([Decimal("1.50")], pa.decimal128(10, 2)), pa.array([1.5])),
        (pa.array([Decimal("1.50")], pa.decimal128(10, 2)), pa.array([Decimal("1.500")], pa.decimal128(10, 3))),
        (pa.array([1], pa.timestamp("us", "UTC")), pa.array([1], pa.timestamp("us"))),
        (pa.array(["a"]), pa.array([b"a"])),
        (pa.array([1]), pa.array(["1"])),
        (pa.array([[1]]), pa.array([["1"]])),
    ],
)
def test_other_classes_are_a_difference_of_the_schemas(store: Store, here: pa.Array, there: pa.Array) -> None:
    names = parquet("a.parquet", pa.table({"id": [1], "x": here})), parquet("b.parquet", pa.table({"id": [1], "x": there}))
    found = told(*names)
    assert (found.equal, found.columns, counted(found)) == (False, ("id",), (0, 0, None))
    (difference,) = found.schema
    assert (difference.column.split(".")[0], difference.compared) == ("x", False)
    assert told(*names, ignored=("x",)).equal
    with pytest.raises(QueryError, match="the key 'x' must be a column of both"):
        told(*names, key=("x",))


def test_fields_within_structs(store: Store) -> None:
    here = pa.table({"r": [[{"a": 1, "b": "x"}]]})
    there = pa.table({"r": [[{"a": 1, "c": "x"}]]})
    found = told(parquet("a.parquet", here), parquet("b.parquet", there))
    assert (found.equal, counted(found)) == (False, (0, 0, None))
    assert [(one.column, one.here, one.there) for one in found.schema] == [
        ("r.element.b", "string", None),
        ("r.element.c", None, "string"),
    ]


def test_names_that_only_the_case_tells_apart(store: Store) -> None:
    names = parquet("a.parquet", pa.table({"Id": [1], "x": [1]})), parquet("b.parquet", pa.table({"id": [1], "X": [2]}))
    found = told(*names, key=("id",))
    assert (counted(found), found.columns, all(one.compared for one in found.schema)) == ((0, 0, 1), ("Id", "x"), True)
    assert found.differing == (ColumnDifference(column="x", rows=1),)
    assert told(*names, ignored=("x", "X")).equal


@pytest.mark.parametrize("write", [pq.write_table, orc.write_table])
def test_names_in_one_folder_that_only_the_case_tells_apart(store: Store, write: Any) -> None:
    Path("p").mkdir()
    write(pa.table({"Id": [1], "x": ["a"]}), "p/1")
    write(pa.table({"x": ["b"], "id": pa.array([2], pa.int32())}), "p/2")
    whole = parquet("q.parquet", pa.table({"Id": [1, 2], "x": ["a", "b"]}))
    assert (told("p", whole).equal, told("p", whole).schema) == (True, ())
    assert told("p", whole, ignored=("id", "Id")).columns == ("x",)


@pytest.mark.parametrize("write", [pq.write_table, orc.write_table])
@pytest.mark.parametrize("names", [("a", "a"), ("a", "A")])
def test_two_columns_that_spark_cannot_tell_apart(store: Store, write: Any, names: tuple[str, str]) -> None:
    write(pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=[*names, "id"]), "twins")
    good = parquet("good.parquet", pa.table({"id": [3]}))
    with pytest.raises(
        SnapshotError, match=r"twins has two columns a and [aA], which Spark cannot tell apart.*--ignore-column [aA]"
    ):
        told(good, "twins")
    assert told(good, "twins", ignored=("a",)).equal


def test_two_fields_that_spark_cannot_tell_apart(store: Store) -> None:
    parquet("twins.parquet", pa.table({"r": [[{"a": 1, "A": 2}]]}))
    with pytest.raises(SnapshotError, match=r"two columns r\.a and r\.A, .*--ignore-column r "):
        told("twins.parquet", "twins.parquet")


def test_whole_numbers_beyond_64_bits_are_told_apart(store: Store) -> None:
    for number in (0, 1):
        parquet(f"p{number}/id=1234567890123456789{number}/f.parquet", pa.table({"x": [1]}))
    assert counted(told("p0", "p1")) == (1, 1, None)
    assert told("p0", parquet("q.parquet", pa.table({"x": [1], "id": [Decimal(12345678901234567890)]}))).equal


def test_a_partition_column_hides_one_of_the_files(store: Store) -> None:
    parquet("p/day=7/f.parquet", pa.table({"x": [1], "Day": [3]}))
    found = told("p", parquet("q.parquet", pa.table({"x": [1], "day": pa.array([7], pa.int32())})))
    assert (found.equal, found.schema) == (True, ())


def test_partitions_of_times_can_be_left_out(store: Store) -> None:
    parquet("p/t=2024-01-01 00%3A00%3A00/f.parquet", pa.table({"x": [1]}))
    with pytest.raises(SnapshotError, match=r"the partition column t has .* it is left to Spark; --ignore-column t"):
        told("p", "p")
    assert told("p", parquet("q.parquet", pa.table({"x": [1]})), ignored=("t",)).equal


def test_files_of_spark_2(store: Store) -> None:
    for name, column in (("days", pa.array([dt.date(2020, 1, 1)])), ("numbers", pa.array([1]))):
        table = pa.table({"x": column}).replace_schema_metadata({"org.apache.spark.version": "2.4.8"})
        parquet(f"{name}.parquet", table)
    assert told("numbers.parquet", "numbers.parquet").equal
    with pytest.raises(SnapshotError, match=r"days\.parquet has dates or times in the calendar of Spark 2 \(Spark 2\.4\.8\)"):
        told("days.parquet", "days.parquet")


@pytest.mark.parametrize("write", [pq.write_table, orc.write_table])
def test_wide_rows_are_read_in_bounded_batches(store: Store, write: Any) -> None:
    write(pa.table({"s": [str(row % 4) * (32 << 10) for row in range(4_000)]}), "wide")
    side = FilesSide("wide")
    read = [(batch.nbytes, batch.num_rows) for batch in side.batches(side.columns, lambda size: None)]
    assert max(size for size, _ in read) <= BYTES
    assert sum(rows for _, rows in read) == 4_000


def test_nothing_in_common(store: Store) -> None:
    found = told(parquet("a.parquet", pa.table({"x": [1]})), parquet("b.parquet", pa.table({"y": [1]})))
    assert (found.equal, counted(found), found.reason) == (
        False,
        (None, None, None),
        "there is no column that both have and that can be compared",
    )


def test_blanks_at_the_end(store: Store) -> None:
    names = (
        parquet("a.parquet", pa.table({"s": ["a", "b ", None], "t": ["x", "y", "z"]})),
        parquet("b.parquet", pa.table({"s": pa.array(["a  ", "b", None]).dictionary_encode(), "t": ["x", "y", "z"]})),
    )
    assert counted(told(*names)) == (2, 2, None)
    assert told(*names, trim=("s",)).equal
    assert told(*names, trim=("all",), brief=True).equal
    with pytest.raises(QueryError, match="column id is no text"):
        told(parquet("c.parquet", orders(1)), "c.parquet", trim=("id",))


def test_keys_of_several_rows_and_null_keys(store: Store) -> None:
    here = pa.table({"k": [1, 1, 2, None, None], "v": [1, 2, 1, 7, 7]})
    there = pa.table({"k": [1, 1, 2, None, None], "v": [1, 3, 5, 7, 8]})
    found = told(parquet("a.parquet", here), parquet("b.parquet", there), key=("k",))
    assert (counted(found), found.duplicate_keys) == ((0, 0, 3), 0), "rows that are on both sides are of no interest"
    found = told("a.parquet", parquet("b.parquet", pa.table({"k": [1, 1], "v": [5, 6]})), key=("k",))
    assert (counted(found), found.duplicate_keys) == ((5, 2, 0), 2)


def test_a_folder_of_partitions_is_read_as_spark_reads_it(store: Store) -> None:
    for folder, number in (("day=2024-01-01/n=1", 1), ("day=2024-01-02/n=20", 2), ("day=__HIVE_DEFAULT_PARTITION__/n=3", 3)):
        parquet(f"p/{folder}/part.parquet", pa.table({"id": [number]}))
    for hidden in ("p/_SUCCESS", "p/.part.crc", "p/_temporary/part.parquet", "p/empty.parquet"):
        Path(hidden).parent.mkdir(exist_ok=True)
        Path(hidden).write_bytes(b"" if "empty" in hidden else b"?")
    days = pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2), None], pa.date32())
    write_deltalake("t", pa.table({"id": [1, 2, 3], "day": days, "n": pa.array([1, 20, 3], pa.int32())}), partition_by=["day"])
    found = told("t", "p", key=("id",))
    assert (found.equal, found.schema) == (True, ())
    parquet("p/day=other/n=1/part.parquet", pa.table({"id": [4]}))
    assert [(one.here, one.there) for one in told("t", "p").schema] == [("date", "string")]


def test_files_of_one_dataset_whose_columns_came_later(store: Store) -> None:
    parquet("p/a.parquet", pa.table({"id": pa.array([1], pa.int32())}))
    parquet("p/b.parquet", orders(2))
    found = told("p", parquet("q.parquet", pa.table({"id": [1, 2], "name": [None, "n2"]})))
    assert (found.equal, found.schema) == (True, ())
    parquet("p/c.parquet", pa.table({"id": ["x"]}))
    with pytest.raises(SnapshotError, match=r"column id is of another type in .*c\.parquet"):
        told("p", "q.parquet")
    assert counted(told("p", "q.parquet", ignored=("id",))) == (1, 0, None)


def test_a_stale_note_of_sparks_schema_is_not_believed(store: Store) -> None:
    note = '{"type":"struct","fields":[{"name":"id","type":"string","nullable":true,"metadata":{}},{"name":"c","type":"char(3)","nullable":true,"metadata":{}}]}'
    table = pa.table({"id": [1], "c": ["a  "], "later": [2]})
    parquet("a.parquet", table.replace_schema_metadata({"org.apache.spark.sql.parquet.row.metadata": note}))
    found = told("a.parquet", parquet("b.parquet", table))
    assert (found.equal, found.columns) == (True, ("c", "id", "later"))
    assert found.schema == (SchemaDifference(column="c", here="char(3)", there="string", compared=True),)


def test_times_in_96_bits_are_instants(store: Store) -> None:
    table = pa.table({"t": pa.array([1_000_000], pa.timestamp("us", "UTC"))})
    pq.write_table(table, "old.parquet", use_deprecated_int96_timestamps=True)
    found = told("old.parquet", parquet("new.parquet", table))
    assert (found.equal, found.schema) == (True, ())


@pytest.mark.parametrize(
    ("place", "files", "words"),
    [
        ("nothing", {}, "there is nothing at"),
        ("empty", {"empty/_SUCCESS": b""}, "has no files of data"),
        ("csv", {"csv/a.csv": b"id,name\n1,a\n"}, "neither Parquet nor ORC; other formats, as CSV and JSON, need Spark"),
        ("a.json", {"a.json": b'{"id": 1}'}, "neither Parquet nor ORC"),
        ("bad", {"bad/a.parquet": b"PAR1 and no more"}, r"bad/a\.parquet cannot be read as parquet"),
        ("lake", {"lake/t/_delta_log/0.json": b"{}", "lake/t/a.parquet": b"PAR1"}, "lake/t is a Delta table"),
        ("ice", {"ice/metadata/v1.metadata.json": b"{}", "ice/data/a.parquet": b"PAR1"}, "table of Iceberg"),
        ("hudi", {"hudi/.hoodie/x": b"{}", "hudi/a.parquet": b"PAR1"}, "table of Hudi"),
        ("mixed", {"mixed/a=1/x": b"PAR1", "mixed/b=1/x": b"PAR1"}, "other partition columns"),
        ("order", {"order/a=1/b=1/x": b"PAR1", "order/b=1/a=1/x": b"PAR1"}, "other partition columns"),
        ("case", {"case/Day=1/x": b"PAR1", "case/day=2/x": b"PAR1"}, "other partition columns"),
        ("deep", {"deep/a=1/x": b"PAR1", "deep/other/a=1/x": b"PAR1"}, "other partition columns"),
        (
            "stream",
            {"stream/_spark_metadata/0": b"v1", "stream/a": b"PAR1"},
            r"stream is written by a stream of Spark.*jobs/snapshot\.py --format parquet",
        ),
        ("postgresql://127.0.0.1/shop", {}, r"does not say which table; write postgresql://USER@HOST"),
    ],
)
def test_what_cannot_be_read(store: Store, place: str, files: dict[str, bytes], words: str) -> None:
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    with pytest.raises(SnapshotError, match=words):
        told(parquet("good.parquet", orders(1)), place)


def test_a_place_with_the_sign_of_versions_in_its_name(store: Store) -> None:
    parquet("odd@1/a.parquet", orders(1))
    write_deltalake("t@2", orders(1))
    assert told("odd@1/", "t@2@0").equal
    with pytest.raises(SnapshotError, match="odd is no Delta table, or none any more, and only these have versions"):
        told("odd@1", "t@2@0")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"float_tolerance": 0.1}, "a tolerance needs a key"),
        ({"float_tolerance": 0.0, "key": ("id",)}, "give a number above 0"),
        ({"float_tolerance": float("nan"), "key": ("id",)}, "give a number above 0"),
        ({"brief": True, "key": ("id",)}, "a brief answer pairs no rows"),
        ({"sample": -1}, "give a number of rows"),
        ({"key": ("id",), "ignored": ("id",)}, "cannot both be of the key and be left out"),
        ({"ignored": ("idd",)}, "neither side has a column 'idd'. Near names: id"),
        ({"trim": ("names",)}, "neither side has a column 'names'. Near names: name"),
    ],
)
def test_what_cannot_be_asked(store: Store, options: dict[str, Any], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        told(parquet("a.parquet", orders(1)), "a.parquet", **options)


def test_from_python(store: Store) -> None:
    write_deltalake("t", orders(1, 2))
    write_deltalake("t", orders(2, 3), mode="overwrite")
    lineage = spark_lineage.open(store.location)
    found = lineage.diff("t@0", "t@1", key=["id"], sample=1)
    assert (found.equal, counted(found), found.sample_here, found.sample_there) == (
        False,
        (1, 1, 0),
        ((1, "n1"),),
        ((3, "n3"),),
    )
    taken = lineage.snapshot_take("t", version=0)
    assert lineage.snapshots() == (taken,)
    assert lineage.snapshot_verify("t").holds
    with pytest.raises(NotFound, match="no dataset called 'nothing'"):
        lineage.diff("t", "nothing")
