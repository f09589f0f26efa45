"""From a row of a table to the execution that wrote it, and on from there: hop by hop, back to what nobody recorded writing."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType, StringType, StructField, StructType, VariantType

from ..errors import ExecutableError, LineageError, NotFound, QueryError, SnapshotError, TraceError
from ..lineage.naming import DatasetKey
from ..model import ExecutableLeaf
from ..replay.executables import find, restore
from ..replay.plans import CHANGES, Plan
from ..snapshot.delta import absolute, resolved
from ..snapshot.delta_log import DeltaLog, read_log
from ..snapshot.spark import quoted
from ..snapshot.taking import place_of
from ..snapshot.with_spark import first_line_of_spark, local_place, metadata_of
from ..store.tables import Store, literal
from . import listings
from .equality import equal, has, with_empty
from .identity import PREFIX, identified
from .local import as_then, collected, local_frame
from .origins import plans_for
from .places import in_files
from .resolving import witness_of_sample
from .taken import OTHERS_FILES, TakenFrom, taken_from, was_there
from .tracing import TAG, check_identity, given_by, numbers_given, text_of, trace
from .witness import Completeness, Hop, Source, Witness, worse

_IDENTITY = f"{PREFIX}0"
_PLACE = StructType([StructField("__lineage_file", StringType()), StructField("__lineage_position", LongType())])
_EQUALS = 1_000
"""So many rows of the version before are followed that equal those that are looked for."""
Told = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """`depth`: how many hops at most. `rows`: how many rows of the table are traced. `limit`: how many rows of a source are told, and
    followed further. `deciding`: of groups and ranks only the rows that decided. `history`, `executions` are of forward traces: whether
    those are followed whose rows are gone from the newest version, and how many of those that read a dataset. `executables`, `key`: as the
    options `executables.store` and `executables.key`."""

    depth: int = 1
    rows: int = 10
    limit: int = 20
    deciding: bool = False
    history: bool = False
    executions: int = 50
    executables: str = ""
    key: str = ""


@dataclass(frozen=True)
class _Rows:
    """Rows of a version of a table: full ones, with their identity as the last column."""

    key: DatasetKey
    alias: str | None
    location: str
    version: int
    frame: DataFrame
    rows: tuple[Row, ...]
    depth: int


def trace_table(
    spark: SparkSession,
    store: Store,
    dataset: str,
    where: str,
    version: int | None = None,
    options: Options | None = None,
    told: Told = lambda text: None,
) -> Iterator[Hop]:
    """The hops, breadth first. Raises NotFound, Ambiguous, QueryError and TraceError for what is asked wrongly; what ends on the way
    is told in the hop."""
    options = options or Options()
    key, location = place_of(store, dataset)
    frame, version = version_of(spark, location, version)
    rows = _chosen(frame, where, options.rows, dataset, version)
    waiting = deque([_Rows(key, dataset, location, version, frame, rows, 1)])
    seen: set[tuple[DatasetKey, int, Any]] = set()
    log = cache(read_log)
    while waiting:
        one = waiting.popleft()
        new = tuple(row for row in one.rows if (one.key, one.version, tuple(row[_IDENTITY])) not in seen)
        seen |= {(one.key, one.version, tuple(row[_IDENTITY])) for row in new}
        for hop, next_rows in _hops(spark, store, replace(one, rows=new), options, told, log):
            yield hop
            waiting.extend(next_rows)


def version_of(spark: SparkSession, location: str, version: int | None) -> tuple[DataFrame, int]:
    """The rows of a version with their identity, the newest by default."""
    number = _newest(location) if version is None else version
    reader = as_then(spark).read.format("delta").option("versionAsOf", number)
    try:
        return identified(reader.load(location), 0), number
    except (PySparkException, Py4JJavaError) as error:
        raise TraceError(f"version {number} of {location} cannot be read: {first_line_of_spark(error)}") from error


def _newest(location: str) -> int:
    try:
        return read_log(location, []).newest
    except SnapshotError as error:
        raise TraceError(
            f"{location} cannot be traced: {error}. Rows are traced in Delta tables: only these tell which version wrote a row"
        ) from error


def _chosen(frame: DataFrame, where: str, rows: int, dataset: str, version: int) -> tuple[Row, ...]:
    try:
        found = collected(frame.where(where).limit(rows + 1))
    except (PySparkException, Py4JJavaError) as error:
        raise QueryError(f"the condition {where!r} cannot be asked of {dataset}: {first_line_of_spark(error)}") from error
    if not found:
        raise NotFound(f"version {version} of {dataset} has no row with {where}")
    if len(found) > rows:
        raise QueryError(
            f"more than {rows} rows of {dataset} are meant by {where!r}; name fewer, or have more traced with --rows"
        )
    return tuple(found)


def _hops(
    spark: SparkSession, store: Store, one: _Rows, options: Options, told: Told, log_of: Callable[[str], DeltaLog]
) -> Iterator[tuple[Hop, list[_Rows]]]:
    """A hop for each version that wrote some of the rows, with the rows that it leads to. What goes wrong is told in the hop."""
    if not one.rows:
        return
    asked = Hop(
        depth=one.depth, namespace=one.key[0], name=one.key[1], alias=one.alias, version=one.version, written_version=None,
        rows=tuple(values_of(row) for row in one.rows),
    )  # fmt: skip
    try:
        log = log_of(one.location)
        by_version = _by_version(one, log)
    except LineageError as error:
        yield replace(asked, ended=str(error)), []
        return
    for written, rows in sorted(by_version.items()):
        told(f"{one.alias or one.key[1]}: {len(rows)} rows of version {written}")
        hop = replace(asked, written_version=written, rows=tuple(values_of(row) for row in rows))
        if written == log.first and log.first > 0:
            why = f"the log begins with version {log.first}: it no longer tells which version wrote it"
            yield replace(hop, written_version=None, ended=why), []
            continue
        for followed, next_rows in _followed(spark, store, replace(one, rows=rows), hop, log, options):
            if followed.witness is not None and one.depth < options.depth:
                next_rows, failed = _deeper(spark, followed.witness.sources, one.depth + 1)
                followed = replace(followed, ended=failed)
            yield followed, next_rows


def _by_version(one: _Rows, log: DeltaLog) -> dict[int, tuple[Row, ...]]:
    """By the version that first had a row's file. A file that was there before the log begins is of the first version it tells."""
    since: dict[str, int] = {}
    for held in log.held:
        place = resolved(absolute(one.location), held.path)
        since[place] = min(held.since, since.get(place, held.since))
    found: dict[int, list[Row]] = {}
    for row in one.rows:
        written = since.get(local_place(row[_IDENTITY]["file"] or ""))
        if written is None:
            raise TraceError(f"the log of {one.location} does not tell which version wrote the file {row[_IDENTITY]['file']}")
        found.setdefault(written, []).append(row)
    return {version: tuple(rows) for version, rows in found.items()}


