"""The lineage tables as rows, read by deltalake's own engine.

Neither pyarrow nor DuckDB is imported: importing `pyarrow.dataset` alone costs more than all the rest of a question
(`benchmarks/asking.py` prints both), and a walk needs plain rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..config import local_path
from ..errors import StoreError, StoreNotFound

Where = Mapping[str, Collection[str]]
"""Conditions that must all hold: column -> the texts it may have."""

SCHEMA_VERSION = 11
"""That of `store.schemas` (a test says so), which would have to import pyarrow to say it."""

MOST_TEXTS = 2_000
"""Beyond this many texts a condition is not pushed down: reading the column costs less than comparing it."""


class Tables(Protocol):
    """Whatever rows of the lineage tables can be read from."""

    def rows(self, table: str, columns: Sequence[str], where: Where | None = None) -> list[tuple[Any, ...]]:
        """The rows of `table`, each a tuple in the order of `columns`.

        Times are integers, microseconds since the epoch in UTC. `where` may let through more than it says.
        """


class DeltaTables:
    """The lineage tables in one folder or object store prefix."""

    def __init__(self, location: str) -> None:
        """Raises `StoreNotFound` where `location` holds no lineage tables, `SchemaVersionError`, `StoreError`."""
        path = local_path(location)
        self.location = location.rstrip("/") if path is None else str(path.absolute())
        if path is not None:
            _check_folder(location, path)
        versions = [version for (version,) in self.rows("store_info", ("schema_version",))]
        if not versions:
            raise StoreNotFound(_not_found(location, "nothing was written there yet"))
        if max(versions) != SCHEMA_VERSION:
            self._refuse_other_version()

    def rows(self, table: str, columns: Sequence[str], where: Where | None = None) -> list[tuple[Any, ...]]:
        """As `Tables.rows`. Raises `StoreError` where the table cannot be read, or is gone: a store has all of its tables from
        its first day on, so that one without rows is no answer about one that is not there."""
        from deltalake import DeltaTable, QueryBuilder
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            delta = DeltaTable(f"{self.location}/{table}")
            there = {field.name: _is_time(field.type) for field in delta.schema().fields}
            selected = ", ".join(_selected(column, there) for column in columns)
            query = f"SELECT {selected} FROM t{_condition(where or {})}"
            batch = QueryBuilder().register("t", delta).execute(query).read_all()
        except TableNotFoundError as error:
            if table == "store_info":
                return []
            raise StoreError(
                f"{self.location} holds lineage tables, but {table} is not among them: bring {self.location}/{table} back from "
                "a copy, or name another store with --store or SPARK_LINEAGE_STORE"
            ) from error
        except (DeltaError, OSError, ValueError) as error:
            from ..store.tables import unreadable

            raise unreadable(self.location, f"the lineage table {table}", error) from error
        return list(zip(*(batch.column(n).to_pylist() for n in range(len(columns))), strict=True))

    def _refuse_other_version(self) -> None:
        """Raises what the store raises for a version that this release cannot use; one that it can use passes."""
        from ..store.tables import Store

        Store.open(self.location)


def _selected(column: str, there: Mapping[str, bool]) -> str:
    """A column that an older store does not have yet reads as null."""
    if column not in there:
        return f'NULL AS "{column}"'
    return f'CAST("{column}" AS BIGINT) AS "{column}"' if there[column] else f'"{column}"'


def _condition(where: Where) -> str:
    clauses = [
        f'"{column}" IN ({", ".join(_quoted(text) for text in sorted(texts))})'
        for column, texts in where.items()
        if 0 < len(texts) <= MOST_TEXTS
    ]
    clauses += ["FALSE" for texts in where.values() if not texts]
    return f" WHERE {' AND '.join(clauses)}" if clauses else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _is_time(data_type: object) -> bool:
    return getattr(data_type, "type", "") in ("timestamp", "timestamp_ntz")


def _check_folder(location: str, path: Path) -> None:
    """Raises `StoreNotFound`, and `StoreError` for a folder that may not be looked into: deltalake takes it for an empty one."""
    try:
        if (path / "store_info" / "_delta_log").is_dir():
            return
    except OSError as error:
        raise StoreError(
            f"{location} cannot be looked into: {error.strerror or error}. Have this user given the right to read it, or name "
            "another store with --store or SPARK_LINEAGE_STORE"
        ) from error
    what = "the folder has none in it" if path.is_dir() else "it is no folder" if path.exists() else "there is no such folder"
    raise StoreNotFound(_not_found(location, what))


def _not_found(location: str, what: str) -> str:
    return (
        f"no lineage tables at {location}: {what}. Name the store with --store or SPARK_LINEAGE_STORE, "
        "or record a first run with `spark-lineage run -- COMMAND`."
    )
