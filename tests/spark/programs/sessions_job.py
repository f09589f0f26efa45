"""A notebook that starts a session, writes, stops it and starts another, over and over; prints which contexts are still in memory.

sessions_job.py FOLDER [INBOX]        with an inbox, each session is attached to
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

import spark_lineage

SESSIONS = 4


def session(folder: Path, inbox: str | None) -> Any:
    """A weak reference to the context of a session that was started, used and stopped."""
    spark = SparkSession.builder.getOrCreate()
    reference = SparkContext._jvm.java.lang.ref.WeakReference(spark.sparkContext._jsc.sc())
    if inbox:
        spark_lineage.attach(spark, inbox=inbox, ingest="none", strict=True)
    spark.range(3).write.format("delta").mode("append").save(str(folder / "t"))
    spark.stop()
    return reference


def main(folder: Path, inbox: str | None) -> None:
    contexts = [session(folder, inbox) for _ in range(SESSIONS)]
    for _ in range(20):
        gc.collect()
        SparkContext._jvm.System.gc()
        time.sleep(0.1)
    print("in memory:", *(int(context.get() is not None) for context in contexts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
