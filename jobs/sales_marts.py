"""Loads TPC-H into Delta tables, applies changes to orders, and keeps three revenue marts up to date.

    spark-submit jobs/sales_marts.py --tpch demo/data/tpch --tables demo/tables/sales \
        [--changes demo/data/order_changes --round 2]

The database `sales` lives in the session's catalog, its tables at locations below `--tables`: tables that are there are
registered, others are created. Marts: revenue by customer (written by path), by nation (INSERT OVERWRITE) and by month
(kept up to date by MERGE).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

SOURCES = ("region", "nation", "customer", "orders", "lineitem")


def main() -> None:
    arguments = parse_arguments()
    tables = Path(arguments.tables).resolve()
    spark = SparkSession.builder.appName("sales_marts").getOrCreate()
    spark.sql("CREATE DATABASE IF NOT EXISTS sales")
    for name in SOURCES:
        load(spark, name, source=Path(arguments.tpch) / f"{name}.parquet", location=tables / name)
    if arguments.changes:
        apply_changes(spark, Path(arguments.changes), arguments.round)
    sold_items(spark).createOrReplaceTempView("sold_items")
    by_customer(spark).write.format("delta").mode("overwrite").save(str(tables / "revenue_by_customer"))
    revenue_by_nation(spark, tables / "revenue_by_nation", customers=tables / "revenue_by_customer")
    revenue_by_month(spark, tables / "revenue_by_month")
    spark.stop()


def load(spark: SparkSession, name: str, *, source: Path, location: Path) -> None:
    """The first time a copy of the source; later the table as it is, under its name."""
    if DeltaTable.isDeltaTable(spark, str(location)):
        spark.sql(f"CREATE TABLE IF NOT EXISTS sales.{name} USING delta LOCATION '{location}'")
        return
    source_rows = spark.read.parquet(str(source))
    source_rows.write.format("delta").option("path", str(location)).saveAsTable(f"sales.{name}")


def apply_changes(spark: SparkSession, changes: Path, number: int) -> None:
    """Orders change and come by MERGE, cancelled ones go, lineitems come, old open orders become urgent.

    Applied twice it changes nothing more, so a round that was interrupted can be run again.
    """
    of_this_round = sf.col("round") == number
    spark.read.parquet(str(changes / "orders")).where(of_this_round).createOrReplaceTempView("changed_orders")
    new_lineitems = spark.read.parquet(str(changes / "lineitem")).where(of_this_round).drop("round")
    new_lineitems.createOrReplaceTempView("new_lineitems")
    spark.sql("""
        MERGE INTO sales.orders AS o USING changed_orders AS c ON o.o_orderkey = c.o_orderkey
        WHEN MATCHED AND c.change = 'update' AND o.o_orderstatus <> c.o_orderstatus THEN UPDATE SET o.o_orderstatus = c.o_orderstatus
        WHEN NOT MATCHED AND c.change = 'insert' THEN INSERT
            (o_orderkey, o_custkey, o_orderstatus, o_totalprice, o_orderdate, o_orderpriority, o_clerk, o_shippriority, o_comment)
            VALUES (c.o_orderkey, c.o_custkey, c.o_orderstatus, c.o_totalprice, c.o_orderdate, c.o_orderpriority, c.o_clerk,
                    c.o_shippriority, c.o_comment)""")
    spark.sql("DELETE FROM sales.orders WHERE o_orderstatus = 'C'")
    spark.sql("""
        INSERT INTO sales.lineitem
        SELECT n.* FROM new_lineitems n LEFT ANTI JOIN sales.lineitem l ON l.l_orderkey = n.l_orderkey""")
    spark.sql("""
        UPDATE sales.orders SET o_orderpriority = '1-URGENT'
        WHERE o_orderstatus = 'O' AND o_orderdate < DATE '1995-07-01' AND o_orderpriority <> '1-URGENT'""")


def sold_items(spark: SparkSession) -> DataFrame:
    """One row a lineitem, with who bought it and when; returned items do not count."""
    return spark.sql("""
        SELECT o.o_orderkey, o.o_orderdate, c.c_custkey, c.c_name, c.c_mktsegment, n.n_name, r.r_name,
               l.l_extendedprice * (1 - l.l_discount) AS revenue, l.l_quantity
        FROM sales.lineitem l
        JOIN sales.orders o ON o.o_orderkey = l.l_orderkey
        JOIN sales.customer c ON c.c_custkey = o.o_custkey
        JOIN sales.nation n ON n.n_nationkey = c.c_nationkey
        JOIN sales.region r ON r.r_regionkey = n.n_regionkey
        WHERE l.l_returnflag <> 'R'""")


def by_customer(spark: SparkSession) -> DataFrame:
    """One row a customer, with the rank in its nation and the share of its nation's revenue."""
    nation = Window.partitionBy("nation")
    totals = (
        spark.table("sold_items")
        .groupBy("c_custkey", "c_name", sf.col("n_name").alias("nation"), sf.col("r_name").alias("region"))
        .agg(
            sf.sum("revenue").alias("revenue"),
            sf.countDistinct("o_orderkey").alias("orders"),
            sf.max("o_orderdate").alias("last_order"),
        )
    )
    return totals.withColumn("rank_in_nation", sf.rank().over(nation.orderBy(sf.desc("revenue")))).withColumn(
        "share_of_nation", sf.round(sf.col("revenue") / sf.sum("revenue").over(nation), 6)
    )


