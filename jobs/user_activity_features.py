"""What each user did, one row a user, from the raw event log.

    spark-submit jobs/user_activity_features.py --events demo/data/user_behavior \
        --output demo/tables/user_activity_features --as-of 2026-03-01

Features look at the time before the cutoff, `--horizon-days` before `--as-of`; the label `churned` says that the user
was not seen between the two. Users whose last event is more than 90 days before the cutoff are left out.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

EVENT_SCHEMA = """event_id STRING, user_id STRING, event_type STRING, event_time STRING, session_id STRING, page STRING,
                  product_id STRING, amount STRING, device STRING, country STRING"""


def main() -> None:
    arguments = parse_arguments()
    spark = SparkSession.builder.appName("user_activity_features").getOrCreate()
    raw = spark.read.csv(arguments.events, schema=EVENT_SCHEMA, header=True)
    as_of = sf.lit(arguments.as_of).cast("timestamp") + sf.expr("INTERVAL 1 DAY")
    cutoff = as_of - sf.make_dt_interval(sf.lit(arguments.horizon_days))
    events = first_of_each(clean(raw)).where(sf.col("event_time") < as_of)
    features = activity_before(events, cutoff).join(habits_before(events, cutoff), "user_id", "left")
    labelled = features.join(seen_since(events, cutoff), "user_id", "left").withColumn(
        "churned", sf.coalesce(~sf.col("seen_again"), sf.lit(True)).cast("int")
    )
    kept = labelled.where(sf.col("days_since_last_event") <= 90).drop("seen_again")
    kept.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(arguments.output)
    spark.stop()


def clean(raw: DataFrame) -> DataFrame:
    """Types and spelling put right; rows without a user or a readable time go."""
    return raw.select(
        "event_id",
        "user_id",
        sf.lower(sf.trim("event_type")).alias("event_type"),
        sf.try_to_timestamp("event_time").alias("event_time"),
        sf.coalesce("session_id", sf.concat_ws("-", "user_id", sf.substring("event_time", 1, 10))).alias("session_id"),
        sf.coalesce(sf.expr("try_cast(amount AS DECIMAL(12, 2))"), sf.lit(0)).alias("amount"),
        sf.coalesce("device", sf.lit("unknown")).alias("device"),
        "country",
    ).where("user_id IS NOT NULL AND event_time IS NOT NULL")


def first_of_each(events: DataFrame) -> DataFrame:
    """An event that was sent more than once counts once."""
    copies = Window.partitionBy("event_id").orderBy("event_time", "user_id")
    return events.withColumn("copy", sf.row_number().over(copies)).where("copy = 1").drop("copy")


def activity_before(events: DataFrame, cutoff: Column) -> DataFrame:
    """Counts, sums and times for each user."""
    last_week = sf.col("event_time") >= cutoff - sf.expr("INTERVAL 7 DAYS")
    return (
        events.where(sf.col("event_time") < cutoff)
        .groupBy("user_id")
        .agg(
            sf.count("*").alias("events"),
            sf.countDistinct("session_id").alias("sessions"),
            sf.countDistinct(sf.to_date("event_time")).alias("active_days"),
            count_of("page_view").alias("page_views"),
            count_of("search").alias("searches"),
            count_of("add_to_cart").alias("carts"),
            count_of("purchase").alias("purchases"),
            count_of("support_ticket").alias("support_tickets"),
            sf.sum(sf.when(sf.col("event_type") == "purchase", sf.col("amount")).otherwise(0)).alias("revenue"),
            sf.count_if(last_week).alias("events_last_week"),
            sf.datediff(cutoff, sf.max("event_time")).alias("days_since_last_event"),
            sf.datediff(cutoff, sf.min("event_time")).alias("days_known"),
        )
        .withColumn("events_per_session", sf.col("events") / sf.col("sessions"))
        .withColumn("conversion", sf.col("purchases") / sf.greatest(sf.col("carts"), sf.lit(1)))
    )


def habits_before(events: DataFrame, cutoff: Column) -> DataFrame:
    """How regularly a user comes, and with what: the mean gap between events, the latest device and country."""
    in_order = Window.partitionBy("user_id").orderBy("event_time", "event_id")
    latest_first = Window.partitionBy("user_id").orderBy(sf.desc("event_time"), sf.desc("event_id"))
    gap = sf.unix_timestamp("event_time") - sf.unix_timestamp(sf.lag("event_time").over(in_order))
    return (
        events.where(sf.col("event_time") < cutoff)
        .withColumn("gap_hours", gap / 3600)
        .withColumn("age", sf.row_number().over(latest_first))
        .groupBy("user_id")
        .agg(
            sf.round(sf.avg("gap_hours"), 3).alias("mean_gap_hours"),
            sf.max(sf.when(sf.col("age") == 1, sf.col("device"))).alias("last_device"),
            sf.max_by("country", "event_time").alias("country"),
        )
    )


def seen_since(events: DataFrame, cutoff: Column) -> DataFrame:
    return events.where(sf.col("event_time") >= cutoff).select("user_id", sf.lit(True).alias("seen_again")).distinct()


def count_of(event_type: str) -> Column:
    return sf.count_if(sf.col("event_type") == event_type)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Activity features, one row a user.")
    parser.add_argument("--events", required=True, help="folder of event log CSV files")
    parser.add_argument("--output", required=True, help="path of the Delta table to write")
    parser.add_argument("--as-of", required=True, help="last day that is looked at, yyyy-mm-dd")
    parser.add_argument("--horizon-days", type=int, default=14)
    return parser.parse_args()


if __name__ == "__main__":
    main()
