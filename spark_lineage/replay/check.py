"""What can still be replayed, and until when that is sure, from the lineage tables and the logs of Delta tables alone: without Spark.

Each dataset version is looked for once, however many executions read it.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import NotFound, QueryError, SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import REDACTED
from ..snapshot.availability import Availability, availability
from ..snapshot.delta import absolute
from ..snapshot.recorded_versions import key_of, locations
from ..snapshot.unversioned import CHANGED, recorded_files, recorded_part
from ..store.listing import WHOLE, fingerprint_of, listed
from ..store.tables import Store, in_parts, literal, one_of
from .formats import not_given_again
from .inputs import archive_of, dataset_of_parts, milliseconds
from .outputs import UNKNOWN_PLAN, Past, Written, executions_of, past, with_plans, wrote_nothing
from .plans import STATEFUL, UNKNOWN_ROWS, parts_of, replaced

_IN_PLACES = {"update", "delete", "merge", "replace_where"}
"""Values of `outputs.write_mode` of writes into what was there before."""
_WHOLE_WRITES = {"create", "replace", "overwrite"}
_DRIVER = ("rows", "unknown")
_LOOKED_AT = 500
"""So many listings are looked for in folders that have grown."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An execution. `replayable` is None where that is not known (`deep` may tell). `until`: from then on something that it needs may be gone; None:
    there is no such time, or none is known."""

    execution_id: str
    run_id: str
    job_name: str | None
    operation: str
    ended_at: datetime
    replayable: bool | None
    until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class CheckedRun:
    """A run: it is replayable where each of its executions is."""

    run_id: str
    job_name: str | None
    ended_at: datetime
    replayable: bool | None
    executions: int
    replayable_executions: int
    until: datetime | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """`versions`: how many versions of datasets were looked for."""

    at: datetime
    runs: tuple[CheckedRun, ...]
    executions: tuple[Checked, ...]
    versions: int

    @property
    def holds(self) -> bool:
        return all(one.replayable for one in self.executions)


def check(store: Store, wanted: str, *, deep: bool = False, now: datetime | None = None) -> Check:
    """Of a run or an execution, of the history of a dataset, or of ``all``. Raises NotFound, Ambiguous, QueryError."""
    executions = _wanted(store, wanted)
    checking = _Checking(store, executions, deep, now or datetime.now(UTC))
    told = tuple(checking.execution(one) for one in executions)
    return Check(at=checking.now, runs=_runs(told), executions=told, versions=checking.versions)


def _wanted(store: Store, wanted: str) -> tuple[Past, ...]:
    if wanted == "all":
        return past(store)
    try:
        return executions_of(store, wanted)
    except NotFound as error:
        try:
            key = key_of(store, wanted)
        except NotFound:
            raise NotFound(f"{wanted!r} is no run and no dataset: {error}") from error
    written = f"namespace = {literal(key[0])} and name = {literal(key[1])}"
    ids = set(store.arrow("outputs", ["execution_id"], written).column(0).to_pylist())
    found = past(store, ids=ids)
    if not found:
        raise QueryError(f"nothing that is recorded wrote rows of {wanted}: there is nothing to replay")
    return found


class _Checking:
    def __init__(self, store: Store, executions: Sequence[Past], deep: bool, now: datetime) -> None:
        self.now = now
        self.versions = 0
        self._store = store
        self._deep = deep
        ids = {one.execution_id for one in executions}
        every = len(ids) > 2_000  # beyond that reading all costs less than naming them
        self._inputs = _inputs(store, None if every else ids)
        told = {one.execution_id for one in executions if _needs_commands(one)}
        self._plans = _plans(store, None if every else ids, told)
        self._formats = _formats(store)
        self._places = locations(store)
        plans_of_all = all(one.execution_id in self._plans.ids for one in executions)
        self._statements = set() if plans_of_all else _statements(store, None if every else ids)
        self._kept = _kept(store)
        self._preserved = _pairs(store, "preserved", "name", "fingerprint", "manifest is not null")
        self._archived = _pairs(store, "archives", "table_id", "delta_version")
        self._copies: dict[tuple[str | None, int], bool] = {}
        self._today: dict[str, frozenset[str]] = {}
        self._looked = 0
        self._known: dict[tuple[DatasetKey, str | None], dict[int, Availability]] = {}
        self._files: dict[tuple[str, str], str | None] = {}
        self._look(executions)

    def execution(self, one: Past) -> Checked:
        replayable: bool | None = True
        reason, until = self._plan(one), None
        if reason is not None:
            replayable = False
            if one.execution_id in self._statements and one.execution_id not in self._plans.ids:
                replayable, reason = None, f"{reason}; whether its SQL statement gives it again only a replay tells"
        else:
            for told in self._needs(one):
                if told.readable is False and self._in_an_archive(one, told):
                    continue
                if told.readable is False:
                    replayable, reason = False, f"{told.location}@{told.version}: {told.reason}"
                    break
                if told.readable is None and replayable:
                    replayable, reason = None, f"{told.location}@{told.version}: {told.reason}"
                if told.until is not None and told.bound in ("files", "log"):
                    until = told.until if until is None else min(until, told.until)
            changed = self._refused(one) or self._changed(one)
            if changed is not None:
                replayable, reason = False, changed
            elif replayable and one.execution_id in self._plans.stateful:
                replayable, reason = None, "its stream keeps a state: whether all that it has read is there only a replay tells"
            elif replayable and any(self._is_beside(output) for output in one.outputs):
                replayable, reason = (
                    None,
                    "it added files to a folder without versions: whether these can be told from others only a replay tells",
                )
            elif replayable and (elsewhere := self._elsewhere(one)) is not None:
                replayable, reason = None, f"{elsewhere} has no versions: only a replay, with Spark, can list its files"
        return Checked(
            execution_id=one.execution_id, run_id=one.run_id, job_name=one.job_name, operation=one.operation, ended_at=one.ended_at,
            replayable=replayable, until=until if replayable is not False else None, reason=reason,
        )  # fmt: skip

    def _in_an_archive(self, one: Past, told: Availability) -> bool:
        """Of what the plan reads alone: a replay reads that from there."""
        pair = told.table_id, told.version
        before = {
            (output.table_id, output.version - 1) for output in one.outputs if output.version and output.mode == "replace_where"
        }
        read = {read[1:3] for read in self._inputs.get(one.execution_id, ())}
        if pair not in self._archived or pair not in read or pair in before or one.is_batch:
            return False
        if pair not in self._copies:
            key = exact_place(absolute(told.location)).key
            self._copies[pair] = archive_of(self._store, key, told.table_id, told.version, told.location) is not None
        return self._copies[pair]

    def _plan(self, one: Past) -> str | None:
        if one.execution_id not in self._plans.ids:
            told = [reason.removeprefix("executable: ") for reason in one.reasons if reason.startswith("executable: ")]
            return f"no plan is kept: {told[0]}" if told else "no plan is kept (the option `executables`)"
        if one.execution_id in self._plans.driver:
            return "it read rows that lived in the driver"
        if one.execution_id in self._plans.secret:
            return "it read a source with secrets, which are not recorded"
        return None

    def _refused(self, one: Past) -> str | None:
        """What a replay refuses, whatever there is to be read, by what is known of the commands."""
        if one.execution_id in self._plans.stateful and any(output.mode != "overwrite" for output in one.outputs):
            return STATEFUL
        commands = self._plans.commands.get(one.execution_id)
        if commands is None:
            return None
        for output in with_plans(one.outputs, commands, parts_of(commands)):
            if output.part is None:
                return UNKNOWN_PLAN
            if output.mode == "replace_where" and replaced(output.command or {}) is None:
                return UNKNOWN_ROWS
            if output.version is None:
                why = not_given_again(self._formats.get(output.key), output.command or {})
                if why is not None and _is_listed(output):
                    return f"{self._places.get(output.key) or output.name} {why}"
        return None

    def _needs(self, one: Past) -> Iterable[Availability]:
        for key, table_id, version in self._versions_of(one):
            yield self._known[key, table_id][version]

    def _versions_of(self, one: Past) -> Iterable[tuple[DatasetKey, str | None, int]]:
        """What it read, what it wrote unless a checksum of that is enough, and what was there before where it wrote into that."""
        for key, table_id, version, _ in self._inputs.get(one.execution_id, ()):
            if version is not None:
                yield key, table_id, version
        for output in one.outputs:
            key = output.namespace, output.name
            if output.version is not None and not self._is_kept(output):
                yield key, output.table_id, output.version
            if output.version and output.mode in _IN_PLACES:
                yield key, output.table_id, output.version - 1

    def _is_kept(self, output: Written) -> bool:
        return output.mode in _WHOLE_WRITES and (output.table_id, output.version) in self._kept

    def _look(self, executions: Sequence[Past]) -> None:
        wanted: dict[tuple[DatasetKey, str | None], set[int]] = defaultdict(set)
        for one in executions:
            if self._plan(one) is None:
                for key, table_id, version in self._versions_of(one):
                    wanted[key, table_id].add(version)
        for (key, table_id), versions in wanted.items():
            self.versions += len(versions)
            place = self._places.get(key) or (key[1] if key[0] == "file" else None)
            self._known[key, table_id] = (
                availability(place, versions, table_id, deep=self._deep, now=self.now)
                if place is not None
                else {version: _nowhere(key, table_id, version) for version in versions}
            )

    def _changed(self, one: Past) -> str | None:
        """Of files without versions whether they are those of then, and of those that it wrote whether these are known, or a checksum of them."""
        for key, _, version, fingerprint in self._inputs.get(one.execution_id, ()):
            if version is None and fingerprint is not None and fingerprint.startswith(WHOLE) and key[0] == "file":
                reason = self._file(key, fingerprint, one)
                if reason is not None:
                    return reason
        for output in one.outputs:
            if output.version is None and not self._is_beside(output):
                reason = self._changed_output(output)
                if reason is not None:
                    return reason
        return None

    def _changed_output(self, output: Written) -> str | None:
        if wrote_nothing(output, self._formats.get(output.key)):
            return None
        if output.namespace != "file" or not _is_listed(output):
            return f"{output.name} has no versions, and no fingerprint of its files is recorded: nothing says what it wrote"
        if (None, output.fingerprint) in self._kept:
            return None
        if output.fingerprint in self._now(output.name):
            return None
        return f"what it wrote to {output.name} is not there any more, and no checksum of it is kept"

    def _is_beside(self, output: Written) -> bool:
        """Whether it is files beside others in a folder on a local disk, and not nothing."""
        return _is_added(output) and not wrote_nothing(output, self._formats.get(output.key))

    def _now(self, name: str) -> frozenset[str]:
        """The fingerprints that the files of a folder have today."""
        if name not in self._today:
            self.versions += 1
            with contextlib.suppress(OSError):
                listings = (listed(Path(name), everything) for everything in (False, True))
                self._today[name] = frozenset(fingerprint_of(files) for files in listings if files)
        return self._today.setdefault(name, frozenset())

    def _has_grown(self, name: str, fingerprint: str, ended: datetime) -> bool:
        """Whether the files of then are all there, beside others that came since. Looked for of so many that it takes seconds."""
        self._looked += 1
        if not self._now(name) or self._looked > _LOOKED_AT:
            return False
        try:
            return bool(recorded_files(name, fingerprint, milliseconds(ended), earlier=True))
        except SnapshotError:
            return False

    def _elsewhere(self, one: Past) -> str | None:
        """Files without versions that are on no local disk."""
        for key, _, version, fingerprint in self._inputs.get(one.execution_id, ()):
            if version is None and fingerprint is not None and fingerprint.startswith(WHOLE) and key[0] != "file":
                return f"{key[0]}/{key[1].lstrip('/')}"
        return None

    def _has_part(self, key: DatasetKey, fingerprint: str, one: Past) -> bool:
        """Whether it is the listing of folders of partitions that a plan names, or of those files of them that were there then."""
        for paths in self._plans.paths.get(one.execution_id, ()):
            if dataset_of_parts(paths) == key:
                with contextlib.suppress(SnapshotError):
                    return bool(
                        recorded_part([absolute(path) for path in paths], fingerprint, milliseconds(one.ended_at), earlier=True)
                    )
        return False

    def _file(self, key: DatasetKey, fingerprint: str, one: Past) -> str | None:
        known = key[1], fingerprint
        if known not in self._files:
            there = fingerprint in self._now(key[1]) or known in self._preserved or self._has_part(key, fingerprint, one)
            there = there or self._has_grown(*known, one.ended_at)
            more = (
                ""
                if self._looked <= _LOOKED_AT
                else f"; beyond {_LOOKED_AT} listings it is not looked for those of then among them"
            )
            self._files[known] = None if there else f"{key[1]}: {CHANGED}{more}"
        return self._files[known]


def _is_listed(output: Written) -> bool:
    return output.fingerprint is not None and output.fingerprint.startswith(WHOLE)


def _needs_commands(one: Past) -> bool:
    """Whether it is their commands that say if what it wrote is compared."""
    return len(one.outputs) > 1 or any(output.version is None or output.mode == "replace_where" for output in one.outputs)


def _is_added(output: Written) -> bool:
    """Whether it is files beside others in a folder on a local disk."""
    return output.version is None and output.namespace == "file" and output.mode not in _WHOLE_WRITES


_Read = tuple[DatasetKey, str | None, int | None, str | None]


def _inputs(store: Store, ids: set[str] | None) -> dict[str, list[_Read]]:
    columns = ["execution_id", "namespace", "name", "table_id", "delta_version", "fingerprint"]
    found: dict[str, list[_Read]] = defaultdict(list)
    for table in _tables(store, "inputs", columns, ids):
        for execution, namespace, name, table_id, version, fingerprint in zip(
            *(table.column(one).to_pylist() for one in columns), strict=True
        ):
            found[execution].append(((namespace, name), table_id, version, fingerprint))
    return found


_Commands = tuple[Mapping[str, Any] | None, ...]


@dataclass(frozen=True)
class _Plans:
    """Executions that have a plan, by their ids: `driver` read rows that lived in the driver, `secret` with secrets that are not recorded, `stateful` are
    of streams that keep a state. `commands`: those of the executions that were asked for, and of those with several. `paths`: of each read of
    files."""

    ids: set[str] = field(default_factory=set)
    driver: set[str] = field(default_factory=set)
    secret: set[str] = field(default_factory=set)
    stateful: set[str] = field(default_factory=set)
    commands: dict[str, _Commands] = field(default_factory=dict)
    paths: dict[str, list[list[str]]] = field(default_factory=dict)


def _plans(store: Store, ids: set[str] | None, wanted: set[str]) -> _Plans:
    """`wanted`: those whose commands are given."""
    found = _Plans()
    for table in _tables(store, "plan_executables", ["execution_id", "leaves", "commands"], ids):
        for batch in table.to_batches():
            names, leaves, commands = batch.columns
            found.ids.update(names.to_pylist())
            each, of_leaf = leaves.flatten(), pc.list_parent_indices(leaves)
            kinds = pc.struct_field(each, "kind")
            found.driver.update(names.take(of_leaf.filter(pc.is_in(kinds, pa.array(_DRIVER)))).to_pylist())
            files = pc.equal(kinds, "files")
            paths = pc.struct_field(each, "paths").filter(files).to_pylist()
            for name, some in zip(names.take(of_leaf.filter(files)).to_pylist(), paths, strict=True):
                found.paths.setdefault(name, []).append(some or [])
            found.secret.update(names.take(of_leaf.filter(_hidden(pc.struct_field(each, "options")))).to_pylist())
            keeps = pc.fill_null(pc.match_substring_regex(commands.flatten(), r'"stateful":\s*true'), False)
            found.stateful.update(names.take(pc.list_parent_indices(commands).filter(keeps)).to_pylist())
            asked = pc.is_in(names, pa.array(sorted(wanted), pa.string()))
            at = pc.indices_nonzero(pc.or_(asked, pc.greater(pc.list_value_length(commands), 1)))
            for name, texts in zip(names.take(at).to_pylist(), commands.take(at).to_pylist(), strict=True):
                found.commands[name] = tuple(None if text is None else json.loads(text) for text in texts or ()) or (None,)
    return found


def _hidden(options: pa.Array) -> pa.Array:
    """Of each leaf's options, whether one is not recorded."""
    if not pc.any(pc.match_substring(options.items, REDACTED)).as_py():
        return pa.array([False] * len(options), pa.bool_())
    return pa.array([any(REDACTED in value for _, value in one or ()) for one in options.to_pylist()], pa.bool_())


