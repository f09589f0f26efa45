"""Generated queries give the same rows, row for row, with and without capture, and so do the tables that they are written to.

`SPARK_LINEAGE_ROWS_UNCHANGED` is the number of queries of the long run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from oracle import reason_of, stepped
from query_grammar import Queries, Query
from small import Small
from test_sufficiency import NAMED
from worlds import rows_of

import spark_lineage
from spark_lineage import Sample
from spark_lineage.capture.attach import attach, detach

WORLDS = 4


COLUMN = "_lineage"


def outcome(one: Small, query: Query, place: Path | None, tracked: bool) -> Any:
    """The rows in their order, told so that NaN equals itself; of a written one those of the table, without the column of its keys; or the class of the
    error. `tracked`: a sample is asked for of the frame."""
    try:
        frame = stepped(one.session.sql(query.sql), query)
        if tracked:
            frame = spark_lineage.track(frame, rows=Sample(fraction=0.5))
        if place is None:
            return [repr(row) for row in frame.collect()]
        frame.toDF(*(f"c{at}" for at in range(len(frame.columns)))).write.format("delta").mode("overwrite").option(
            "overwriteSchema", True
        ).save(str(place))
        return [repr(row) for row in one.session.read.format("delta").load(str(place)).drop(COLUMN).collect()]
    except Exception as error:  # it has to be the same one
        return reason_of(error)


def compared(
    small: Callable[[int], Small], spark: Any, folder: Path, seeds: range, named: list[str], written: int
) -> list[str]:
    """What differs: each query without capture twice, then with it; every so many of them are written, too."""
    cases: list[tuple[Small, Query, int]] = []
    for seed in seeds:
        one = small(seed % WORLDS)
        cases.append((one, Queries(one.world, Random(seed)).query(), seed))
    cases += [(small(0), Query(NAMED[name], ()), 3) for name in named]

    def all_of_them(at: str, capture: bool = False) -> list[Any]:
        found = []
        for number, (one, query, seed) in enumerate(cases):
            one.bind({table.name: rows_of(table, Random(seed)) for table in one.world.tables})
            found.append(outcome(one, query, None, capture))
            if number % written == 0:  # what the program tracks itself gets no column of an option
                found.append(outcome(one, query, folder / at / str(number), capture and one is not with_keys))
        return found

    with_keys = cases[0][0]
    detach(spark)
    first, again = all_of_them("first"), all_of_them("again")
    attachment = attach(
        with_keys.session,
        inbox=str(folder / "inbox"),
        ingest="none",
        executables="all",
        snapshots_inline=True,
        rows_column=COLUMN,
        rows_sample=0.5,
        strict=True,
    )
    assert attachment is not None
    try:
        with_it = all_of_them("with", capture=True)
        assert attachment.flush(120)
    finally:
        detach(spark)
    documents = sum(1 for _ in (folder / "inbox").rglob("*.execution.json.gz"))
    stable = sum(one == other for one, other in zip(first, again, strict=True))
    differ = [
        f"{one}\ninstead of {wanted}"
        for one, wanted, other in zip(with_it, first, again, strict=True)
        if one != wanted and wanted == other
    ]
    print(
        f"{len(cases)} queries, {stable} of {len(first)} results the same each time, {len(differ)} others under capture; {documents} documents"
    )
    assert documents > len(cases) / 2, "nothing was captured"
    assert any(COLUMN in str(log.read_text()) for log in (folder / "with").rglob("_delta_log/*0.json")), "no column was added"
    assert stable > 0.9 * len(first)
    return differ


def test_a_selection(small: Callable[[int], Small], spark: Any, tmp_path: Path) -> None:
    assert compared(small, spark, tmp_path, range(6), ["rank", "not in"], 4) == []


@pytest.mark.soak
def test_hundreds(small: Callable[[int], Small], spark: Any, tmp_path: Path) -> None:
    """New ones each time; the seed is printed."""
    cases, first = int(os.environ.get("SPARK_LINEAGE_ROWS_UNCHANGED", 500)), random.randrange(10**9)
    print(f"seeds {first} to {first + cases - 1}")
    differ = compared(small, spark, tmp_path, range(first, first + cases), list(NAMED), 4)
    assert differ == [], "\n\n".join(differ[:3])
