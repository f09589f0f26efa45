"""Captured documents with something left out, put elsewhere or made something else: refused as malformed, or resolved."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spark_lineage.errors import DocumentError
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import ExecutionDocument, read

PLANS = Path(__file__).resolve().parents[2] / "plans"
CHANGED = ("analyzed", "nested", "scans", "writes", "commits", "stream")
OTHERS: tuple[Any, ...] = (0, 1, -1, 2**40, "x", "", [], {}, [[]], {"e": "Cast"}, {"expr": {"e": "If"}}, True, 1.5, None)


def test_a_document_that_was_changed_anywhere_is_refused_or_resolved() -> None:
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PLANS.glob("*/plan.json"))]
    chance = random.Random(5)
    resolved = 0
    for _ in range(1_000):
        changed = _changed(chance.choice(documents), chance)
        try:
            document = read(json.dumps(changed).encode())
        except DocumentError:
            continue
        assert isinstance(document, ExecutionDocument)
        records = records_of_execution(document, RunContext())
        assert len(records.executions) == 1
        resolved += 1
    assert resolved > 200


def _changed(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    document = copy.deepcopy(document)
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = [place for place in _places(document) if place[0] in CHANGED]
        if not places:
            break
        place = chance.choice(places)
        holder = _at(document, place[:-1])
        match chance.randrange(3):
            case 0:
                del holder[place[-1]]
            case 1:
                holder[place[-1]] = copy.deepcopy(chance.choice(OTHERS))
            case _:
                holder[place[-1]] = copy.deepcopy(_at(document, chance.choice(places)))
    return document


def _places(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*before, key)
        yield from _places(item, (*before, key))


def _at(document: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        document = document[key]
    return document
