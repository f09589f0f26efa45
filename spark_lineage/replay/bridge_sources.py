"""The Java of this room, compiled in the driver by Janino when the first plan is restored."""

from __future__ import annotations

import pkgutil
import re
from typing import Any

from ..errors import ExecutableError

PACKAGE = "org.sparklineage.replay"
FILES = ("Kept", "Allowed", "Moment", "Rebinding", "PlanReader", "Restorer")
_loaders: dict[int, tuple[Any, Any]] = {}
"""(gateway, loader) by the gateway's id: Py4J remembers methods by class name, so a JVM must see one class of a name only."""


def compilation_unit() -> str:
    """All sources as one compilation unit."""
    imports: set[str] = set()
    bodies: list[str] = []
    for name in FILES:
        data = pkgutil.get_data(__package__ or "spark_lineage.replay", f"bridge/{name}.java")
        if data is None:
            raise ExecutableError(f"the source {name}.java is not in this installation; install spark-lineage again")
        source = data.decode("utf-8")
        imports.update(re.findall(r"^import [\w.$]+;$", source, re.MULTILINE))
        bodies.append(re.sub(r"^(package|import) [\w.$]+;\n", "", source, flags=re.MULTILINE))
    return f"package {PACKAGE};\n" + "\n".join(sorted(imports)) + "\n" + "\n".join(bodies)


def restorer_class(gateway: Any) -> Any:
    """The class Restorer, compiled once a JVM. Raises ExecutableError where it does not compile against this Spark."""
    _, loader = _loaders.get(id(gateway), (None, None))
    if loader is None:
        jvm = gateway.jvm
        try:
            compiler = jvm.org.codehaus.janino.SimpleCompiler()
            compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
            compiler.cook("spark-lineage-replay.java", jvm.java.io.StringReader(compilation_unit()))
            loader = compiler.getClassLoader()
        except Exception as error:
            cause = str(getattr(error, "java_exception", None) or error).splitlines()[0]
            raise ExecutableError(f"plans cannot be restored by this Spark: {cause[:500]}") from error
        _loaders[id(gateway)] = (gateway, loader)
    return loader.loadClass(f"{PACKAGE}.Restorer")