def _formats(store: Store) -> dict[DatasetKey, str]:
    """As `outputs.recorded_format` tells them."""
    columns = store.arrow("datasets", ["namespace", "name", "format"]).columns
    found: dict[DatasetKey, str] = {}
    for namespace, name, source in zip(*(column.to_pylist() for column in columns), strict=True):
        if source:
            found.setdefault((namespace, name), str(source))
    return found


def _tables(store: Store, table: str, columns: list[str], ids: set[str] | None) -> Iterable[pa.Table]:
    if ids is None:
        return [store.arrow(table, columns)]
    return [store.arrow(table, columns, one_of("execution_id", part)) for part in in_parts(ids)]


def _statements(store: Store, ids: set[str] | None) -> set[str]:
    """The executions whose SQL statement is recorded."""
    found: set[str] = set()
    for some in [None] if ids is None else in_parts(ids):
        condition = "statement is not null" if some is None else f"statement is not null and {one_of('execution_id', some)}"
        found |= set(store.arrow("executions", ["execution_id"], condition).column(0).to_pylist())
    return found


def _pairs(store: Store, table: str, one: str, other: str, condition: str | None = None) -> set[tuple[Any, Any]]:
    columns = store.arrow(table, [one, other], condition).columns
    return set(zip(*(column.to_pylist() for column in columns), strict=True))


