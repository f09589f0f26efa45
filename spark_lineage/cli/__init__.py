"""The command line; `main` is the program."""

from . import commands, keeping, rows, snapshot, snapshot_diff, trace
from .base import main

__all__ = ["commands", "keeping", "main", "rows", "snapshot", "snapshot_diff", "trace"]
