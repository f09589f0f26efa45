"""Runs recorded executions again from their plans, and holds what they give against what they wrote.

::

    for one in replay(store, "0198c5f2"):
        print(one.label, one.verdict, one.reason)

Nothing is written but the verdicts, into the table `replays`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from .. import __version__
from ..config import local_path
from ..errors import ExecutableError, LineageError, QueryError
from ..model import Replay, ReplayVerdict
from ..snapshot.kinds import schema_hash
from ..snapshot.sums import Sums
from ..snapshot.with_spark import first_line_of_spark
from ..store.tables import Store
from .causes import FUNCTION, causes, doubts_of
from .comparing import Term, difference, sums_of
from .executables import Found, find, restore
from .inputs import Inputs, Missing, Ready
from .near import TOLERANCE, has_floats
from .outputs import Labels, Past, Written, executions_of, with_plans
from .plans import is_function_of_batch, plans_of
from .session import session
from .upstream import upstream_of
from .verdict import Difference, Replayed
from .written import Expected, expected_of_delta, extra_columns, reading, with_key
from .written_files import expected_of_files


@dataclass(frozen=True, kw_only=True)
class Options:
    """`tolerance`: relative, of floats. `volatile`: columns that are not compared. `trusted`: unsigned plans are run, and functions of users from
    tables of somebody else. `executables`, `key`: as the options `executables.store` and `executables.key`."""

    tolerance: float = TOLERANCE
    volatile: tuple[str, ...] = ()
    sample: int = 10
    trusted: bool = False
    executables: str = ""
    key: str = ""


def replay(
    store: Store,
    wanted: str,
    options: Options = Options(),
    spark: SparkSession | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> Iterator[Replayed]:
    """A verdict for each write of an execution, or of the executions of a run, in order. `told`: what is being done.

    Raises NotFound, Ambiguous and QueryError for what names nothing that can be replayed, before Spark is started.
    """
    check(options)
    return replay_all(store, executions_of(store, wanted), options, spark, told)


def replay_upstream(
    store: Store,
    wanted: str,
    options: Options = Options(),
    spark: SparkSession | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> Iterator[Replayed]:
    """The same of each execution that led to ``DATASET@VERSION``, back to what nothing recorded has written, in order."""
    check(options)
    chain = upstream_of(store, wanted)
    for raw in chain.raw:
        told(f"it begins with {raw}")
    return replay_all(store, chain.executions, options, spark, told)


def check(options: Options) -> None:
    if not 0 <= options.tolerance < 1:
        raise QueryError(f"the tolerance is {options.tolerance}; give a number from 0 to less than 1, as 1e-9")


def replay_all(
    store: Store, executions: Sequence[Past], options: Options, spark: SparkSession | None, told: Callable[[str], None]
) -> Iterator[Replayed]:
    replaying = _Replaying(store, options, spark or session())
    for number, past in enumerate(executions, 1):
        told(f"{number} of {len(executions)}: {past.operation} ({past.execution_id})")
        yield from replaying.execution(past)


class _Cannot(Exception):
    """Why something is not replayable."""


class _Replaying:
    def __init__(self, store: Store, options: Options, spark: SparkSession) -> None:
        self._store, self._options, self._spark = store, options, spark
        self._labels = Labels(store)
        self._inputs = Inputs(store)
        self._own = _is_own(store, options.executables)

    def execution(self, past: Past) -> Iterator[Replayed]:
        replay_id = str(uuid.uuid4())
        for one in self._of(past):
            yield self._kept(replay_id, one)

    def _kept(self, replay_id: str, one: tuple[Replayed, datetime]) -> Replayed:
        replayed, began = one
        ended = datetime.now(UTC)
        replayed = replace(replayed, seconds=(ended - began).total_seconds())
        self._store.append("replays", [_row(replay_id, replayed, self._spark.version, began, ended)], None)
        return replayed

    def _of(self, past: Past) -> Iterator[tuple[Replayed, datetime]]:
        began = datetime.now(UTC)
        plain = Replayed(
            execution_id=past.execution_id, run_id=past.run_id, job_name=past.job_name, operation=past.operation, verdict="not_replayable"
        )  # fmt: skip
        if not past.outputs:
            yield replace(plain, reason="it wrote no rows that are recorded: there is nothing to compare with"), began
            return
        try:
            found = find(
                self._store.location, past.execution_id, executables=self._options.executables, key=self._options.key,
                trusted=self._options.trusted,
            )  # fmt: skip
        except LineageError as error:
            for one in past.outputs:
                yield replace(self._named(plain, one), reason=_reason(error)), began
            return
        commands = found.commands or (None,)
        parts = range(1, len(commands)) if is_function_of_batch(commands) else range(len(commands))
        for one in with_plans(past.outputs, commands, list(parts)):
            began = datetime.now(UTC)
            answer = self._named(plain, one)
            try:
                answer = self._one(answer, one, found)
            except (_Cannot, Missing, LineageError) as error:
                answer = replace(answer, reason=str(error))
            except (PySparkException, Py4JJavaError) as error:
                answer = replace(
                    answer, reason=self._inputs.look_again(found) or f"it cannot be computed: {first_line_of_spark(error)}"
                )
            yield answer, began

    def _named(self, plain: Replayed, one: Written) -> Replayed:
        return replace(
            plain, namespace=one.namespace, name=one.name, table_id=one.table_id, version=one.version, label=self._labels.label(one),
            tolerance=self._options.tolerance, volatile=self._options.volatile,
        )  # fmt: skip

    def _one(self, answer: Replayed, one: Written, found: Found) -> Replayed:
        if one.part is None:
            raise _Cannot("none of the plans that are kept of its execution is known to have given what it wrote there")
        location = self._labels.location(one)
        if location is None:
            raise _Cannot("what it wrote is recorded without a place where it lies: there is nothing to compare with")
        found = self._with_state(one, found, location)
        with self._inputs.ready(found) as ready:
            spark = reading(self._spark)
            if one.version is not None:
                expected = expected_of_delta(spark, self._store, one, found, location)
            else:
                expected = expected_of_files(spark, self._store, one, location)
            frames = {at: spark.read.format("delta").load(place) for at, place in ready.places.items()}
            rows = restore(self._spark, ready.found, part=one.part, gives=expected.gives, frames=frames)
            doubts = doubts_of(rows)
            functions = [doubt.removeprefix(FUNCTION) for doubt in doubts if doubt.startswith(FUNCTION)]
            if functions and not self._own and not self._options.trusted:
                raise _Cannot(
                    f"its plan runs functions of its users ({', '.join(functions[:3])}), and the tables are not yours: whoever writes to them could have "
                    "code run as you. --trust-store says that you trust them"
                )
            return self._compared(answer, one, expected, with_key(rows, one.key_column), ready, doubts, location)

    def _with_state(self, one: Written, found: Found, location: str) -> Found:
        """Of a stream that keeps a state the plan over all that it has read; of what it wrote, only an overwrite is all that this gives."""
        if not (found.commands and (found.commands[0] or {}).get("stateful")):
            return found
        if one.mode != "overwrite":
            raise _Cannot(
                "its stream keeps a state, and what of it this micro-batch gave is not known: only complete mode is replayed"
            )
        plans = plans_of(self._store, found, location, self._options.executables, self._options.key)
        return next(plan.found for plan in plans if plan.part == one.part)

    def _compared(
        self,
        answer: Replayed,
        one: Written,
        expected: Expected,
        rows: DataFrame,
        ready: Ready,
        doubts: Sequence[str],
        location: str,
    ) -> Replayed:
        replayed = expected.replayed(rows)
        recorded = expected.recorded
        now = sums_of(replayed, expected.columns)
        then = expected.sums if expected.sums is not None else _sums_written(expected)
        answer = replace(
            answer,
            whole=expected.whole,
            rows=(then.rows, now.rows),
            checksums=(then.checksum, now.checksum),
            schema_hash=schema_hash(expected.columns),
        )
        extra = extra_columns(rows, expected.schema) if expected.put is None and expected.gives == "rows" else ()
        if then == now and not extra:
            return replace(answer, verdict="identical")
        own = dict(expected.volatile or {})
        declared = _declared(self._options.volatile, expected.schema if expected.parted is None else rows.schema)
        told = causes(
            self._store, ready.found, rows, ready.doubts, doubts, location if one.version is not None else None, one.version
        )
        if extra:
            reason = f"the plan gives columns that were not written: {', '.join(extra)}"
            return replace(answer, verdict="different", reason=reason, columns=extra, causes=told)
        if recorded is None:
            unsure = declared or any(has_floats(field.dataType) for field in expected.schema)
            if unsure:
                raise _Cannot(
                    f"its checksum differs, and whether it does beyond floats and volatile columns cannot be told: {expected.gone}"
                )
            reason = f"the checksum is another one; which rows differ cannot be told: {expected.gone}"
            return replace(answer, verdict="different", reason=reason, causes=told)
        found = self._difference(expected, rows, recorded, replayed, [*own, *declared])
        return _judged(answer, found, own, declared, told, self._options.tolerance)

    def _difference(
        self, expected: Expected, rows: DataFrame, recorded: Sequence[Term], replayed: Sequence[Term], left_out: Sequence[str]
    ) -> Difference:
        """Of lines by the columns that they have, where they can be parted into these."""
        tolerance, sample = self._options.tolerance, self._options.sample
        if expected.parted is not None:
            part = expected.parted(rows.schema)
            wanted = {name.lower() for name in self._options.volatile}
            volatile = [field.name for field in rows.schema if field.name.lower() in wanted]
            then, now = ([Term(part(term.frame), term.sign) for term in side] for side in (recorded, replayed))
            found = difference(then, now, now[0].frame.schema, volatile, tolerance, sample)
            if found.missing or found.unexpected or found.within or volatile:
                return found
        return difference(recorded, replayed, expected.schema, left_out, tolerance, sample)


def _sums_written(expected: Expected) -> Sums:
    try:
        return sums_of(expected.recorded or (), expected.columns)
    except (PySparkException, Py4JJavaError) as error:
        raise _Cannot(
            f"what it wrote cannot be read any more ({first_line_of_spark(error)}), and no checksum of it is kept"
        ) from error


def _judged(
    answer: Replayed, found: Difference, own: dict[str, str], declared: Sequence[str], told: tuple[str, ...], tolerance: float
) -> Replayed:
    verdict: ReplayVerdict = "different"
    if found.missing or found.unexpected:
        reason = _counted(found)
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


def _counted(found: Difference) -> str:
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


def _declared(volatile: Sequence[str], schema: StructType) -> tuple[str, ...]:
    """Those that there are, as the table spells them."""
    wanted = {name.lower() for name in volatile}
    return tuple(field.name for field in schema if field.name.lower() in wanted)


def _reason(error: LineageError) -> str:
    if isinstance(error, ExecutableError) and "not signed" in str(error):
        return f"{error}. --trust-store runs it all the same"
    return str(error)


def _is_own(store: Store, executables: str) -> bool:
    """Whether the tables of plans are this user's: on an object store that cannot be told."""
    path = local_path(Store.open(store.location, executables=executables or None).place("plan_executables"))
    try:
        return path is not None and path.stat().st_uid == os.getuid()
    except OSError:
        return False


def _row(replay_id: str, one: Replayed, spark_version: str, began: datetime, ended: datetime) -> Replay:
    found: Any = one.difference
    return Replay(
        replay_id=replay_id, execution_id=one.execution_id, run_id=one.run_id, job_name=one.job_name, replay_mode="plan",
        namespace=one.namespace, name=one.name, table_id=one.table_id, delta_version=one.version, verdict=one.verdict, reason=one.reason,
        causes=one.causes, columns=one.columns, volatile=one.volatile, tolerance=one.tolerance, schema_hash=one.schema_hash,
        recorded_rows=one.rows[0], replayed_rows=one.rows[1], recorded_checksum=one.checksums[0], replayed_checksum=one.checksums[1],
        rows_missing=None if found is None else found.missing, rows_unexpected=None if found is None else found.unexpected,
        rows_changed=None if found is None else found.changed, spark_version=spark_version, tool_version=__version__, started_at=began,
        ended_at=ended,
    )  # fmt: skip
