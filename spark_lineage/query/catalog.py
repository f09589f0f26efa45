"""What datasets are recorded, and with which columns."""

from __future__ import annotations

from collections.abc import Iterable
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


def schema(tables: Tables, key: Key) -> dict[str, tuple[str, bool]]:
    """Path -> data type and nullability, in the order of the dataset's last known schema; empty where none is known."""
    rows = tables.rows("datasets", ("namespace", "name", "schema_hash", "last_seen_at"), {"name": {key[1]}})
    seen = sorted((last or 0, hashed) for namespace, name, hashed, last in rows if (namespace, name) == key and hashed)
    if not seen:
        return {}
    fields = tables.rows("schemas", ("schema_hash", "fields"), {"schema_hash": {seen[-1][1]}})
    return {
        field["path"]: (field["data_type"], field["nullable"])
        for hashed, recorded in fields
        if hashed == seen[-1][1]
        for field in sorted(recorded or (), key=lambda field: field["ordinal"])
    }


def known_columns(tables: Tables, key: Key) -> list[str]:
    """The columns of the last schema, and all that an edge leads to or comes from."""
    columns = dict.fromkeys(schema(tables, key))
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
