"""The bridge's Java sources. The same files make the jar for applications that are not Python."""

from __future__ import annotations

from dataclasses import replace

from ..errors import AttachError
from .java_sources import JavaSources

PACKAGE = "org.sparklineage.bridge"
LISTENER = PACKAGE + ".LineageListener"
"""What the jar gives to `spark.extraListeners`."""
RESOURCE = PACKAGE.replace(".", "/") + "/lineage.properties"
"""What Python alone knows, in the jar."""
FILES = (
    "Faults", "Json", "Members", "Reflect", "Plans", "RealPaths", "SqlText", "Globs", "Literals", "Blank", "Redaction", "Pace", "Budget", "Reasons", "StreamSources",
    "Folders", "Rdds", "Origins", "SourceOptions", "Sources", "Branches", "Columns", "Declared", "ExpressionWriter", "PlanWriter", "Listing", "OutputListing", "TableScans", "ScanReader",
    "Filled", "FileSet", "DeltaCommit", "DeltaLogFile", "Targets", "LogSearch", "CommitList", "Outside", "Statements", "Observer", "Commits", "Quiet", "Noise",
    "DeltaOwn", "Rights", "Inbox", "Names", "Started", "Ended", "Weight", "Load", "Batch", "Kept", "Leaf", "Texts", "PlanStream",
    "CommandWriter", "Clock", "Executable", "RowHash", "Inline", "Shares", "Target", "KeyColumn", "Document", "Streams", "Periods", "Worker",
    "Open", "BusDrops", "Ahead", "Bridge",
)  # fmt: skip
JAR_FILES = ("Options", "Pipes", "Program", "Launch", "RunStart", "LineageListener", "Sessions")
"""Only in the jar: what Python does in a Python driver."""
BRIDGE = JavaSources(
    room="spark_lineage.capture",
    package=PACKAGE,
    files=FILES,
    called="Bridge",
    cannot="the bridge does not compile against this Spark",
    error=AttachError,
)
JAR = replace(BRIDGE, files=FILES + JAR_FILES, called="LineageListener")
