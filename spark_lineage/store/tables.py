"""The lineage tables: open, append, upsert, read. One Delta table a folder under one location, written by deltalake only.

Exactly once: a batch of an inbox is written to a table together with Delta's transaction identifier (inbox id, batch
number); a table that has it is left alone. Whoever commits from a stale view of the table is refused by Delta, looks
again, and finds it there.

What names the store itself is a Delta table too, ``store_info``: it needs nothing that an object store lacks (Delta's
log gives the one atomic step: who creates it first), people can read it like the rest, and its rows keep the history of
schema versions.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake import Transaction as DeltaTransaction
from deltalake.exceptions import CommitFailedError, DeltaError, SchemaMismatchError, TableNotFoundError

from .. import __version__
from ..config import local_path
from ..errors import SchemaVersionError, StoreError, StoreNotFound
from .fold import dataset_key, fold_all, fold_dataset, fold_run, run_key
from .rows import arrow_of, records_of
from .schemas import SCHEMA_VERSION, STORE_INFO, STORE_INFO_SCHEMA, TABLES, TableSchema

COMMIT_ATTEMPTS = 40
"""How often a commit that lost against another writer is tried again, with at most a second between: half a minute."""

MOST_KEYS = 500
"""How many keys one predicate names. deltalake plans `in` as a chain of comparisons, for each file: 500 keys cost a tenth of
a second over 30 files, and 40,000 overflow the stack, which ends the process."""

_FOLDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any], str]] = {
    "runs": (run_key, fold_run, "run_id"),
    "datasets": (dataset_key, fold_dataset, "name"),
}
"""Of each upserted table: a record's key, how two become one, and the column that finds what is recorded."""

EXPIRY = "spark-lineage/expiry"
"""Transaction id under which maintenance deletes rows: when its number changes, keys known to be there may be gone."""

_CONFIGURATION = {"delta.checkpointInterval": "25", "delta.logRetentionDuration": "interval 7 days"}
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|↳")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Transaction:
    """A sealed batch of an inbox.

    Batches of one inbox are brought in in order: batch n + 1 is not begun before n is in every table. So a table that
    has batch n has all before it, which is what Delta's identifier (one number an application) can say.
    """

    inbox_id: str
    batch: int


