"""What the replay of a job wrote, held against what the run wrote: which write belongs to which, and the verdict on each pair."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from ..errors import LineageError
from ..lineage.naming import DatasetKey
from ..snapshot.kinds import schema_hash
from ..snapshot.with_spark import first_line_of_spark
from ..store.tables import Store, literal
from ..store.views import FULL_OVERWRITES
from .causes import FUNCTION, differing_engines, doubts_of, random_cause, settings_differing
from .comparing import Term, difference, sums_of
from .executables import find, restore
from .judging import declared_in, judged
from .line_columns import recorded_schema, without_headers
from .outputs import Labels, Past, Written, with_plans
from .overlay import View
from .replaying import Options
from .verdict import Difference, Replayed
from .world import World
from .written import Expected, expected_of_state, padded, reading, retype, version_frame
from .written_files import expected_of_files, format_of, rows_of_files


@dataclass(frozen=True)
class Pair:
    """A write of the run and that of the replay. `whole`: the states before both were the same, so that those after can be compared. `note`: what
    has to be said of how they were paired."""

    past: Past
    written: Written
    other_past: Past | None = None
    other: Written | None = None
    whole: bool = True
    note: str | None = None


def pairs_of(
    recorded: Sequence[Past], replayed: Sequence[Past], at: Mapping[DatasetKey, int]
) -> tuple[list[Pair], list[tuple[Past, Written]]]:
    """The writes of a run in their order with those of its replay, dataset by dataset; and what only the replay wrote.

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
        follows, ours = _follow(mine, at.get(key, -1)), _follow(others, at.get(key, -1))
        if versioned and len(mine) == len(others):
            whole = True
            for one, other, *both in zip(mine, others, follows, ours, strict=True):
                overwritten = all(output.mode in FULL_OVERWRITES for _, output in (one, other))  # whatever was there before
                whole = overwritten or (whole and all(both))
                pairs.append(Pair(*one, *other, whole=whole))
            continue
        note = None if len(mine) == len(others) else f"it was written in {len(mine)} commits then, and in {len(others)} now"
        if versioned and not (all(follows) and all(ours)):
            note = f"{note}, with commits of others between: what it wrote cannot be told from what they did"
            pairs.append(Pair(*mine[-1], note=note, whole=False))
        else:
            pairs.append(Pair(*mine[-1], *others[-1], note=note if versioned else None))
    order = {one.execution_id: place for place, one in enumerate(recorded)}
    pairs.sort(key=lambda pair: order[pair.past.execution_id])
    return pairs, [others[-1] for others in now.values()]


def _by_dataset(executions: Sequence[Past]) -> dict[DatasetKey, list[tuple[Past, Written]]]:
    found: dict[DatasetKey, list[tuple[Past, Written]]] = defaultdict(list)
    for one in executions:
        for output in one.outputs:
            found[output.namespace, output.name].append((one, output))
    for mine in found.values():
        mine.sort(key=lambda pair: (pair[1].version is None, pair[1].version or 0))
    return found


def _follow(mine: Sequence[tuple[Past, Written]], at: int) -> list[bool]:
    """Of each write whether it came right after the one before it, the first after version `at`."""
    found = []
    for _, output in mine:
        found.append(output.version is None or output.version == at + 1)
        at = -2 if output.version is None else output.version
    return found


