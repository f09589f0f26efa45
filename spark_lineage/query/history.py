"""Which writes made up a dataset at a point in time, or in the version that an execution read.

A dataset's content is what its last full overwrite put there and what was added or changed since. So the writes *in force*
are the last full one at or before the point, and all after it up to the point. A write is full when its mode says so, when it
makes a new table, or when the table it writes has another identity than the one before it (dropped and created again).

Points are versions where the reader's and the writers' versions of a Delta table are known, and times otherwise: then a write
counts that had taken effect when the reading execution started.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, groupby
from typing import NamedTuple

from .names import Key


class Write(NamedTuple):
    """One execution's write to one dataset. Times are microseconds since the epoch.

    `lineage_id` None: the write has no edges; with `lost`, because they could not be captured.
    """

    execution_id: str
    run_id: str
    job_name: str | None
    lineage_id: str | None
    dataset: Key
    started_at: int
    effective_at: int
    table_id: str | None = None
    version: int | None = None
    full: bool = False
    lost: bool = False


class Read(NamedTuple):
    """The version of one dataset that an execution read."""

    execution_id: str
    dataset: Key
    table_id: str | None
    version: int


class History:
    """All writes, those of one dataset side by side in the order in which they took effect.

    Ranges that the methods give are of positions in `writes`.
    """

    def __init__(self, writes: Iterable[Write], reads: Iterable[Read] = ()) -> None:
        self.writes: list[Write] = []
        self.spans: dict[Key, range] = {}
        self._times: list[int] = []
        self._since: list[int] = []
        self._versions: dict[tuple[Key, str | None], tuple[list[int], list[int]]] = {}
        ordered = sorted(writes, key=lambda write: (write.dataset, write.effective_at, write.version or 0))
        for dataset, group in groupby(ordered, key=lambda write: write.dataset):
            self._add(dataset, list(group))
        self._reads = {(read.execution_id, read.dataset): read for read in sorted(reads, key=lambda read: read.version)}

    def in_force(self, dataset: Key, at: int) -> range:
        """The writes whose data was in `dataset` at time `at`."""
        span = self.spans.get(dataset, range(0))
        return self._ending(bisect_right(self._times, at, span.start, span.stop), span)

    def as_read(self, dataset: Key, by: Write) -> range:
        """The writes whose data was in `dataset` as the execution of the write `by` read it."""
        read = self._reads.get((by.execution_id, dataset))
        if read is None:
            return self.in_force(dataset, by.started_at)
        versions, positions = self._versions.get((dataset, read.table_id), ([], []))
        if not versions:
            return self._of_table(self.in_force(dataset, by.started_at), read.table_id)
        found = bisect_right(versions, read.version)
        return self._ending(positions[found - 1] + 1, self.spans[dataset]) if found else range(0)

    def _add(self, dataset: Key, writes: list[Write]) -> None:
        start = len(self.writes)
        writes = _by_version(writes)
        self.writes += writes
        self.spans[dataset] = range(start, start + len(writes))
        self._times += accumulate((write.effective_at for write in writes), max)
        since, table = start, None
        for position, write in enumerate(writes, start):
            if write.full or (write.table_id and table and write.table_id != table):
                since = position
            table = write.table_id or table
            self._since.append(since)
            if write.version is not None:
                versions, positions = self._versions.setdefault((dataset, write.table_id), ([], []))
                versions.append(write.version)
                positions.append(position)

    def _ending(self, end: int, span: range) -> range:
        return range(self._since[end - 1], end) if end > span.start else range(0)

    def _of_table(self, found: range, table_id: str | None) -> range:
        """Nothing, where what was there by the clock belongs to another incarnation than the one that was read."""
        last = self.writes[found.stop - 1].table_id if found else None
        return range(0) if last and table_id and last != table_id else found


def _by_version(writes: list[Write]) -> list[Write]:
    """In the order of time, but the versions of one table in their own order: the clocks of several drivers differ."""
    versioned: dict[str | None, list[Write]] = {}
    for write in writes:
        if write.version is not None:
            versioned.setdefault(write.table_id, []).append(write)
    queues = {table: iter(sorted(group, key=lambda write: write.version or 0)) for table, group in versioned.items()}
    return [write if write.version is None else next(queues[write.table_id]) for write in writes]
