"""From one captured document to the records that it adds to the lineage tables. Pure: no clock, no files, no Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ..model import Certainty, Dataset, Execution, Records, Run, RunReads, Schema, SessionConfs
from ..plan.document import Commit, ExecutionDocument, RunEnd, RunStart
from .column_graph import REASON as NOT_EXPLAINED
from .datasets import DatasetRef, Naming, Reading
from .dispatch import walk_plan
from .edges import Edge, Lineage, content_id, edges_of, lineage_of
from .executables import REASON, executable_of, reads_what
from .influence import numbers
from .limits import Limits
from .models import FORMAT, NO_MODELS, Models, loaded, models_in, saved
from .naming import DatasetKey, exact_place
from .nodes.columns import any_of
from .nodes.commands import OPERATIONS, name_of_target
from .nodes.leaves import catalog_of
from .operation import batch_of, is_command, operation_of
from .operators import plan_of
from .real_paths import followed
from .relation import Relation
from .samples import sample_mark
from .scoring import applied_by
from .training import edges_of_training, sources_of_model
from .versions import Facts, Touched, hints_of, inputs_of, moment, outputs_of, unclaimed_scans
from .walk import Walk, Written

_COLUMN: Final = "rows.column: "
_HARMLESS: Final = (REASON, NOT_EXPLAINED, _COLUMN)
"""How reasons begin that say nothing against the lineage."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the ingester knows of the run that a document belongs to. `reads` is asked only when it is needed: it costs a look-up."""

    job_name: str | None = None
    datasets_allow: tuple[str, ...] = ()
    datasets_deny: tuple[str, ...] = ()
    masks: frozenset[str] = frozenset()
    """Names of the user's own functions that mask what they are given, in lower case."""
    reads: Callable[[], RunReads] = field(default=RunReads)


def records_of_run_start(document: RunStart) -> Records:
    """The run as it begins."""
    at = moment(document.time_ms)
    versions = {"delta": document.delta_version, "python": document.python_version}
    run = Run(
        run_id=document.run_id,
        application_id=document.application_id,
        attempt=document.attempt,
        job_namespace=document.job_namespace or "default",
        job_name=document.job_name,
        parent_run_id=document.parent_run_id,
        parent_job_name=document.parent_job_name,
        root_run_id=document.root_run_id,
        started_at=at,
        last_seen_at=at,
        status="running",
        user_name=document.user_name,
        host=document.host,
        spark_version=document.spark_version,
        tool_version=document.tool_version,
        entry_point=document.entry_point,
        arguments=document.arguments,
        code_repository=document.code_repository,
        code_commit=document.code_commit,
        code_dirty=document.code_dirty,
        code_sha256=document.code_sha256,
        command=document.command,
        working_directory=document.working_directory,
        spark_confs=None if document.spark_confs is None else dict(document.spark_confs),
        parameters=None if document.parameters is None else dict(document.parameters),
        labels={**{f"version.{name}": text for name, text in versions.items() if text}, **(document.labels or {})} or None,
    )
    return Records(runs=(run,))


def records_of_run_end(document: RunEnd, missing: int) -> Records:
    """The run as it ends. `missing` is how many of its documents never came, those that the bridge gave up included."""
    at = moment(document.time_ms)
    run = Run(
        run_id=document.run_id,
        ended_at=at,
        last_seen_at=at,
        status=document.status,
        error=document.error,
        documents_missing=missing,
    )
    return Records(runs=(run,))


def records_of_execution(document: ExecutionDocument, run: RunContext) -> Records:
    """What an execution did: its header, what it read and wrote in which version, and its lineage.

    Never raises for what a document holds: what is not understood becomes an unknown edge and a reason.
    """
    resolved = _resolve(document, run)
    execution = _execution(document, run, resolved)
    executable = executable_of(document, execution)
    if executable is None:
        return replace(resolved.records, executions=(execution,))
    limits = Limits(run.datasets_allow, run.datasets_deny)
    if resolved.denied or not all(map(limits.admits, reads_what(document))):
        reasons = (*execution.incomplete_reasons, f"{REASON}it reads or writes a dataset that is not recorded")
        return replace(resolved.records, executions=(replace(execution, incomplete_reasons=reasons),))
    kept, blob = executable
    return replace(resolved.records, executions=(execution,), plan_executables=(kept,), executable_blobs=(blob,))


