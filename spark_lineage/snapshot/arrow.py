"""The checksum of Arrow data, without a JVM: the same bits as Spark's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SnapshotError
from .kinds import ALGORITHM, LANES, SEED, Column, Kind, key_of
from .sums import Sums
from .xxh64 import Words, chained_longs, hash_bytes, hash_int, hash_long

_ROWS_AT_A_TIME = 1 << 16
_FEW = 8
_NULL = np.array([[key_of("null", lane)] for lane in range(len(LANES))], np.uint64)
_LANES = np.array([[lane] for lane in LANES], np.uint64)
_ALONE = hash_long(_LANES, np.full_like(_LANES, SEED))
"""The state before a value that is hashed by itself."""
_VIEWS = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
"""What pyarrow cannot filter, and what can hold it."""
_CANONICAL_NAN = np.uint64(0x7FF8000000000000)


@dataclass(frozen=True, slots=True)
class Values:
    """An array with no null among its values, or with nulls of which `valid` tells (None: there are none)."""

    array: pa.Array
    valid: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Bytes:
    """Values as bytes: each is `data[start : start + length]`."""

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


def sums_of(batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Sums:
    """The checksum of these rows, which may lack some of the columns (they are null then) and have others (they do not count).

    Raises SnapshotError for a column of a type that is left to Spark.
    """
    total = Sums(0, 0, 0)
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
            hashes = row_hashes(batch.slice(start, _ROWS_AT_A_TIME), columns)
            total += Sums.of(hashes)
    return total


@dataclass(frozen=True, slots=True)
class Plain:
    """The algorithm without a key."""

    algorithm: str = ALGORITHM

    @property
    def zero(self) -> Sums:
        return Sums(0, 0, 0)

    def of(self, batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Sums:
        return sums_of(batches, columns)

    def text(self, sums: Sums, bound: str = "") -> str:
        return sums.checksum

    def parse(self, rows: int, checksum: str, bound: str = "") -> Sums:
        return Sums.parse(rows, checksum)


PLAIN = Plain()


def row_hashes(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> Words:
    """Shape (lanes, rows)."""
    present = {name: batch.column(at) for at, name in enumerate(batch.schema.names)}
    parts = [(column, values_of(present[column.stored])) for column in columns if column.stored in present]
    return _struct(parts, batch.num_rows)


def without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With texts and bytes, also within nested values, as what pyarrow can filter."""
    for at, name in enumerate(batch.schema.names):
        held = _held(batch.column(at).type)
        if held != batch.column(at).type:
            batch = batch.set_column(at, name, batch.column(at).cast(held))
    return batch


