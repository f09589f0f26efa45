"""Keeps compiled Java in the user's cache folder, so that only the first use on a machine compiles.

What is kept will be loaded into a driver: the folder must be the user's own and closed to everybody else, or it is not used.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def place(content: str) -> Path | None:
    """Where the classes made from this content are kept; None where there is no folder that can be trusted."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(base).expanduser() / "spark-lineage"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None
    if (hasattr(os, "getuid") and status.st_uid != os.getuid()) or status.st_mode & 0o022:
        return None
    return folder / f"bridge-{hashlib.sha256(content.encode()).hexdigest()[:32]}.jar"


def keep(target: Path, classes: Mapping[str, bytes]) -> None:
    """Writes class name -> bytecode as a jar, whole or not at all. That it could not be kept is no failure."""
    try:
        handle, hidden = tempfile.mkstemp(dir=target.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as jar:
            for name, code in classes.items():
                jar.writestr(name.replace(".", "/") + ".class", bytes(code))
        Path(hidden).replace(target)
    except OSError:
        return
