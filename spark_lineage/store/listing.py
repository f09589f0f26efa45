"""The files of a local folder that has no versions, as a scan of Spark chooses them, and the fingerprint that capture has of such a listing.

Only the hash of a listing is recorded (``Listing.java`` of the bridge makes it): where a folder, listed anew, gives the same
fingerprint, its files are those that were read or written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WHOLE, PARTIAL = "listing:", "partitions:"
"""So begin the fingerprints of all files of a dataset, and of a part of them."""
MOST_FILES = 200_000
"""Capture records no fingerprint of more (`LIMIT` of ``Listing.java``)."""


@dataclass(frozen=True)
class ListedFile:
    """`modified` in milliseconds, as Hadoop has it."""

    path: str
    size: int
    modified: int


def listing_of(name: str, fingerprint: str, until: int | None = None, earlier: bool = False) -> tuple[ListedFile, ...] | None:
    """The files of a local folder, or the one file, whose listing has that fingerprint; None where it has another now.

    `until`: of those that are no newer, in milliseconds since the epoch; `earlier`: or than one of the last files before it, of which so many are
    tried as take a second or two. Raises OSError.
    """
    for everything in (False, True):  # folders that are no partitions are read with recursiveFileLookup alone
        found = among(listed(Path(name), everything), fingerprint, until, earlier)
        if found is not None:
            return found
    return None


def among(
    files: Sequence[ListedFile], fingerprint: str, until: int | None = None, earlier: bool = False
) -> tuple[ListedFile, ...] | None:
    """Of these files those that a fingerprint stands for, as `listing_of` has them."""
    if until is not None:
        files = [file for file in files if file.modified <= until]
    times = sorted({file.modified for file in files}, reverse=True)
    for time in times[: max(1, min(_TIMES, _LINES // len(files))) if earlier and files else 1]:
        some = tuple(file for file in files if file.modified <= time)
        if fingerprint_of(some) == fingerprint:
            return some
    return None


_TIMES, _LINES = 100, 1_000_000
"""So many times of change are tried, and so many files are hashed for it."""


def fingerprint_of(files: Iterable[ListedFile], scheme: str = "file:") -> str:
    """As ``Listing.java`` makes it: sorted as Java sorts texts, by the units of UTF-16. `scheme`: what is before the paths."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path.encode("utf-16-be", "surrogatepass")):
        digest.update(f"{scheme}{file.path}\t{file.size}\t{file.modified}\n".encode("utf-8", "replace"))
    return f"{WHOLE}{digest.hexdigest()[:32]}"


def listed(root: Path, everything: bool) -> tuple[ListedFile, ...]:
    """What Spark reads below a path: no hidden files, no empty ones. At most `MOST_FILES`, else none."""
    found: list[ListedFile] = []
    if root.is_file():
        return tuple(_present([root]))
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders if not is_hidden(one) and (everything or "=" in one)]
        found += [file for file in _present(Path(folder, one) for one in names if not is_hidden(one)) if file.size]
        if len(found) > MOST_FILES:
            return ()
    return tuple(sorted(found, key=lambda file: file.path))


def is_hidden(name: str) -> bool:
    """Of a folder or a file, as Spark has it (`HadoopFSUtils.shouldFilterOutPathName`): a folder that is named after a partition
    column may begin with an underscore."""
    return (name.startswith("_") and "=" not in name) or name.startswith(".") or name.endswith("._COPYING_")


def _present(paths: Iterable[Path]) -> Iterator[ListedFile]:
    """Without what has gone since its folder was listed, and links to nothing."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            told = path.stat()
            yield ListedFile(str(path), told.st_size, told.st_mtime_ns // 1_000_000)
