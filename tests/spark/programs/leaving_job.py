"""A job whose other form writes the same rows in another way, or does more to what it wrote: the folder is the argument, `new` the second."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession


def main(lake: str, *otherwise: str) -> None:
    new = "new" in otherwise
    spark = SparkSession.builder.appName("leaving").getOrCreate()
    orders = spark.read.format("delta").load(f"{lake}/orders")
    ids = orders.select("id")
    # files
    orders.select("id", "amount").write.mode("overwrite").option("header", not new).csv(f"{lake}/headed")
    code = "CAST(customer AS STRING)" if new else "lpad(customer, 2, '0')"
    orders.selectExpr("id", f"{code} AS code").write.mode("overwrite").partitionBy("code").parquet(f"{lake}/coded")
    ids.write.mode("overwrite").format("orc" if new else "parquet").save(f"{lake}/formatted")
    ids.selectExpr("id AS a").coalesce(1).write.mode("overwrite").parquet(f"{lake}/evolved")
    later = ids.selectExpr("id AS a", f"id * {2 if new else 1} AS b").coalesce(1)
    later.write.mode("append").parquet(f"{lake}/evolved")
    ids.write.mode("overwrite").parquet(f"{lake}/deleted")
    # tables
    spark.read.parquet(f"{lake}/bystander").write.format("delta").mode("overwrite").save(f"{lake}/copied")
    ids.selectExpr("id AS Id" if new else "id").write.format("delta").mode("overwrite").save(f"{lake}/spelled")
    for name in ("restored", "emptied", "dropped", "again", "packed"):
        ids.write.format("delta").mode("overwrite").save(f"{lake}/{name}")
    old = spark.sql(f"SELECT * FROM delta.`{lake}/parts` VERSION AS OF 0 WHERE p = 1").write.format("delta")
    old.mode("overwrite").option("partitionOverwriteMode", "dynamic").save(f"{lake}/parts")
    if new:
        spark.sql(f"RESTORE TABLE delta.`{lake}/restored` TO VERSION AS OF 0")
        spark.sql(f"CREATE TABLE emptied USING delta LOCATION '{lake}/emptied'")
        spark.sql("CREATE OR REPLACE TABLE emptied (id BIGINT) USING delta")
        for name in ("dropped", "again", "deleted", "bystander"):
            path = spark._jvm.org.apache.hadoop.fs.Path(f"{lake}/{name}")
            path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)
        spark.sql(f"CREATE TABLE delta.`{lake}/again` (id BIGINT) USING delta")
        spark.sql(f"OPTIMIZE delta.`{lake}/packed`")
    if "failing" in otherwise:
        print("the quota of the day is used up", file=sys.stderr)
        spark.stop()
        sys.exit(3)


main(*sys.argv[1:])
