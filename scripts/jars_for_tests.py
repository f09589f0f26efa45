"""Jars that only tests need: a PostgreSQL driver, Avro's data source, Iceberg's runtime for the installed PySpark.

    python scripts/jars_for_tests.py --coordinates                    prints their Maven coordinates, with commas between
    spark-submit --packages COORDINATES scripts/jars_for_tests.py --into FOLDER

As scripts/delta_jars.py does it for Delta's.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from delta_jars import copy_resolved, main

COORDINATES = {
    "4.0": ("org.apache.spark:spark-avro_2.13:4.0.1", "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0"),
    "4.1": ("org.apache.spark:spark-avro_2.13:4.1.1", "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0"),
}
"""By Spark's minor version; a patch release may come to Maven Central later than to PyPI, and needs no Avro of its own."""
POSTGRES = "org.postgresql:postgresql:42.7.13"


def copy_jars(folder: Path) -> None:
    copy_resolved(folder)
    (folder / "coordinates").write_text(coordinates() + "\n")


def coordinates() -> str:
    return ",".join((*COORDINATES.get(".".join(version("pyspark").split(".")[:2]), ()), POSTGRES))


if __name__ == "__main__":
    main(coordinates(), copy_jars)
