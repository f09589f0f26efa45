"""Jars that only long tests need: S3's file system for the installed Hadoop, and an HDFS that runs in one JVM.

    python scripts/jars_of_stores.py --coordinates                    prints their Maven coordinates, with commas between
    spark-submit --packages COORDINATES --exclude-packages EXCLUDED scripts/jars_of_stores.py --into FOLDER

As scripts/delta_jars.py does it for Delta's. Of Amazon's libraries only those that S3 needs: all of them are 640 MB.
"""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path

from delta_jars import copy_resolved, main

EXCLUDED = (
    "software.amazon.awssdk:bundle", "org.wildfly.openssl:wildfly-openssl", "org.apache.hadoop:hadoop-client-api",
    "org.apache.hadoop:hadoop-client-runtime",
)  # fmt: skip
"""What Hadoop asks for and is not needed, or is part of Spark."""
AMAZON = "2.29.52"


def copy_jars(folder: Path) -> None:
    copy_resolved(folder)
    (folder / "coordinates").write_text(coordinates() + "\n")


def coordinates() -> str:
    (client,) = (Path(file) for file in files("pyspark") or () if Path(file).name.startswith("hadoop-client-api-"))
    hadoop = client.stem.removeprefix("hadoop-client-api-")
    amazon = [f"software.amazon.awssdk:{part}:{AMAZON}" for part in ("s3", "s3-transfer-manager", "sts")]
    return ",".join(
        (f"org.apache.hadoop:hadoop-aws:{hadoop}", f"org.apache.hadoop:hadoop-client-minicluster:{hadoop}", *amazon)
    )


if __name__ == "__main__":
    main(coordinates(), copy_jars)
