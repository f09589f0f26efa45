"""The command line; `main` is the program."""

from . import commands, snapshot
from .base import main

__all__ = ["commands", "main", "snapshot"]
