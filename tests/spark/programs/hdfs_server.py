"""An HDFS in one JVM, until the standard input ends: the arguments are Hadoop's jar with it, a folder, and a file for the port."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession


def main(jar: str, folder: str, port: str) -> None:
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.extraClassPath", jar).config("spark.driver.memory", "512m").getOrCreate()
    jvm = spark.sparkContext._jvm
    conf = jvm.org.apache.hadoop.conf.Configuration()
    made = getattr(jvm.org.apache.hadoop.hdfs, "MiniDFSCluster$Builder")(conf, jvm.java.io.File(folder))
    cluster = made.numDataNodes(1).build()
    told = Path(f"{port}.new")
    told.write_text(str(cluster.getNameNodePort()))
    told.rename(port)
    sys.stdin.read()
    cluster.shutdown()


main(*sys.argv[1:])