def _followed(
    spark: SparkSession, store: Store, one: _Rows, hop: Hop, log: DeltaLog, options: Options
) -> Iterator[tuple[Hop, list[_Rows]]]:
    """What a version made of rows: two hops where a command changed some of them and wrote others again as they were."""
    written = hop.written_version
    assert written is not None
    plans = cache(partial(_plans, store, options, one.location))
    try:
        execution, mode = _writer(store, one.key, log.table_id_of(written), written)
        if execution is not None:
            hop = replace(
                hop, execution_id=execution["execution_id"], run_id=execution["run_id"], job_name=execution["job_name"],
                operation=execution["operation"], batch_id=execution["batch_id"],
            )  # fmt: skip
            if (source := taken_from(store, execution["execution_id"], execution["operation"])) is not None:
                yield _taken_over(spark, one, hop, source)
                return
        writer = None if execution is None else (execution["execution_id"], execution["operation"])
        unsure: tuple[str, ...] = ()
        if mode in CHANGES or was_there(store, one.key, log, written, writer, mode):
            given = partial(_given, spark, plans, hop.execution_id)
            kept = _kept(spark, one, hop, written, mode if mode in CHANGES else None, given)
            if kept.passed is not None:
                yield kept.passed
            if not kept.made:
                return
            one, unsure = replace(one, rows=kept.made), kept.unsure
            hop = replace(hop, rows=tuple(values_of(row) for row in kept.made))
    except (LineageError, PySparkException, Py4JJavaError) as error:
        yield _with_offsets(store, _sampled(spark, store, one, hop, options, log, text_of(error))), []
        return
    try:
        hop = _traced(spark, store, one, hop, options, plans)
    except (LineageError, PySparkException, Py4JJavaError) as error:
        hop = _sampled(spark, store, one, hop, options, log, text_of(error))
    if unsure and hop.witness is not None:
        hop = replace(hop, witness=_less(hop.witness, unsure, "superset"))
    yield _with_offsets(store, hop), []


