"""Which states of tables may be others, had a dataset been another: by what was read, from the lineage tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..lineage.naming import DatasetKey
from ..store.views import FULL_OVERWRITES
from .outputs import MODEL, Past
from .upstream import State, Writes

Table = tuple[DatasetKey, str | None]


class Affected:
    """The states some row of which may have been made of a dataset.

    `states`: versions of Delta tables. `gaps`: those of them that cannot be made again, as nothing recorded has written the version before, though an
    earlier one is affected. `through`: of those that were made of what cannot be made again, what that is. `unversioned`: datasets without versions,
    with the execution that wrote them last.
    """

    def __init__(self, writes: Writes, key: DatasetKey, executions: Mapping[str, Past]) -> None:
        self.states: set[State] = set()
        self.gaps: set[State] = set()
        self.through: dict[State, DatasetKey] = {}
        self.unversioned: dict[DatasetKey, str] = {}
        self._writes, self._key, self._executions = writes, key, executions
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

    def _version(self, state: State, row: Mapping[str, Any], read: list[State]) -> None:
        before, table = self.before(state), (state.key, state.table_id)
        lost = before is not None and before not in self.states and table in self._newest and self._writes.write(before) is None
        if read or before in self.states or lost:
            self.states.add(state)
            self._newest.add(table)
            unmade = [one.key for one in read if one.key != self._key and one.version is None]
            if unmade:
                self.through[state] = unmade[0]
        elif before is None:
            self._newest.discard(table)
        if lost:
            self.gaps.add(state)

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
            return bare(read) in self.states
        if self._writes.has_versions(read.key):
            return any(key == read.key for key, _ in self._newest)
        known = None if read.fingerprint is None else self._files.get((read.key, read.fingerprint))
        return read.key in self.unversioned if known is None else known


def bare(state: State) -> State:
    """As it is named by what reads it."""
    return replace(state, fingerprint=None)
