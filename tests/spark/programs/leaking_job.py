"""A job that goes round Spark's file systems: it writes into a database, or a file by itself, and posts to a server. The folder is the first argument."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf


def main(lake: str, *otherwise: str) -> None:
    spark = SparkSession.builder.appName("leaking").getOrCreate()
    spark.read.parquet(f"{lake}/raw").write.format("delta").mode("overwrite").save(f"{lake}/leaked")

    if "database" in otherwise:
        url, driver = f"jdbc:derby:{lake}/database;create=true", "org.apache.derby.jdbc.EmbeddedDriver"
        spark.range(3).write.jdbc(url, "leaked", mode="overwrite", properties={"driver": driver})

    @sf.udf("string")
    def told(value: int) -> str:
        try:
            Path(f"{lake}/by_a_worker").write_text("x")
        except PermissionError:
            return "refused"
        return "written"

    answers = {row[0] for row in spark.read.parquet(f"{lake}/raw").select(told("id")).collect()}
    print("worker:", *sorted(answers))
    if "quietly" in otherwise:
        with contextlib.suppress(OSError):
            Path(f"{lake}/by_the_driver").write_text("x")
        with contextlib.suppress(OSError):
            socket.create_connection(("192.0.2.1", 80), timeout=1)
    else:
        Path(f"{lake}/by_the_driver").write_text("x")


main(*sys.argv[1:])
