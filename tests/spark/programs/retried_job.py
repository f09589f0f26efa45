"""Writes with tasks that fail the first time they are tried, in a Spark that tries them again; then stops, and does it once more.

spark-submit --master local[2,3] retried_job.py FOLDER INBOX
"""

import sys
from collections.abc import Iterator

import pandas
from pyspark import TaskContext
from pyspark.sql import SparkSession

import spark_lineage


def failing_once(batches: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    """Gives its rows, then fails in the first attempt: what it gave was counted and written by then."""
    yield from batches
    context = TaskContext.get()
    if context is not None and context.attemptNumber() == 0:
        raise ValueError("the first attempt fails")


def main(folder: str, inbox: str) -> None:
    for name in ("first", "second"):
        spark = SparkSession.builder.appName(name).getOrCreate()
        spark_lineage.attach(spark, inbox=inbox, ingest="none", strict=True, snapshots_inline=True)
        spark.range(1000).repartition(4).write.format("delta").save(f"{folder}/{name}/source")
        rows = spark.read.format("delta").load(f"{folder}/{name}/source").mapInPandas(failing_once, "id bigint")
        rows.write.format("delta").save(f"{folder}/{name}/delta")
        rows.write.parquet(f"{folder}/{name}/parquet")
        spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
