"""The keyed checksum: for those who need one that nobody can make come out without the key.

docs/checksum.md specifies the algorithm `rowsum-blake2b-v2`; it is the multiset hash MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend
and Suh (Asiacrypt 2003) with keyed BLAKE2b as its pseudorandom function. What it adds to the sum for a number that is used once hides
the sum: who sees sums of rows of their own choice can solve for others that come to the same one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..errors import SnapshotError
from .arrow import Bytes, Values, flattened, plain, values_of
from .kinds import Column, Kind

NAME = "rowsum-blake2b-v2"
MOST_KEY, LEAST_KEY = 64, 16
"""Bytes: what BLAKE2b takes, and less than which can be found by trying."""
_SIZE, _NONCE = 32, 16
_MODULUS = 1 << 8 * _SIZE
_ROWS_AT_A_TIME = 1 << 14
_Encoded = list[bytes | None]


@dataclass(frozen=True, slots=True)
class KeyedSums:
    """How many rows, and the sum of their 256-bit hashes."""

    rows: int
    total: int

    def __add__(self, other: KeyedSums) -> KeyedSums:
        return KeyedSums(self.rows + other.rows, (self.total + other.total) % _MODULUS)

    def __sub__(self, other: KeyedSums) -> KeyedSums:
        return KeyedSums(self.rows - other.rows, (self.total - other.total) % _MODULUS)


@dataclass(frozen=True, slots=True)
class Keyed:
    """The algorithm under a key. Its `algorithm` names the key by a hash, so that sums under different keys are never mixed."""

    key: bytes

    @property
    def algorithm(self) -> str:
        named = hashlib.blake2b(b"spark-lineage key", key=self.key, digest_size=8).hexdigest()
        return f"{NAME}:{named}"

    def __repr__(self) -> str:
        return f"Keyed({self.algorithm})"

    @property
    def zero(self) -> KeyedSums:
        return KeyedSums(0, 0)

    def of(self, batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> KeyedSums:
        """As `arrow.sums_of`."""
        rows = total = 0
        start = hashlib.blake2b(key=self.key, digest_size=_SIZE)
        for batch in batches:
            for at in range(0, batch.num_rows, _ROWS_AT_A_TIME):
                for encoded in row_encodings(batch.slice(at, _ROWS_AT_A_TIME), columns):
                    one = start.copy()
                    one.update(encoded)
                    total += int.from_bytes(one.digest(), "little")
                    rows += 1
            total %= _MODULUS
        return KeyedSums(rows, total % _MODULUS)

    def text(self, sums: KeyedSums, bound: str, nonce: bytes | None = None) -> str:
        """96 hexadecimal digits, other ones each time: a nonce, and the sum with a mask for it and for `bound`."""
        nonce = secrets.token_bytes(_NONCE) if nonce is None else nonce
        return f"{nonce.hex()}{(sums.total + self._mask(nonce, bound)) % _MODULUS:0{2 * _SIZE}x}"

    def parse(self, rows: int, checksum: str, bound: str) -> KeyedSums:
        nonce, masked = bytes.fromhex(checksum[: 2 * _NONCE]), int(checksum[2 * _NONCE :], 16)
        return KeyedSums(rows, (masked - self._mask(nonce, bound)) % _MODULUS)

    def _mask(self, nonce: bytes, bound: str) -> int:
        one = hashlib.blake2b(nonce, key=self.key, digest_size=_SIZE, person=b"mask")
        one.update(bound.encode("utf-8", "surrogatepass"))
        return int.from_bytes(one.digest(), "little")


def keyed(path: str) -> Keyed:
    """The algorithm under the key in a file: its bytes as they are. Raises SnapshotError for a file that is none."""
    try:
        key = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise SnapshotError(
            f"the key {path} cannot be read: {error.strerror}; `head -c 32 /dev/urandom > FILE` makes one"
        ) from error
    if not LEAST_KEY <= len(key) <= MOST_KEY:
        raise SnapshotError(
            f"the key {path} has {len(key)} bytes; from {LEAST_KEY} to {MOST_KEY} make one: `head -c 32 /dev/urandom > FILE`"
        )
    return Keyed(key)


def row_encodings(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> list[bytes]:
    """The bytes of each row: no two rows with different content have the same."""
    present = {name: batch.column(at) for at, name in enumerate(batch.schema.names)}
    parts = [(column, values_of(present[column.stored])) for column in columns if column.stored in present]
    return _struct(parts, batch.num_rows)


def _struct(parts: list[tuple[Column, Values]], rows: int) -> list[bytes]:
    fields = [
        (_prefixed(f"{column.kind.label} {column.name}".encode("utf-8", "surrogatepass")), _encoded(column.kind, values))
        for column, values in parts
        if column.kind.name != "void"
    ]
    result = []
    for row in range(rows):
        there = [(label, field[row]) for label, field in fields if field[row] is not None]
        result.append(_number(len(there)) + b"".join(part for one in there for part in one if part is not None))
    return result


def _encoded(kind: Kind, values: Values) -> _Encoded:
    """Of each value its bytes, None for a null."""
    if values.valid is None:
        return list(_bodies(kind, values.array))
    result: _Encoded = [None] * len(values.valid)
    at = np.flatnonzero(values.valid)
    if len(at):
        for row, body in zip(at.tolist(), _bodies(kind, values.array.filter(pa.array(values.valid))), strict=True):
            result[row] = body
    return result


def _bodies(kind: Kind, array: pa.Array) -> list[bytes]:
    match kind.name:
        case "struct":
            fields = {array.type.field(at).name: at for at in range(array.type.num_fields)}
            parts = [(part, values_of(array.field(fields[part.stored]))) for part in kind.parts if part.stored in fields]
            return _struct(parts, len(array))
        case "array":
            starts, lengths, flat = flattened(array, array.values)
            elements = _elements(kind.parts[0].kind, flat)
            return [
                _number(length) + b"".join(elements[start : start + length])
                for start, length in zip(starts, lengths, strict=True)
            ]
        case "map":
            starts, lengths, keys = flattened(array, array.keys)
            _, _, items = flattened(array, array.items)
            pairs = zip(_elements(kind.parts[0].kind, keys), _elements(kind.parts[1].kind, items), strict=True)
            entries = [key + item for key, item in pairs]
            return [
                _number(length) + b"".join(sorted(entries[start : start + length]))
                for start, length in zip(starts, lengths, strict=True)
            ]
        case _:
            return _atoms(kind, array)


def _elements(kind: Kind, array: pa.Array) -> list[bytes]:
    if kind.name == "void":
        return [b"\0"] * len(array)
    return [b"\0" if body is None else b"\1" + body for body in _encoded(kind, values_of(array))]


def _atoms(kind: Kind, array: pa.Array) -> list[bytes]:
    values = plain(kind, array)
    if isinstance(values, Bytes):
        data = values.data.tobytes()
        ranges = zip(values.starts.tolist(), values.lengths.tolist(), strict=True)
        return [_prefixed(data[start : start + length]) for start, length in ranges]
    width = values.dtype.itemsize
    data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return [data[at : at + width] for at in range(0, len(data), width)]


def _prefixed(value: bytes) -> bytes:
    return _number(len(value)) + value


def _number(value: int) -> bytes:
    return int(value).to_bytes(8, "little")
