"""How an application's process ended, which no listener in it can know: ``<run>/exit.json``.

Written by `spark-lineage run` and by attach()'s own look at the interpreter's end, perhaps after everything else of the run.
"""

from __future__ import annotations

import json
import signal
import time
from typing import Any

from ..errors import InboxError
from .folder import InboxFolder

_GIVEN_UP_NS = 60_000_000_000
"""A file that is not whole by then will not be."""


def exits(inbox: InboxFolder) -> dict[str, dict[str, Any]]:
    """What exit.json says, by run. One that is being written is left for the next time."""
    found = {}
    for run in inbox.runs():
        try:
            data = inbox.read(f"{run}/exit.json")
        except InboxError:  # another user's folder, which is warned of elsewhere
            continue
        if data is None:
            continue
        try:
            found[run] = dict(json.loads(data))
        except (ValueError, TypeError):
            if time.time_ns() - inbox.changed_ns(run) > _GIVEN_UP_NS:
                found[run] = {}
    return found


def exit_error(content: dict[str, Any]) -> str:
    """What went wrong as exit.json has it, empty where nothing did."""
    number, code, error = content.get("signal"), content.get("exit_code"), content.get("error")
    if not number and not code:
        return ""
    if isinstance(error, str) and error:
        return error.encode(errors="replace").decode()
    return f"killed by signal {_signal_name(number)}" if number else f"exit code {code}"


def _signal_name(number: Any) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
