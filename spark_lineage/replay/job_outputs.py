"""What the replay of a job wrote, held against what the run wrote: which write belongs to which, and the verdict on each pair."""

from __future__ import annotations

import contextlib
import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructType, TimestampType

from ..errors import LineageError
from ..lineage.naming import DatasetKey
from ..snapshot.delta import commit_actions
from ..snapshot.kinds import schema_hash
from ..snapshot.with_spark import first_line_of_spark
from ..store.tables import Store, literal
from ..store.views import FULL_OVERWRITES
from .causes import FUNCTION, differing_engines, doubts_of, random_cause, settings_differing
from .comparing import Term, difference, sums_of
from .executables import find, restore
from .judging import declared_in, judged
from .layer import Layer
from .line_columns import other_counts, recorded_schema, without_headers
from .near import has_floats
from .outputs import Labels, Past, Written, recorded_format, with_plans
from .overlay import View
from .plans import parts_of
from .replaying import Options
from .verdict import Difference, Replayed
from .world import World
from .written import COMMANDS, Expected, defaulted, expected_of_state, padded, reading, retype, version_frame
from .written_files import as_text, expected_of_files, format_of, has_header, rows_of_files

_ENDED = ("execution_id", "ended_at", "sequence")
_MADE = ("execution_id", "namespace", "name", "table_id", "delta_version")

Made = tuple[int, str | None]
"""A version of a table, and the id of the table then."""


@dataclass(frozen=True)
class Pair:
    """A write of the run and that of the replay. `whole`: the states before both were the same, so that those after can be compared. `note`: what
    has to be said of how they were paired. `last`: no other of the dataset follows."""

    past: Past
    written: Written
    other_past: Past | None = None
    other: Written | None = None
    whole: bool = True
    note: str | None = None
    last: bool = False


def pairs_of(
    recorded: Sequence[Past],
    replayed: Sequence[Past],
    at: Mapping[DatasetKey, int],
    own: Mapping[DatasetKey, Sequence[Made]] | None = None,
) -> tuple[list[Pair], list[tuple[Past, Written]]]:
    """The writes of a run in their order with those of its replay, dataset by dataset; and what only the replay wrote.

    `own`: by dataset, what the run made of it, by whatever command, as `made_by` tells it: other versions are of others. In a replay there are no others.
    Where one made more commits than the other, and of files without versions, only what is there after the last of them is compared.
    """
    then, now = _by_dataset(recorded), _by_dataset(replayed)
    pairs = []
    for key, mine in then.items():
        others = now.pop(key, [])
        versioned = mine[-1][1].version is not None
        if not others:
            pairs += [Pair(*one) for one in (mine if versioned else mine[-1:])]
            continue
        follows = _follow(mine, at.get(key, -1), (own or {}).get(key, ()))
        if versioned and len(mine) == len(others):
            whole = True
            for number, (one, other, after) in enumerate(zip(mine, others, follows, strict=True), 1):
                overwritten = all(output.mode in FULL_OVERWRITES for _, output in (one, other))  # whatever was there before
                whole = overwritten or (whole and after)
                pairs.append(Pair(*one, *other, whole=whole, last=number == len(mine)))
            continue
        note = None if len(mine) == len(others) else f"it was written in {len(mine)} commits then, and in {len(others)} now"
        if versioned and not all(follows):
            note = f"{note}, with commits of others between: what it wrote cannot be told from what they did"
            pairs.append(Pair(*mine[-1], note=note, whole=False))
        else:
            pairs.append(Pair(*mine[-1], *others[-1], note=note if versioned else None, last=True))
    order = {one.execution_id: place for place, one in enumerate(recorded)}
    pairs.sort(key=lambda pair: order[pair.past.execution_id])
    return pairs, [others[-1] for others in now.values()]


def _by_dataset(executions: Sequence[Past]) -> dict[DatasetKey, list[tuple[Past, Written]]]:
    found: dict[DatasetKey, list[tuple[Past, Written]]] = defaultdict(list)
    for one in executions:
        for output in one.outputs:
            found[output.namespace, output.name].append((one, output))
    for mine in found.values():  # a table that is dropped and made again has its versions anew
        tables = list(dict.fromkeys(output.table_id for _, output in mine))
        mine.sort(key=lambda pair: (tables.index(pair[1].table_id), pair[1].version is None, pair[1].version or 0))
    return found


