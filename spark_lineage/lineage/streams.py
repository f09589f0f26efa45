"""What a stream's batches read, from the offsets that Spark tells of each source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..plan.document import Stream
from .datasets import Reading
from .naming import DatasetKey

FILE_SOURCE: Final = re.compile(r"FileStreamSource\[(.*)\]", re.DOTALL)
"""How the source of a stream of files describes itself: with the folder or glob that it watches."""
_DELTA_FILES_BEFORE: Final = (-1, -100)
"""Indexes of a Delta offset that stand before the first file of its version."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """How far a batch, or several in a row, read one dataset. `offsets` is the JSON text of the tables' column."""

    offsets: str
    delta_version: int | None = None
    rows: int | None = None
    shared: bool = False
    """Whether the source has other datasets too: then its own figures are not this dataset's."""
    exact: bool = True
    """False where the offsets are those that were asked for: `earliest`, `latest`."""


def streamed_of(stream: Stream | None, readings: Sequence[Reading]) -> dict[DatasetKey, Streamed]:
    """For each dataset that is a source of the stream, how far it was read."""
    told = {} if stream is None else {source.description: source for source in stream.sources}
    found: dict[DatasetKey, Streamed] = {}
    for reading in readings:
        if reading.stream is None or reading.dataset.key in found:
            continue
        source = told.get(reading.stream.description)
        start, end = (source.start, source.end) if source else (reading.stream.start, reading.stream.end)
        if source is not None and start is None and stream is not None and stream.batches == 1:
            start = reading.stream.start
        before, after = _part(_parsed(start), reading), _part(_parsed(end), reading)
        if before is None and after is None:
            continue
        offsets: dict[str, Any] = {"from": before, "to": after}
        first, last = _first_version(before, after), _last_version(after)
        if last is not None:
            offsets["versions"] = {"from": min(last, first or 0), "to": last}
        shared = sum(one.stream == reading.stream for one in readings) > 1
        rows = _rows_between(before, after) if shared else source.rows if source else None
        found[reading.dataset.key] = Streamed(_text(offsets), last, rows, shared, not isinstance(after, str))
    return found


def last_version(stream: Stream | None, place: str) -> int | None:
    """The last version of the Delta table at a place that a stream has read when a batch of it is done; None where that is not told."""
    for source in () if stream is None else stream.sources:
        described = source.description or ""
        if described.startswith("DeltaSource[") and described.rstrip("]").endswith(place):
            return _last_version(_parsed(source.end))
    return None


def sink_offsets(stream: Stream | None) -> str | None:
    """Which batches of the stream are in an output: what a sink that commits each batch once calls them by."""
    if stream is None or stream.batch_id is None:
        return None
    first = stream.batch_id if stream.first_batch_id is None else stream.first_batch_id
    return _text({"from": {"batch": first}, "to": {"batch": stream.batch_id}})


def _parsed(text: str | None) -> Any:
    """An offset as JSON; a source may have one that is not, and keeps it as text."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _part(offset: Any, reading: Reading) -> Any:
    """Of a source with several topics, the partitions of the one that is read."""
    if isinstance(offset, Mapping) and offset and reading.dataset.format == "kafka":
        return {reading.dataset.key[1]: offset[reading.dataset.key[1]]} if reading.dataset.key[1] in offset else None
    return offset


def _rows_between(before: Any, after: Any) -> int | None:
    """The records between two offsets of Kafka, ``{"topic": {"partition": number}}``."""
    try:
        return sum(int(end) - int(before[topic][number]) for topic, parts in after.items() for number, end in parts.items())
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _last_version(offset: Any) -> int | None:
    """The last version of a Delta table that has been read, whole or in part. -1 where none has."""
    if not isinstance(offset, Mapping) or not isinstance(offset.get("reservoirVersion"), int):
        return None
    version: int = offset["reservoirVersion"]
    return version - 1 if offset.get("index") in _DELTA_FILES_BEFORE else version


def _first_version(before: Any, after: Any) -> int | None:
    """The first version of which something was read: where the batch before stopped. A stream's first batch reads a snapshot."""
    if isinstance(before, Mapping) and isinstance(before.get("reservoirVersion"), int):
        return int(before["reservoirVersion"])
    return _last_version(after)


def _text(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
