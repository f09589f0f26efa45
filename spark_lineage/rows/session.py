"""A Spark session for the command line, which has none: the caller's own settings, with Delta where they do not have it."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import pyspark
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ..errors import TraceError

_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
_JARS = Path(sys.prefix) / "jars"
"""Where `make setup` puts those of Delta."""
_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"


def session() -> SparkSession:
    """The active session, or a new one: settings come from where Spark takes them (`SPARK_CONF_DIR`, `PYSPARK_SUBMIT_ARGS`).

    Raises TraceError where Spark does not start, or cannot read Delta tables.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    builder = SparkSession.builder.appName("spark-lineage trace")
    quiet = {"spark.log.level": "ERROR", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    for name, value in {**quiet, "spark.sql.extensions": _EXTENSION, "spark.sql.catalog.spark_catalog": _CATALOG}.items():
        builder = builder.config(name, value)
    if any(_JARS.glob("delta-spark*.jar")):
        builder = builder.config("spark.driver.extraClassPath", f"{_JARS}/*")
    elif not has_delta():
        builder = builder.config("spark.jars.packages", coordinate())
    try:
        spark = builder.getOrCreate()
        spark._jvm.java.lang.Class.forName(_EXTENSION)  # type: ignore[union-attr]
    except (PySparkException, OSError, RuntimeError) as error:
        raise TraceError(
            f"a Spark session with Delta could not be started ({str(error).splitlines()[0]}): a Java 17 or 21 is needed, and Delta's jars, "
            f"which are looked for in Spark's folder `jars` and else at Maven Central ({coordinate()})"
        ) from error
    return spark


def has_delta() -> bool:
    """Whether the jars of Delta are where Spark finds its own, or named in its settings."""
    home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
    folders = [Path(home) / "jars"]
    named = os.environ.get("PYSPARK_SUBMIT_ARGS", "")
    conf = Path(os.environ.get("SPARK_CONF_DIR") or Path(home) / "conf") / "spark-defaults.conf"
    if conf.is_file():
        named += conf.read_text(encoding="utf-8", errors="replace")
    return "delta-spark" in named or any(any(folder.glob("delta-spark*.jar")) for folder in folders)


def coordinate() -> str:
    """Delta's artifacts are named after Spark's minor version since 4.0."""
    spark = ".".join(pyspark.__version__.split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{version('delta-spark')}"