def _follow(mine: Sequence[tuple[Past, Written]], at: int, own: Sequence[Made]) -> list[bool]:
    """Of each write whether nobody else wrote between it and the one before it, the first after version `at`."""
    lives: list[dict[int, str | None]] = [{}]
    for version, table_id in own:
        if version == 0 and lives[-1] and table_id not in lives[-1].values():  # dropped and made again: its versions begin anew
            lives.append({})
        lives[-1][version] = table_id
    found, last = [], lives[0]
    for _, output in mine:
        life = next((one for one in lives if (output.version, output.table_id) in one.items()), last)
        at, last = (at if life is last else -1), life
        found.append(output.version is None or all(version in life for version in range(at + 1, output.version)))
        at = -2 if output.version is None else output.version
    return found


class Comparing:
    """Verdicts on pairs. `universe`: the file that tells the overlay of it. `then`: by dataset, what the run made of it, by whatever command, as `made_by` tells it.
    `given`: the command is another one than was recorded."""

    def __init__(
        self,
        store: Store,
        replays: Store,
        spark: SparkSession,
        universe: Path,
        world: World,
        options: Options,
        run: Mapping[str, Any],
        then: Mapping[DatasetKey, Sequence[Made]],
        given: bool,
        told: Callable[[str], None],
    ) -> None:
        self._given = given
        self._then, self._layer, self._made = then, Layer(universe.parent), made_by(replays)
        self._store, self._replays, self._world, self._options, self._run = store, replays, world, options, run
        self._spark, self._told = spark, told
        self._reading = reading(spark)
        self._view = View(self._reading, universe)
        self._labels = Labels(store)
        self._differing: dict[DatasetKey, str] = {}

    def verdict(self, plain: Replayed, pair: Pair) -> Replayed:
        self._told(f"comparing {plain.label}" + ("" if plain.version is None else f", version {plain.version}"))
        try:
            answer = self._verdict(plain, pair)
        except LineageError as error:
            answer = replace(plain, verdict="not_replayable", reason=str(error))
        except (PySparkException, Py4JJavaError) as error:
            answer = replace(plain, verdict="not_replayable", reason=f"it cannot be compared: {first_line_of_spark(error)}")
        if not answer.holds:
            self._differing.setdefault((pair.written.namespace, pair.written.name), str(plain.label))
        if pair.note:
            answer = replace(answer, reason="; ".join(part for part in (pair.note, answer.reason) if part))
        return answer

    def _verdict(self, plain: Replayed, pair: Pair) -> Replayed:
        one, other = pair.written, pair.other
        assert other is not None
        location = self._labels.location(one.key)
        if location is None:
            return replace(
                plain, verdict="not_replayable", reason="where it lies is not recorded: there is nothing to compare with"
            )
        if (one.version is None) != (other.version is None):
            told = (
                "it was a Delta table then, and is none now"
                if other.version is None
                else "it was no Delta table then, and is one now"
            )
            return replace(plain, reason=told, causes=self._causes(pair, location))
        if one.version is None or other.version is None:
            return self._files(plain, pair, location)
        before = None if pair.whole else (one.version - 1, other.version - 1)
        answer = self._state(plain, pair, location, (one.version, other.version), before)
        return self._left(answer, pair, location) if pair.last and answer.holds else answer

    def _left(self, answer: Replayed, pair: Pair, location: str) -> Replayed:
        """With what both did to the table after their last write of rows: what is left is to be the same, too."""
        then, now = pair.written.version, pair.other.version if pair.other is not None else None
        assert then is not None
        assert now is not None
        key = pair.written.key
        made, commits = list(self._then.get(key, ())), self._layer.commits(key)
        places = [at for at, (version, table) in enumerate(made) if (version, table) == (then, pair.written.table_id)]
        after = dict(made[places[-1] + 1 :]) if places else {}
        if any(version <= then for version in after):
            told = "the run dropped the table after this write, and made it again: what it left of it is not compared"
            return replace(answer, reason="; ".join(part for part in (answer.reason, told) if part))
        last = then
        while last + 1 in after:
            last += 1
        ends = last, max((now, *commits))
        later = [(location, version) for version in range(then + 1, ends[0] + 1)]
        later += [(str(self._layer.log(key)), version) for version in range(now + 1, ends[1] + 1)]
        apart = [version for version in after if version > last and _bears_on_rows(location, version)]
        if apart:
            told = f"what the run did to the table in version {min(apart)} cannot be told from what others did before it"
            return replace(answer, verdict="not_replayable", reason=told)
        if not any(_bears_on_rows(*one) for one in later):
            return answer
        of_last = after.get(last, pair.written.table_id)  # CREATE OR REPLACE gives it another id
        ended = replace(pair, written=replace(pair.written, table_id=of_last))
        found = self._state(answer, ended, location, ends, None if pair.whole else (then, now))
        if found.holds:
            return answer
        return replace(found, reason=f"what the job left of the table after this write is not the same: {found.reason}")

    def _state(
        self, plain: Replayed, pair: Pair, location: str, versions: tuple[int, int], before: tuple[int, int] | None
    ) -> Replayed:
        """Of a version of a table then and one now. `before`: those whose rows are taken away from them."""
        (then, now), key = versions, pair.written.key
        expected = expected_of_state(self._reading, self._store, replace(pair.written, version=then), location)
        lost = self._lost(key, pair.other, location)
        if lost is not None:
            return self._without(plain, pair, location, expected, lost)
        frame = version_frame(self._reading, self._view.location(location), now)
        if before is None:
            return self._held(plain, pair, location, expected, frame, None)
        if expected.recorded is None:
            gone = f"what it wrote cannot be read any more: {expected.gone}"
            return replace(plain, verdict="not_replayable", reason=gone)
        taken = tuple(
            self._taken(place, version, expected.schema)
            for place, version in zip((location, self._view.location(location)), before, strict=True)
        )
        return self._held(plain, pair, location, replace(expected, sums=None), frame, taken)

    def _taken(self, location: str, version: int, schema: StructType) -> list[Term]:
        return [] if version < 0 else [Term(padded(version_frame(self._reading, location, version), schema), -1)]

    def _lost(self, key: DatasetKey, other: Written | None, location: str) -> str | None:
        """What became of a table that the job wrote, where it is not there any more."""
        assert other is not None
        assert other.version is not None
        commits, made = self._layer.commits(key), self._made.get(key, ())
        if not commits:
            there = self._is_there(f"{location}/_delta_log")
            return None if there else "the job deleted the table after it had written it"
        last = max((place for place, (_, table_id) in enumerate(made) if table_id == other.table_id), default=-1)
        again = any(version <= other.version and table_id != other.table_id for version, table_id in made[last + 1 :])
        if again or commits[-1] < other.version:
            return "the job dropped the table after it had written it, and made another one in its place"
        return None

    def _is_there(self, location: str) -> bool:
        """As the job left it."""
        path = self._reading._jvm.org.apache.hadoop.fs.Path(self._view.location(location))  # type: ignore[union-attr]
        conf = self._reading._jsparkSession.sessionState().newHadoopConf()
        return bool(path.getFileSystem(conf).exists(path))

    def _without(self, plain: Replayed, pair: Pair, location: str, expected: Expected, lost: str) -> Replayed:
        if expected.recorded is None:
            return replace(plain, verdict="not_replayable", reason=f"{lost}, and that of then cannot be read: {expected.gone}")
        return replace(plain, verdict="different", reason=lost, causes=self._causes(pair, location))

    def _files(self, plain: Replayed, pair: Pair, location: str) -> Replayed:
        one = self._with_command(pair.past, pair.written)
        command = one.command or {}
        as_text(self._reading, True)
        expected = expected_of_files(self._reading, self._store, one, location, folder=True)
        if not self._layer.has(one.key) and not self._is_there(location):
            return self._without(plain, pair, location, expected, "the job deleted it after it had written it")
        then, now = format_of(self._store, one, location), recorded_format(self._replays, one.key)
        if now is not None and now != then:
            if expected.recorded is None:
                told = f"it is {now} now, and whether it was that then is not known: {expected.gone}"
                return replace(plain, verdict="not_replayable", reason=told)
            reason = f"it was written as {then} then, and as {now} now"
            return replace(plain, reason=reason, causes=self._causes(pair, location))
        place = self._view.location(location)
        if expected.recorded is None:  # a checksum that is kept is of partitions as Spark takes them
            named = rows_of_files(self._reading, then, place, command).schema
            as_text(self._reading, False)
            frame = rows_of_files(self._reading, then, place, command)
            plainly = self._written_plainly(pair)
            typed = (field.name for field, text in zip(frame.schema, named, strict=True) if field.dataType != text.dataType)
            if texts := [name for name in typed if name.lower() not in plainly]:
                told = f"how its partitions are spelled ({', '.join(texts)}) is not known any more: {expected.gone}"
                return replace(plain, verdict="not_replayable", reason=told)
        else:
            frame = rows_of_files(self._reading, then, place, command)
            if then == "csv" and not one.command:
                expected, frame = self._headless(pair, expected, frame)
        answer = self._held(plain, pair, location, expected, frame, None)
        if answer.holds and has_header(self._reading, then, location, command) > has_header(
            self._reading, then, place, command
        ):
            reason = "its files began with a header then, and have none now"
            return replace(answer, verdict="different", reason=reason, causes=self._causes(pair, location))
        counts = self._counts(pair, expected, command)
        if answer.holds and counts is not None and counts[0] != counts[1]:
            causes = self._causes(pair, location)
            return replace(answer, verdict="different", reason=other_counts(*counts), rows=counts, columns=(), causes=causes)
        return answer

    def _counts(self, pair: Pair, expected: Expected, command: Mapping[str, Any]) -> tuple[int, int] | None:
        """How many rows both wrote, where lines do not tell it and both wrote all that is there."""
        one, other = pair.written, pair.other
        if expected.lines is None or other is None or one.rows is None or other.rows is None:
            return None
        whole = all(output.mode in FULL_OVERWRITES for output in (one, other))
        return (one.rows, other.rows) if whole and expected.lines.leaves_out(command.get("outputColumnNames") or ()) else None

    def _written_plainly(self, pair: Pair) -> set[str]:
        """Columns that both wrote as numbers, dates and their like, of the same type: each value has one spelling."""
        assert pair.other_past is not None
        sides = (self._store, pair.past), (self._replays, pair.other_past)
        then, now = (recorded_schema(store, one.execution_id, pair.written.key) or StructType() for store, one in sides)
        types = {field.name.lower(): field.dataType for field in now}
        return {
            field.name.lower()
            for field in then
            if field.dataType == types.get(field.name.lower()) and not isinstance(field.dataType, (StringType, TimestampType))
        }

    def _held(
        self,
        plain: Replayed,
        pair: Pair,
        location: str,
        expected: Expected,
        now: DataFrame,
        taken: tuple[list[Term], ...] | None,
    ) -> Replayed:
        """The verdict on what was written and what is there now. `taken`: of both, what others wrote, or what was there before."""
        one = pair.written
        keyed = None if one.key_column is None else one.key_column.name
        shaped = {name: how for name, how in _misfits(expected.schema, now.schema).items() if name != keyed}
        if any(" was " in how for how in shaped.values()):  # of another type: its values are not compared
            reason = f"it has other columns: {'; '.join(shaped.values())}"
            return replace(
                plain, verdict="different", reason=reason, columns=tuple(shaped), causes=self._causes(pair, location)
            )
        recorded: Sequence[Term] | None = expected.recorded
        replayed = [Term(padded(now, expected.schema))]
        if taken is not None:
            recorded, replayed = [*(recorded or ()), *taken[0]], [*replayed, *taken[1]]
        found = sums_of(replayed, expected.columns)
        then = expected.sums if expected.sums is not None else sums_of(recorded or (), expected.columns)
        answer = replace(
            plain, verdict="different", whole=taken is None, rows=(then.rows, found.rows), checksums=(then.checksum, found.checksum),
            schema_hash=schema_hash(expected.columns),
        )  # fmt: skip
        if then == found and not shaped:
            return replace(answer, verdict="identical")
        declared = declared_in(self._options.volatile, expected.schema) if expected.lines is None else ()
        unsure = expected.volatile or declared or any(has_floats(field.dataType) for field in expected.schema)
        if recorded is None and then != found and not shaped and unsure:
            told = f"its checksum differs, and whether it does beyond floats and columns that are not compared cannot be told: {expected.gone}"
            return replace(plain, verdict="not_replayable", reason=told)
        causes = self._causes(pair, location, expected)
        reason = f"it has other columns: {'; '.join(shaped.values())}"
        if then == found or recorded is None:
            why = reason if shaped else f"the checksum is another one; which rows differ cannot be told: {expected.gone}"
            return replace(answer, verdict="different", reason=why, columns=tuple(shaped), causes=causes)
        own = dict(expected.volatile or {})
        differing, declared = self._difference(pair, expected, recorded, replayed, own)
        answer = judged(answer, differing, own, declared, causes, self._options.tolerance)
        if not shaped:
            return answer
        reasons = "; ".join(part for part in (reason, answer.reason) if part)
        columns = tuple(dict.fromkeys((*shaped, *answer.columns)))
        return replace(answer, verdict="different", reason=reasons, columns=columns, causes=causes)

    def _difference(
        self, pair: Pair, expected: Expected, recorded: Sequence[Term], replayed: Sequence[Term], own: Mapping[str, str]
    ) -> tuple[Difference, tuple[str, ...]]:
        """Of lines by the columns that are recorded of them, where they can be parted into these; and the columns that were declared volatile."""
        options = self._options
        if expected.lines is not None:
            schema = recorded_schema(self._store, pair.past.execution_id, pair.written.key)
            if schema is not None:
                found = expected.lines.difference(
                    recorded, replayed, schema, options.volatile, options.tolerance, options.sample
                )  # fmt: skip
                if found is not None:
                    return found, declared_in(options.volatile, schema)
        declared = declared_in(options.volatile, expected.schema) if expected.lines is None else ()
        found = difference(recorded, replayed, expected.schema, [*own, *declared], options.tolerance, options.sample)
        return found, declared

    def _headless(self, pair: Pair, expected: Expected, now: DataFrame) -> tuple[Expected, DataFrame]:
        """Without the headers, of which there may be another number of files. Of CSV whose plan is not kept."""
        schema = recorded_schema(self._store, pair.past.execution_id, pair.written.key)
        if schema is None or expected.recorded is None:
            return expected, now
        then, now = without_headers(expected.recorded[0].frame, now, schema.names)
        return replace(expected, recorded=(Term(then),)), now

    def _with_command(self, one: Past, output: Written) -> Written:
        """With the command that wrote it, where a plan of it is kept: its options tell how lines are to be read."""
        with contextlib.suppress(LineageError):
            found = find(
                self._store.location, one.execution_id, executables=self._options.executables, key=self._options.key, trusted=True
            )  # fmt: skip
            commands = found.commands or (None,)
            every = with_plans(one.outputs, commands, parts_of(commands))
            return next(named for named in every if (named.key, named.version) == (output.key, output.version))
        return output

    def _causes(self, pair: Pair, location: str, expected: Expected | None = None) -> tuple[str, ...]:
        """As of a plan, in the same order; and what the replay's own lineage shows. `expected`: what was written, where it is known."""
        told = [*self._inputs(pair), *(one for one in self._world.doubts if one.startswith("another input"))]
        code = [*(one for one in self._world.doubts if one.startswith("changed code")), *self._code()]
        told += self._random(pair.past, expected, changed=bool(code))
        told += code
        told += [one for one in self._world.doubts if one.startswith("changed configuration")]
        told += self._settings()
        told += self._engines()
        told += [one for one in self._world.doubts if not one.startswith(("another input", "changed "))]
        return tuple(dict.fromkeys(told))

    def _inputs(self, pair: Pair) -> list[str]:
        """What the execution read and its counterpart did not, or in another version, by the lineage of both."""
        if pair.other_past is None:
            return []
        then, now = (
            _read(store, one.execution_id) for store, one in ((self._store, pair.past), (self._replays, pair.other_past))
        )
        told = []
        for key in then:
            label = self._differing.get(key)
            if label is not None:
                told.append(f"another input: {label}, which the job wrote before, is different itself")
            elif key not in now:
                told.append(f"another input: {key[1]} was read then, and is not now")
            elif then[key] != now[key]:
                before, after = (", ".join(sorted(map(str, read[key]))) for read in (then, now))
                told.append(f"another input: {key[1]} was read in version {before} then, and in {after} now")
        told += [f"another input: {key[1]} is read now, and was not then" for key in now if key not in then]
        return told

    def _random(self, one: Past, expected: Expected | None, changed: bool) -> list[str]:
        """What in the recorded plan need not give the same each time; functions of users only where their code is not known to have changed."""
        try:
            found = find(
                self._store.location, one.execution_id, executables=self._options.executables, key=self._options.key,
                trusted=self._options.trusted,
            )  # fmt: skip
            rows = restore(self._spark, found)
            doubts = doubts_of(rows)
        except (LineageError, PySparkException, Py4JJavaError):
            return []
        left: tuple[str, ...] = ()
        commands = found.commands or (None,)
        if expected is not None and len(commands) == 1 and (commands[0] or {}).get("class") not in COMMANDS:
            with contextlib.suppress(PySparkException, Py4JJavaError):
                left = defaulted(rows, expected.schema, expected.table)
        told = [random_cause(doubt) for doubt in doubts if not doubt.startswith(FUNCTION)]
        if found.executable.instant_basis is not None:
            told.append("non-deterministic: current_timestamp (or current_date, now) is the time at which the job is run again")
        told += [f"non-deterministic: {name} was left to its default, which is not the same each time" for name in left]
        functions = [doubt.removeprefix(FUNCTION) for doubt in doubts if doubt.startswith(FUNCTION) and not changed]
        return told + [f"non-deterministic: {name} need not give the same each time" for name in functions]

    def _now(self) -> Mapping[str, Any] | None:
        columns = ["arguments", "code_commit", "code_dirty", "code_sha256", "entry_point", "spark_confs", "spark_version"]
        return next((row for row in self._replays.arrow("runs", columns).to_pylist() if row["entry_point"]), None)

    def _code(self) -> list[str]:
        now, then = self._now(), self._run
        if now is None:
            return []
        told = []
        if then["code_commit"] and now["code_commit"] and then["code_commit"] != now["code_commit"]:
            told.append(f"changed code: commit {then['code_commit'][:12]} then, {now['code_commit'][:12]} now")
        elif then["code_sha256"] and now["code_sha256"] and then["code_sha256"] != now["code_sha256"]:
            told.append(f"changed code: {now['entry_point']} is another file than {then['entry_point']} was (SHA-256)")
        if not self._given:
            return told
        if (
            None in (then["code_sha256"], now["code_sha256"])
            and then["entry_point"]
            and then["entry_point"] != now["entry_point"]
        ):
            told.append(f"changed code: {then['entry_point']} was run then, {now['entry_point']} now")
        before, after = (" ".join(map(shlex.quote, one["arguments"] or ())) or "none" for one in (then, now))
        if before != after:
            told.append(f"changed code: its arguments were {before} then, and are {after} now")
        return told

    def _engines(self) -> list[str]:
        """By what both runs say of themselves."""
        now = self._now()
        return [] if now is None else differing_engines((self._run["spark_version"], None), (now["spark_version"], None))

    def _settings(self) -> list[str]:
        now = self._now()
        return [] if now is None else settings_differing(dict(self._run["spark_confs"] or {}), dict(now["spark_confs"] or {}))


