"""What a condition on rows said of the time and the user, when it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from ..errors import ExecutableError
from ..store.tables import Store, literal
from .bridge_sources import RESTORER
from .executables import Found, micros, moment_of

_HELD = ("spark_lineage_held_first", "spark_lineage_held_last")


@dataclass(frozen=True)
class Clock:
    """Between which instants it was asked, and what else was so then (see Moment.java)."""

    first: datetime
    last: datetime
    known: Mapping[str, str]


def clock_of(store: Store, found: Found, command: Mapping[str, Any]) -> Clock | None:
    """Of the condition of a write. That of a statement has the instant of its plan; that of an option is asked by Delta, while the execution lasts.

    None where nothing is recorded of when that was."""
    executable = found.executable
    known = moment_of(found)
    is_option = any(key.lower() == "replacewhere" for one in ("options", "writeOptions") for key in command.get(one) or {})
    if executable.instant is not None and executable.instant_basis == "exact" and not is_option:
        return Clock(executable.instant, executable.instant, known)
    condition = f"execution_id = {literal(executable.execution_id)}"
    for row in store.arrow("executions", ["started_at", "ended_at"], condition).to_pylist():
        if row["started_at"] is not None and row["ended_at"] is not None:
            return Clock(row["started_at"], row["ended_at"], known)
    return None


def without(rows: DataFrame, condition: str, session: SparkSession, clock: Clock | None) -> DataFrame:
    """The rows for which a condition does not hold, as it reads in the settings of a session (a time without a zone is one of that session's) and at the
    time that it was asked. Raises ExecutableError where that is not known well enough."""
    there = _frame(session, rows._jdf.queryExecution().analyzed())
    held = F.expr(condition).eqNullSafe(F.lit(True))
    left = there.where(~held)
    jvm: Any = session.sparkContext._jvm
    if (
        not left._jdf.queryExecution()
        .analyzed()
        .containsPattern(jvm.org.apache.spark.sql.catalyst.trees.TreePattern.CURRENT_LIKE())
    ):
        return left
    if clock is None:
        raise ExecutableError(
            f"the condition on the rows that it replaced ({condition}) asks for the time, which is not recorded"
        )
    if clock.first != clock.last and _differs(there, held, clock, condition):
        raise ExecutableError(
            f"the condition on the rows that it replaced ({condition}) asks for the time, which is known to lie between "
            f"{clock.first:%H:%M:%S.%f}Z and {clock.last:%H:%M:%S.%f}Z only, and for some of the rows that makes a difference"
        )
    return _then(left, clock, clock.first, condition)


def _differs(there: DataFrame, held: SparkColumn, clock: Clock, condition: str) -> bool:
    frame = there
    for name, instant in zip(_HELD, (clock.first, clock.last), strict=True):
        frame = _then(frame.withColumn(name, held), clock, instant, condition)
    return not frame.where(F.col(_HELD[0]) != F.col(_HELD[1])).isEmpty()


def _then(frame: DataFrame, clock: Clock, instant: datetime, condition: str) -> DataFrame:
    session = frame.sparkSession
    jvm: Any = session.sparkContext._jvm
    given = jvm.java.util.HashMap()
    for key, value in {**clock.known, "instant_us": str(micros(instant))}.items():
        given.put(key, value)
    then = RESTORER.new(session.sparkContext._gateway, "Then", given)
    plan = then.of(frame._jdf.queryExecution().analyzed())
    if unknown := [str(name) for name in then.asked()]:
        raise ExecutableError(
            f"the condition on the rows that it replaced ({condition}) asks for what is not recorded of then: {', '.join(unknown)}"
        )
    return _frame(session, plan)


def _frame(session: SparkSession, plan: Any) -> DataFrame:
    jvm: Any = session.sparkContext._jvm
    dataset = getattr(getattr(jvm.org.apache.spark.sql.classic, "Dataset$"), "MODULE$")
    return DataFrame(dataset.ofRows(session._jsparkSession, plan), session)
