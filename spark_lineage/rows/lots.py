"""Many rows of a plan at once, each followed to rows of the leaves of its own: what a sample is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from .bridge_sources import TRACER
from .tracing import MOST, TAG, product

PARTS = ("file", "position", "row_id", "h0", "h1")
"""Of an identity, as `identified` tells it."""


@dataclass
class Apart:
    """What many rows were followed to, each by its number.

    `rows`, by number of leaf: frames with the columns `tag`, those of the identity and its `kind`, and `n`, how many there are of that row; at most as
    many of each as were asked for. `wholes`: by number the leaves all of whose rows decide, with the reason. `kinds`: what was met on its way. `given`: the rows that the
    plan gives again, `lost`: those on whose way a group was not found again.
    """

    rows: dict[int, DataFrame]
    wholes: Mapping[int, dict[int, str]]
    kinds: Mapping[int, tuple[str, ...]]
    given: frozenset[int]
    lost: frozenset[int]
    deterministic: bool
    queries: int
    lot: Any = field(repr=False)

    def counts(self) -> dict[int, dict[int, Count]]:
        """By leaf and number how many rows were found. What is asked for then is computed once, until `close`."""
        found: dict[int, dict[int, Count]] = {}
        for leaf, frame in self.rows.items():
            told = (
                frame.persist()
                .groupBy("tag")
                .agg(F.max("n").alias("n"), F.count(F.lit(1)).alias("told"), F.min("kind").alias("kind"))
            )
            found[leaf] = {row["tag"]: Count(row["n"], row["told"], row["kind"]) for row in told.collect()}
        return found

    def close(self) -> None:
        """Lets go of what is kept in memory and on disk: `rows` are of no use afterwards."""
        for frame in self.rows.values():
            frame.unpersist()
        self.lot.close()


class Count(NamedTuple):
    """How many rows of a source there are of a row, how many of these are told, and what they are known by."""

    rows: int
    told: int
    kind: str


def follow_apart(plan: DataFrame, targets: DataFrame, *, per_row: int, fixed: bool = False, most: int = MOST) -> Apart:
    """Rows of a frame whose leaves are `identified`, each to its rows of these. `targets` has the rows' numbers, and then their columns."""
    lot = _lot(plan, most, fixed)
    try:
        lot.follow(product(plan, targets.drop(TAG), targets)._jdf.queryExecution().analyzed())
        session = plan.sparkSession
        return Apart(
            rows={
                int(number): _bounded([DataFrame(frame, session) for frame in lot.frames(number)], per_row)
                for number in lot.leaves()
            },
            wholes=_by_row({int(leaf): (str(why), lot.wholes(leaf)) for leaf, why in dict(lot.reasons()).items()}),
            kinds={tag: tuple(each) for tag, each in _by_row({str(k): ("", lot.kind(k)) for k in lot.kinds()}).items()},
            given=frozenset(_numbers(lot.given())),
            lost=frozenset(_numbers(lot.lost())),
            deterministic=bool(lot.isDeterministic()),
            queries=int(lot.queries()),
            lot=lot,
        )
    except BaseException:
        lot.close()
        raise


def _lot(plan: DataFrame, most: int, fixed: bool) -> Any:
    gateway: Any = plan.sparkSession.sparkContext._gateway
    values = (plan.sparkSession._jsparkSession, most, fixed)
    arguments = gateway.new_array(gateway.jvm.java.lang.Object, len(values))
    for number, value in enumerate(values):
        arguments[number] = value
    made = TRACER.load(gateway).getClassLoader().loadClass(f"{TRACER.package}.Lot")
    return made.getConstructors()[0].newInstance(arguments)


def _numbers(text: str) -> list[int]:
    return [int(one) for one in str(text).split()]


def _by_row(told: Mapping[Any, tuple[str, str]]) -> dict[int, dict[Any, str]]:
    result: dict[int, dict[Any, str]] = {}
    for what, (why, numbers) in told.items():
        for tag in _numbers(numbers):
            result.setdefault(tag, {})[what] = why
    return result


def _bounded(frames: list[DataFrame], per_row: int) -> DataFrame:
    """Of each number its first distinct identities, and how many there are."""
    each = [frame.select(F.col(TAG).alias("tag"), *(F.col(f"row.id.{name}").alias(name) for name in PARTS)) for frame in frames]
    distinct = reduce(DataFrame.unionAll, each).distinct()
    counts = distinct.groupBy("tag").agg(F.count(F.lit(1)).alias("n"))
    order = Window.partitionBy("tag").orderBy(F.xxhash64(*PARTS), *PARTS)
    first = distinct.withColumn("place", F.row_number().over(order)).where(F.col("place") <= per_row).drop("place")
    return first.join(counts, "tag").withColumn("kind", _kind())


def _kind() -> Column:
    return (
        F.when(F.col("row_id").isNotNull(), "row_id")
        .when(F.col("position").isNotNull(), "file_row")
        .when(F.col("h0").isNotNull(), "fingerprint")
        .otherwise("values")
    )
