"""Runs the job of a recorded run again, unmodified, in the world as it was, and holds what it writes against what the run wrote.

The job's processes have the overlay file system for every other (`overlay.py`): what they read is as it stood then, what they write goes to a
scratch place. It records lineage into tables of its own there, which say what it wrote.
"""

from __future__ import annotations

import errno
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyspark
from pyspark.sql import SparkSession

from ..capture.redaction import with_patterns
from ..capture.strict import REFUSED
from ..config import load
from ..errors import ExecutableError, QueryError, StoreError
from ..ingest import ingest
from ..lineage.naming import DatasetKey
from ..store.tables import Store, in_parts, literal, one_of
from .code import Program, given, recorded
from .inputs import Missing
from .job_outputs import Comparing, made_by, pairs_of
from .judging import row_of
from .layer import Layer
from .outputs import Evidence, Labels, Past, past, run_of
from .overlay import COMMITTER, is_local, write_universe
from .process import NotStarted, environment, forced_options, hive_settings, how_it_ended, last_words, run, settings_of
from .replaying import Options, check, is_own
from .scratch import check_place, is_full, scratch_place
from .session import master, session
from .verdict import Replayed
from .world import World, world_of

_RUN = (
    "run_id", "application_id", "job_name", "started_at", "status", "entry_point", "arguments", "command", "working_directory", "code_repository",
    "code_commit", "code_dirty", "code_sha256", "spark_confs", "spark_version",
)  # fmt: skip
_ZONE = "spark.sql.session.timeZone"
_ALONE = "the job wrote it in the replay alone"
_REFUSED = re.compile(r"spark-lineage replay: (?P<reason>[^\n]+)")


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """`command`: to be run instead of the recorded one. `scratch`: a folder to make the scratch place in. `keep`: do not take it away afterwards.
    `strict`: what goes round the file systems of Spark is refused, as far as Python sees it."""

    command: tuple[str, ...] = ()
    scratch: str = ""
    keep: bool = False
    strict: bool = False


_OPTIONS, _JOB = Options(), JobOptions()