def _read(store: Store, execution_id: str) -> dict[DatasetKey, set[int | None]]:
    rows = store.arrow("inputs", ["namespace", "name", "delta_version"], f"execution_id = {literal(execution_id)}").to_pylist()
    found: dict[DatasetKey, set[int | None]] = {}
    for row in rows:
        found.setdefault((row["namespace"], row["name"]), set()).add(row["delta_version"])
    return found


def made_by(store: Store, condition: str | None = None) -> dict[DatasetKey, list[Made]]:
    """By dataset the versions that executions made of it, by whatever command, with the id of the table, in the order of the executions."""
    executions = store.arrow("executions", list(_ENDED), condition).to_pylist()
    ended = {row["execution_id"]: (row["ended_at"], row["sequence"]) for row in executions}
    rows = [row for row in store.arrow("outputs", list(_MADE), condition).to_pylist() if row["delta_version"] is not None]
    rows = sorted((row for row in rows if row["execution_id"] in ended), key=lambda row: ended[row["execution_id"]])
    found: dict[DatasetKey, list[Made]] = {}
    for row in rows:
        found.setdefault((row["namespace"], row["name"]), []).append((int(row["delta_version"]), row["table_id"]))
    return found


def _bears_on_rows(location: str, version: int) -> bool:
    """Whether a commit may leave other rows or columns, as far as its log tells."""
    actions = commit_actions(location, version)
    if actions is None or any(action.get("metaData") for action in actions):
        return True
    files = [action[kind] for action in actions for kind in ("add", "remove", "cdc") if action.get(kind)]
    return any(file.get("dataChange", True) for file in files)


def _misfits(then: StructType, now: StructType) -> dict[str, str]:
    """By column, how the schemas differ."""
    before, after = ({field.name.lower(): field for field in schema} for schema in (then, now))
    told = {field.name: f"{field.name} is missing" for key, field in before.items() if key not in after}
    told |= {field.name: f"{field.name} is new" for key, field in after.items() if key not in before}
    for key in sorted(before.keys() & after.keys()):
        if before[key].name != after[key].name:
            told[before[key].name] = f"{before[key].name} is spelled {after[key].name}"
        how = retype(before[key].name, before[key].dataType, after[key].dataType)
        if how is not None:
            told[before[key].name] = how
    return told
