"""Which executions led to a version of a dataset, back to what nothing that is recorded has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import NotFound, QueryError
from ..lineage.naming import DatasetKey
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..snapshot.delta import absolute, commit_actions, identity_of
from ..store.tables import Store
from ..store.views import FULL_OVERWRITES
from .outputs import NO_QUERY, Past, past

_OUTPUT = (
    "execution_id",
    "namespace",
    "name",
    "table_id",
    "delta_version",
    "delta_version_before",
    "fingerprint",
    "write_mode",
    "event_time",
)
_INPUT = ("execution_id", "namespace", "name", "table_id", "delta_version", "fingerprint")


@dataclass(frozen=True)
class State:
    """A dataset as it was: a version of a Delta table, or files by the fingerprint of their listing."""

    key: DatasetKey
    table_id: str | None
    version: int | None
    fingerprint: str | None = None


@dataclass(frozen=True)
class Gap:
    """Versions of a dataset, one after the other, that nothing recorded has written, though earlier ones are recorded."""

    key: DatasetKey
    label: str
    table_id: str | None
    first: int
    last: int


@dataclass(frozen=True)
class Chain:
    """The executions, in the order in which they ended, which each of them read before it.

    `raw`: where the chain begins, states that nothing recorded has written, with the reason. `gaps`: versions above its beginning of which that is so:
    what they changed no execution shows.
    """

    executions: tuple[Past, ...]
    raw: tuple[str, ...]
    gaps: tuple[Gap, ...] = ()


def upstream_of(store: Store, wanted: str) -> Chain:
    """Of ``DATASET@VERSION``, by default of the newest version that is recorded as written.

    A version is what all writes since the last full overwrite made. Raises NotFound, Ambiguous, and QueryError, also for a version that there is not.
    """
    name, mark, number = wanted.rpartition("@")
    if not mark:
        name, number = wanted, ""
    if mark and not number.isdecimal():
        raise QueryError(f"{wanted!r} names no version: write DATASET@NUMBER")
    names = recorded_names(DeltaTables(store.location))
    key = names.dataset(name)
    writes = Writes(store)
    start = writes.newest(key, int(number) if number else None)
    if start is None:
        raise NotFound(f"no write of {name}{f' at version {number} or before' if number else ''} is recorded")
    if number:
        known = names.known.get(key)
        if not writes.has_versions(key):
            raise QueryError(f"{names.label(key)} has no versions: name it without @{number}, for what was written last")
        check_version(names.label(key), None if known is None else known.location, start.table_id, int(number))
    executions: dict[str, None] = {}
    raw: dict[str, None] = {}
    gaps: dict[Gap, None] = {}
    waiting, seen = [start], {start}
    while waiting:
        state = waiting.pop()
        made, ends, missing = writes.of(state)
        known = names.known.get(state.key)
        location = known.location if known is not None and missing else None
        there = None if location is None else identity_of(absolute(location))
        for first, last in _in_a_row(missing, location if there is not None and there[0] == state.table_id else None):
            gaps[Gap(state.key, names.label(state.key), state.table_id, first, last)] = None
        if ends:
            raw[f"{names.label(state.key)}{'' if state.version is None else f'@{state.version}'}: {ends}"] = None
        for execution in made:
            executions[execution] = None
            for read in writes.read_by(execution):
                if read not in seen:
                    seen.add(read)
                    waiting.append(read)
    found = past(store, writing=False, ids=executions)
    wrote = tuple(one for one in found if one.outputs or one.operation in NO_QUERY)
    return Chain(wrote, tuple(raw), tuple(gaps))


def check_version(label: str, location: str | None, table_id: str | None, version: int) -> None:
    """Raises QueryError for a version that a table has not reached, as far as its log is there to tell. `table_id`: None for whichever table is there."""
    there = None if location is None else identity_of(absolute(location))
    if there is not None and table_id in (None, there[0]) and version > there[1]:
        raise QueryError(f"{label} has no version {version}: the newest is {there[1]}. Name that, or none for the newest")


def _in_a_row(versions: Sequence[int], location: str | None) -> list[tuple[int, int]]:
    """The first and the last of those that follow each other, without those of which the log says that no row was changed (OPTIMIZE, VACUUM, ALTER)."""
    found: list[tuple[int, int]] = []
    for number, version in enumerate(sorted(versions)):
        if number < LOOKED_AT and location is not None and changes_nothing(commit_actions(location, version)):
            continue
        if found and found[-1][1] == version - 1:
            found[-1] = found[-1][0], version
        else:
            found.append((version, version))
    return found


LOOKED_AT = 1_000
"""So many commits are looked at; what is beyond is held for changes."""


def changes_nothing(actions: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether the actions of a commit say that no row was changed; None where no log tells."""
    files = [action.get("add") or action.get("remove") for action in actions or ()]
    return actions is not None and not any(file.get("dataChange", True) for file in files if file)


