"""What builds the wheel: setuptools, and before it the jar for drivers that are not Python.

The jar is compiled against the jars of Spark: those of SPARK_HOME, those of a pyspark beside the Python that builds, else those
of a pyspark that is fetched for the build (large, once). No compiler need be there: any Java will do, as Spark carries one.
Without Java the wheel is built all the same, with a warning; `spark-lineage jar` then makes the jar where it is used.
SPARK_LINEAGE_REQUIRE_JAR=1, for releases, makes that an error.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - the hooks that are as they were

ROOT = Path(__file__).resolve().parents[2]
PYSPARK = "pyspark>=4.0.1,<4.2"


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    needed: list[str] = build_meta.get_requires_for_build_wheel(config_settings)
    jar = _jar()
    if jar.is_current(jar.SHIPPED) or jar.find_spark_jars() is not None or not _has_java():
        return needed
    return [*needed, PYSPARK]


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    jar = _jar()
    fresh = not jar.SHIPPED.is_file()
    try:
        _make(jar)
        return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))
    finally:
        if fresh:  # in a checkout, a jar that stays behind would hide later changes of its sources
            jar.SHIPPED.unlink(missing_ok=True)


def _make(jar: Any) -> None:
    if jar.is_current(jar.SHIPPED):
        return
    try:
        jar.build(jar.SHIPPED)
    except jar.LineageError as error:
        if os.environ.get("SPARK_LINEAGE_REQUIRE_JAR"):
            raise
        print(f"spark-lineage: the wheel is built without the jar for drivers that are not Python: {error}", file=sys.stderr)


def _has_java() -> bool:
    return bool(os.environ.get("JAVA_HOME")) or shutil.which("java") is not None


def _jar() -> Any:
    sys.path.insert(0, str(ROOT))
    try:
        from spark_lineage.capture import jar
    finally:
        sys.path.remove(str(ROOT))
    return jar
