"""One Spark session for each test process, and real `spark-submit` commands, both as `make demo` starts them.

The settings are those of `conf/spark-local.conf`. The Delta jars come from `<virtual environment>/jars`, where
`scripts/setup.sh` puts them; in an environment that was made by hand they are resolved through Ivy. Those of other sources come from
`<virtual environment>/test-jars`, where `scripts/setup.sh tests` puts them; tests that need one say so where it is missing.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
DELTA_PACKAGE = f"io.delta:delta-spark_{'.'.join(version('pyspark').split('.')[:2])}_2.13:{version('delta-spark')}"

# Workers must run the Python that the driver runs: another one has no pandas and no pyarrow.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
# A SPARK_HOME or SPARK_CONF_DIR of the machine would bring another Spark, or other settings, into the tests.
os.environ.pop("SPARK_HOME", None)
os.environ.pop("SPARK_CONF_DIR", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder needs a JVM, so each is marked `spark` without having to say so."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.spark)


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The Spark configuration that tests run under; its warehouse is a temporary folder."""
    warehouse = tmp_path_factory.mktemp("warehouse")
    return {**_local_settings(), **_delta_settings(), "spark.sql.warehouse.dir": str(warehouse)}


@pytest.fixture(scope="session")
def spark(spark_settings: dict[str, str]) -> Iterator[SparkSession]:
    """The one session of this process. Do not stop it: a test that needs its own end starts `spark_submit`."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.fail("no Java found; `make setup` installs one, or set JAVA_HOME to a Java 17 or 21")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("tests")
    for key, value in spark_settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def active(request: pytest.FixtureRequest) -> None:
    """The session is the active one of the JVM, whatever sessions the tests before it made: `createDataFrame` makes its own that, and writers look there."""
    if "spark" in request.fixturenames:
        spark = request.getfixturevalue("spark")
        spark._jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(spark._jsparkSession)


@pytest.fixture(scope="session")
def spark_submit(spark_settings: dict[str, str]) -> Callable[..., list[str]]:
    """Builds a real `spark-submit` command: ``spark_submit("job.py", "--day", "1", conf={"spark.app.name": "x"})``."""

    def command(application: str | Path, *arguments: str, conf: dict[str, str] | None = None) -> list[str]:
        settings = {**spark_settings, **(conf or {})}
        flags = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
        return [str(Path(sys.executable).parent / "spark-submit"), *flags, str(application), *arguments]

    return command


def _local_settings() -> dict[str, str]:
    lines = (ROOT / "conf" / "spark-local.conf").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}


def _delta_settings() -> dict[str, str]:
    jars, others = Path(sys.prefix) / "jars", Path(sys.prefix) / "test-jars"
    if any(jars.glob("delta-spark*.jar")):
        return {"spark.driver.extraClassPath": f"{jars}/*:{others}/*"}
    return {"spark.jars.packages": DELTA_PACKAGE, "spark.driver.extraClassPath": f"{others}/*"}
