"""More writes: what reaches which column of a table that is there, and how. `cases.py` says which tables there are to read."""

from __future__ import annotations

from typing import Any

from .case import TOTALS, Case, is_write, statement, target

FILLED = (
    "order_id BIGINT, amount DOUBLE, taxed DOUBLE GENERATED ALWAYS AS (amount * 1.25), "
    "kind STRING DEFAULT 'plain', made_at TIMESTAMP DEFAULT current_timestamp(), line BIGINT GENERATED ALWAYS AS IDENTITY"
)
DEFAULTS = "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
COMPUTED = (
    "CREATE TABLE computed (id BIGINT, address STRUCT<city: STRING, zip: STRING>, email STRING, town STRING GENERATED ALWAYS AS (upper(address.city)), "
    "secret STRING GENERATED ALWAYS AS (md5(email)), size STRING GENERATED ALWAYS AS (CASE WHEN id > 10 THEN address.zip ELSE 'small' END)) USING delta"
)
MARKED = "order_id BIGINT, amount DOUBLE, status STRING"
PLACED = "id BIGINT, address STRUCT<city: STRING, zip: STRING>"


def filled(name: str) -> tuple[str, str]:
    """A table that fills in columns of its own: generated, with a default, an identity."""
    return f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({FILLED}) USING delta {DEFAULTS}"


def partitioned(name: str, provider: str = "delta") -> tuple[str, str]:
    return f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({MARKED}) USING {provider} PARTITIONED BY (status)"


def has_rows(document: dict[str, Any]) -> bool:
    """A batch that its sources gave rows to: with a watermark there are others."""
    return is_write(document) and any(source["rows"] for source in document["stream"]["sources"])


INSERTS: dict[str, Case] = {
    "insert_by_name": statement("INSERT INTO totals BY NAME SELECT amount AS total, customer_id FROM orders", *target("totals", TOTALS)),
    "insert_fewer_columns": statement("INSERT INTO totals (customer_id) SELECT customer_id FROM orders", *target("totals", TOTALS)),
    "insert_fewer_columns_files": statement("INSERT INTO p_totals (customer_id) SELECT customer_id FROM orders", *target("p_totals", "customer_id BIGINT, total DOUBLE DEFAULT 1.5", "parquet")),
    "insert_filled": statement("INSERT INTO filled (order_id, amount) SELECT order_id, amount FROM orders", *filled("filled")),
    "insert_computed": statement("INSERT INTO computed (id, address, email) SELECT id, address, 'x' || id FROM people", "DROP TABLE IF EXISTS computed", COMPUTED),
    "append_fewer_to_path": Case(
        lambda spark, root: spark.sql("SELECT order_id FROM orders").write.format("delta").mode("append").save(f"{root}/narrower"),
        lambda spark, root: spark.table("returned").write.format("delta").mode("overwrite").save(f"{root}/narrower"),
    ),
    "insert_filled_given": statement(
        "INSERT INTO filled (amount, kind, made_at) SELECT amount, upper(status), DEFAULT FROM orders", *filled("filled")
    ),
    "append_filled": Case(
        lambda spark, root: spark.table("returned").write.format("delta").mode("append").saveAsTable("filled"),
        lambda spark, root: [spark.sql(one) for one in filled("filled")],
    ),
    "merge_schema": Case(
        lambda spark, root: spark.sql("SELECT order_id, amount, status AS state FROM orders").write.format("delta").mode("append").option("mergeSchema", "true").save(f"{root}/grown"),
        lambda spark, root: spark.table("returned").write.format("delta").mode("overwrite").save(f"{root}/grown"),
    ),
    "insert_cast": statement("INSERT INTO totals SELECT CAST(customer_id AS INT), order_id FROM orders", *target("totals", TOTALS)),
    "insert_static_partition": statement("INSERT INTO marked PARTITION (status = 'paid') SELECT order_id, amount FROM returned", *partitioned("marked")),
    "insert_static_partition_files": statement("INSERT OVERWRITE marked_files PARTITION (status = 'paid') SELECT order_id, amount FROM returned", *partitioned("marked_files", "parquet")),
    "overwrite_dynamic_by_conf": Case(
        lambda spark, root: _by_conf(spark, "INSERT OVERWRITE marked SELECT order_id, amount, status FROM orders"),
        lambda spark, root: [spark.sql(one) for one in partitioned("marked")],
    ),
    "overwrite_dynamic_by_option": Case(
        lambda spark, root: spark.sql("SELECT order_id, status FROM orders").write.format("delta").mode("overwrite").option("partitionOverwriteMode", "dynamic").partitionBy("status").save(f"{root}/marked_path"),
        lambda spark, root: spark.sql("SELECT order_id, status FROM orders").write.format("delta").mode("overwrite").partitionBy("status").save(f"{root}/marked_path"),
    ),
    "insert_wider_struct": Case(
        lambda spark, root: spark.sql("SELECT id, named_struct('zip', address.zip, 'city', upper(address.city)) AS address FROM people").write.format("delta").mode("append").option("mergeSchema", "true").saveAsTable("placed"),
        lambda spark, root: [spark.sql(one) for one in target("placed", "id BIGINT, address STRUCT<city: STRING, zip: STRING, country: STRING>")],
    ),
    "insert_struct_cast": statement("INSERT INTO placed SELECT id, named_struct('city', address.city, 'zip', address.zip) FROM people", *target("placed", "id BIGINT, address STRUCT<city: STRING, zip: STRING>")),
    "insert_struct_into": statement("INSERT INTO placed SELECT id, address FROM people", *target("placed", "id BIGINT, address STRUCT<town: STRING, code: STRING>")),
}  # fmt: skip

