"""How far an application run has come, for the driver to read: ``state/<application run id>.json``.

`flush(timeout)` in the driver waits until `ingested_through` reaches the last number that the bridge gave out and no number
up to it is in `sequences_missing`. The file is replaced by rename, so a reader sees a whole one; it is written by
whoever ingests, and can be removed at any time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass

from .folder import InboxFolder
from .ledger import Ledger

_LISTED = 1_000


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    ingested_through: int
    """Everything up to this number is in the tables, but for what the two lists name; -1 where nothing is."""
    sequences_missing: tuple[int, ...]
    """Numbers below that were never seen, the first thousand of them."""
    sequences_quarantined: tuple[int, ...]
    """Numbers whose documents cannot be ingested, the first thousand of them."""
    ended: bool
    """Whether the application's end document is in the tables."""
    pid: int
    """The ingester's process."""
    heartbeat_ms: int
    """When the ingester last said so, epoch milliseconds; about every second while it follows the run."""
    following: bool
    """Whether the ingester follows this run, and its driver is alive."""


def progress_of(ledger: Ledger, *, following: bool) -> Progress:
    return Progress(
        ingested_through=ledger.highest,
        sequences_missing=tuple(ledger.awaited.first(_LISTED)),
        sequences_quarantined=tuple(ledger.quarantined.first(_LISTED)),
        ended=ledger.ended,
        pid=os.getpid(),
        heartbeat_ms=time.time_ns() // 1_000_000,
        following=following,
    )


def write_progress(inbox: InboxFolder, ledger: Ledger, *, following: bool = False) -> None:
    data = json.dumps(dataclasses.asdict(progress_of(ledger, following=following))).encode()
    inbox.replace(_path(ledger.run), data, durable=False)


def read_progress(inbox: InboxFolder, run: str) -> Progress | None:
    """How far a run has come; None where nobody has said so yet."""
    data = inbox.read(_path(run))
    if data is None:
        return None
    try:
        values = json.loads(data)
        values["sequences_missing"] = tuple(values["sequences_missing"])
        values["sequences_quarantined"] = tuple(values["sequences_quarantined"])
        return Progress(**values)
    except (ValueError, KeyError, TypeError):  # no harm: the next one is written within seconds
        return None


def was_asked_for(inbox: InboxFolder, run: str) -> bool:
    """Whether the driver said, since this was last asked, that it waits for what it has written (``state/<run>.asked``)."""
    if inbox.size(_asked(run)) is None:
        return False
    inbox.remove(_asked(run))
    return True


def remove_progress(inbox: InboxFolder, run: str) -> None:
    inbox.remove(_path(run))
    inbox.remove(_asked(run))


def _asked(run: str) -> str:
    return f"state/{run}.asked"


def _path(run: str) -> str:
    return f"state/{run}.json"
