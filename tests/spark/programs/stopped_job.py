"""A job whose SparkContext is stopped while a write of another thread runs.

python stopped_job.py FOLDER INBOX
"""

import sys
import threading
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

import spark_lineage


def main(folder: str, inbox: str) -> None:
    spark = SparkSession.builder.appName("stopped_job").getOrCreate()
    spark_lineage.attach(spark, inbox=inbox, store=folder + "/store", ingest="none", strict=True)
    spark.range(3).write.parquet(folder + "/before")
    slow = sf.udf(lambda number: time.sleep(60) or number, "long")
    thread = threading.Thread(target=lambda: spark.range(3).select(slow("id")).write.parquet(folder + "/never"), daemon=True)
    threading.excepthook = lambda failure: None  # the write fails, as it would without us
    thread.start()
    tracker = spark.sparkContext.statusTracker()
    while not any(info.numActiveTasks for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))):
        time.sleep(0.05)
    spark.stop()


main(sys.argv[1], sys.argv[2])
