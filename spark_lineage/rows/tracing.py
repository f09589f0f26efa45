"""From rows that an execution wrote to the rows that it read: its recorded plan, rewritten and asked.

Why-provenance (Buneman, Khanna and Tan 2001): of each output row, rows of the sources that suffice to make it. The plan is
rewritten as in Perm (Glavic and Alonso 2009), and followed block by block with the row's values as in PredTrace; the rules are in
docs/row-provenance.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import (
    LongType,
    StructField,
    StructType,
    VariantType,
)

from ..errors import LineageError, TraceError
from ..lineage.naming import exact_place
from ..model import ExecutableLeaf
from ..replay.executables import restore
from ..replay.plans import Plan
from ..snapshot.delta import absolute, identity_of
from ..snapshot.spark import same_names
from ..snapshot.with_spark import first_line_of_spark
from .bridge_sources import TRACER
from .equality import has, same_value, uncompared, ways_of
from .identity import PREFIX, highest, identified, known_by, order_of
from .local import collected, local_frame
from .witness import Completeness, Source, SourceRow, Witness

TAG = "__lineage_tag"
MOST = 50_000
"""So many rows of a step come to the driver; more stay where they are."""
_FEW = 1_000
WHY = {
    "filtered aggregate": "FILTER and PIVOT count only some of the rows of a group",
    "window": "a window function looks at other rows of its partition",
    "session window": "of a session window all rows of its group are named, whatever their session",
    "groups by maps": "maps inside of other values, which rows are grouped by, are not compared: rows of all such groups are named",
    "Offset": "OFFSET leaves out rows that others are counted after",
    "declared function": "of a Python function over whole rows those rows are named that its author declared",
    "semi join": "IN and EXISTS need one of the rows that match",
    "deciding aggregate": "of a group only the rows are named that decided its min, max, first or last, all that are equal there",
    "partly deciding aggregate": "of a group only the rows are named that decided its min, max, first or last: its other functions looked at all of its rows, which are more",
    "rank": "of rows before a row in its rank none is named: it may stand further ahead without them",
}
DELTA = ("delta", "delta_files")
WHY |= {
    kind.replace("aggregate", "of all"): WHY[kind].replace("of a group", "of all rows").replace("its rows", "them")
    for kind in ("deciding aggregate", "partly deciding aggregate")
}
_DECIDING = {kind for kind in WHY if "deciding" in kind} | {"rank"}
GROUPED = {"aggregate", "filtered aggregate", "groups by maps", "session window", "window", *_DECIDING}


@dataclass(frozen=True)
class Followed:
    """What the rows of a plan were followed to: by number of leaf the rows that are told and how many there are, and why all of a leaf decides.

    `missing` of `targets` rows are not given by the plan, `lost` groups on the way were not found again. `uncompared`: columns by which rows
    were not told apart. `near`: of doubles several rows are as near. `chooses`: whether other rows may go into a row each time. `rows_read`: how many rows the scans of files gave.
    """

    rows: dict[int, tuple[tuple[SourceRow, ...], int]]
    wholes: dict[int, str]
    kinds: tuple[str, ...]
    queries: int
    targets: int
    missing: int
    lost: int
    deterministic: bool
    chooses: bool = False
    uncompared: tuple[str, ...] = ()
    near: bool = False
    rows_read: int = 0

    @property
    def reproduced(self) -> bool:
        return self.missing < self.targets


def trace(asked: Plan, targets: DataFrame, *, limit: int = 100, deciding: bool = False, known: Collection[int] = ()) -> Witness:
    """The rows of the sources that made these rows: `targets` has the columns of what was written, of a few thousand rows at most.

    `known`: the numbers of leaves whose files are held against those of then. Where they are known to be of the plan, and what it reads is as it was, they are looked for by their groups. `deciding`: of a group
    with a min, max, first, last, max_by or min_by only the rows that decided it, of a rank the row alone. Raises
    ExecutableError where the plan cannot be restored, TraceError where it does not give these rows, or reads another table now.
    """
    found = asked.found
    executable = found.executable
    leaves: dict[int, ExecutableLeaf] = {}
    for leaf in executable.leaves:
        check_identity(leaf)
        leaves.setdefault(first_of(leaf, executable.leaves), leaf)
    read: dict[int, DataFrame] = {}

    def rows_of(leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
        number = first_of(leaf, executable.leaves)
        read[number] = identified(rows, number)
        return read[number]

    plan = restore(targets.sparkSession, found, part=asked.part, leaf_rows=rows_of, gives=asked.gives)
    as_it_was = all(map(is_fixed, executable.leaves))
    try:
        followed = follow(plan, targets, limit=limit, fixed=asked.fixed and as_it_was, deciding=deciding, read=read)
    except (Py4JJavaError, PySparkException) as error:
        raise TraceError(f"the plan of {executable.execution_id} cannot be followed: {first_line_of_spark(error)}") from error
    if not followed.reproduced:
        raise TraceError(
            f"the plan of {executable.execution_id} does not give such a row on what it read: something else wrote it, or the plan "
            "does not give the same rows each time (rand, a LIMIT without an order, a function of Python), or what it read has changed"
        )
    sources = tuple(
        source_of(leaves[number], *followed.rows.get(number, ((), 0)), followed.wholes.get(number))
        for number in sorted({*followed.rows, *followed.wholes})
    )
    twice = read_twice(executable.leaves, leaves, followed.kinds, partial(is_limited, plan))
    return labelled(followed, sources, read_today(leaves.values(), known), twice, asked)


def read_twice(
    read: Sequence[ExecutableLeaf], leaves: Mapping[int, ExecutableLeaf], kinds: Collection[str], limited: Callable[[], bool]
) -> list[ExecutableLeaf]:
    """Those of the leaves that a query reads more than once, where it has groups or a LIMIT: rows of one reading may be among those of another, and
    then be of other groups, or come before the row."""
    times = Counter(first_of(leaf, read) for leaf in read)
    twice = [leaves[number] for number, count in times.items() if count > 1]
    return twice if twice and (GROUPED & {*kinds} or limited()) else []


def is_limited(plan: DataFrame) -> bool:
    """Whether a LIMIT, or its like, is somewhere in a plan."""
    return _LIMITS.search(str(plan._jdf.queryExecution().analyzed())) is not None


_LIMITS = re.compile(r"\b(Global|Local)Limit |\bTail |\bOffset ")


def check_identity(leaf: ExecutableLeaf) -> None:
    """Raises TraceError where another table lies in the place of the one that was read."""
    if leaf.kind not in DELTA or leaf.table_id is None or leaf.location is None or leaf.delta_version is None:
        return
    now = identity_of(absolute(leaf.location), leaf.delta_version)
    if now is not None and now[0] != leaf.table_id:
        raise TraceError(
            f"{leaf.location} is another table now ({now[0]}, not {leaf.table_id}): what was read is gone with the old one"
        )


def first_of(leaf: ExecutableLeaf, leaves: Iterable[ExecutableLeaf]) -> int:
    """The number of the first leaf that reads the same: what is read twice is one source."""
    return next(one.number for one in leaves if replace(one, number=0, columns=()) == replace(leaf, number=0, columns=()))


def text_of(error: Exception) -> str:
    """What is told of an error: ours, or the first line of Spark's."""
    return str(error) if isinstance(error, LineageError) else first_line_of_spark(error)


