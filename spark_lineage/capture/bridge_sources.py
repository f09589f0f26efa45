"""The bridge's Java sources, compiled in the driver by Janino, which every Spark carries for its own generated code.

The sources are written in the Java of 1.4 (no generics, no lambdas, no annotations), which is what Janino and ``javac``
both take; the same files make the jar for applications that are not Python.
"""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path
from typing import Any

from ..errors import AttachError
from . import compiled

PACKAGE = "org.sparklineage.bridge"
BRIDGE_CLASS = PACKAGE + ".Bridge"
LISTENER = PACKAGE + ".LineageListener"
"""What the jar gives to `spark.extraListeners`."""
FILES = (
    "Faults", "Json", "Reflect", "RealPaths", "SqlText", "Literals", "Blank", "Redaction", "Pace", "Budget", "Reasons", "StreamSources",
    "Rdds", "Origins", "SourceOptions", "Sources", "Branches", "PlanWriter", "Listing", "OutputListing", "TableScans", "ScanReader",
    "DeltaCommit", "DeltaLogFile", "Targets", "LogSearch", "CommitList", "Outside", "Statements", "Observer", "Commits", "Quiet", "Noise",
    "Rights", "Inbox", "Names", "Started", "Ended", "Weight", "Load", "Batch", "Kept", "Leaf", "PlanStream",
    "CommandWriter", "Clock", "Executable", "Document", "Streams", "Periods", "Worker",
    "Open", "BusDrops", "Bridge",
)  # fmt: skip
JAR_FILES = ("Options", "Globs", "Pipes", "Program", "Launch", "RunStart", "LineageListener")
"""Only in the jar: what Python does in a Python driver."""
_loaders: dict[int, tuple[Any, Any]] = {}
"""(gateway, loader) by the gateway's id, which is by JVM: Py4J remembers methods by class name, so a JVM must see one class
of a name only. The gateway is kept so that its id is not given out again."""


def compilation_unit(files: tuple[str, ...] = FILES) -> str:
    """All sources as one compilation unit: one package, the imports of all, then the classes.

    Works from a folder and from a zip.
    """
    imports: set[str] = set()
    bodies: list[str] = []
    for name in files:
        data = pkgutil.get_data(__package__ or "spark_lineage.capture", f"bridge/{name}.java")
        if data is None:
            raise AttachError(f"the bridge's source {name}.java is not in this installation; install spark-lineage again")
        source = data.decode("utf-8")
        imports.update(re.findall(r"^import [\w.$]+;$", source, re.MULTILINE))
        bodies.append(re.sub(r"^(package|import) [\w.$]+;\n", "", source, flags=re.MULTILINE))
    return f"package {PACKAGE};\n" + "\n".join(sorted(imports)) + "\n" + "\n".join(bodies)


def bridge_class(gateway: Any) -> Any:
    """The Java class of the bridge: from the class path (the jar) if it is there, else compiled once a JVM.

    Raises AttachError with the compiler's message when it does not compile against this Spark.
    """
    _, loader = _loaders.get(id(gateway), (None, None))
    if loader is None:
        # Asked as a resource: an exception from the JVM costs PySpark's translation more than the whole attach.
        loader = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader()
        if loader.getResource(BRIDGE_CLASS.replace(".", "/") + ".class") is None:
            loader = _compile(gateway, loader)
        _loaders[id(gateway)] = (gateway, loader)
    return loader.loadClass(BRIDGE_CLASS)


def _compile(gateway: Any, parent: Any) -> Any:
    """A class loader with the bridge in it: from what an earlier attach compiled here, else compiled now."""
    jvm = gateway.jvm
    source = compilation_unit()
    versions = f"{jvm.org.apache.spark.package.SPARK_VERSION()} {jvm.java.lang.System.getProperty('java.version')}"
    kept = compiled.place(source + versions)
    if kept is not None and kept.is_file():
        loader = _load(gateway, parent, kept)
        if loader is not None:
            return loader
    try:
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(parent)
        compiler.cook("spark-lineage.java", jvm.java.io.StringReader(source))
        loader = compiler.getClassLoader()
    except Exception as error:
        raise AttachError(f"the bridge does not compile against this Spark: {_first_line(error)}") from error
    if kept is not None:
        compiled.keep(kept, compiler.getBytecodes())
    return loader


def _load(gateway: Any, parent: Any, jar: Path) -> Any:
    """A loader over the kept classes; None when they do not load, for whatever reason: then they are compiled again."""
    jvm = gateway.jvm
    try:
        urls = gateway.new_array(jvm.java.net.URL, 1)
        urls[0] = jvm.java.io.File(str(jar)).toURI().toURL()
        loader = jvm.java.net.URLClassLoader(urls, parent)
        loader.loadClass(BRIDGE_CLASS)
    except Exception:
        return None
    return loader


def _first_line(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    return str(java if java is not None else error).splitlines()[0][:500]
