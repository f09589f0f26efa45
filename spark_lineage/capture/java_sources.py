"""Java sources of a room, compiled in the driver by Janino, which every Spark carries for its own generated code.

The sources are written in the Java of 1.4 (no generics, no lambdas, no annotations), which is what Janino and ``javac``
both take.
"""

from __future__ import annotations

import pkgutil
import re
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from ..errors import LineageError
from . import compiled

_loaders: dict[tuple[int, str], tuple[Any, Any]] = {}
"""(gateway, loader) by the gateway's id, which is by JVM: Py4J remembers methods by class name, so a JVM must see one class
of a name only. The gateway is kept so that its id is not given out again."""
_classes: dict[tuple[int, str], tuple[Any, Any]] = {}
"""(gateway, class), likewise."""


def java_class(gateway: Any, name: str) -> Any:
    """A class of Java or Spark by its full name. Py4J asks for each part of the name whether it is a class, for which all jars are looked through:
    so once a JVM."""
    key = (id(gateway), name)
    if key not in _classes:
        _classes[key] = gateway, reduce(getattr, name.split("."), gateway.jvm)
    return _classes[key][1]


@dataclass(frozen=True)
class JavaSources:
    """The files `<room>/bridge/<file>.java`, all of one Java package, of which Python calls one class."""

    room: str
    """The Python package that carries them."""
    package: str
    files: tuple[str, ...]
    called: str
    """The simple name of the class that Python calls."""
    cannot: str
    """How the message begins when they do not compile."""
    error: type[LineageError]

    @property
    def class_name(self) -> str:
        return f"{self.package}.{self.called}"

    def text(self) -> str:
        """All sources as one compilation unit: one package, the imports of all, then the classes.

        Works from a folder and from a zip.
        """
        imports: set[str] = set()
        bodies: list[str] = []
        for name in self.files:
            data = pkgutil.get_data(self.room, f"bridge/{name}.java")
            if data is None:
                raise self.error(f"the source {name}.java is not in this installation; install spark-lineage again")
            source = data.decode("utf-8")
            imports.update(re.findall(r"^import [\w.$]+;$", source, re.MULTILINE))
            bodies.append(re.sub(r"^(package|import) [\w.$]+;\n", "", source, flags=re.MULTILINE))
        return f"package {self.package};\n" + "\n".join(sorted(imports)) + "\n" + "\n".join(bodies)

    def load(self, gateway: Any) -> Any:
        """The class that Python calls: from the class path (the jar) if it is there, else compiled once a JVM.

        Raises `error` with the compiler's message when it does not compile against this Spark.
        """
        return self._loader(gateway).loadClass(self.class_name)

    def new(self, gateway: Any, called: str, *values: Any) -> Any:
        """A new object of one of these classes, by its one public constructor. Raises as `load` does."""
        arguments = gateway.new_array(java_class(gateway, "java.lang.Object"), len(values))
        for number, value in enumerate(values):
            arguments[number] = value
        return self._loader(gateway).loadClass(f"{self.package}.{called}").getConstructors()[0].newInstance(arguments)

    def _loader(self, gateway: Any) -> Any:
        key = (id(gateway), self.class_name)
        _, loader = _loaders.get(key, (None, None))
        if loader is None:
            # Asked as a resource: an exception from the JVM costs PySpark's translation more than the whole attach.
            loader = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader()
            if loader.getResource(self.class_name.replace(".", "/") + ".class") is None:
                loader = self._made(gateway, loader)
            _loaders[key] = (gateway, loader)
        return loader

    def _made(self, gateway: Any, parent: Any) -> Any:
        """A class loader with the classes in it: from what was compiled here earlier, else compiled now."""
        jvm = gateway.jvm
        source = self.text()
        versions = f"{jvm.org.apache.spark.package.SPARK_VERSION()} {jvm.java.lang.System.getProperty('java.version')}"
        kept = compiled.place(source + versions)
        if kept is not None and kept.is_file():
            loader = self._kept(gateway, parent, kept)
            if loader is not None:
                return loader
        try:
            compiler = jvm.org.codehaus.janino.SimpleCompiler()
            compiler.setParentClassLoader(parent)
            compiler.cook("spark-lineage.java", jvm.java.io.StringReader(source))
            loader = compiler.getClassLoader()
        except Exception as error:
            raise self.error(f"{self.cannot}: {_first_line(error)}") from error
        if kept is not None:
            compiled.keep(kept, compiler.getBytecodes())
        return loader

    def _kept(self, gateway: Any, parent: Any, jar: Path) -> Any:
        """A loader over the kept classes; None when they do not load, for whatever reason: then they are compiled again."""
        jvm = gateway.jvm
        try:
            urls = gateway.new_array(jvm.java.net.URL, 1)
            urls[0] = jvm.java.io.File(str(jar)).toURI().toURL()
            loader = jvm.java.net.URLClassLoader(urls, parent)
            loader.loadClass(self.class_name)
        except Exception:
            return None
        return loader


def _first_line(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    return str(java if java is not None else error).splitlines()[0][:500]
