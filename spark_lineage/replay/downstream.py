"""What would change in the tables that were made of a table, had it been as it is now: the recorded plans, over its new rows, into a scratch place.

Each state of a table (a version) is made again from the state before it and the plan that wrote it, where either of what these read has changed; what
has not is read as it was. The states lie in the scratch place as Delta tables, each computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from ..errors import ExecutableError, LineageError, NotFound, QueryError
from ..lineage.naming import DatasetKey, exact_place
from ..model import ExecutableLeaf
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..snapshot.delta import absolute, is_delta
from ..snapshot.kinds import columns_of
from ..snapshot.spark import quoted
from ..snapshot.with_spark import causes_of_spark, first_line_of_spark
from ..store.tables import Store
from .affected import Affected, Logs, bare
from .causes import doubts_of
from .clock import Clock, clock_of, without
from .comparing import Term, difference, sums_of
from .executables import Gives, find, restore
from .inputs import DELTA, Inputs, Missing
from .judging import declared_in, judged
from .outputs import NO_QUERY, Labels, Past, Written, past, with_plans
from .plans import parts_of, replaced
from .replaying import Options, check, check_functions, is_own
from .scratch import check_place, scratch_place
from .session import session
from .upstream import State, Writes, check_version
from .verdict import Replayed
from .written import (
    COMMANDS,
    DEFAULTED,
    KEYED,
    NUMBERED,
    as_written,
    defaulted,
    names_now,
    padded,
    reading,
    table_of,
    version_frame,
    with_key,
)


def replay_downstream(
    store: Store,
    wanted: str,
    options: Options,
    scratch: str = "",
    keep: bool = False,
    spark: SparkSession | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> Iterator[Replayed]:
    """Of each table that was made of the dataset that ``DATASET`` or ``DATASET@VERSION`` names, what would change: the rows of its newest version held
    against those that the recorded plans make with that version (by default the newest) in the place of those that they read.

    Nothing is recorded of it. Raises NotFound, Ambiguous and, for what has no versions or not that one, QueryError before Spark is started.
    """
    check(options)
    check_place(store, scratch)
    name, mark, number = wanted.rpartition("@")
    if not mark or not number.isdecimal():
        name, number = wanted, ""
    names = recorded_names(DeltaTables(store.location))
    key = names.dataset(name)
    writes = Writes(store)
    if not writes.reads_of(key):
        raise NotFound(f"nothing that is recorded has read {names.label(key)}: nothing was made of it")
    known, version = names.known.get(key), int(number) if number else None
    location = None if known is None else known.location
    if not writes.has_versions(key) and (location is None or not is_delta(location)):
        raise QueryError(
            f"{names.label(key)} is no Delta table, and has no version to be put in the place of what was read. Name a Delta table that was made of it, "
            "or run the jobs again that read it"
        )
    if version is not None:
        check_version(names.label(key), location, None, version)
    return _answers(store, writes, key, version, options, scratch, keep, spark, told)


def _answers(
    store: Store,
    writes: Writes,
    key: DatasetKey,
    version: int | None,
    options: Options,
    scratch: str,
    keep: bool,
    spark: SparkSession | None,
    told: Callable[[str], None],
) -> Iterator[Replayed]:
    with scratch_place(scratch, keep, told) as place, ExitStack() as stack:
        yield from _Rebuilding(store, writes, key, version, options, spark or session(), place, stack, told).answers()


_UNVERSIONED = "it is no Delta table, whose versions could be made again one after the other"

_READS = "it reads"


class _Rebuilding:
    def __init__(
        self,
        store: Store,
        writes: Writes,
        key: DatasetKey,
        version: int | None,
        options: Options,
        spark: SparkSession,
        place: Path,
        stack: ExitStack,
        told: Callable[[str], None],
    ) -> None:
        self._store, self._writes, self._key, self._options = store, writes, key, options
        self._spark, self._place, self._stack, self._told = spark, place, stack, told
        self._reading = reading(spark)
        self._own = is_own(store, "plan_executables", options.executables)
        self._labels, self._inputs = Labels(store), Inputs(store, spark)
        self._past = {one.execution_id: one for one in past(store, writing=False)}
        self._affected = Affected(writes, key, self._past, Logs(self._labels.location).keeps_rows)
        self._made: dict[State, DataFrame] = {}
        self._keyed: dict[State, tuple[str, ...]] = {}  # the columns that writes gave to rows (rows.column)
        self._defaulted: dict[State, tuple[str, ...]] = {}  # those that writes left to a default that is not the same each time
        self._nulls: dict[State, dict[str, str]] = {}
        self._written = 0
        self._fixed = version_frame(self._reading, self._location(key), version)

    def answers(self) -> Iterator[Replayed]:
        """In the order in which the tables were written last."""
        found = []
        for key in self._writes.datasets():
            state = self._writes.newest(key, None)
            if state is None or key == self._key:
                continue
            wrote = None
            if state.version is None:
                wrote = self._affected.unversioned.get(key)
            elif self._is_affected(state):
                wrote = self._affected.wrote(bare(state))
            if wrote in self._past:
                found.append((self._past[wrote], bare(state)))
        for one, state in sorted(found, key=lambda pair: pair[0].ended_at):
            yield self._answer(one, state)

    def _location(self, key: DatasetKey) -> str:
        location = self._labels.location(key)
        if location is None:
            raise ExecutableError(f"where {key[1]} lies is not recorded")
        return location

    def _is_affected(self, state: State) -> bool:
        return state.key == self._key or bare(state) in self._affected.states

    def _answer(self, one: Past, state: State) -> Replayed:
        plain = Replayed(
            execution_id=one.execution_id, run_id=one.run_id, job_name=one.job_name, operation=one.operation, verdict="not_replayable",
            namespace=state.key[0], name=state.key[1], table_id=state.table_id, version=state.version, label=self._labels.label(state.key),
            tolerance=self._options.tolerance, volatile=self._options.volatile, whole=state.version is not None,
        )  # fmt: skip
        if state.version is None:
            return replace(plain, reason=f"what it would be is not known: {_UNVERSIONED}")
        try:
            return self._compared(plain, state)
        except (LineageError, Missing) as error:
            return replace(plain, reason=str(error))
        except (PySparkException, Py4JJavaError) as error:
            return replace(plain, reason=f"it cannot be computed: {_without_spark(error)}")

    def _compared(self, plain: Replayed, state: State) -> Replayed:
        assert state.version is not None
        new = self._state(state)
        assert new is not None
        old = version_frame(self._reading, self._location(state.key), state.version)
        columns = columns_of(old.schema.jsonValue())
        new = padded(new, old.schema)
        then, now = sums_of([Term(old)], columns), sums_of([Term(new)], columns)
        answer = replace(plain, rows=(then.rows, now.rows), checksums=(then.checksum, now.checksum))
        if then == now:
            return replace(answer, verdict="identical")
        declared = declared_in(self._options.volatile, old.schema)
        own = self._unknown(state) | dict.fromkeys(self._keyed.get(state, ()), KEYED)
        left_out = [*own, *declared]
        found = difference([Term(old)], [Term(new)], old.schema, left_out, self._options.tolerance, self._options.sample)
        answer = judged(answer, found, own, declared, (), self._options.tolerance)
        return answer if answer.holds else replace(answer, reason=f"it would change: {answer.reason}")

    def _state(self, state: State) -> DataFrame | None:
        """The rows of a state as they would be; None where it is as it was."""
        if state.key == self._key:
            return self._fixed
        if not self._is_affected(state):
            return None
        versions = [state]  # back to the first that has to be made again
        while True:
            before = self._affected.before(versions[-1])
            if before is None or versions[-1] in self._made or not self._is_affected(before):
                break
            versions.append(before)
        for one in reversed(versions):
            if one not in self._made:
                self._made[one] = self._carried(one) if one in self._affected.same else self._kept(self._applied(one))
        return self._made[state]

    def _kept(self, rows: DataFrame) -> DataFrame:
        self._written += 1
        place = str(self._place / f"state-{self._written}")
        rows.write.format("delta").option("delta.columnMapping.mode", "name").save(place)
        return self._reading.read.format("delta").load(place)

    def _carried(self, state: State) -> DataFrame:
        """The rows of the state before it, which its commit kept; the columns may have got other names."""
        before = self._affected.before(state)
        assert before is not None
        assert before.version is not None
        rows = self._state(before)
        assert rows is not None
        location = self._location(state.key)
        frame = version_frame(self._reading, location, state.version)
        names = {name: name for name in rows.columns}
        if set(rows.columns) != set(frame.columns):
            was = table_of(version_frame(self._reading, location, before.version), location).fields
            names = names_now(was, table_of(frame, location).fields)
            rows = rows.select(*(F.col(quoted(old)).alias(new) for old, new in names.items()))
        for told in (self._keyed, self._defaulted):
            told[state] = tuple(names[name] for name in told.get(before, ()) if name in names)
        return padded(rows, frame.schema)

    def _unknown(self, state: State) -> dict[str, str]:
        """The columns of a state that was made again in which rows are null whose values are not known, with the reason: identities, whose numbers
        Delta gives as rows are written, and what a write left to a default that is not the same each time."""
        if state not in self._nulls:
            rows, location = self._made[state], self._location(state.key)
            identities = table_of(version_frame(self._reading, location, state.version), location).identities
            names = dict.fromkeys(self._defaulted.get(state, ()), DEFAULTED) | dict.fromkeys(identities, NUMBERED)
            names = {name: why for name, why in names.items() if name in rows.columns}
            none = rows.agg(*(F.bool_or(F.col(quoted(name)).isNull()).alias(name) for name in names)).first() if names else None
            self._nulls[state] = {} if none is None else {name: why for name, why in names.items() if none[name]}
        return self._nulls[state]

    def _known(self, state: State, rows: DataFrame) -> DataFrame:
        """Rows of a state that can be read but for the values that are not known: what asks for one of these fails."""
        for name, why in self._unknown(state).items():
            reason = f"{_READS} {name} of {self._labels.label(state.key)}, version {state.version}: {why}"
            number = F.raise_error(F.lit(reason)).cast(rows.schema[name].dataType)
            rows = rows.withColumn(name, F.coalesce(F.col(quoted(name)), number))
        return rows

    def _applied(self, state: State) -> DataFrame:
        """The state that the recorded write makes of the one before it."""
        assert state.version is not None
        if state in self._affected.through:
            through = self._affected.through[state]
            why = "which version of it was read is not recorded" if self._writes.has_versions(through) else _UNVERSIONED
            raise ExecutableError(
                f"version {state.version} of {self._labels.label(state.key)} was made of {self._labels.label(through)}, and what that would be is not known: "
                f"{why}"
            )
        row = self._writes.write(state)
        if row is None:
            raise ExecutableError(
                f"version {state.version} of {self._labels.label(state.key)} was written by nothing that is recorded, on rows that would be others"
            )
        one = self._past[row["execution_id"]]
        location = self._location(state.key)
        self._told(f"{self._labels.label(state.key)}, version {state.version}: {one.operation} ({one.execution_id})")
        if one.operation in NO_QUERY:
            raise ExecutableError(NO_QUERY[one.operation])
        if one.is_batch:
            raise ExecutableError(f"{one.execution_id} is a micro-batch, whose plan is over the files that it read then")
        found = find(
            self._store.location, one.execution_id, executables=self._options.executables, key=self._options.key, trusted=self._options.trusted
        )  # fmt: skip
        commands = found.commands or (None,)
        mine = [
            out
            for out in with_plans(one.outputs, commands, parts_of(commands))
            if (out.namespace, out.name, out.version) == (*state.key, state.version)
        ]
        if not mine or mine[0].part is None:
            raise ExecutableError(f"none of the plans that are kept of {one.execution_id} is known to have given what it wrote")
        output, command = mine[0], dict(mine[0].command or {})
        frame = version_frame(self._reading, location, state.version)
        table = table_of(frame, location)
        before = self._before(state, frame)
        in_places = command.get("class") in COMMANDS
        ready = self._stack.enter_context(self._inputs.ready(found))
        frames = {at: self._reading.read.format("delta").load(place) for at, place in ready.places.items()}
        target = set()
        for leaf in found.executable.leaves:
            key = self._key_of(leaf)
            if in_places and key == state.key:
                target.add(leaf.number)
            elif key is not None:
                given = self._of_leaf(leaf, key)
                frames |= {} if given is None else {leaf.number: given}

        def gives(there: DataFrame | None) -> DataFrame:
            """The rows of the plan, with the target of a command as it is there."""
            more = {} if there is None else dict.fromkeys(target, there)
            gives: Gives = "table" if in_places else "rows"
            return restore(self._spark, ready.found, part=output.part or 0, gives=gives, frames=frames | more)

        rows = gives(before)
        check_functions(doubts_of(rows), self._own or self._options.trusted)
        was = self._affected.before(
            state
        )  # what commands ask of what is not known: they are computed once without these columns
        if in_places and before is not None and was in self._made and self._unknown(was):
            gives(self._known(was, before)).drop(*self._unknown(was)).write.format("noop").mode("overwrite").save()
        self._keyed[state] = (
            *(self._keyed.get(was, ()) if was is not None else ()),
            *(() if output.key_column is None else (output.key_column.name,)),
        )
        new = with_key(rows, output.key_column)
        left = () if in_places else defaulted(new, frame.schema, table)
        self._defaulted[state] = tuple(dict.fromkeys((*(self._defaulted.get(was, ()) if was is not None else ()), *left)))
        new = as_written(new, frame.schema, table, left)
        if in_places or before is None:
            return new
        clock = clock_of(self._store, found, command)
        return _kept_of(before, output, command, new, table.partitioned, clock).unionByName(new)

    def _before(self, state: State, frame: DataFrame) -> DataFrame | None:
        """The rows before a write, in the columns of the version that it made; None where it left none of them."""
        was = self._affected.before(state)
        if was is None:
            return None
        made = self._state(was)
        rows = version_frame(self._reading, self._location(was.key), was.version) if made is None else made
        return padded(rows, frame.schema)

    def _key_of(self, leaf: ExecutableLeaf) -> DatasetKey | None:
        return exact_place(absolute(leaf.location)).key if leaf.kind in DELTA and leaf.location is not None else None

    def _of_leaf(self, leaf: ExecutableLeaf, key: DatasetKey) -> DataFrame | None:
        """What a leaf has to read instead of what it read; None where that has not changed."""
        if key != self._key and leaf.delta_version is None:
            return None
        state = State(key, leaf.table_id, leaf.delta_version)
        rows = self._state(state)
        return rows if rows is None or key == self._key else self._known(state, rows)


def _without_spark(error: Exception) -> str:
    """Of an error that we had Spark raise what we said, however deep it lies (a task that writes wraps it)."""
    first = first_line_of_spark(error)
    for text in (first, *causes_of_spark(error)):
        for why in (NUMBERED, DEFAULTED):
            begin, end = text.find(_READS), text.find(why)
            if 0 <= begin < end:
                return text[begin:end] + why
    return first


def _kept_of(
    before: DataFrame,
    output: Written,
    command: Mapping[str, Any],
    new: DataFrame,
    partitioned: tuple[str, ...],
    clock: Clock | None,
) -> DataFrame:
    """What a write leaves of the rows that were there. `new`: what it writes, in a session with the settings that it was recorded under."""
    if output.mode == "append":
        return before
    if output.mode == "overwrite_partitions" and partitioned:
        there = new.select(*(F.col(quoted(name)).alias(f"p{at}") for at, name in enumerate(partitioned))).distinct()
        same = reduce(
            lambda one, other: one & other,
            (F.col(quoted(name)).eqNullSafe(F.col(f"p{at}")) for at, name in enumerate(partitioned)),
        )
        return before.join(there, same, "left_anti")
    condition = replaced(command) if output.mode == "replace_where" else None
    if condition is None:
        raise ExecutableError(f"which rows its write ({output.mode}) replaced is not recorded")
    return without(before, condition, new.sparkSession, clock)
