"""Delta tables as tests want them: of any age, with holes in their logs."""

from __future__ import annotations

import base64
import json
import os
import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake

from spark_lineage.snapshot.delta_log import _B85, _Z85


def rows(first: int, last: int) -> pa.Table:
    return pa.table({"id": list(range(first, last)), "name": [f"n{n}" for n in range(first, last)]})


def table_of(place: Path, versions: int = 3, **values: Any) -> str:
    """A table that each version overwrites. Its id."""
    for version in range(versions):
        write_deltalake(place, rows(0, 10 + version), mode="overwrite", **values)
    return str(DeltaTable(place).metadata().id)


def vacuum(place: Path, **values: Any) -> None:
    DeltaTable(place).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, **values)


def set_properties(place: Path, **values: str) -> None:
    hooks = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
    properties = {f"delta.{name}": value for name, value in values.items()}
    DeltaTable(place).alter.set_table_properties(properties, post_commithook_properties=hooks)


def actions_of(place: Path, version: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commit(place, version).read_text().splitlines()]


def write_actions(place: Path, version: int, actions: list[dict[str, Any]]) -> None:
    path = commit(place, version)
    before = path.stat() if path.exists() else None
    path.write_text("".join(json.dumps(action) + "\n" for action in actions))
    if before is not None:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def commit(place: Path, version: int) -> Path:
    return place / "_delta_log" / f"{version:020d}.json"


def made_at(place: Path, start: datetime, step: timedelta) -> None:
    """The table's log as if each commit had been written that long after the one before."""
    for path in sorted((place / "_delta_log").glob("*.json")):
        at = start + int(path.stem) * step
        milliseconds = round(at.timestamp() * 1000)
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["timestamp"] = milliseconds
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = milliseconds
        path.write_text("".join(json.dumps(action) + "\n" for action in actions))
        os.utime(path, (at.timestamp(), at.timestamp()))


def leave_out(place: Path, *positions: int) -> None:
    """Deletion vectors in the log of the table's only version: each file's rows at these positions (RoaringBitmapArray)."""
    actions = actions_of(place, 0)
    for action in actions:
        if "protocol" in action:
            features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
            action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7} | features
        elif "add" in action:
            action["add"]["deletionVector"] = _vector(sorted(positions))
    write_actions(place, 0, actions)


def _vector(positions: list[int]) -> dict[str, Any]:
    held = b"".join(struct.pack("<H", position) for position in positions)
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, len(positions) - 1, 16) + held
    data = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    code = base64.b85encode(data + b"\0" * (-len(data) % 4)).decode().translate(str.maketrans(_B85, _Z85))
    return {"storageType": "i", "pathOrInlineDv": code, "sizeInBytes": len(data), "cardinality": len(positions)}
