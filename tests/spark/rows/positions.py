"""Tables of a benchmark, a Parquet file each, whose rows are known by their positions; whether the rows that a trace finds suffice, and are needed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType, StructField, StructType

from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import Followed, follow

POSITION = StructType([StructField("position", LongType())])


@dataclass
class Count:
    """What the rows that were examined came to."""

    rows: int = 0
    taken_away: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tables:
    """A session with the tables."""

    session: Any
    frames: dict[str, Any]

    def _named(self, text: str) -> list[tuple[int, str]]:
        """Those that a query names, with their numbers."""
        words = set(re.findall(r"\w+", text.lower()))
        return [(number, name) for number, name in enumerate(self.frames) if name in words]

    def bind(
        self, text: str, only: Mapping[str, set[int]] | None = None, without: Mapping[str, set[int]] | None = None
    ) -> None:
        """The tables of a query with their identities; or, of each, only the rows at these positions (all of one that is not named), or
        all but those."""
        for number, name in self._named(text):
            frame = self.frames[name]
            if only is None and without is None:
                rows = identified(frame, number).select(*frame.columns)
            elif name in (only or without or {}):
                kept = local_frame(self.session, [(one,) for one in sorted((only or without or {})[name])], POSITION)
                at = frame.select("*", F.col("_metadata.row_index").alias("position"))
                how = "left_semi" if only is not None else "left_anti"
                rows = at.join(F.broadcast(kept), "position", how).select(*frame.columns)
            else:
                rows = frame
            rows.createOrReplaceTempView(name)

    def rows(self, text: str) -> list[Any]:
        return list(self.session.sql(text).collect())

    def result(self, text: str) -> list[Any]:
        """What the query gives over all rows."""
        self.bind(text)
        return self.rows(text)

    def trace(self, text: str, row: Any) -> Followed:
        self.bind(text)
        query = self.session.sql(text)
        return follow(query, local_frame(self.session, [row], query.schema), limit=10**7, fixed=True)

    def found(self, text: str, followed: Followed) -> dict[str, set[int]]:
        """By table the positions of the rows that were found; without the tables that decide as a whole."""
        return {
            name: {int(one.position or 0) for one in followed.rows.get(number, ((), 0))[0]}
            for number, name in self._named(text)
            if number not in followed.wholes
        }

    def examine(self, name: str, text: str, row: Any, count: Count, needed: int = 0) -> None:
        """Whether the rows that are found of one suffice; and whether it is another one without any of `needed` of those of each table."""
        count.rows += 1
        followed = self.trace(text, row)
        if followed.missing or followed.lost:
            count.wrong.append(f"{name}: {row} is not found again")
            return
        only = self.found(text, followed)
        self.bind(text, only)
        again = self.rows(text)
        if not any(equal(row, one) for one in again):
            count.wrong.append(f"{name}: {row} is not in {again[:3]}; {followed.kinds}, {followed.wholes}")
            return
        if needed and followed.deterministic and not followed.wholes and {*followed.kinds} <= {"aggregate"}:
            self._without(name, text, row, only, count, needed)

    def _without(self, name: str, text: str, row: Any, only: Mapping[str, set[int]], count: Count, needed: int) -> None:
        chance = Random(0)
        for table, positions in only.items():
            for one in chance.sample(sorted(positions), min(needed, len(positions))):
                self.bind(text, without={table: {one}})
                count.taken_away += 1
                if any(equal(row, other) for other in self.rows(text)):
                    count.wrong.append(f"{name}: {row} is there without row {one} of {table}")


def equal(row: Any, other: Any) -> bool:
    return all(
        math.isclose(one, two, rel_tol=1e-9) if isinstance(one, float) and isinstance(two, float) else one == two
        for one, two in zip(row, other, strict=True)
    )
