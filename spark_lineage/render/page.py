"""Answers drawn: tables and trees for a terminal, plain text with full names for a pipe, JSON for programs.

To a pipe a table is tab-separated with one header line, and a tree is indented text; nothing is cut off, wrapped or
coloured, and datasets have their full names. rich is imported only for a terminal.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, TextIO

from ..query.answers import (
    ColumnVersion,
    DatasetColumns,
    DatasetSummary,
    DatasetVersion,
    ExecutionSummary,
    Explanation,
    Link,
    Node,
    RunDetail,
    RunSummary,
    Walk,
    plain,
)
from . import differences, keeping, replays, traces
from . import samples as drawn
from .trees import Branch, Drawing, Steps
from .words import by, cut, how, time, where_told

if TYPE_CHECKING:
    from ..doctor import Finding
    from ..ingest import IngestReport
    from ..model import RowLineage, RowSample, Snapshot
    from ..replay.check import Check
    from ..replay.verdict import Replayed
    from ..rows.witness import ForwardHop, Hop
    from ..snapshot.archive import Archived
    from ..snapshot.difference import Difference
    from ..snapshot.parts import Parts
    from ..snapshot.recorded_versions import RecordedVersion
    from ..snapshot.retention import Retention
    from ..snapshot.taking import Verified
    from ..store.maintain import MaintenanceReport
    from ..store.migrate import Migration

LONGEST_EXPRESSION = 80
"""Characters of an expression on a terminal."""


class Page:
    """Where answers are drawn."""

    def __init__(self, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.as_json = as_json
        self.for_people = not as_json and self.stream.isatty()
        self._longest = LONGEST_EXPRESSION if self.for_people else None

    def runs(self, runs: Sequence[RunSummary]) -> None:
        if self.as_json:
            return self._json(runs)
        header = ("run", "job", "status", "started", "seconds", "executions", "rows written", "outputs")
        return self._table(header, [self._run_row(run) for run in runs], empty="no runs are recorded yet")

    def run(self, detail: RunDetail) -> None:
        if self.as_json:
            return self._json(detail)
        for name, value in _facts(detail):
            if value:
                self._line(f"{name:<12} {value}", name)
        self._line("")
        for alike in _runs_of_alike(detail.executions):
            self._tree(self._execution(alike))
        return None

    def datasets(self, datasets: Sequence[DatasetSummary]) -> None:
        if self.as_json:
            return self._json(datasets)
        header = ("dataset", "format", "version", "columns", "writes", "reads", "last written", "by job", "location")
        rows = [
            (self._name(d), d.format, d.version, d.columns, d.writes, d.reads, time(d.last_written_at), d.last_job, d.location)
            for d in datasets
        ]
        return self._table(header, rows, empty="no datasets are recorded yet")

    def columns(self, answer: DatasetColumns) -> None:
        if self.as_json:
            return self._json(answer)
        nodes = {node.id: node for node in answer.nodes}
        linked = [column.path for column in answer.columns if column.links]
        header = ("column", "type", "from", "how", "expression", "by job")
        rows: list[tuple[Any, ...]] = [
            (column.path, column.data_type, *self._link_cells(link, nodes, column.path, linked))
            for column in answer.columns
            for link in column.links or (None,)
        ]
        rows += [("(every column)", None, *self._link_cells(link, nodes)) for link in answer.every_column]
        return self._table(header, _told_once(rows) if self.for_people else rows, empty="no columns of it are recorded")

    def walk(self, walk: Walk) -> None:
        if self.as_json:
            return self._json(walk)
        self._tree(Drawing(walk, self._node, self._longest).branch())
        return None

    def explanation(self, answer: Explanation) -> None:
        if self.as_json:
            return self._json(answer)
        self._tree(Steps(answer, self._column_read, self._longest).branch(self._explained(answer)))
        if answer.other_writes:
            count, write, put = (answer.other_writes, "writes", "are") if answer.other_writes > 1 else (1, "write", "is")
            self._line(f"{count} earlier {write} of it {put} in force as well; --at asks as of an earlier time")
        return None

    def ingested(self, report: IngestReport) -> None:
        if self.as_json:
            return self._json(report)
        counts = (f"{report.documents} documents", f"{report.executions} executions", f"{len(report.runs)} runs ingested")
        self._line(", ".join(counts))
        told = (*(f"lost: {run}" for run in report.lost), *report.warnings)
        print(*told, sep="\n", end="\n" if told else "", file=sys.stderr)
        return None

    def maintained(self, report: MaintenanceReport, migrated: Migration | None) -> None:
        if self.as_json:
            return self._json({"maintenance": report, "migration": migrated})
        if migrated is not None:
            changes = "; ".join(migrated.changes) or "nothing to change"
            self._line(f"schema version {migrated.version_before} -> {migrated.version}: {changes}")
        header = ("table", "files", "files before", "bytes", "bytes before", "rows expired", "duplicates removed", "skipped")
        rows = [
            (
                t.table,
                t.files_after,
                t.files_before,
                t.bytes_after,
                t.bytes_before,
                t.rows_expired,
                t.duplicates_removed,
                ", ".join(t.skipped),
            )
            for t in report.tables
        ]
        return self._table(header, rows, empty="there are no tables")

    def snapshots(self, snapshots: Sequence[Snapshot], empty: str = "") -> None:
        if self.as_json:
            return self._json(snapshots)
        header = ("dataset", "version", "committed", "rows", "checksum", "schema", "files", "read", "method", "taken")
        rows = [
            (one.name, one.fingerprint if one.delta_version is None else one.delta_version, time(one.committed_at), one.row_count, one.checksum, one.schema_hash, one.files, one.files_read, one.method, time(one.computed_at))
            for one in snapshots
        ]  # fmt: skip
        self._table(header, rows, empty=empty or "no checksums are kept yet; `spark-lineage snapshot take DATASET` takes one")
        for one in snapshots:
            if one.reason is not None:
                self._line(f"{_version(one)} of {one.name}: {one.reason}")
        return None

    def snapshot(self, one: Snapshot, parts: Mapping[str | None, Parts]) -> None:
        told = {grouping or "columns": dict(sorted(kept.sums.items())) for grouping, kept in parts.items()}
        if self.as_json:
            written = {
                grouping: {name: {"rows": sums.rows, "checksum": sums.checksum} for name, sums in kept.items()}
                for grouping, kept in told.items()
            }
            return self._json({**dataclasses.asdict(one), "parts": written})
        facts: list[tuple[str, Any]] = [
            ("dataset", f"{one.name} (in {one.namespace})"),
            ("version", one.delta_version),
            ("committed", time(one.committed_at)),
            ("table id", one.table_id),
            ("fingerprint", one.fingerprint),
            ("rows", one.row_count),
            ("checksum", one.checksum),
            ("schema hash", one.schema_hash),
            ("algorithm", one.algorithm),
            ("files", f"{one.files} of {one.bytes} bytes"),
            ("taken", f"{time(one.computed_at)}, {one.method}: {one.files_read} of the files read"),
            ("written by", one.execution_id or "not recorded"),
        ]
        if one.reason is not None:
            facts.append(("wrong", one.reason))
        for name, value in facts:
            self._line(f"{name:<12} {'' if value is None else value}", name)
        for grouping, kept in told.items():
            self._line("")
            self._table(
                (grouping, "rows", "checksum"), [(name, sums.rows, sums.checksum) for name, sums in kept.items()], empty=""
            )
        return None

    def verified(self, held: Verified) -> None:
        if self.as_json:
            return self._json({"holds": held.holds, **{name: getattr(held, name) for name in ("rows", "checksum", "lost", "changed", "columns", "groups", "reason", "recorded")}})  # fmt: skip
        kept = held.recorded
        which = f"{_version(kept)} of {kept.name}"
        if held.holds:
            self._line(f"{which} holds: {kept.row_count} rows, checksum {kept.checksum}")
            return None
        if held.checksum is None:
            self._line(f"{which} cannot be read as it was: {held.reason}")
        else:
            self._line(f"{which} differs: it has {held.rows} rows and checksum {held.checksum}")
            if held.reason is not None:
                self._line(held.reason)
        self._line(f"kept: {kept.row_count} rows, checksum {kept.checksum}, taken {time(kept.computed_at)}")
        for what, paths in (("lost", held.lost), ("changed", held.changed), ("column", held.columns), ("group", held.groups)):
            for path in paths:
                self._line(f"{what}: {path}")
        return None

    def available(self, versions: Sequence[RecordedVersion]) -> None:
        if self.as_json:
            return self._json(versions)
        header = (
            "dataset",
            "version",
            "readable",
            "until",
            "why",
            "read by",
            "written by",
            "checksums",
            "removed bytes",
            "archive",
        )
        rows = [
            (one.name, one.version, keeping.readable(one), keeping.until(one), one.reason, one.read_by, one.written_by, one.checksums, one.removed_bytes, one.archive)
            for one in versions
        ]  # fmt: skip
        return self._table(header, rows, empty="no versions of Delta tables are recorded")

    def retained(self, kept: Retention) -> None:
        if self.as_json:
            return self._json(kept)
        for line in keeping.retained(kept):
            self._line(line)
        return None

    def archived(self, made: Archived) -> None:
        if self.as_json:
            return self._json(made)
        for line in keeping.archived(made):
            self._line(line)
        return None

    def difference(self, found: Difference) -> None:
        if self.as_json:
            return self._json(differences.as_json(found))
        for line in differences.facts(found):
            self._line(line)
        for title, header, rows in differences.tables(found):
            self._line(f"\n{title}")
            self._table(header, rows, empty="")
        return None

    def row_samples(self, samples: Sequence[RowSample], empty: str = "") -> None:
        if self.as_json:
            return self._json(samples)
        self._table(
            drawn.SAMPLES,
            drawn.samples(samples),
            empty=empty or "no samples are kept yet; `spark-lineage rows take --due` takes those that are asked for",
        )
        for one in samples:
            if one.reason is not None:
                self._line(f"version {one.delta_version} of {one.name}: {one.reason}")
        return None

    def row_lineage(
        self, rows: Sequence[RowLineage], limit: int, values: Sequence[Mapping[str, Any] | None] | None = None
    ) -> None:
        """The first of the source rows that are kept of rows, with their values where these were read, and how many there are."""
        if self.as_json:
            return self._json(drawn.as_json(rows[:limit], values))
        header = drawn.ROWS if values is None else (*drawn.ROWS, "values")
        self._table(header, drawn.source_rows(rows[:limit], values), empty="")
        if len(rows) > limit:
            self._line(f"{len(rows) - limit} more; --limit shows them")
        return None

    def traced(self, hops: Iterable[Hop | ForwardHop]) -> None:
        """Each hop as soon as it is known; as JSON all together."""
        if self.as_json:
            return self._json(traces.as_json(hops))
        for number, hop in enumerate(hops):
            if number:
                self._line("")
            for part in traces.parts(hop):
                if isinstance(part, str):
                    self._line(part)
                else:
                    self._table(*part, empty="")
        return None

    def replayed(self, found: Iterable[Replayed]) -> list[Replayed]:
        """What is not identical as soon as it is known, and all in a table; as JSON all together. Gives them back."""
        told = []
        for one in found:
            told.append(one)
            if not self.as_json and one.verdict != "identical":
                for line in replays.facts(one):
                    self._line(line)
                for title, header, rows in replays.tables(one.difference):
                    self._line(f"\n{title}")
                    self._table(header, rows, empty="")
                self._line("")
        if self.as_json:
            self._json([replays.as_json(one) for one in told])
            return told
        self._table(replays.HEADER, [replays.row(one) for one in told], empty="nothing was replayed")
        self._line(replays.summary(told))
        return told

    def checked(self, found: Check) -> None:
        if self.as_json:
            return self._json(found)
        self._table(replays.CHECKED, [replays.checked(run) for run in found.runs], empty="nothing that wrote rows is recorded")
        return self._line(replays.check_summary(found))

    def findings(self, findings: Sequence[Finding]) -> None:
        if self.as_json:
            return self._json(findings)
        for finding in findings:
            self._line(f"{finding.status:<8}{finding.name:<14}{finding.detail}")
            if finding.advice:
                self._line(f"{'':<22}{finding.advice}")
        return None

    def _run_row(self, run: RunSummary) -> tuple[Any, ...]:
        run_id = run.short_id if self.for_people else run.run_id
        failed = f" ({run.failed_executions} failed)" if run.failed_executions else ""
        outputs = ", ".join(run.outputs)
        return (run_id, run.job_name, run.status, time(run.started_at), _number(run.seconds), f"{run.executions}{failed}", run.rows_written, outputs)  # fmt: skip

    def _execution(self, alike: Sequence[ExecutionSummary]) -> Branch:
        """One execution, or several in a row that did the same: the parts of a model, the batches of a loop."""
        execution = alike[0]
        numbers = f"{execution.sequence}" if len(alike) == 1 else f"{execution.sequence}-{alike[-1].sequence}"
        times = f"{len(alike)} times, " if len(alike) > 1 else ""
        seconds = sum(one.seconds or 0.0 for one in alike)
        branch = Branch(
            f"{numbers}. {execution.operation}{_batches(alike)}", f"{times}{execution.status}, {_number(seconds)} s"
        )
        branch.children += [Branch("read  " + self._version(version)) for version in execution.inputs]
        branch.children += [Branch("wrote " + self._version(version)) for version in execution.outputs]
        branch.children += [Branch("incomplete: " + reason) for reason in execution.incomplete_reasons]
        if execution.error_message:
            branch.children.append(Branch("error: " + execution.error_message.splitlines()[0]))
        return branch

    def _version(self, version: DatasetVersion) -> str:
        name = version.label if self.for_people else version.name
        known = version.version if version.version is not None else version.fingerprint
        at = f"@{known}" if known is not None else ""
        basis = " (inferred)" if at and version.version_basis != "exact" else ""
        rows = f", {version.rows:,} rows" if version.rows is not None else ""
        return f"{name}{at}{basis}{rows}{f', {version.write_mode}' if version.write_mode else ''}"

    def _name(self, of: DatasetSummary) -> str:
        return of.label if self.for_people else of.name

    def _node(self, node: Node) -> str:
        if node.name is None:
            return {"literal": "a literal", "generated": "generated", "unknown": "unknown"}.get(node.kind, node.kind)
        name = node.label if self.for_people else f"{node.name}.{node.column}" if node.column else node.name
        return f"{name} (every column)" if node.kind == "all_columns" else name

    def _link_cells(
        self, link: Link | None, nodes: dict[str, Node], path: str = "", linked: Sequence[str] = ()
    ) -> tuple[Any, ...]:
        if link is None:
            return (where_told(path, linked), None, None, None)
        node = nodes[link.source]
        expression = cut(link.expression, self._longest) if link.expression else None
        return (self._node(node), how([link], node), expression, by([link]))

    def _explained(self, answer: Explanation) -> str:
        return f"{answer.label if self.for_people else answer.name}.{answer.column}"

    def _column_read(self, source: ColumnVersion) -> str:
        at = f"@{', '.join(map(str, source.versions))}" if source.versions else ""
        column = f".{source.column}" if source.column else ""  # a trained model is read as a whole
        return f"{source.label if self.for_people else source.name}{at}{column}"

    def _json(self, answer: Any) -> None:
        json.dump(plain(answer), self.stream, indent=2)
        self.stream.write("\n")

    def _line(self, text: str, bold: str = "") -> None:
        self.stream.write(text.rstrip() + "\n")

    def _table(self, header: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
        if self.for_people:
            return self._rich_table(header, rows, empty)
        for row in (header, *rows):  # as many tabs in each: an empty cell at the end is one
            self.stream.write("\t".join(_cell(value) for value in row) + "\n")
        return None

    def _rich_table(self, header: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        if not rows:
            return self._line(empty)
        table = Table(box=None, header_style="bold", pad_edge=False)
        for number, name in enumerate(header):
            numeric = all(isinstance(row[number], (int, float, type(None))) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell(value)) for value in row))
        Console(file=self.stream, highlight=False).print(table)
        return None

    def _tree(self, branch: Branch) -> None:
        if not self.for_people:
            for line in branch.lines():
                self._line(line)
            return
        from rich.console import Console

        Console(file=self.stream, highlight=False).print(branch.rich())


def _told_once(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, without the column's name, type and expression where the row above has the same of the same column."""
    told = list(rows[:1])
    for above, row in pairwise(rows):
        same = above[:2] == row[:2]
        told.append(("", "", row[2], row[3], "" if row[4] == above[4] else row[4], row[5]) if same else row)
    return told


