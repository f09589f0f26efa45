"""Runs recorded executions again from their plans, and holds what they give against what they wrote.

::

    for one in replay(store, "0198c5f2"):
        print(one.label, one.verdict, one.reason)

Nothing is written but the verdicts, into the table `replays`.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from ..config import local_path
from ..errors import ExecutableError, LineageError, NotFound, QueryError, StoreError
from ..snapshot.kinds import schema_hash
from ..snapshot.sums import Sums
from ..snapshot.with_spark import first_line_of_spark
from ..store.tables import Store
from .causes import FUNCTION, causes, doubts_of
from .comparing import Term, difference, sums_of
from .executables import Found, check_spark, find, restore, session_of
from .inputs import Inputs, Missing, Ready
from .judging import declared_in, judged, row_of
from .line_columns import other_counts
from .near import TOLERANCE, has_floats
from .outputs import NO_QUERY, UNKNOWN_PLAN, Evidence, Labels, Past, Written, executions_of, with_plans
from .plans import STATEFUL, parts_of, plans_of
from .session import session
from .statement import as_found, rows_of_statement, statement_of
from .stream_files import is_file_sink
from .upstream import upstream_of
from .verdict import Difference, Replayed
from .written import DEFAULTED, Expected, defaulted, expected_of_delta, extra_columns, reading, retyped, with_key
from .written_files import expected_of_batch, expected_of_files


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
    gaps = (
        Replayed(
            execution_id="", run_id="", job_name=None, operation="unknown", verdict="not_replayable", label=gap.label, namespace=gap.key[0],
            name=gap.key[1], table_id=gap.table_id, version=gap.last, reason=(
                f"{'it was' if gap.first == gap.last else f'versions {gap.first} to {gap.last} were'} written by nothing that is recorded, though "
                "earlier versions are"
            ),
        )
        for gap in sorted(chain.gaps, key=lambda gap: (gap.label, gap.first))
    )  # fmt: skip
    return itertools.chain(gaps, replay_all(store, chain.executions, options, spark, told))


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
        self._labels, self._evidence = Labels(store), Evidence(store)
        self._inputs = Inputs(store, spark)
        self._reading = reading(spark)
        self._own = is_own(store, "plan_executables", options.executables)

    def execution(self, past: Past) -> Iterator[Replayed]:
        replay_id = str(uuid.uuid4())
        for one in self._of(past):
            yield self._kept(replay_id, one)

    def _kept(self, replay_id: str, one: tuple[Replayed, datetime]) -> Replayed:
        replayed, began = one
        ended = datetime.now(UTC)
        replayed = self._evidence.added(
            replace(replayed, trusted=self._options.trusted, seconds=(ended - began).total_seconds())
        )
        try:
            self._store.append("replays", [row_of(replay_id, replayed, self._spark.version, began, ended)], None)
        except StoreError as error:
            what = replayed.label or replayed.execution_id
            raise StoreError(f"the verdict on {what} is {replayed.verdict}, and cannot be kept: {error}") from error
        return replayed

    def _of(self, past: Past) -> Iterator[tuple[Replayed, datetime]]:
        began = datetime.now(UTC)
        plain = Replayed(
            execution_id=past.execution_id, run_id=past.run_id, job_name=past.job_name, operation=past.operation, verdict="not_replayable"
        )  # fmt: skip
        if not past.outputs:
            reason = NO_QUERY.get(past.operation, "it wrote no rows that are recorded: there is nothing to compare with")
            yield replace(plain, reason=reason), began
            return
        try:
            found = find(
                self._store.location, past.execution_id, executables=self._options.executables, key=self._options.key,
                trusted=self._options.trusted,
            )  # fmt: skip
        except NotFound as error:
            yield from self._by_statements(plain, past, str(error))
            return
        except LineageError as error:
            for one in past.outputs:
                yield replace(self._named(plain, one), reason=_reason(error)), began
            return
        try:
            check_spark(self._spark, found.executable)
        except ExecutableError as error:
            yield from self._by_statements(plain, past, str(error))
            return
        commands = found.commands or (None,)
        for one in with_plans(past.outputs, commands, parts_of(commands)):
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

    def _by_statements(self, plain: Replayed, past: Past, why: str) -> Iterator[tuple[Replayed, datetime]]:
        for one in past.outputs:
            began = datetime.now(UTC)
            yield self._by_statement(self._named(plain, one), past, one, why), began

    def _by_statement(self, answer: Replayed, past: Past, one: Written, why: str) -> Replayed:
        """From the statement that is recorded, where the plan cannot be had."""
        try:
            statement = statement_of(self._store, past.execution_id)
            if not is_own(self._store, "executions") and not self._options.trusted:
                raise _Cannot("a statement is not signed, and the tables are not yours; --trust-store says that you trust them")
            found = as_found(self._store, past.run_id, past.execution_id, statement)
            location = self._labels.location(one.key)
            if location is None:
                raise _Cannot("where it wrote is not recorded")
            with self._inputs.ready(found) as ready:
                expected = self._expected(one, found, location)
                rows = rows_of_statement(
                    self._spark,
                    statement,
                    ready.found,
                    ready.places,
                    expected.schema,
                    self._options.trusted,
                    one.version is not None,
                )
                doubts = [*doubts_of(rows), *statement.doubts]
                compared = self._compared(answer, one, expected, rows, ready, doubts, location)
            if expected.put is not None and one.bytes != 0 and not compared.holds:
                raise _Cannot("its lines are others, and how they were written (a header, a separator) is not recorded")
            answer = compared
        except (_Cannot, Missing, LineageError) as error:
            return replace(answer, verdict="not_replayable", reason=f"{why}; and instead of it: {error}")
        except (PySparkException, Py4JJavaError) as error:
            return replace(
                answer,
                verdict="not_replayable",
                reason=f"{why}; and its statement cannot be computed: {first_line_of_spark(error)}",
            )
        note = f"by its SQL statement, as its plan cannot be had: {why}"
        return replace(answer, reason=note if answer.reason is None else f"{answer.reason} ({note})")

    def _named(self, plain: Replayed, one: Written) -> Replayed:
        return replace(
            plain, namespace=one.namespace, name=one.name, table_id=one.table_id, version=one.version, label=self._labels.label(one.key),
            tolerance=self._options.tolerance, volatile=self._options.volatile,
        )  # fmt: skip

    def _one(self, answer: Replayed, one: Written, found: Found) -> Replayed:
        if one.part is None:
            raise _Cannot(UNKNOWN_PLAN)
        location = self._labels.location(one.key)
        if location is None:
            raise _Cannot("what it wrote is recorded without a place where it lies: there is nothing to compare with")
        found = self._with_state(one, found, location)
        with self._inputs.ready(found) as ready:
            expected = self._expected(one, found, location)
            frames = {at: self._reading.read.format("delta").load(place) for at, place in ready.places.items()}
            rows = restore(self._spark, ready.found, part=one.part, gives=expected.gives, frames=frames)
            doubts = doubts_of(rows)
            check_functions(doubts, self._own or self._options.trusted)
            return self._compared(answer, one, expected, with_key(rows, one.key_column), ready, doubts, location)

    def _expected(self, one: Written, found: Found, location: str) -> Expected:
        """In the settings that it was written under: conditions and folders of partitions mean what they say there."""
        then = session_of(self._spark, found)
        if one.version is not None:
            return expected_of_delta(then, self._store, one, found, location)
        if one.batch is not None and one.fingerprint is None and is_file_sink(one.command or {}):
            return expected_of_batch(then, self._store, one, found.executable.execution_id, location)
        return expected_of_files(then, self._store, one, location)

    def _with_state(self, one: Written, found: Found, location: str) -> Found:
        """Of a stream that keeps a state the plan over all that it has read; of what it wrote, only an overwrite is all that this gives."""
        if not (found.commands and (found.commands[0] or {}).get("stateful")):
            return found
        if one.mode != "overwrite":
            raise _Cannot(STATEFUL)
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
        answer = self._rows_compared(answer, one, expected, rows, ready, doubts, location)
        if not answer.holds or one.rows is None or expected.lines is None or not expected.lines.leaves_out(rows.columns):
            return answer
        counts = one.rows, rows.count()
        if counts[0] == counts[1]:
            return answer
        told = causes(self._store, ready.found, rows, ready.doubts, doubts, None, None, lambda: rows.count() == counts[1])
        return replace(answer, verdict="different", reason=other_counts(*counts), rows=counts, columns=(), causes=told)

    def _rows_compared(
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
        plain = expected.put is None and expected.gives == "rows"
        extra = extra_columns(rows, expected.schema) if plain else ()
        own = dict(expected.volatile or {})
        if plain:
            own |= dict.fromkeys(defaulted(rows, expected.schema, expected.table), DEFAULTED)
        declared = declared_in(self._options.volatile, expected.schema if expected.lines is None else rows.schema)
        other = retyped(rows.schema, expected.schema) if plain and _gives_types(one) else {}
        other = {name: how for name, how in other.items() if name not in (*own, *declared)}
        if then == now and not extra and not other:
            return replace(answer, verdict="identical")
        told = causes(
            self._store, ready.found, rows, ready.doubts, doubts, location if one.version is not None else None, one.version,
            lambda: sums_of(replayed, expected.columns) == now,
        )  # fmt: skip
        types = f"it has other columns: {'; '.join(other.values())}"
        if then == now and not extra:
            return replace(answer, verdict="different", reason=types, columns=tuple(other), causes=told)
        if extra:
            reason = f"the plan gives columns that were not written: {', '.join(extra)}"
            return replace(answer, verdict="different", reason=reason, columns=extra, causes=told)
        if recorded is None:
            unsure = own or declared or any(has_floats(field.dataType) for field in expected.schema)
            if unsure:
                raise _Cannot(
                    f"its checksum differs, and whether it does beyond floats and columns that are not compared cannot be told: {expected.gone}"
                )
            reason = f"the checksum is another one; which rows differ cannot be told: {expected.gone}"
            return replace(answer, verdict="different", reason=reason, causes=told)
        found, declared = self._difference(expected, rows, recorded, replayed, own, declared)
        answer = judged(answer, found, own, declared, told, self._options.tolerance)
        if not other:
            return answer
        columns = tuple(dict.fromkeys((*other, *answer.columns)))
        return replace(answer, verdict="different", reason=f"{types}; {answer.reason}", columns=columns, causes=told)

    def _difference(
        self,
        expected: Expected,
        rows: DataFrame,
        recorded: Sequence[Term],
        replayed: Sequence[Term],
        own: Collection[str],
        declared: tuple[str, ...],
    ) -> tuple[Difference, tuple[str, ...]]:
        """Of lines by the columns that they have, where they can be parted into these, else as a whole; and the columns that were left out as declared."""
        tolerance, sample = self._options.tolerance, self._options.sample
        if expected.lines is not None:
            found = expected.lines.difference(recorded, replayed, rows.schema, self._options.volatile, tolerance, sample)
            if found is not None:
                return found, declared
            declared = ()
        return difference(recorded, replayed, expected.schema, [*own, *declared], tolerance, sample), declared


def _sums_written(expected: Expected) -> Sums:
    try:
        return sums_of(expected.recorded or (), expected.columns)
    except (PySparkException, Py4JJavaError) as error:
        raise _Cannot(
            f"what it wrote cannot be read any more ({first_line_of_spark(error)}), and no checksum of it is kept"
        ) from error


def _reason(error: LineageError) -> str:
    if isinstance(error, ExecutableError) and "not signed" in str(error):
        return f"{error}. --trust-store runs it all the same"
    return str(error)


def _gives_types(one: Written) -> bool:
    """Whether the columns of the table are those of the query: what is put into a table that there was is cast to its own, and Delta does not say
    when it was not."""
    return one.version is not None and (one.mode == "create" or one.version == 0)


def check_functions(doubts: Sequence[str], trusted: bool) -> None:
    """Raises ExecutableError where a plan runs functions of its users, and whoever wrote it is not trusted."""
    functions = [doubt.removeprefix(FUNCTION) for doubt in doubts if doubt.startswith(FUNCTION)]
    if functions and not trusted:
        raise ExecutableError(
            f"its plan runs functions of its users ({', '.join(functions[:3])}), and the tables are not yours: whoever writes to them could have "
            "code run as you. --trust-store says that you trust them"
        )


def is_own(store: Store, table: str, executables: str = "") -> bool:
    """Whether a lineage table is this user's: on an object store that cannot be told."""
    path = local_path(Store.open(store.location, executables=executables or None).place(table))
    try:
        return path is not None and path.stat().st_uid == os.getuid()
    except OSError:
        return False