def _held(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_held(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_field.with_type(_held(kind.key_type)), kind.item_field.with_type(_held(kind.item_type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_held(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_held(kind.value_type)))
    return _VIEWS.get(kind, kind)


def _struct(parts: list[tuple[Column, Values]], rows: int) -> Words:
    mask = np.repeat(_LANES, rows, axis=1)
    for column, values in parts:
        key = np.array([[column.key(lane)] for lane in range(len(LANES))], np.uint64)
        mask ^= key if values.valid is None else np.where(values.valid, key, np.uint64(0))
    state = hash_long(mask, np.full_like(mask, SEED))
    for column, values in parts:
        state = _chained(column.kind, values, state)
    return state


def _chained(kind: Kind, values: Values, state: Words) -> Words:
    """The state after the values; where there is none it stays as it was."""
    if kind.name == "void":
        return state
    if values.valid is None:
        return _hashed(kind, values.array, state)
    at = np.flatnonzero(values.valid)
    if len(at):
        state[:, at] = _hashed(kind, values.array.filter(pa.array(values.valid)), state[:, at])
    return state


def _hashed(kind: Kind, array: pa.Array, state: Words) -> Words:
    """The state after values none of which is null."""
    match kind.name:
        case "struct":
            fields = {array.type.field(at).name: at for at in range(array.type.num_fields)}
            parts = [(part, values_of(array.field(fields[part.stored]))) for part in kind.parts if part.stored in fields]
            return hash_long(_struct(parts, len(array)), state)
        case "array":
            starts, lengths, flat = flattened(array, array.values)
            return _sequence(_elements(kind.parts[0].kind, flat), starts, lengths, state)
        case "map":
            starts, lengths, keys = flattened(array, array.keys)
            _, _, items = flattened(array, array.items)
            key_hashes, value_hashes = _elements(kind.parts[0].kind, keys), _elements(kind.parts[1].kind, items)
            alone = np.broadcast_to(_ALONE, key_hashes.shape)
            entries = hash_long(value_hashes, hash_long(key_hashes, alone))
            rows = np.repeat(np.arange(len(lengths)), lengths)
            for lane in range(len(LANES)):
                entries[lane] = entries[lane][np.lexsort((entries[lane].view(np.int64), rows))]
            return _sequence(entries, starts, lengths, state)
        case _:
            return _atoms(kind, array, state)


def _sequence(hashes: Words, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], state: Words) -> Words:
    """The state after the number of elements and then each of them."""
    state = hash_long(lengths.astype(np.uint64), state)
    rows, step = np.arange(len(lengths)), 0
    while len(rows := rows[lengths[rows] > step]):
        if len(rows) <= _FEW and step > _FEW:
            for row in rows:  # numbers of Python are quicker than arrays of so few
                for lane in range(len(LANES)):
                    rest = hashes[lane, starts[row] + step : starts[row] + lengths[row]].tolist()
                    state[lane, row] = chained_longs(rest, int(state[lane, row]))
            break
        state[:, rows] = hash_long(hashes[:, starts[rows] + step], state[:, rows])
        step += 1
    return state


def _elements(kind: Kind, array: pa.Array) -> Words:
    """A hash of each element by itself, a number of its own for a null."""
    values = values_of(array)
    if kind.name == "void":
        return np.repeat(_NULL, len(array), axis=1)
    hashes = _chained(kind, values, np.repeat(_ALONE, len(array), axis=1))
    return hashes if values.valid is None else np.where(values.valid, hashes, _NULL)


def _atoms(kind: Kind, array: pa.Array, state: Words) -> Words:
    match plain(kind, array):
        case Bytes() as texts:
            return hash_bytes(texts.data, texts.starts, texts.lengths, state)
        case numbers if numbers.dtype == np.uint32:
            return hash_int(numbers, state)
        case numbers:
            return hash_long(numbers, state)


def plain(kind: Kind, array: pa.Array) -> npt.NDArray[Any] | Bytes:
    """Values none of which is null, in the form of their class: 64-bit or 32-bit numbers, or bytes.

    Raises SnapshotError for a class that is left to Spark.
    """
    match kind.name:
        case "integer" | "interval microseconds":
            return _longs(array, pa.int64())
        case "floating":
            doubles = array.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # -0.0 + 0.0 is 0.0
            return np.where(np.isnan(doubles), _CANONICAL_NAN, doubles.view(np.uint64))
        case "boolean":
            return array.cast(pa.uint8()).to_numpy(zero_copy_only=False).astype(np.uint32)
        case "date" | "interval months":
            return _ints(array)
        case "timestamp" | "timestamp_ntz":
            return _longs(
                array.cast(pa.timestamp("us", array.type.tz if pa.types.is_timestamp(array.type) else None)), pa.int64()
            )
        case "time":
            return _longs(array.cast(pa.time64("ns")), pa.int64())
        case "string" | "binary":
            return _bytes(array.cast(pa.large_binary()))
        case name if name.startswith("decimal("):
            return _decimals(kind, array)
        case other:
            raise SnapshotError(f"values of type {other} are left to Spark")


def _decimals(kind: Kind, array: pa.Array) -> npt.NDArray[Any] | Bytes:
    storage, scale = (int(number) for number in kind.name[len("decimal(") : -1].split(","))
    array = array.cast(pa.decimal128(38, scale))
    low_high = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    if storage <= 18:
        return np.ascontiguousarray(low_high[:, 0])
    big_endian = np.frombuffer(low_high.tobytes(), np.uint8).reshape(-1, 16)[:, ::-1]
    # as few bytes as hold the number in two's complement: what only repeats the sign goes
    sign = np.where(big_endian[:, :1] >= 0x80, 0xFF, 0).astype(np.uint8)
    differs = big_endian != sign
    first = np.where(differs.any(axis=1), differs.argmax(axis=1), 15)
    bit = big_endian[np.arange(len(first)), first] >= 0x80
    first = np.maximum(np.where(differs.any(axis=1) & (bit != (sign[:, 0] == 0xFF)), first - 1, first), 0)
    flat = np.ascontiguousarray(big_endian).reshape(-1)
    return Bytes(flat, np.arange(len(first), dtype=np.int64) * 16 + first, (16 - first).astype(np.int64))


def _longs(array: pa.Array, to: pa.DataType) -> Words:
    return np.ascontiguousarray(array.cast(to).to_numpy(zero_copy_only=False)).view(np.uint64)


def _ints(array: pa.Array) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(array.cast(pa.int32()).to_numpy(zero_copy_only=False)).view(np.uint32)


def _bytes(array: pa.Array) -> Bytes:
    _, offsets_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer else np.empty(0, np.uint8)
    low = int(offsets[0]) if len(offsets) else 0
    data = data[low : int(offsets[-1]) if len(offsets) else 0]
    return Bytes(data, offsets[:-1] - low, np.diff(offsets))


def flattened(array: pa.Array, children: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], pa.Array]:
    """(first element, number of elements) of each list, and the elements of all of them, one after the other."""
    offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    lengths = np.diff(offsets)
    low, high = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    return offsets[:-1] - low, lengths, children.slice(low, high - low)


def values_of(array: pa.Array) -> Values:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.type in _VIEWS:
        array = array.cast(_VIEWS[array.type])
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_field))
    if not array.null_count:
        return Values(array, None)
    return Values(array, pc.is_valid(array).to_numpy(zero_copy_only=False))
