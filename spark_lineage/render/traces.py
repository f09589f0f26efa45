"""A trace drawn: for each hop what is traced, what wrote it, and the rows that made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from ..rows.witness import ForwardHop, Hop, Source, SourceRow, Target
from .differences import cell, plain_value

Table = tuple[Sequence[str], list[tuple[Any, ...]]]
Part = str | Table
_WIDE = 8
"""So many columns of a row are shown; `--json` has all."""


def parts(hop: Hop | ForwardHop) -> Iterator[Part]:
    """Lines and tables."""
    return _forward(hop) if isinstance(hop, ForwardHop) else _back(hop)


def _back(hop: Hop) -> Iterator[Part]:
    yield f"{hop.alias or hop.name} version {hop.version}"
    yield _table(hop.rows)
    if hop.execution_id:
        batch = "" if hop.batch_id is None else f", batch {hop.batch_id}"
        yield f"  written in version {hop.written_version} by {hop.job_name or 'a run'} ({hop.operation}, {hop.execution_id}{batch})"
    if hop.passed:
        yield f"  {hop.passed}"
    if hop.witness is not None:
        yield f"  witness: {hop.witness.completeness}"
        for reason in hop.witness.reasons:
            yield f"    {reason}"
        for source in hop.witness.sources:
            yield f"\n  from {_named(source)}: {_count(source)}"
            if source.offsets:
                yield f"    the batch read {source.offsets}"
            if source.rows:
                yield _table([row.values or _known_by(row) for row in source.rows])
    if hop.ended:
        yield f"  {'ends here' if hop.witness is None else 'further'}: {hop.ended}"


def _known_by(row: SourceRow) -> dict[str, Any]:
    """What is told of a row whose values are not known: it comes from a sample."""
    told = {"file": row.file, "position": row.position, "row_id": row.row_id, "fingerprint": row.fingerprint}
    return {name: value for name, value in told.items() if value is not None}


def _forward(hop: ForwardHop) -> Iterator[Part]:
    source, target = hop.source, hop.target
    yield f"{_named(source)}: {_count(source)}" if hop.execution_id else _named(source)
    if source.rows:
        yield _table([row.values for row in source.rows])
    if hop.execution_id:
        yield f"  read by {hop.job_name or 'a run'} ({hop.operation}, {hop.execution_id})"
    if target is not None and hop.completeness:
        yield f"\n  made of it in {_named(target)}: {_count(target)}{_remaining(target)}"
        if target.rows:
            yield _table([row.values for row in target.rows])
        yield f"  rows: {hop.completeness}"
    elif target is not None:
        yield f"  wrote {_named(target)}"
    for reason in hop.reasons:
        yield f"    {reason}"
    if hop.ended:
        yield f"  ends here: {hop.ended}"


def _remaining(target: Target) -> str:
    if target.remaining is None or not target.count or target.newest == target.version:
        return ""
    return f"; version {target.newest} has {target.remaining:,}"


def _named(source: Source | Target) -> str:
    version = "" if source.version is None else f" version {source.version}"
    return f"{source.alias or source.name or source.location}{version}"


def _count(source: Source | Target) -> str:
    rows = f"{source.count:,} {'row' if source.count == 1 else 'rows'}"
    more = f", {len(source.rows):,} of them shown" if len(source.rows) < source.count else ""
    whole = source.whole if isinstance(source, Source) else None
    if whole:
        return f"{rows}{more}, and all of it decides ({whole})" if source.count else f"all of it decides ({whole})"
    return rows + more


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    shown = columns[:_WIDE]
    more = [f"... {len(columns) - _WIDE} more"] if len(columns) > _WIDE else []
    return (*shown, *more), [(*(cell(_value(row.get(name))) for name in shown), *("" for _ in more)) for row in rows]


def _value(value: Any) -> Any:
    """Rows of Spark as dicts."""
    if hasattr(value, "asDict"):
        return {name: _value(one) for name, one in value.asDict().items()}
    if isinstance(value, (list, tuple)):
        return tuple(map(_value, value))
    if isinstance(value, dict):
        return {str(name): _value(one) for name, one in value.items()}
    return bytes(value) if isinstance(value, bytearray) else value


def as_json(hops: Iterable[Hop | ForwardHop]) -> list[Any]:
    """All that is known, values as JSON has them."""
    return [_plain(hop) for hop in hops]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)) and not hasattr(value, "asDict"):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return plain_value(_value(value))
