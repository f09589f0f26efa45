"""Queries over small tables, whose rows are known by a column of their own: what is traced is compared with what is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

for folder in ("lineage", "replay"):  # the grammar of the column lineage's oracle; the queries of TPC-H
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

from small import Small  # noqa: E402 (what it needs is found by the path above)


@pytest.fixture(scope="module")
def small(spark: Any) -> Iterator[Callable[[int], Small]]:
    """The tables of a world, by its number, in a session of their own."""
    made: dict[int, Small] = {}

    def of(number: int) -> Small:
        if number not in made:
            made[number] = Small(spark, number)
        return made[number]

    yield of
    for one in made.values():
        one.close()
