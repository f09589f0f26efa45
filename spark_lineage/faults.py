"""Fault points: places where a test may make the process die, fail or wait. Nothing happens unless a variable is set.

``SPARK_LINEAGE_FAULT`` holds one fault, ``<action>:<point>`` or ``<action>:<point>:<n>`` for the nth time that the point is
passed (the first by default):

    kill:batch.sealed          SIGKILL to this process, as the out-of-memory killer does
    raise:store.append:3       raises `InjectedError`, an OSError, as a full or vanished disk does
    sleep:document.read        waits for a minute, so that a test can look at the process in that state

The points that exist are the calls of `point` in the package; a point that no test names should not be there.
Standard library only: this module travels in the zip for ``--py-files``.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

VARIABLE = "SPARK_LINEAGE_FAULT"

_passed: Counter[str] = Counter()


class InjectedError(OSError):
    """What a point raises when it is told to. Never seen outside tests."""


def point(name: str) -> None:
    """Passes the point `name`: does nothing, or what ``SPARK_LINEAGE_FAULT`` asks for at this point."""
    fault = os.environ.get(VARIABLE)
    if not fault:
        return
    action, _, where = fault.partition(":")
    where, _, nth = where.partition(":")
    if where != name:
        return
    _passed[name] += 1
    if _passed[name] != int(nth or 1):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "sleep":
        time.sleep(60)
    elif action == "raise":
        raise InjectedError(f"fault injected at {name}")
    else:
        raise ValueError(f"{VARIABLE} is {fault!r}; it has to begin with kill:, raise: or sleep:")
