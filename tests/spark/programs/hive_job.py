"""Tables of a Hive catalog with a metastore of its own: made, written and read. The folder to work in is the argument."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from spark_lineage.capture.attach import attach


def main(folder: str) -> None:
    spark = (
        SparkSession.builder.appName("hive")
        .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        .config("spark.hadoop.javax.jdo.option.ConnectionURL", f"jdbc:derby:;databaseName={folder}/metastore;create=true")
        .config("spark.hadoop.hive.metastore.warehouse.dir", f"{folder}/warehouse")
        .config("spark.hadoop.hive.exec.dynamic.partition.mode", "nonstrict")
        .enableHiveSupport()
        .getOrCreate()
    )
    attach(spark, inbox=f"{folder}/inbox", ingest="none", strict=True)
    spark.sql("CREATE TABLE lines (id int, k string) STORED AS TEXTFILE")
    spark.sql("INSERT INTO lines VALUES (1, 'x'), (2, 'y')")
    spark.sql("CREATE TABLE days (id int) PARTITIONED BY (k string) STORED AS PARQUET")
    spark.sql("INSERT INTO days PARTITION (k) SELECT id, k FROM lines")
    spark.sql("SELECT * FROM days WHERE k = 'x'").collect()
    spark.sql("SET spark.sql.hive.convertMetastoreParquet=false")
    spark.sql("SELECT * FROM days WHERE k = 'x'").collect()
    spark.sql("CREATE TABLE copied STORED AS ORC AS SELECT * FROM lines")
    spark.stop()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    main(sys.argv[1])
