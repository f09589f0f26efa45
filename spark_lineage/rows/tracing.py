"""From rows that an execution wrote to the rows that it read: its recorded plan, rewritten and asked.

Why-provenance (Buneman, Khanna and Tan 2001): of each output row, rows of the sources that suffice to make it. The plan is
rewritten as in Perm (Glavic and Alonso 2009), and followed block by block with the row's values as in PredTrace; the rules are in
docs/row-provenance.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DoubleType,
    FloatType,
    MapType,
    StructType,
    VariantType,
)

from ..errors import TraceError
from ..lineage.naming import exact_place
from ..model import ExecutableLeaf
from ..replay.executables import Found, restore
from ..snapshot.delta import absolute
from .bridge_sources import TRACER
from .identity import identified
from .local import local_frame
from .witness import Completeness, Source, SourceRow, Witness

TAG = "__lineage_tag"
MOST = 50_000
"""So many rows of a step come to the driver; more stay where they are."""
TOLERANCE = 1e-9
"""Of floats, relative: a sum is not the same each time."""
_WHY = {
    "filtered aggregate": "an aggregate with FILTER counts only some of the rows of its group",
    "window": "a window function looks at other rows of its partition",
    "Offset": "OFFSET leaves out rows that others are counted after",
    "semi join": "IN and EXISTS need one of the rows that match",
}
_PLAIN = {"aggregate", "target"}


@dataclass(frozen=True)
class Followed:
    """What the rows of a plan were followed to: by number of leaf the rows that are told and how many there are, and why all of a leaf decides."""

    rows: dict[int, tuple[tuple[SourceRow, ...], int]]
    wholes: dict[int, str]
    kinds: tuple[str, ...]
    queries: int
    reproduced: bool


def trace(found: Found, targets: DataFrame, *, limit: int = 100, part: int = 0) -> Witness:
    """The rows of the sources that made these rows: `targets` has the columns of what was written, of a few thousand rows at most.

    Raises ExecutableError where the plan cannot be restored, TraceError where it does not give these rows.
    """
    executable = found.executable
    leaves: dict[int, ExecutableLeaf] = {}
    for leaf in executable.leaves:
        leaves.setdefault(_first_of(leaf, executable.leaves), leaf)
    plan = restore(
        targets.sparkSession, found, part=part,
        leaf_rows=lambda leaf, rows: identified(rows, _first_of(leaf, executable.leaves)),
    )  # fmt: skip
    try:
        followed = follow(plan, targets, limit=limit, fixed=all(map(_is_fixed, executable.leaves)))
    except (Py4JJavaError, PySparkException) as error:
        raise TraceError(f"the plan of {executable.execution_id} cannot be followed: {_first(error)}") from error
    if not followed.reproduced:
        raise TraceError(
            f"the plan of {executable.execution_id} does not give such a row on what it read: something else wrote it, or the plan "
            "does not give the same rows each time (rand, a LIMIT without an order, a function of Python), or what it read has changed"
        )
    sources = tuple(
        _source(leaves[number], *followed.rows.get(number, ((), 0)), followed.wholes.get(number))
        for number in sorted({*followed.rows, *followed.wholes})
    )
    completeness, reasons = _label(followed.kinds, sources)
    return Witness(sources=sources, completeness=completeness, reasons=reasons, queries=followed.queries)


def _first_of(leaf: ExecutableLeaf, leaves: Iterable[ExecutableLeaf]) -> int:
    """The number of the first leaf that reads the same: what is read twice is one source."""
    return next(one.number for one in leaves if replace(one, number=0, columns=()) == replace(leaf, number=0, columns=()))


def _is_fixed(leaf: ExecutableLeaf) -> bool:
    """Whether it is read again exactly as it was."""
    return leaf.kind == "delta" and leaf.delta_version is not None and leaf.version_basis == "exact"


def follow(plan: DataFrame, targets: DataFrame, *, limit: int = 100, fixed: bool = False, most: int = MOST) -> Followed:
    """Rows of a frame whose leaves are `identified`, to rows of these. `fixed`: the leaves are what they were when the targets were made."""
    tracer = _tracer(plan, most, fixed)
    try:
        tracer.follow(_product(plan, targets)._jdf.queryExecution().analyzed())
        rows = {
            int(number): _rows(
                [DataFrame(frame, plan.sparkSession) for frame in tracer.frames(number)], tracer.isLocal(number), limit
            )
            for number in tracer.leaves()
        }
    finally:
        tracer.close()
    return Followed(
        rows=rows,
        wholes={int(number): str(why) for number, why in dict(tracer.wholes()).items()},
        kinds=tuple(map(str, tracer.kinds())),
        queries=int(tracer.queries()),
        reproduced=bool(tracer.isReproduced()),
    )


def _tracer(plan: DataFrame, most: int, fixed: bool) -> Any:
    gateway: Any = plan.sparkSession.sparkContext._gateway
    values = (plan.sparkSession._jsparkSession, most, fixed)
    arguments = gateway.new_array(gateway.jvm.java.lang.Object, len(values))
    for number, value in enumerate(values):
        arguments[number] = value
    return TRACER.load(gateway).getConstructors()[0].newInstance(arguments)


def _product(plan: DataFrame, targets: DataFrame) -> DataFrame:
    """The plan's rows with those that are meant, where they are equal. Columns have names of their own: two may share one."""
    pairs = _pairs(plan.columns, targets.columns)
    rows = plan.toDF(*(f"c{number}" for number in range(len(plan.columns))))
    meant = targets.select(
        F.lit(0).cast("bigint").alias(TAG), *(F.col(_quoted(targets.columns[t])).alias(f"t{t}") for _, t in pairs)
    )
    types = {name: field.dataType for name, field in zip(rows.columns, rows.schema, strict=True)}
    same = [
        _same(F.col(f"c{c}"), types[f"c{c}"], F.col(f"t{t}"), targets.schema[t].dataType)
        for c, t in pairs
        if is_comparable(targets.schema[t].dataType)
    ]
    if not same:
        raise TraceError("no column of the row can be compared with what the plan gives")
    meant = local_frame(meant.sparkSession, meant.collect(), meant.schema)
    return rows.crossJoin(_in_session(meant, rows)).where(reduce(lambda one, other: one & other, same))


