"""What datasets are recorded, and with which columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import NotFound
from .answers import DatasetSummary
from .moment import from_microseconds
from .names import Key, Names
from .tables import Tables

_DATASET = ("namespace", "name", "aliases", "format", "location", "schema_hash", "last_seen_at")
_USE = ("namespace", "name", "table_id", "delta_version", "event_time", "job_name")


def summaries(tables: Tables, names: Names) -> tuple[DatasetSummary, ...]:
    """All datasets, by name."""
    return tuple(found for _, found in sorted(_summaries(tables, names, None).items()))


def summary(tables: Tables, names: Names, key: Key) -> DatasetSummary:
    """One dataset. Raises `NotFound` for a key that is not recorded."""
    found = _summaries(tables, names, key).get(key)
    if found is None:
        raise NotFound(f"no dataset {key[1]!r} in {key[0]!r} is recorded; `spark-lineage datasets` lists all that are")
    return found


@dataclass(frozen=True)
class Fields:
    """The columns of a dataset's last known schema, and the fields within; none where no schema is known.

    Paths are those of lineage, which looks through arrays and maps: ``items.price`` is stored as ``items.element.price``.
    """

    types: dict[str, tuple[str, bool]]
    """Path -> data type and nullability, in the order of the schema."""
    stored: dict[str, str]
    """The path as the schema has it, in lower case -> the path."""

    def path(self, column: str) -> str:
        """The path that somebody means who may spell it as the schema does."""
        return self.stored.get(column.lower(), column)

    def lacks(self, column: str) -> bool:
        """Whether there can be no such field: it would lie in a plain value, or in a struct whose fields are known."""
        wanted = column.lower()
        known = {path.lower(): data_type for path, (data_type, _) in self.types.items()}
        if any(path == wanted or path.startswith(wanted + ".") for path in known):
            return False
        above = max((path for path in known if wanted.startswith(path + ".")), key=len, default=None)
        if above is None:
            return False
        return any(path.startswith(above + ".") for path in known) or not _may_hold_fields(known[above])


def schema(tables: Tables, key: Key) -> Fields:
    rows = tables.rows("datasets", ("namespace", "name", "schema_hash", "last_seen_at"), {"name": {key[1]}})
    seen = sorted((last or 0, hashed) for namespace, name, hashed, last in rows if (namespace, name) == key and hashed)
    if not seen:
        return Fields({}, {})
    schemas = tables.rows("schemas", ("schema_hash", "fields"), {"schema_hash": {seen[-1][1]}})
    recorded = next((fields for hashed, fields in schemas if hashed == seen[-1][1]), None)
    ordered = sorted(recorded or (), key=lambda field: field["ordinal"])
    stored = _looked_through({field["path"]: field["data_type"] for field in ordered})
    types: dict[str, tuple[str, bool]] = {}
    for field in ordered:
        types.setdefault(stored[field["path"]], (field["data_type"], field["nullable"]))
    return Fields(types, {path.lower(): found for path, found in stored.items()})


def _looked_through(stored: dict[str, str]) -> dict[str, str]:
    """Path as stored -> path without the elements of arrays and the keys and values of maps that lie on it."""
    found: dict[str, str] = {}
    for path in stored:
        above = next((path[:dot] for dot in _dots(path) if path[:dot] in found), None)
        if above is None:
            found[path] = path
            continue
        rest, data_type = path[len(above) + 1 :], stored[above].lower()
        while (step := rest.partition("."))[2] and step[0] in _WITHIN.get(data_type.partition("<")[0], ()):
            rest, data_type = step[2], _inner(data_type, step[0])
        found[path] = f"{found[above]}.{rest}"
    return found


_WITHIN = {"array": ("element",), "map": ("key", "value")}


def _inner(data_type: str, step: str) -> str:
    """The type of an array's element, or of a map's key or value."""
    inside = data_type.partition("<")[2].removesuffix(">")
    if step == "element":
        return inside
    depth = 0
    for position, mark in enumerate(inside):
        depth += (mark in "<(") - (mark in ">)")
        if mark == "," and depth == 0:
            return inside[:position] if step == "key" else inside[position + 1 :]
    return inside


def _dots(path: str) -> Iterator[int]:
    """Where a path may end, the longest beginning first."""
    return (position for position in range(len(path) - 1, 0, -1) if path[position] == ".")


def _may_hold_fields(data_type: str) -> bool:
    return "<" in data_type or data_type in ("variant", "udt")


def known_columns(tables: Tables, key: Key) -> list[str]:
    """The columns of the last schema, and all that an edge leads to or comes from."""
    columns = dict.fromkeys(schema(tables, key).types)
    for side in ("target", "source"):
        wanted = (f"{side}_namespace", f"{side}_name", f"{side}_column")
        rows = tables.rows("column_lineage", wanted, {f"{side}_name": {key[1]}})
        columns |= dict.fromkeys(column for *dataset, column in rows if tuple(dataset) == key and column)
    return list(columns)


def _summaries(tables: Tables, names: Names, only: Key | None) -> dict[Key, DatasetSummary]:
    where = {"name": {only[1]}} if only else None
    writes = _by_key(tables.rows("outputs", _USE, where))
    reads = _by_key(tables.rows("inputs", _USE, where))
    last: dict[Key, tuple[Any, ...]] = {}
    for row in tables.rows("datasets", _DATASET, where):
        if row[:2] not in last or (row[-1] or 0) >= (last[row[:2]][-1] or 0):
            last[row[0], row[1]] = row
    hashes = {row[5] for row in last.values() if row[5]}
    widths = {
        hashed: _width(sorted(fields or (), key=lambda field: field["ordinal"]))
        for hashed, fields in tables.rows("schemas", ("schema_hash", "fields"), {"schema_hash": hashes})
    }
    return {
        key: _summary(names, key, row, widths.get(row[5]), writes.get(key, []), reads.get(key, [])) for key, row in last.items()
    }


def _width(fields: Iterable[dict[str, Any]]) -> int:
    """How many columns there are: fields of structs follow their column; a dot in a column's own name makes it no field."""
    count, column = 0, None
    for field in fields:
        if column is None or not field["path"].startswith(column + "."):
            count += 1
            column = field["path"] if field["data_type"].endswith(">") else None
    return count


def _summary(
    names: Names,
    key: Key,
    row: tuple[Any, ...],
    columns: int | None,
    writes: list[tuple[Any, ...]],
    reads: list[tuple[Any, ...]],
) -> DatasetSummary:
    _, _, _, format_, location, _, seen = row
    last_write = max(writes, key=lambda use: use[4] or 0, default=None)
    last_use = max(
        (use for use in (*writes, *reads) if use[3] is not None), key=lambda use: (use[4] or 0, use[3]), default=None
    )
    return DatasetSummary(
        namespace=key[0],
        name=key[1],
        label=names.label(key),
        aliases=names.known[key].aliases,
        format=format_,
        location=location,
        version=last_use[3] if last_use else None,
        columns=columns,
        writes=len(writes),
        reads=len(reads),
        last_written_at=from_microseconds(last_write[4]) if last_write and last_write[4] is not None else None,
        last_job=last_write[5] if last_write else None,
        last_seen_at=from_microseconds(seen) if seen is not None else None,
    )


def _by_key(rows: list[tuple[Any, ...]]) -> dict[Key, list[tuple[Any, ...]]]:
    uses: dict[Key, list[tuple[Any, ...]]] = {}
    for row in rows:
        uses.setdefault((row[0], row[1]), []).append(row)
    return uses