CHANGES: dict[str, Case] = {
    "update_filled": statement("UPDATE filled SET amount = amount + 1 WHERE order_id = 1", *filled("filled"), "INSERT INTO filled (order_id, amount) VALUES (1, 1.0)"),
    "merge_filled": statement(
        "MERGE INTO filled t USING returned s ON t.order_id = s.order_id WHEN MATCHED THEN UPDATE SET amount = s.amount "
        "WHEN NOT MATCHED THEN INSERT (order_id, amount) VALUES (s.order_id, s.amount)",
        *filled("filled"), "INSERT INTO filled (order_id, amount) VALUES (1, 1.0)",
    ),
    "merge_insert_filled": statement(
        "MERGE INTO filled t USING returned s ON t.order_id = s.order_id WHEN NOT MATCHED THEN INSERT (order_id, amount) VALUES (s.order_id, s.amount)",
        *filled("filled"), "INSERT INTO filled (order_id, amount) VALUES (1, 1.0)",
    ),
    "merge_every_clause": statement(
        "MERGE INTO marked t USING orders s ON t.order_id = s.order_id "
        "WHEN MATCHED AND s.status = 'open' THEN DELETE "
        "WHEN MATCHED AND s.amount > t.amount THEN UPDATE SET amount = s.amount "
        "WHEN NOT MATCHED AND s.customer_id > 0 THEN INSERT (order_id, amount) VALUES (s.order_id, s.amount * 2) "
        "WHEN NOT MATCHED BY SOURCE AND t.amount > 100 THEN UPDATE SET status = 'old' "
        "WHEN NOT MATCHED BY SOURCE AND t.status = 'gone' THEN DELETE",
        *target("marked", MARKED), "INSERT INTO marked VALUES (1, 1.0, 'paid'), (9, 9.0, 'gone')",
    ),
    "merge_star": statement(
        "MERGE INTO totals t USING (SELECT amount AS total, customer_id FROM orders) s ON t.customer_id = s.customer_id AND t.customer_id > 7 "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (9, 9.0)",
    ),
    "merge_schema_evolution": statement(
        "MERGE WITH SCHEMA EVOLUTION INTO totals t USING (SELECT order_id AS customer_id, amount AS total, status AS state FROM orders) s "
        "ON t.customer_id = s.customer_id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 9.0)",
    ),
    "merge_new_column": statement(
        "MERGE WITH SCHEMA EVOLUTION INTO totals t USING (SELECT order_id AS customer_id, amount AS total, status AS lastState FROM orders) s "
        "ON t.customer_id = s.customer_id WHEN NOT MATCHED THEN INSERT *",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 9.0)",
    ),
    "merge_struct_field": statement(
        "MERGE INTO placed t USING customers s ON t.id = s.customer_id WHEN MATCHED THEN UPDATE SET address.city = s.name",
        *target("placed", PLACED), "INSERT INTO placed VALUES (1, named_struct('city', 'Lund', 'zip', '22100'))",
    ),
    "merge_self": statement(
        "MERGE INTO totals t USING (SELECT customer_id, max(total) AS total FROM totals GROUP BY customer_id) s ON t.customer_id = s.customer_id "
        "WHEN MATCHED THEN UPDATE SET total = s.total",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0), (9, 9.0)",
    ),
    "merge_deleted_only": statement(
        "MERGE INTO totals t USING returned s ON t.customer_id = s.order_id WHEN MATCHED AND s.amount > 1 THEN DELETE",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (2, 1.0), (9, 9.0)",
    ),
    "update_struct_field": statement("UPDATE placed SET address.city = upper(address.zip) WHERE id = 1", *target("placed", PLACED), "INSERT INTO placed VALUES (1, named_struct('city', 'Lund', 'zip', '22100'))"),
}  # fmt: skip

