"""Knowing cheaply that something happened: documents in the inbox, a driver that is gone."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .folder import InboxFolder

_TICK_NS = 2_000_000_000
"""File systems stamp changes in ticks: a folder that changed this shortly before it was looked at may change again unseen."""
_FULL_LOOK_SECONDS = 30.0
"""Where stamps lie (network mounts), a change is seen after this at the latest."""


class Changes:
    """Whether a folder of the inbox changed since it was last looked at, told by the folders' modification times alone."""

    def __init__(self, inbox: InboxFolder) -> None:
        self._inbox = inbox
        self._stamps: dict[str, int] = {}
        self._changed_at: dict[str, float] = {}
        self._full_look = 0.0
        self._made = time.monotonic()

    def any(self) -> bool:
        """True where something may have changed since the last call; the first call is always true."""
        stamps = {run: self._inbox.changed_ns(run) for run in self._inbox.runs()}
        changed = {run for run in stamps.keys() | self._stamps.keys() if stamps.get(run) != self._stamps.get(run)}
        self._changed_at = {run: at for run, at in self._changed_at.items() if run in stamps}
        self._changed_at.update(dict.fromkeys(changed, time.monotonic()))
        self._stamps = stamps
        fresh = any(stamp > time.time_ns() - _TICK_NS for stamp in stamps.values())
        return self._due() or bool(changed) or fresh

    def _due(self) -> bool:
        due = time.monotonic() > self._full_look
        if due:
            self._full_look = time.monotonic() + _FULL_LOOK_SECONDS
        return due

    def quiet_since(self, run: str) -> float:
        """When the folder of `run` was last seen to change, in seconds of `time.monotonic`; when we began to look, if never."""
        return self._changed_at.get(run, self._made)


class Process:
    """Another process on this machine, told from a later one that was given the same number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._started = _start_time(pid)

    @property
    def alive(self) -> bool:
        """False once it is gone, a zombie counting as gone."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return _start_time(self.pid) == self._started and _state(self.pid) != "Z"


def _start_time(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; empty where there is no such file (another system, or gone)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
