"""From rows that an execution read to the rows of its plan that they contributed to: what a trace tells, the other way round.

A row of a plan is found where a trace of it would find one of the rows that are meant, or would say that all of their source decides
about it. The rules are those of docs/row-provenance.md; Forward.java asks them from the leaves upwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from .bridge_sources import TRACER
from .tracing import MOST


@dataclass(frozen=True)
class Contributed:
    """The rows of a plan that are found, None where there can be none, and why not each of them need depend on a row that is meant.

    `kinds`: what was on the way; `wholes`: why all rows of a source decide.
    """

    rows: DataFrame | None
    kinds: tuple[str, ...]
    wholes: tuple[str, ...]
    queries: int
    deterministic: bool


def contributed(plan: DataFrame, most: int = MOST) -> Contributed:
    """Of a frame some of whose leaves are `identified` with rows that are meant, the rows that these contributed to."""
    forward = _forward(plan, most)
    forward.follow(plan._jdf.queryExecution().analyzed())
    rows = forward.frame()
    return Contributed(
        rows=None if rows is None else DataFrame(rows, plan.sparkSession),
        kinds=tuple(map(str, forward.kinds())),
        wholes=tuple(map(str, forward.wholes())),
        queries=int(forward.queries()),
        deterministic=bool(forward.isDeterministic()),
    )


def _forward(plan: DataFrame, most: int) -> Any:
    gateway: Any = plan.sparkSession.sparkContext._gateway
    values = (plan.sparkSession._jsparkSession, most)
    arguments = gateway.new_array(gateway.jvm.java.lang.Object, len(values))
    for number, value in enumerate(values):
        arguments[number] = value
    loader = TRACER.load(gateway).getClassLoader()
    return loader.loadClass(f"{TRACER.package}.Forward").getConstructors()[0].newInstance(arguments)
