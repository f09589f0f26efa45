"""The bridge's Java sources, compiled in the driver by Janino, which every Spark carries for its own generated code.

The sources are written in the Java of 1.4 (no generics, no lambdas, no annotations), which is what Janino and ``javac``
both take; the same files make the jar for applications that are not Python.
"""

from __future__ import annotations

import pkgutil
import re
from typing import Any

from ..errors import AttachError

PACKAGE = "org.sparklineage.bridge"
BRIDGE_CLASS = PACKAGE + ".Bridge"
FILES = (
    "Json", "Reflect", "Redaction", "Budget", "Reasons", "Sources", "PlanWriter", "ScanReader",
    "Commits", "Noise", "Inbox", "Document", "Worker", "Bridge",
)  # fmt: skip
_LOADER_KEY = "spark.lineage.bridge.classloader"


def compilation_unit() -> str:
    """All sources as one compilation unit: one package, the imports of all, then the classes.

    Works from a folder and from a zip.
    """
    imports: set[str] = set()
    bodies: list[str] = []
    for name in FILES:
        data = pkgutil.get_data(__package__ or "spark_lineage.capture", f"bridge/{name}.java")
        if data is None:
            raise AttachError(f"the bridge's source {name}.java is not in this installation; install spark-lineage again")
        source = data.decode("utf-8")
        imports.update(re.findall(r"^import [\w.$]+;$", source, re.MULTILINE))
        bodies.append(re.sub(r"^(package|import) [\w.$]+;\n", "", source, flags=re.MULTILINE))
    return f"package {PACKAGE};\n" + "\n".join(sorted(imports)) + "\n" + "\n".join(bodies)


def bridge_class(jvm: Any) -> Any:
    """The Java class of the bridge: from the class path (the jar) if it is there, else compiled once a JVM.

    Raises AttachError with the compiler's message when it does not compile against this Spark.
    """
    context_loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    properties = jvm.java.lang.System.getProperties()
    loader = properties.get(_LOADER_KEY)
    try:
        return jvm.java.lang.Class.forName(BRIDGE_CLASS, True, loader or context_loader)
    except Exception:
        loader = _compile(jvm, context_loader)
    properties.put(_LOADER_KEY, loader)
    return loader.loadClass(BRIDGE_CLASS)


def _compile(jvm: Any, parent: Any) -> Any:
    try:
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(parent)
        compiler.cook("spark-lineage.java", jvm.java.io.StringReader(compilation_unit()))
        return compiler.getClassLoader()
    except Exception as error:
        raise AttachError(f"the bridge does not compile against this Spark: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    return str(java if java is not None else error).splitlines()[0][:500]
