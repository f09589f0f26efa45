"""How long a Delta table keeps its versions, what that holds on the disk, and setting it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from ..errors import SnapshotError, first_line
from .delta import absolute, for_delta_rs
from .delta_log import FILES_KEPT, LOG_KEPT, DeltaLog, Progress, outside, read_log
from .intervals import duration, interval

_ATTEMPTS = 5
_DAY = timedelta(days=1)
MOST_DAYS = 36_500


@dataclass(frozen=True)
class Change:
    """A table property. `before` is what was in force, set or by default; `after` is the same where it is left alone."""

    name: str
    before: str
    after: str

    @property
    def changes(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What a table keeps, and what that costs.

    `held_bytes` are those of removed files that VACUUM has to leave, under `days`; whether they are there was not looked at.
    `live_bytes` are those of the newest version. `removed_per_day`: bytes that were removed a day, over the `observed_days` that
    the log goes back. `estimated_bytes`: what would be held if that goes on, once the period has passed; None without a log of
    at least a day. `version` is the commit that set the properties, None where none was made.
    """

    location: str
    table_id: str
    days: float
    log_days: float
    changes: tuple[Change, ...]
    live_files: int
    live_bytes: int
    held_files: int
    held_bytes: int
    observed_days: float
    removed_per_day: int
    estimated_bytes: int | None
    version: int | None = None


def retention(
    location: str,
    days: int | None = None,
    *,
    shorten: bool = False,
    dry_run: bool = False,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Retention:
    """What the table keeps and what it costs; with `days` after its properties are set to that, in one commit.

    A longer time that is in force stays, but for `shorten`. Raises SnapshotError, and for a table that only Spark can write says
    what to run there: then nothing was changed.
    """
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise SnapshotError(f"{days} days cannot be kept; give a number from 1 to {MOST_DAYS:,}")
    log = read_log(location, progress=progress)
    changes = _changes(log, days, shorten)
    version = None
    if not dry_run and any(change.changes for change in changes):
        version = _set(location, log.table_id, changes)
    return _cost(log, changes, now or datetime.now(UTC), version)


def statement(location: str, changes: tuple[Change, ...]) -> str:
    """What sets the properties in Spark."""
    path = absolute(location).replace("`", "``")
    told = ", ".join(f"'{change.name}' = '{change.after}'" for change in changes if change.changes)
    return f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ({told})"


def _changes(log: DeltaLog, days: int | None, shorten: bool) -> tuple[Change, ...]:
    """Spark refuses a log that is kept for less long than the files are."""
    if days is None:
        return tuple(Change(name, log.setting(name), log.setting(name)) for name in (FILES_KEPT, LOG_KEPT))
    wanted = timedelta(days=days)
    files = Change(FILES_KEPT, log.setting(FILES_KEPT), _chosen(log, FILES_KEPT, wanted, days, shorten))
    least = max(wanted, duration(files.after))
    log_days = days if least == wanted else -(-least // _DAY)
    return files, Change(LOG_KEPT, log.setting(LOG_KEPT), _chosen(log, LOG_KEPT, least, log_days, shorten))


def _chosen(log: DeltaLog, name: str, wanted: timedelta, days: int, shorten: bool) -> str:
    """The setting stays as it is written where it says the same, and where it says more."""
    now = log.kept(name)
    return log.setting(name) if now == wanted or (now > wanted and not shorten) else interval(days)


def _set(location: str, table_id: str, changes: tuple[Change, ...]) -> int:
    properties = {change.name: change.after for change in changes if change.changes}
    leave_alone = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
    for attempt in range(_ATTEMPTS):
        try:
            table = DeltaTable(for_delta_rs(location))
            if str(table.metadata().id) != table_id:
                raise SnapshotError(f"{location} was replaced by another table meanwhile: nothing was set, try again")
            table.alter.set_table_properties(properties, post_commithook_properties=leave_alone)
            return int(table.version())
        except (DeltaError, OSError, ValueError) as error:
            if isinstance(error, CommitFailedError) and "nsupported" not in str(error) and attempt + 1 < _ATTEMPTS:
                continue  # a writer was quicker
            reason = first_line(error)
            raise SnapshotError(
                f"the properties of {location} were not set: {reason}. If Spark can write the table, run there: "
                f"{statement(location, changes)}"
            ) from error
    raise AssertionError("unreachable")


def _cost(log: DeltaLog, changes: tuple[Change, ...], now: datetime, version: int | None) -> Retention:
    kept, log_kept = (duration(change.after) for change in changes)
    live = [held for held in log.held if held.until is None]
    sizes: dict[str, int] = {}
    for held in log.held:
        sizes.update((path, size) for path, size in held.files() if path in log.removed and not outside(log.location, path))
    removed = {path: _at(log.removed[path]) for path in sizes}
    still = [path for path, at in removed.items() if at is not None and at + kept > now]
    begin = min(log.times.values(), default=now)
    observed = max(now - begin, timedelta(0))
    per_day = sum(sizes.values()) / (max(observed, _DAY) / _DAY)
    return Retention(
        location=log.location,
        table_id=log.table_id,
        days=kept / _DAY,
        log_days=log_kept / _DAY,
        changes=changes,
        live_files=len(live),
        live_bytes=sum(held.bytes for held in live),
        held_files=len(still),
        held_bytes=sum(sizes[path] for path in still),
        observed_days=observed / _DAY,
        removed_per_day=round(per_day),
        estimated_bytes=round(per_day * (kept / _DAY)) if observed >= _DAY else None,
        version=version,
    )


def _at(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, UTC)
