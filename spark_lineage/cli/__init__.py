"""The command line; `main` is the program."""

from . import commands, keeping, snapshot, snapshot_diff, trace
from .base import main

__all__ = ["commands", "keeping", "main", "snapshot", "snapshot_diff", "trace"]
