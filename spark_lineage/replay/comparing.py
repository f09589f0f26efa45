"""Rows that were written held against those of a replay: by checksums first, and where these differ, row by row.

Both sides are sums of frames, some of which are taken away (of an UPDATE that ran beside appends, say): checksums are sums, and so are counts of
equal rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce

from pyspark import StorageLevel
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import ArrayType, DataType, IntegerType, MapType, StructType, VariantType

from ..snapshot.kinds import Column, columns_of
from ..snapshot.spark import quoted, row_hashes, sums_of_frame
from ..snapshot.sums import Sums
from .near import has_floats, is_near, paired, plain, without_floats
from .verdict import Changed, Difference, Values

MOST = 10_000
"""So many rows that differ come to the driver, to be shown in pairs; of more only a sample does."""
_GROUP = 1_000
"""So many rows, equal but for floats, are paired with each other in the driver where their order does not pair them."""


@dataclass(frozen=True)
class Term:
    """Rows that count, or, with the sign -1, that are taken away."""

    frame: DataFrame
    sign: int = 1


def sums_of(terms: Sequence[Term], columns: tuple[Column, ...]) -> Sums:
    """Each frame is read once."""
    whole = Sums(0, 0, 0)
    for term in terms:
        found = sums_of_frame(term.frame, columns)
        whole = whole + found if term.sign > 0 else whole - found
    return whole


def difference(
    recorded: Sequence[Term],
    replayed: Sequence[Term],
    schema: StructType,
    volatile: Sequence[str],
    tolerance: float,
    sample: int,
) -> Difference:
    """All frames have the columns of the schema, in its order. Each is read once; equal rows cancel."""
    compared = StructType([field for field in schema if field.name not in volatile])
    with _differing(recorded, replayed, compared) as differing, _left(differing, compared, tolerance) as (left, within, near):
        counts = left.agg(F.sum(_when(left, -1)).alias("missing"), F.sum(_when(left, 1)).alias("unexpected")).first()
        assert counts is not None
        missing, unexpected = int(counts["missing"] or 0), int(counts["unexpected"] or 0)
        names = tuple(field.name for field in compared)
        told = Difference(columns=names, missing=missing, unexpected=unexpected, within=within)
        if not missing + unexpected:
            return replace(told, differing=near)
        if missing + unexpected > MOST:
            return _of_many(told, left, compared, sample)
        rows = left.select("n", "row").collect()
        return _of_few(told, rows, compared, sample)


@contextmanager
def _differing(recorded: Sequence[Term], replayed: Sequence[Term], compared: StructType) -> Iterator[DataFrame]:
    """`row` and `n`: how many times more the replay gives it (negative: less)."""
    kinds = columns_of(compared.jsonValue())
    hashed = [_hashed(term.frame, compared, kinds, term.sign) for term in replayed]
    hashed += [_hashed(term.frame, compared, kinds, -term.sign) for term in recorded]
    sides = reduce(DataFrame.unionAll, hashed)
    found = sides.groupBy("h0", "h1").agg(F.sum("n").alias("n"), F.first("row").alias("row")).where("n <> 0")
    with _kept(found.select("n", "row")) as differing:
        yield differing


def _hashed(frame: DataFrame, compared: StructType, kinds: tuple[Column, ...], sign: int) -> DataFrame:
    values = [F.col(quoted(field.name)).alias(f"c{at}") for at, field in enumerate(compared)]
    return frame.select(*row_hashes(kinds), F.struct(*values, F.lit(True).alias("row")).alias("row"), F.lit(sign).alias("n"))


@contextmanager
def _kept(frame: DataFrame) -> Iterator[DataFrame]:
    """Computed once, on disk, for as long as it is asked."""
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        yield frame
    finally:
        frame.unpersist()


def _when(frame: DataFrame, sign: int) -> SparkColumn:
    return F.when(F.col("n") * F.lit(sign) > 0, F.abs(F.col("n"))).otherwise(F.lit(0))


@contextmanager
def _left(differing: DataFrame, compared: StructType, tolerance: float) -> Iterator[tuple[DataFrame, int, tuple[str, ...]]]:
    """What is no pair of rows within the tolerance, how many such pairs there are, and in which columns they differ."""
    if not tolerance or not any(has_floats(field.dataType) for field in compared):
        yield differing, 0, ()
        return
    with _kept(_side_by_side(differing, compared, tolerance)) as pairs:
        within, names = _near(pairs, compared)
        failed = pairs.where("NOT near")
        groups = (
            failed.groupBy("e0", "e1").agg(F.count("there").alias("m"), F.count("here").alias("u")).where("m > 0 AND u > 0")
        )
        again = pairs.join(groups.select("e0", "e1"), ["e0", "e1"], "left_semi").limit(MOST + 1).collect()
        if not again or len(again) > MOST:
            yield _one_by_one(failed), within, names
            return
        fitted, rows = _matched(again, compared, tolerance)
        within += fitted - sum(row["near"] for row in again)
        rest = failed.join(groups.select("e0", "e1"), ["e0", "e1"], "left_anti")
        schema = StructType().add("n", IntegerType()).add("row", differing.schema["row"].dataType)
        spark = differing.sparkSession
        yield _one_by_one(rest).unionByName(spark.createDataFrame(rows, schema)), within, names


def _near(pairs: DataFrame, compared: StructType) -> tuple[int, tuple[str, ...]]:
    floats = [at for at, field in enumerate(compared) if has_floats(field.dataType)]
    unlike = [
        F.max(F.expr(f"CAST(there.c{at} AS STRING) IS DISTINCT FROM CAST(here.c{at} AS STRING)")).alias(f"d{at}")
        for at in floats
    ]
    found = pairs.where("near").agg(F.count(F.lit(1)).alias("n"), *unlike).first()
    assert found is not None
    return int(found["n"]), tuple(compared[at].name for at in floats if found[f"d{at}"])


def _side_by_side(differing: DataFrame, compared: StructType, tolerance: float) -> DataFrame:
    """Rows that are equal but for floats, in the order of these: `there` (written), `here` (of the replay), either of which may be null."""
    floats = [(at, field.dataType) for at, field in enumerate(compared) if has_floats(field.dataType)]
    exact = [
        without_floats(F.col(f"row.c{at}"), field.dataType).alias(f"x{at}")
        for at, field in enumerate(compared)
    ]  # fmt: skip
    blank = differing.select("n", "row", *exact)
    kinds = columns_of(StructType([field for field in blank.schema if field.name not in ("n", "row")]).jsonValue())
    one, other = (hashed.alias(f"e{lane}") for lane, hashed in enumerate(row_hashes(kinds)))
    times = F.explode(F.sequence(F.lit(1).cast("bigint"), F.abs(F.col("n")))).alias("time")
    each = blank.select("n", "row", one, other, times)
    order = [F.col(f"row.c{at}") for at, data_type in floats if _has_order(data_type)] or [F.lit(1)]
    sign = F.col("n") > 0
    ranked = each.withColumn("at", F.row_number().over(Window.partitionBy("e0", "e1", sign).orderBy(*order)))
    there = ranked.where("n < 0").select("e0", "e1", "at", F.col("row").alias("there"))
    here = ranked.where("n > 0").select("e0", "e1", "at", F.col("row").alias("here"))
    fits = F.col("there").isNotNull() & F.col("here").isNotNull()
    for at, data_type in floats:
        fits = fits & is_near(F.col(f"there.c{at}"), F.col(f"here.c{at}"), data_type, tolerance)
    return there.join(here, ["e0", "e1", "at"], "full_outer").withColumn("near", F.coalesce(fits, F.lit(False)))


def _has_order(data_type: DataType) -> bool:
    if isinstance(data_type, StructType):
        return all(_has_order(field.dataType) for field in data_type)
    if isinstance(data_type, ArrayType):
        return _has_order(data_type.elementType)
    return not isinstance(data_type, (MapType, VariantType))


def _one_by_one(failed: DataFrame) -> DataFrame:
    written = failed.where("there IS NOT NULL").select(F.lit(-1).alias("n"), F.col("there").alias("row"))
    return written.unionByName(failed.where("here IS NOT NULL").select(F.lit(1).alias("n"), F.col("here").alias("row")))


def _matched(rows: Sequence[Row], compared: StructType, tolerance: float) -> tuple[int, list[tuple[int, Row]]]:
    """Of rows that their order does not pair: how many pairs there are all the same, and what is left."""
    data_type = StructType()
    for at, field in enumerate(compared):
        if has_floats(field.dataType):
            data_type = data_type.add(f"c{at}", field.dataType)
    groups: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["e0"], row["e1"]].append(row)
    pairs, left = 0, list[tuple[int, Row]]()
    for group in groups.values():
        there = [row["there"] for row in group if row["there"] is not None]
        here = [row["here"] for row in group if row["here"] is not None]
        if len(group) > _GROUP:
            found = {at: at for at, row in enumerate(group) if row["near"]}
            there, here = [row["there"] for row in group], [row["here"] for row in group]
        else:
            found = paired(there, here, data_type, tolerance)
        pairs += len(found)
        met = set(found.values())
        left += [(-1, row) for at, row in enumerate(there) if at not in found and row is not None]
        left += [(1, row) for at, row in enumerate(here) if at not in met and row is not None]
    return pairs, left


def _of_many(told: Difference, left: DataFrame, compared: StructType, sample: int) -> Difference:
    """The columns by the sums of their hashes, where as many rows are missing as there are unexpected ones."""
    differing: tuple[str, ...] = ()
    if told.missing == told.unexpected:
        sums = []
        for at, field in enumerate(compared):
            kinds = columns_of(StructType().add("value", field.dataType).jsonValue())
            left = left.withColumn("value", F.col(f"row.c{at}"))
            left = left.withColumn(f"h{at}", row_hashes(kinds)[0].cast("decimal(20,0)") * F.col("n")).drop("value")
            sums.append(F.sum(f"h{at}").alias(f"s{at}"))
        found = left.agg(*sums).first()
        assert found is not None
        differing = tuple(field.name for at, field in enumerate(compared) if found[f"s{at}"] != 0)
    chosen = {sign: left.where(F.col("n") * sign > 0).select("row").limit(sample).collect() for sign in (-1, 1)}
    return Difference(
        columns=told.columns, missing=told.missing, unexpected=told.unexpected, within=told.within, differing=differing,
        sample_missing=tuple(_values(row["row"]) for row in chosen[-1]),
        sample_unexpected=tuple(_values(row["row"]) for row in chosen[1]),
    )  # fmt: skip


def _of_few(told: Difference, rows: Sequence[Row], compared: StructType, sample: int) -> Difference:
    written = [_values(row["row"]) for row in rows for _ in range(-row["n"])]
    given = [_values(row["row"]) for row in rows for _ in range(row["n"])]
    pairs, written, given = pairs_of(written, given)
    at_all = sorted({at for one, other in pairs for at in _unequal(one, other)})
    if not pairs and len(written) == len(given):
        at_all = _unlike(written, given)
    changed = tuple(
        Changed(recorded=one, replayed=other, columns=tuple(told.columns[at] for at in _unequal(one, other)))
        for one, other in sorted(pairs, key=repr)[:sample]
    )
    return Difference(
        columns=told.columns, missing=told.missing, unexpected=told.unexpected, changed=len(pairs), within=told.within,
        differing=tuple(told.columns[at] for at in at_all), sample_changed=changed,
        sample_missing=tuple(sorted(written, key=repr)[:sample]), sample_unexpected=tuple(sorted(given, key=repr)[:sample]),
    )  # fmt: skip


Pair = tuple[Values, Values]


def pairs_of(written: list[Values], given: list[Values]) -> tuple[list[Pair], list[Values], list[Values]]:
    """Rows that may be each other's: equal but in the columns in which the two sides differ, or but in one. And what is left of each."""
    pairs: list[Pair] = []
    width = len((written or given or [()])[0])
    unlike = _unlike(written, given) if len(written) == len(given) else list(range(width))
    for left_out in ({*unlike}, *({at} for at in range(width))):
        if not written or not given or len(left_out) >= width:
            continue
        by_key: dict[str, list[Values]] = defaultdict(list)
        for row in given:
            by_key[_key(row, left_out)].append(row)
        rest = []
        for row in written:
            others = by_key[_key(row, left_out)]
            if others:
                pairs.append((row, others.pop()))
            else:
                rest.append(row)
        written, given = rest, [row for rows in by_key.values() for row in rows]
    if len(written) == len(given) == 1:
        pairs.append((written.pop(), given.pop()))
    return pairs, written, given


def _unlike(written: Sequence[Values], given: Sequence[Values]) -> list[int]:
    """The columns in which the two sides, as a whole, differ."""
    width = len((written or given or [()])[0])
    return [at for at in range(width) if Counter(repr(row[at]) for row in written) != Counter(repr(row[at]) for row in given)]


def _unequal(one: Values, other: Values) -> list[int]:
    return [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if repr(a) != repr(b)]


def _key(row: Values, left_out: set[int]) -> str:
    """Floats to nine digits: the last ones are not what tells rows apart."""
    told = (f"{value:.9g}" if isinstance(value, float) else repr(value) for at, value in enumerate(row) if at not in left_out)
    return "\0".join(told)


def _values(row: Row) -> Values:
    return tuple(plain(value) for name, value in row.asDict(recursive=False).items() if name != "row")
