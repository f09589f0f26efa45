"""A Delta log, read once for all versions: which files each has, what was removed when, and what keeps them.

The rules are those of Delta's protocol and of its VACUUM and log clean-up; docs/snapshots.md has them with their sources. Neither
a JVM nor delta-rs is used: delta-rs tells the files of one version at a time, and nothing of files that were removed.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from ..errors import SnapshotError, first_line
from .delta import absolute, opened, resolved
from .delta_listing import MILLISECOND, Listing, list_log
from .intervals import duration

FILES_KEPT = "delta.deletedFileRetentionDuration"
LOG_KEPT = "delta.logRetentionDuration"
LOG_CLEANED = "delta.enableExpiredLogCleanup"
DEFAULTS = {FILES_KEPT: "interval 1 week", LOG_KEPT: "interval 30 days", LOG_CLEANED: "true"}

_ELSEWHERE = ("catalogManaged", "catalogOwned-preview", "coordinatedCommits-preview")
"""Features of tables whose newest commits are not in the log's folder."""


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Where a deletion vector lies in a file: `path` as the log would name a file."""

    path: str
    offset: int
    bytes: int


@dataclass(slots=True)
class Held:
    """A file as the versions from `since` to before `until` have it (None: the newest has it still)."""

    action: dict[str, Any]
    vector: VectorFile | None
    since: int
    until: int | None = None

    @property
    def path(self) -> str:
        return str(self.action["path"])

    @property
    def bytes(self) -> int:
        return int(self.action.get("size") or 0)

    def files(self) -> Iterator[tuple[str, int]]:
        """Each file that it needs, with its size."""
        yield self.path, self.bytes
        if self.vector is not None:
            yield self.vector.path, self.vector.bytes

    def of(self, version: int) -> bool:
        return self.since <= version and (self.until is None or version < self.until)


@dataclass(frozen=True)
class Vacuum:
    """One that the log tells of: what was removed before `cutoff` is gone, but for what it was told to keep."""

    version: int
    at: datetime
    cutoff: datetime


@dataclass
class State:
    """What a version is, apart from its files: the actions of its log, as they are written."""

    protocol: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    domains: dict[str, dict[str, Any]] = field(default_factory=dict)
    commit: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> State:
        return State(self.protocol, self.metadata, dict(self.domains), self.commit)


@dataclass
class DeltaLog:
    """What is to be known of a table's versions from `first` on."""

    location: str
    listing: Listing
    first: int
    held: list[Held]
    removed: dict[str, int | None]
    """Of each file that was removed and is not there again: when, in milliseconds; None where the log does not tell."""
    vacuums: list[Vacuum]
    states: dict[int, State]
    """That of the newest version, and of those that were asked for."""
    identities: list[tuple[int, str]]
    """From which version on the table has which id."""
    times: dict[int, datetime]

    @property
    def newest(self) -> int:
        return self.listing.newest

    @property
    def table_id(self) -> str:
        return self.identities[-1][1]

    def table_id_of(self, version: int) -> str:
        at = bisect_left(self.identities, (version + 1,)) - 1
        return self.identities[max(at, 0)][1]

    def setting(self, name: str) -> str:
        """A property that is in force now. Delta does not tell their names apart by case."""
        configured = self.states[self.newest].metadata.get("configuration") or {}
        return next((str(value) for key, value in configured.items() if key.lower() == name.lower()), DEFAULTS[name])

    def kept(self, name: str) -> timedelta:
        return duration(self.setting(name))

    def expires(self, path: str) -> datetime | None:
        """From when on a VACUUM takes the file; None for one that the newest version has, or that is another table's."""
        if path not in self.removed or outside(self.location, path):
            return None
        return at_milliseconds(self.removed[path] or 0) + self.kept(FILES_KEPT)

    def files_of(self, version: int) -> list[Held]:
        return [held for held in self.held if held.of(version)]


Progress = Callable[[int, int], None]


def read_log(location: str, versions: Iterable[int] | None = None, progress: Progress | None = None) -> DeltaLog:
    """The log from the checkpoint on that the earliest of the versions needs; all of it where none are named.

    Versions that the log does not tell any more are left out of account. Raises SnapshotError.
    """
    place = absolute(location)
    listing = list_log(location)
    readable = set(listing.readable())
    wanted = None if versions is None else sorted(readable & set(versions))
    first = min(readable) if wanted is None else min([*wanted, listing.newest])
    base = listing.base(first)
    assert base is not None
    try:
        return _Reader(place, listing, base, set(wanted or ()), progress).read()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise SnapshotError(f"the log of {location} cannot be read: {first_line(error)}") from error


