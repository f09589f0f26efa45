"""The examples in docs/column-lineage.md are cases under tests/plans, and these have the edges that the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
PAGE = (TESTS.parent / "docs" / "column-lineage.md").read_text(encoding="utf-8")
CASES = {
    name: text
    for module in sorted((TESTS / "plans").glob("*cases*.py"))
    for name, text in re.findall(
        r'^    "(\w+)": (.*?)(?=^    "\w+": |^})', module.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
}
"""The text of each case."""
EDGE = re.compile(r"`([\w.*]+ <- [\w.*]+)(?: ([A-Z_]+))?`")


def examples() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(what is queried, its edges with their subtypes) of each table row that has both. A row may name its cases itself."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] or [""]
        edges = [found for cell in cells for found in EDGE.findall(cell)]
        queries = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell) if " " in text and " <- " not in text]
        last = re.findall(r"`(\w+)`", cells[-1]) if re.fullmatch(r"(`\w+`,? ?)+", cells[-1]) else []
        named = [text for text in last if text in CASES]
        if len(cells) >= 3 and edges and (named or queries):
            yield " ".join(named) or queries[0], edges


EXAMPLES = list(examples())


def cases_with(query: str) -> list[str]:
    """The cases of these names, else those whose text holds the query; an ellipsis in it stands for anything."""
    if all(word in CASES for word in query.split()):
        return query.split()
    pattern = re.compile(".*".join(re.escape(part.strip()) for part in query.split("...")), re.DOTALL)
    return [name for name, text in CASES.items() if pattern.search(text)]


@pytest.mark.parametrize(("query", "edges"), EXAMPLES, ids=[query[:40] for query, _ in EXAMPLES])
def test_an_example_is_a_case_with_these_edges(query: str, edges: list[tuple[str, str]]) -> None:
    found = cases_with(query)
    assert found, f"no case in tests/plans/cases.py has: {query}"
    lines = [
        json.loads((TESTS / "plans" / case / "expected.json").read_text(encoding="utf-8")).get("edges", []) for case in found
    ]
    missing = [
        [edge for edge, subtype in edges if not any(one.startswith(f"{edge} ") and subtype in one for one in case)]
        for case in lines
    ]
    assert [] in missing, f"of {found}: {missing}"


def test_there_are_examples_of_every_subtype() -> None:
    """Each row of the two tables of subtypes has one."""
    told = {row.split("|")[1].strip().strip("`") for row in PAGE.splitlines() if re.match(r"\| `[A-Z_]+` \|.*<-", row)}
    assert told >= {
        "IDENTITY", "TRANSFORMATION", "AGGREGATION", "FILTER", "JOIN", "GROUP_BY", "SORT", "WINDOW", "CONDITIONAL",
    }  # fmt: skip
    assert len(EXAMPLES) >= 9