def _in_session(frame: DataFrame, other: DataFrame) -> DataFrame:
    return DataFrame(frame._jdf, other.sparkSession)


def _pairs(plan: list[str], target: list[str]) -> list[tuple[int, int]]:
    """Positions of the columns that are the same: by name where each of the plan's is one of the target's, else by position."""
    places = {name.lower(): at for at, name in enumerate(target)}
    names = [name.lower() for name in plan]
    if len(set(names)) == len(names) and all(name in places for name in names):
        return [(at, places[name]) for at, name in enumerate(names)]
    return [(at, at) for at in range(min(len(plan), len(target)))]


def _same(value: Column, given: DataType, wanted: Column, data_type: DataType) -> Column:
    if given.simpleString() != data_type.simpleString():
        value = value.try_cast(data_type)
    if isinstance(data_type, (FloatType, DoubleType)):
        return value.eqNullSafe(wanted) | (F.abs(value - wanted) <= F.abs(wanted) * TOLERANCE)
    return value.eqNullSafe(wanted)


def is_comparable(data_type: DataType) -> bool:
    if isinstance(data_type, StructType):
        return all(is_comparable(one.dataType) for one in data_type)
    if isinstance(data_type, ArrayType):
        return is_comparable(data_type.elementType)
    return not isinstance(data_type, (MapType, VariantType))


def _rows(frames: list[DataFrame], local: bool, limit: int) -> tuple[tuple[SourceRow, ...], int]:
    """The first of the distinct rows, and how many there are."""
    if local:
        known: dict[Row, dict[str, Any]] = {}
        for frame in frames:
            for _, row in frame.collect():
                known.setdefault(row["id"], {}).update(_read(row))
        chosen = sorted(known.items(), key=lambda one: tuple(map(_order, one[0])))
        return tuple(source_row(*one) for one in chosen[:limit]), len(known)
    ids = reduce(DataFrame.union, (frame.select("row.id") for frame in frames)).distinct()
    shown = [one[0] for frame in frames for one in frame.select("row").limit(limit).collect()]
    return tuple(source_row(one["id"], _read(one)) for one in shown[:limit]), ids.count()


def _read(row: Row) -> dict[str, Any]:
    return dict(row["read"].asDict()) if "read" in row else {}


def _order(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def source_row(identity: Row, values: dict[str, Any]) -> SourceRow:
    """A row by its identity, as `identified` tells it."""
    fingerprint = None
    if identity["h0"] is not None:
        fingerprint = "".join(f"{identity[name] & (1 << 64) - 1:016x}" for name in ("h0", "h1"))
    return SourceRow(
        kind="row_id" if identity["row_id"] is not None else "file_row" if identity["position"] is not None
        else "fingerprint" if fingerprint is not None else "values",
        file=identity["file"], position=identity["position"], row_id=identity["row_id"], fingerprint=fingerprint, values=values,
    )  # fmt: skip


def _source(leaf: ExecutableLeaf, rows: tuple[SourceRow, ...], count: int, whole: str | None) -> Source:
    location = leaf.location or (leaf.paths[0] if leaf.paths else None)
    key = exact_place(absolute(location)).key if location else ("", leaf.name or f"leaf {leaf.number}")
    return Source(
        namespace=key[0], name=key[1], alias=leaf.name, location=location, table_id=leaf.table_id, version=leaf.delta_version,
        rows=rows, count=count, whole=whole,
    )  # fmt: skip


def _label(kinds: Iterable[str], sources: Iterable[Source]) -> tuple[Completeness, tuple[str, ...]]:
    reasons = [
        _WHY.get(str(kind), f"nothing is known of how {kind} uses its rows: all of them are named")
        for kind in kinds
        if kind not in _PLAIN
    ]
    reasons += [f"all of {one.alias or one.name} decides: {one.whole}" for one in sources if one.whole]
    if any(one.count > len(one.rows) for one in sources):
        return "truncated", (*reasons, "more rows were found than are told: `count` says how many")
    return ("superset" if reasons else "exact"), tuple(reasons)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _first(error: Exception) -> str:
    text = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
    return (text or type(error).__name__).strip().split("\n")[0].rstrip(".")
