"""Samples of rows that jobs wrote, with the source rows that made each: chosen from the written version, traced together, and kept.

The job itself does nothing. Rows are chosen by a hash of their key, so that anybody chooses the same; their recorded plan is followed for all of
them at once (`lots.py`), and ids of source rows are stored, never their values.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any
from uuid import uuid4

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType, StructField, StructType

from ..errors import LineageError, TraceError
from ..model import ExecutableLeaf, RowSample
from ..replay.executables import find, restore
from ..replay.plans import CHANGES, Plan
from ..sample_marks import bound_of, fraction_of, is_hashed
from ..snapshot.delta import absolute, commit_actions, identity_of
from ..snapshot.kinds import columns_of
from ..snapshot.recorded_versions import locations
from ..snapshot.spark import by_names, of_fixed_length, quoted, row_hashes
from ..snapshot.with_spark import frame_of_files, metadata_of, storable
from ..store.tables import Store
from .accepted import accept, recorded
from .bridge_sources import TRACER
from .due import Due
from .equality import uncompared, ways_of, with_empty
from .identity import identified, in_session
from .kept import Keeping
from .listings import held
from .local import collected, local_frame
from .lots import Apart, Count, follow_apart
from .origins import plans_for
from .tracing import (
    HASHES,
    TAG,
    Followed,
    check_identity,
    first_of,
    given_by,
    is_fixed,
    is_limited,
    labelled,
    numbers_given,
    pairs,
    read_today,
    read_twice,
    source_of,
    text_of,
    times_of,
)
from .witness import Completeness, worse

log = logging.getLogger(__name__)

AT_ONCE = 20_000
"""So many rows are followed together: the plan is run for all of them once."""
_HASH, _ROW, _TWICE = "__lineage_hash", "__lineage_row", "__lineage_twice"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """`executables`, `key`: as the options `executables.store` and `executables.key`."""

    executables: str = ""
    key: str = ""


@dataclass(frozen=True)
class _Chosen:
    """Rows of a version without their identity, each with the hash of its key and that of the whole row; and what the choice came to.

    `twice`: the numbers of those that the version before has, too.
    """

    schema: StructType
    rows: tuple[tuple[Any, ...], ...]
    keys: tuple[int, ...]
    hashes: tuple[bytes, ...]
    key: tuple[str, ...]
    fraction: float
    twice: frozenset[int]
    partitioned: tuple[str, ...]


def take_samples(
    spark: SparkSession, store: Store, wanted: Iterable[Due], limits: Limits, told: Told = lambda text: None
) -> Iterator[RowSample]:
    """Takes the samples, one after the other; of which none could be taken is recorded with the reason. Raises StoreError and its kinds."""
    places = locations(store)
    for one in wanted:
        told(f"version {one.version} of {one.alias or one.name}")
        started = time.monotonic()
        sample = RowSample(
            namespace=one.namespace, name=one.name, table_id=one.table_id, delta_version=one.version, execution_id=one.execution_id,
            fraction=one.sample.fraction, per_row=one.sample.per_row, sample_id=uuid4().hex, rows_written=one.rows_written,
            taken_at=datetime.now(UTC), event_date=one.event_date,
        )  # fmt: skip
        before = recorded(store, sample)
        try:
            sample = _taken(spark, store, one, places.get((one.namespace, one.name)), limits, sample)
        except (LineageError, PySparkException, Py4JError) as error:
            log.warning("no sample of the rows of version %d of %s: %s", one.version, one.alias or one.name, text_of(error))
            sample = replace(sample, reason=storable(error))
        sample = replace(sample, seconds=round(time.monotonic() - started, 3))
        yield accept(store, sample, before)


def _taken(spark: SparkSession, store: Store, one: Due, place: str | None, limits: Limits, sample: RowSample) -> RowSample:
    if place is None:
        raise TraceError("it is recorded without a place where it lies")
    there = identity_of(absolute(place), one.version)
    if there is not None and there[0] != one.table_id:
        raise TraceError(
            f"{place} is another table now ({there[0]}, not {one.table_id}): what was written is gone with the old one"
        )
    found = find(store.location, one.execution_id, executables=limits.executables, key=limits.key)
    plans = _Plans(spark, plans_for(store, found, place, limits.executables, limits.key))
    chosen = _chosen(spark, one, place, plans)
    if not chosen.rows:
        return replace(sample, key=chosen.key, fraction=chosen.fraction, rows_chosen=0, witness_rows=0)
    if chosen.fraction < one.sample.fraction:
        log.info("of %s a share of %.2g of the rows is sampled: more would be over rows.max", one.name, chosen.fraction)
    lot = _Traced(store, one, str(sample.sample_id), plans, chosen)
    lot.follow()
    return replace(
        sample, key=chosen.key, fraction=chosen.fraction, rows_chosen=len(chosen.rows), witness_rows=lot.stored,
        rows_exact=lot.labels["exact"], rows_superset=lot.labels["superset"], rows_partial=lot.labels["partial"],
        rows_truncated=lot.labels["truncated"], reasons=tuple(lot.reasons) or None,
    )  # fmt: skip


class _Plans:
    """The plans of an execution, restored when they are asked for, on leaves whose rows have their identity."""

    def __init__(self, spark: SparkSession, plans: Sequence[Plan]) -> None:
        found = plans[0].found
        self.spark, self.found = spark, found
        self._of = plans
        self.count = len(plans)
        self.leaves: dict[int, ExecutableLeaf] = {}
        for leaf in found.executable.leaves:
            check_identity(leaf)
            self.leaves.setdefault(first_of(leaf, found.executable.leaves), leaf)
        self.read: dict[int, DataFrame] = {}
        self._plans: dict[int, DataFrame] = {}
        self._limited: dict[int, bool] = {}

    def plan(self, part: int) -> DataFrame:
        if part not in self._plans:
            asked = self._of[part]
            self._plans[part] = restore(self.spark, self.found, part=asked.part, leaf_rows=self._rows_of, gives=asked.gives)
        return self._plans[part]

    def _rows_of(self, leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
        number = first_of(leaf, self.found.executable.leaves)
        self.read[number] = identified(rows, number)
        return self.read[number]

    def is_limited(self, part: int) -> bool:
        if part not in self._limited:
            self._limited[part] = is_limited(self.plan(part))
        return self._limited[part]

    def grouped(self) -> tuple[str, ...]:
        """The columns that the plan groups by at its top; none of several plans, or where it does not group."""
        if self.count > 1:
            return ()
        plan = self.plan(0)
        groups = TRACER.new(self.spark.sparkContext._gateway, "Groups")
        return tuple(plan.columns[int(at)] for at in groups.positions(plan._jdf.queryExecution().analyzed()))

    def fixed(self, part: int) -> bool:
        """Whether what was written is all of the plan's, on the very rows that are read now: not so of a command that wrote rows again that were there."""
        return self._of[part].fixed and all(map(is_fixed, self.found.executable.leaves))

    def of(self, part: int) -> Plan:
        return self._of[part]


