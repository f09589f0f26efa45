"""How one write made a column: the part of its stored plan that leads from the column to what was read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

from ..errors import NotFound
from .answers import ColumnVersion, Explanation, Making, Operator, Taken
from .history import Write
from .moment import from_microseconds
from .names import Key, Names
from .tables import Tables

_COLUMN_OF_ALL: Final = "*"
_PASSING: Final = frozenset({
    "CollectMetrics", "CTERelationDef", "CTERelationRef", "EventTimeWatermark", "PipeOperator", "Project", "RebalancePartitions", "Repartition",
    "RepartitionByExpression", "ResolvedHint", "ReturnAnswer", "Subquery", "SubqueryAlias", "View", "Window", "WithCTE",
})  # fmt: skip
"""Operators that give each row on as often as they got it. Any other may decide about rows."""


class StoredPlan:
    """A plan as the table `plans` holds it. `columns` is None for one that an earlier release stored."""

    def __init__(self, operators: Iterable[Mapping[str, Any]], columns: Iterable[Mapping[str, Any]] | None) -> None:
        self.operators = {row["id"]: row for row in operators}
        self.columns = None if columns is None else {row["column"]: row for row in columns}
        self.between = lru_cache(maxsize=None)(self._between)

    def target(self, dataset: Key, column: str) -> Mapping[str, Any] | None:
        """What is written to the column, or to the struct that it is a field of."""
        wanted = column.lower()
        found = [row for row in (self.columns or {}).values() if row["target"] is not None and _holds(row["target"], wanted)]
        return next((row for row in found if self._is_written_to(row, dataset)), None)

    def _is_written_to(self, row: Mapping[str, Any], dataset: Key) -> bool:
        """An operator's description says where it writes to; that of a plan inside this one is not there."""
        if row["operator"] in self.operators:
            return bool(self.operators[row["operator"]]["description"] == " ".join(dataset))
        return any((source["namespace"], source["name"]) == dataset for source in row["sources"] or ())

    def reached(self, number: int) -> Iterator[Mapping[str, Any]]:
        """The columns that one was made from, itself first, each once."""
        columns = self.columns or {}
        seen, queue = {number}, deque([number])
        while queue:
            row = columns.get(queue.popleft())
            if row is None:
                continue
            yield row
            new = [item for item in row["inputs"] or () if item not in seen]
            seen.update(new)
            queue.extend(new)

    def _between(self, upper: int | None, lower: int | None) -> tuple[Operator, ...]:
        """The operators on any way from one down to another that may decide about rows, the uppermost first."""
        if upper is None or lower is None or upper not in self.operators:
            return ()
        # An operator has a higher number than what it takes, so that nothing below `lower` needs to be looked at.
        least = lower if self._ordered else min(self.operators)
        below = _closure(upper, lambda item: (one for one in self.operators[item]["inputs"] or () if one >= least))
        ways = below & _closure(lower, lambda item: (one for one in self._takers.get(item, ()) if one in below))
        found = (self.operators[item] for item in sorted(ways, reverse=True) if item not in (upper, lower))
        return tuple(_told(row) for row in found if row["kind"] not in _PASSING)

    @cached_property
    def _takers(self) -> dict[int, list[int]]:
        """The operators that take each."""
        takers: dict[int, list[int]] = {}
        for number, row in self.operators.items():
            for item in row["inputs"] or ():
                takers.setdefault(item, []).append(number)
        return takers

    @cached_property
    def _ordered(self) -> bool:
        """False where a recursive query takes itself."""
        return all(item < number for number, row in self.operators.items() for item in row["inputs"] or ())


def _closure(start: int, following: Callable[[int], Iterable[int]]) -> set[int]:
    seen, queue = {start}, deque([start])
    while queue:
        new = set(following(queue.popleft())) - seen
        seen |= new
        queue.extend(new)
    return seen


