"""A stream's batch: the leaves that read its sources, and what it writes to a sink of the newer interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...plan.nodes import MissingFieldError, Node
from ...plan.values import StreamSource, TextMap, V2Table, Value
from ..datasets import DatasetRef, FromStream, Reading
from ..influence import passed
from ..naming import Place
from ..relation import Relation
from ..walk import Walk
from .handler import Handler
from .writes import written

_GENERATED: Final = ("RatePerMicroBatchTable", "RateStreamTable")
_NO_DATASET: Final = ("ConsoleTable", "NoopTable", "MemorySink", "ForeachWriterTable", "ContinuousMemorySink")
"""Sinks that keep nothing that could be read again elsewhere."""


def batch_of_source(node: Node, walk: Walk) -> Relation:
    """What one batch takes from a source: the rows between two offsets."""
    relation = walk.plan.nodes[node.plan("relation") or -1] if node.plan("relation") is not None else node
    table = relation.v2table("table") or node.v2table("table")
    if table is None or node.output is None:
        raise MissingFieldError(f"{node.kind} has no table")
    source = _source(node.fields.get("stream")) or _source(relation.fields.get("stream"))
    if _kind(table.class_name) in _GENERATED:
        return walk.made(node, passed(walk.sources.generated))
    told = FromStream(source, _offset(node, "startOffset"), _offset(node, "endOffset"))
    options = {**_lower(relation.fields.get("options")), **_lower(relation.fields.get("extraOptions"))}
    parts = relation.name("identifier")
    datasets = _datasets(table, options, parts, told, walk)
    return walk.read(node, tuple(Reading(dataset, stream=told) for dataset in datasets))


def source_below(node: Node, walk: Walk) -> Relation:
    """A source as it stands below the batch of it: known by the node that reads the batch."""
    return walk.made(node, passed(walk.sources.unknown))


def batch_to_sink(node: Node, walk: Walk) -> Relation:
    """One batch of a stream, to a sink of the newer interface: Kafka, a catalog's table; console, memory and noop keep nothing."""
    table = node.v2table("table")
    relation = walk.plan.nodes.get(node.plan("relation") or -1)
    if table is None or _kind(table.class_name) in _NO_DATASET:
        return walk.query(node)
    options = node.options("writeOptions")
    if _kind(table.class_name) == "KafkaTable":
        target = walk.naming.of_source(options, "kafka")[0]
    else:
        target = walk.naming.of_v2(table, relation.name("identifier") if relation else None, options=options)[0]
    return written(node, walk, target, "stream")


def _datasets(
    table: V2Table, options: Mapping[str, str], parts: tuple[str, ...] | None, told: FromStream, walk: Walk
) -> tuple[DatasetRef, ...]:
    kind = _kind(table.class_name)
    if kind == "KafkaTable":
        return walk.naming.of_topics(options, told.end)
    if kind == "TextSocketTable":
        return (DatasetRef(Place("socket", f"{options.get('host', '')}:{options.get('port', '')}"), format="socket"),)
    return walk.naming.of_v2(table, parts)


def _source(value: Value) -> str | None:
    return value.description if isinstance(value, StreamSource) else None


def _offset(node: Node, name: str) -> str | None:
    value = node.fields.get(name)
    return value if isinstance(value, str) else None


def _lower(value: Value) -> dict[str, str]:
    entries = value.entries if isinstance(value, TextMap) else {}
    return {key.lower(): item for key, item in entries.items() if isinstance(item, str)}


def _kind(class_name: str) -> str:
    """The class without its package and what is around it; of a class without a name the one around it."""
    parts = class_name.rsplit(".", 1)[-1].split("$")
    return next((part for part in reversed(parts) if part and part != "anon" and not part.isdigit()), class_name)


HANDLERS: Final[dict[str, Handler]] = {
    "StreamingDataSourceV2Relation": source_below,
    "StreamingDataSourceV2ScanRelation": batch_of_source,
    "WriteToMicroBatchDataSource": batch_to_sink,
}