class _Reader:
    def __init__(self, place: str, listing: Listing, base: int, wanted: set[int], progress: Progress | None) -> None:
        self._listing = listing
        self._base = base
        self._wanted = wanted | {listing.newest}
        self._progress = progress
        self._system, _ = opened(f"{place}/_delta_log")
        self._live: dict[tuple[str, str | None], Held] = {}
        self._tombstones: dict[str, int | None] = {}
        self._state = State()
        self._log = DeltaLog(place, listing, max(base, 0), [], {}, [], {}, [], dict(listing.times))
        self._done = 0
        self._total = sum(info.size for version, info in listing.files.items() if version > base)

    def read(self) -> DeltaLog:
        version = self._base
        if version >= 0:
            self._checkpoint(version)
        while version < self._listing.newest:
            version += 1
            if version in self._listing.commits:
                self._commit(version)
            else:  # a hole in the log: go on from the next checkpoint, if not from this version's own
                version = min(checkpoint for checkpoint in self._listing.checkpoints if checkpoint >= version)
                self._checkpoint(version)
        features = {*(self._state.protocol.get("readerFeatures") or ()), *(self._state.protocol.get("writerFeatures") or ())}
        if found := features.intersection(_ELSEWHERE):
            raise SnapshotError(f"{self._log.location} is left to Spark: a catalog has its newest commits ({sorted(found)[0]})")
        live = {path for held in self._live.values() for path, _ in held.files()}
        self._log.removed = {path: at for path, at in self._tombstones.items() if path not in live}
        for held in self._log.held:
            for path, _ in held.files() if held.until is not None else ():
                if path not in live:
                    self._log.removed.setdefault(path, None)
        return self._log

    def _commit(self, version: int) -> None:
        info = self._listing.files[version]
        with self._system.open_input_file(info.path) as source:
            lines = source.read().splitlines()
        self._state.commit = {}
        actions = [json.loads(line) for line in lines if line.strip()]
        for action in sorted(actions, key=lambda action: "add" in action):  # a file's vector is replaced: first it goes
            self._apply(action, version)
        self._known(version)
        self._done += info.size
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _checkpoint(self, version: int) -> None:
        """The state that it has takes the place of what is known; what is in it already goes on."""
        before, self._live = self._live, {}
        self._state = State()
        known = len(self._log.held)
        for action in self._actions(self._listing.checkpoints[version]):
            self._apply(action, version)
        del self._log.held[known:]
        for key, held in before.items():
            if key in self._live:
                self._live[key] = held
            else:
                held.until = version
        self._log.held += [held for key, held in self._live.items() if key not in before]
        if version in self._listing.files:  # checkpoints do not have what is told of a commit
            with self._system.open_input_file(self._listing.files[version].path) as source:
                first = json.loads(source.read().split(b"\n", 1)[0] or b"{}")
                self._state.commit = first.get("commitInfo") or {}
        self._known(version)

    def _known(self, version: int) -> None:
        identity = str(self._state.metadata.get("id"))
        if not self._log.identities or self._log.identities[-1][1] != identity:
            self._log.identities.append((version, identity))
        if (exact := self._state.commit.get("inCommitTimestamp")) is not None:
            self._log.times[version] = at_milliseconds(exact)
        if version in self._wanted:
            self._log.states[version] = self._state.copy()
        self._vacuum(version)

    def _vacuum(self, version: int) -> None:
        commit = self._state.commit
        if commit.get("operation") != "VACUUM START":
            return
        told = commit.get("operationParameters") or {}
        kept = told.get("specifiedRetentionMillis")  # Spark writes numbers, of which 0 is one; delta-rs texts
        kept = told.get("defaultRetentionMillis") if kept is None else kept
        at = at_milliseconds(commit.get("timestamp") or 0)
        if kept is not None:
            self._log.vacuums.append(Vacuum(version, at, at - int(kept) * MILLISECOND))

    def _apply(self, action: dict[str, Any], version: int) -> None:
        if add := action.get("add"):
            vector = vector_file(add.get("deletionVector"))
            key = (add["path"], _vector_id(add.get("deletionVector")))
            before = self._live.get(key)
            if before is not None and before.action == add:
                return
            if before is not None:  # what is told of the file has changed, as where it gets row ids
                before.until = version
            self._live[key] = held = Held(add, vector, version)
            self._log.held.append(held)
        elif remove := action.get("remove"):
            gone = self._live.pop((remove["path"], _vector_id(remove.get("deletionVector"))), None)
            if gone is not None:
                gone.until = version
            vector = vector_file(remove.get("deletionVector"))
            for path in (remove["path"], *((vector.path,) if vector else ())):
                known = self._tombstones.get(path)
                self._tombstones[path] = max(known or 0, remove.get("deletionTimestamp") or 0)
        elif metadata := action.get("metaData"):
            self._state.metadata = metadata
        elif protocol := action.get("protocol"):
            self._state.protocol = protocol
        elif domain := action.get("domainMetadata"):
            self._state.domains.pop(domain["domain"], None)
            if not domain.get("removed"):
                self._state.domains[domain["domain"]] = domain
        elif commit := action.get("commitInfo"):
            self._state.commit = commit

    def _actions(self, files: Iterable[pafs.FileInfo]) -> Iterator[dict[str, Any]]:
        for info in files:
            with self._system.open_input_file(info.path) as source:
                if info.base_name.endswith(".json"):
                    actions = [json.loads(line) for line in source.read().splitlines() if line.strip()]
                else:
                    actions = list(_rows(pq.ParquetFile(source)))
            for action in actions:
                if sidecar := action.get("sidecar"):
                    folder = info.path.rsplit("/", 1)[0]
                    name = sidecar["path"].rsplit("/", 1)[-1]
                    with self._system.open_input_file(f"{folder}/_sidecars/{name}") as source:
                        yield from _rows(pq.ParquetFile(source))
                else:
                    yield action


