"""Rows that are in a table and were not made for it: those that a commit only rearranged, and those that a clone took over with their files."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import TraceError
from ..lineage.naming import DatasetKey
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..replay.outputs import MODES, NO_QUERY
from ..snapshot.delta_log import DeltaLog
from ..store.tables import Store, literal

OTHERS_FILES = (
    "its first version has files that others wrote (a shallow clone, a table made of files that were there): nothing tells which version of what they "
    "are of"
)


@dataclass(frozen=True, kw_only=True)
class TakenFrom:
    """The version of a table whose files a clone took over."""

    key: DatasetKey
    alias: str | None
    location: str
    version: int

    @property
    def name(self) -> str:
        return self.alias or self.key[1]


def taken_from(store: Store, execution_id: str, operation: str) -> TakenFrom | None:
    """What an execution cloned; None where that is no table, or the execution no clone. Raises TraceError where it has no place."""
    if operation != "clone":
        return None
    condition = f"execution_id = {literal(execution_id)} and delta_version is not null"
    for row in store.arrow("inputs", ["namespace", "name", "alias", "delta_version"], condition).to_pylist():
        key = (row["namespace"], row["name"])
        known = recorded_names(DeltaTables(store.location)).known.get(key)
        if known is None or known.location is None:
            raise TraceError(f"{row['alias'] or row['name']}, which was cloned, is recorded without a place where it lies")
        return TakenFrom(key=key, alias=row["alias"], location=known.location, version=row["delta_version"])
    return None


def was_there(
    store: Store, key: DatasetKey, log: DeltaLog, version: int, writer: tuple[str, str] | None, mode: str | None
) -> bool:
    """Whether rows that a version was the first to have files of are to be looked for before it.

    `writer`: the execution that wrote it and its operation, `mode`: as the output's, None where nothing is recorded.
    """
    if version == 0:
        return keeps_rows(log, version) and (writer is None or writer[1] in NO_QUERY)
    if not only_rearranges(log, version):
        return False
    return writer is None or mode not in MODES or _reads(store, writer[0], key)


def only_rearranges(log: DeltaLog, version: int) -> bool:
    """Whether a commit says that its files have rows of files that it took away. What adds rows can say, too, that readers need not look at it."""
    return keeps_rows(log, version) and any(held.until == version for held in log.held)


def keeps_rows(log: DeltaLog, version: int) -> bool:
    """Whether a commit says of all files that it adds that they are no change."""
    added = [held for held in log.held if held.since == version]
    return bool(added) and not any(held.action.get("dataChange", True) for held in added)


def _reads(store: Store, execution_id: str, key: DatasetKey) -> bool:
    condition = f"execution_id = {literal(execution_id)} and namespace = {literal(key[0])} and name = {literal(key[1])}"
    return store.arrow("inputs", ["execution_id"], condition).num_rows > 0
