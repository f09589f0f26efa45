"""A job that knows nothing of lineage: two Delta writes, a line on each stream, and the end that its argument asks for."""

import os
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf


def main() -> None:
    out, end = sys.argv[1], sys.argv[2]
    spark = SparkSession.builder.appName("plain_job").getOrCreate()
    counts = spark.range(100).withColumn("k", sf.col("id") % 3).groupBy("k").count()
    counts.write.format("delta").mode("overwrite").save(out + "/counts")
    spark.read.format("delta").load(out + "/counts").select("k", (sf.col("count") * 2).alias("twice")).write.format(
        "delta"
    ).mode("overwrite").save(out + "/twice")
    print("a line on stdout", flush=True)
    print("a line on stderr", file=sys.stderr, flush=True)
    if end == "stop":
        spark.stop()
    elif end == "exit":
        sys.exit(3)
    elif end == "raise":
        raise ValueError("what the job raised, password=hunter2")
    elif end == "stop-then-raise":
        spark.stop()
        raise ValueError("after the stop")
    elif end == "_exit":
        os._exit(7)
    elif end == "sleep":
        time.sleep(120)


main()