class Explained:
    """The write that a column is explained by, among those in force: the last one that wrote it."""

    def __init__(self, tables: Tables, names: Names, dataset: Key, column: str, writes: list[Write]) -> None:
        """`writes` are those in force, in order. Raises `NotFound` where none of them tells how it made the column."""
        self._tables = tables
        self._names = names
        self.dataset = dataset
        self.column = column
        self._plans: dict[str, StoredPlan | None] = {}
        self._executions = self._read_executions({write.execution_id for write in writes})
        for place, write in reversed(list(enumerate(writes))):
            if write.lineage_id is None and not write.lost:
                continue  # it left every value as it was
            found = self._plan(write)
            target = found.target(dataset, column)
            if target is not None:
                self.write, self.plan, self.target, self.others = write, found, target, place
                return
        raise NotFound(f"no write in force gave {names.label(dataset)} the column {column!r}, as far as stored plans tell")

    def answer(self, at: int) -> Explanation:
        rows = tuple(self.plan.reached(self.target["column"]))
        return Explanation(
            namespace=self.dataset[0],
            name=self.dataset[1],
            label=self._names.label(self.dataset),
            column=self.target["target"] if self.target["target"] != _COLUMN_OF_ALL else self.column,
            at=from_microseconds(at),
            execution_id=self.write.execution_id,
            run_id=self.write.run_id,
            job_name=self.write.job_name,
            operation=self._executions[self.write.execution_id][1],
            written_at=from_microseconds(self.write.effective_at),
            version=self.write.version,
            other_writes=self.others,
            target=self.target["column"],
            makings=tuple(map(self._making, rows)),
        )

    def _making(self, row: Mapping[str, Any]) -> Making:
        assert self.plan.columns is not None
        inputs = [(number, self.plan.columns.get(number, {}).get("operator")) for number in row["inputs"] or ()]
        return Making(
            number=row["column"],
            operator=row["operator"],
            kind=row["kind"],
            name=row["name"],
            expression=row["expression"],
            condition=row["condition"],
            keys=_keys(self.plan.operators.get(row["operator"])),
            source_kind=row["source_kind"],
            sources=tuple(self._source(source) for source in row["sources"] or () if row["target"] is None),
            inputs=tuple(
                Taken(number=number, through=self.plan.between(row["operator"], operator)) for number, operator in inputs
            ),
        )

    def _source(self, source: Mapping[str, Any]) -> ColumnVersion:
        key = (source["namespace"], source["name"])
        return ColumnVersion(
            namespace=key[0],
            name=key[1],
            label=self._names.label(key),
            column=source["column"],
            versions=self._versions.get(key, ()),
        )

    @cached_property
    def _versions(self) -> dict[Key, tuple[int, ...]]:
        found: dict[Key, set[int]] = {}
        wanted = ("execution_id", "namespace", "name", "delta_version")
        for execution_id, namespace, name, version in self._tables.rows(
            "inputs", wanted, {"execution_id": {self.write.execution_id}}
        ):
            if execution_id == self.write.execution_id and version is not None:
                found.setdefault((namespace, name), set()).add(version)
        return {key: tuple(sorted(versions)) for key, versions in found.items()}

    def _plan(self, write: Write) -> StoredPlan:
        plan_id, _ = self._executions.get(write.execution_id, (None, ""))
        where = f"{self._names.label(self.dataset)} was last written by execution {write.execution_id}"
        if plan_id is None:
            raise NotFound(
                f"{where}, whose plan was not stored: `spark-lineage show {write.run_id}` says what could not be seen; "
                "`upstream` tells what else is known of the column"
            )
        if plan_id not in self._plans:
            self._plans[plan_id] = self._stored(plan_id)
        plan = self._plans[plan_id]
        if plan is None or plan.columns is None:
            raise NotFound(
                f"{where}, whose plan was stored by an earlier release, which did not tell columns; the job's next run adds them"
            )
        if not any(row["target"] for row in plan.columns.values()):
            raise NotFound(
                f"{where}, whose plan does not tell how its columns were made; `upstream` tells what they may come from"
            )
        return plan

    def _stored(self, plan_id: str) -> StoredPlan | None:
        rows = self._tables.rows("plans", ("plan_id", "operators", "columns"), {"plan_id": {plan_id}})
        found = [(operators or (), columns) for known, operators, columns in rows if known == plan_id]
        if not found:
            return None
        return StoredPlan(*next((row for row in found if row[1] is not None), found[0]))

    def _read_executions(self, wanted: set[str]) -> dict[str, tuple[str | None, str]]:
        rows = self._tables.rows("executions", ("execution_id", "plan_id", "operation"), {"execution_id": wanted})
        return {execution_id: (plan_id, operation) for execution_id, plan_id, operation in rows if execution_id in wanted}


def _holds(target: str, wanted: str) -> bool:
    target = target.lower()
    return target in (wanted, _COLUMN_OF_ALL) or wanted.startswith(target + ".")


def _told(operator: Mapping[str, Any]) -> Operator:
    """An operator that decides about rows; of an Aggregate only what it groups by does."""
    keys = _keys(operator)
    return Operator(
        id=operator["id"], kind=operator["kind"], description=f"by {keys}" if keys else operator["description"] or ""
    )


def _keys(operator: Mapping[str, Any] | None) -> str | None:
    """What an Aggregate groups by: what its description names before the columns that it gives. None where that cannot be told."""
    if operator is None or operator["kind"] != "Aggregate":
        return None
    stated = tuple(_parts(operator["description"] or ""))
    keys = stated[: len(stated) - len(operator["fields"] or ())]
    return ", ".join(keys) or None


def _parts(text: str) -> Iterator[str]:
    """The expressions of a list; commas within brackets and back-quotes do not part."""
    depth, quoted, start = 0, False, 0
    for position, character in enumerate(text):
        quoted ^= character == "`"
        if not quoted:
            depth += (character in "([{") - (character in ")]}")
            if character == "," and depth == 0:
                yield text[start:position].strip()
                start = position + 1
    yield text[start:].strip()
