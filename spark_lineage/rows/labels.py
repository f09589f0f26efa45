"""How far what a forward trace finds can be relied on: its label, and the reasons."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pyspark.sql import SparkSession

from ..replay.executables import Found
from ..store.tables import Store
from .contributing import Contributed
from .listings import held
from .meant import Meant
from .readings import Reading
from .tracing import first_of, is_fixed, reason_of
from .witness import Completeness, ForwardHop, worse


def labelled(
    hop: ForwardHop, meant: Meant, reading: Reading, came: Contributed, doubts: Collection[str], others: Collection[str]
) -> ForwardHop:
    """A hop with what the plan says of its rows. `doubts`: why some may be missing; `others`: why some need not depend on a row that is meant."""
    more = [*others, *(reason_of(kind) for kind in came.kinds if kind != "aggregate")]
    more += [f"whether rows of {meant.name} are there decides about each row: {why}" for why in came.wholes]
    missing = [meant.left] if meant.left else []
    if meant.lifetime is not None and hop.source.count < len(meant.rows):
        missing.append(not_there(meant, reading, hop))
    missing += doubts
    if not came.deterministic:
        missing.append(
            "the plan does not have to give the same rows each time (rand, LIMIT, a function of somebody's own): what it made then may be missed"
        )
    if meant.lifetime is not None and meant.log is not None and reading.version is not None:
        copies = meant.lifetime.carriers - {meant.lifetime.written}
        if meant.log.files(reading.version, copies):
            more.append(
                f"files of {meant.name} were rewritten before version {reading.version}: its rows are known again by their values there"
            )
    completeness: Completeness = "partial" if missing else "superset" if more else "exact"
    if came.wholes:
        hop = replace(hop, source=replace(hop.source, whole="; ".join(came.wholes)))
    return replace(hop, reasons=(*more, *missing), completeness=completeness)


def doubts(spark: SparkSession, store: Store, found: Found, only: Collection[int] | None = None) -> list[str]:
    """What is not known to be read as it was then: by all leaves of a plan, or by those with these numbers."""
    leaves = {first_of(leaf, found.executable.leaves): leaf for leaf in found.executable.leaves}
    listed = held(spark, store, found)
    others = [
        f"{leaf.name or leaf.location or leaf.kind} is read as it is now: nothing tells whether that is what was read then"
        for number, leaf in leaves.items()
        if (only is None or number in only)
        and not is_fixed(leaf)
        and leaf.kind != "batch"
        and (listed.changed or number not in listed.known)
    ]
    return [*(listed.changed if others else ()), *listed.pruned, *others]


def not_there(meant: Meant, reading: Reading, hop: ForwardHop) -> str:
    """That rows of a version are not in a later one as they were."""
    missing = len(meant.rows) - hop.source.count
    return (
        f"{missing} of {len(meant.rows)} rows that are followed are not in version {reading.version} of {meant.name} as they were: they were "
        "deleted, or changed, and what a command made of them it made of rows that it read"
    )


def less(hop: ForwardHop, completeness: Completeness, why: str) -> ForwardHop:
    """A hop with one more reason, and no better a label than that of the reason."""
    return replace(hop, completeness=worse(hop.completeness or "exact", completeness), reasons=(*hop.reasons, why))


def cut(hop: ForwardHop) -> ForwardHop:
    """A hop which says so where it has more rows than are told."""
    if hop.target is None or hop.target.count <= len(hop.target.rows):
        return hop
    return less(hop, "truncated", "more rows were found than are told: `count` says how many")
