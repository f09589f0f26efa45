"""The world as a run met it, told to the overlay: which version of each table it began with, which files have to be as they were.

From the lineage tables alone; nothing is copied, so that it takes the same time however large the data are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from ..errors import ExecutableError, SnapshotError
from ..lineage.naming import DatasetKey, spellings
from ..snapshot.availability import availability
from ..snapshot.held import Unlisted, hold_files
from ..snapshot.unversioned import has_part, recorded_files
from ..store.listing import WHOLE
from ..store.tables import Store, in_parts, one_of
from .inputs import Missing, changed, milliseconds, preserved
from .outputs import Labels, recorded_format
from .overlay import SCHEMES

_EXECUTION = ("execution_id", "run_id", "sequence", "started_at", "ended_at", "stream_query_id", "operation", "status")
_INPUT = (
    "execution_id",
    "namespace",
    "name",
    "alias",
    "table_id",
    "delta_version",
    "fingerprint",
    "version_basis",
    "committed_at",
)
_OUTPUT = ("execution_id", "namespace", "name", "alias", "table_id", "delta_version", "delta_version_before", "write_mode")
FILE_SYSTEMS = re.compile(f"file$|({'|'.join(SCHEMES)})://")
"""Namespaces of datasets that are files, as OpenLineage names them."""


@dataclass
class World:
    """`lines` are the overlay's. `doubts`: what may not be as it was. `at`: by dataset, the version that the universe begins with (-1: nothing).
    `copied`: what is read from copies that are kept."""

    lines: list[tuple[str, ...]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    at: dict[DatasetKey, int] = field(default_factory=dict)
    locations: list[str] = field(default_factory=list)
    copied: set[DatasetKey] = field(default_factory=set)


@dataclass(frozen=True)
class _Met:
    """That an execution read a version of a table, or wrote one, and then the version that it started from."""

    execution_id: str
    version: int
    table_id: str | None
    written: bool
    stream: bool
    exact: bool
    committed_at: datetime | None
    before: int | None = None


def world_of(
    store: Store,
    runs: Sequence[str],
    began: datetime | None,
    folder: Path,
    catalog: Mapping[str, str],
    spark: Callable[[], SparkSession],
    of_code: Callable[[str], bool] = lambda path: False,
) -> World:
    """Of the runs of one application. `folder`: where copies of files are laid out. `catalog`: the recorded settings. `spark`: a session
    that lists files elsewhere than on a local disk, asked for where there are such. `of_code`: whether a file comes
    with the code of then.

    Raises Missing where an input is not there any more, ExecutableError where what was written cannot be put aside.
    """
    return _Building(store, runs, folder, spark, of_code).world(began, catalog)


class _Building:
    def __init__(
        self, store: Store, runs: Sequence[str], folder: Path, spark: Callable[[], SparkSession], of_code: Callable[[str], bool]
    ) -> None:
        self._store, self._folder, self._spark, self._of_code = store, folder, spark, of_code
        condition = " or ".join(one_of("run_id", part) for part in in_parts(runs))
        rows = store.arrow("executions", list(_EXECUTION), condition).to_pylist()
        rows.sort(key=lambda row: (row["started_at"] or row["ended_at"], row["sequence"]))
        self._executions = {row["execution_id"]: row for row in rows}
        self._inputs = _by_execution(store.arrow("inputs", list(_INPUT), condition).to_pylist())
        self._outputs = _by_execution(store.arrow("outputs", list(_OUTPUT), condition).to_pylist())
        self._labels = Labels(store)
        self._world = World()

    def world(self, began: datetime | None, catalog: Mapping[str, str]) -> World:
        self._refuse_what_is_no_file()
        moment = began or next((row["started_at"] for row in self._executions.values() if row["started_at"]), None)
        if moment is None:
            raise ExecutableError("when the run began is not recorded")
        self._moment = moment
        self._world.lines.append(("moment", str(milliseconds(moment))))
        for key, met in self._tables().items():
            self._table(key, met)
        self._files()
        if catalog.get("spark.sql.catalogImplementation") == "hive":
            self._catalog(catalog)
        return self._world

    def _refuse_what_is_no_file(self) -> None:
        for row in self._all(self._outputs):
            if not FILE_SYSTEMS.match(row["namespace"]):
                raise ExecutableError(
                    f"it wrote to {row['name']} ({row['namespace']}), which is no file: a replay of the job would write there again"
                )
        for row in self._all(self._inputs):
            if not FILE_SYSTEMS.match(row["namespace"]):
                self._doubt(f"another input: {row['name']} ({row['namespace']}) has no versions and is read as it is now")

    def _all(self, rows: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        for execution_id in self._executions:
            yield from rows.get(execution_id, ())

    def _doubt(self, text: str) -> None:
        if text not in self._world.doubts:
            self._world.doubts.append(text)

    def _tables(self) -> dict[DatasetKey, list[_Met]]:
        """By table, the versions that the executions read and wrote, in order."""
        found: dict[DatasetKey, list[_Met]] = {}
        for execution_id, execution in self._executions.items():
            stream = execution["stream_query_id"] is not None
            for rows, written in ((self._inputs, False), (self._outputs, True)):
                mine = [row for row in rows.get(execution_id, ()) if row["delta_version"] is not None]
                for row in sorted(mine, key=lambda row: int(row["delta_version"])):
                    key = row["namespace"], row["name"]
                    exact = written or row["version_basis"] == "exact"
                    met = _Met(
                        execution_id,
                        int(row["delta_version"]),
                        row["table_id"],
                        written,
                        stream,
                        exact,
                        row.get("committed_at"),
                        row.get("delta_version_before"),
                    )
                    found.setdefault(key, []).append(met)
        return found

    def _table(self, key: DatasetKey, met: list[_Met]) -> None:
        first = met[0]
        at = first.version - 1 if first.written else first.version
        own = next((place for place, one in enumerate(met) if one.written), len(met))
        if not first.written:  # what was there when it began, and is read at an older version, is travelled to
            there = [one.version for one in met[:own] if one.committed_at is not None and one.committed_at <= self._moment]
            together = [one.version for one in met[:own] if one.execution_id == first.execution_id]
            at = max((at, *there, *together))
            at = self._began_with(key, at, met[own:])
        if not first.written and first.stream:  # its batches follow the versions that come
            at = max(one.version for one in met[:own] if one.stream)
        state = at
        label = self._labels.label(key)
        for one in met:
            if one.written:
                state = one.version
                continue
            if one.version > state and not one.stream:
                self._doubt(
                    f"another input version: {one.execution_id} read version {one.version} of {label}, which others had written meanwhile; "
                    f"the replay has version {state} there"
                )
                state = one.version
            if not one.exact:
                self._doubt(f"another input version: that of {label} is not known for sure, version {one.version} is likely")
        location = self._location(key)
        self._world.at[key] = at
        if at < 0 and "convert" in self._executions[first.execution_id]["operation"]:  # of files that were there
            self._rule("delta", location, "-1")
            return
        if at < 0:
            self._rule("absent", location)
            return
        told = availability(location, [at], first.table_id)[at]
        if told.readable is False and (not first.written or told.table_id != first.table_id):
            raise Missing(f"version {at} of {label}, which it began with, is gone: {told.reason}")
        self._rule("delta", location, str(at))

    def _began_with(self, key: DatasetKey, at: int, writes: Sequence[_Met]) -> int:
        """That which the first write started from, where it was there when the run began: all that was read of it may be older, travelled to."""
        before = writes[0].before if writes else None
        if before is None or before <= at:
            return at
        told = availability(self._location(key), [before], writes[0].table_id)[before]
        if told.committed_at is None:
            self._doubt(
                f"another input version: when version {before} of {self._labels.label(key)} was committed is not known any more; "
                f"the replay begins with version {at}"
            )
        return before if told.committed_at is not None and told.committed_at <= self._moment else at

    def _rule(self, word: str, location: str, *more: str) -> None:
        self._world.locations.append(location)
        scheme, mark, rest = location.partition("://")
        spelled = [f"{one}://{rest}" for one in spellings(scheme)] if mark else [location]
        self._world.lines += [(word, one, *more) for one in spelled]

    def _files(self) -> None:
        """Files without versions that were read before the run wrote there, while they are as they were, or as copies that are kept."""
        written: set[DatasetKey] = set()
        done: set[DatasetKey] = set()
        for execution_id in self._executions:
            for row in self._inputs.get(execution_id, ()):
                key = row["namespace"], row["name"]
                is_file = row["delta_version"] is None and FILE_SYSTEMS.match(key[0])
                if is_file and key not in done and not any(_meet(key, other) for other in written):
                    done.add(key)
                    of_stream = self._executions[execution_id]["stream_query_id"] is not None
                    self._of_files(key, row["fingerprint"], of_stream)
            written.update((row["namespace"], row["name"]) for row in self._outputs.get(execution_id, ()))

    def _has_grown(self, name: str, fingerprint: str) -> bool:
        """Whether the files of then are all there, beside others that came after the run had begun, or that are in other folders of partitions."""
        until = milliseconds(self._moment)
        try:
            return bool(recorded_files(name, fingerprint, until))
        except SnapshotError:
            return has_part(name, fingerprint, until)

    def _of_files(self, key: DatasetKey, fingerprint: str | None, of_stream: bool) -> None:
        """`of_stream`: the listing may be that of one batch, of some of the files."""
        label, location = self._labels.label(key), self._location(key)
        if key[0] == "file" and self._of_code(key[1]):
            return
        if fingerprint is None or not fingerprint.startswith(WHOLE):
            self._world.locations.append(location)
            self._doubt(
                f"another input: the files of {label} are not held against those of then, whose listing is not known as a whole"
            )
            return
        try:
            if key[0] == "file":
                recorded_files(key[1], fingerprint)
            else:
                hold_files(self._spark(), location, fingerprint)
            self._rule("asis", location)
        except Unlisted as error:
            self._world.locations.append(location)
            self._doubt(f"another input: the files of {label} are not held against those of then: {error}")
        except SnapshotError as error:
            if key[0] == "file" and self._has_grown(key[1], fingerprint):
                self._world.locations.append(location)  # what is newer than the run is not seen
                return
            copy = preserved(self._store, key, fingerprint, self._folder / str(len(self._world.lines)))
            if copy is None and not of_stream:
                raise changed(label if key[0] == "file" else location, error) from error
            if copy is None:
                self._world.locations.append(location)
                self._doubt(f"another input: which files of {label} its stream read is not known: {error}")
                return
            self._world.copied.add(key)
            self._rule("copy", location, copy)

    def _catalog(self, settings: Mapping[str, str]) -> None:
        """The tables that were met under a name of the catalog, and were there before."""
        warehouse = settings.get("spark.sql.warehouse.dir", "")
        databases: dict[str, None] = {"default": None}
        tables: dict[tuple[str, str], tuple[str, ...]] = {}
        for row in [*self._all(self._inputs), *self._all(self._outputs)]:
            parts = (row["alias"] or "").removeprefix("spark_catalog.").split(".")
            key = row["namespace"], row["name"]
            if "/" in (row["alias"] or "/") or len(parts) > 2 or not FILE_SYSTEMS.match(key[0]):
                continue
            database, table = parts if len(parts) == 2 else ("default", parts[0])
            databases[database] = None
            location = self._location(key)
            managed = bool(warehouse) and _plain(location).startswith(_plain(warehouse))
            if self._world.at.get(key, 0) >= 0 and (database, table) not in tables and self._was_there(key):
                kind = "managed" if managed else "external"
                tables[database, table] = (
                    "table",
                    database,
                    table,
                    location,
                    recorded_format(self._store, key) or "parquet",
                    kind,
                )
        for database in databases:
            place = warehouse if database == "default" else f"{warehouse.rstrip('/')}/{database}.db"
            self._world.lines.append(("database", database, place or f"file:{self._folder}/{database}"))
        self._world.lines += tables.values()

    def _was_there(self, key: DatasetKey) -> bool:
        """Of files: whether they were read, or added to, before the run made them."""
        if key in self._world.at:
            return True
        for execution_id in self._executions:
            if any((row["namespace"], row["name"]) == key for row in self._inputs.get(execution_id, ())):
                return True
            for row in self._outputs.get(execution_id, ()):
                if (row["namespace"], row["name"]) == key:
                    return row["write_mode"] not in ("create", "replace")
        return False

    def _location(self, key: DatasetKey) -> str:
        location = self._labels.location(key)
        if location is None:
            location = f"file:{key[1]}" if key[0] == "file" else f"{key[0]}/{key[1].lstrip('/')}"
        return location if ":" in location else f"file:{location}"


def _by_execution(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["execution_id"], []).append(row)
    return found


def _meet(one: DatasetKey, other: DatasetKey) -> bool:
    """Whether one lies in the other, or is it."""
    if one[0] != other[0]:
        return False
    first, second = (name.rstrip("/") + "/" for name in (one[1], other[1]))
    return first.startswith(second) or second.startswith(first)


def _plain(location: str) -> str:
    return location.removeprefix("file:").replace("///", "/").rstrip("/")
