"""Writes docs/coverage.md from the tables of rules and handlers; a test holds that the file is fresh.

make docs        or: python scripts/coverage_doc.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_lineage.lineage.catalyst import EXPRESSION_GROUPS, NODE_GROUPS, Group, releases_of, simple
from spark_lineage.lineage.catalyst_names import EXPRESSIONS, NODES, RELEASES
from spark_lineage.lineage.dispatch import HANDLERS
from spark_lineage.lineage.expressions import RULES, USER_FUNCTIONS
from spark_lineage.lineage.nodes.commands import OPERATIONS
from spark_lineage.lineage.scope import UNCHANGED
from spark_lineage.lineage.structures import STRUCTURES

TARGET = Path(__file__).resolve().parents[1] / "docs" / "coverage.md"

HEAD = f"""\
# What of Spark is understood

Made from the code by `make docs`: every class of plan node and of expression that Spark {" and ".join(RELEASES)} and Delta have, but abstract
ones. [column-lineage.md](column-lineage.md) says what the edges mean. A test reads the jars that are installed and fails where a class
has no row here.

| is | |
| --- | --- |
| handled | a handler of the node, or a rule for the expression, says what it does |
| default rule | the expression is computed from all its children, TRANSFORMATION, or it makes a value up where it has none; somebody looked at it, and that is right |
| not in analyzed plans | the analyzer replaces it, or the optimizer makes it: it stands in no document |
| unknown | edges from everything below it, and a reason in `incomplete_reasons` |

A class that is not here was never seen: a library's own, or one of a later release. It gives edges from all its children with the
certainty `unknown`, and `incomplete_reasons` has `unknown node <class>` or `unknown expression <class>`.

"""


@dataclass(frozen=True, slots=True)
class Row:
    """What is done with a class: one of the words above, where the code is, and what that does."""

    treatment: str
    where: str = ""
    what: str = ""


def document() -> str:
    """The whole text of docs/coverage.md."""
    nodes = table(NODES, node_rows(), "node")
    expressions = table(EXPRESSIONS, expression_rows(), "expression")
    return (
        f"{HEAD}## Plan nodes\n\n{summary(NODES, node_rows())}\n{nodes}## Expressions\n\n{summary(EXPRESSIONS, expression_rows())}\n{expressions}".rstrip()
        + "\n"
    )


def node_rows() -> dict[str, Row]:
    """By the name of the class without its package."""
    rows = grouped(NODE_GROUPS)
    for name, handler in HANDLERS.items():
        what = first_line(handler)
        if name in OPERATIONS and handler is HANDLERS["AddColumns"]:
            what = f"{OPERATIONS[name]}: every value stays as it was"
        rows[name] = Row("handled", where(handler), what)
    return rows


def expression_rows() -> dict[str, Row]:
    rows = grouped(EXPRESSION_GROUPS)
    here = "expressions.py"
    for name, row in CARRIERS.items():
        rows[name] = Row("handled", here, row)
    for name in USER_FUNCTIONS:
        rows[name] = Row("handled", here, "a function of the user's own: all that goes in may come out")
    for name in UNCHANGED:
        rows[name] = Row("handled", "scope.py", "its only child's value as it is")
    for name, rule in (RULES | STRUCTURES).items():
        rows[name] = Row("handled", where(rule), first_line(rule))
    return rows


CARRIERS = {
    "AttributeReference": "the column",
    "Literal": "what the query spells out",
    "Alias": "its child's value under a name",
    "ScalarSubquery": "the value of its only column, and what decides about its rows",
    "Exists": "what decides about its rows",
}
"""Expressions that the reading of documents itself tells apart."""


def grouped(groups: Iterable[Group]) -> dict[str, Row]:
    return {name: Row(group.treatment, "", f"{group.title}: {group.why}") for group in groups for name in group.names}


def where(function: Callable[..., Any]) -> str:
    return inspect.getmodule(function).__name__.removeprefix("spark_lineage.lineage.").replace(".", "/") + ".py"  # type: ignore[union-attr]


def first_line(function: Callable[..., Any]) -> str:
    """The docstring's first sentence; the function's name in words where it has none."""
    text = inspect.getdoc(function)
    if text is None:
        return function.__name__.strip("_").replace("_", " ")
    return re.split(r"(?<=\.)\s", " ".join(text.split("\n\n")[0].split()), maxsplit=1)[0].rstrip(".")


def summary(listed: Mapping[str, str], rows: Mapping[str, Row]) -> str:
    counts: dict[str, int] = {}
    for names in listed.values():
        for name, _ in map(releases_of, names.split()):
            treatment = rows[simple(name)].treatment
            counts[treatment] = counts.get(treatment, 0) + 1
    return ", ".join(f"{count} {treatment}" for treatment, count in sorted(counts.items(), key=lambda item: -item[1])) + ".\n"


def table(listed: Mapping[str, str], rows: Mapping[str, Row], what: str) -> str:
    parts = []
    for package, names in listed.items():
        parts.append(f"### {package}\n\n| {what} | is | by | |\n| --- | --- | --- | --- |\n")
        for name, release in map(releases_of, names.split()):
            row = rows[simple(name)]
            only = f" ({release} only)" if release else ""
            parts.append(f"| `{name}`{only} | {row.treatment} | {f'`{row.where}`' if row.where else ''} | {row.what} |\n")
        parts.append("\n")
    return "".join(parts)


def without_row() -> tuple[str, ...]:
    """The listed classes that nothing is said of."""
    missing = []
    for listed, rows in ((NODES, node_rows()), (EXPRESSIONS, expression_rows())):
        for package, names in listed.items():
            missing += [f"{package}.{name}" for name, _ in map(releases_of, names.split()) if simple(name) not in rows]
    return tuple(missing)


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
