"""Who ingests when: taking turns with other ingesters, waiting for documents, for a store that comes back, for a driver's end.

A turn is the time for which an ingester holds the inbox's lock: it completes what was left unfinished, then takes up to
`BATCHES_A_TURN` batches. Nothing here looks into a document.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from ..errors import InboxError, StoreError
from .folder import InboxFolder
from .ledger import Ledger, read_ledger
from .lost import QUIET_SECONDS, LostRuns
from .progress import was_asked_for, write_progress
from .watch import Changes, Process

log = logging.getLogger(__name__)

BATCHES_A_TURN = 10
"""After so many batches the lock is let go, so that another ingester can say that it is alive."""
HEARTBEAT_SECONDS = 1.0
IDLE_POLL_SECONDS = 1.0
"""How far the time between two looks grows while nothing happens."""
BACKOFF_SECONDS_MAX = 60.0
LOCK_PATIENCE_SECONDS = 600.0
"""A turn takes seconds; an ingester that does not let go for so long hangs."""
ORPHAN_PATIENCE_SECONDS = 60.0
"""So long a child whose driver is gone tries an inbox or a store that cannot be used; the documents wait for another one."""
LINGER_SECONDS = 10.0
"""So long a driver that is still alive after its run's end is waited for: how its process ends is part of the run."""
GATHER_SECONDS = 2.0
"""Documents are gathered for so long before they are taken: a commit to each of twelve tables for every document would cost the
machine of the driver, and the store, many times what the documents themselves do."""
LOST_CHECK_SECONDS = 30.0
FORGET_SECONDS = 86_400.0


class Ingester(Protocol):
    """What is done in a turn, by who holds the lock."""

    was_full: bool
    """Whether the last batch was as large as one may be: then more may have been waiting already."""

    def complete_unfinished(self) -> None: ...

    def take_batch(self, lost: Iterable[str] = ()) -> bool: ...


class Turns:
    """The turns of one ingester on one inbox."""

    def __init__(
        self, inbox: InboxFolder, ingester: Ingester, stop: threading.Event, poll_seconds: float, lost_after_seconds: float
    ) -> None:
        self._inbox = inbox
        self._ingester = ingester
        self._stop = stop
        self._poll_seconds = poll_seconds
        self._lost = LostRuns(inbox, lost_after_seconds)
        self._look_for_lost_at = 0.0
        self._forget_at = 0.0

    def once(self, action: Callable[[], None]) -> None:
        """Does `action` while holding the lock, and waits for that."""

        def done() -> bool:
            action()
            return False

        self._until_false(done)

    def until_empty(self, *, final: bool) -> None:
        """Takes batches until nothing waits, then gives up the runs that are lost."""
        self._until_false(self._take)
        self._until_false(lambda: self._give_up(self._lost.find(final=final)))
        self._until_false(self._forget)

    def until_stopped(self) -> None:
        """Takes what comes until told to stop, and looks now and then for lost runs."""

        def look_around() -> bool:
            if time.monotonic() >= self._look_for_lost_at and self._in_turn(self._clear_up) is not None:
                self._look_for_lost_at = time.monotonic() + LOST_CHECK_SECONDS
            return False

        self._watch(Changes(self._inbox), look_around, lambda: False, lambda: False)

    def until_ended(self, run: str, driver: Process | None) -> None:
        """Takes what comes until the application run `run` has ended, or its driver is gone and its folder quiet."""
        changes = Changes(self._inbox)
        following = _Following(self._inbox, run, driver, changes)

        def over() -> bool:
            if following.beat_due():
                self._in_turn(following.beat)
            if following.ended():
                return not following.lingers() and self._in_turn(self._take) is not True
            return following.gone_quiet() and self._in_turn(lambda: self._give_up([run])) is not None

        self._watch(changes, over, following.orphaned, following.urgent)
        self._in_turn(self._clear_up)

    def _watch(
        self, changes: Changes, over: Callable[[], bool], impatient: Callable[[], bool], urgent: Callable[[], bool]
    ) -> None:
        """Takes what comes until `over`, gathering it for a while unless it is `urgent`.

        What fails is tried again, later and later, unless `impatient` says not to.
        """
        idle = backoff = gathered_at = 0.0
        more: bool | None = True
        waits = True
        while not self._stop.is_set():
            try:
                waits = changes.any() or more is not False or waits
                if waits and (time.monotonic() >= gathered_at or more is None or urgent()):
                    more = self._in_turn(self._take_gathered)
                    waits = more is not False
                    gathered_at = time.monotonic() + (0.0 if more else GATHER_SECONDS)
                    idle = 0.0
                if more is False and over():
                    return
                backoff = 0.0
            except (InboxError, StoreError) as error:
                if impatient():
                    raise
                if not backoff:
                    log.warning("nothing can be ingested for now: %s (the documents stay in the inbox; trying again)", error)
                backoff = min(BACKOFF_SECONDS_MAX, 2 * backoff or 1.0)
                more = None
            if more is not True:
                idle += self._poll_seconds
                self._stop.wait(backoff or min(IDLE_POLL_SECONDS, self._poll_seconds + idle / 50))

    def _until_false(self, action: Callable[[], bool]) -> None:
        """Does `action` in turns until it gives False. Raises `InboxError` where no turn comes."""
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while not self._stop.is_set():
            more = self._in_turn(action)
            if more is False:
                return
            if more:
                deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
            elif time.monotonic() > deadline:
                raise InboxError(
                    f"another process has held the lock of the inbox {self._inbox.location} for {LOCK_PATIENCE_SECONDS:.0f} s; "
                    f"see who has {self._inbox.location}/lock open (fuser, lsof), and end it if it hangs"
                )
            else:
                self._stop.wait(self._poll_seconds)

    def _in_turn(self, action: Callable[[], bool]) -> bool | None:
        """What `action` gives, done while holding the lock; None where another ingester holds it."""
        with self._inbox.lock() as mine:
            return action() if mine else None

    def _take(self) -> bool:
        """Completes what was begun, and takes some batches. True where more may wait."""
        self._ingester.complete_unfinished()
        return all(not self._stop.is_set() and self._ingester.take_batch() for _ in range(BATCHES_A_TURN))

    def _take_gathered(self) -> bool:
        """As `_take`, without what came while a batch was made: it is gathered for the next one."""
        self._ingester.complete_unfinished()
        return all(
            not self._stop.is_set() and self._ingester.take_batch() and self._ingester.was_full for _ in range(BATCHES_A_TURN)
        )

    def _give_up(self, runs: list[str]) -> bool:
        if runs:
            self._ingester.complete_unfinished()  # batches are applied in order: none is sealed over one that is not done
            self._ingester.take_batch(runs)
        return False

    def _clear_up(self) -> bool:
        self._give_up(self._lost.find(final=False))
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_SECONDS
            self._forget()
        return False

    def _forget(self) -> bool:
        self._lost.forget_old()
        return False


