"""The Java of this room, compiled in the driver when the first plan is restored."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from ..capture.java_sources import JavaSources
from ..errors import ExecutableError

RESTORER = JavaSources(
    room="spark_lineage.replay",
    package="org.sparklineage.replay",
    files=("Kept", "Allowed", "Moment", "Rebinding", "PlanReader", "Reenactment", "Doubts", "Calls", "Then", "Restorer"),
    called="Restorer",
    cannot="plans cannot be restored by this Spark",
    error=ExecutableError,
)


def made(spark: SparkSession, called: str) -> Any:
    """A new object of one of these classes whose constructor takes nothing."""
    return RESTORER.new(spark.sparkContext._gateway, called)
