"""The right to be the one ingester of an inbox that has no lock: objects under ``claims/``, each of one process.

Whoever wants it writes an object of its own, then lists. Alone in the list, it has the claim. Else it takes its object away and
says who is there. Of two that began at once, each sees the other's object, since each listed after it wrote: the one whose
name comes first waits for the other to go. So no two have it, as long as listings show what was written.

The holder writes its object again every few seconds. One that was not written again for `CLAIM_SECONDS`, by the store's own clock,
belongs to a process that is gone, and is removed by the next one. A holder that could not renew in time stops writing.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Protocol

from ..errors import InboxError

CLAIM_SECONDS = 120.0
RENEW_SECONDS = 15.0
PATIENCE_SECONDS = 10.0
"""So long one of two that began at once waits for the other to go."""
_FOLDER = "claims"


class Place(Protocol):
    """What a claim needs of an inbox."""

    location: str

    def entries(self, folder: str) -> list[tuple[str, float]]: ...

    def write(self, path: str, data: bytes) -> None: ...

    def discard(self, path: str) -> None: ...

    def read_now(self, path: str) -> bytes | None: ...


class Claim:
    """This process's claim to an inbox; not held at first."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.json"
        self._path = f"{_FOLDER}/{self._name}"
        self._renewed: float | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self) -> None:
        """Takes the claim where it is not held yet. Raises `InboxError` where another process has it."""
        if self._renewed is not None:
            self.check()
            return
        self._renew()
        try:
            self._wait_alone()
        except BaseException:
            self._place.discard(self._path)
            self._renewed = None
            raise
        self._over.clear()
        self._thread = threading.Thread(target=self._keep, name="spark-lineage-claim", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises `InboxError` where the claim is held and was not renewed for so long that another may have it by now."""
        if self._renewed is not None and _now() - self._renewed > CLAIM_SECONDS / 2:
            self._stop()
            raise InboxError(
                f"the claim to the inbox {self._place.location} could not be renewed for {CLAIM_SECONDS / 2:.0f} s (the store was "
                f"out of reach, or this process was stopped); another ingester may go on, so this one begins anew"
            )

    def release(self) -> None:
        if self._renewed is not None:
            self._stop()
            self._place.discard(self._path)

    def _stop(self) -> None:
        self._renewed = None
        self._over.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _wait_alone(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            entries = dict(self._place.entries(_FOLDER))
            now = entries.pop(self._name, None)
            if now is None:
                raise InboxError(f"a claim to the inbox {self._place.location} was removed while it was made; try again")
            others = {name: seen for name, seen in entries.items() if not self._is_over(name, now - seen)}
            for name in entries.keys() - others.keys():
                self._place.discard(f"{_FOLDER}/{name}")
            if not others:
                return
            first = min(others)
            if first < self._name or time.monotonic() > deadline:
                raise InboxError(self._whose(first, now - others[first]))
            time.sleep(0.2)

    def _is_over(self, name: str, age: float) -> bool:
        """Whether its process is gone: not renewed for long, or of this machine and no more there."""
        if age > CLAIM_SECONDS:
            return True
        holder = self._read(name)
        if holder.get("host") != socket.gethostname() or not isinstance(holder.get("pid"), int):
            return False
        return holder.get("boot") == _boot() and not _exists(int(str(holder["pid"])), str(holder.get("started", "")))

    def _whose(self, name: str, age: float) -> str:
        holder = self._read(name)
        return (
            f"another ingester works on the inbox {self._place.location}: process {holder.get('pid')} on {holder.get('host')}, heard of "
            f"{max(0.0, age):.0f} s ago; one at a time can. If it is gone, its claim is taken over when it has not been heard of "
            f"for {CLAIM_SECONDS:.0f} s"
        )

    def _read(self, name: str) -> dict[str, object]:
        try:
            content = json.loads(self._place.read_now(f"{_FOLDER}/{name}") or b"{}")
        except (InboxError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _keep(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            with contextlib.suppress(InboxError):  # noticed by `check` when it goes on for too long
                self._renew()

    def _renew(self) -> None:
        began = _now()
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid()), "boot": _boot()}
        self._place.write(self._path, json.dumps(holder).encode())
        self._renewed = began


def _now() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()


def _exists(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not started or _started(pid) == started


def _started(pid: int) -> str:
    """When a process began, in the system's ticks: tells it from a later one of the same number. Empty where it is not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _boot() -> str:
    """The machine's present life: containers share names, not this together with their process table's namespace."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
