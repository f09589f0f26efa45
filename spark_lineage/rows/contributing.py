"""From rows that an execution read to the rows of its plan that they contributed to: what a trace tells, the other way round.

A row of a plan is found where a trace of it would find one of the rows that are meant, or would say that all of their source decides
about it. The rules are those of docs/row-provenance.md; Forward.java asks them from the leaves upwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import DoubleType, FloatType, StringType

from ..errors import TraceError
from ..snapshot.spark import of_fixed_length, quoted
from .bridge_sources import TRACER
from .equality import equal, is_comparable
from .tracing import MOST, pairs


@dataclass(frozen=True)
class Contributed:
    """The rows of a plan that are found, None where there are none, how many they are (None: more than come to the driver), and why not
    each of them need depend on a row that is meant.

    `kinds`: what was on the way; `wholes`: why all rows of a source decide.
    """

    rows: DataFrame | None
    count: int | None
    kinds: tuple[str, ...]
    wholes: tuple[str, ...]
    queries: int
    deterministic: bool


@contextmanager
def contributed(plan: DataFrame, most: int = MOST) -> Iterator[Contributed]:
    """Of a frame some of whose leaves are `identified` with rows that are meant, the rows that these contributed to. They are there within the context."""
    forward = _forward(plan, most)
    try:
        forward.follow(plan._jdf.queryExecution().analyzed())
        rows, count = forward.frame(), int(forward.count())
        yield Contributed(
            rows=None if rows is None else DataFrame(rows, plan.sparkSession),
            count=None if count < 0 else count,
            kinds=tuple(map(str, forward.kinds())),
            wholes=tuple(map(str, forward.wholes())),
            queries=int(forward.queries()),
            deterministic=bool(forward.isDeterministic()),
        )
    finally:
        forward.close()


def _forward(plan: DataFrame, most: int) -> Any:
    session = plan.sparkSession
    return TRACER.new(session.sparkContext._gateway, "Forward", session._jsparkSession, most)


_TIMES, _MET = "__lineage_n", "__lineage_m"


@dataclass(frozen=True)
class Matched:
    """What of a table is equal to rows of a plan: a frame of its rows, how many they are, and how the two differ.

    `missing`: rows of the plan that it does not have, or has less often; `more`: how much more often it has such rows than the plan gives them.
    """

    rows: DataFrame
    count: int
    missing: int
    more: int


def matched(found: DataFrame, count: int | None, table: DataFrame, partitioned: Collection[str] = ()) -> Matched:
    """The rows of a table, whose last column is their identity, that are equal to rows of a plan, of which there are `count`: as its columns are
    written there. `partitioned`: the columns by which a Delta table is partitioned, whose empty texts it writes as null."""
    columns = table.columns[:-1]
    paired = [
        (c, t)
        for c, t in pairs(found.columns, columns)
        if is_comparable(table.schema[columns[t]].dataType) and is_comparable(found.schema[c].dataType)
    ]
    if not paired:
        raise TraceError("no column of what the plan gives can be compared with what was written")
    names = [f"__lineage_c{number}" for number in range(len(found.columns))]
    keys = [F.col(names[c]) for c, _ in paired]
    texts = {names[c] for c, t in paired if columns[t] in partitioned and isinstance(found.schema[c].dataType, StringType)}
    given_rows = found.toDF(*names).select(
        *(F.when(F.col(name) != "", F.col(name)).alias(name) if name in texts else name for name in names)
    )
    groups = given_rows.groupBy(*keys).agg(F.count(F.lit(1)).alias(_TIMES))
    given, same = table.alias("t"), F.lit(True)
    for c, t in paired:
        value, field = F.col(f"t.{quoted(columns[t])}"), table.schema[columns[t]]
        same = same & equal(of_fixed_length(F.col(names[c]), field), found.schema[c].dataType, value, field.dataType)
    some = given.join(groups if count is None else F.broadcast(groups), same)
    met = some.groupBy(*keys, _TIMES).agg(F.count(F.lit(1)).alias(_MET))
    more = F.greatest(F.col(_MET) - F.col(_TIMES), F.lit(0))
    sums = met.agg(F.sum(F.least(_TIMES, _MET)), F.sum(more), F.sum(_MET)).first()
    wanted = found.count() if count is None else count
    assert sums is not None
    rows = given.join(groups if count is None else F.broadcast(groups), same, "left_semi")
    # within the tolerance of doubles a row may be equal to several
    several = any(isinstance(table.schema[columns[t]].dataType, (FloatType, DoubleType)) for _, t in paired)
    return Matched(rows, rows.count() if several else int(sums[2] or 0), wanted - int(sums[0] or 0), int(sums[1] or 0))