_ACTIONS = ("add", "remove", "metaData", "protocol", "domainMetadata", "sidecar")


def _rows(parquet: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    """The actions of a checkpoint, as a commit would have them."""
    there = [name for name in parquet.schema_arrow.names if name in _ACTIONS]
    for batch in parquet.iter_batches(columns=there):
        for row in batch.to_pylist(maps_as_pydicts="strict"):
            for name, action in row.items():
                if action is not None:
                    yield {name: _plain(action)}


def _plain(action: dict[str, Any]) -> dict[str, Any]:
    """Without what checkpoints add, and without nulls. Statistics that are there in columns alone are left out but for the rows."""
    parsed = action.pop("stats_parsed", None)
    action.pop("partitionValues_parsed", None)
    if action.get("stats") is None and parsed and parsed.get("numRecords") is not None:
        action["stats"] = json.dumps({"numRecords": parsed["numRecords"]})
    if vector := action.get("deletionVector"):
        action["deletionVector"] = {name: value for name, value in vector.items() if value is not None}
    return {name: value for name, value in action.items() if value is not None}


def vector_file(vector: dict[str, Any] | None) -> VectorFile | None:
    """The file of a deletion vector; None where it is in the log itself."""
    if vector is None or vector["storageType"] == "i":
        return None
    name = str(vector["pathOrInlineDv"])
    if vector["storageType"] == "u":  # after an optional prefix 20 characters of a UUID in Z85
        prefix, code = name[:-20], name[-20:]
        path = f"{prefix}/" if prefix else ""
        name = f"{path}deletion_vector_{UUID(bytes=_z85(code))}.bin"
    return VectorFile(name, int(vector.get("offset") or 0), int(vector["sizeInBytes"]))


_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"


def _z85(text: str) -> bytes:
    return base64.b85decode(text.translate(str.maketrans(_Z85, _B85)))


def _vector_id(vector: dict[str, Any] | None) -> str | None:
    return None if vector is None else f"{vector['storageType']}{vector['pathOrInlineDv']}@{vector.get('offset')}"


def outside(location: str, path: str) -> bool:
    """Whether a file of the log lies outside of the table's folder, as those of a shallow clone do: VACUUM leaves it alone."""
    return not resolved(location, path).startswith(f"{location}/")


def at_milliseconds(value: int) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)
