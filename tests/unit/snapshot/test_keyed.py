"""The checksum with a key: the specification row by row, and what its key is for."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import reference
from cells import value_of
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from test_checksum import CONFUSIONS, FIELDS, VECTORS, array_of, batch_of, map_of, rows, schema

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.keyed import Keyed, keyed, row_encodings
from spark_lineage.snapshot.kinds import columns_of
from spark_lineage.snapshot.taking import snapshots, sums_kept, take, verify
from spark_lineage.store.tables import Store

KEY = Keyed(bytes(range(32)))
OTHER = Keyed(bytes(range(1, 33)))
ID = columns_of(schema(("id", "long")))
NESTED = (
    ("l", array_of(schema(("x", "float"), ("y", "binary")))),
    ("m", map_of("string", array_of("integer"))),
    ("b", "boolean"),
    ("d", "decimal(38,10)"),
)


NONCE, BOUND = bytes(range(16)), "file\0/data/orders\0a table\0" + "7"


def checksum(content: list[Any], *fields: Any, scheme: Keyed = KEY) -> str:
    return scheme.text(scheme.of([batch_of(content, *fields)], columns_of(schema(*fields))), BOUND, NONCE)


def by_reference(the_schema: Any, content: list[Any]) -> str:
    return reference.keyed_checksum(KEY.key, the_schema, content, NONCE, BOUND)


@pytest.mark.parametrize(("one", "other", "fields"), CONFUSIONS)
def test_contents_that_are_not_the_same(one: list[Any], other: list[Any], fields: Any) -> None:
    assert checksum(one, *fields) != checksum(other, *fields)


@given(rows)
def test_the_specification_row_by_row(content: list[Any]) -> None:
    assert checksum(content, *FIELDS) == by_reference(schema(*FIELDS), content)


@given(
    st.lists(
        st.tuples(
            st.none()
            | st.lists(
                st.none()
                | st.fixed_dictionaries({"x": st.none() | st.floats(width=32), "y": st.none() | st.binary(max_size=3)})
            ),
            st.none() | st.dictionaries(st.text(max_size=2), st.none() | st.lists(st.none() | st.integers(-5, 5)), max_size=4),
            st.none() | st.booleans(),
            st.none() | st.decimals(min_value=-(10**27), max_value=10**27, places=10),
        ),
        max_size=6,
    )
)
def test_the_specification_over_nested_values(content: list[Any]) -> None:
    given_rows = [
        (one, None if entries is None else list(entries.items()), flag, number) for one, entries, flag, number in content
    ]
    assert checksum(given_rows, *NESTED) == by_reference(schema(*NESTED), content)


@given(rows, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_division_make_no_difference(content: list[Any], chance: Any, size: int) -> None:
    columns = columns_of(schema(*FIELDS))
    mixed = chance.sample(content, len(content))
    parts = [KEY.of([batch_of(mixed[at : at + size], *FIELDS)], columns) for at in range(0, len(mixed), size)]
    whole = KEY.of([batch_of(content, *FIELDS)], columns)
    assert sum(parts, KEY.zero) == whole
    assert whole - whole == KEY.zero
    text = KEY.text(whole, BOUND)
    assert KEY.parse(whole.rows, text, BOUND) == whole
    assert KEY.text(whole, BOUND) != text, "the same sum is never written twice alike"
    assert KEY.parse(whole.rows, text, BOUND + "8") != whole, "it is of nothing else"


@given(rows, rows)
def test_rows_that_differ_have_other_bytes(one: list[Any], other: list[Any]) -> None:
    columns = columns_of(schema(*FIELDS))
    encoded = [row_encodings(batch_of(content, *FIELDS), columns) for content in (one, other)]
    for row, its in zip(one, encoded[0], strict=True):
        for another, others in zip(other, encoded[1], strict=True):
            assert (row == another) == (its == others)


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    """Those of the specification, under the key of the bytes 0 to 31."""
    fields = [(field["name"], field["type"]) for field in vector["schema"]["fields"]]
    content = [tuple(value_of(cell, kind) for cell, (_, kind) in zip(row, fields, strict=True)) for row in vector["rows"]]
    assert checksum(content, *fields) == vector["keyed_checksum"]
    assert by_reference(vector["schema"], content) == vector["keyed_checksum"]


def test_another_key_gives_another_checksum_and_is_not_mixed_with_it(empty_store: Path, tmp_path: Path) -> None:
    shutil.copytree(empty_store, tmp_path / "store")
    store, place = Store.open(tmp_path / "store"), str(tmp_path / "table")
    write_deltalake(place, pa.table({"id": [1, 2]}))
    plain, one, other = take(store, place), take(store, place, scheme=KEY), take(store, place, scheme=OTHER)
    assert len({plain.checksum, one.checksum, other.checksum}) == 3
    assert (len(str(one.checksum)), one.files_read, other.files_read) == (96, 1, 1)
    assert len({plain.algorithm, one.algorithm, other.algorithm}) == 3
    assert KEY.key.hex() not in json.dumps(store.arrow("snapshots").to_pylist(), default=str)
    assert repr(KEY.key)[2:-1] not in repr(KEY)
    write_deltalake(place, pa.table({"id": [3]}), mode="append")
    later = take(store, place, scheme=KEY)
    assert (later.row_count, later.files_read) == (3, 1)
    assert [snap.delta_version for snap in snapshots(store, algorithm=KEY.algorithm)] == [0, 1]
    assert verify(store, later, place, scheme=KEY).holds
    with pytest.raises(SnapshotError, match="cannot be held against"):
        verify(store, later, place, scheme=OTHER)
    DeltaTable(place).delete("id = 1")
    assert sums_kept(take(store, place, scheme=KEY), KEY) == KEY.of([pa.record_batch({"id": [3, 2]})], ID)


def test_what_is_kept_is_not_the_sum_and_of_nothing_else(empty_store: Path, tmp_path: Path) -> None:
    """Who sees sums of rows of their own choice can solve for other rows with the same sum: no sum is ever written down."""
    shutil.copytree(empty_store, tmp_path / "store")
    store, place = Store.open(tmp_path / "store"), str(tmp_path / "table")
    for _ in range(3):
        write_deltalake(place, pa.table({"id": [1]}), mode="append")
        take(store, place, scheme=KEY)
    sums = KEY.of([pa.record_batch({"id": [1]})], ID)
    kept = [row["checksum"] for table in ("snapshots", "snapshot_files") for row in store.arrow(table).to_pylist()]
    assert len({text[32:] for text in kept}) == len({text[:32] for text in kept}) == 6
    assert not any(f"{sums.total:064x}" in text for text in kept)
    first, second = snapshots(store, algorithm=KEY.algorithm)[:2]
    write_deltalake(place, pa.table({"id": [1]}), mode="overwrite")
    put = replace(first, delta_version=3)  # the rows of version 0 and its checksum in the place of version 3's
    assert not verify(store, put, place, scheme=KEY).holds
    assert verify(store, second, place, scheme=KEY).holds
    assert not verify(store, replace(second, name="another dataset"), place, scheme=KEY).holds


def test_keys_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(SnapshotError, match="cannot be read: No such file"):
        keyed(str(file))
    for size in (0, 15, 65):
        file.write_bytes(b"k" * size)
        with pytest.raises(SnapshotError, match=f"has {size} bytes"):
            keyed(str(file))
    file.write_bytes(KEY.key)
    assert keyed(str(file)) == KEY
