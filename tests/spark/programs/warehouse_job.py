"""A job that knows its tables by their names alone, in a Hive catalog; `make` makes them first, `drop` drops one. The folder to work in is the argument."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession


def main(folder: str, *otherwise: str) -> None:
    builder = SparkSession.builder.appName("warehouse").config("spark.sql.warehouse.dir", f"file:{folder}/warehouse")
    builder = builder.config(
        "spark.hadoop.javax.jdo.option.ConnectionURL", f"jdbc:derby:;databaseName={folder}/metastore;create=true"
    )
    spark = builder.enableHiveSupport().getOrCreate()
    if "make" in otherwise:
        spark.sql("CREATE DATABASE marts")
        spark.sql("CREATE TABLE raw_orders USING parquet AS SELECT id, id % 3 AS customer FROM range(20)")
        spark.sql("CREATE TABLE marts.customers USING delta AS SELECT id AS customer, 'c' || id AS name FROM range(3)")
        spark.sql("CREATE TABLE marts.counts USING delta AS SELECT 'none' AS name, 0L AS n")
        return
    spark.sql(
        "INSERT OVERWRITE marts.counts SELECT name, count(*) AS n FROM raw_orders JOIN marts.customers USING (customer) GROUP BY name"
    )
    spark.sql("CREATE OR REPLACE TABLE marts.top USING delta AS SELECT name FROM marts.counts ORDER BY n DESC, name LIMIT 1")
    if "drop" in otherwise:
        spark.sql("DROP TABLE marts.customers")
        spark.sql("CREATE TABLE marts.customers USING delta AS SELECT 1 AS x")


main(*sys.argv[1:])