STREAMS: dict[str, Case] = {
    "stream_once": Case(lambda spark, root: _deduplicated(spark, root), picks=has_rows),
    "stream_once_within": Case(lambda spark, root: _deduplicated(spark, root, within=True), picks=has_rows),
    "stream_once_idle": Case(lambda spark, root: _deduplicated(spark, root, within=True, again="again"), picks=lambda document: is_write(document) and not has_rows(document)),
    "stream_aggregated": Case(lambda spark, root: _aggregated(spark, root), picks=is_write),
    "foreach_batch_merge": Case(lambda spark, root: _merged_by_batch(spark, root), lambda spark, root: [spark.sql(one) for one in target("totals", TOTALS)], picks=is_write),
    "foreach_batch_rdd": Case(lambda spark, root: _batch_through_an_rdd(spark, root), picks=is_write),
}  # fmt: skip

MORE_WRITES: dict[str, Case] = {**INSERTS, **CHANGES, **STREAMS}


def _by_conf(spark: Any, text: str) -> None:
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    try:
        spark.sql(text)
    finally:
        spark.conf.unset("spark.sql.sources.partitionOverwriteMode")


def _events(spark: Any) -> Any:
    return spark.readStream.table("orders").selectExpr("order_id", "status", "amount", "CAST(ordered_on AS TIMESTAMP) AS at")


def _run(writer: Any, checkpoint: str) -> Any:
    return writer.option("checkpointLocation", checkpoint).trigger(availableNow=True)


def _deduplicated(spark: Any, root: str, within: bool = False, again: str = "") -> None:
    name = f"once{'_within' if within else ''}{again}"
    rows = _events(spark).withWatermark("at", "1 day")
    rows = rows.dropDuplicatesWithinWatermark(["order_id"]) if within else rows.dropDuplicates(["order_id", "at"])
    _run(rows.writeStream.format("delta"), f"{root}/checkpoint_{name}").start(f"{root}/{name}").awaitTermination()


def _aggregated(spark: Any, root: str) -> None:
    from pyspark.sql import functions as sf

    rows = (
        _events(spark)
        .withWatermark("at", "1 day")
        .groupBy(sf.window("at", "1 day"), "status")
        .agg(sf.sum("amount").alias("total"))
    )
    rows = rows.selectExpr("window.start AS day", "status", "total")
    _run(rows.writeStream.format("delta").outputMode("complete"), f"{root}/checkpoint_daily").start(
        f"{root}/daily"
    ).awaitTermination()


def _merged_by_batch(spark: Any, root: str) -> None:
    from delta.tables import DeltaTable

    def write(batch: Any, number: int) -> None:
        totals = DeltaTable.forName(batch.sparkSession, "totals").alias("t")
        clauses = totals.merge(batch.alias("s"), "t.customer_id = s.customer_id").whenMatchedUpdate(
            set={"total": "t.total + s.total"}
        )
        clauses.whenNotMatchedInsertAll().execute()

    rows = spark.readStream.table("orders").groupBy("customer_id").sum("amount").withColumnRenamed("sum(amount)", "total")
    _run(rows.writeStream.foreachBatch(write).outputMode("complete"), f"{root}/checkpoint_merge").start().awaitTermination()


def _batch_through_an_rdd(spark: Any, root: str) -> None:
    def write(batch: Any, number: int) -> None:
        again = batch.sparkSession.createDataFrame(batch.rdd.map(tuple), batch.schema)
        again.write.format("delta").mode("append").save(f"{root}/through_rdd")

    rows = spark.readStream.table("returned")
    _run(rows.writeStream.foreachBatch(write), f"{root}/checkpoint_rdd").start().awaitTermination()