def given_by(plans: int) -> str:
    """Why rows are not known to be those that count, where several plans of an execution give a row."""
    return f"{plans} plans of the execution give such a row, or may: which of them wrote it is not told, and these are the rows of the first"


def reason_of(kind: str) -> str:
    """Why what is on the way names more rows than are needed."""
    return WHY.get(kind, f"nothing is known of how {kind} uses its rows: all of them are named")


def read_today(leaves: Iterable[ExecutableLeaf], known: Collection[int]) -> list[ExecutableLeaf]:
    """Those that are read as they are now, but those `known` by number, whose files are held against those of then."""
    return [leaf for leaf in leaves if not is_fixed(leaf) and leaf.kind != "batch" and leaf.number not in known]


def is_fixed(leaf: ExecutableLeaf) -> bool:
    """Whether it is read again exactly as it was."""
    return leaf.kind in DELTA and leaf.delta_version is not None and leaf.version_basis == "exact" and leaf.table_id is not None


def follow(
    plan: DataFrame,
    targets: DataFrame,
    *,
    limit: int = 100,
    fixed: bool = False,
    most: int = MOST,
    deciding: bool = False,
    read: Mapping[int, DataFrame] | None = None,
) -> Followed:
    """Rows of a frame whose leaves are `identified`, to rows of these. `fixed`: the leaves are what they were when the targets were made.
    `read`: the leaves by their numbers, in which rows are counted that are known by their content alone.

    Doubles are to be the same, and where the plan does not give such rows, near to each other (equality.TOLERANCE).
    """
    for near in ways_of(targets.schema):
        followed = _follow(plan, targets, near, limit, fixed, most, deciding, read or {})
        if not followed.missing:
            break
    return followed


