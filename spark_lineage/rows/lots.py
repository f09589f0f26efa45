"""Many rows of a plan at once, each followed to rows of the leaves of its own: what a sample is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType, StructField, StructType
from pyspark.storagelevel import StorageLevel

from .bridge_sources import TRACER
from .identity import PARTS, highest, known_by, order_of
from .local import local_frame
from .tracing import MOST, TAG, product


class Count(NamedTuple):
    """How many rows of a source there are of a row, how many of these are told, and what they are known by."""

    rows: int
    told: int
    kind: str


@dataclass(frozen=True)
class Here:
    """Rows that were found of a leaf, in memory: a table with the columns `tag`, those of the identity and its `kind`, and `n`, how many there are of that
    row; at most as many of each as were asked for."""

    table: pa.Table

    def counts(self) -> dict[int, Count]:
        found = self.table.group_by("tag").aggregate([("n", "max"), ("tag", "count"), ("kind", "min")])
        return {row["tag"]: Count(row["n_max"], row["tag_count"], row["kind_min"]) for row in found.to_pylist()}

    def between(self, first: int, last: int) -> pa.Table:
        """Those of the rows with these numbers."""
        tags = self.table.column("tag")
        return self.table.filter(pc.and_(pc.greater_equal(tags, first), pc.less_equal(tags, last)))

    def close(self) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class InSpark:
    """The same as a frame, which is computed once, until `close`, and kept on disk: see Asking.java."""

    frame: DataFrame

    def counts(self) -> dict[int, Count]:
        by = self.frame.persist(StorageLevel.DISK_ONLY).groupBy("tag")
        found = by.agg(F.max("n").alias("n"), F.count(F.lit(1)).alias("told"), F.min("kind").alias("kind"))
        return {row["tag"]: Count(row["n"], row["told"], row["kind"]) for row in found.collect()}

    def between(self, first: int, last: int) -> pa.Table:
        return self.frame.where(F.col("tag").between(first, last)).select("tag", *PARTS, "kind", "n").toArrow()

    def close(self) -> None:
        self.frame.unpersist()


@dataclass
class Apart:
    """What many rows were followed to, each by its number.

    `rows`: what was found of each leaf. `wholes`: by number the leaves all of whose rows decide, with the reason. `kinds`: what was met on its way. `given`:
    the rows that the plan gives again, `several`: those that several of its rows are, `lost`: those on whose way a group was not found again.
    """

    rows: dict[int, Here | InSpark]
    wholes: Mapping[int, dict[int, str]]
    kinds: Mapping[int, tuple[str, ...]]
    given: frozenset[int]
    several: frozenset[int]
    lost: frozenset[int]
    deterministic: bool
    chooses: bool
    queries: int
    lot: Any = field(repr=False)

    def close(self) -> None:
        """Lets go of what is kept on disk: `rows` are of no use afterwards."""
        for one in self.rows.values():
            one.close()
        self.lot.close()


def follow_apart(
    plan: DataFrame, targets: DataFrame, *, per_row: int, fixed: bool = False, most: int = MOST, near: bool = False
) -> Apart:
    """Rows of a frame whose leaves are `identified`, each to its rows of these. `targets` has the rows' numbers, and then their columns. `near`: as
    `tracing.product` has it."""
    lot = _lot(plan, most, fixed)
    try:
        lot.follow(product(plan, targets.drop(TAG), targets, near)._jdf.queryExecution().analyzed())
        session = plan.sparkSession
        return Apart(
            rows={
                int(number): _told(
                    [DataFrame(frame, session) for frame in lot.frames(number)], bool(lot.isLocal(number)), per_row
                )
                for number in lot.leaves()
            },
            wholes=_wholes(lot),
            kinds={tag: tuple(each) for tag, each in _by_row({str(kind): lot.kind(kind) for kind in lot.kinds()}).items()},
            given=frozenset(_numbers(lot.given())),
            several=frozenset(_numbers(lot.several())),
            lost=frozenset(_numbers(lot.lost())),
            deterministic=bool(lot.isDeterministic()),
            chooses=bool(lot.chooses()),
            queries=int(lot.queries()),
            lot=lot,
        )
    except BaseException:
        lot.close()
        raise


def _lot(plan: DataFrame, most: int, fixed: bool) -> Any:
    session = plan.sparkSession
    return TRACER.new(session.sparkContext._gateway, "Lot", session._jsparkSession, most, fixed)


def _numbers(text: str) -> list[int]:
    return [int(one) for one in str(text).split()]


def _wholes(lot: Any) -> dict[int, dict[int, str]]:
    """Of each row the leaves that decide about it as a whole, with all reasons for that."""
    met = _by_row({(int(leaf), str(why)): lot.wholes(leaf, why) for leaf in lot.wholes() for why in lot.reasons(leaf)})
    return {
        tag: {leaf: "; ".join(why for other, why in each if other == leaf) for leaf in dict(each)} for tag, each in met.items()
    }


def _by_row(told: Mapping[Any, str]) -> dict[int, list[Any]]:
    result: dict[int, list[Any]] = {}
    for what, numbers in told.items():
        for tag in _numbers(numbers):
            result.setdefault(tag, []).append(what)
    return result


def _told(frames: list[DataFrame], local: bool, per_row: int) -> Here | InSpark:
    """Of each number its first distinct identities, and how many there are."""
    each = [frame.select(F.col(TAG).alias("tag"), *(F.col(f"row.id.{name}").alias(name) for name in PARTS)) for frame in frames]
    found = reduce(DataFrame.unionAll, each)
    if local:
        names = ["tag", *PARTS]
        distinct = found.withColumn("kind", _kind()).toArrow().group_by([*names, "kind"]).aggregate([])
        counts = {row["tag"]: row["tag_count"] for row in distinct.group_by("tag").aggregate([("tag", "count")]).to_pylist()}
        if max(counts.values(), default=0) <= per_row:
            n = pa.array([counts[tag] for tag in distinct.column("tag").to_pylist()], pa.int64())
            return Here(distinct.append_column("n", n).sort_by([(name, "ascending") for name in names]))
    return InSpark(_bounded(found, per_row))


def _bounded(found: DataFrame, per_row: int) -> DataFrame:
    """Counted by integers that rows are known by, of which many need little room; only rows that may be told are then told apart by all that is known."""
    one, two = known_by(F.col)
    distinct = found.select("tag", one.alias("one"), two.alias("two")).distinct()
    counts = [(row["tag"], row["count"]) for row in distinct.groupBy("tag").count().collect()]
    bounds = local_frame(found.sparkSession, [(tag, n, highest(n, per_row)) for tag, n in counts], _BOUNDS)
    near = found.join(F.broadcast(bounds), "tag").where(order_of(F.col) <= F.col("highest")).drop("highest").distinct()
    if any(n > per_row for _, n in counts):
        order = Window.partitionBy("tag").orderBy(order_of(F.col), *PARTS)
        near = near.withColumn("place", F.row_number().over(order)).where(F.col("place") <= per_row).drop("place")
    return near.withColumn("kind", _kind())


_BOUNDS = StructType([StructField(name, LongType()) for name in ("tag", "n", "highest")])


def _kind() -> Column:
    return (
        F.when(F.col("row_id").isNotNull(), "row_id")
        .when(F.col("position").isNotNull(), "file_row")
        .when(F.col("h0").isNotNull(), "fingerprint")
        .otherwise("values")
    )
