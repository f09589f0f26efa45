"""Which states of tables may be others, had a dataset been another: by what was read, from the lineage tables alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..lineage.naming import DatasetKey
from ..snapshot.delta import absolute, commit_actions, identity_of
from ..store.views import FULL_OVERWRITES
from .outputs import MODEL, MODES, Past
from .upstream import LOOKED_AT, State, Writes, changes_nothing

Table = tuple[DatasetKey, str | None]
_UPKEEP = ("optimize", "vacuum start", "vacuum end")
"""Values of `outputs.write_mode` of what keeps all rows: of these no log is asked, which may be gone."""
_OF_ROWS = ("WRITE", "STREAMING UPDATE", "MERGE", "UPDATE", "DELETE")
"""Delta's names of operations that may have changed no row, and would change some of others."""


class Affected:
    """The states some row of which may have been made of a dataset.

    `states`: versions of Delta tables. `same`: those of them that have the rows of the version before (OPTIMIZE, VACUUM, ALTER), recorded or not.
    Others that nothing recorded has written cannot be made again. `through`: of those that were
    made of what cannot be made again, what that is. `unversioned`: datasets without versions, with the execution that wrote them last.
    """

    def __init__(
        self, writes: Writes, key: DatasetKey, executions: Mapping[str, Past], keeps_rows: Callable[[State], bool]
    ) -> None:
        """`keeps_rows`: whether a version has the rows of the one before, as `Logs` tells."""
        self.states: set[State] = set()
        self.same: set[State] = set()
        self.through: dict[State, DatasetKey] = {}
        self.unversioned: dict[DatasetKey, str] = {}
        self._writes, self._key, self._executions, self._keeps_rows = writes, key, executions, keeps_rows
        self._newest: set[Table] = set()  # of which the newest version so far is affected
        self._files: dict[tuple[DatasetKey, str], bool] = {}  # by the fingerprints of their listings
        for row in writes.in_order():
            state = State((row["namespace"], row["name"]), row["table_id"], row["delta_version"], row["fingerprint"])
            if state.key == key:
                continue
            read = [one for one in writes.read_by(row["execution_id"]) if self._is_affected(one)]
            if state.version is not None:
                self._version(bare(state), row, read)
            elif not writes.has_versions(state.key) and self._wrote(row):
                self._unversioned(state, row, read)

    def before(self, state: State) -> State | None:
        """The version that a write left rows of; None where it left none."""
        row = self._writes.write(state)
        if state.version in (None, 0) or (row is not None and row["write_mode"] in FULL_OVERWRITES):
            return None
        return State(state.key, state.table_id, int(state.version or 0) - 1)

    def wrote(self, state: State) -> str | None:
        """The execution that made the rows of a version last."""
        made = state
        while made in self.same:
            made = replace(made, version=(made.version or 0) - 1)
        row = self._writes.write(made) or self._writes.write(state)
        return None if row is None else str(row["execution_id"])

    def _version(self, state: State, row: Mapping[str, Any], read: list[State]) -> None:
        before, table = self.before(state), (state.key, state.table_id)
        came = before is not None and self._is_affected(before)
        if came and row["write_mode"] not in MODES and (row["write_mode"] in _UPKEEP or self._keeps_rows(state)):
            self.states.add(state)
            self.same.add(state)
        elif read or came:
            self.states.add(state)
            self._newest.add(table)
            unmade = [one.key for one in read if one.key != self._key and one.version is None]
            if unmade:
                self.through[state] = unmade[0]
        elif before is None:
            self._newest.discard(table)

    def _unrecorded(self, state: State) -> None:
        """Takes in the versions down from this one that nothing recorded has written, where the one below them is affected."""
        below: list[State] = []
        while (state.version or 0) >= 0 and state not in self.states and self._writes.write(state) is None:
            below.append(state)
            state = replace(state, version=(state.version or 0) - 1)
        if state in self.states:
            for one in reversed(below):
                self.states.add(one)
                if self._keeps_rows(one):
                    self.same.add(one)

    def _unversioned(self, state: State, row: Mapping[str, Any], read: list[State]) -> None:
        if read or (state.key in self.unversioned and row["write_mode"] not in FULL_OVERWRITES):
            self.unversioned[state.key] = row["execution_id"]
        else:
            self.unversioned.pop(state.key, None)
        if state.fingerprint is not None:
            self._files[state.key, state.fingerprint] = state.key in self.unversioned

    def _wrote(self, row: Mapping[str, Any]) -> bool:
        """Whether there is something that it wrote: a failed write is none, and a model that is saved is no table, and yet one more of what is read."""
        one = self._executions.get(row["execution_id"])
        if one is None:
            return False
        return one.operation == MODEL or any(out.key == (row["namespace"], row["name"]) for out in one.outputs)

    def _is_affected(self, read: State) -> bool:
        """Of files by their listing, where a recorded write left it so, else by the newest write until then."""
        if read.key == self._key:
            return True
        if read.version is not None:
            read = bare(read)
            if (read.key, read.table_id) in self._newest:
                self._unrecorded(read)
            return read in self.states
        if self._writes.has_versions(read.key):
            return any(key == read.key for key, _ in self._newest)
        known = None if read.fingerprint is None else self._files.get((read.key, read.fingerprint))
        return read.key in self.unversioned if known is None else known


class Logs:
    """What the logs of tables say of their commits. `location`: where a dataset lies, None where that is not known."""

    def __init__(self, location: Callable[[DatasetKey], str | None]) -> None:
        self._location = location
        self._there: dict[DatasetKey, str | None] = {}
        self._looked_at = 0

    def keeps_rows(self, state: State) -> bool:
        """Whether a version has the rows of the one before it, whatever these are. False where no log tells."""
        location = self._location(state.key)
        if location is None or state.version is None or self._looked_at == LOOKED_AT:
            return False
        if state.key not in self._there:
            there = identity_of(absolute(location))
            self._there[state.key] = None if there is None else there[0]
        if self._there[state.key] is None or self._there[state.key] != state.table_id:
            return False
        self._looked_at += 1
        actions = commit_actions(location, state.version)
        told = [action["commitInfo"].get("operation") for action in actions or () if action.get("commitInfo")]
        return changes_nothing(actions) and not any(operation in _OF_ROWS for operation in told)


def bare(state: State) -> State:
    """As it is named by what reads it."""
    return replace(state, fingerprint=None)
