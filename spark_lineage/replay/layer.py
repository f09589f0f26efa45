"""What a replayed job left in its scratch place, as the overlay lays it out (`Overlay.java`): looked at from outside, without Spark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from ..lineage.naming import DatasetKey, spellings

_COMMIT = re.compile(r"(\d{20})\.json")
_MARK = ".gone"


class Layer:
    """`scratch`: the scratch place of the job."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def has(self, key: DatasetKey) -> bool:
        """Whether there is anything that the job wrote in the place of a dataset."""
        return any(folder.exists() for folder in self._folders("written", key))

    def commits(self, key: DatasetKey) -> tuple[int, ...]:
        """The versions of a Delta table that the job made, as far as they are there at its end."""
        logs = [folder / "_delta_log" for folder in self._folders("written", key)]
        names = (path.name for log in logs if log.is_dir() for path in log.iterdir())
        return tuple(sorted(int(found[1]) for name in names if (found := _COMMIT.fullmatch(name))))

    def log(self, key: DatasetKey) -> Path:
        """The folder of the table with these commits."""
        folders = tuple(self._folders("written", key))
        return next((folder for folder in folders if (folder / "_delta_log").is_dir()), folders[0])

    def is_deleted(self, key: DatasetKey) -> bool:
        """Whether the job deleted what was there, or a folder above it, and wrote nothing in its place."""
        if self.has(key):
            return False
        return any((at / _MARK).exists() for folder in self._folders("deleted", key) for at in self._up(folder))

    def _up(self, folder: Path) -> Iterator[Path]:
        yield folder
        yield from (parent for parent in folder.parents if self._scratch in parent.parents)

    def _folders(self, what: str, key: DatasetKey) -> Iterator[Path]:
        """In each spelling of its scheme, and of its name, which may be that of a URI."""
        scheme, _, authority = key[0].partition("://")
        for spelled in spellings(scheme):
            for name in dict.fromkeys((key[1], unquote(key[1]))):
                yield self._scratch / what / spelled / (authority.replace("/", "_") or "_") / name.lstrip("/")
