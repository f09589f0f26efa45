"""Checksums of what jobs wrote, taken after them: by a thread of the ingester, or all that are due at once.

What is due follows from the tables alone (versions that were written and of which `snapshots` says nothing), so that a thread that
is killed leaves nothing behind: `spark-lineage snapshot take --due` finds what it has not come to.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import LineageError, SnapshotError
from ..model import Snapshot
from ..store.tables import Store
from .policy import Policy, Version, Wanted, Written, identity, text_of
from .recorded_versions import locations
from .sums import Progress
from .taking import left_out, take
from .unversioned import take_files

log = logging.getLogger(__name__)

WAITING_MAX = 10_000
"""Versions that the thread keeps in mind; further ones are left to `take --due`."""
SETTLE_SECONDS = 600.0
"""While a driver runs beside it, the thread leaves a version alone for so long: most jobs are over by then."""


@dataclass(frozen=True)
class Taken:
    """What became of the versions that were due."""

    snapshots: tuple[Snapshot, ...] = ()
    """In their order; those without a checksum say why."""

    @property
    def sound(self) -> bool:
        return all(one.reason is None for one in self.snapshots)


class Deferred:
    """Takes the checksums of versions some time after they were offered, in a thread of its own.

    Nothing is raised to who offers: what a version cannot be taken for is recorded with it, and logged once.
    """

    def __init__(self, location: str, policy: Policy, settle_seconds: float = 0.0) -> None:
        self.policy = policy
        self._location = location
        self._settle = settle_seconds
        self._waiting: deque[tuple[float, Wanted]] = deque()
        self._news = threading.Condition()
        self._over = False
        self._stopped = False
        self._thread: threading.Thread | None = None

    def offer(self, outputs: Iterable[Written], inputs: Iterable[Version]) -> None:
        """Rows that are in the tables now."""
        wanted = [(time.monotonic() + self._settle, one) for one in self.policy.wanted(outputs, inputs)]
        if not wanted:
            return
        with self._news:
            room = WAITING_MAX - len(self._waiting)
            if len(wanted) > room:
                log.warning(
                    "more versions than %d wait for a checksum: `spark-lineage snapshot take --due` takes the rest", WAITING_MAX
                )
            self._waiting.extend(wanted[: max(room, 0)])
            self._news.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spark-lineage snapshots", daemon=True)
            self._thread.start()

    def finish(self, stop: threading.Event) -> None:
        """Takes what waits, at once, and returns when that is done or `stop` is set."""
        with self._news:
            self._over = True
            self._news.notify()
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.1)
            if stop.is_set():
                self._stopped = True
                return

    def _run(self) -> None:
        for one in iter(self._next, None):
            try:
                take_wanted(Store.open(self._location), [one], self.policy, self._asked_to_stop)
            except _Stopped:
                return
            except LineageError as error:  # of the store: who looks for what is due finds it again
                log.warning("no checksum of %s: %s", one.text, error)
            except Exception:
                log.warning("no checksum of %s: a defect", one.text, exc_info=True)

    def _next(self) -> Wanted | None:
        with self._news:
            while True:
                now = time.monotonic()
                if self._waiting and (self._over or self._waiting[0][0] <= now):
                    return self._waiting.popleft()[1]
                if self._over:
                    return None
                self._news.wait(self._waiting[0][0] - now if self._waiting else None)

    def _asked_to_stop(self, done: int, total: int) -> None:
        if self._stopped:
            raise _Stopped


class _Stopped(Exception):
    """The process is told to end."""


def due(store: Store, policy: Policy, again: bool = False) -> list[Wanted]:
    """The recorded versions that the policy asks for and of which nothing is known; `again`: also those that were left out."""
    known = {
        identity(row["namespace"], row["name"], row["table_id"], row["delta_version"], row["fingerprint"])
        for row in store.arrow("snapshots", [*_IDENTITY, "method"]).to_pylist()
        if not again or row["method"] != "none"
    }
    wanted = policy.wanted(_rows(store, "outputs"), _rows(store, "inputs"))
    new = (one for one in wanted if one.identity not in known)
    return sorted(new, key=lambda one: (one.table_id or "", one.version or 0))


_IDENTITY = ("namespace", "name", "table_id", "delta_version", "fingerprint")


def take_wanted(
    store: Store,
    wanted: Iterable[Wanted],
    policy: Policy,
    progress: Progress | None = None,
    told: Callable[[Snapshot], None] = lambda snapshot: None,
) -> Taken:
    """Takes the checksums of versions, without a JVM; what cannot be taken is recorded with the reason."""
    taken: list[Snapshot] = []
    for found in each(store, wanted, lambda place, one: _take(store, place, one, policy, progress)):
        if found.reason is not None:
            log.warning("%s: %s", text_of(found.delta_version, found.name), found.reason)
        taken.append(found)
        told(found)
    return Taken(tuple(taken))


def each(store: Store, wanted: Iterable[Wanted], take_one: Callable[[str, Wanted], Snapshot]) -> Iterator[Snapshot]:
    """What `take_one` takes of each version, given where it lies; what it cannot take is recorded with the reason. Raises
    StoreError and its like, and what it raises to be stopped."""
    places = locations(store)
    for one in wanted:
        place = places.get((one.namespace, one.name))
        try:
            if place is None:
                raise SnapshotError("it is recorded without a place where it lies")
            found = take_one(place, one)
        except SnapshotError as error:
            found = left_out(store, one, str(error))
        except (LineageError, _Stopped):
            raise
        except Exception as error:  # one that cannot be read must not keep the others from being taken
            log.warning("no checksum of %s: a defect", one.text, exc_info=True)
            found = left_out(store, one, f"a defect: {type(error).__name__}: {error}")
        yield found


def _take(store: Store, place: str, one: Wanted, policy: Policy, progress: Progress | None) -> Snapshot:
    key = one.namespace, one.name
    if one.version is None:
        return take_files(
            store, place, key, one.fingerprint, progress, execution_id=one.execution_id, max_bytes=policy.max_bytes
        )
    return take(
        store, place, one.version, None, key, progress,
        table_id=one.table_id, execution_id=one.execution_id, max_bytes=policy.max_bytes, observed=one.observed,
    )  # fmt: skip


class _Row(NamedTuple):
    execution_id: str
    namespace: str
    name: str
    alias: str | None
    table_id: str | None
    delta_version: int | None
    fingerprint: str | None
    observed_rows: int | None = None
    observed_checksum: str | None = None
    observed_classes: str | None = None


def _rows(store: Store, table: str) -> Iterator[_Row]:
    columns = [name for name in _Row._fields if table == "outputs" or not name.startswith("observed_")]
    for batch in store.arrow(table, columns, "delta_version is not null or fingerprint is not null").to_batches(
        max_chunksize=10_000
    ):
        yield from (_Row(**row) for row in batch.to_pylist())
