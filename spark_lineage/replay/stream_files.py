"""Which files a micro-batch of a stream wrote: Spark's file sink keeps a log beside them (FileStreamSinkLog)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..config import local_path
from ..errors import ExecutableError

_LOG = "_spark_metadata"
_OWN = ("checkpointlocation", "path")
"""Options of a stream, and not of the files that it writes."""


@dataclass(frozen=True)
class Batch:
    """A micro-batch: its number, and from when to when it ran, in milliseconds since 1970."""

    number: int
    began: int
    ended: int


@dataclass(frozen=True)
class _File:
    path: Path
    size: int
    modified: int


def is_file_sink(command: Mapping[str, Any]) -> bool:
    """Whether a micro-batch was written as files."""
    sink = (command.get("sink") or {}).get("v2table") or {}
    return str(sink.get("class", "")).endswith("FileStreamSink")


def as_write(command: Mapping[str, Any], location: str, names: Sequence[str], files: Sequence[str]) -> dict[str, Any]:
    """The command of a micro-batch, said as that of a write into a folder. `names`: of its columns."""
    options = {key: value for key, value in (command.get("writeOptions") or {}).items() if key.lower() not in _OWN}
    folders = Path(files[0]).relative_to(_folder(location)).parts[:-1] if files else ()
    partitions = [unquote(folder.partition("=")[0]) for folder in folders if "=" in folder]
    return {**command, "options": options, "partitionColumns": partitions, "outputColumnNames": list(names)}


def files_of_batch(location: str, batch: Batch) -> tuple[str, ...]:
    """The paths of the files that a batch added to a folder on a local disk.

    Spark puts the log of every tenth batch and of all before it into one file, and deletes theirs in time: the files of one of these are those that were
    made while it ran. Raises ExecutableError where the log does not tell, or a file is not the one that was written.
    """
    log = _folder(location) / _LOG
    try:
        mine = _entries(log / str(batch.number))
        if mine is None:
            mine = _compacted(log, batch)
    except (OSError, ValueError, KeyError) as error:
        raise ExecutableError(f"the log of the stream that wrote {location} cannot be read: {error}") from error
    if mine is None:
        raise ExecutableError(f"the log of the stream that wrote {location} does not tell what batch {batch.number} wrote")
    for file in mine:
        try:
            now = file.path.stat()
        except OSError as error:
            raise ExecutableError(f"a file that batch {batch.number} wrote is gone: {error}") from error
        if (now.st_size, now.st_mtime_ns // 1_000_000) != (file.size, file.modified):
            raise ExecutableError(f"{file.path}, which batch {batch.number} wrote, has changed since")
    return tuple(str(file.path) for file in mine)


def _folder(location: str) -> Path:
    folder = local_path(location)
    if folder is None:
        raise ExecutableError(
            f"{location} was written by a stream, whose log is read on a local disk only: write to a Delta table"
        )
    return folder.resolve()


def _compacted(log: Path, batch: Batch) -> list[_File] | None:
    later = sorted(
        int(file.name.removesuffix(".compact"))
        for file in log.glob("*.compact")
        if file.name.removesuffix(".compact").isdigit() and int(file.name.removesuffix(".compact")) >= batch.number
    )
    every = _entries(log / f"{later[0]}.compact") if later else None
    return None if every is None else [file for file in every if batch.began <= file.modified <= batch.ended]


def _entries(file: Path) -> list[_File] | None:
    """What a file of the log names; None where there is none."""
    if not file.exists():
        return None
    version, *lines = file.read_text(encoding="utf-8").splitlines()
    if version != "v1":
        raise ValueError(f"{file} is of version {version}")
    found: dict[str, _File] = {}
    for entry in map(json.loads, filter(None, lines)):
        if entry.get("action", "add") == "delete":
            found.pop(entry["path"], None)
            continue
        path = local_path(unquote(entry["path"]))
        if path is None:
            raise ValueError(f"{entry['path']} is not on a local disk")
        found[entry["path"]] = _File(path, entry["size"], entry["modificationTime"])
    return list(found.values())
