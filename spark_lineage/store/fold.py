"""How two records of the same run, or of the same dataset, become one (pure).

Records arrive more than once and late: the start of a run, its end, a sweep that calls it lost, the same batch again
after a crash. Folding a record that was folded before changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from ..model import Dataset, Run, RunStatus

Record = TypeVar("Record")

DatasetKey = tuple[str, str, str | None]


def run_key(run: Run) -> str:
    return run.run_id


def dataset_key(dataset: Dataset) -> DatasetKey:
    return dataset.namespace, dataset.name, dataset.table_id


def fold_all(
    recorded: Iterable[Record],
    arrived: Iterable[Record],
    key: Callable[[Record], Any],
    fold: Callable[[Record, Record], Record],
) -> list[Record]:
    """Every key of either side once: what is recorded, folded with what arrived, in the order of arrival."""
    by_key: dict[Any, Record] = {}
    for record in (*recorded, *arrived):
        earlier = by_key.get(key(record))
        by_key[key(record)] = record if earlier is None else fold(earlier, record)
    return list(by_key.values())


def fold_run(earlier: Run, later: Run) -> Run:
    """`earlier` with what `later` knows more: a value is never replaced by none, nor by a field's default."""
    known = {name: value for name in _RUN_DEFAULTS if not _says_nothing(name, value := getattr(later, name))}
    known |= {
        "started_at": _least(earlier.started_at, later.started_at),
        "ended_at": _greatest(earlier.ended_at, later.ended_at),
        "last_seen_at": _greatest(earlier.last_seen_at, later.last_seen_at),
        "status": _status(earlier, later),
    }
    return replace(earlier, **known)


def fold_dataset(earlier: Dataset, later: Dataset) -> Dataset:
    """Aliases united and sorted; the most recently seen format, location and schema that are known."""
    old, new = (earlier, later) if earlier.last_seen_at <= later.last_seen_at else (later, earlier)
    return replace(
        new,
        aliases=tuple(sorted({*earlier.aliases, *later.aliases})),
        format=new.format or old.format,
        location=new.location or old.location,
        schema_hash=new.schema_hash or old.schema_hash,
        first_seen_at=min(earlier.first_seen_at, later.first_seen_at),
        last_seen_at=new.last_seen_at,
    )


_RUN_DEFAULTS = {field.name: field.default for field in fields(Run) if field.default is not MISSING}


def _says_nothing(name: str, value: Any) -> bool:
    """Whether a run's value is one that a record has when its maker did not know: the default, or an empty collection."""
    return bool(value is None or value == _RUN_DEFAULTS[name] or value in ((), {}))


def _status(earlier: Run, later: Run) -> RunStatus:
    """The end that a run reported stands. `lost` is a guess: it gives way to an end, and to a later sign of life."""
    if later.status in ("succeeded", "failed"):
        return later.status
    if earlier.status in ("succeeded", "failed"):
        return earlier.status
    if earlier.status == later.status:
        return earlier.status
    lost, running = (earlier, later) if earlier.status == "lost" else (later, earlier)
    alive_since = running.last_seen_at and lost.last_seen_at and running.last_seen_at > lost.last_seen_at
    return "running" if alive_since else "lost"


def _least(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time is not None), default=None)


def _greatest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)