def _follow(
    plan: DataFrame,
    targets: DataFrame,
    near: bool,
    limit: int,
    fixed: bool,
    most: int,
    deciding: bool,
    read: Mapping[int, DataFrame],
) -> Followed:
    tracer = _tracer(plan, most, fixed, deciding)
    try:
        tracer.follow(product(plan, targets, near=near)._jdf.queryExecution().analyzed())
        rows = {
            int(number): _rows(
                [DataFrame(frame, plan.sparkSession) for frame in tracer.frames(number)],
                tracer.isLocal(number),
                limit,
                _Leaf(tracer, int(number), read.get(int(number))),
            )
            for number in tracer.leaves()
        }
        queries, rows_read = int(tracer.queries()), int(tracer.rowsRead())
    finally:
        tracer.close()
    return Followed(
        rows=rows,
        wholes={int(number): str(why) for number, why in dict(tracer.wholes()).items()},
        kinds=tuple(map(str, tracer.kinds())),
        queries=queries,
        targets=int(tracer.targets()),
        missing=int(tracer.missing()),
        lost=int(tracer.lost()),
        deterministic=bool(tracer.isDeterministic()),
        chooses=bool(tracer.chooses()),
        rows_read=rows_read,
        uncompared=uncompared(targets.schema),
        near=near and int(tracer.matched()) > int(tracer.targets()) - int(tracer.missing()),
    )


def _tracer(plan: DataFrame, most: int, fixed: bool, deciding: bool) -> Any:
    session = plan.sparkSession
    return TRACER.new(session.sparkContext._gateway, "Tracer", session._jsparkSession, most, fixed, deciding)


def product(plan: DataFrame, targets: DataFrame, numbered: DataFrame | None = None, near: bool = False) -> DataFrame:
    """The plan's rows with those that are meant, where they are equal. Columns have names of their own: two may share one.

    `numbered`: the same rows, with a number each before their columns. `near`: of doubles it is enough to be near to each other.
    """
    paired = pairs(plan.columns, targets.columns)
    rows = plan.toDF(*(f"c{number}" for number in range(len(plan.columns))))
    names = [f"t{number}" for number in range(len(targets.columns))]
    wanted = targets.toDF(*names).withColumn(TAG, F.lit(0)) if numbered is None else numbered.toDF(TAG, *names)
    meant = wanted.select(F.col(TAG).cast("bigint").alias(TAG), *(F.col(f"t{t}") for _, t in paired))
    types = {name: field.dataType for name, field in zip(rows.columns, rows.schema, strict=True)}
    same = [
        same_value(F.col(f"c{c}"), types[f"c{c}"], F.col(f"t{t}"), targets.schema[t], near)
        for c, t in paired
        if not has(targets.schema[t].dataType, VariantType)
    ]
    if not same:
        raise TraceError("no column of the row can be compared with what the plan gives")
    return rows.crossJoin(_in_session(meant, rows)).where(reduce(lambda one, other: one & other, same))


def numbers_given(plan: DataFrame, numbered: DataFrame) -> set[int]:
    """The numbers of those of the rows that a plan gives. `numbered`: the rows, with their numbers before their columns."""
    given: set[int] = set()
    targets = numbered.drop(TAG)
    for near in ways_of(targets.schema):
        left = numbered.where(~F.col(TAG).isin(*given)) if given else numbered
        given |= {int(row[0]) for row in product(plan, targets, left, near).select(TAG).distinct().collect()}
    return given


def _in_session(frame: DataFrame, other: DataFrame) -> DataFrame:
    return DataFrame(frame._jdf, other.sparkSession)


def pairs(plan: list[str], target: list[str]) -> list[tuple[int, int]]:
    """Positions of the columns that are the same: by name where each of the plan's is one of the target's, else by position."""
    places = same_names(target, plan)
    if len(places) == len(plan) == len({*places.values()}):
        return [(at, places[at]) for at in range(len(plan))]
    return [(at, at) for at in range(min(len(plan), len(target)))]


