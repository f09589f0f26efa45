"""The state of resolving one plan: what is known so far, and what was noticed on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ..model import SampleColumn, Subtype
from ..plan.document import Commit
from ..plan.expressions import Expression
from ..plan.nodes import MissingFieldError, Node, Plan
from ..plan.values import Field, Stated
from .datasets import DatasetRef, Naming, Reading
from .expressions import Evaluated, evaluate
from .influence import Influence, Source, Sources, decided_by, passed
from .naming import DatasetKey, exact_place, is_absolute, parent_of
from .relation import Column, Condition, Relation
from .scope import Scope

MALFORMED: Final = (LookupError, ValueError, TypeError, AttributeError, RecursionError)
"""What reading a node or an expression raises that has not the form that its handler or its rule expects."""
_UNTYPED: Final = Field("", "unknown")


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A write that a plan makes: its target, how (`operation`, `mode`), the target's columns in order, and the rows' origin."""

    target: DatasetRef
    operation: str
    mode: str | None
    columns: tuple[tuple[str | None, Column], ...]
    """A column that is named None bears on every column: the write is known, what it does is not."""
    relation: Relation
    node: Node | None
    fields: tuple[Field, ...] = ()
    """The schema of what is written, empty where a type is not known."""
    rewrites: bool = False
    """Whether the target's own rows are read for it (MERGE, UPDATE, DELETE)."""
    upkeep: bool = False
    """Whether it leaves every value as it was; its commits say what each of them did."""
    declared: bool = False
    """Whether only the program says so."""
    sample_mark: str | None = None
    """The alias by which the program asks for a sample of the rows (sample_marks.py), of a write of a plan inside of another."""