def replay_job(
    store: Store,
    wanted: str,
    options: Options = _OPTIONS,
    job: JobOptions = _JOB,
    spark: SparkSession | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> Iterator[Replayed]:
    """A verdict for each dataset that a run wrote, write by write.

    Raises NotFound, Ambiguous and QueryError before anything is begun, for what names no run that can be replayed, and for a command, a session or
    a scratch place that cannot be used: what the caller can put right is no verdict on the run.
    """
    check(options)
    program = given(job.command) if job.command else None
    named = spark.sparkContext.master if spark is not None else master()
    if named is not None and not is_local(named):
        raise QueryError(
            f"the result of a replayed job is compared in a local session, and the master of yours is {named}: "
            "set spark.master to local[*] in the folder of SPARK_CONF_DIR, or in PYSPARK_SUBMIT_ARGS"
        )
    run_id = _run_id(store, wanted)
    mine = past(store, f"run_id = {literal(run_id)}")
    if not mine:
        raise QueryError(f"run {run_id} wrote no rows that are recorded: there is nothing to replay")
    if not job.command and not options.trusted and not is_own(store, "runs"):
        raise QueryError(
            "the tables are not yours, and whoever writes to them could have a command of theirs run as you: --trust-store says that you trust them, "
            "or name the command after `--`"
        )
    return _Job(store, run_id, mine, options, job, program, spark, told).verdicts()


def _run_id(store: Store, wanted: str) -> str:
    if ":" in wanted:
        raise QueryError(f"{wanted} is an execution; a job is replayed as a whole: name the run {wanted.partition(':')[0]}")
    return run_of(store, wanted, wanted)


class _Job:
    def __init__(
        self,
        store: Store,
        run_id: str,
        mine: Sequence[Past],
        options: Options,
        job: JobOptions,
        program: Program | None,
        spark: SparkSession | None,
        told: Callable[[str], None],
    ) -> None:
        self._store, self._run_id, self._mine = store, run_id, mine
        self._options, self._job, self._given, self._spark, self._told = options, job, program, spark, told
        self._labels = Labels(store)
        self._spark_version = pyspark.__version__
        self._ran: dict[str, Any] = {}
        self._exit: int | None = None
        rows = store.arrow("runs", list(_RUN)).to_pylist()
        (self._run,) = (row for row in rows if row["run_id"] == run_id)
        application = self._run["application_id"]
        self._runs = [row for row in rows if application is not None and row["application_id"] == application] or [self._run]
        self._program_run = next((row for row in self._runs if row["entry_point"]), self._run)
        if self._run["status"] == "running":
            raise QueryError(
                f"run {run_id} has not ended, as far as is recorded: there is nothing yet to hold a replay against; what it wrote "
                "so far can be replayed from its plans, without --job"
            )
        self._command: tuple[str, ...] | None = None
        if job.command:
            confs = dict(self._program_run["spark_confs"] or {})
            redaction = with_patterns([*load(confs.get).redact, confs.get("spark.redaction.regex", "")])
            self._command = tuple(redaction.arguments(job.command))
        check_place(store, job.scratch)

    def verdicts(self) -> Iterator[Replayed]:
        replay_id, began, evidence = str(uuid.uuid4()), datetime.now(UTC), Evidence(self._store)
        with scratch_place(self._job.scratch, self._job.keep, self._told) as scratch:
            try:
                prepared = self._prepared(scratch)
            except (Missing, ExecutableError) as error:
                found: Iterator[Replayed] = iter(
                    [self._cannot(one, output, str(error)) for one in self._mine for output in one.outputs]
                )
            else:
                found = self._replayed(scratch, *prepared)
            for replayed in found:
                ended = datetime.now(UTC)
                replayed = evidence.added(self._as_run(replace(replayed, seconds=(ended - began).total_seconds())))
                self._store.append("replays", [row_of(replay_id, replayed, self._spark_version, began, ended)], None)
                began = ended
                yield replayed

    def _as_run(self, one: Replayed) -> Replayed:
        """With what tells it from a replay of the recorded command by its own code."""
        return replace(
            one, replay_mode="job", trusted=self._options.trusted, strict=self._job.strict, replayed_command=self._command,
            replayed_commit=self._ran.get("code_commit"), replayed_sha256=self._ran.get("code_sha256"), job_exit_code=self._exit,
        )  # fmt: skip

    def _cannot(self, one: Past, output: Any, reason: str) -> Replayed:
        return replace(self._plain(one, output), verdict="not_replayable", reason=reason)

    def _session(self) -> SparkSession:
        try:
            self._spark = self._spark or session()
        except ExecutableError as error:  # nothing that the recorded run can be blamed for
            raise QueryError(str(error)) from error
        return self._spark

    def _plain(self, one: Past, output: Any) -> Replayed:
        return Replayed(
            execution_id=one.execution_id, run_id=one.run_id, job_name=one.job_name, operation=one.operation, verdict="different",
            namespace=output.namespace, name=output.name, table_id=output.table_id, version=output.version, label=self._labels.label(output.key),
            tolerance=self._options.tolerance, volatile=self._options.volatile,
        )  # fmt: skip

    def _prepared(self, scratch: Path) -> tuple[World, Program, dict[str, str]]:
        confs = dict(self._program_run["spark_confs"] or {})
        ids = [row["run_id"] for row in self._runs]
        starts = [row["started_at"] for row in self._runs if row["started_at"]]
        program = self._given or recorded(self._program_run, scratch)
        world = world_of(self._store, ids, min(starts, default=None), scratch / "copies", confs, self._session, program.has)
        world.doubts += program.doubts
        zones = self._zones(ids) if _ZONE not in confs else set()
        if len(zones) == 1:  # what the job sets itself comes after it
            confs |= {_ZONE: zones.pop()}
            self._program_run = {**self._program_run, "spark_confs": confs}
        elif zones:
            told = f"changed configuration: {_ZONE} was {' and '.join(sorted(zones))}, and which of them is the machine's is not recorded"
            world.doubts.append(told)
        settings = settings_of(confs, world.doubts)
        there = str(program.directory) if self._given else self._program_run["working_directory"] or str(program.directory)
        warehouse = settings.setdefault("spark.sql.warehouse.dir", f"file:{there}/spark-warehouse")
        forced = {f"spark.lineage.{name}": value for name, value in forced_options(scratch).items()}
        forced |= {"spark.sql.warehouse.dir": warehouse, "spark.eventLog.enabled": "false"}
        forced |= {f"spark.hadoop.{name}": value for name, value in hive_settings(scratch).items()}
        forced |= COMMITTER
        lines = [
            ("scratch", str(scratch)),
            ("working_directory", there),
            ("asis", f"file:{scratch}"),  # the code of then is there, as new as it is, and what the job keeps for itself
            *world.lines,
            *(("conf", *pair) for pair in forced.items()),
        ]
        write_universe(scratch / "universe", lines)
        return world, program, environment(scratch, settings, self._job.strict)

    def _zones(self, runs: Sequence[str]) -> set[str]:
        """Those that sessions had, of the machine or set by the job itself: which of them is not recorded."""
        condition = " or ".join(one_of("run_id", part) for part in in_parts(runs))
        rows = self._store.arrow("executions", ["session_confs_id"], condition).to_pylist()
        named = sorted({row["session_confs_id"] for row in rows if row["session_confs_id"]})
        wanted = (" or ".join(one_of("session_confs_id", part) for part in in_parts(named)),) if named else ()
        confs = [
            dict(row["confs"] or ()) for one in wanted for row in self._store.arrow("session_confs", ["confs"], one).to_pylist()
        ]
        return {one[_ZONE] for one in confs if _ZONE in one}

    def _replayed(self, scratch: Path, world: World, program: Program, variables: dict[str, str]) -> Iterator[Replayed]:
        log = scratch / "job.log"
        self._told(f"{' '.join(program.command)} (in {program.directory})")
        try:
            self._exit = code = run(program, variables, log, self._told)
            failure = _failure(log, code)
            if failure and is_full(scratch):
                failure = f"{_FULL.format(scratch)} ({failure})"
            refused = scratch / REFUSED
            for line in dict.fromkeys(refused.read_text(encoding="utf-8").splitlines() if refused.is_file() else ()):
                self._told(f"refused: {line}")
                world.doubts.append(f"the job was refused {line} (--strict)")
            if failure:
                world.doubts.insert(0, failure)
                for line in last_words(log):
                    self._told(f"| {line[:300]}")
            yield from self._compared(scratch, world, failure)
        except NotStarted as error:
            if self._given:
                raise QueryError(str(error)) from error
            yield from (self._cannot(one, output, str(error)) for one in self._mine for output in one.outputs)
        except (ExecutableError, OSError, StoreError) as error:
            if isinstance(error, StoreError) and not is_full(scratch):
                raise
            reason = _of_disk(error, scratch)
            yield from (self._cannot(one, output, reason) for one in self._mine for output in one.outputs)

    def _compared(self, scratch: Path, world: World, failure: str) -> Iterator[Replayed]:
        lineage = scratch / "lineage"
        if (scratch / "inbox").is_dir():
            ingest(str(scratch / "inbox"), str(lineage), final=True)
        replays = Store.open(str(lineage), create=True)
        told = replays.arrow("runs", ["spark_version", "entry_point", "code_commit", "code_sha256"]).to_pylist()
        self._spark_version = next((str(one["spark_version"]) for one in told if one["spark_version"]), self._spark_version)
        self._ran = next((one for one in told if one["entry_point"]), {})
        condition = " or ".join(one_of("run_id", part) for part in in_parts([row["run_id"] for row in self._runs]))
        recorded_ones, made = past(self._store, condition), made_by(self._store, condition)
        pairs, extra = pairs_of(recorded_ones, past(replays), world.at, made)
        mine = {one.execution_id for one in self._mine}
        no_lineage = not replays.arrow("runs", ["run_id"]).num_rows
        wanted = [pair for pair in pairs if pair.past.execution_id in mine]
        if any(pair.other is not None for pair in wanted):
            spark = self._session()
            comparing = Comparing(
                self._store,
                replays,
                spark,
                scratch / "universe",
                world,
                self._options,
                self._program_run,
                made,
                self._given is not None,
                self._told,
            )
        for pair in wanted:
            plain = self._plain(pair.past, pair.written)
            if pair.other is not None and not (failure and pair.note):
                answer = comparing.verdict(plain, pair)
                yield replace(answer, reason="; ".join(part for part in (answer.reason, failure) if part) or None)
            elif pair.note and not failure:
                yield replace(plain, verdict="not_replayable", reason=pair.note)
            elif failure:
                yield replace(plain, verdict="not_replayable", reason=failure)
            elif no_lineage:
                yield replace(plain, verdict="not_replayable", reason="the job left no lineage: nothing tells what it wrote")
            else:
                yield replace(plain, reason="the job did not write it this time", causes=tuple(world.doubts))
        labels = Labels(replays)
        touched = {(output.namespace, output.name) for _, output in extra}
        for one, output in extra:
            yield self._alone(output.key, labels.label(output.key), one.operation, _ALONE, world)
        known = {pair.written.key for pair in pairs} | made.keys()
        for key in sorted(made_by(replays).keys() - known - touched):  # by commands that write no rows of a query, as RESTORE
            yield self._alone(key, labels.label(key), "write", _ALONE, world)
        layer = Layer(scratch)
        for key in self._labels.datasets():
            if key not in known and key not in world.copied and layer.is_deleted(key):
                yield self._alone(key, self._labels.label(key), "delete", "the job deleted it in the replay alone", world)

    def _alone(self, key: DatasetKey, label: str, operation: str, reason: str, world: World) -> Replayed:
        """Of what the recorded run has no write of."""
        plain = replace(self._plain(self._mine[-1], self._mine[-1].outputs[-1]), namespace=key[0], name=key[1], label=label)
        return replace(plain, operation=operation, table_id=None, version=None, reason=reason, causes=tuple(world.doubts))


def _failure(log: Path, code: int) -> str:
    """Why the job ended badly, in a line."""
    if not code:
        return ""
    refused = [found["reason"] for line in last_words(log, 400) if (found := _REFUSED.search(line))]
    return f"the job was refused: {refused[-1]}" if refused else how_it_ended(log, code)


_FULL = "the scratch place {} is full; name another one with --scratch"


def _of_disk(error: Exception, scratch: Path) -> str:
    if is_full(scratch) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return _FULL.format(scratch)
    return str(error)
