"""The Java of this room, compiled in the driver when the first plan is restored."""

from __future__ import annotations

from ..capture.java_sources import JavaSources
from ..errors import ExecutableError

RESTORER = JavaSources(
    room="spark_lineage.replay",
    package="org.sparklineage.replay",
    files=("Kept", "Allowed", "Moment", "Rebinding", "PlanReader", "Reenactment", "Doubts", "Restorer"),
    called="Restorer",
    cannot="plans cannot be restored by this Spark",
    error=ExecutableError,
)