def _taken_over(spark: SparkSession, one: _Rows, hop: Hop, source: TakenFrom) -> tuple[Hop, list[_Rows]]:
    """The rows in what a table took them over from, with their files. Raises TraceError."""
    frame, version = version_of(spark, source.location, source.version)

    def place(row: Row) -> tuple[str, int]:
        return local_place(row[_IDENTITY]["file"]), row[_IDENTITY]["position"]

    wanted = {place(row) for row in one.rows}
    near = in_files(frame, f"{_IDENTITY}.file", {file for file, _ in wanted})
    near = near.where(F.col(f"{_IDENTITY}.position").isin([position for _, position in wanted]))
    found = tuple(row for row in collected(near) if place(row) in wanted)
    if len(found) < len(one.rows):
        raise TraceError(
            f"{len(one.rows) - len(found)} of {len(one.rows)} rows are not in version {version} of {source.name}, which was cloned: it is another table now"
        )
    why = f"it was taken over by CLONE with its file, and is looked for in version {version} of {source.name}"
    return replace(hop, passed=why), [
        _Rows(source.key, source.alias, absolute(source.location), version, frame, found, one.depth)
    ]


def _with_offsets(store: Store, hop: Hop) -> Hop:
    """The hop of a micro-batch with what it read of its sources."""
    if hop.batch_id is None or hop.witness is None:
        return hop
    condition = f"execution_id = {literal(str(hop.execution_id))} and offsets is not null"
    rows = store.arrow("inputs", ["namespace", "name", "offsets"], condition).to_pylist()
    offsets = {(row["namespace"], row["name"]): row["offsets"] for row in rows}
    sources = tuple(replace(one, offsets=_offsets_of(one, offsets)) for one in hop.witness.sources)
    return replace(hop, witness=replace(hop.witness, sources=sources))


def _sampled(spark: SparkSession, store: Store, one: _Rows, hop: Hop, options: Options, log: DeltaLog, why: str) -> Hop:
    """The hop with what a sample has of its rows, else ended."""
    assert hop.written_version is not None
    try:
        witness = witness_of_sample(
            spark, store, one.key, log.table_id_of(hop.written_version), hop.written_version,
            _targets(spark, _as_written(spark, one, hop.written_version)), limit=options.limit, why=why, executables=options.executables, signed_by=options.key,
        )  # fmt: skip
    except (LineageError, PySparkException, Py4JJavaError) as error:
        logging.getLogger(__name__).warning(
            "the sample of version %d of %s cannot be read: %s", hop.written_version, hop.alias or hop.name, text_of(error)
        )
        witness = None
    return replace(hop, ended=why) if witness is None else replace(hop, witness=witness)


def _offsets_of(source: Source, offsets: Mapping[DatasetKey, str]) -> str | None:
    """Those of the dataset, or of the folder whose new files the batch read."""
    key = (source.namespace, source.name)
    folder = key if key in offsets else listings.folder_of({key}, offsets)
    return None if folder is None else offsets[folder]


def _less(witness: Witness, reasons: tuple[str, ...], completeness: Completeness) -> Witness:
    """No better than this, for these reasons."""
    return replace(witness, completeness=worse(witness.completeness, completeness), reasons=(*witness.reasons, *reasons))


Plans = Callable[[str], tuple[Plan, ...]]


def _plans(store: Store, options: Options, location: str, execution_id: str) -> tuple[Plan, ...]:
    """The plans of an execution that may have given rows of the table at a location. Raises NotFound and ExecutableError."""
    found = find(store.location, execution_id, executables=options.executables, key=options.key)
    return plans_for(store, found, location, options.executables, options.key)


def _given(spark: SparkSession, plans: Plans, execution_id: str | None, one: _Rows) -> set[int]:
    """The numbers of those of the rows that an UPDATE or MERGE makes, by its plan. Raises as `trace` does."""
    if execution_id is None:
        raise TraceError("it is not recorded")
    return set[int]().union(*(_made_by(spark, plan, one) for plan in plans(execution_id)))


def _made_by(spark: SparkSession, plan: Plan, one: _Rows) -> set[int]:
    """The numbers of those of the rows that a plan gives."""
    rows = [(number, *tuple(row)[:-1]) for number, row in enumerate(one.rows)]
    numbered = local_frame(spark, rows, StructType([StructField(TAG, LongType()), *_schema(one)]))
    made = restore(spark, plan.found, part=plan.part, gives=plan.gives, leaf_rows=_identical)
    return numbers_given(made, numbered)