@dataclass
class Walk:
    """Resolving one plan. Handlers read what lies below their node through it, and report writes and reasons to it."""

    plan: Plan
    naming: Naming
    sources: Sources
    readings: list[Reading]
    hints: Sequence[DatasetRef] = ()
    """Datasets that physical plans and commits say were written, for commands that name only a table."""
    confs: Mapping[str, str] = field(default_factory=dict)
    """The session's SQL settings."""
    committed: Mapping[DatasetKey, Commit] = field(default_factory=dict)
    """The last commit to each table: what it says of the table's columns that no plan tells."""
    relations: dict[int, Relation] = field(default_factory=dict)
    written: list[Written] = field(default_factory=list)
    reasons: dict[str, None] = field(default_factory=dict)
    ctes: dict[str, Relation] = field(default_factory=dict)
    loops: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    """For each recursion, the columns under which it reads its own rows."""
    batch: tuple[tuple[str, ...], Relation] | None = None
    """The rows of the micro-batch that this plan runs over, with their names."""
    inner: list[Walk] = field(default_factory=list)
    """The plans that ran inside this one and whose writes are its own."""

    masks: frozenset[str] = frozenset()
    """Names of the user's own functions that mask what they are given."""
    streamed: tuple[str, ...] = ()
    """What the sources of the micro-batch that this plan is call themselves."""
    keyed: Mapping[DatasetKey, SampleColumn] = field(default_factory=dict)
    """The columns that rows were given beside those of their plan (`rows.column`), by table."""

    def __post_init__(self) -> None:
        self.scope = Scope(self.sources, self.relations, self.plan.attributes, self.masks, self.reasons)

    def relation(self, node_id: int) -> Relation:
        return self.relations[node_id]

    def child(self, node: Node) -> Relation:
        """The relation of the only child. Raises `MissingFieldError` where there are none or several."""
        return self.relations[node.child]

    def children(self, node: Node) -> tuple[Relation, ...]:
        return tuple(self.relations[child] for child in node.children)

    def query(self, node: Node, name: str = "query") -> Relation:
        """The rows that a command takes: the plan of a field, else the last child."""
        plan = node.plan(name)
        if plan is not None:
            return self.relations[plan]
        if node.children:
            return self.relations[node.children[-1]]
        raise MissingFieldError(f"{node.kind} has no {name}")

    def evaluate(self, expression: Expression, columns: Mapping[int, Column]) -> Evaluated:
        """What bears on the value of an expression over the given columns."""
        return evaluate(expression, columns, self.scope)

    def condition(self, stated: Stated, subtype: Subtype, columns: Mapping[int, Column]) -> Condition:
        """What decides about rows through an expression."""
        influence = self.evaluate(stated.expression, columns).influence
        return self.deciding(influence, subtype, stated.sql or self.name(stated.expression))

    def deciding(self, influence: Influence, subtype: Subtype, expression: str | None = None) -> Condition:
        """What bears on a value, as a condition. Literals and generated values decide nothing."""
        return Condition(subtype, decided_by(influence.everything & ~self.sources.none, subtype, influence), expression)

    def subquery_datasets(self, node: Node) -> int:
        """The readings below the subqueries in a node's expressions."""
        bits = 0
        for plan in node.subqueries:
            bits |= self.relations[plan].datasets
        return bits

    def read(self, node: Node, datasets: Iterable[Reading]) -> Relation:
        """A leaf: each column comes from the column of that name in each of the datasets."""
        if node.output is None:
            raise MissingFieldError(f"{node.kind} has no output")
        first = len(self.readings)
        fields = self.fields(node.output)
        for reading in datasets:
            self.note(reading.dataset)
            self.readings.append(replace(reading, fields=fields, output=node.output))
        added = range(first, len(self.readings))
        columns = {}
        for expression_id in node.output:
            name = self.plan.name_of(expression_id)
            bits = 0
            for number in added:
                bits |= self.sources.bit(Source("column", number, name))
            columns[expression_id] = Column(passed(bits))
        return Relation(columns=columns, output=node.output, datasets=sum(1 << number for number in added))

    def behind(self, datasets: Iterable[DatasetRef]) -> dict[DatasetRef, int]:
        """Readings of datasets that rows are taken to come from, by number."""
        numbers = {dataset: len(self.readings) + at for at, dataset in enumerate(dict.fromkeys(datasets))}
        self.readings.extend(Reading(dataset, inferred=True) for dataset in numbers)
        return numbers

    def copied(self, reading: Reading, fields: tuple[Field, ...]) -> tuple[tuple[tuple[str, Column], ...], Relation]:
        """The columns of a table that is copied whole, each from the column of its name, and the relation that it is."""
        number = len(self.readings)
        self.readings.append(replace(reading, fields=fields))
        bits = ((field.name, self.sources.bit(Source("column", number, field.name))) for field in fields)
        return tuple((name, Column(passed(bit))) for name, bit in bits), Relation(datasets=1 << number)

    def made(self, node: Node, influence: Influence) -> Relation:
        """A leaf that has no dataset below it: every column alike."""
        column = Column(influence, step=node.kind)
        output = node.output or ()
        return Relation(columns=dict.fromkeys(output, column), output=output)

    def adopt(self, nested: Walk) -> None:
        """Take over the writes of a plan that ran inside this one."""
        self.inner.append(nested)
        self.written.extend(nested.written)
        self.reasons.update(nested.reasons)

    def located(self, parts: tuple[str, ...], provider: str | None) -> DatasetRef:
        """The table of that name, where the writes and commits of the execution say it lies: the only one, or the one that
        is named like its folder, in one that is called as its database is. Known by its name alone where they do not say."""
        named = tuple(hint for hint in self.hints if parts and hint.place.name.rpartition("/")[2].lower() == parts[-1].lower())
        candidates = named if len(self.hints) > 1 else tuple(self.hints)
        if len(candidates) > 1 and len(parts) > 1:  # of one name in several databases
            database = parts[-2].lower()
            candidates = tuple(
                hint for hint in candidates if parent_of(hint.place)[1].lower().endswith((f"/{database}.db", f"/{database}"))
            )
        if len(candidates) != 1:
            return self.naming.of_name(parts, provider)
        hint = candidates[0]
        aliases = self.naming.aliases(parts)
        return replace(hint, aliases=aliases, alias=".".join(parts) or None, format=provider or hint.format)

    def at_path(self, path: str, file_format: str | None) -> DatasetRef:
        """What lies at a path that a command writes to. A relative one is where the writes and commits say it is."""
        if not is_absolute(path):
            tail = "/" + path.removeprefix("./").strip("/")
            for hint in self.hints:
                if (hint.location or "").endswith(tail) or hint.place.name.endswith(tail):
                    return replace(hint, format=file_format or hint.format)
        committed = next((hint for hint in self.hints if hint.key == exact_place(path).key), None)
        return (
            replace(committed, format=file_format or committed.format) if committed else self.naming.of_path(path, file_format)
        )

    def call_also(self, number: int, names: Iterable[str]) -> None:
        """Give a reading's dataset more names."""
        reading = self.readings[number]
        self.readings[number] = replace(reading, dataset=reading.dataset.also_called(names))

    def fields(self, output: Iterable[int]) -> tuple[Field, ...]:
        """The schema of some columns, empty where one's type is not known."""
        known = tuple(self.plan.attributes.get(item, _UNTYPED) for item in output)
        return () if any(field.data_type == _UNTYPED.data_type for field in known) else known

    def note(self, dataset: DatasetRef) -> None:
        """What is not sure of a dataset's name."""
        if dataset.note is not None:
            self.reason(dataset.note)

    def reason(self, text: str) -> None:
        """Something that could not be seen."""
        self.reasons[text] = None

    def name(self, expression: Expression) -> str | None:
        """The name of a bare column, None for anything else."""
        expression_id = getattr(expression, "id", None)
        return None if expression_id is None else self.plan.name_of(expression_id)