@dataclass(frozen=True, slots=True)
class _Resolved:
    """All but the execution itself, which is made last from it."""

    records: Records
    attempted: tuple[Written, ...]
    lineage: Lineage
    reasons: tuple[str, ...]
    denied: bool
    """Whether a dataset was left out, as the limits want."""


def _resolve(document: ExecutionDocument, run: RunContext) -> _Resolved:
    limits = Limits(run.datasets_allow, run.datasets_deny)
    document, links = followed(document)
    walk = _walk(document, links, run.masks)
    models = NO_MODELS if walk is None else models_in(walk, run.reads)
    if walk is not None:
        walk.readings[:] = [loaded(reading, models) for reading in walk.readings]
        walk.written[:] = [saved(written, models) for written in walk.written]
    known = () if walk is None else tuple(walk.readings)
    facts = Facts.of(document, known, models)
    done = _written(document, walk, models)
    written = tuple(one for one in done if limits.admits(one.target))
    taken = _readings(document, walk, facts)
    extra = tuple(one for one in unclaimed_scans(facts, taken, known) if limits.admits(one.dataset))
    readings = tuple(one for one in taken if limits.admits(one.dataset))
    denied = any(not limits.admits(one.target) for one in done) or any(not limits.admits(one.dataset) for one in known)

    at = moment(document.ended_ms or document.time_ms)
    heading = _heading(document, run, at)
    inputs, read = inputs_of(heading, (*readings, *extra), written, facts)
    outputs, wrote = outputs_of(heading, written, facts)
    trained = edges_of_training(document, walk, limits.admits, partial(applied_by, run.reads))
    edges, pairs = _edges(written, walk, extra, limits, run)
    lineage = lineage_of((*edges, *trained), pairs, at)
    records = Records(
        datasets=_datasets((*read, *wrote), at),
        schemas=_schemas((*read, *wrote)),
        inputs=inputs,
        outputs=outputs,
        dataset_lineage=lineage.datasets,
        column_lineage=lineage.columns,
        plans=() if walk is None else (plan_of(walk, limits.admits),),
        session_confs=_session_confs(document),
    )
    reasons = (*document.incomplete, *(walk.reasons if walk else ()), *_half_done(document))
    attempted = done or (tuple(walk.written) if walk else ())
    return _Resolved(records, attempted, lineage, reasons, denied)


def _half_done(document: ExecutionDocument) -> tuple[str, ...]:
    """A failed overwrite of files: Spark deletes what is there before it writes, and no metric tells how far it came."""
    overwrites = document.status == "failed" and any((write.mode or "").lower() == "overwrite" for write in document.writes)
    return ("a failed overwrite of files may have deleted what was there",) if overwrites else ()


def _walk(document: ExecutionDocument, links: Mapping[str, str], masks: frozenset[str]) -> Walk | None:
    """The plan, resolved. The writes inside a stream's `foreachBatch` are its own, over the rows of its batch."""
    if document.analyzed is None:
        return None
    naming = Naming(document.current_database, links)
    hints = (*hints_of(document), *_inner_targets(document, naming))
    committed = {exact_place(commit.path).key: commit for commit in document.commits if _tells_columns(commit)}
    streamed = tuple(source.description for source in document.stream.sources if source.description) if document.stream else ()
    keyed = {exact_place(one.path).key: one for one in document.sample_columns if one.path is not None}
    walk = walk_plan(
        document.analyzed, naming, hints, document.confs, committed=committed, masks=masks, streamed=streamed, keyed=keyed
    )
    if not walk.written:
        for nested in document.nested:
            inner = walk_plan(nested.analyzed, naming, hints, outer=walk)
            inner.written[:] = [replace(one, sample_mark=sample_mark(inner, one)) for one in inner.written]
            walk.adopt(inner)
    return walk


def _tells_columns(commit: Commit) -> bool:
    return bool(commit.columns or commit.generated or commit.defaults or commit.identity)


