"""What a column's values are hashed as: the types of Spark in classes that survive widening, with a number for each column.

docs/checksum.md is the specification; this is its part "Classes of types".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SnapshotError

ALGORITHM = "rowsum-xx64x2-v1"
MASK64 = (1 << 64) - 1
LANES = (0x243F6A8885A308D3, 0x13198A2E03707344)
"""What each of the two hashes of a row begins with: the first 128 bits of the fraction of pi."""
SEED = 42
"""That of Spark's `xxhash64` function, which has no other."""

_DECIMAL = re.compile(r"decimal\((\d+),\s*(-?\d+)\)")
_TIME = re.compile(r"time\(\d+\)")
_SHORT_DECIMAL = 18
_ATOMS = {
    "byte": "integer", "short": "integer", "integer": "integer", "long": "integer",
    "float": "floating", "double": "floating",
    "boolean": "boolean", "date": "date", "timestamp": "timestamp", "timestamp_ntz": "timestamp_ntz",
    "string": "string", "binary": "binary", "variant": "variant", "void": "void",
}  # fmt: skip
_TEXT = re.compile(r"(?:char|varchar)\(\d+\)|string collate .+")
PHYSICAL_NAME = "delta.columnMapping.physicalName"
_MONTHS, _MICROS = "interval months", "interval microseconds"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is hashed. `name` is the class of its type, `spark` the type as Spark writes it, `parts` what it is made of:
    the fields of a struct by name, the element of an array, the key and the value of a map."""

    name: str
    spark: str
    parts: tuple[Column, ...] = ()

    @property
    def label(self) -> str:
        """The class with the classes within an array or a map, as it goes into a column's key."""
        if self.name in ("array", "map"):
            return f"{self.name}<{','.join(part.kind.label for part in self.parts)}>"
        return self.name


@dataclass(frozen=True, slots=True)
class Column:
    """A column, a field of a struct, or a part of an array or a map.

    `stored` is its name in a table's data files, where that is another one (Delta's column mapping).
    """

    name: str
    kind: Kind
    nullable: bool
    stored: str

    def key(self, lane: int) -> int:
        """64 bits for its presence in a row: of its name and of its class."""
        return key_of(f"{self.kind.label} {self.name}", lane)


def key_of(text: str, lane: int) -> int:
    """The first or second 8 bytes, little-endian, of the SHA-256 of the text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[8 * lane : 8 * lane + 8], "little")


def columns_of(schema: str | Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of a schema in Spark's JSON (`df.schema.json()`, Delta's `schemaString`), by name.

    Raises SnapshotError for a type that has no canonical encoding, by its name and the column's, and for two columns of a name.
    """
    parsed = json.loads(schema) if isinstance(schema, str) else schema
    return _fields(parsed, "")


def schema_hash(columns: tuple[Column, ...]) -> str:
    """32 hexadecimal digits for names and types, whatever the order and nullability of the columns, and their comments."""
    return hashlib.sha256("\n".join(_described(columns, "")).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def layout_hash(columns: tuple[Column, ...]) -> str:
    """As `schema_hash`, with what the columns are called in the data files: that tells a column that was dropped from one of the
    same name and type that was added after it. (The 2 is for sums that say whether the file has more than was summed.)"""
    lines = ["2", *_described(columns, "", stored=True)]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def classes_hash(columns: tuple[Column, ...]) -> str:
    """32 hexadecimal digits for names and classes: what the hashes of rows depend on. As ``RowHash.java`` makes it."""
    return hashlib.sha256(_classes(columns).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _classes(columns: tuple[Column, ...]) -> str:
    return "".join(
        f"{len(column.name.encode('utf-8', 'surrogatepass'))}:{column.name}{column.kind.label}"
        f"{f'({_classes(column.kind.parts)})' if column.kind.name == 'struct' else ''}\n"
        for column in columns
    )


def covers(wider: tuple[Column, ...], narrower: tuple[Column, ...]) -> bool:
    """Whether a sum of rows of the narrower schema is the sum of the same rows under the wider one, where what is missing is null.

    So it is where each column of the one is in the other with the same class: an absent value and a null add nothing to a row's mask.
    """
    known = {column.name: column for column in wider}
    return all(column.name in known and _kind_covers(known[column.name].kind, column.kind) for column in narrower)


def _kind_covers(wider: Kind, narrower: Kind) -> bool:
    if wider.label != narrower.label:
        return False
    if wider.name == "struct":
        return covers(wider.parts, narrower.parts)
    return all(_kind_covers(one.kind, other.kind) for one, other in zip(wider.parts, narrower.parts, strict=True))


def _described(columns: tuple[Column, ...], prefix: str, stored: bool = False) -> Iterator[str]:
    for column in columns:
        path = f"{prefix}{_quoted(column.name)}"
        yield f"{path} {column.kind.spark}{f' {_quoted(column.stored)}' if stored else ''}"
        yield from _described(column.kind.parts, f"{path}.", stored)


def _quoted(name: str) -> str:
    return json.dumps(name)


def _fields(struct: Mapping[str, Any], path: str) -> tuple[Column, ...]:
    columns = [
        Column(
            field["name"],
            _kind(field["type"], f"{path}{field['name']}"),
            bool(field.get("nullable", True)),
            (field.get("metadata") or {}).get(PHYSICAL_NAME, field["name"]),
        )
        for field in struct["fields"]
    ]
    if len({column.name for column in columns}) < len(columns):
        names = sorted({column.name for column in columns if sum(other.name == column.name for other in columns) > 1})
        raise SnapshotError(f"no checksum of a schema in which two columns are called {', '.join(names)}; rename one of them")
    return tuple(sorted(columns, key=lambda column: column.name.encode("utf-8", "surrogatepass")))


def _kind(data_type: str | Mapping[str, Any], path: str) -> Kind:
    if isinstance(data_type, str):
        return _atom(data_type, path)
    match data_type.get("type"):
        case "struct":
            return Kind("struct", "struct", _fields(data_type, f"{path}."))
        case "array":
            element = Column(
                "element", _kind(data_type["elementType"], f"{path}.element"), bool(data_type["containsNull"]), "element"
            )
            return Kind("array", "array", (element,))
        case "map":
            key = Column("key", _kind(data_type["keyType"], f"{path}.key"), False, "key")
            value = Column(
                "value", _kind(data_type["valueType"], f"{path}.value"), bool(data_type["valueContainsNull"]), "value"
            )
            return Kind("map", "map", (key, value))
        case "udt":
            return _kind(data_type["sqlType"], path)
        case other:
            raise _refused(str(other), path)


def _atom(data_type: str, path: str) -> Kind:
    if data_type in _ATOMS:
        return Kind(_ATOMS[data_type], data_type)
    if decimal := _DECIMAL.fullmatch(data_type):
        storage = _SHORT_DECIMAL if int(decimal[1]) <= _SHORT_DECIMAL else 38
        return Kind(f"decimal({storage},{decimal[2]})", f"decimal({decimal[1]},{decimal[2]})")
    if _TEXT.fullmatch(data_type):
        return Kind("string", data_type)
    if _TIME.fullmatch(data_type):
        return Kind("time", data_type)
    if data_type.startswith("interval "):
        return Kind(_MONTHS if set(data_type.split()[1:]) <= {"year", "month", "to"} else _MICROS, data_type)
    raise _refused(data_type, path)


def _refused(data_type: str, path: str) -> SnapshotError:
    return SnapshotError(
        f"column {path} is of type {data_type}, which has no canonical encoding; leave the column out to have one"
    )