class Store:
    """The lineage tables at one location. Safe to share between threads; a process keeps one open and reuses it."""

    location: str
    schema_version: int
    executables: str
    """Where the tables of plans that can be run again are: `location`, or a place of their own."""

    def __init__(self, location: str, schema_version: int, executables: str | None = None) -> None:
        self.location = location
        self.schema_version = schema_version
        self.executables = executables or location
        self._handles: dict[str, DeltaTable] = {}
        self._known: dict[tuple[str, str], tuple[int | None, set[str]]] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls, location: str | os.PathLike[str], create: bool = False, executables: str | os.PathLike[str] | None = None
    ) -> Store:
        """The store at a folder or object store URI, its tables made first where `create` says so.

        `executables`: the place of the tables of plans that can be run again, where that is another one.

        Raises StoreNotFound where there is none, SchemaVersionError where it is of another schema version, StoreError
        where it cannot be read (or, with `create`, written).
        """
        place = absolute(location)
        apart = absolute(executables) if executables else place
        version = stored_version(place)
        if version is None:
            if not create:
                raise StoreNotFound(
                    f"there are no lineage tables at {place}; name another place with --store or SPARK_LINEAGE_STORE, "
                    "or ingest something first, which makes them"
                )
            create_tables(place)
            version = stored_version(place) or SCHEMA_VERSION
        _check_version(place, version)
        if create and apart != place:
            create_apart(apart)
        return cls(place, version, apart)

    def append(self, table: str, rows: Sequence[Any], transaction: Transaction | None) -> int:
        """Rows written: all, or 0 where there are none or the table has the transaction. Raises StoreError."""
        return self.append_arrow(table, arrow_of(TABLES[table], rows), transaction) if rows else 0

    def append_arrow(self, table: str, data: pa.Table, transaction: Transaction | None) -> int:
        """The same of rows in the table's own columns and types: those of samples are too many for records."""

        def commit(handle: DeltaTable) -> int:
            write_deltalake(
                handle,
                data,
                mode="append",
                writer_properties=_small_file(TABLES[table]),
                commit_properties=_commit_properties(transaction),
            )
            return int(data.num_rows)

        return self._commit(table, transaction, commit)

    def append_unless(
        self, table: str, rows: Sequence[Any], application: str, there: Callable[[pa.Table], bool], filter: str
    ) -> int:
        """Rows written: all, or 0 where `there` says of the rows for which `filter` holds that they need not be. Raises StoreError.

        Of several that do so at once for one `application` Delta lets one commit, and the others look again.
        """

        def commit(handle: DeltaTable) -> int:
            if there(scan(handle, TABLES[table], filter=filter)):
                return 0
            number = handle.transaction_version(application)
            write_deltalake(
                handle,
                arrow_of(TABLES[table], rows),
                mode="append",
                writer_properties=_small_file(TABLES[table]),
                commit_properties=_commit_properties(Transaction(application, 0 if number is None else number + 1)),
            )
            return len(rows)

        return self._commit(table, None, commit)

    def remove(self, table: str, predicate: str) -> int:
        """Rows that were taken away: those for which the SQL condition holds. Raises StoreError."""

        def commit(handle: DeltaTable) -> int:
            return int(handle.delete(predicate)["num_deleted_rows"] or 0)

        return self._commit(table, None, commit)

    def upsert(self, table: str, rows: Sequence[Any], transaction: Transaction | None) -> int:
        """Rows that changed what is recorded in `runs` or `datasets`; 0 where nothing did. Raises StoreError.

        Reads what is recorded under the keys, folds, and replaces it. A writer who changed any of these keys in
        between is noticed by Delta (it checks what others added against the predicate), and we read again.
        """
        if not rows:
            return 0
        column = _FOLDS[table][2]
        parts = [set(part) for part in in_parts({getattr(row, column) for row in rows})]
        if transaction is not None and len(parts) > 1 and self.has_transaction(table, transaction):
            return 0
        of_parts = [[row for row in rows if getattr(row, column) in part] for part in parts]
        # The last part tells that all are there; a retry folds the earlier ones again, which changes nothing.
        changed = sum(self._upsert_part(table, part, None) for part in of_parts[:-1])
        return changed + self._upsert_part(table, of_parts[-1], transaction)

    def _upsert_part(self, table: str, rows: Sequence[Any], transaction: Transaction | None) -> int:
        schema = TABLES[table]
        key, fold, column = _FOLDS[table]
        predicate = one_of(column, {getattr(row, column) for row in rows})

        def commit(handle: DeltaTable) -> int:
            recorded = records_of(schema, scan(handle, schema, filter=predicate))
            folded = fold_all(recorded, rows, key, fold)
            before = {key(record): record for record in recorded}
            changed = sum(before.get(key(record)) != record for record in folded)
            if not changed and len(folded) == len(recorded):
                return 0
            write_deltalake(
                handle,
                arrow_of(schema, folded),
                mode="overwrite",
                predicate=predicate,
                writer_properties=_small_file(schema),
                commit_properties=_commit_properties(transaction),
            )
            return changed

        return self._commit(table, transaction, commit)

    def has_transaction(self, table: str, transaction: Transaction) -> bool:
        """Whether the table has this batch of this inbox, as of now."""
        with self._lock:
            return self._guard(table, lambda: _has(self._fresh(table), transaction))

    def known(self, table: str, key_column: str, keys: Iterable[str]) -> set[str]:
        """Those of the keys that the table has rows of. What was found once is remembered until maintenance deletes."""
        wanted = set(keys)
        if not wanted:
            return set()
        with self._lock:
            return self._guard(table, lambda: self._known_keys(table, key_column, wanted))

    def arrow(self, table: str, columns: Sequence[str] | None = None, filter: str | None = None) -> pa.Table:
        """The rows as they are now, for which `filter` holds: an SQL condition, names as written, text in single quotes.

        `literal` quotes a value for it.
        """
        with self._lock:
            return self._guard(table, lambda: scan(self._fresh(table), TABLES[table], columns, filter))

    def delta_table(self, table: str) -> DeltaTable:
        """The Delta table, as of now, for what the methods above do not do.

        Read it with `scan`, or as `register` does: `to_pyarrow_dataset` alone can abort the process as it ends.
        """
        with self._lock:
            return self._guard(table, lambda: self._fresh(table))

    def _known_keys(self, table: str, key_column: str, wanted: set[str]) -> set[str]:
        handle = self._fresh(table)
        expiry = handle.transaction_version(EXPIRY)
        remembered_expiry, remembered = self._known.get((table, key_column), (expiry, set()))
        if remembered_expiry != expiry:
            remembered = set()
        for some in in_parts(wanted - remembered):
            filled = TABLES[table].filled
            there = one_of(key_column, some) + (f" and {filled} is not null" if filled else "")
            found = scan(handle, TABLES[table], [key_column], there)
            remembered = remembered | set(found.column(key_column).to_pylist())
        self._known[(table, key_column)] = (expiry, remembered)
        return wanted & remembered

    def _commit(self, table: str, transaction: Transaction | None, commit: Callable[[DeltaTable], int]) -> int:
        """What `commit` returns on a fresh view of the table, tried again while other writers are quicker."""
        for attempt in range(COMMIT_ATTEMPTS):
            with self._lock:
                try:
                    handle = self._fresh(table)
                    if transaction is not None and _has(handle, transaction):
                        return 0
                    return commit(handle)
                except CommitFailedError as error:
                    self._handles.pop(table, None)
                    lost_to = error
                except (DeltaError, OSError) as error:
                    self._handles.pop(table, None)
                    if isinstance(error, SchemaMismatchError):
                        _check_version(self.location, stored_version(self.location) or 0)
                    raise unwritable(self.folder(table), table, error) from error
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))
        raise StoreError(
            f"{table} in {self.folder(table)} could not be written: other writers were quicker {COMMIT_ATTEMPTS} times "
            f"({_cause(lost_to)}); nothing of this was written, try again"
        ) from lost_to

    def _fresh(self, table: str) -> DeltaTable:
        """The table's handle, brought up to date; opened anew where its own version is no longer in the log."""
        handle = self._handles.get(table)
        if handle is not None:
            try:
                handle.update_incremental()
                return handle
            except (DeltaError, OSError):
                del self._handles[table]
        self._handles[table] = DeltaTable(self.place(table))
        return self._handles[table]

    def place(self, table: str) -> str:
        """The location of a table."""
        return uri(self.folder(table), table)

    def folder(self, table: str) -> str:
        """The place that a table is in: the store's, or that of executables."""
        return self.executables if table in TABLES and TABLES[table].apart else self.location

    def _guard(self, table: str, read: Callable[[], _Result]) -> _Result:
        try:
            return read()
        except (DeltaError, OSError) as error:
            self._handles.pop(table, None)
            raise unreadable(self.folder(table), table, error) from error


