"""From what differs to a verdict, and from a verdict to its row in `replays`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pyspark.sql.types import StructType

from .. import __version__
from ..model import Replay, ReplayVerdict
from .verdict import Difference, Replayed


def judged(
    answer: Replayed, found: Difference, own: dict[str, str], declared: Sequence[str], told: tuple[str, ...], tolerance: float
) -> Replayed:
    verdict: ReplayVerdict = "different"
    if found.missing or found.unexpected:
        reason = counted(found)
        return replace(answer, verdict=verdict, reason=reason, columns=found.differing, causes=told, difference=found)
    if not found.within and not own and not declared:
        reason = "it was computed twice, and gave other rows each time"
        return replace(answer, verdict=verdict, reason=reason, causes=told, difference=found)
    reasons = []
    if found.within:
        reasons.append(
            f"{found.within:,} rows differ by no more than the tolerance of floats ({tolerance:g}) in {', '.join(found.differing)}"
        )
    reasons += [f"{name} is not compared: {why}" for name, why in own.items()]
    reasons += [f"{name} is not compared: it was declared volatile" for name in declared]
    columns = tuple(dict.fromkeys((*found.differing, *own, *declared)))
    return replace(answer, verdict="equivalent", reason="; ".join(reasons), columns=columns, difference=found)


def counted(found: Difference) -> str:
    alone = found.missing - found.changed, found.unexpected - found.changed
    told = [
        f"{number:,} {what}"
        for number, what in ((found.changed, "rows changed"), (alone[0], "rows missing"), (alone[1], "rows unexpected"))
        if number
    ]
    if found.within:
        told.append(f"{found.within:,} more differ by no more than the tolerance")
    columns = f" (in {', '.join(found.differing)})" if found.differing else ""
    return "; ".join(told) + columns


def declared_in(volatile: Sequence[str], schema: StructType) -> tuple[str, ...]:
    """Those that there are, as the table spells them."""
    wanted = {name.lower() for name in volatile}
    return tuple(field.name for field in schema if field.name.lower() in wanted)


def row_of(replay_id: str, one: Replayed, spark_version: str, began: datetime, ended: datetime) -> Replay:
    found: Any = one.difference
    return Replay(
        replay_id=replay_id, execution_id=one.execution_id, run_id=one.run_id, job_name=one.job_name, replay_mode=one.replay_mode,
        namespace=one.namespace, name=one.name, table_id=one.table_id, delta_version=one.version, verdict=one.verdict, reason=one.reason,
        causes=one.causes, columns=one.columns, volatile=one.volatile, tolerance=one.tolerance, schema_hash=one.schema_hash,
        recorded_rows=one.rows[0], replayed_rows=one.rows[1], recorded_checksum=one.checksums[0], replayed_checksum=one.checksums[1],
        rows_missing=None if found is None else found.missing, rows_unexpected=None if found is None else found.unexpected,
        rows_changed=None if found is None else found.changed, inputs=one.inputs, code_commit=one.code_commit, code_dirty=one.code_dirty,
        code_sha256=one.code_sha256, spark_version=spark_version, tool_version=__version__, started_at=began,
        ended_at=ended, whole=one.whole, trusted=one.trusted, strict=one.strict if one.replay_mode == "job" else None,
        replayed_command=one.replayed_command, replayed_commit=one.replayed_commit, replayed_sha256=one.replayed_sha256,
    )  # fmt: skip