def _kept(store: Store) -> set[tuple[str | None, int | str | None]]:
    """Of what a checksum is kept: the table's id and the version, or of files none and the fingerprint of their listing."""
    columns = ["table_id", "delta_version", "fingerprint"]
    rows = zip(
        *(column.to_pylist() for column in store.arrow("snapshots", columns, "checksum is not null").columns), strict=True
    )
    return {(None, listing) if version is None else (table, version) for table, version, listing in rows}


def _nowhere(key: DatasetKey, table_id: str | None, version: int) -> Availability:
    return Availability(
        location=key[1],
        table_id=table_id,
        version=version,
        readable=None,
        reason="it is recorded without a place where it lies",
    )


def _runs(executions: Sequence[Checked]) -> tuple[CheckedRun, ...]:
    """The newest first."""
    by_run: dict[str, list[Checked]] = defaultdict(list)
    for one in executions:
        by_run[one.run_id].append(one)
    found = [_run(run, mine) for run, mine in by_run.items()]
    return tuple(sorted(found, key=lambda run: (run.ended_at, run.run_id), reverse=True))


def _run(run_id: str, mine: Sequence[Checked]) -> CheckedRun:
    failing = next(
        (one for one in mine if one.replayable is False), next((one for one in mine if one.replayable is None), None)
    )
    ends = [one.until for one in mine if one.until is not None]
    return CheckedRun(
        run_id=run_id, job_name=mine[0].job_name, ended_at=max(one.ended_at for one in mine),
        replayable=True if failing is None else failing.replayable, executions=len(mine),
        replayable_executions=sum(one.replayable is True for one in mine),
        until=min(ends, default=None) if failing is None or failing.replayable is None else None, reason=None if failing is None else failing.reason,
    )  # fmt: skip