def _runs_of_alike(executions: Iterable[ExecutionSummary]) -> Iterable[Sequence[ExecutionSummary]]:
    """Successive executions of one operation on the same versions, together; one that failed or is incomplete stays alone."""

    def what(execution: ExecutionSummary) -> tuple[Any, ...]:
        if execution.status != "succeeded" or execution.incomplete_reasons or not (execution.inputs or execution.outputs):
            return (execution.execution_id,)
        versions = [(v.name, v.version, v.fingerprint, v.write_mode) for v in (*execution.inputs, *execution.outputs)]
        return (execution.operation, *versions)

    return [tuple(alike) for _, alike in groupby(executions, key=what)]


def _batches(alike: Sequence[ExecutionSummary]) -> str:
    """Of a streaming query: its name, and which of its batches these are."""
    first, last = alike[0], alike[-1]
    if first.batch_id is None or last.batch_id is None:
        return ""
    begin = first.batch_id - (first.batches or 1) + 1
    named = f" {first.stream_name}" if first.stream_name else ""
    return f"{named}, batch {begin}" if begin == last.batch_id else f"{named}, batches {begin} to {last.batch_id}"


def _facts(detail: RunDetail) -> list[tuple[str, str | None]]:
    run = detail.run
    code = " ".join(
        part
        for part in (detail.code_repository, detail.code_commit, "(uncommitted changes)" if detail.code_dirty else None)
        if part
    )
    return [
        ("run", run.run_id),
        ("job", f"{detail.job_namespace}/{run.job_name}" if run.job_name else None),
        ("parent", " ".join(part for part in (detail.parent_job_name, run.parent_run_id) if part)),
        ("status", run.status),
        ("error", run.error.splitlines()[0] if run.error else None),
        ("started", time(run.started_at)),
        ("ended", f"{time(run.ended_at)} ({_number(run.seconds)} s)" if run.ended_at else None),
        ("by", " on ".join(part for part in (run.user_name, detail.host) if part)),
        ("entry point", " ".join(part for part in (detail.entry_point, *detail.arguments) if part)),
        ("code", code),
        ("sha256", detail.code_sha256),
        ("working directory", detail.working_directory),
        ("spark", detail.spark_version),
        ("parameters", ", ".join(f"{key}={value}" for key, value in sorted(detail.parameters.items()))),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(detail.labels.items()))),
        ("missing", f"{detail.documents_missing} documents never came" if detail.documents_missing else None),
    ]


def _version(one: Snapshot) -> str:
    """What has no versions is told by what there is to tell it from other files."""
    return f"version {one.delta_version}" if one.table_id is not None else f"the files of {one.fingerprint or 'no listing'}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")