class Comparing:
    """Verdicts on pairs. `universe`: the file that tells the overlay of it."""

    def __init__(
        self,
        store: Store,
        replays: Store,
        spark: SparkSession,
        universe: Path,
        world: World,
        options: Options,
        run: Mapping[str, Any],
        told: Callable[[str], None],
    ) -> None:
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
        if one.version is not None and other.version is None:
            return replace(plain, reason="it was a Delta table then, and is none now", causes=self._causes(pair, location))
        if one.version is not None:
            expected, now = self._of_delta(one, other, location)
        else:
            expected, now = self._of_files(pair, location)
        keyed = None if one.key_column is None else one.key_column.name
        shaped = {name: how for name, how in _misfits(expected.schema, now.schema).items() if name != keyed}
        if any(" was " in how for how in shaped.values()):  # of another type: its values are not compared
            reason = f"it has other columns: {'; '.join(shaped.values())}"
            return replace(plain, reason=reason, columns=tuple(shaped), causes=self._causes(pair, location))
        recorded: Sequence[Term] | None = expected.recorded
        replayed = [Term(padded(now, expected.schema))]
        sums = expected.sums
        if not pair.whole:
            assert one.version is not None
            assert other.version is not None
            sums = None
            if recorded is None:
                return replace(
                    plain, verdict="not_replayable", reason=f"what it wrote cannot be read any more: {expected.gone}"
                )
            recorded = [*recorded, *self._before(one, location, expected.schema)]
            replayed += self._before(other, self._view.location(location), expected.schema)
        found = sums_of(replayed, expected.columns)
        then = sums if sums is not None else sums_of(recorded or (), expected.columns)
        answer = replace(
            plain, whole=pair.whole, rows=(then.rows, found.rows), checksums=(then.checksum, found.checksum),
            schema_hash=schema_hash(expected.columns),
        )  # fmt: skip
        if then == found and not shaped:
            return replace(answer, verdict="identical")
        causes = self._causes(pair, location)
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

    def _of_delta(self, one: Written, other: Written, location: str) -> tuple[Expected, DataFrame]:
        assert other.version is not None
        expected = expected_of_state(self._reading, self._store, one, location)
        return expected, version_frame(self._reading, self._view.location(location), other.version)

    def _before(self, one: Written, location: str, schema: StructType) -> list[Term]:
        assert one.version is not None
        return [] if one.version == 0 else [Term(padded(version_frame(self._reading, location, one.version - 1), schema), -1)]

    def _of_files(self, pair: Pair, location: str) -> tuple[Expected, DataFrame]:
        one = self._with_command(pair.past, pair.written)
        expected = expected_of_files(self._reading, self._store, one, location, folder=True)
        source = format_of(self._store, one, location)
        now = rows_of_files(self._reading, source, self._view.location(location), one.command or {})
        return self._headless(pair, expected, now) if source == "csv" and not one.command else (expected, now)

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
            return next(named for named in with_plans((output,), commands, list(range(len(commands)))))
        return output

    def _causes(self, pair: Pair, location: str) -> tuple[str, ...]:
        """As of a plan, in the same order; and what the replay's own lineage shows."""
        told = [*self._inputs(pair), *(one for one in self._world.doubts if one.startswith("another input"))]
        code = [*(one for one in self._world.doubts if one.startswith("changed code")), *self._code()]
        told += self._random(pair.past, changed=bool(code))
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

    def _random(self, one: Past, changed: bool) -> list[str]:
        """What in the recorded plan need not give the same each time; functions of users only where their code is not known to have changed."""
        try:
            found = find(
                self._store.location, one.execution_id, executables=self._options.executables, key=self._options.key,
                trusted=self._options.trusted,
            )  # fmt: skip
            doubts = doubts_of(restore(self._spark, found))
        except (LineageError, PySparkException, Py4JJavaError):
            return []
        told = [random_cause(doubt) for doubt in doubts if not doubt.startswith(FUNCTION)]
        if found.executable.instant_basis is not None:
            told.append("non-deterministic: current_timestamp (or current_date, now) is the time at which the job is run again")
        functions = [doubt.removeprefix(FUNCTION) for doubt in doubts if doubt.startswith(FUNCTION) and not changed]
        return told + [f"non-deterministic: {name} need not give the same each time" for name in functions]

    def _now(self) -> Mapping[str, Any] | None:
        columns = ["code_commit", "code_dirty", "code_sha256", "entry_point", "spark_confs", "spark_version"]
        return next((row for row in self._replays.arrow("runs", columns).to_pylist() if row["entry_point"]), None)

    def _code(self) -> list[str]:
        now, then = self._now(), self._run
        if now is None:
            return []
        if then["code_commit"] and now["code_commit"] and then["code_commit"] != now["code_commit"]:
            return [f"changed code: commit {then['code_commit'][:12]} then, {now['code_commit'][:12]} now"]
        if then["code_sha256"] and now["code_sha256"] and then["code_sha256"] != now["code_sha256"]:
            return [f"changed code: {now['entry_point']} is another file than {then['entry_point']} was (SHA-256)"]
        return []

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


def _misfits(then: StructType, now: StructType) -> dict[str, str]:
    """By column, how the schemas differ."""
    before, after = ({field.name.lower(): field for field in schema} for schema in (then, now))
    told = {field.name: f"{field.name} is missing" for key, field in before.items() if key not in after}
    told |= {field.name: f"{field.name} is new" for key, field in after.items() if key not in before}
    for key in before.keys() & after.keys():
        how = retype(before[key].name, before[key].dataType, after[key].dataType)
        if how is not None:
            told[before[key].name] = how
    return told
