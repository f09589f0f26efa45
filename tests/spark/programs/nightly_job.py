"""A job of several executions, each reading what the one before wrote: the folder is the argument, what to do otherwise the second."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf


def main(lake: str, *otherwise: str) -> None:
    builder = SparkSession.builder.appName("nightly")
    if "unguarded" in otherwise:
        builder = builder.config("spark.plugins", "")
    spark = builder.getOrCreate()
    if "fail" in otherwise:
        raise ValueError("before it wrote anything")
    orders = spark.read.format("delta").load(f"{lake}/orders")
    totals = orders.groupBy("customer").agg(sf.sum("amount").alias("total"))
    if "other" in otherwise:
        more = sf.when(sf.col("customer") == 0, 1).otherwise(0)
        totals = totals.where("customer < 2").withColumn("total", (sf.col("total") + more).cast("decimal(19,2)"))
    totals.write.format("delta").mode("overwrite").save(f"{lake}/totals")
    if "begun" in otherwise:
        return
    spark.read.format("delta").load(f"{lake}/totals").write.format("delta").mode("append").save(f"{lake}/history")
    spark.sql(f"UPDATE delta.`{lake}/orders` SET amount = amount + 1 WHERE id = 1")
    spark.sql(
        f"MERGE INTO delta.`{lake}/orders` t USING delta.`{lake}/totals` s ON t.id = s.customer "
        "WHEN MATCHED THEN UPDATE SET amount = s.total WHEN NOT MATCHED THEN INSERT (id, customer, amount) VALUES (s.customer, 0, 0)"
    )
    raw = spark.read.parquet(f"{lake}/raw")
    raw.withColumn("twice", sf.col("id") * 2).write.mode("overwrite").parquet(f"{lake}/out")
    totals.write.mode("overwrite").option("header", True).csv(f"{lake}/csv")
    stream = spark.readStream.format("delta").load(f"{lake}/events").writeStream.format("delta").trigger(availableNow=True)
    stream.option("checkpointLocation", f"{lake}/checkpoint").start(f"{lake}/streamed").awaitTermination()
    if "seeds" in otherwise:  # a file beside the program
        seeds = spark.read.text(str(Path(__file__).parent / "seeds.txt"))
        seeds.write.format("delta").mode("overwrite").save(f"{lake}/seeds")
    if "more" in otherwise:
        raw.write.format("delta").save(f"{lake}/more")
    if "zoned" in otherwise:
        hours = raw.select("id", sf.date_format(sf.timestamp_seconds(sf.col("id") * 3600), "HH").alias("hour"))
        hours.write.format("delta").mode("overwrite").save(f"{lake}/zoned")
    if "lying" in otherwise:  # it says that it gives the same each time
        raw.select("id", sf.udf(lambda value: random.random(), "double")("id").alias("n")).write.format("delta").mode(
            "overwrite"
        ).save(f"{lake}/lying")
    if "random" in otherwise:
        spark.sql(
            f"CREATE TABLE delta.`{lake}/defaulted` (id BIGINT, loaded_at TIMESTAMP DEFAULT current_timestamp()) USING delta "
            "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
        )
        raw.select("id").write.format("delta").mode("append").save(f"{lake}/defaulted")
        raw.withColumn("r", sf.rand()).withColumn("loaded_at", sf.current_timestamp()).write.format("delta").mode(
            "append"
        ).save(f"{lake}/random")
        stamped = raw.select("id", (100 + sf.rand() * 1e-10).alias("total"), sf.current_timestamp().alias("loaded_at"))
        stamped.write.mode("overwrite").option("header", True).csv(f"{lake}/stamped")
        stamped.write.mode("overwrite").json(f"{lake}/stamped_json")


main(*sys.argv[1:])
