"""A Spark session for the command line, which has none: the caller's own settings, with Delta where they do not have it."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyspark
from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ..capture.own import made_by_us
from ..errors import ExecutableError

_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
_QUIET = {"spark.log.level": "ERROR", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
_ENABLED = "spark.lineage.enabled"
_JARS = Path(sys.prefix) / "jars"
"""Where `make setup` puts those of Delta."""
_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"


def session() -> SparkSession:
    """The active session, or a new one, which is not recorded: settings come from where Spark takes them (`SPARK_CONF_DIR`, `PYSPARK_SUBMIT_ARGS`).

    Raises ExecutableError where Spark does not start, or cannot read Delta tables.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    check_room()
    said = _said()
    builder = SparkSession.builder.appName("spark-lineage").config(_ENABLED, "false")
    for name, value in _QUIET.items():
        if name not in said:
            builder = builder.config(name, value)
    if "spark.sql.warehouse.dir" not in said:  # Spark makes the folder, and nothing is to be left where one asks
        warehouse = tempfile.mkdtemp(prefix="spark-lineage-warehouse-")
        atexit.register(shutil.rmtree, warehouse, ignore_errors=True)
        builder = builder.config("spark.sql.warehouse.dir", f"file:{warehouse}")
    for name, value in delta_settings(said).items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
        made_by_us(spark.sparkContext)
        spark.sparkContext._conf._jconf.remove(_ENABLED)  # type: ignore[union-attr]  # who goes on with the session may attach to it
        spark._jvm.java.lang.Thread.currentThread().getContextClassLoader().loadClass(_EXTENSION)  # type: ignore[union-attr]
    except (PySparkException, Py4JError, OSError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ExecutableError(
            f"a Spark session with Delta could not be started ({first}): a Java 17 or 21 is needed, and Delta's jars, "
            f"which are looked for in Spark's folder `jars` and else at Maven Central ({coordinate()})"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _interrupted)
    return spark


def check_room() -> None:
    """Raises ExecutableError where there is no folder that Spark and a replay can put their temporary files into."""
    named = [place for place in os.environ.get("SPARK_LOCAL_DIRS", "").split(",") if place]
    failed: OSError | None = None
    places: list[str | None] = [*named] or [None]
    for place in places:
        try:
            with tempfile.TemporaryDirectory(prefix="spark-lineage-replay-", dir=place):
                return
        except OSError as error:
            failed = error
    setting = "SPARK_LOCAL_DIRS" if named else "TMPDIR"
    raise ExecutableError(
        f"temporary files cannot be written ({failed}), so Spark was not started: make room, or set {setting} to a folder that can be written"
    )


def let_go() -> None:
    """Ends what Spark is doing, and does not wait for what it was asked: what is asked next, in cleaning up, has a connection of its own.

    For handlers of signals. That of PySpark, which asks over the connection that is waited on, ends in an error of py4j instead of KeyboardInterrupt.
    """
    context = SparkContext._active_spark_context
    if context is None:
        return
    client: Any = context._gateway._gateway_client  # type: ignore[union-attr]
    with contextlib.suppress(Exception):
        client.get_thread_connection().socket.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):
        context.cancelAllJobs()


def _interrupted(number: int, frame: Any) -> None:
    let_go()
    raise KeyboardInterrupt


def delta_settings(said: str) -> dict[str, str]:
    """What a session needs for Delta beyond what its own settings say."""
    found = {
        name: value
        for name, value in (("spark.sql.extensions", _EXTENSION), ("spark.sql.catalog.spark_catalog", _CATALOG))
        if name not in said
    }
    if any(_JARS.glob("delta-spark*.jar")) and "spark.driver.extraClassPath" not in said:
        found["spark.driver.extraClassPath"] = f"{_JARS}/*"
    elif "delta-spark" not in said and not any((_home() / "jars").glob("delta-spark*.jar")):
        found["spark.jars.packages"] = coordinate()
    return found


def said_by(settings: Mapping[str, str]) -> str:
    return "\n".join(f"{key} {value}" for key, value in settings.items())


def _home() -> Path:
    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def _said() -> str:
    """What the caller's own settings say: ours are for what they leave open."""
    return f"{_said_by_file()}\n{os.environ.get('PYSPARK_SUBMIT_ARGS', '')}"


def _said_by_file() -> str:
    conf = Path(os.environ.get("SPARK_CONF_DIR") or _home() / "conf") / "spark-defaults.conf"
    return conf.read_text(encoding="utf-8", errors="replace") if conf.is_file() else ""


def master() -> str | None:
    """The master of the session that `session` would give, as far as it is known before: that of the context which is there, else what the caller's own
    settings name (Spark's order: `--master`, `spark.master`, the file, the environment)."""
    if SparkContext._active_spark_context is not None:
        return SparkContext._active_spark_context.master
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # by spark-submit, which has its settings, and tells them to the context alone
        return None
    arguments = os.environ.get("PYSPARK_SUBMIT_ARGS", "")
    for pattern, text in (
        (r"--master[ =]+(\S+)", arguments),
        (r"(?<![\w.])spark\.master *= *(\S+)", arguments),
        (r"^[ \t]*spark\.master[ \t]*[=: \t][ \t]*(\S+)", _said_by_file()),
    ):
        named: list[str] = re.findall(pattern, text, re.MULTILINE)
        if named:
            return named[-1].strip("\"'")
    return os.environ.get("MASTER")


def coordinate() -> str:
    """Delta's artifacts are named after Spark's minor version since 4.0."""
    spark = ".".join(pyspark.__version__.split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{version('delta-spark')}"
