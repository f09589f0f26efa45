"""The code of a recorded run: its command, and a checkout of the commit that it was at."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import ExecutableError, QueryError
from ..model import REDACTED

_SECONDS = 300
_PROPERTY = re.compile(r"(?P<key>[^\s=:]+)\s*[=:]?\s*(?P<value>.*)")


@dataclass(frozen=True)
class Program:
    """A command, where it is to be run, and what may not be as it was then. `checkout`: the folder with the code of then, where one was made."""

    command: tuple[str, ...]
    directory: Path
    doubts: tuple[str, ...] = ()
    checkout: Path | None = None
    root: Path | None = None

    def has(self, path: str) -> bool:
        """Whether the checkout has what lies at this path in the work tree."""
        if self.checkout is None or self.root is None or not _is_below(path, self.root):
            return False
        return (self.checkout / Path(path).relative_to(self.root)).exists()


def given(command: Sequence[str]) -> Program:
    """A command of the caller's, where the caller is. Raises QueryError for one that is no program, or whose driver or executors would be
    elsewhere."""
    for name, value in _settings_of(command).items():
        elsewhere = {"spark.submit.deployMode": value == "cluster", "spark.master": not value.startswith("local")}
        if elsewhere.get(name, name == "spark.plugins"):
            raise QueryError(
                f"the command sets {name} to {value}: a replay runs on this machine, under a plugin of its own; leave it out"
            )
    if shutil.which(command[0]) is None:
        raise QueryError(f"{command[0]!r} is no program that can be started")
    return Program(tuple(command), Path.cwd())


def _settings_of(command: Sequence[str]) -> dict[str, str]:
    """What the command line of spark-submit sets, by itself and by its properties file."""
    options = {"--master": "spark.master", "--deploy-mode": "spark.submit.deployMode"}
    words = [part for word in command for part in (word.split("=", 1) if word.startswith("--") and "=" in word else [word])]
    found: dict[str, str] = {}
    for word, value in pairwise(words):
        if word in options:
            found[options[word]] = value
        elif word in ("--conf", "-c") and "=" in value:
            name, _, told = value.partition("=")
            found[name] = told
        elif word == "--properties-file" and Path(value).is_file():
            found = {**properties_of(Path(value)), **found}
    return found


def properties_of(file: Path) -> dict[str, str]:
    """A file as java.util.Properties reads it, and Spark its settings."""
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\\n\s*", r"\1", file.read_text(encoding="utf-8", errors="replace"))  # lines that go on
    lines = (line.strip() for line in text.splitlines())
    pairs = (_PROPERTY.match(line) for line in lines if line and not line.startswith(("#", "!")))
    return {pair["key"]: re.sub(r"\\(.)", r"\1", pair["value"]) for pair in pairs if pair is not None}


def recorded(run: Mapping[str, Any], folder: Path) -> Program:
    """The command of a recorded run, in a checkout below `folder` where its commit is known. Raises ExecutableError with what is missing."""
    command = _command(run)
    there = Path(run["working_directory"] or Path(run["entry_point"]).parent)
    commit = run["code_commit"]
    if commit is None:
        if not there.is_dir():
            raise ExecutableError(f"the folder {there} that it ran in is not there any more; name a command after `--`")
        return Program(command, there, _changed(run))
    if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        raise ExecutableError(f"{commit!r} is no commit")
    root, source = _sources(run)
    checkout = folder / "code"
    _checked_out(source, commit, checkout)
    doubts = [f"changed code: the work tree had changes that were not committed at {commit[:12]}"] if run["code_dirty"] else []
    if root is None:
        return Program(command, checkout, (*doubts, "the command is run in the root of the repository"), checkout)
    moved = (command[0], *(_moved(part, root, checkout) for part in command[1:]))
    inside = _is_below(str(there), root)
    directory = checkout / there.relative_to(root) if inside else there
    if inside and not directory.is_dir():
        directory.mkdir(parents=True)  # one that git does not know, as an empty one
    elif not directory.is_dir():
        raise ExecutableError(f"the folder {there} that it ran in is not there any more; name a command after `--`")
    return Program(moved, directory, tuple(doubts), checkout, root)


def _command(run: Mapping[str, Any]) -> tuple[str, ...]:
    entry = run["entry_point"] or ""
    told = tuple(run["command"] or ())
    what = "name the command after `--`: spark-lineage replay RUN --job -- spark-submit job.py"
    if not told and (entry.startswith("<") or not Path(entry).is_absolute()):
        raise ExecutableError(f"how {entry or 'it'} was started is not recorded; {what}")
    if entry.startswith("<") and "-c" not in told:
        raise ExecutableError(f"it ran in a {entry.strip('<>')}, whose cells are not recorded; {what}")
    command = told or (sys.executable, entry, *(run["arguments"] or ()))
    if any(REDACTED in part for part in command):
        raise ExecutableError(f"its command holds secrets, which are not recorded; {what}")
    program = command[0]
    if not Path(program).name.startswith("python"):
        raise ExecutableError(f"{program} is no Python that can be started again; {what}")
    if os.sep in program and not Path(program).is_file():
        command = (sys.executable, *command[1:])
    return command


def _changed(run: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether the entry point's file is as it was."""
    if run["code_sha256"] is None or not run["entry_point"]:
        return ()
    try:
        now = hashlib.sha256(Path(run["entry_point"]).read_bytes()).hexdigest()
    except OSError as error:
        raise ExecutableError(
            f"its code {run['entry_point']} cannot be read ({error.strerror}), and its commit is not known"
        ) from error
    return (
        ()
        if now == run["code_sha256"]
        else (f"changed code: {run['entry_point']} has changed since, and its commit is not known",)
    )


def _sources(run: Mapping[str, Any]) -> tuple[Path | None, str]:
    """The work tree that the entry point lies in, if any, and what can be cloned: it, or the repository that is recorded."""
    entry = Path(run["entry_point"] or ".")
    for folder in entry.parents:
        if (folder / ".git").exists() and _git("-C", str(folder), "cat-file", "-e", f"{run['code_commit']}^{{commit}}"):
            return folder, str(folder)
    repository = run["code_repository"]
    if not repository or REDACTED in repository:
        raise ExecutableError(
            f"no repository with its commit {run['code_commit'][:12]} is known: {entry.parent} is none, and no remote is recorded; "
            "name a command after `--`"
        )
    root = next((folder for folder in entry.parents if (folder / ".git").exists()), None)
    return root, repository


def _checked_out(source: str, commit: str, checkout: Path) -> None:
    cloned = _git("clone", "--quiet", "--no-checkout", "--", source, str(checkout))
    if not cloned or not _git("-C", str(checkout), "checkout", "--quiet", "--detach", commit):
        raise ExecutableError(f"commit {commit[:12]} cannot be checked out from {source}; name a command after `--`")


def _git(*arguments: str) -> bool:
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    }
    try:
        done = subprocess.run(
            ["git", *arguments], stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=_SECONDS
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _moved(part: str, root: Path, checkout: Path) -> str:
    """What git knows is in the checkout; data and the like that lie in the work tree stay where they are."""
    there = checkout / Path(part).relative_to(root) if _is_below(part, root) else None
    return str(there) if there is not None and there.exists() else part


def _is_below(part: str, root: Path) -> bool:
    return part == str(root) or part.startswith(f"{root}{os.sep}")