def _inner_targets(document: ExecutionDocument, naming: Naming) -> tuple[DatasetRef, ...]:
    """The tables that nested executions write to, where they say that they lie: of a CTAS, whose own plan knows only a name."""
    found: dict[DatasetKey, DatasetRef] = {}
    for nested in document.nested:
        root = nested.analyzed.nodes[nested.analyzed.root]
        target = nested.analyzed.nodes.get(root.plan("table") or -1)
        table = target.v2table() if target else None
        if target is not None and table is not None and table.delta is None and table.properties.get("location"):
            dataset = naming.of_v2(table, target.name("identifier"), catalog_of(target))[0]
            found.setdefault(dataset.key, dataset)
    return tuple(found.values())


def _written(document: ExecutionDocument, walk: Walk | None, models: Models) -> tuple[Written, ...]:
    """The writes that count: of a failed execution, those that were committed all the same. Then those that only the physical
    side tells of: of a command that has no handler or changes no value, or when the plan was given up."""
    told = tuple(walk.written) if walk else ()
    found = hints_of(document if document.status == "succeeded" else replace(document, writes=()))
    physical = tuple({dataset.key: dataset for dataset in map(models.dataset, found)}.values())
    if document.status != "succeeded":
        told = tuple(one for one in told if one.target.key in {hint.key for hint in physical})
    known = {one.target.key for one in (walk.written if walk else ())}
    return (*told, *(_untold(document, hint, walk) for hint in physical if hint.key not in known))


def _untold(document: ExecutionDocument, target: DatasetRef, walk: Walk | None) -> Written:
    """A write that no node of the plan explains: any column may come from anything that the plan reads."""
    mode = next((one.operation for one in document.commits if exact_place(one.path).key == target.key), None)
    mode = (mode or next((one.mode for one in document.writes), None) or "write").lower()
    if walk is None or document.analyzed is None:
        return Written(target, operation_of(document, ()), mode, (), Relation(), None)
    root = document.analyzed.nodes[document.analyzed.root]
    for reading in walk.readings:
        if reading.dataset.key == target.key:
            target = reading.dataset
    if root.kind in OPERATIONS:
        parts = name_of_target(root, walk)
        named = target.also_called(walk.naming.aliases(parts)) if parts else target
        named = replace(named, alias=named.alias or ".".join(parts) or None)
        return Written(named, OPERATIONS[root.kind], mode, (), Relation(), root, upkeep=True)
    below = tuple(walk.relations[item] for item in root.references)
    column = any_of(root, walk, below, unseen=True)
    relation = walk.relations[root.id]
    columns = ((None, column),) if column.influence.everything else ()
    return Written(target, operation_of(document, ()), mode, columns, relation, root)


def _readings(document: ExecutionDocument, walk: Walk | None, facts: Facts) -> tuple[Reading, ...]:
    """What was read: the leaves below a query or a write; of any other command, those that were scanned. The query that gives a
    variable its value is a query, even where Delta answers it from its log."""
    if walk is None:
        return ()
    root = walk.plan.nodes[walk.plan.root]
    bits = walk.relations[root.id].datasets
    for written in walk.written:
        bits |= written.relation.datasets
    readings = tuple(walk.readings[number] for number in numbers(bits))
    if walk.written or not is_command(root, document) or root.kind.startswith(("WriteToMicroBatch", "SetVariable")):
        return readings
    return tuple(reading for reading in readings if reading.dataset.key in facts.scans)


def _edges(
    written: Iterable[Written], walk: Walk | None, extra: Iterable[Reading], limits: Limits, run: RunContext
) -> tuple[list[Edge], list[tuple[DatasetKey, DatasetKey, Certainty]]]:
    """Column edges, and dataset edges as (target, source, certainty)."""
    edges: list[Edge] = []
    pairs: list[tuple[DatasetKey, DatasetKey, Certainty]] = []
    written = tuple(written)
    targets = {one.target.key for one in written}
    for one in written:
        target = one.target.key
        pairs.extend((target, reading.dataset.key, "inferred") for reading in extra if reading.dataset.key not in targets)
        if walk is None:
            continue
        own = list(edges_of(one, walk, limits.admits, partial(applied_by, run.reads)))
        read = [walk.readings[number] for number in numbers(one.relation.datasets)]
        allowed = (reading for reading in read if limits.admits(reading.dataset))
        pairs.extend((target, reading.dataset.key, _certainty(one, reading)) for reading in allowed)
        pairs.extend((target, edge.source, "inferred") for edge in own if edge.source and edge.certainty == "inferred")
        if one.target.format == FORMAT:
            trained, sources = sources_of_model(target, run.reads)
            own.extend(trained)
            pairs.extend((target, source, "inferred") for source in sources)
        edges.extend(own)
    return edges, pairs