def absolute(location: str | os.PathLike[str]) -> str:
    """The location as deltalake takes it: an absolute path, or a URI without a slash at its end. Raises StoreError."""
    path = local_path(os.fspath(location))
    if path is None:
        return os.fspath(location).rstrip("/")
    if _ESCAPE.search(str(path.absolute())):
        raise StoreError(
            f"{path.absolute()} cannot hold lineage tables: deltalake takes %20 in a path for a space; name another folder"
        )
    return str(path.absolute())


def uri(location: str, table: str) -> str:
    return f"{location}/{table}"


def literal(value: str) -> str:
    """A text as an SQL literal for `Store.arrow`."""
    return "'" + value.replace("'", "''") + "'"


def stored_version(location: str) -> int | None:
    """The schema version of the store, None where there is no store. Raises StoreError where that cannot be told."""
    try:
        info = pa.table(DeltaTable(uri(location, STORE_INFO)).scan(columns=["schema_version"]))
    except TableNotFoundError:
        _check_reachable(location, STORE_INFO)
        return None
    except (DeltaError, OSError) as error:
        raise unreadable(location, STORE_INFO, error) from error
    return max(info.column("schema_version").to_pylist(), default=None)


def is_there(location: str, table: str) -> bool:
    """Whether there is such a table. Raises StoreError where that cannot be told."""
    try:
        DeltaTable(uri(location, table))
    except TableNotFoundError:
        _check_reachable(location, table)
        return False
    except (DeltaError, OSError) as error:
        raise unreadable(location, table, error) from error
    return True


def create_tables(location: str) -> None:
    """Make what is missing of the tables, `store_info` last: once it is there, all are. Any number may do so at once."""
    path = local_path(location)
    try:
        if DeltaTable.is_deltatable(location):
            raise StoreError(
                f"{location} is a Delta table, whose VACUUM would remove lineage tables within it; name another folder with --store "
                "or SPARK_LINEAGE_STORE"
            )
        if path is not None:
            path.mkdir(parents=True, exist_ok=True)
        for table in TABLES.values():
            create_table(location, table)
        write_version(location, SCHEMA_VERSION, if_new=True)
    except (DeltaError, OSError) as error:
        raise unwritable(location, "lineage tables", error) from error


def create_apart(location: str) -> None:
    """Make what is missing of the tables that have a place of their own. Raises StoreError."""
    path = local_path(location)
    try:
        if path is not None:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for table in TABLES.values():
            if table.apart:
                create_table(location, table)
    except (DeltaError, OSError) as error:
        raise unwritable(location, "the tables of executables", error) from error


def create_table(location: str, table: TableSchema) -> None:
    """Make a table where it is missing. Raises what deltalake raises."""
    place = uri(location, table.name)
    if DeltaTable.is_deltatable(place):
        return
    if table.apart and (path := local_path(place)) is not None:
        path.mkdir(mode=0o700, exist_ok=True)
    try:
        DeltaTable.create(
            place,
            table.arrow,
            mode="error",
            partition_by=list(table.partition_by),
            description=f"spark-lineage: {table.record.__name__} records",
            configuration={
                **_CONFIGURATION,
                "delta.dataSkippingStatsColumns": ",".join(table.statistics),
                "delta.targetFileSize": str(table.file_bytes),
            },
        )
    except (DeltaError, OSError):
        # another process made it between our look and our commit
        if not DeltaTable.is_deltatable(place):
            raise