def _identical(leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
    check_identity(leaf)
    return rows


def _traced(spark: SparkSession, store: Store, one: _Rows, hop: Hop, options: Options, plans: Plans) -> Hop:
    """The hop with the witness of its rows, from the plan of the execution that wrote them."""
    if hop.execution_id is None:
        return replace(hop, ended=f"version {hop.written_version} was written by nothing that is recorded")
    assert hop.written_version is not None
    likely = plans(hop.execution_id)
    listed = listings.held(spark, store, likely[0].found)
    try:
        witness = _witness(spark, _as_written(spark, one, hop.written_version), likely, options, listed.known)
    except TraceError as error:
        raise TraceError("; ".join((str(error), *listed.doubts))) from error
    return replace(hop, witness=_less(witness, listed.doubts, "partial") if listed.doubts else witness)


def _witness(spark: SparkSession, one: _Rows, plans: Sequence[Plan], options: Options, known: Collection[int]) -> Witness:
    """Of the plan that gives the rows, where the execution has several; where more than one does, which of them wrote the rows nothing tells."""
    targets = _targets(spark, one)
    failed: LineageError | None = None
    for at, plan in enumerate(plans):
        try:
            witness = trace(plan, targets, limit=options.limit, deciding=options.deciding, known=known)
        except (TraceError, ExecutableError) as error:
            failed = failed or error
            continue
        also = sum(_may_give(spark, other, one) for other in plans[at + 1 :])
        return _less(witness, (given_by(also + 1),), "partial") if also else witness
    assert failed is not None
    raise failed


def _may_give(spark: SparkSession, plan: Plan, one: _Rows) -> bool:
    """Whether a plan gives one of the rows, or cannot be asked."""
    try:
        return bool(_made_by(spark, plan, one))
    except (LineageError, PySparkException, Py4JJavaError):
        return True


def _as_written(spark: SparkSession, one: _Rows, written: int) -> _Rows:
    """The rows with the columns that the table had when they were written."""
    if written == one.version:
        return one
    frame, _ = version_of(spark, one.location, written)
    if frame.columns == one.frame.columns:
        return one
    rows = _at(spark, frame, [(row[_IDENTITY]["file"], row[_IDENTITY]["position"]) for row in one.rows])
    return replace(one, frame=frame, rows=rows) if len(rows) == len(one.rows) else one


def _targets(spark: SparkSession, one: _Rows) -> DataFrame:
    return local_frame(spark, [tuple(row)[:-1] for row in one.rows], _schema(one))


def _schema(one: _Rows) -> StructType:
    return with_empty(one.frame.drop(_IDENTITY).schema, one.rows, lambda: metadata_of(one.frame, one.location)[1])


@dataclass(frozen=True)
class _Kept:
    """Of rows that a commit wrote: where those lie in the version before that it wrote again as they were, those that it made, and why it is
    not certain which of the two some are."""

    passed: tuple[Hop, list[_Rows]] | None
    made: tuple[Row, ...]
    unsure: tuple[str, ...] = ()


def _kept(spark: SparkSession, one: _Rows, hop: Hop, written: int, mode: str | None, given: Given) -> _Kept:
    """`mode`: as the output's, None of a commit that only rearranges. `given`: which of the rows the command makes, by their numbers.

    A row that the command makes, and that the version before has too, may be either: both are told.
    """
    one = _as_written(spark, one, written)
    before = written - 1
    if before < 0:
        raise TraceError(OTHERS_FILES)
    frame, _ = version_of(spark, one.location, before)
    found, then, more = _again(frame, one, before)
    if mode is None:
        if missing := len(one.rows) - len(then):
            raise TraceError(
                f"{missing} of {len(one.rows)} rows are not in version {before}, though version {written} only rearranged rows"
            )
        why = "; ".join((f"it was rearranged (OPTIMIZE), and is looked for in version {before}", *more))
        return _Kept((replace(hop, passed=why), found), ())
    changed, unsure = set[int](), tuple[str, ...]()
    try:
        changed = given(one)
    except (LineageError, PySparkException, Py4JJavaError) as error:
        changed = {*range(len(one.rows))} - then
        if then:
            unsure = (f"whether {mode.upper()} made such rows is not known: {text_of(error)}",)
    both = changed & then
    if both:
        unsure += (
            f"version {before} has rows that are equal to {len(both)} of those that {mode.upper()} made: which of the two these are is not known",
        )
    made = tuple(row for number, row in enumerate(one.rows) if number in changed or number not in then)
    kept = tuple(values_of(row) for number, row in enumerate(one.rows) if number in then)
    if not kept:
        return _Kept(None, made, unsure)
    why = "; ".join((f"it was written again by {mode.upper()}, and is looked for in version {before}", *unsure, *more))
    return _Kept((replace(hop, rows=kept, passed=why), found), made, unsure)


Given = Callable[[_Rows], set[int]]


def _again(frame: DataFrame, one: _Rows, before: int) -> tuple[list[_Rows], set[int], tuple[str, ...]]:
    """The rows of an earlier version that are equal to these, the numbers of these that have some, and that not all are followed, where it is so.
    Columns that the version lacks were NULL there."""
    schema = one.frame.drop(_IDENTITY).schema
    numbered = local_frame(
        frame.sparkSession,
        [(number, *tuple(row)[:-1]) for number, row in enumerate(one.rows)],
        StructType([StructField(TAG, LongType()), *schema]),
    )
    same = F.lit(True)
    for field in schema:
        wanted = F.col(f"new.{quoted(field.name)}")
        if field.name not in frame.columns:
            same = same & wanted.isNull()
        elif not has(field.dataType, VariantType):
            old, given = F.col(f"old.{quoted(field.name)}"), frame.schema[field.name].dataType
            same = same & equal(old, given, wanted, field.dataType, near=False)
    met = frame.alias("old").join(F.broadcast(numbered.alias("new")), same).select(F.col(f"new.{TAG}").alias(TAG), "old.*")
    first = Window.partitionBy(TAG).orderBy(F.col(f"{_IDENTITY}.file"), F.col(f"{_IDENTITY}.position"))
    bounded = met.withColumn("__lineage_n", F.row_number().over(first)).where(F.col("__lineage_n") <= _EQUALS + 1)
    rows: dict[Any, Row] = {}
    numbers, over = set[int](), False
    for row in collected(bounded):
        if row["__lineage_n"] > _EQUALS:
            over = True
            continue
        numbers.add(int(row[TAG]))
        rows.setdefault(tuple(row[_IDENTITY]), Row(*frame.columns)(*tuple(row)[1:-1]))
    more = (
        (f"of more than {_EQUALS:,} rows of version {before} that are equal the first {_EQUALS:,} are followed",)
        if over
        else ()
    )
    return [replace(one, version=before, frame=frame, rows=tuple(rows.values()))] if rows else [], numbers, more


def _deeper(spark: SparkSession, sources: Sequence[Source], depth: int) -> tuple[list[_Rows], str | None]:
    """The whole rows of sources that are Delta tables, as far as they are told; and why some cannot be followed."""
    rows: list[_Rows] = []
    failed: list[str] = []
    for source in sources:
        places = [(row.file, row.position) for row in source.rows if row.position is not None]
        if source.version is None or source.location is None:
            continue
        if not places:
            if source.whole or source.rows:
                why = "all of it decides" if source.whole else "its rows are known by their content alone"
                failed.append(f"{source.alias or source.name} is not followed: {why}")
            continue
        try:
            frame, version = version_of(spark, source.location, source.version)
            found = _at(spark, frame, places)
            key = (source.namespace, source.name)
            rows.append(_Rows(key, source.alias, absolute(source.location), version, frame, found, depth))
        except (LineageError, PySparkException, Py4JJavaError) as error:
            failed.append(f"{source.alias or source.name} is not followed: {text_of(error)}")
    return rows, "; ".join(failed) or None


def _at(spark: SparkSession, frame: DataFrame, places: Sequence[tuple[str | None, int | None]]) -> tuple[Row, ...]:
    """The rows at these places."""
    wanted = local_frame(spark, places, _PLACE)
    place = (F.col(f"{_IDENTITY}.file") == F.col("__lineage_file")) & (
        F.col(f"{_IDENTITY}.position") == F.col("__lineage_position")
    )
    return tuple(collected(frame.join(F.broadcast(wanted), place, "left_semi")))


def _writer(store: Store, key: DatasetKey, table_id: str, version: int) -> tuple[dict[str, Any] | None, str | None]:
    """The execution that wrote a version, and the output's `write_mode`."""
    condition = f"namespace = {literal(key[0])} and name = {literal(key[1])} and table_id = {literal(table_id)} and delta_version = {version}"
    for row in store.arrow("outputs", ["execution_id", "write_mode"], condition).to_pylist():
        columns = ["execution_id", "run_id", "job_name", "operation", "batch_id"]
        for execution in store.arrow("executions", columns, f"execution_id = {literal(row['execution_id'])}").to_pylist():
            return dict(execution), row["write_mode"]
    return None, None


def values_of(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.asDict().items() if name != _IDENTITY}