def revenue_by_nation(spark: SparkSession, location: Path, *, customers: Path) -> None:
    """One row a nation, from the customers' mart: revenue, customers, the best of them, and the place in the region."""
    spark.sql(f"""
        CREATE TABLE IF NOT EXISTS sales.revenue_by_nation
        (nation STRING, region STRING, revenue DECIMAL(38, 4), customers BIGINT, best_customer STRING, rank_in_region INT)
        USING delta LOCATION '{location}'""")
    spark.sql(f"""
        INSERT OVERWRITE sales.revenue_by_nation
        WITH totals AS (
            SELECT nation, region, CAST(SUM(revenue) AS DECIMAL(38, 4)) AS revenue, COUNT(*) AS customers,
                   MAX(CASE WHEN rank_in_nation = 1 THEN c_name END) AS best_customer
            FROM delta.`{customers}` GROUP BY nation, region)
        SELECT *, RANK() OVER (PARTITION BY region ORDER BY revenue DESC) AS rank_in_region FROM totals""")


def revenue_by_month(spark: SparkSession, location: Path) -> None:
    """One row a month and region; only months whose figures have changed are touched."""
    spark.sql(f"""
        CREATE TABLE IF NOT EXISTS sales.revenue_by_month
        (month DATE, region STRING, revenue DECIMAL(38, 4), orders BIGINT, growth DOUBLE)
        USING delta LOCATION '{location}'""")
    spark.sql("""
        MERGE INTO sales.revenue_by_month AS mart USING (
            SELECT *, CAST(ROUND(revenue / LAG(revenue) OVER (PARTITION BY region ORDER BY month) - 1, 6) AS DOUBLE) AS growth
            FROM (SELECT CAST(date_trunc('MONTH', o_orderdate) AS DATE) AS month, r_name AS region,
                         CAST(SUM(revenue) AS DECIMAL(38, 4)) AS revenue, COUNT(DISTINCT o_orderkey) AS orders
                  FROM sold_items GROUP BY 1, 2)
        ) AS fresh ON mart.month = fresh.month AND mart.region = fresh.region
        WHEN MATCHED AND (mart.revenue <> fresh.revenue OR mart.orders <> fresh.orders OR mart.growth <> fresh.growth)
            THEN UPDATE SET *
        WHEN NOT MATCHED THEN INSERT *
        WHEN NOT MATCHED BY SOURCE THEN DELETE""")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Revenue marts over TPC-H.")
    parser.add_argument("--tpch", required=True, help="folder of TPC-H's tables as Parquet")
    parser.add_argument("--tables", required=True, help="folder of the Delta tables")
    parser.add_argument("--changes", help="folder of changed orders and new lineitems, partitioned by round")
    parser.add_argument("--round", type=int, help="which round of changes to apply")
    arguments = parser.parse_args()
    if (arguments.changes is None) != (arguments.round is None):
        parser.error("--changes and --round go together")
    return arguments


if __name__ == "__main__":
    main()
