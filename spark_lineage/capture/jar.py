"""The bridge as a jar, for applications whose driver is not Python: `spark.jars` and `spark.extraListeners`.

It is made of the sources that Janino compiles in a Python driver, and of one resource with what Python alone knows: the
options' defaults, the patterns of secrets, the orchestrators' variables. Standard library and pyspark only; the wheel's build
imports this module by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pkgutil
import shutil
import subprocess
import sysconfig
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from .. import __version__
from ..config import OPTIONS
from ..errors import LineageError
from . import compiled, orchestrators, redaction
from .bridge_options import BRIDGE_OPTIONS
from .bridge_sources import JAR, RESOURCE
from .identity import CONFS_THAT_MATTER, KNOWN_SPARK, SHELL_NAMES
from .java_sources import JavaSources

NAME = "spark-lineage-bridge.jar"
SHIPPED = Path(__file__).resolve().parent / "bridge" / NAME
"""Where the wheel has it, and `make jar` writes it."""
_JAVA_RELEASE = "17"
"""Spark 4 runs on no older Java."""


_JANINO_DRIVER = """
public class Compile {
    public static void main(String[] arguments) throws Exception {
        java.io.File folder = new java.io.File(arguments[0]);
        org.codehaus.janino.SimpleCompiler compiler = new org.codehaus.janino.SimpleCompiler();
        compiler.cook("spark-lineage.java", new java.io.InputStreamReader(
            new java.io.FileInputStream(new java.io.File(folder, "unit.java")), "UTF-8"));
        java.util.Iterator entries = compiler.getBytecodes().entrySet().iterator();
        while (entries.hasNext()) {
            java.util.Map.Entry entry = (java.util.Map.Entry) entries.next();
            java.io.File file = new java.io.File(folder, "classes/" + ((String) entry.getKey()).replace('.', '/') + ".class");
            file.getParentFile().mkdirs();
            java.io.FileOutputStream out = new java.io.FileOutputStream(file);
            out.write((byte[]) entry.getValue());
            out.close();
        }
    }
}
"""


def jar_path() -> Path:
    """The jar: the one that came with the installation, else one that is made now and kept in the user's cache folder.

    Raises LineageError where it cannot be made.
    """
    if is_current(SHIPPED):
        return SHIPPED
    kept = compiled.place(properties())
    if kept is None:
        raise LineageError(
            "this installation came without the jar, and there is no folder of your own to keep one in; set XDG_CACHE_HOME to "
            "one, or name a file: spark-lineage jar FILE"
        )
    target = kept.with_name(kept.name.replace("bridge-", "spark-lineage-bridge-"))
    return target if is_current(target) else build(target)


def is_current(jar: Path) -> bool:
    """Whether there is such a jar, made of the sources and options of this very installation."""
    try:
        with zipfile.ZipFile(jar) as content:
            return content.read(RESOURCE) == properties().encode()
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def copy_jar(target: Path) -> Path:
    """Writes the jar to `target`, a place that the cluster can read, say. Raises LineageError where that is not possible."""
    with zipfile.ZipFile(jar_path()) as jar:
        _write(target, {name: jar.read(name) for name in jar.namelist()})
    return target


def build(target: Path, spark_jars: Path | None = None) -> Path:
    """Compiles the sources and writes the jar, whole or not at all: with javac where there is one, else with Spark's Janino.

    `spark_jars` is the folder with Spark's jars; by default those of SPARK_HOME or of the installed pyspark. Raises
    LineageError with what to do.
    """
    classes = _compiled(JAR, spark_jars)
    _write(target, {**classes, RESOURCE: properties().encode(), "META-INF/MANIFEST.MF": _manifest()})
    return target


def build_sources(target: Path, sources: JavaSources, agent: str = "") -> Path:
    """A jar of other sources of ours, in the same way. `agent`: a class that a JVM begins with, where it is told so (`-javaagent`)."""
    _write(target, {**_compiled(sources, None), "META-INF/MANIFEST.MF": _manifest(agent)})
    return target


def _compiled(sources: JavaSources, spark_jars: Path | None) -> dict[str, bytes]:
    jars = spark_jars or find_spark_jars()
    if jars is None:
        raise LineageError("the jar is compiled against Spark, and none was found; install pyspark, or set SPARK_HOME")
    javac, java = _java("javac"), _java("java")
    if javac is not None:
        return _with_javac(javac, jars, sources)
    if java is not None:
        return with_janino(java, jars, sources.text())
    raise LineageError("no Java found to compile the jar with; install a Java 17 or 21, or set JAVA_HOME to one")


def find_spark_jars() -> Path | None:
    """The jars of SPARK_HOME, else of the pyspark that is installed beside this Python; None where there is neither.

    pyspark is looked for as a folder: an isolated build of the wheel cannot import it.
    """
    folders = [Path(sysconfig.get_paths()[kind]) / "pyspark" for kind in ("purelib", "platlib")]
    with contextlib.suppress(ImportError, TypeError):
        folders.insert(0, Path(str(resources.files("pyspark"))))
    if os.environ.get("SPARK_HOME"):
        folders.insert(0, Path(os.environ["SPARK_HOME"]))
    return next((folder / "jars" for folder in folders if any((folder / "jars").glob("spark-core_*.jar"))), None)


def properties() -> str:
    """The resource: names, blank separated lists and patterns, as `bridge/Options.java` and `RunStart.java` read them."""
    values = {
        "sources": hashlib.sha256(JAR.text().encode()).hexdigest(),
        "tool_version": __version__,
        "known_spark": " ".join(KNOWN_SPARK),
        "shell_names": " ".join(SHELL_NAMES),
        "confs_that_matter": " ".join(CONFS_THAT_MATTER),
        "redact.keys": redaction.KEYS,
        "redact.text": redaction.TEXT,
        "redact.urls": redaction.URLS,
        "orchestrator_labels": " ".join(f"{label}={key}" for label, key in orchestrators.LABELS.items()),
        "orchestrator_jobs": " ".join(orchestrators.JOBS),
        "orchestrator_runs": " ".join(orchestrators.RUNS),
    }
    values |= {f"default.{option.name}": _default(option.default) for option in OPTIONS}
    values |= {f"choices.{option.name}": " ".join(option.choices) for option in OPTIONS if option.choices}
    values |= {f"bridge.{name}": f"{kind} {option}" for name, (kind, option) in BRIDGE_OPTIONS.items()}
    return "".join(f"{key}={_escaped(value)}\n" for key, value in sorted(values.items()))


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escaped(value: str) -> str:
    """As java.util.Properties reads it back."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace(" ", "\\ ", 1 if value.startswith(" ") else 0)


