"""A scratch place: a new folder that is taken away at the end, nowhere near what is real."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..config import local_path
from ..errors import QueryError
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..store.tables import Store

_LEAST_BYTES = 64 * 1024 * 1024
"""One with less room is refused before anything is begun."""


_LEAST_LEFT = 1024 * 1024
"""Where there is less, a job may have failed for want of it."""


@contextmanager
def scratch_place(base: str, keep: bool, told: Callable[[str], None]) -> Iterator[Path]:
    """In the folder `base`, by default in that for temporary files; one that `check_place` has looked at."""
    place = Path(tempfile.mkdtemp(prefix="spark-lineage-replay-", dir=base or None)).absolute()
    try:
        yield place
    finally:
        if keep:
            told(f"what was written is kept in {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)


def is_full(place: Path) -> bool:
    return shutil.disk_usage(place).free < _LEAST_LEFT


def check_place(store: Store, scratch: str) -> None:
    """Raises QueryError for a place that is not there, not to be written, full, or inside of what is real."""
    base = Path(scratch or tempfile.gettempdir()).absolute()
    if any(mark in str(base) for mark in "\t\n\r"):
        raise QueryError(f"the scratch place {str(base)!r} has a tab or a line break in it; name another one with --scratch")
    if not base.is_dir() or not os.access(base, os.W_OK | os.X_OK):
        raise QueryError(f"the scratch place {base} is no folder that can be written; name another one with --scratch")
    free = shutil.disk_usage(base).free
    if free < _LEAST_BYTES:
        raise QueryError(f"the scratch place {base} is full ({free:,} bytes are free); name another one with --scratch")
    real = base.resolve()
    known = recorded_names(DeltaTables(store.location)).known.values()
    places = [("the lineage tables", store.location), *((f"the data of {one.key[1]}", one.location or "") for one in known)]
    for what, location in places:
        path = local_path(location) if location else None
        if path is not None and path.is_absolute() and _is_inside(real, path):
            raise QueryError(f"the scratch place {base} lies within {what}; name another one with --scratch")


def _is_inside(place: Path, folder: Path) -> bool:
    folder = folder.resolve()
    return folder != Path("/") and (place == folder or folder in place.parents)
