"""What the bridge is told of the options: its own name for each, made once for both who tell it.

`attach` hands the values over (Python), and the jar carries this table as a resource for where there is no Python
(`bridge/Options.java`).
"""

from __future__ import annotations

from typing import Any

from ..config import Settings

BRIDGE_OPTIONS: dict[str, tuple[str, str]] = {
    "executables": ("text", "executables"),
    "executables_max_bytes": ("int", "executables.max.bytes"),
    "queue_max": ("int", "queue.max"),
    "queue_max_bytes": ("int", "queue.max.bytes"),
    "inbox_max_bytes": ("int", "inbox.max.bytes"),
    "inbox_mode": ("text", "inbox.mode"),
    "stop_millis": ("millis", "stop.wait.seconds"),
    "reads": ("bool", "reads"),
    "streams_record": ("text", "streams.record"),
    "max_nodes": ("int", "plan.max.nodes"),
    "max_bytes": ("int", "plan.max.bytes"),
    "max_millis": ("millis", "plan.max.seconds"),
    "rows_column": ("text", "rows.column"),
    "rows_sample": ("text", "rows.sample"),
    "rows_datasets": ("list", "rows.datasets"),
    "rows_key": ("list", "rows.key"),
    "redact_literals": ("text", "redact.literals"),
    "redact_literals_datasets": ("list", "redact.literals.datasets"),
    "redact_literals_columns": ("list", "redact.literals.columns"),
    "redact_literals_secret": ("text", "redact.literals.secret"),
}
"""The bridge's name -> (kind, option). Kinds: bool, int, text, list (comma separated), and millis for an option in seconds."""


def bridge_options(settings: Settings) -> dict[str, str]:
    """The options as the bridge takes them: all as text."""
    return {name: _text(kind, settings.values[option]) for name, (kind, option) in BRIDGE_OPTIONS.items()}


def _text(kind: str, value: Any) -> str:
    if kind == "bool":
        return "true" if value else "false"
    if kind == "millis":
        return str(int(value * 1000))
    return ",".join(value) if kind == "list" else str(value)