class Writes:
    """All writes and reads that are recorded, by the states that they made and read."""

    def __init__(self, store: Store) -> None:
        self._outputs: dict[DatasetKey, list[dict[str, Any]]] = {}
        self._by_version: dict[tuple[DatasetKey, str | None, int | None], dict[str, Any]] = {}
        for row in store.arrow("outputs", list(_OUTPUT)).to_pylist():
            key = row["namespace"], row["name"]
            self._outputs.setdefault(key, []).append(row)
            if row["delta_version"] is not None:
                self._by_version.setdefault((key, row["table_id"], row["delta_version"]), row)
        self._versioned = {key for key, _, _ in self._by_version}
        self._inputs: dict[str, list[State]] = {}
        for row in store.arrow("inputs", list(_INPUT)).to_pylist():
            state = State((row["namespace"], row["name"]), row["table_id"], row["delta_version"], row["fingerprint"])
            self._inputs.setdefault(row["execution_id"], []).append(state)
            if state.version is not None:
                self._versioned.add(state.key)

    def newest(self, key: DatasetKey, version: int | None) -> State | None:
        """Of a Delta table what made a version: a command that changed no row may have made none."""
        rows = self._outputs.get(key, [])
        rows = [row for row in rows if row["delta_version"] is not None] or rows
        found = [row for row in rows if version is None or (row["delta_version"] or 0) <= version]
        last = max(found, key=lambda row: (row["event_time"] is not None, row["event_time"]), default=None)
        if last is None:
            return None
        if last["delta_version"] is not None:  # of two that wrote at a time the later version may have ended first
            last = max((row for row in found if row["table_id"] == last["table_id"]), key=lambda row: row["delta_version"])
        return State(key, last["table_id"], last["delta_version"] if version is None else version, last["fingerprint"])

    def has_versions(self, key: DatasetKey) -> bool:
        """Whether a version of it is recorded, as written or as read: it is a Delta table."""
        return key in self._versioned

    def datasets(self) -> tuple[DatasetKey, ...]:
        return tuple(self._outputs)

    def in_order(self) -> list[dict[str, Any]]:
        """By when they ended, but the versions of a table by their numbers: of two that write at a time the later version may end first."""
        rows = [row for mine in self._outputs.values() for row in mine if row["event_time"] is not None]
        latest: dict[Any, Any] = {}
        placed = []
        for row in sorted(rows, key=lambda row: row["delta_version"] or 0):
            table = (row["namespace"], row["name"], row["table_id"])
            if row["delta_version"] is None:
                placed.append((row["event_time"], 0, row))
                continue
            latest[table] = max(row["event_time"], latest.get(table, row["event_time"]))
            placed.append((latest[table], row["delta_version"], row))
        return [row for *_, row in sorted(placed, key=lambda one: one[:2])]

    def reads_of(self, key: DatasetKey) -> tuple[str, ...]:
        """The executions that read some state of it."""
        return tuple(one for one, read in self._inputs.items() if any(state.key == key for state in read))

    def write(self, state: State) -> dict[str, Any] | None:
        """The row of `outputs` of the write that made this version of a Delta table."""
        return self._by_version.get((state.key, state.table_id, state.version))

    def read_by(self, execution: str) -> list[State]:
        return self._inputs.get(execution, [])

    def of(self, state: State) -> tuple[list[str], str | None, list[int]]:
        """The executions that made a state; why what it began with is not known, or None; and the versions on the way that nothing recorded has written."""
        rows = self._outputs.get(state.key, [])
        if state.version is None:
            made = [
                row["execution_id"]
                for row in rows
                if row["fingerprint"] is not None and row["fingerprint"] == state.fingerprint
            ]
            return made[:1], None if made else "no recorded execution wrote these files", []
        return self._versions(state, rows)

    @staticmethod
    def _versions(state: State, rows: list[dict[str, Any]]) -> tuple[list[str], str | None, list[int]]:
        assert state.version is not None
        by_version = {
            row["delta_version"]: row for row in rows if row["table_id"] == state.table_id and row["delta_version"] is not None
        }
        first = min(by_version, default=state.version + 1)
        made: list[str] = []
        gaps: list[int] = []
        for version in range(state.version, -1, -1):
            row = by_version.get(version)
            if row is None and version > first:
                gaps.append(version)
                continue
            if row is None:
                more = f" and {version} before it" if version else ""
                return made, f"version {version}{more} was written by nothing that is recorded", gaps
            made.append(row["execution_id"])
            if row["write_mode"] in FULL_OVERWRITES or row["delta_version_before"] == -1:
                return made, None, gaps
        return made, None, gaps
