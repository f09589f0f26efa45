"""A job that goes round Spark's file systems: it writes into a database, a topic or by a connector of its own, or a file by itself, and
posts to a server. The folder is the first argument.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

PROVIDER = "org.apache.spark.sql.execution.datasources.jdbc.JdbcRelationProvider"
CONNECTOR = """
package org.elsewhere;
import org.apache.spark.sql.sources.BaseRelation;
public class Connector implements org.apache.spark.sql.sources.CreatableRelationProvider {
  public BaseRelation createRelation(final org.apache.spark.sql.SQLContext context, org.apache.spark.sql.SaveMode mode,
      scala.collection.immutable.Map options, final org.apache.spark.sql.Dataset rows) {
    try { new java.io.FileWriter((String) options.apply("file")).close(); }
    catch (java.io.IOException e) { throw new RuntimeException(e); }
    return new BaseRelation() {
      public org.apache.spark.sql.SQLContext sqlContext() { return context; }
      public org.apache.spark.sql.types.StructType schema() { return rows.schema(); }
    };
  }
}
"""


def connector(spark: SparkSession) -> None:
    """A connector that is neither Spark's nor Delta's, made here."""
    jvm: Any = spark.sparkContext._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
    compiler.cook(CONNECTOR)
    jvm.java.lang.Thread.currentThread().setContextClassLoader(compiler.getClassLoader())


def tables_of(spark: SparkSession, url: str) -> None:
    """Every way to write into a database by a table of the catalog: all are tried, and then it is told what each came to."""
    options = {"url": url, "driver": "org.apache.derby.jdbc.EmbeddedDriver"}
    told = ", ".join(f"{key} '{value}'" for key, value in options.items())
    jvm: Any = spark.sparkContext._jvm
    connection = jvm.java.sql.DriverManager.getConnection(f"{url};create=true")
    connection.createStatement().execute('CREATE TABLE there ("id" BIGINT)')
    spark.sql(f"CREATE TABLE foreign (id BIGINT) USING jdbc OPTIONS ({told}, dbtable 'there')")
    spark.sql(f"CREATE TEMPORARY VIEW seen USING jdbc OPTIONS ({told}, dbtable 'there')")
    rows = spark.range(3)
    ways: dict[str, Callable[[], Any]] = {
        "saveAsTable": lambda: rows.write.format("jdbc").options(**options, dbtable="one").saveAsTable("one"),
        "writeTo": lambda: rows.writeTo("two").using("jdbc").options(**options, dbtable="two").create(),
        "select": lambda: spark.sql(f"CREATE TABLE three USING jdbc OPTIONS ({told}, dbtable 'three') AS SELECT 1 AS id"),
        "class": lambda: rows.write.format(PROVIDER).options(**options, dbtable="four").saveAsTable("four"),
        "insert": lambda: spark.sql("INSERT INTO foreign VALUES (5)"),
        "overwrite": lambda: spark.sql("INSERT OVERWRITE foreign VALUES (5)"),
        "insertInto": lambda: rows.write.insertInto("foreign"),
        "view": lambda: spark.sql("INSERT INTO seen VALUES (6)"),
    }
    ended = {}
    for name, way in ways.items():
        try:
            way()
            ended[name] = "done"
        except Exception as error:
            refused = "spark-lineage replay: the job writes to" in str(error)
            ended[name] = "refused" if refused else f"{str(error)[:100]!r}"
    found = connection.createStatement().executeQuery("SELECT count(*) FROM there")
    found.next()
    ended["rows"] = found.getString(1)
    raise RuntimeError("; ".join(f"{name} {how}" for name, how in ended.items()))


def main(lake: str, *otherwise: str) -> None:
    spark = SparkSession.builder.appName("leaking").getOrCreate()
    spark.read.parquet(f"{lake}/raw").write.format("delta").mode("overwrite").save(f"{lake}/leaked")

    if "database" in otherwise:
        url, driver = f"jdbc:derby:{lake}/database;create=true", "org.apache.derby.jdbc.EmbeddedDriver"
        spark.range(3).write.jdbc(url, "leaked", mode="overwrite", properties={"driver": driver})
    if "tables" in otherwise:
        tables_of(spark, f"jdbc:derby:{otherwise[-1]}")
    if "topic" in otherwise:  # where nobody listens
        rows = spark.range(3).selectExpr("CAST(id AS STRING) AS value").write.format("kafka")
        rows.option("kafka.bootstrap.servers", "127.0.0.1:9").option("topic", "leaked").save()
    if "connector" in otherwise:
        connector(spark)
        writer = spark.range(3).write.format("org.elsewhere.Connector").option("file", f"{lake}/by_a_connector").mode("append")
        writer.saveAsTable("connected") if "table" in otherwise else writer.save()

    @sf.udf("string")
    def told(value: int) -> str:
        try:
            Path(f"{lake}/by_a_worker").write_text("x")
        except PermissionError:
            return "refused"
        return "written"

    answers = {row[0] for row in spark.read.parquet(f"{lake}/raw").select(told("id")).collect()}
    print("worker:", *sorted(answers))
    if "quietly" in otherwise:
        with contextlib.suppress(OSError):
            Path(f"{lake}/by_the_driver").write_text("x")
        with contextlib.suppress(OSError):
            socket.create_connection(("192.0.2.1", 80), timeout=1)
    else:
        Path(f"{lake}/by_the_driver").write_text("x")


main(*sys.argv[1:])
