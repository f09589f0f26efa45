"""The Java of this room, compiled in the driver when the first row is traced."""

from __future__ import annotations

from ..capture.java_sources import JavaSources
from ..errors import TraceError

TRACER = JavaSources(
    room="spark_lineage.rows",
    package="org.sparklineage.rows",
    files=(
        "Trees",
        "Replacing",
        "Predicates",
        "Normal",
        "Slot",
        "Frames",
        "Deciding",
        "Contract",
        "Block",
        "Known",
        "Reads",
        "Leaves",
        "Flat",
        "Asking",
        "Ties",
        "Determinism",
        "Deep",
        "Finding",
        "Tracer",
        "Keys",
        "Forward",
        "Lot",
        "Groups",
    ),
    called="Tracer",
    cannot="plans cannot be rewritten for this Spark",
    error=TraceError,
)  # fmt: skip
