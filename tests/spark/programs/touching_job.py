"""A job that writes by every way that Spark and Hadoop have, over what is there: the folder is the argument.

It reads `orders` (Delta), `raw` (Parquet), `lines` (text) and `days` (partitioned Delta), which are there before it.
"""

from __future__ import annotations

import sys

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf


def main(lake: str) -> None:
    spark = SparkSession.builder.appName("touching").getOrCreate()
    orders = spark.read.format("delta").load(f"{lake}/orders")
    totals = orders.groupBy("customer").agg(sf.sum("amount").alias("total"))
    # writers of frames
    totals.write.format("delta").mode("overwrite").save(f"{lake}/totals")
    spark.read.format("delta").load(f"{lake}/totals").where("total > 20").write.format("delta").mode("append").save(
        f"{lake}/big"
    )
    orders.write.format("delta").mode("overwrite").option("partitionOverwriteMode", "dynamic").partitionBy("customer").save(
        f"{lake}/days"
    )
    spark.read.parquet(f"{lake}/raw").withColumn("twice", sf.col("id") * 2).write.mode("overwrite").parquet(f"{lake}/out")
    totals.write.mode("overwrite").option("header", True).csv(f"{lake}/csv")
    totals.write.mode("overwrite").json(f"{lake}/json")
    totals.writeTo(f"delta.`{lake}/to`").using("delta").createOrReplace()
    # SQL
    spark.sql(f"CREATE TABLE copied USING delta LOCATION '{lake}/copied' AS SELECT * FROM delta.`{lake}/orders`")
    spark.sql("INSERT INTO copied SELECT id + 100, customer, amount FROM copied WHERE id < 3")
    spark.sql(f"UPDATE delta.`{lake}/orders` SET amount = amount + 1 WHERE id = 1")
    spark.sql(f"DELETE FROM delta.`{lake}/orders` WHERE id = 2")
    spark.sql(
        f"MERGE INTO delta.`{lake}/orders` t USING copied s ON t.id = s.id AND s.id = 3 WHEN MATCHED THEN UPDATE SET amount = 0"
    )
    # Delta's own
    DeltaTable.forPath(spark, f"{lake}/orders").update("id = 4", {"amount": "44"})
    DeltaTable.forPath(spark, f"{lake}/orders").optimize().executeCompaction()
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    spark.sql(f"VACUUM delta.`{lake}/orders` RETAIN 0 HOURS")
    spark.sql(f"RESTORE TABLE delta.`{lake}/big` TO VERSION AS OF 0")
    spark.sql("DROP TABLE copied")
    # a stream
    stream = spark.readStream.format("delta").load(f"{lake}/totals").writeStream.format("delta").trigger(availableNow=True)
    stream.option("checkpointLocation", f"{lake}/checkpoint").start(f"{lake}/streamed").awaitTermination()
    # RDDs and Hadoop's own interfaces
    context = spark.sparkContext
    context.textFile(f"{lake}/lines").map(str.upper).saveAsTextFile(f"{lake}/upper")
    jvm = context._jvm
    path = jvm.org.apache.hadoop.fs.Path
    files = path(lake).getFileSystem(context._jsc.hadoopConfiguration())
    files.delete(path(f"{lake}/lines"), True)
    files.rename(path(f"{lake}/raw"), path(f"{lake}/moved"))
    local = jvm.org.apache.hadoop.fs.FileSystem.getLocal(jvm.org.apache.hadoop.conf.Configuration())
    if "://" not in lake:
        local.create(path(f"{lake}/stray")).close()
    jvm.org.apache.hadoop.fs.FileContext.getFileContext().delete(path(f"{lake}/out"), True)
    jvm.org.apache.hadoop.fs.FileSystem.newInstance(path(lake).toUri(), jvm.org.apache.hadoop.conf.Configuration()).delete(
        path(f"{lake}/csv"), True
    )
    spark.range(3).write.parquet("relative/folder")
    files.delete(
        path("/../../../../../../../../../../.." + f"{path(lake).toUri().getPath()}/json"), True
    )  # above the root there is nothing
    spark.conf.set("spark.sql.catalog.real", "org.apache.iceberg.spark.SparkCatalog")
    try:
        spark.range(3).write.mode("overwrite").parquet(f"{lake}/orders")
    except Exception as error:
        print("refused:", str(error).splitlines()[0])
    else:
        raise AssertionError("it was not refused")
    spark.conf.unset("spark.sql.catalog.real")
    by_configuration(spark, lake)


def by_configuration(spark: SparkSession, lake: str) -> None:
    """File systems that the job names itself, as applications with Hadoop in their own jar do, and configurations that name none."""
    context = spark.sparkContext
    jvm, hadoop = context._jvm, context._jsc.hadoopConfiguration()
    path = jvm.org.apache.hadoop.fs.Path
    scheme = path(lake).toUri().getScheme() or "file"
    own = {"s3a": "s3a.S3AFileSystem", "hdfs": "hdfs.DistributedFileSystem", "file": "LocalFileSystem"}
    contexts = {"s3a": "s3a.S3A", "hdfs": "Hdfs", "file": "local.LocalFs"}
    settings = {
        f"fs.{scheme}.impl": f"org.apache.hadoop.fs.{own[scheme]}".replace("fs.hdfs", "hdfs"),
        f"fs.{scheme}.impl.disable.cache": "true",
        f"fs.AbstractFileSystem.{scheme}.impl": f"org.apache.hadoop.fs.{contexts[scheme]}",
    }
    for key, value in settings.items():
        hadoop.set(key, value)
        spark.conf.set(key, value)
    spark.range(3).write.mode("overwrite").parquet(f"{lake}/touched_frame")
    context.parallelize(["touched"], 1).saveAsTextFile(f"{lake}/touched_rdd")
    pairs = context.parallelize([(1, "touched")], 1)
    pairs.saveAsHadoopFile(f"{lake}/touched_pairs", "org.apache.hadoop.mapred.SequenceFileOutputFormat", conf=settings)
    files = jvm.org.apache.hadoop.fs.FileSystem
    named = jvm.org.apache.hadoop.conf.Configuration(hadoop)
    bare = jvm.org.apache.hadoop.conf.Configuration(False)
    for conf in (named, bare):
        if conf is bare and scheme != "file":
            continue  # where the store is, is not told there
        for found in (files.newInstance(path(lake).toUri(), conf), files.get(path(lake).toUri(), conf)):
            found.create(path(f"{lake}/touched_file"), True).close()
            found.delete(path(f"{lake}/orders"), True)
    jvm.org.apache.hadoop.fs.FileContext.getFileContext(path(lake).toUri(), named).mkdir(
        path(f"{lake}/touched_folder"), None, True
    )


main(sys.argv[1])
