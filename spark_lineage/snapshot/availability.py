"""Whether recorded versions of Delta tables can still be read, and until when that is sure.

The log of a table is read once for all of its versions. From it and the table's properties alone a version may be left in doubt:
then only a look at its files tells (`deep`). docs/snapshots.md has the rules.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from ..errors import SnapshotError, VersionGone
from .delta import absolute
from .delta_log import FILES_KEPT, LOG_CLEANED, LOG_KEPT, DeltaLog, Progress, outside, read_log
from .looking import is_missing, look

Bound = Literal["none", "files", "log", "unknown"]
_NEVER = np.iinfo(np.int64).max
ENFORCED = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"


@dataclass(frozen=True, kw_only=True)
class Availability:
    """What is known of one version of the table at a location.

    `readable` is None where the log does not tell. `until` is the earliest time at which VACUUM or log clean-up may take
    something of it, under the table's properties of now; `bound` says which: `none` (kept without an end, as the newest version
    is), `files`, `log`, or `unknown` (then `until` is None too). A time that has passed says that nothing keeps it any more.
    `plain_until`: from then on Spark's time travel refuses it unless told not to. `removed_files` are those of its files that the
    newest version does not have. `lost`: files that were looked for and are gone or broken. `archive`: where a copy of it is.
    """

    location: str
    table_id: str | None
    version: int
    readable: bool | None
    reason: str | None = None
    until: datetime | None = None
    bound: Bound = "unknown"
    plain_until: datetime | None = None
    committed_at: datetime | None = None
    files: int | None = None
    bytes: int | None = None
    removed_files: int | None = None
    removed_bytes: int | None = None
    lost: tuple[str, ...] = ()
    archive: str | None = None

    @property
    def obtainable(self) -> bool:
        """Whether it can be read where it is, or from an archive."""
        return bool(self.readable) or self.archive is not None


def availability(
    location: str,
    versions: Collection[int],
    table_id: str | None = None,
    *,
    deep: bool = False,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> dict[int, Availability]:
    """What is known of these versions of the table with that id at a location (None: of whichever table is there).

    `deep`: every file is opened. `progress` is told bytes. What cannot be looked at is an answer too; nothing is raised.
    """
    place = absolute(location)
    try:
        log = read_log(place, versions, None if deep else progress)
        return _Judge(log, table_id, now or datetime.now(UTC)).judge(versions, deep, progress)
    except SnapshotError as error:
        readable = False if isinstance(error, VersionGone) else None
        return {
            version: Availability(location=place, table_id=table_id, version=version, readable=readable, reason=str(error))
            for version in versions
        }


class _Judge:
    """Judges versions by a log that was read for them."""

    def __init__(self, log: DeltaLog, table_id: str | None, now: datetime) -> None:
        self._log = log
        self._table_id = table_id
        self._now = now
        self._settings = f"{FILES_KEPT} is {log.setting(FILES_KEPT)!r}"
        self._cleaned = log.setting(LOG_CLEANED).lower() != "false"

    def judge(self, versions: Collection[int], deep: bool, progress: Progress | None) -> dict[int, Availability]:
        told = sorted(set(self._log.listing.readable()) & set(versions))
        there = [version for version in told if self._is_it(version)]
        counts = _Counts(self._log, there)
        lost = look(self._log, there, progress) if deep else {}
        found = {version: self._version(version, counts, lost if deep else None) for version in there}
        return {version: found.get(version) or self._gone(version) for version in versions}

    def _is_it(self, version: int) -> bool:
        return self._table_id in (None, self._log.table_id_of(version))

    def _gone(self, version: int) -> Availability:
        log = self._log
        if version > log.newest:
            reason = f"the table has no version {version}: the newest is {log.newest}"
            if self._table_id not in (None, log.table_id):
                reason = _another(log, self._table_id)
        elif version in log.listing.readable() or self._table_id not in (None, *(identity for _, identity in log.identities)):
            reason = _another(log, self._table_id)
        else:
            reason = (
                f"its log is gone: a longer {LOG_KEPT} would have kept it (it is {log.setting(LOG_KEPT)!r}), "
                "or a copy by `spark-lineage retain --version`"
            )
        return Availability(location=log.location, table_id=self._table_id, version=version, readable=False, reason=reason)

    def _version(self, version: int, counts: _Counts, lost: dict[str, str] | None) -> Availability:
        log, at = self._log, counts.at(version)
        until, bound = self._until(version, counts)
        committed_at = log.times.get(version)
        readable, reason, gone = self._readable(version, counts, lost)
        plain = None if version == log.newest or committed_at is None else committed_at + log.kept(FILES_KEPT)
        if readable and plain is not None and plain < self._now:
            reason = f"Spark's time travel refuses it, being older than {FILES_KEPT}, unless {ENFORCED} is false"
        return Availability(
            location=log.location,
            table_id=log.table_id_of(version),
            version=version,
            readable=readable,
            reason=reason,
            until=until if readable is not False else None,
            bound=bound if readable is not False else "unknown",
            plain_until=plain if readable is not False else None,
            committed_at=committed_at,
            files=int(counts.files[at]),
            bytes=int(counts.bytes[at]),
            removed_files=int(counts.removed_files[at]),
            removed_bytes=int(counts.removed_bytes[at]),
            lost=gone,
        )

    def _until(self, version: int, counts: _Counts) -> tuple[datetime | None, Bound]:
        cleaned = self._log.listing.cleaned_at(version, self._log.kept(LOG_KEPT)) if self._cleaned else None
        expires = counts.expires(version)
        if counts.foreign[counts.at(version)]:
            return None, "unknown"
        if expires is not None and (cleaned is None or expires <= cleaned):
            return expires, "files"
        return (cleaned, "log") if cleaned is not None else (None, "none")

    def _readable(
        self, version: int, counts: _Counts, lost: dict[str, str] | None
    ) -> tuple[bool | None, str | None, tuple[str, ...]]:
        """Whether, why not (or why that is not known), and what is lost."""
        log = self._log
        if lost is not None:
            paths = dict.fromkeys(path for held in log.files_of(version) for path, _ in held.files() if path in lost)
            if not paths:
                return True, None, ()
            first = next(iter(paths))
            return False, f"{_count(len(paths), 'file')} of it {lost[first]}: {self._kept_by()}", tuple(paths)
        if counts.foreign[counts.at(version)]:
            return None, "it has files of another table, whose VACUUM is not known: --deep looks at them", ()
        expires = counts.expires(version)
        if expires is None:
            return True, None, ()
        kept = log.kept(FILES_KEPT)
        vacuum = next((one for one in reversed(log.vacuums) if expires - kept < one.cutoff), None)
        if vacuum is not None:
            taken = next(
                path
                for held in log.files_of(version)
                for path, _ in held.files()
                if (at := log.expires(path)) is not None and at - kept < vacuum.cutoff
            )
            if is_missing(log.location, taken):
                when = f"the VACUUM of {vacuum.at:%Y-%m-%d %H:%M:%S}Z (version {vacuum.version})"
                return False, f"{when} took files of it: {self._kept_by()}", (taken,)
            return (
                None,
                f"a VACUUM since it was written may have taken files of it (version {vacuum.version}): --deep looks",
                (),
            )
        if expires <= self._now:
            since = f"since {expires:%Y-%m-%d %H:%M:%S}Z" if expires.year > 1970 else "at any time"
            return None, f"a VACUUM may have taken files of it {since}, though the log has none: --deep looks", ()
        return True, None, ()

    def _kept_by(self) -> str:
        return f"a longer {FILES_KEPT} would have kept it (it is {self._log.setting(FILES_KEPT)!r}), or a copy by `spark-lineage retain --version`"


class _Counts:
    """Of each version: its files, those that were removed since, and when the first of them may go."""

    def __init__(self, log: DeltaLog, versions: list[int]) -> None:
        self._log = log
        self._versions = np.array(versions, np.int64)
        self.files, self.bytes, self.removed_files, self.removed_bytes, self.foreign = (
            np.zeros(len(versions) + 1, np.int64) for _ in range(5)
        )
        self._first = np.full(len(versions), _NEVER, np.int64)
        expires: dict[str, int] = {}
        for held in log.held:
            low = int(np.searchsorted(self._versions, held.since))
            high = len(versions) if held.until is None else int(np.searchsorted(self._versions, held.until))
            if low >= high:
                continue
            self._add(self.files, self.bytes, low, high, held.bytes)
            self.foreign[low] += (other := any(outside(log.location, path) for path, _ in held.files()))
            self.foreign[high] -= other
            if held.until is None:
                continue
            earliest = min(_expiry(log, path, expires) for path, _ in held.files())
            if earliest < _NEVER:
                self._add(self.removed_files, self.removed_bytes, low, high, held.bytes)
                np.minimum(self._first[low:high], earliest, out=self._first[low:high])
        for counted in (self.files, self.bytes, self.removed_files, self.removed_bytes, self.foreign):
            np.cumsum(counted, out=counted)

    def at(self, version: int) -> int:
        return int(np.searchsorted(self._versions, version))

    def expires(self, version: int) -> datetime | None:
        """From when on VACUUM may take a file of it."""
        first = int(self._first[self.at(version)])
        return None if first == _NEVER else datetime.fromtimestamp(first / 1e6, UTC)

    @staticmethod
    def _add(count: Any, sizes: Any, low: int, high: int, size: int) -> None:
        count[low] += 1
        count[high] -= 1
        sizes[low] += size
        sizes[high] -= size


def _expiry(log: DeltaLog, path: str, known: dict[str, int]) -> int:
    """In microseconds."""
    if path not in known:
        at = log.expires(path)
        known[path] = _NEVER if at is None else round(at.timestamp() * 1e6)
    return known[path]


def _another(log: DeltaLog, table_id: str | None) -> str:
    return f"another table is there now ({log.table_id}, not {table_id}): it was dropped and created again, or replaced; nothing but a copy by `spark-lineage retain --version` would have kept it"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
