"""Reads what a job left in an inbox, as docs/documents.md says, with nothing of the package in between."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_lineage.capture.attach import Attachment


@dataclass
class Capture:
    """An attachment, its inbox, and a folder for the test's data."""

    spark: Any
    attachment: Attachment
    inbox: Path
    data: Path

    def executions(self) -> list[dict[str, Any]]:
        """The documents of all executions that ended so far."""
        assert self.attachment.bridge.flush(30_000) >= 0
        return executions(self.inbox)


def documents(inbox: Path) -> list[dict[str, Any]]:
    """Every document of every application, in order of application and number."""
    paths = sorted(inbox.glob("*/[0-9]*.json.gz"))
    return [json.loads(gzip.decompress(path.read_bytes())) for path in paths]


def executions(inbox: Path) -> list[dict[str, Any]]:
    return [document for document in documents(inbox) if document["kind"] == "execution"]


def root_class(document: dict[str, Any]) -> str:
    """The simple class name of the analyzed plan's root."""
    plan = document["analyzed"]
    node = next(node for node in plan["nodes"] if node["id"] == plan["root"])
    return node["class"].rsplit(".", 1)[-1]


def versions_read(document: dict[str, Any]) -> dict[str, set[int | None]]:
    """Folder name -> Delta versions scanned."""
    result: dict[str, set[int | None]] = {}
    for scan in document["scans"]:
        for path in [scan["path"]] if "path" in scan else scan["paths"]:
            result.setdefault(path.rsplit("/", 1)[-1], set()).add(scan.get("delta_version"))
    return result


def versions_written(document: dict[str, Any]) -> dict[str, list[int]]:
    """Folder name -> Delta versions committed."""
    result: dict[str, list[int]] = {}
    for commit in document["commits"]:
        result.setdefault(commit["path"].rsplit("/", 1)[-1], []).append(commit["version"])
    return result
