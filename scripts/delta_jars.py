"""The jars of Delta for the installed PySpark, resolved once, so that no job has to resolve them when it starts.

    python scripts/delta_jars.py --coordinates                  prints the Maven coordinate that fits
    spark-submit --packages COORDINATE scripts/delta_jars.py --into FOLDER

The second form is run by Spark, which has resolved the coordinate by then; it copies what Spark does not carry itself,
and last a file `coordinate` that says which it was: where that file is, the folder is whole.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlparse


def main(coordinates: str, into: Callable[[Path], None]) -> None:
    """Prints Maven coordinates, or copies what they came to `into` a folder."""
    parser = argparse.ArgumentParser(description="Jars for the installed PySpark.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--coordinates", action="store_true", help="print the Maven coordinates")
    what.add_argument("--into", type=Path, help="copy the jars that spark-submit has resolved into this folder")
    arguments = parser.parse_args()
    if arguments.coordinates:
        print(coordinates)
    else:
        into(arguments.into)


def coordinate() -> str:
    """Delta's artifacts are named after Spark's minor version since 4.0."""
    spark = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{version('delta-spark')}"


def copy_jars(folder: Path) -> None:
    copy_resolved(folder)
    if not any(folder.glob("delta-spark*.jar")):
        raise SystemExit(f"spark-submit resolved no delta-spark; run it with --packages {coordinate()}")
    (folder / "coordinate").write_text(coordinate() + "\n")


def copy_resolved(folder: Path) -> None:
    """Copy what spark-submit has resolved and Spark does not carry itself."""
    # Set by spark-submit; the module's own path is inside a zip here.
    carried = {artifact(jar.name) for jar in (Path(os.environ["SPARK_HOME"]) / "jars").glob("*.jar")}
    if not carried:
        raise SystemExit(f"no jars in {os.environ['SPARK_HOME']}/jars; is that a Spark?")
    folder.mkdir(parents=True, exist_ok=True)
    for jar in resolved_jars():
        name = jar.name.split("_", 1)[1]  # Ivy prefixes the group
        if artifact(name) not in carried:
            shutil.copy(jar, folder / name)


def resolved_jars() -> list[Path]:
    """What `--packages` came to; known to the JVM as spark.jars, no session needed."""
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()
    listed = SparkConf().get("spark.jars", "") or ""
    return [Path(urlparse(uri).path) for uri in listed.split(",") if uri]


def artifact(jar: str) -> str:
    """The name without its version: `jackson-core` of `jackson-core-2.13.5.jar`."""
    return re.sub(r"-\d.*$", "", jar)


if __name__ == "__main__":
    main(coordinate(), copy_jars)
