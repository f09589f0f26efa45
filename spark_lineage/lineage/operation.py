"""What an execution did, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..plan.document import ExecutionDocument
from ..plan.nodes import Node
from .dispatch import HANDLERS
from .nodes import commands, dml, writes
from .walk import Written

_READS: Final = {
    "collectToPython": "collect",
    "collectAsArrowToPython": "collect",
    "collectArrow": "collect",
    "collectResult": "collect",
    "collectAsList": "collect",
    "head": "show",
    "take": "show",
    "toLocalIterator": "iterate",
    "foreachPartition": "foreach",
}
_WRITES: Final = {
    "append": "append",
    "overwrite": "overwrite",
    "create": "create table as select",
    "replace": "replace table as select",
    "overwritePartitions": "overwrite partitions",
}
"""Spark's names of executions, for one whose plan was given up."""
_QUERIES: Final = frozenset(HANDLERS) - frozenset(commands.HANDLERS) - frozenset(dml.HANDLERS) - frozenset(writes.HANDLERS)


_CUT: Final[dict[str, str]] = {
    "CreateTableAsSelect": "create table as select",
    "DeleteCommand": "delete",
    "MergeIntoCommand": "merge",
    "ReplaceTableAsSelect": "replace table as select",
    "UpdateCommand": "update",
}
"""Commands that tell nothing without the rows below them, when those were left out of the document."""


def operation_of(document: ExecutionDocument, written: Sequence[Written]) -> str:
    """``append``, ``merge``, ...; ``collect``, ``count``, ``show`` for a read; ``command:<class>`` for any other command."""
    if written:
        return ", ".join(dict.fromkeys(one.operation for one in written))
    if document.analyzed is None:
        return _without_plan(document)
    root = document.analyzed.nodes[document.analyzed.root]
    if root.kind.startswith("WriteToMicroBatch"):
        return "stream"
    if is_command(root, document):
        return commands.OPERATIONS.get(root.kind) or _CUT.get(root.kind) or f"command:{root.kind}"
    return _read(document)


def is_command(root: Node, document: ExecutionDocument) -> bool:
    """Whether the root is something done, rather than rows asked for."""
    if root.kind in _QUERIES:
        return False
    return root.kind in HANDLERS or root.kind.endswith("Command") or document.name == "command"


@dataclass(frozen=True, slots=True)
class Batch:
    """The stream and the batch of it that an execution belongs to; the last one of `batches`."""

    stream_query_id: str | None = None
    batch_id: int | None = None
    stream_name: str | None = None
    stream_run_id: str | None = None
    batches: int | None = None


def batch_of(document: ExecutionDocument) -> Batch:
    """As the document tells; in one of an earlier release from the description that Spark gives a micro-batch: lines with
    ``id = ...`` and ``batch = ...``. Empty for what is no batch."""
    stream = document.stream
    if stream is not None:
        return Batch(stream.query_id, stream.batch_id, stream.name, stream.run_id, stream.batches)
    description = document.description or ""
    query = re.search(r"(?m)^\s*id = ([0-9a-fA-F-]{36})", description)
    batch = re.search(r"(?m)^\s*batch = (\d+)", description)
    return Batch(query[1], int(batch[1]) if batch else None, batches=1) if query and batch else Batch()


def _without_plan(document: ExecutionDocument) -> str:
    if document.name in _WRITES:
        return _WRITES[document.name]
    if document.commits:
        return ", ".join(dict.fromkeys((commit.operation or "write").lower() for commit in document.commits))
    if document.writes:
        return ", ".join(dict.fromkeys((write.mode or "write").lower() for write in document.writes))
    return "command" if document.name == "command" else _read(document)


def _read(document: ExecutionDocument) -> str:
    if document.name is None and re.search(r"\.to(Python|Local)Iterator\(", document.call_site or ""):
        return "iterate"
    name = document.name or "query"
    return _READS.get(name, name)