def _chosen(spark: SparkSession, one: Due, place: str, plans: _Plans) -> _Chosen:
    """The rows of the version's own files whose hash is low enough: so many at most, those with the lowest."""
    most = one.most
    version = spark.read.format("delta").option("versionAsOf", one.version).load(place)
    columns = version.columns
    actions = commit_actions(place, one.version)
    if actions is None:
        raise TraceError(f"the log does not tell any more which files version {one.version} added")
    again = {action["remove"]["path"] for action in actions if action.get("remove")}  # with another deletion vector
    added = [action["add"]["path"] for action in actions if action.get("add")]
    frame = frame_of_files(version, place, [path for path in added if path not in again])
    marked = one.sample.column if one.sample.column in columns else None
    key = _key(version, columns, one.sample.key, () if marked else plans.grouped(), marked)
    hashed = F.col(quoted(marked)) if marked else F.xxhash64(*(F.col(quoted(name)) for name in key))
    h0, h1 = row_hashes(columns_of(version.schema.jsonValue()))
    whole = F.concat(F.unhex(F.lpad(F.hex(h0), 16, "0")), F.unhex(F.lpad(F.hex(h1), 16, "0")))
    rows = frame.select(
        *(F.col(quoted(name)) for name in columns), F.lit(False).alias(_TWICE), hashed.alias(_HASH), whole.alias(_ROW)
    )
    if marked:
        rows = rows.where(F.col(_HASH).isNotNull())
    elif one.sample.fraction < 1:
        rows = rows.where(F.col(_HASH) < F.lit(bound_of(one.sample.fraction)))
    if one.write_mode in CHANGES:
        before = spark.read.format("delta").option("versionAsOf", one.version - 1).load(place)
        rows = _made(rows, before, plans, whole)
    found = collected(rows.orderBy(_HASH, _ROW).limit(most + 1))
    fraction = one.sample.fraction
    if len(found) > most:
        bound = found[most][_HASH]
        found, fraction = [row for row in found if row[_HASH] < bound], fraction_of(bound)
        if not found:
            raise TraceError(
                f"more than {most} rows have the same {', '.join(key)}: name more columns as the key, or raise rows.max"
            )
    distinct = {bytes(row[_ROW]): row for row in found}
    return _Chosen(
        schema=version.schema, rows=tuple(tuple(row)[:-3] for row in distinct.values()),
        keys=tuple(int(row[_HASH]) for row in distinct.values()), hashes=tuple(distinct), key=key, fraction=fraction,
        twice=frozenset(number for number, row in enumerate(distinct.values()) if row[_TWICE]),
        partitioned=metadata_of(version, place)[1],
    )  # fmt: skip


