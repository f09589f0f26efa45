"""Folders for their owner alone, or for a group too: whatever the umask of the process is.

Standard library only: the driver uses it, too.
"""

from __future__ import annotations

import stat
from pathlib import Path

GROUP = 0o070


def is_shared(folder: Path) -> bool:
    """Whether the folder's group may do in it what its owner may. Raises OSError."""
    return folder.stat().st_mode & GROUP == GROUP


def make_folder(folder: Path, *, shared: bool) -> None:
    """Makes a folder where there is none; those above it as any program would. One that is there keeps its rights.

    A shared one keeps the set-group-id bit that it has of the folder above, which gives its files the group. Raises OSError.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    if shared:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | GROUP)
