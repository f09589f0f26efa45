"""What is said of versions that are kept, and of what keeping costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .words import time

if TYPE_CHECKING:
    from ..snapshot.archive import Archived
    from ..snapshot.availability import Availability
    from ..snapshot.retention import Retention


def readable(one: Availability) -> str:
    return {True: "yes", False: "no", None: "unknown"}[one.readable]


def until(one: Availability) -> str:
    """Up to when it is sure that it can be read."""
    if one.readable is False:
        return ""
    if one.bound == "none":
        return "no end"
    return "unknown" if one.until is None else f"{time(one.until)} ({one.bound})"


def retained(kept: Retention) -> Iterator[str]:
    yield f"{kept.location}: table {kept.table_id}"
    for change in kept.changes:
        what = f"{change.name}: {change.before}"
        if not change.changes:
            yield what
        else:
            yield f"{what} -> {change.after}{'' if kept.version is not None else ' (not set)'}"
    if kept.version is not None:
        yield f"set by version {kept.version} of the table"
    yield f"the newest version has {kept.live_files:,} files of {kept.live_bytes:,} bytes"
    yield (
        f"removed files that {kept.days:g} days hold now: {kept.held_files:,} of {kept.held_bytes:,} bytes, if they are all still there"
    )
    yield f"removed so far: {kept.removed_per_day:,} bytes a day, in a log that goes back {kept.observed_days:.1f} days"
    if kept.estimated_bytes is None:
        yield "no estimate: the log goes back less than a day"
    else:
        yield f"estimate: about {kept.estimated_bytes:,} bytes held after {kept.days:g} days, if removing goes on like that"


def archived(made: Archived) -> Iterator[str]:
    copy = made.archive
    yield f"version {copy.delta_version} of {copy.name} is kept in {copy.location}"
    if made.already_there:
        yield "it was there: nothing was copied"
    else:
        yield f"copied: {made.copied_files:,} files of {made.copied_bytes:,} bytes"
        yield f"shared with copies of other versions: {made.shared_files:,} files of {made.shared_bytes:,} bytes"
    yield f"checksum: {copy.checksum}" if copy.checksum else "compared byte by byte: only Spark can take its checksum"
