"""Writes with one task that does not end the first time it is tried, until Spark has tried it elsewhere and that attempt is through.

spark-submit --conf spark.speculation=true speculating_job.py FOLDER INBOX
"""

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas
from pyspark import TaskContext
from pyspark.sql import SparkSession

import spark_lineage

PATIENCE = 200.0


def slow_once(marks: Path, batches: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
    """The first attempt of the first task gives all its rows, so that they are counted and written, and does not end: Spark
    has to try it elsewhere. That attempt goes on when the first has come so far; Spark ends the first when this one is through."""
    context = TaskContext.get()
    assert context is not None
    if context.partitionId() > 0:
        yield from batches
    elif context.attemptNumber() == 0:
        yield from batches
        (marks / "first").touch()
        wait_for(marks / "never")
    else:
        wait_for(marks / "first")
        yield from batches
        (marks / "second").touch()


def wait_for(mark: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not mark.exists():
        if time.monotonic() > deadline:
            (mark.parent / f"waited too long for {mark.name}").touch()
            raise TimeoutError(mark.name)
        time.sleep(0.1)


def main(folder: str, inbox: str) -> None:
    spark = SparkSession.builder.appName("speculating").getOrCreate()
    spark_lineage.attach(spark, inbox=inbox, ingest="none", strict=True, snapshots_inline=True)
    source = Path(folder) / "source"
    spark.range(1000).repartition(4).write.option("maxRecordsPerFile", 250).format("delta").save(str(source))
    for format in ("delta", "parquet"):
        marks = Path(folder) / f"marks-{format}"
        marks.mkdir()
        rows = spark.read.format("delta").load(str(source)).mapInPandas(partial(slow_once, marks), "id bigint")
        rows.write.format(format).save(f"{folder}/{format}")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