@dataclass(frozen=True)
class _Leaf:
    """The leaf that rows were found of: its `rows`, where they are told. `tracer`: who counts what is asked, if anybody."""

    tracer: Any
    number: int
    rows: DataFrame | None

    def collected(self, frame: DataFrame) -> list[Row]:
        """What this costs counts as the trace's."""
        found = collected(frame)
        if self.tracer is not None:
            self.tracer.ran(frame._jdf)
        return found

    def counted(self, told: tuple[SourceRow, ...], count: int, frames: list[DataFrame]) -> tuple[tuple[SourceRow, ...], int]:
        """With how often each row is there that is known by its content alone, and how many rows there are of all contents, `count` different ones,
        that are in the frames."""
        assert self.rows is not None
        shown = local_frame(self.rows.sparkSession, [_lanes(str(one.fingerprint)) for one in told], HASHES)
        times = {(row["w0"], row["w1"]): int(row["n"]) for row in self.collected(self._times(F.broadcast(shown)))}
        told = tuple(replace(one, multiplicity=times.get(_lanes(str(one.fingerprint)), 1)) for one in told)
        if len(told) == count:
            return told, sum(times.values())
        found = reduce(DataFrame.union, (frame.select(_part("h0").alias("w0"), _part("h1").alias("w1")) for frame in frames))
        (all_of_them,) = self.collected(self._times(found.distinct()).agg(F.sum("n").alias("n")))
        return told, int(all_of_them["n"] or 0)

    def _times(self, hashes: DataFrame) -> DataFrame:
        assert self.rows is not None
        return times_of(self.rows, self.number, hashes)


def times_of(rows: DataFrame, number: int, hashes: DataFrame) -> DataFrame:
    """How often rows of these contents (`HASHES`) are in a leaf, as `n` by `w0` and `w1`: equal rows are all meant, or none."""
    identity = F.col(f"{PREFIX}{number}")
    contents = rows.select(identity["h0"].alias("w0"), identity["h1"].alias("w1"))
    known = contents.join(_in_session(hashes, contents), ["w0", "w1"], "left_semi")
    return known.groupBy("w0", "w1").agg(F.count(F.lit(1)).alias("n"))


def _rows(frames: list[DataFrame], local: bool, limit: int, leaf: _Leaf) -> tuple[tuple[SourceRow, ...], int]:
    """The first of the distinct rows, and how many there are."""
    told, count = _first(frames, local, limit, leaf)
    if leaf.rows is None or not told or told[0].kind != "fingerprint":
        return told, count
    return leaf.counted(told, count, frames)


def _first(frames: list[DataFrame], local: bool, limit: int, leaf: _Leaf) -> tuple[tuple[SourceRow, ...], int]:
    if local:
        frames, more = _shown(frames, limit)
        known: dict[Any, tuple[Row, dict[str, Any]]] = {}
        for frame in frames:
            for _, row in collected(frame):
                values = _read(row)
                identity = row["id"] if any(part is not None for part in row["id"]) else repr(values)
                known.setdefault(identity, (row["id"], {}))[1].update(values)
        chosen = sorted(known.values(), key=lambda one: _in_order(one[0]))
        return tuple(source_row(*one) for one in chosen[:limit]), len(known) + more
    one, two = known_by(_part)
    ids = reduce(DataFrame.union, (frame.select(one.alias("one"), two.alias("two")) for frame in frames)).distinct()
    count, order = int(leaf.collected(ids.agg(F.count(F.lit(1))))[0][0]), order_of(_part)
    shown: dict[Row, tuple[int, dict[str, Any]]] = {}
    for frame in frames:
        near = frame.where(order <= highest(count, limit)).groupBy(F.col("row.id").alias("id"), order.alias("place"))
        for row in leaf.collected(near.agg(F.first("row").alias("row")).orderBy("place").limit(limit)):
            shown.setdefault(row["id"], (row["place"], {}))[1].update(_read(row["row"]))
    first = sorted(shown, key=lambda one: shown[one][0])[:limit]
    return tuple(source_row(one, shown[one][1]) for one in sorted(first, key=_in_order)), count


def _part(name: str) -> Column:
    return F.col(f"row.id.{name}")