def _made(rows: DataFrame, before: DataFrame, plans: _Plans, whole: Column) -> DataFrame:
    """Of the rows of files that an UPDATE or MERGE wrote those that it made: which the version before has not, or its plan gives. Of the latter
    it is said that they are there twice; all others it wrote again as they were."""
    schema = StructType([field for field in rows.schema if field.name not in (_TWICE, _HASH, _ROW)])
    there = as_columns(before, schema).select(whole.alias(_ROW)).distinct()
    made = [as_columns(plans.plan(part), schema).select(whole.alias(_ROW)) for part in range(plans.count)]
    session = made[0].sparkSession  # its settings are those that the command ran under
    rows, there = in_session(rows, session), in_session(there, session)
    given = reduce(DataFrame.unionAll, made)
    twice = rows.join(there, _ROW, "left_semi").join(given, _ROW, "left_semi").withColumn(_TWICE, F.lit(True))
    return rows.join(there, _ROW, "left_anti").select(rows.columns).unionAll(twice.select(rows.columns))


def as_columns(rows: DataFrame, schema: StructType) -> DataFrame:
    """With the columns of a table: by name, or by position as `pairs` has it; null where it has none."""
    named = rows.toDF(*(f"c{at}" for at in range(len(rows.columns))))
    places = {t: c for c, t in pairs(rows.columns, schema.names)}
    columns = []
    for at, field in enumerate(schema):
        value = F.lit(None).cast(field.dataType) if at not in places else F.col(f"c{places[at]}")
        if at in places and (given := named.schema[places[at]].dataType) != field.dataType:
            value = by_names(value, given, field.dataType).try_cast(field.dataType)
        columns.append(of_fixed_length(value, field).alias(field.name))
    return named.select(columns)


def _key(
    frame: DataFrame, columns: list[str], declared: tuple[str, ...], grouped: tuple[str, ...], marked: str | None
) -> tuple[str, ...]:
    """The names as the table has them: the declared ones, else those that are grouped by, else all that can be hashed."""
    known = {name.lower(): name for name in columns if is_hashed(frame.schema[name].dataType.simpleString()) and name != marked}
    for names in (declared, grouped):
        if names and all(name.lower() in known for name in names):
            return tuple(known[name.lower()] for name in names)
    if not known:
        raise TraceError("it has no column whose values can be hashed")
    return tuple(known.values())


