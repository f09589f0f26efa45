"""Who runs what: the identity of a run, gathered at attach with the standard library alone."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

KNOWN_SPARK = ("4.0.", "4.1.")
"""Versions that the tests have seen. Another is attached to all the same, and every execution says so."""
SHELL_NAMES = ("pyspark-shell", "PySparkShell")
"""Application names that nobody chose."""
CONFS_THAT_MATTER = (
    "spark.app.id", "spark.app.name", "spark.master", "spark.submit.", "spark.executor.cores", "spark.executor.instances",
    "spark.executor.memory", "spark.driver.memory", "spark.sql.", "spark.databricks.", "spark.jars", "spark.lineage.",
    "spark.driver.extraClassPath", "spark.default.parallelism", "spark.dynamicAllocation.", "spark.yarn.queue", "spark.kubernetes.namespace",
)  # fmt: skip
"""Beginnings of the settings that a run records."""
_GIT_SECONDS = 1.0


def new_run_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of epoch milliseconds, then random bits; text of it sorts by time."""
    value = (int(time.time() * 1000) & 0xFFFFFFFFFFFF) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


@dataclass(frozen=True)
class EntryPoint:
    """The program: a file, ``python -m module``, ``<notebook>`` or ``<shell>``, and its arguments."""

    name: str
    path: Path | None
    arguments: tuple[str, ...]


def entry_point() -> EntryPoint:
    """What this Python process was started with."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    arguments = tuple(sys.argv[1:]) if sys.argv else ()
    if file is None:
        if "ipykernel" in sys.modules:
            return EntryPoint("<notebook>", None, ())
        # At the time of sitecustomize __main__ has no file yet; the interpreter's own command line has.
        candidate = Path(sys.argv[0]) if sys.argv and sys.argv[0] not in ("", "-c", "-m") else None
        if candidate is None or not candidate.is_file():
            return EntryPoint("<shell>", None, ())
        file = str(candidate)
    path = Path(file).resolve()
    return EntryPoint(str(path), path if path.is_file() else None, arguments)


@dataclass(frozen=True)
class Code:
    """The state of the code: git's if the entry point is in a work tree, and the hash of the file in any case."""

    repository: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    sha256: str | None = None


class CodeProbe:
    """Asks git in the background, so that attach goes on meanwhile; `result` waits at most a second."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._status = self._remote = None
        if path is not None and _in_work_tree(path.parent):
            self._status = _git(path.parent, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
            self._remote = _git(path.parent, "config", "--get", "remote.origin.url")

    def result(self) -> Code:
        sha256 = None
        if self._path is not None:
            try:
                sha256 = hashlib.sha256(self._path.read_bytes()).hexdigest()
            except OSError:
                sha256 = None
        status = _output(self._status)
        remote = _output(self._remote)
        if status is None:
            return Code(sha256=sha256)
        lines = status.splitlines()
        commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
        dirty = any(not line.startswith("#") for line in lines)
        return Code(
            repository=(remote or "").strip() or None,
            commit=None if commit == "(initial)" else commit,
            dirty=dirty,
            sha256=sha256,
        )


def working_directory() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None


def user_name() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def host_name() -> str:
    return socket.gethostname()


def _in_work_tree(folder: Path) -> bool:
    return any((candidate / ".git").exists() for candidate in (folder, *folder.parents))


def _git(folder: Path, *arguments: str) -> subprocess.Popen[str] | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.Popen(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
    except OSError:
        return None


def _output(process: subprocess.Popen[str] | None) -> str | None:
    if process is None:
        return None
    try:
        out, _ = process.communicate(timeout=_GIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return out if process.returncode == 0 else None
