"""Answers drawn: tables and trees for a terminal, plain text with full names for a pipe, JSON for programs.

To a pipe a table is tab-separated with one header line, and a tree is indented text; nothing is cut off, wrapped or
coloured, and datasets have their full names. rich is imported only for a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TextIO

from .query.answers import (
    ColumnVersion,
    DatasetColumns,
    DatasetSummary,
    DatasetVersion,
    ExecutionSummary,
    Explanation,
    Link,
    Making,
    Node,
    Operator,
    RunDetail,
    RunSummary,
    Walk,
    plain,
)

if TYPE_CHECKING:
    from .doctor import Finding
    from .ingest import IngestReport
    from .store.maintain import MaintenanceReport
    from .store.migrate import Migration

SEE_ABOVE = "  (see above)"
LONGEST_EXPRESSION = 80
"""Characters of an expression in a tree on a terminal."""


class Page:
    """Where answers are drawn."""

    def __init__(self, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.as_json = as_json
        self.for_people = not as_json and self.stream.isatty()

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
            (self._name(d), d.format, d.version, d.columns, d.writes, d.reads, _time(d.last_written_at), d.last_job, d.location)
            for d in datasets
        ]
        return self._table(header, rows, empty="no datasets are recorded yet")

    def columns(self, answer: DatasetColumns) -> None:
        if self.as_json:
            return self._json(answer)
        nodes = {node.id: node for node in answer.nodes}
        header = ("column", "type", "from", "how", "expression", "by job")
        rows: list[tuple[Any, ...]] = [
            (column.path, column.data_type, *self._link_cells(link, nodes))
            for column in answer.columns
            for link in column.links or (None,)
        ]
        rows += [("(every column)", None, *self._link_cells(link, nodes)) for link in answer.every_column]
        return self._table(header, rows, empty="no columns of it are recorded")

    def walk(self, walk: Walk) -> None:
        if self.as_json:
            return self._json(walk)
        self._tree(_Drawing(walk, self._node, LONGEST_EXPRESSION if self.for_people else None).branch())
        return None

    def explanation(self, answer: Explanation) -> None:
        if self.as_json:
            return self._json(answer)
        self._tree(
            _Steps(answer, self._column_read, LONGEST_EXPRESSION if self.for_people else None).branch(self._explained(answer))
        )
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
        return (run_id, run.job_name, run.status, _time(run.started_at), _number(run.seconds), f"{run.executions}{failed}", run.rows_written, outputs)  # fmt: skip

    def _execution(self, alike: Sequence[ExecutionSummary]) -> Branch:
        """One execution, or several in a row that did the same: the parts of a model, the batches of a loop."""
        execution = alike[0]
        numbers = f"{execution.sequence}" if len(alike) == 1 else f"{execution.sequence}-{alike[-1].sequence}"
        times = f"{len(alike)} times, " if len(alike) > 1 else ""
        seconds = sum(one.seconds or 0.0 for one in alike)
        branch = Branch(f"{numbers}. {execution.operation}", f"{times}{execution.status}, {_number(seconds)} s")
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

    def _link_cells(self, link: Link | None, nodes: dict[str, Node]) -> tuple[Any, ...]:
        if link is None:
            return ("(nothing recorded)", None, None, None)
        return (self._node(nodes[link.source]), _how([link]), link.expression, link.last_job_name)

    def _explained(self, answer: Explanation) -> str:
        return f"{answer.label if self.for_people else answer.name}.{answer.column}"

    def _column_read(self, source: ColumnVersion) -> str:
        at = f"@{', '.join(map(str, source.versions))}" if source.versions else ""
        return f"{source.label if self.for_people else source.name}{at}.{source.column}"

    def _json(self, answer: Any) -> None:
        json.dump(plain(answer), self.stream, indent=2)
        self.stream.write("\n")

    def _line(self, text: str, bold: str = "") -> None:
        self.stream.write(text.rstrip() + "\n")

    def _table(self, header: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
        if self.for_people:
            return self._rich_table(header, rows, empty)
        self._line("\t".join(header))
        for row in rows:
            self._line("\t".join(_cell(value) for value in row))
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


@dataclass
class Branch:
    """A line of a tree, with a remark, and what hangs below it."""

    text: str
    remark: str = ""
    children: list[Branch] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        """In a loop, as a column may come through thousands of steps."""
        waiting = [("", self)]
        while waiting:
            indent, branch = waiting.pop()
            yield f"{indent}{branch.text}{'  ' + branch.remark if branch.remark else ''}"
            waiting += ((indent + "  ", child) for child in reversed(branch.children))

    def rich(self) -> Any:
        from rich.text import Text
        from rich.tree import Tree

        def drawn(branch: Branch) -> Tree:
            return Tree(Text(branch.text).append("  " + branch.remark if branch.remark else "", style="dim"), guide_style="dim")

        root = drawn(self)
        waiting = [(self, root)]
        while waiting:
            branch, tree = waiting.pop()
            tree.children += map(drawn, branch.children)
            waiting += zip(branch.children, tree.children, strict=True)
        return root


class _Drawing:
    """A walk as a tree. Each place is opened once, where it comes first; after that it says so."""

    def __init__(self, walk: Walk, name: Callable[[Node], str], longest_expression: int | None) -> None:
        from .query.edges import Place, covers

        self._covers = covers
        self._name = name
        self._longest = longest_expression
        self._walk = walk
        self._forward = walk.direction == "downstream"
        self._nodes = {node.id: node for node in walk.nodes}
        self._places = {
            node.id: Place(node.kind, (node.namespace or "", node.name) if node.name else None, node.column)
            for node in walk.nodes
        }
        self._onward: dict[object, list[Link]] = {}
        for link in walk.links:
            near = self._places[link.source if self._forward else link.target]
            self._onward.setdefault(near.dataset, []).append(link)

    def branch(self) -> Branch:
        root = Branch(self._name(self._walk.nodes[0]), f"{self._walk.direction}, as of {_time(self._walk.at)}")
        opened: dict[str, Branch] = {}
        drawn: set[Link] = set()
        waiting = [(self._walk.start, root)]
        while waiting:
            node_id, branch = waiting.pop()
            first = opened.setdefault(node_id, branch)
            if first is branch:
                waiting += reversed(self._open(node_id, branch, drawn))
            elif first.children:
                branch.remark += SEE_ABOVE
        if not root.children:
            root.children.append(Branch("nothing recorded " + ("derives from it" if self._forward else "leads to it")))
        return root

    def _open(self, node_id: str, branch: Branch, drawn: set[Link]) -> list[tuple[str, Branch]]:
        """Hangs on what the place leads to; gives what is to be opened in its turn."""
        far: dict[str, list[Link]] = {}
        place = self._places[node_id]
        for link in self._onward.get(place.dataset, ()) if place.dataset else ():
            near, other = (link.source, link.target) if self._forward else (link.target, link.source)
            if near == other != node_id:  # a column kept by a MERGE, say: told where that column is opened
                continue
            if not self._covers(self._places[near], place):
                continue
            if link not in drawn:
                drawn.add(link)
                far.setdefault(other, []).append(link)
            elif link.edge_type != "INDIRECT":
                branch.remark = branch.remark.removesuffix(SEE_ABOVE) + SEE_ABOVE
        deciding = Branch("decided by")
        children = []
        for other, links in far.items():
            if self._walk.indirect == "show" and all(link.edge_type == "INDIRECT" for link in links):
                kinds = ", ".join(dict.fromkeys(link.subtype or "" for link in links))
                (branch if self._forward else deciding).children.append(Branch(self._name(self._nodes[other]), kinds))
                continue
            child = Branch("itself" if other == node_id else self._name(self._nodes[other]), self._remark(other, links))
            branch.children.append(child)
            if other != node_id:
                children.append((other, child))
        branch.children += [deciding] if deciding.children else []
        return children

    def _remark(self, other: str, links: list[Link]) -> str:
        parts = [_how(links)]
        expressions = (link.expression for link in links if link.expression and link.subtype not in (None, "IDENTITY"))
        if expression := next(expressions, None):
            cut = self._longest is not None and len(expression) > self._longest
            parts.append(f"{expression[: self._longest]}…" if cut else expression)
        if job := links[0].last_job_name:
            parts.append(f"[{job}]")
        if not self._nodes[other].in_force:
            parts.append("(overwritten since)")
        return "  ".join(part for part in parts if part)


class _Steps:
    """How a column was made, as a tree: what it was made from hangs below it, behind the operators that decided about the rows
    on the way. Each column is opened once, where it comes first; after that it says so."""

    def __init__(self, answer: Explanation, name: Callable[[ColumnVersion], str], longest: int | None) -> None:
        self._answer = answer
        self._name = name
        self._longest = longest
        self._makings = {making.number: making for making in answer.makings}

    def branch(self, column: str) -> Branch:
        answer = self._answer
        target = self._makings[answer.target]
        version = "" if answer.version is None else f" version {answer.version}"
        job = f" by [{answer.job_name}]" if answer.job_name else ""
        root = Branch(column, f"{answer.operation}{version}{job}, {_time(answer.written_at)}, execution {answer.execution_id}")
        opened: dict[int, Branch] = {}
        waiting = [(target, root)]
        while waiting:
            making, branch = waiting.pop()
            if opened.setdefault(making.number, branch) is not branch:
                branch.remark += SEE_ABOVE if making.inputs else ""
                continue
            children = []
            for taken in making.inputs:
                found = self._makings.get(taken.number)
                child = Branch("(left out: the plan has too many columns)") if found is None else self._step(found)
                self._behind(branch, taken.through).children.append(child)
                children += [(found, child)] if found is not None else []
            waiting += reversed(children)
        return root

    def _behind(self, branch: Branch, through: Sequence[Operator]) -> Branch:
        """Where a column hangs that rows came with through these operators; columns that came the same way share it."""
        for operator in through:
            text = f"through {operator.kind}"
            remark = self._cut(operator.description)
            same = (child for child in branch.children if (child.text, child.remark) == (text, remark))
            found = next(same, None)
            if found is None:
                found = Branch(text, remark)
                branch.children.append(found)
            branch = found
        return branch

    def _step(self, making: Making) -> Branch:
        if making.sources:
            return Branch(", ".join(map(self._name, making.sources)))
        named = making.name or "(several columns)"
        text = named if making.expression in (None, making.name) else f"{named} = {self._cut(making.expression or '')}"
        parts = [making.kind, f"by {self._cut(making.keys)}" if making.keys else "", _END.get(making.source_kind or "", "")]
        parts.append(f"where {self._cut(making.condition)}" if making.condition else "")
        return Branch(text, "  ".join(part for part in parts if part))

    def _cut(self, text: str) -> str:
        return text if self._longest is None or len(text) <= self._longest else f"{text[: self._longest]}…"


_END = {"literal": "(a literal)", "generated": "(generated)", "unknown": "(unknown)"}


def _how(links: Sequence[Link]) -> str:
    """The kinds of edges, and what is to be said of them; ``deciding`` comes before those that pass no value on."""
    direct = dict.fromkeys(link.subtype for link in links if link.edge_type == "DIRECT" and link.subtype)
    indirect = dict.fromkeys(link.subtype for link in links if link.edge_type == "INDIRECT" and link.subtype)
    marks = list(direct)
    if indirect:
        marks.append("deciding: " + ", ".join(indirect))
    marks += [sure for sure in ("declared", "inferred", "opaque", "unknown") if any(link.certainty == sure for link in links)]
    if indirect and all(link.order_only for link in links):
        marks.append("order only")
    if all(link.masking for link in links):
        marks.append("masked")
    return ", ".join(marks)


def _runs_of_alike(executions: Iterable[ExecutionSummary]) -> Iterable[Sequence[ExecutionSummary]]:
    """Successive executions of one operation on the same versions, together; one that failed or is incomplete stays alone."""

    def what(execution: ExecutionSummary) -> tuple[Any, ...]:
        if execution.status != "succeeded" or execution.incomplete_reasons or not (execution.inputs or execution.outputs):
            return (execution.execution_id,)
        versions = [(v.name, v.version, v.fingerprint, v.write_mode) for v in (*execution.inputs, *execution.outputs)]
        return (execution.operation, *versions)

    return [tuple(alike) for _, alike in groupby(executions, key=what)]


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
        ("started", _time(run.started_at)),
        ("ended", f"{_time(run.ended_at)} ({_number(run.seconds)} s)" if run.ended_at else None),
        ("by", " on ".join(part for part in (run.user_name, detail.host) if part)),
        ("entry point", " ".join(part for part in (detail.entry_point, *detail.arguments) if part)),
        ("code", code),
        ("sha256", detail.code_sha256),
        ("spark", detail.spark_version),
        ("parameters", ", ".join(f"{key}={value}" for key, value in sorted(detail.parameters.items()))),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(detail.labels.items()))),
        ("missing", f"{detail.documents_missing} documents never came" if detail.documents_missing else None),
    ]


def _time(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}Z"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")