def _manifest(agent: str = "") -> bytes:
    lines = ["Manifest-Version: 1.0", "Implementation-Title: spark-lineage", f"Implementation-Version: {__version__}"]
    lines += [f"Premain-Class: {agent}"] if agent else []
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def _java(program: str) -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / program).is_file():
        return str(Path(home) / "bin" / program)
    return shutil.which(program)


def _with_javac(javac: str, jars: Path, code: JavaSources) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="spark-lineage-jar-") as name:
        folder = Path(name)
        sources = [_unpacked(code, file, folder) for file in code.files]
        command = [javac, "--release", _JAVA_RELEASE, "-nowarn", "-proc:none", "-encoding", "UTF-8", "-cp", f"{jars}/*"]
        _run([*command, "-d", str(folder / "classes"), *map(str, sources)], "javac")
        return _classes_below(folder / "classes")


def with_janino(java: str, jars: Path, source: str) -> dict[str, bytes]:
    """Classes of a compilation unit, by the name of their file. Without a JDK: by Spark's own compiler, in a JVM of its own,
    driven by a few lines that it compiles itself."""
    with tempfile.TemporaryDirectory(prefix="spark-lineage-jar-") as name:
        folder = Path(name)
        (folder / "classes").mkdir()
        (folder / "unit.java").write_text(source, encoding="utf-8")
        (folder / "Compile.java").write_text(_JANINO_DRIVER, encoding="utf-8")
        command = [java, "-cp", f"{jars}/*", "org.codehaus.janino.SimpleCompiler"]
        _run([*command, str(folder / "Compile.java"), "Compile", str(folder)], "Janino")
        return _classes_below(folder / "classes")


def _classes_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.class")}


def _unpacked(code: JavaSources, name: str, folder: Path) -> Path:
    path = folder / f"{name}.java"
    path.write_bytes(pkgutil.get_data(code.room, f"bridge/{name}.java") or b"")
    return path


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        reason = next((line for line in reversed(lines) if line.startswith("Caused by: ")), lines[0])
        raise LineageError(f"{what} could not compile the bridge: {reason[:500]}")


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """With fixed time stamps and a fixed order, so that the same sources give the same jar."""
    hidden = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(hidden, "w", zipfile.ZIP_DEFLATED) as jar:
            for name in sorted(files, key=lambda name: (not name.startswith("META-INF/"), name)):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                jar.writestr(entry, files[name])
        hidden.replace(target)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise LineageError(f"the jar {target} cannot be written: {error.strerror or error}; name another file") from error