def _certainty(written: Written, reading: Reading) -> Certainty:
    if reading.inferred:
        return "inferred"
    return "declared" if written.declared or reading.declared else "plan"


def _heading(document: ExecutionDocument, run: RunContext, at: datetime) -> dict[str, Any]:
    """The columns that inputs and outputs share with their execution."""
    return {
        "execution_id": _execution_id(document),
        "run_id": document.run_id,
        "job_name": run.job_name,
        "event_time": at,
        "event_date": at.date(),
    }


def _execution_id(document: ExecutionDocument) -> str:
    number = f"s{document.sequence}" if document.sql_id is None else str(document.sql_id)
    return f"{document.application_run_id}:{number}"


def _execution(document: ExecutionDocument, run: RunContext, resolved: _Resolved) -> Execution:
    at = moment(document.ended_ms or document.time_ms)
    records = resolved.records
    batch = batch_of(document)
    rows = [output.rows_written for output in records.outputs if output.rows_written is not None]
    size = [output.bytes_written for output in records.outputs if output.bytes_written is not None]
    return Execution(
        execution_id=_execution_id(document),
        run_id=document.run_id,
        job_name=run.job_name,
        sequence=document.sequence,
        sql_id=document.sql_id,
        operation=operation_of(document, resolved.attempted),
        status=document.status,
        error_class=document.error_class,
        error_message=document.error_message,
        started_at=_started(document),
        ended_at=at,
        description=document.description,
        call_site=document.call_site,
        statement=document.statement,
        tags=document.tags,
        job_group=document.job_group,
        stream_query_id=batch.stream_query_id,
        batch_id=batch.batch_id,
        stream_name=batch.stream_name,
        stream_run_id=batch.stream_run_id,
        batches=batch.batches,
        lineage_id=resolved.lineage.id,
        plan_id=records.plans[0].plan_id if records.plans else None,
        session_confs_id=records.session_confs[0].session_confs_id if records.session_confs else None,
        rows_written=sum(rows) if rows else None,
        bytes_written=sum(size) if size else None,
        completeness="partial" if any(not reason.startswith(_HARMLESS) for reason in resolved.reasons) else "complete",
        incomplete_reasons=resolved.reasons,
        event_date=at.date(),
    )


def _started(document: ExecutionDocument) -> datetime | None:
    """When it began; of several batches of a stream, the first."""
    begun = document.stream.started_ms if document.stream else None
    begun = document.started_ms if begun is None else begun
    return None if begun is None else moment(begun)


def _datasets(touched: Iterable[Touched], at: datetime) -> tuple[Dataset, ...]:
    """A dataset for each (place, table id): aliases united, the last known schema kept."""
    found: dict[tuple[DatasetKey, str | None], Dataset] = {}
    for one in touched:
        dataset = one.dataset
        key = (dataset.key, one.table_id)
        before = found.get(key)
        found[key] = Dataset(
            namespace=dataset.key[0],
            name=dataset.key[1],
            table_id=one.table_id,
            aliases=tuple(dict.fromkeys((*(before.aliases if before else ()), *dataset.aliases))),
            format=dataset.format or (before.format if before else None),
            location=dataset.location or (before.location if before else None),
            schema_hash=one.schema.schema_hash if one.schema else (before.schema_hash if before else None),
            first_seen_at=at,
            last_seen_at=at,
        )
    return tuple(found.values())


def _schemas(touched: Iterable[Touched]) -> tuple[Schema, ...]:
    return tuple({one.schema.schema_hash: one.schema for one in touched if one.schema}.values())


def _session_confs(document: ExecutionDocument) -> tuple[SessionConfs, ...]:
    confs = dict(sorted(document.confs.items()))
    return (SessionConfs(session_confs_id=content_id(list(confs.items())), confs=confs),) if confs else ()