class _Following:
    """What is known of the run that is followed, and of its driver."""

    def __init__(self, inbox: InboxFolder, run: str, driver: Process | None, changes: Changes) -> None:
        self._inbox = inbox
        self._run = run
        self._driver = driver
        self._changes = changes
        self._gone_at: float | None = None
        self._ended_at: float | None = None
        self._beat_at = 0.0

    def ended(self) -> bool:
        ledger = read_ledger(self._inbox, self._run)
        return ledger is not None and ledger.ended

    def lingers(self) -> bool:
        """Whether the run has ended and its process, which may fail yet, has not."""
        if self._driver is None or self._gone():
            return False
        self._ended_at = self._ended_at or time.monotonic()
        return time.monotonic() - self._ended_at < LINGER_SECONDS

    def urgent(self) -> bool:
        """Whether somebody waits for what there is: the driver in `flush` or at its end, or nobody any more."""
        return was_asked_for(self._inbox, self._run) or _has_end(self._inbox, self._run) or self._gone()

    def beat_due(self) -> bool:
        return time.monotonic() >= self._beat_at

    def beat(self) -> bool:
        """Tells the driver that we are alive, and everybody else that the driver is."""
        self._beat_at = time.monotonic() + HEARTBEAT_SECONDS
        ledger = read_ledger(self._inbox, self._run) or Ledger(self._run)
        write_progress(self._inbox, ledger, following=self._driver is None or not self._gone())
        return False

    def gone_quiet(self) -> bool:
        """Whether the driver is gone, and nothing has happened in its folder for `QUIET_SECONDS` since."""
        if not self._gone() or self._gone_at is None:
            return False
        return time.monotonic() - max(self._gone_at, self._changes.quiet_since(self._run)) >= QUIET_SECONDS

    def orphaned(self) -> bool:
        return self._gone() and self._gone_at is not None and time.monotonic() - self._gone_at > ORPHAN_PATIENCE_SECONDS

    def _gone(self) -> bool:
        if self._gone_at is None and self._driver is not None and not self._driver.alive:
            self._gone_at = time.monotonic()
        return self._gone_at is not None


def _has_end(inbox: InboxFolder, run: str) -> bool:
    return any(name.endswith(".run_end.json.gz") for name in inbox.names(run))