def write_version(location: str, version: int, if_new: bool = False) -> None:
    """Add a row to `store_info`; with `if_new` only where that table is not there yet, in the commit that makes it."""
    row = pa.Table.from_pylist(
        [{"schema_version": version, "tool_version": __version__, "written_at": datetime.now(UTC)}], schema=STORE_INFO_SCHEMA
    )
    place = uri(location, STORE_INFO)
    try:
        write_deltalake(place, row, mode="error" if if_new else "append", configuration=_CONFIGURATION)
    except (DeltaError, OSError):
        if not (if_new and DeltaTable.is_deltatable(place)):
            raise


def check_not_newer(location: str, version: int) -> None:
    """Raises SchemaVersionError for a store that a later release wrote."""
    if version > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"the lineage tables at {location} are of schema version {version}, this spark-lineage {__version__} knows "
            f"up to {SCHEMA_VERSION}; install the release that wrote them, or a later one"
        )


def _check_version(location: str, version: int) -> None:
    check_not_newer(location, version)
    if version < SCHEMA_VERSION:
        raise SchemaVersionError(
            f"the lineage tables at {location} are of schema version {version}, this spark-lineage {__version__} needs "
            f"{SCHEMA_VERSION}; run `spark-lineage maintain --migrate --store {location}` once: readers may go on, writers of "
            "the earlier release stop and leave what they have in the inbox"
        )


def scan(handle: DeltaTable, schema: TableSchema, columns: Sequence[str] | None = None, filter: str | None = None) -> pa.Table:
    """Rows of one version of a table, in the types of its schema: deltalake itself gives string views."""
    names = list(columns) if columns is not None else schema.arrow.names
    rows = pa.table(handle.scan(columns=names, predicate=filter))
    return rows.select(names).cast(pa.schema([schema.arrow.field(name) for name in names]))


def _has(handle: DeltaTable, transaction: Transaction) -> bool:
    last = handle.transaction_version(transaction.inbox_id)
    return last is not None and last >= transaction.batch


def _commit_properties(transaction: Transaction | None) -> CommitProperties | None:
    if transaction is None:
        return None
    return CommitProperties(app_transactions=[DeltaTransaction(transaction.inbox_id, transaction.batch)])


def one_of(column: str, values: Iterable[str]) -> str:
    """The SQL condition that a text column has one of the values, of which there may be `MOST_KEYS`."""
    literals = [literal(value) for value in sorted(values)]
    if len(literals) > MOST_KEYS:
        raise ValueError(f"{len(literals)} values of {column} in one predicate; deltalake is safe with {MOST_KEYS}")
    return f"{column} in ({', '.join(literals)})"


def in_parts(keys: Iterable[str]) -> list[list[str]]:
    """The keys, sorted, in lists that `one_of` takes."""
    ordered = sorted(keys)
    return [ordered[start : start + MOST_KEYS] for start in range(0, len(ordered), MOST_KEYS)]


def _small_file(table: TableSchema) -> WriterProperties:
    """A batch is a few rows in many columns: dictionaries and statistics that nobody reads were a third of each file."""
    return WriterProperties(
        compression="ZSTD",
        default_column_properties=ColumnProperties(dictionary_enabled=table.repetitive, statistics_enabled="NONE"),
        column_properties={
            name: ColumnProperties(dictionary_enabled=table.repetitive, statistics_enabled="CHUNK") for name in table.statistics
        },
    )


def _check_reachable(location: str, table: str) -> None:
    """deltalake says "no table" of a folder that it may not look into, too: tell the two apart."""
    path = local_path(location)
    if path is None:
        return
    try:
        (path / table / "_delta_log").stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(location, table, error) from error


def unreadable(location: str, what: str, error: Exception) -> StoreError:
    return StoreError(
        f"{what} in {location} cannot be read: {_cause(error)}. Check that the place can be reached and that this user may read it"
    )


def unwritable(location: str, what: str, error: Exception) -> StoreError:
    return StoreError(
        f"{what} in {location} cannot be written: {_cause(error)}. Check that the place can be reached, has room and may be "
        "written by this user, then try again: a batch that did arrive is not written twice"
    )


def _cause(error: Exception) -> str:
    """deltalake's message on one line, without colours and arrows."""
    words = _DECORATION.sub(" ", str(error)).split()
    return " ".join(words)[:500].rstrip(".") or type(error).__name__
