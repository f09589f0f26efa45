"""The checksum of a version from what was summed while it was written: no data file is read.

A write knows the sum of the rows that it gave to its files. That is the version's where the version has no other files, and
together with the sum of the version before where it only added some. Everything else is left to who reads the files, and so is a
write whose count of rows is not that of its commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..model import Observed
from .delta import DeltaVersion, commit_actions, resolved
from .kinds import classes_hash
from .sums import Sums


@dataclass(frozen=True, slots=True)
class InlineSums:
    """Of the version; of its data file where the write made a single one."""

    whole: Sums
    file: tuple[str, str | None] | None
    written: Sums


def sums_of_write(table: DeltaVersion, observed: Observed, before: Callable[[], Sums | None]) -> InlineSums | None:
    """The sums of a version, `before` those of the one before; None where they do not follow from what was observed."""
    actions = commit_actions(table.location, table.version)
    if actions is None or observed.classes != classes_hash(table.columns) or _rewrites_texts(table):
        return None
    added = [action["add"] for action in actions if action.get("add")]
    counts = [_count(one) for one in added]
    if None in counts or sum(count for count in counts if count is not None) != observed.rows:
        return None
    written = Sums.parse(observed.rows, observed.checksum)
    names = {resolved(table.location, one["path"]) for one in added}
    there = {resolved(table.location, file.path): file for file in table.files}
    if any(file.deletion_vector is not None for name, file in there.items() if name in names) or not names <= set(there):
        return None
    if names == set(there):
        whole: Sums | None = written
    elif any(action.get("remove") for action in actions):
        return None
    else:
        known = before()
        whole = None if known is None else known + written
    if whole is None:
        return None
    return InlineSums(whole, there[next(iter(names))].named if len(names) == 1 else None, written)


def _rewrites_texts(table: DeltaVersion) -> bool:
    """Whether Delta may write other values than the query gave: of a text to partition by, '' becomes null."""
    partitioned = {name for file in table.files for name in file.partition}
    return any(column.stored in partitioned and column.kind.name == "string" for column in table.columns)


def _count(added: dict[str, Any]) -> int | None:
    """The rows of a file that was added, as its statistics tell; None where they do not, or some of the rows are left out."""
    if added.get("deletionVector"):
        return None
    try:
        return int(json.loads(added["stats"])["numRecords"])
    except (KeyError, TypeError, ValueError):
        return None
