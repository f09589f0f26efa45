"""What a checksum tells apart and what it does not, without a JVM. tests/spark/snapshot holds that Spark gives the same bits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import reference
from cells import value_of
from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.arrow import sums_of
from spark_lineage.snapshot.kinds import columns_of, covers, schema_hash
from spark_lineage.snapshot.sums import Sums

VECTORS = Path(__file__).parents[3] / "docs" / "checksum-vectors.json"


def schema(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {
        "type": "struct",
        "fields": [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in fields],
    }


def array_of(element: Any) -> dict[str, Any]:
    return {"type": "array", "elementType": element, "containsNull": True}


def map_of(key: Any, value: Any) -> dict[str, Any]:
    return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}


ARROW = {
    "integer": pa.int32(), "long": pa.int64(), "short": pa.int16(), "byte": pa.int8(), "double": pa.float64(), "float": pa.float32(),
    "string": pa.string(), "binary": pa.binary(), "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"), "decimal(2,1)": pa.decimal128(2, 1), "decimal(3,2)": pa.decimal128(3, 2),
    "decimal(38,10)": pa.decimal128(38, 10), "decimal(10,2)": pa.decimal128(10, 2), "decimal(12,2)": pa.decimal128(12, 2), "void": pa.null(),
}  # fmt: skip


def arrow_of(kind: Any) -> pa.DataType:
    if isinstance(kind, str):
        return ARROW[kind]
    if kind["type"] == "struct":
        return pa.struct([(field["name"], arrow_of(field["type"])) for field in kind["fields"]])
    if kind["type"] == "array":
        return pa.list_(arrow_of(kind["elementType"]))
    return pa.map_(arrow_of(kind["keyType"]), arrow_of(kind["valueType"]))


def sums(rows: Sequence[tuple[Any, ...]], *fields: tuple[str, Any]) -> Sums:
    return sums_of([batch_of(rows, *fields)], columns_of(schema(*fields)))


def batch_of(rows: Sequence[tuple[Any, ...]], *fields: tuple[str, Any]) -> pa.RecordBatch:
    arrays = [pa.array([row[at] for row in rows], arrow_of(kind)) for at, (_, kind) in enumerate(fields)]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in fields])


STRINGS = (("a", "string"), ("b", "string"))


CONFUSIONS: list[Any] = [
    ([(None, "x")], [("", "x")], STRINGS),
    ([(None, "x")], [("NULL", "x")], STRINGS),
    ([("", "x")], [("NULL", "x")], STRINGS),
    ([(None, "x")], [("x", None)], STRINGS),
    ([("ab", "c")], [("a", "bc")], STRINGS),
    ([("a", "b")], [("b", "a")], STRINGS),
    ([("a", "b")], [("a", "b"), ("a", "b")], STRINGS),
    ([("a", "b"), ("a", "b"), ("c", "d")], [("a", "b"), ("c", "d"), ("c", "d")], STRINGS),
    ([("a", "b"), ("c", "d")], [("a", "d"), ("c", "b")], STRINGS),
    ([(None, None)], [], STRINGS),
    ([(None, None)], [(None, None), (None, None)], STRINGS),
    ([(1, 2)], [(2, 1)], (("a", "long"), ("b", "long"))),
    ([([1], [2, 3])], [([1, 2], [3])], (("a", array_of("integer")), ("b", array_of("integer")))),
    ([([],)], [(None,)], (("a", array_of("integer")),)),
    ([([None],)], [([],)], (("a", array_of("integer")),)),
    ([([None, 1],)], [([1, None],)], (("a", array_of("integer")),)),
    ([([[1], [2, 3]],)], [([[1, 2], [3]],)], (("a", array_of(array_of("integer"))),)),
    ([([[]],)], [([None],)], (("a", array_of(array_of("integer"))),)),
    ([({"x": None},)], [(None,)], (("a", schema(("x", "long"))),)),
    ([({"x": 1, "y": 2},)], [({"x": 2, "y": 1},)], (("a", schema(("x", "long"), ("y", "long"))),)),
    ([([("k", None)],)], [([],)], (("a", map_of("string", "long")),)),
    ([([("k", 1), ("l", 2)],)], [([("k", 2), ("l", 1)],)], (("a", map_of("string", "long")),)),
    ([(b"",)], [(None,)], (("a", "binary"),)),
    ([(0.0,)], [(5e-324,)], (("a", "double"),)),
    ([(dt.date(1970, 1, 1),)], [(None,)], (("a", "date"),)),
    ([(False,)], [(None,)], (("a", "boolean"),)),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "fields"), CONFUSIONS)
def test_contents_that_are_not_the_same(one: list[Any], other: list[Any], fields: Any) -> None:
    assert sums(one, *fields) != sums(other, *fields)


def test_decimals_of_another_scale_are_not_the_same() -> None:
    assert sums([(Decimal("1.0"),)], ("a", "decimal(2,1)")) != sums([(Decimal("1.00"),)], ("a", "decimal(3,2)"))


def test_a_wider_type_keeps_the_sum_and_has_a_schema_hash_of_its_own() -> None:
    for narrow, wide, value in (
        ("integer", "long", 7),
        ("float", "double", 0.1),
        ("decimal(10,2)", "decimal(12,2)", Decimal("1.25")),
    ):
        value = pa.scalar(value, ARROW[narrow]).as_py()
        assert sums([(value,)], ("a", narrow)) == sums([(value,)], ("a", wide))
        before, after = columns_of(schema(("a", narrow))), columns_of(schema(("a", wide)))
        assert schema_hash(before) != schema_hash(after)
        assert covers(after, before), "old files need not be read again"


def test_a_renamed_column_is_another_content() -> None:
    assert sums([(1,)], ("a", "long")) != sums([(1,)], ("b", "long"))


def test_columns_are_known_by_name() -> None:
    one = sums([("x", 1), (None, 2)], ("s", "string"), ("n", "long"))
    other = sums([(2, None), (1, "x")], ("n", "long"), ("s", "string"))
    assert one == other
    fields = ("s", "string"), ("n", "long")
    assert schema_hash(columns_of(schema(*fields))) == schema_hash(columns_of(schema(*reversed(fields))))


def test_an_added_column_of_nulls_changes_nothing_but_the_schema_hash() -> None:
    before, after = (
        (("n", "long"), ("z", "string")),
        (("a", "long"), ("n", "long"), ("z", "string"), ("s", schema(("x", "long")))),
    )
    assert sums([(1, "x"), (None, None)], *before) == sums([(None, 1, "x", None), (None, None, None, None)], *after)
    narrow, wide = columns_of(schema(*before)), columns_of(schema(*after))
    assert covers(wide, narrow)
    assert not covers(narrow, wide)
    assert schema_hash(narrow) != schema_hash(wide)


def test_a_field_added_within_a_struct_of_an_array() -> None:
    narrow = columns_of(schema(("a", array_of(schema(("x", "long"))))))
    wide = columns_of(schema(("a", array_of(schema(("w", "string"), ("x", "long"))))))
    batch = pa.RecordBatch.from_arrays(
        [pa.array([[{"x": 1}, None], None], pa.list_(pa.struct([("x", pa.int64())])))], names=["a"]
    )
    assert covers(wide, narrow)
    assert sums_of([batch], narrow) == sums_of([batch], wide)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ((("a", "string"),), (("a", "long"),)),
        ((("a", "decimal(12,3)"),), (("a", "decimal(12,2)"),)),
        ((("a", array_of("string")),), (("a", array_of("long")),)),
        ((("b", "long"),), (("a", "long"),)),
    ],
)
def test_schemas_that_do_not_cover_others(wide: Any, narrow: Any) -> None:
    assert not covers(columns_of(schema(*wide)), columns_of(schema(*narrow)))


def test_one_zero_and_one_nan() -> None:
    nan = pa.array([float("nan"), -float("nan")], pa.float64())
    batches = [pa.RecordBatch.from_arrays([nan.slice(at, 1)], names=["a"]) for at in (0, 1)]
    columns = columns_of(schema(("a", "double")))
    assert sums_of(batches[:1], columns) == sums_of(batches[1:], columns)
    assert sums([(0.0,)], ("a", "double")) == sums([(-0.0,)], ("a", "double"))


def test_entries_of_a_map_have_no_order() -> None:
    fields = (("a", map_of("string", "long")),)
    assert sums([([("k", 1), ("l", None)],)], *fields) == sums([([("l", None), ("k", 1)],)], *fields)


rows = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(max_size=40),
        st.none() | st.lists(st.none() | st.text(max_size=3), max_size=12),
    ),
    max_size=12,
)
FIELDS = (("n", "long"), ("t", "string"), ("l", array_of("string")))


@given(rows, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_division_make_no_difference(content: list[Any], chance: Any, size: int) -> None:
    whole = sums(content, *FIELDS)
    mixed = chance.sample(content, len(content))
    parts = [sums(mixed[at : at + size], *FIELDS) for at in range(0, len(mixed), size)]
    assert sum(parts, Sums(0, 0, 0)) == whole
    assert whole - whole == Sums(0, 0, 0)


@given(rows.filter(bool), st.randoms(use_true_random=False))
def test_a_changed_cell_is_seen(content: list[Any], chance: Any) -> None:
    row, column = chance.randrange(len(content)), chance.randrange(3)
    other = {0: 12345, 1: "another", 2: ["another"]}[column]
    if content[row][column] == other:
        return
    changed = [
        tuple(other if (at, of) == (row, column) else cell for of, cell in enumerate(cells)) for at, cells in enumerate(content)
    ]
    assert sums(changed, *FIELDS) != sums(content, *FIELDS)


@pytest.mark.parametrize(
    ("kind", "said"), [("geometry(4326)", "geometry(4326)"), ("calendarinterval", "calendarinterval"), ({"type": "new"}, "new")]
)
def test_a_type_without_an_encoding_is_refused_by_name(kind: Any, said: str) -> None:
    with pytest.raises(SnapshotError, match=r"column a\.x is of type") as refused:
        columns_of(schema(("a", schema(("x", kind)))))
    assert said in str(refused.value)


def test_two_columns_of_a_name_are_refused() -> None:
    with pytest.raises(SnapshotError, match="two columns are called a"):
        columns_of(schema(("a", "long"), ("a", "string")))


def test_what_is_left_to_spark_is_said() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([b""])], names=["v"])
    with pytest.raises(SnapshotError, match="variant"):
        sums_of([batch], columns_of(schema(("v", "variant"))))


@given(rows)
def test_the_specification_row_by_row(content: list[Any]) -> None:
    found = sums(content, *FIELDS)
    assert (found.rows, found.checksum) == reference.checksum(schema(*FIELDS), content)


@given(
    st.lists(
        st.tuples(
            st.none() | st.decimals(min_value=-(10**27), max_value=10**27, places=10),
            st.none() | st.datetimes(min_value=dt.datetime(1, 1, 1)),
            st.none()
            | st.dictionaries(
                st.text(max_size=2), st.none() | st.lists(st.none() | st.integers(-5, 5), max_size=3), max_size=4
            ),
            st.none() | st.fixed_dictionaries({"x": st.none() | st.floats(width=32), "y": st.none() | st.binary(max_size=3)}),
        ),
        max_size=6,
    )
)
def test_the_specification_over_nested_values(content: list[Any]) -> None:
    struct = schema(("x", "float"), ("y", "binary"))
    fields = (("d", "decimal(38,10)"), ("t", "timestamp_ntz"), ("m", map_of("string", array_of("integer"))), ("s", struct))
    found = sums(
        [(one, when, None if entries is None else list(entries.items()), s) for one, when, entries, s in content], *fields
    )
    assert (found.rows, found.checksum) == reference.checksum(schema(*fields), content)


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    """Those of the specification: JSON tables with their checksums."""
    columns = columns_of(vector["schema"])
    fields = [(field["name"], field["type"]) for field in vector["schema"]["fields"]]
    rows = [tuple(value_of(cell, kind) for cell, (_, kind) in zip(row, fields, strict=True)) for row in vector["rows"]]
    found = sums(rows, *fields)
    assert (found.rows, found.checksum, schema_hash(columns)) == (len(rows), vector["checksum"], vector["schema_hash"])
    assert vector["checksum"] == reference.checksum(vector["schema"], rows)[1]
