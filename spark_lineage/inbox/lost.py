"""Finding the runs whose driver is gone without having said so, and forgetting those that are long over."""

from __future__ import annotations

import time

from .folder import RESERVED, InboxFolder
from .ledger import Ledger, ledgers, read_ledger, remove_ledger
from .progress import read_progress, remove_progress

QUIET_SECONDS = 3.0
"""How long a folder has to be quiet after its driver is gone: the JVM writes for up to two seconds more."""
FOLLOWED_SECONDS = 60.0
"""An ingester that follows a run and sees its driver alive says so every second; after this it is not believed any more."""
LEDGER_DAYS = 7
"""So long the ledger of a run is kept after its last document, for the sake of late ones."""
LEFTOVER_SECONDS = 86_400.0
"""A temporary file this old belongs to a writer that is gone."""


class LostRuns:
    """Looks through the ledgers for runs that are lost. One that is over is not looked at again."""

    def __init__(self, inbox: InboxFolder, lost_after_seconds: float) -> None:
        self._inbox = inbox
        self._lost_after_ms = lost_after_seconds * 1000
        self._over: set[str] = set()

    def find(self, *, final: bool) -> list[str]:
        """The application runs to give up now. `final`: no driver is alive, so whatever has no end will not get one."""
        return [ledger.run for ledger in self._open() if final or self._is_lost(ledger)]

    def forget_old(self) -> None:
        """Removes what is left of runs whose last document was long ago, and of writers that died while they wrote."""
        oldest = time.time_ns() - LEDGER_DAYS * 86_400 * 1_000_000_000
        for run in ledgers(self._inbox):
            if self._inbox.changed_ns(f"ledger/{run}.json") < oldest and not self._is_followed(run):
                remove_ledger(self._inbox, run)
                remove_progress(self._inbox, run)
                self._inbox.remove_folder(run, closed=False)
        for folder in ("", *sorted(RESERVED), *self._inbox.runs()):
            self._inbox.remove_leftovers(folder, LEFTOVER_SECONDS)

    def _open(self) -> list[Ledger]:
        found = []
        for run in ledgers(self._inbox):
            ledger = None if run in self._over else read_ledger(self._inbox, run)
            if ledger is None:
                continue
            if ledger.ended:
                self._over.add(run)
            elif ledger.open_runs:
                found.append(ledger)
        return found

    def _is_lost(self, ledger: Ledger) -> bool:
        if self._inbox.documents(ledger.run, 1):
            return False
        if ledger.exit_error is not None:  # the process is known to be gone
            return time.time_ns() - self._inbox.changed_ns(ledger.run) > QUIET_SECONDS * 1e9
        return time.time_ns() / 1e6 - ledger.last_time_ms > self._lost_after_ms and not self._is_followed(ledger.run)

    def _is_followed(self, run: str) -> bool:
        progress = read_progress(self._inbox, run)
        age = FOLLOWED_SECONDS if progress is None else time.time() - progress.heartbeat_ms / 1000
        return progress is not None and progress.following and age < FOLLOWED_SECONDS
