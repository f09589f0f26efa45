"""The overlay file system: its jar, the file that tells it of the world as it was, and how a session looks into that world.

A job under it reads every file and table as it stood when the recorded run began, and what it writes goes to a scratch place (`Overlay.java`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from ..capture import compiled, jar
from ..capture.java_sources import JavaSources
from ..errors import ExecutableError, LineageError

OVERLAY = JavaSources(
    room="spark_lineage.replay",
    package="org.sparklineage.overlay",
    files=("Universe", "Overlay", "LocalOverlay", "OverlayContext", "Guard", "Tables", "Outside", "Laid", "Weaving"),
    called="Guard",
    cannot="the overlay cannot be compiled for this Spark",
    error=ExecutableError,
)
AGENT = "org.sparklineage.overlay.Weaving"
"""What a JVM is started with, so that no configuration of the job's own gets another file system than the overlay."""
VARIABLE = "SPARK_LINEAGE_UNIVERSE"
PLUGIN = "org.sparklineage.overlay.Guard"
SCHEMES = ("hdfs", "webhdfs", "s3a", "s3n", "s3", "gs", "abfs", "abfss", "wasb", "wasbs", "viewfs", "oss", "cosn", "obs")
"""File systems that are laid over, besides `file` and those that the job's configuration names."""
COMMITTER = {
    "spark.hadoop.mapreduce.outputcommitter.factory.class": "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory"
}
"""Files are committed by renaming them: committers of a store's own (`mapreduce.outputcommitter.factory.scheme.s3a` and its like) ask
for its own client."""
_SETTING = "spark.lineage.universe"
_CLASS = "org.sparklineage.overlay."


def jar_path() -> Path:
    """The overlay's jar, kept in the user's cache folder. Raises LineageError where it cannot be made."""
    kept = compiled.place(OVERLAY.text())
    if kept is None:
        raise LineageError("there is no folder of your own to keep the overlay's classes in; set XDG_CACHE_HOME to one")
    target = kept.with_name(kept.name.replace("bridge-", "spark-lineage-overlay-"))
    return target if target.is_file() else jar.build_sources(target, OVERLAY, AGENT)


def write_universe(file: Path, lines: Iterable[tuple[str, ...]]) -> None:
    """A line for each; a text with a tab or a line break in it cannot be told, and is refused."""
    text = []
    for line in lines:
        if any(mark in part for part in line for mark in "\t\n\r"):
            raise ExecutableError(
                f"{' '.join(line)!r} has a tab or a line break in it, which a replay of a job does not manage"
            )
        text.append("\t".join(line) + "\n")
    file.write_text("".join(text), encoding="utf-8")


def laid_over(settings: Mapping[str, str]) -> dict[str, str]:
    """Hadoop's configuration with the overlay for every file system: read by all that is Hadoop, before Spark has said anything."""
    laid = {"fs.file.impl": f"{_CLASS}LocalOverlay", "fs.AbstractFileSystem.file.impl": f"{_CLASS}OverlayContext"}
    for scheme in SCHEMES:
        own = settings.get(f"fs.{scheme}.impl")
        if own:
            laid[f"spark.lineage.lower.{scheme}.impl"] = own
        laid[f"fs.{scheme}.impl"] = f"{_CLASS}Overlay"
        laid[f"fs.AbstractFileSystem.{scheme}.impl"] = f"{_CLASS}OverlayContext"
    return {**settings, **laid}


def is_local(master: str | None) -> bool:
    """Whether it names this machine alone, to which the overlay's classes are brought."""
    return master is not None and master.startswith("local")


class View:
    """What a session sees of a universe: the location of a dataset in it."""

    def __init__(self, spark: SparkSession, universe: Path) -> None:
        """Raises ExecutableError where the session has executors of their own, which have not the overlay's classes."""
        if not is_local(spark.sparkContext.master):
            raise ExecutableError(
                f"the result of a replayed job is compared in a local session, and this one's master is {spark.sparkContext.master}"
            )
        self._id = secrets.token_hex(6)
        self._spark = spark
        self._universe = universe
        jvm: Any = spark.sparkContext._jvm
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        if loader.getResource(_CLASS.replace(".", "/") + "Overlay.class") is None:
            try:
                loader.addURL(jvm.java.io.File(str(jar_path())).toURI().toURL())
            except Exception as error:
                raise ExecutableError(f"the overlay's classes cannot be brought into this session: {error}") from error

    def location(self, location: str) -> str:
        """`location` as its files are in the universe. It is read with the session that this was made for."""
        scheme, mark, rest = location.partition(":")
        if not mark or "/" in scheme:
            scheme, rest = "file", location
        ours = f"replayed-{self._id}-{scheme}"
        self._spark.conf.set(f"fs.{ours}.impl", f"{_CLASS}Overlay")
        self._spark.conf.set(f"fs.AbstractFileSystem.{ours}.impl", f"{_CLASS}OverlayContext")
        self._spark.conf.set(f"{_SETTING}.{self._id}", str(self._universe))
        return f"{ours}:///{rest.lstrip('/')}" if scheme == "file" else f"{ours}:{rest}"