def _shown(frames: list[DataFrame], limit: int) -> tuple[list[DataFrame], int]:
    """Frames that are here already, with no more than the rows that are shown, and how many there are beside these: values come to Python dearly."""
    if sum(int(frame._jdf.queryExecution().analyzed().data().size()) for frame in frames) <= max(limit, _FEW):
        return frames, 0
    found: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for at, frame in enumerate(frames):
        table = frame.select(TAG, "row.id.*").toArrow()
        tags, *parts = (column.to_pylist() for column in table.columns)
        for tag, *identity in zip(tags, *parts, strict=True):
            if all(part is None for part in identity):
                return frames, 0  # these are told apart by their values
            found.setdefault(tuple(identity), []).append((at, tag))
    chosen = sorted(found, key=_in_order)[:limit]
    wanted = [[tag for identity in chosen for place, tag in found[identity] if place == at] for at in range(len(frames))]
    shown = [frame.where(F.col(TAG).isin(tags)) for frame, tags in zip(frames, wanted, strict=True) if tags]
    return shown, len(found) - len(chosen)


HASHES = StructType([StructField("w0", LongType()), StructField("w1", LongType())])


def _lanes(fingerprint: str) -> tuple[int, int]:
    """The two hashes, as Spark has them: signed."""
    high, low = (int(part, 16) for part in (fingerprint[:16], fingerprint[16:]))
    return high - (high >> 63 << 64), low - (low >> 63 << 64)


def _read(row: Row) -> dict[str, Any]:
    return dict(row["read"].asDict()) if "read" in row else {}


def _in_order(identity: Iterable[Any]) -> list[tuple[bool, Any]]:
    """Its parts, those that it has not before others."""
    return [(part is not None, part) for part in identity]


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


def source_of(leaf: ExecutableLeaf, rows: tuple[SourceRow, ...], count: int, whole: str | None) -> Source:
    location = leaf.location or (leaf.paths[0] if leaf.paths else None)
    key = exact_place(absolute(location)).key if location else ("", leaf.name or f"leaf {leaf.number}")
    return Source(
        namespace=key[0], name=key[1], alias=leaf.name, location=location, table_id=leaf.table_id, version=leaf.delta_version,
        rows=rows, count=count, whole=whole,
    )  # fmt: skip


def labelled(
    followed: Followed,
    sources: tuple[Source, ...],
    today: list[ExecutableLeaf],
    twice: list[ExecutableLeaf],
    asked: Plan,
) -> Witness:
    """`today`: leaves that are read as they are, `twice`: those that are read more than once by a query with groups."""
    reasons = [reason_of(kind) for kind in followed.kinds if kind != "aggregate"]
    reasons += [f"all of {one.alias or one.name} decides: {one.whole}" for one in sources if one.whole]
    reasons += [
        f"{leaf.name or leaf.location or leaf.kind} is read as it is now: nothing tells whether that is what was read then"
        for leaf in today
    ]
    reasons += [
        f"{leaf.name or leaf.location} is read more than once: the rows suffice where each reading has its own, and together may be parts of other groups, or leave a LIMIT no room"
        for leaf in twice
    ]
    reasons += [
        f"column {name} is a variant, and is not compared: rows that differ only there are meant, too"
        for name in followed.uncompared
    ]
    if followed.near:
        reasons.append(
            "its doubles are not given again to the last bit, and several rows are as near to them: those of each are named"
        )
    reasons += [*asked.reasons, *asked.lacking]
    if not followed.deterministic:
        reasons.append(
            "the plan does not have to give the same rows each time (rand, LIMIT, rows equal in the order of a window, a function of somebody's own)"
        )
    if followed.chooses:
        reasons.append(
            "which rows go into a row is chosen, by chance, an order that is not total or a function of somebody's own, and may be chosen in another "
            "way each time: those of then may be others"
        )
    completeness: Completeness = "deciding" if _DECIDING & {*followed.kinds} else "superset" if reasons else "exact"
    unknown = [one for one in sources if any(row.kind == "values" for row in one.rows)]
    reasons += [f"equal rows of {one.alias or one.name} are told once: they cannot be counted" for one in unknown]
    if followed.missing:
        reasons.append(f"{followed.missing} of the {followed.targets} rows are not given again by the plan")
    if followed.lost:
        reasons.append(f"{followed.lost} groups were not found again: a value that they are known by is not the same each time")
    if any(one.count > sum(row.multiplicity for row in one.rows) for one in sources):
        completeness = "truncated"
        reasons.append("more rows were found than are told: `count` says how many")
    if followed.missing or followed.lost or followed.chooses or unknown or today or asked.lacking:
        completeness = "partial"
    return Witness(
        sources=sources,
        completeness=completeness,
        reasons=tuple(reasons),
        queries=followed.queries,
        rows_read=followed.rows_read,
    )
