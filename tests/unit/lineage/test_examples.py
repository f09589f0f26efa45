"""The examples in docs/column-lineage.md are cases under tests/plans, and these have the edges that the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
PAGE = (TESTS.parent / "docs" / "column-lineage.md").read_text(encoding="utf-8")
CASES = [
    line
    for name in ("cases.py", "write_cases.py")
    for line in (TESTS / "plans" / name).read_text(encoding="utf-8").splitlines()
]
EDGE = re.compile(r"`([\w.*]+ <- [\w.*]+)(?: ([A-Z_]+))?`")


def examples() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(what is queried, its edges with their subtypes) of each table row that has both."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        edges = [found for cell in cells for found in EDGE.findall(cell)]
        queries = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell) if " " in text and " <- " not in text]
        if len(cells) >= 3 and edges and queries:
            yield queries[0], edges


EXAMPLES = list(examples())


def cases_with(query: str) -> list[str]:
    """The cases whose text holds the query; an ellipsis in it stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in query.split("..."))
    named = ((re.match(r'    "(\w+)": ', line), line) for line in CASES)
    return [name[1] for name, line in named if name and re.search(pattern, line)]


@pytest.mark.parametrize(("query", "edges"), EXAMPLES, ids=[query[:40] for query, _ in EXAMPLES])
def test_an_example_is_a_case_with_these_edges(query: str, edges: list[tuple[str, str]]) -> None:
    found = cases_with(query)
    assert found, f"no case under tests/plans has: {query}"
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
