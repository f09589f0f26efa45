"""The Spark session that documents are captured in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
DELTA_PACKAGE = "io.delta:delta-spark_4.1_2.13:4.4.0"


def start(warehouse: Path) -> SparkSession:
    """A session with the settings of `conf/spark-local.conf`."""
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    jars = Path(sys.prefix) / "jars"
    delta = (
        {"spark.driver.extraClassPath": f"{jars}/*"}
        if any(jars.glob("delta-spark*.jar"))
        else {"spark.jars.packages": DELTA_PACKAGE}
    )
    if "KAFKA_JARS" in os.environ:
        delta["spark.driver.extraClassPath"] = f"{jars}/*:{os.environ['KAFKA_JARS']}/*"
    builder = SparkSession.builder.appName("plans").config("spark.sql.warehouse.dir", str(warehouse))
    for line in (ROOT / "conf" / "spark-local.conf").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key, value = line.split(None, 1)
            builder = builder.config(key, value.strip())
    for key, value in delta.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
