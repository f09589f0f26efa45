"""The command line; `main` is the program."""

from . import commands, snapshot, snapshot_diff
from .base import main

__all__ = ["commands", "main", "snapshot", "snapshot_diff"]
