"""The right to be the one ingester of an inbox that has no lock: objects under ``claims/``, each of one process.

Whoever wants it writes an object of its own, then lists. Alone in the list, it has the claim. Else it takes its object away and
says who is there. Of two that began at once, each sees the other's object, since each listed after it wrote: the one whose
name comes first waits for the other to go. So no two have it, as long as listings show what was written.

The holder writes its object again every few seconds. One that was not written again for `CLAIM_SECONDS`, by the store's own clock,
belongs to a process that is gone, and is removed by the next one. A holder that could not renew for half of that, or whose object is
gone, has lost its claim for good: it writes nothing more before it has made another, under a later name.

That is no lock. Between the look at the clock and the request that follows, a process can be stopped for any time. What such a late
write can do, and why no document is lost by it, is in ``batch.py``.
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
    """This process's claim to an inbox; not held at first. One that was lost stays so until `hold` makes another."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._name = ""
        self._renewed: float | None = None
        self._lost = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Names this claim; the name of a later one sorts behind it. Empty before there is one."""
        return self._name.removesuffix(".json")

    def hold(self) -> bool:
        """Takes the claim. True where it was not held, or was lost, before. Raises `InboxError` where another process has it."""
        if self._renewed is not None and not self._is_lost():
            return False
        self.release()
        self._name = f"{self._stamp():020d}-{uuid.uuid4().hex[:8]}.json"
        self._write()
        try:
            self._wait_alone()
        except BaseException:
            self.release()
            raise
        self._over.clear()
        self._thread = threading.Thread(target=self._keep, name="spark-lineage-claim", daemon=True)
        self._thread.start()
        return True

    def check(self) -> None:
        """Raises `InboxError` where the claim was held, and another may have it by now."""
        if self._is_lost():
            raise InboxError(
                f"the claim to the inbox {self._place.location} is lost: it could not be renewed for {CLAIM_SECONDS / 2:.0f} s (the "
                f"store was out of reach, or this process was stopped), or was removed; another ingester may go on, so this one "
                f"begins anew"
            )

    def release(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        if self._renewed is not None:
            self._place.discard(self._path)
        self._renewed = None
        self._lost = False

    @property
    def _path(self) -> str:
        return f"{_FOLDER}/{self._name}"

    def _stamp(self) -> int:
        """The time, or what follows the latest claim that is there: clocks differ, and a name has to sort behind those before."""
        seen = [name.split("-")[0] for name, _ in self._place.entries(_FOLDER)]
        return max([time.time_ns(), *(int(stamp) + 1 for stamp in seen if stamp.isdigit())])

    def _is_lost(self) -> bool:
        """Whether it was held and is not any more. Once lost it stays so, whatever the clock or a late renewal says."""
        if self._renewed is not None and _now() - self._renewed > CLAIM_SECONDS / 2:
            self._lost = True
        return self._lost

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
        while not self._over.wait(RENEW_SECONDS) and not self._is_lost():
            with contextlib.suppress(InboxError):  # noticed by `check` when it goes on for too long
                self._renew()

    def _renew(self) -> None:
        """Writes the object again, but not one that another ingester removed: it would stand beside that one's own."""
        if self._name in dict(self._place.entries(_FOLDER)):
            self._write()
        else:
            self._lost = True

    def _write(self) -> None:
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
