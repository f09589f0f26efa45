"""The command line; `main` is the program."""

from . import commands, keeping, replay, rows, snapshot, snapshot_diff, trace
from .base import main

__all__ = ["commands", "keeping", "main", "replay", "rows", "snapshot", "snapshot_diff", "trace"]
