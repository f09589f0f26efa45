"""Writes to a topic, reads it as a batch and as a stream: `kafka_job.py BROKER FOLDER INBOX`."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from spark_lineage.capture.attach import attach


def main(broker: str, folder: str, inbox: str) -> None:
    spark = SparkSession.builder.appName("kafka_job").getOrCreate()
    attach(spark, inbox=inbox, ingest="none", strict=True)
    server = {"kafka.bootstrap.servers": broker}
    rows = spark.range(10).selectExpr("CAST(id AS STRING) AS key", "CAST(id * 2 AS STRING) AS value")
    rows.write.format("kafka").options(**server, topic="numbers").save()
    read = spark.read.format("kafka").options(**server, subscribe="numbers").load()
    read.selectExpr("CAST(value AS STRING) AS number").write.format("delta").save(f"{folder}/batch")
    for turn in range(2):
        stream = spark.readStream.format("kafka").options(**server, subscribe="numbers", startingOffsets="earliest").load()
        writer = stream.select("key", "value").writeStream.format("kafka").options(**server, topic="copied").queryName("copy")
        writer.option("checkpointLocation", f"{folder}/checkpoint").trigger(availableNow=True).start().awaitTermination()
        if turn == 0:
            rows.write.format("kafka").options(**server, topic="numbers").save()
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