class _Traced:
    """The rows that were chosen, followed through the execution's plan, and what is stored of them."""

    def __init__(self, store: Store, one: Due, sample_id: str, plans: _Plans, chosen: _Chosen) -> None:
        self._store, self._one, self._sample_id, self._plans, self._chosen = store, one, sample_id, plans, chosen
        self._listed = held(plans.spark, store, plans.found)
        self.labels: Counter[str] = Counter()
        self.reasons: dict[str, None] = dict.fromkeys(self._listed.doubts)
        self.stored = 0
        self._given: Counter[int] = Counter()

    def follow(self) -> None:
        """Some thousands at once: through the plan, or through each where the execution has several, what the earlier ones do not give."""
        count = len(self._chosen.rows)
        chosen = self._chosen
        with Keeping(self._store, self._one, self._sample_id, chosen.fraction, chosen.hashes, chosen.keys) as keeping:
            for start in range(0, count, AT_ONCE):
                self._follow(keeping, list(range(start, min(start + AT_ONCE, count))))
        self.stored = keeping.rows

    def _follow(self, keeping: Keeping, left: list[int]) -> None:
        self._given = self._given_by(left) if self._plans.count > 1 else Counter()
        ways = [(part, near) for near in ways_of(self._chosen.schema) for part in range(self._plans.count)]
        for part, near in ways:
            told = self._followed(part, left, near)
            try:
                there = [tag for tag in left if tag in told.given]
                self._keep(keeping, told, left if (part, near) == ways[-1] else there, part, near)
                left = [tag for tag in left if tag not in told.given]
            finally:
                told.close()
            if not left:
                return

    def _given_by(self, tags: list[int]) -> Counter[int]:
        """By number of a row: how many of the plans give it."""
        numbered = self._targets(tags)
        count = Counter[int]()
        for part in range(self._plans.count):
            try:
                count.update(numbers_given(self._plans.plan(part), numbered))
            except (LineageError, PySparkException, Py4JError):  # what cannot be asked may give each of them
                count.update(tags)
        return count

    def _targets(self, tags: list[int]) -> DataFrame:
        rows = [self._chosen.rows[tag] for tag in tags]
        schema = with_empty(self._chosen.schema, rows, lambda: self._chosen.partitioned)
        numbered = StructType([StructField(TAG, LongType()), *schema])
        return local_frame(self._plans.spark, [(tag, *row) for tag, row in zip(tags, rows, strict=True)], numbered)

    def _followed(self, part: int, tags: list[int], near: bool) -> Apart:
        plan, targets = self._plans.plan(part), self._targets(tags)
        return follow_apart(plan, targets, per_row=self._one.sample.per_row, fixed=self._plans.fixed(part), near=near)

    def _keep(self, keeping: Keeping, told: Apart, tags: list[int], part: int, near: bool) -> None:
        """Labels each row as a trace of it alone would be, and stores what was found of it."""
        counts = {leaf: rows.counts() for leaf, rows in told.rows.items()}
        labels: dict[int, Completeness] = {}
        for tag in tags:
            of_leaves = {leaf: found[tag] for leaf, found in counts.items() if tag in found}
            labels[tag] = self._label(tag, told, of_leaves, part, near)
        self.labels.update(labels.values())
        for leaf, found in counts.items():
            source = source_of(self._plans.leaves[leaf], (), 0, None)
            there = {tag: count.told for tag, count in found.items() if tag in labels}
            keeping.found(source, told.rows[leaf], there, labels, partial(self._times, leaf))
        for tag in tags:
            for leaf in told.wholes.get(tag, {}):
                keeping.whole(source_of(self._plans.leaves[leaf], (), 0, None), tag, labels[tag])
            if not told.wholes.get(tag) and not any(tag in found for found in counts.values()):
                keeping.nothing(tag, labels[tag])

    def _times(self, leaf: int, table: pa.Table) -> pa.Array:
        """How often each row is in its source, of those that are known by their content alone."""
        hashes = list(zip(table.column("h0").to_pylist(), table.column("h1").to_pylist(), strict=True))
        read = self._plans.read[leaf]
        wanted = local_frame(read.sparkSession, [one for one in set(hashes) if one[0] is not None], HASHES)
        times = {(row["w0"], row["w1"]): int(row["n"]) for row in times_of(read, leaf, F.broadcast(wanted)).collect()}
        return pa.array([times.get(one) for one in hashes], pa.int64())

    def _label(self, tag: int, told: Apart, found: Mapping[int, Count], part: int, near: bool) -> Completeness:
        executable = self._plans.found.executable
        wholes, kinds = told.wholes.get(tag, {}), told.kinds.get(tag, ())
        followed = Followed(
            rows={}, wholes=wholes, kinds=kinds, queries=0, targets=1, missing=int(tag not in told.given), lost=int(tag in told.lost),
            deterministic=told.deterministic, chooses=told.chooses, uncompared=uncompared(self._chosen.schema), near=near and tag in told.several,
        )  # fmt: skip
        witness = labelled(
            followed,
            tuple(source_of(self._plans.leaves[leaf], (), 0, wholes[leaf]) for leaf in sorted(wholes)),
            read_today(self._plans.leaves.values(), self._listed.known),
            read_twice(executable.leaves, self._plans.leaves, kinds, partial(self._plans.is_limited, part)),
            self._plans.of(part),
        )
        completeness = worse(witness.completeness, "partial" if self._listed.doubts else "exact")
        reasons = list(witness.reasons)
        if self._given[tag] > 1:
            completeness = worse(completeness, "partial")
            reasons.append(given_by(self._given[tag]))
        if tag in self._chosen.twice:
            completeness = worse(completeness, "superset")
            reasons.append(
                f"version {self._one.version - 1} has rows that are equal to some that {self._one.write_mode.upper()} made: which of the two "
                "such a row is is not known"
            )
        for leaf, count in found.items():
            if count.kind == "values":
                completeness = worse(completeness, "partial")
                reasons.append(
                    f"rows of {self._plans.leaves[leaf].name or self._plans.leaves[leaf].location} have nothing that they could be known by"
                )
            elif count.rows > count.told:
                completeness = worse(completeness, "truncated")
        self.reasons.update(dict.fromkeys(reasons))
        return completeness
