"""The cases: what each does in Spark. The document of its action is kept in ``<case>/plan.json``.

All of them read these tables; most write what a query gives to a Delta table at ``<root>/out``.

    orders     order_id, customer_id, amount, status, ordered_on, items array<string>
    customers  customer_id, name, country, email
    returned   order_id, amount
"""

from __future__ import annotations

from typing import Any

from .case import TOTALS, Case, frame, is_write, query, save, statement, target
from .function_cases import FUNCTIONS
from .nested_cases import NESTED
from .sql_cases import SQL
from .write_cases import MORE_WRITES


def prepare(spark: Any, root: str) -> None:
    """The tables that all cases read."""
    spark.sql(
        "CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DOUBLE, status STRING, ordered_on DATE, items ARRAY<STRING>) USING delta"
    )
    spark.sql(
        "INSERT INTO orders VALUES (1, 1, 10.0, 'paid', DATE'2026-01-01', array('a', 'b')), (2, 1, 5.5, 'open', DATE'2026-01-02', array('c')), "
        "(3, 2, 7.0, 'paid', DATE'2026-01-02', array())"
    )
    spark.sql("CREATE TABLE customers (customer_id BIGINT, name STRING, country STRING, email STRING) USING delta")
    spark.sql("INSERT INTO customers VALUES (1, 'Ada', 'UK', 'ada@example.org'), (2, 'Bo', 'SE', 'bo@example.org')")
    spark.sql("CREATE TABLE returned (order_id BIGINT, amount DOUBLE) USING delta")
    spark.sql("INSERT INTO returned VALUES (2, 5.5)")
    spark.sql("CREATE TABLE people (id BIGINT, address STRUCT<city: STRING, zip: STRING>) USING delta")
    spark.sql("INSERT INTO people VALUES (1, named_struct('city', 'Lund', 'zip', '22100'))")
    orders = spark.table("orders").drop("items")
    orders.coalesce(1).write.csv(f"{root}/raw/orders_csv", header=True)
    orders.write.json(f"{root}/raw/orders_json")
    orders.write.partitionBy("status").parquet(f"{root}/raw/orders_parquet")


QUERIES: dict[str, Case] = {
    "project": query("SELECT order_id, amount * 2 AS double_amount, status AS state, upper(status) AS loud FROM orders"),
    "filter": query("SELECT order_id FROM orders WHERE status = 'paid'"),
    "join_inner": query("SELECT o.order_id, c.name FROM orders o JOIN customers c ON o.customer_id = c.customer_id"),
    "join_left_using": query("SELECT customer_id, name, amount FROM customers LEFT JOIN orders USING (customer_id)"),
    "join_full_using": query("SELECT customer_id, amount FROM customers FULL JOIN orders USING (customer_id)"),
    "join_semi": query("SELECT name FROM customers c LEFT SEMI JOIN orders o ON c.customer_id = o.customer_id"),
    "join_anti": query("SELECT name FROM customers c LEFT ANTI JOIN orders o ON c.customer_id = o.customer_id"),
    "join_cross": query("SELECT o.order_id, c.name FROM orders o CROSS JOIN customers c"),
    "join_self": query("SELECT a.order_id, b.amount FROM orders a JOIN orders b ON a.order_id = b.customer_id"),
    "aggregate": query("SELECT customer_id, sum(amount) AS total, max(amount) + 1 AS top FROM orders GROUP BY customer_id"),
    "aggregate_filter_clause": query("SELECT sum(amount) FILTER (WHERE status = 'paid') AS paid FROM orders"),
    "having": query("SELECT customer_id FROM orders GROUP BY customer_id HAVING sum(amount) > 5"),
    "count": query("SELECT status, count(*) AS n, count(order_id) AS orders, count(DISTINCT customer_id) AS buyers FROM orders GROUP BY status"),
    "rollup": query("SELECT customer_id, status, sum(amount) AS total FROM orders GROUP BY ROLLUP (customer_id, status)"),
    "distinct": query("SELECT DISTINCT status FROM orders"),
    "drop_duplicates": frame(lambda spark, root: spark.table("orders").select("order_id", "status").dropDuplicates(["status"])),
    "window": query("SELECT order_id, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_on) AS n, sum(amount) OVER (PARTITION BY status) AS total, lag(amount) OVER (ORDER BY order_id) AS before FROM orders"),
    "union": query("SELECT order_id, amount FROM orders UNION ALL SELECT order_id, -amount FROM returned"),
    "union_by_name": frame(lambda spark, root: spark.table("returned").unionByName(spark.table("orders").select("amount", "order_id"))),
    "intersect": query("SELECT order_id FROM orders INTERSECT SELECT order_id FROM returned"),
    "except": query("SELECT order_id FROM orders EXCEPT SELECT order_id FROM returned"),
    "sort_limit": query("SELECT order_id FROM orders ORDER BY amount DESC LIMIT 10"),
    "sort_final": query("SELECT order_id FROM orders ORDER BY amount"),
    "sort_first": query("SELECT first(status) AS state FROM (SELECT * FROM orders ORDER BY ordered_on)"),
    "struct_whole": query("SELECT id, address FROM people"),
    "nullif_nvl2": query("SELECT nullif(status, 'open') AS closed, nvl2(status, amount, 0) AS known FROM orders"),
    "explode": query("SELECT order_id, item FROM orders LATERAL VIEW explode(items) AS item"),
    "unpivot": query("SELECT * FROM (SELECT order_id, amount, order_id * 1.0D AS weight FROM orders) UNPIVOT (value FOR kind IN (amount, weight))"),
    "pivot": query("SELECT * FROM (SELECT customer_id, status, amount FROM orders) PIVOT (sum(amount) FOR status IN ('paid', 'open'))"),
    "hint_repartition": query("SELECT /*+ REPARTITION(2) */ order_id FROM orders"),
    "sample": query("SELECT order_id FROM orders TABLESAMPLE (50 PERCENT)"),
    "cte": query("WITH paid AS (SELECT customer_id, amount FROM orders WHERE status = 'paid') SELECT a.amount AS first, b.amount AS second FROM paid a JOIN paid b ON a.customer_id = b.customer_id"),
    "cte_recursive": query("WITH RECURSIVE r(n, amount) AS (SELECT order_id, amount FROM orders UNION ALL SELECT n + 1, amount FROM r WHERE n < 5) SELECT n, amount FROM r"),
    "view_temporary": Case(
        lambda spark, root: save(spark.sql("SELECT order_id FROM paid_orders"), root),
        lambda spark, root: spark.sql("CREATE OR REPLACE TEMP VIEW paid_orders AS SELECT order_id, status FROM orders WHERE status = 'paid'"),
    ),
    "view_catalog": Case(
        lambda spark, root: save(spark.sql("SELECT buyer FROM buyers"), root),
        lambda spark, root: spark.sql("CREATE OR REPLACE VIEW buyers (buyer) AS SELECT name FROM customers"),
    ),
    "subquery_scalar": query("SELECT order_id, amount - (SELECT avg(amount) FROM returned) AS excess FROM orders"),
    "subquery_correlated": query("SELECT name, (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.customer_id) AS top FROM customers c"),
    "subquery_exists": query("SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id AND o.amount > 5)"),
    "subquery_in": query("SELECT order_id FROM orders WHERE customer_id IN (SELECT customer_id FROM customers WHERE country = 'UK')"),
    "subquery_not_in": query("SELECT order_id FROM orders WHERE order_id NOT IN (SELECT order_id FROM returned)"),
    "lateral_join": query("SELECT c.name, l.amount, l.label FROM customers c, LATERAL (SELECT o.amount, concat(c.country, o.status) AS label FROM orders o WHERE o.customer_id = c.customer_id) l"),
    "case_when": query("SELECT CASE WHEN status = 'paid' THEN amount ELSE 0 END AS paid, if(amount > 5, 'big', status) AS size, coalesce(status, 'none') AS state FROM orders"),
    "masking": query("SELECT sha2(email, 256) AS hashed, md5(email) AS digest, concat(md5(email), email) AS both, crc32(name) AS sum, xxhash64(name, country) AS key FROM customers"),
    "generated": query("SELECT order_id, rand() AS r, uuid() AS u, current_date() AS today, current_timestamp() AS now FROM orders"),
    "literal": query("SELECT order_id, 1 AS one, 'x' || 'y' AS text, CAST(NULL AS STRING) AS nothing FROM orders"),
    "one_row": query("SELECT 1 AS one, current_date() AS today"),
    "values": query("SELECT id, name FROM VALUES (1, 'a'), (2, 'b') AS t(id, name)"),
    "range": query("SELECT id, id * 2 AS twice FROM range(10)"),
    "struct": query("SELECT id, address.city AS city, named_struct('town', address.city, 'id', id) AS place FROM people"),
    "array_function": query("SELECT order_id, transform(items, x -> concat(x, status)) AS marked FROM orders"),
    "python_udf": frame(lambda spark, root: _with_udf(spark)),
    "map_in_pandas": frame(lambda spark, root: spark.table("returned").mapInPandas(lambda batches: batches, "order_id BIGINT, amount DOUBLE")),
    "rdd": frame(lambda spark, root: spark.createDataFrame(spark.table("returned").rdd.map(tuple), "order_id BIGINT, amount DOUBLE")),
    "cached": frame(lambda spark, root: spark.table("orders").where("amount > 0").select("order_id").cache()),
    "time_travel": query("SELECT n.order_id, o.amount FROM orders n JOIN orders VERSION AS OF 0 o ON n.order_id = o.order_id"),
    "with_columns": frame(lambda spark, root: _chain(spark)),
}  # fmt: skip

READS: dict[str, Case] = {
    "read_csv_file": frame(lambda spark, root: spark.read.csv(_only_csv(root), header=True, schema="order_id BIGINT, customer_id BIGINT").select("order_id")),
    "read_csv_glob": frame(lambda spark, root: spark.read.csv(f"{root}/raw/orders_csv/*.csv", header=True, schema="order_id BIGINT, customer_id BIGINT").select("order_id")),
    "read_json": frame(lambda spark, root: spark.read.json(f"{root}/raw/orders_json").select("amount")),
    "read_parquet_partitioned": frame(lambda spark, root: spark.read.parquet(f"{root}/raw/orders_parquet").where("status = 'paid'").select("order_id", "status")),
    "read_parquet_partition": frame(lambda spark, root: spark.read.parquet(f"{root}/raw/orders_parquet/status=paid").select("order_id")),
    "collect": Case(lambda spark, root: spark.table("customers").select("name").collect()),
    "count_action": Case(lambda spark, root: spark.table("customers").count()),
}  # fmt: skip

WRITES: dict[str, Case] = {
    "write_parquet": Case(lambda spark, root: spark.table("returned").write.mode("overwrite").partitionBy("order_id").parquet(f"{root}/files/returned")),
    "write_parquet_table": Case(lambda spark, root: spark.table("returned").write.format("parquet").saveAsTable("returned_parquet"), lambda spark, root: spark.sql("DROP TABLE IF EXISTS returned_parquet")),
    "ctas_parquet": statement("CREATE TABLE c_parquet USING parquet AS SELECT order_id FROM returned", "DROP TABLE IF EXISTS c_parquet"),
    "insert_parquet": statement("INSERT INTO p_totals SELECT customer_id, amount FROM orders", *target("p_totals", TOTALS, "parquet")),
    "write_delta_append": Case(lambda spark, root: spark.table("returned").write.format("delta").mode("append").save(f"{root}/appended")),
    "write_delta_replace_where": Case(
        lambda spark, root: spark.table("returned").where("order_id = 2").write.format("delta").mode("overwrite").option("replaceWhere", "order_id = 2").save(f"{root}/replaced"),
        lambda spark, root: spark.table("returned").write.format("delta").mode("overwrite").save(f"{root}/replaced"),
    ),
    "ctas": statement("CREATE TABLE totals_new USING delta AS SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id", "DROP TABLE IF EXISTS totals_new"),
    "ctas_column_case": statement("CREATE TABLE totals_case USING delta AS SELECT CUSTOMER_ID, Amount FROM orders", "DROP TABLE IF EXISTS totals_case"),
    "write_column_case": frame(lambda spark, root: spark.table("orders").select("CUSTOMER_ID", "Amount")),
    "pipe": query("FROM orders |> WHERE amount > 1 |> EXTEND amount * 2 AS twice |> AGGREGATE sum(twice) AS total GROUP BY status"),
    "clone": statement("CREATE TABLE totals_clone SHALLOW CLONE totals", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)", "DROP TABLE IF EXISTS totals_clone"),
    "truncate": statement("TRUNCATE TABLE totals", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)"),
    "table_properties": statement("ALTER TABLE totals SET TBLPROPERTIES ('a' = 'b')", *target("totals", TOTALS)),
    "rtas": statement("CREATE OR REPLACE TABLE totals USING delta AS SELECT customer_id, amount AS total FROM orders", *target("totals", TOTALS)),
    "save_as_table": Case(lambda spark, root: spark.table("returned").write.format("delta").saveAsTable("r2"), lambda spark, root: spark.sql("DROP TABLE IF EXISTS r2")),
    "save_as_table_append": Case(lambda spark, root: spark.table("returned").write.format("delta").mode("append").saveAsTable("r3"), lambda spark, root: [spark.sql(one) for one in target("r3", "order_id BIGINT, amount DOUBLE")]),
    "insert_into": Case(lambda spark, root: spark.sql("SELECT customer_id, amount FROM orders").write.insertInto("totals"), lambda spark, root: [spark.sql(one) for one in target("totals", TOTALS)]),
    "insert_columns": statement("INSERT INTO totals (total, customer_id) SELECT amount, order_id FROM returned", *target("totals", TOTALS)),
    "insert_overwrite": statement("INSERT OVERWRITE totals SELECT customer_id, amount FROM orders", *target("totals", TOTALS)),
    "write_to_append": Case(lambda spark, root: spark.sql("SELECT amount AS total, customer_id FROM orders").writeTo("totals").append(), lambda spark, root: [spark.sql(one) for one in target("totals", TOTALS)]),
    "overwrite_partitions": Case(lambda spark, root: spark.sql("SELECT customer_id, amount AS total FROM orders").writeTo("totals").overwritePartitions(), lambda spark, root: [spark.sql(one) for one in target("totals", TOTALS)]),
    "multi_insert": statement("FROM orders INSERT INTO totals SELECT customer_id, amount INSERT INTO counts SELECT status WHERE amount > 1", *target("totals", TOTALS), *target("counts", "status STRING")),
    "merge": statement(
        "MERGE INTO totals t USING (SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id) s ON t.customer_id = s.customer_id "
        "WHEN MATCHED AND s.total > t.total THEN UPDATE SET total = s.total + 1 WHEN NOT MATCHED THEN INSERT *",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0), (9, 9.0)",
    ),
    "merge_insert_only": statement(
        "MERGE INTO totals t USING orders s ON t.customer_id = s.order_id WHEN NOT MATCHED THEN INSERT (customer_id, total) VALUES (s.order_id, s.amount)",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)",
    ),
    "merge_delete": statement(
        "MERGE INTO totals t USING returned s ON t.customer_id = s.order_id WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY SOURCE THEN UPDATE SET total = 0",
        *target("totals", TOTALS), "INSERT INTO totals VALUES (2, 1.0), (9, 9.0)",
    ),
    "update": statement("UPDATE totals SET total = total * 2 WHERE customer_id = 1", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0), (9, 9.0)"),
    "update_all": statement("UPDATE totals SET total = 0", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)"),
    "update_nothing": statement("UPDATE totals SET total = total * 2 WHERE customer_id = 77", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)"),
    "delete": statement("DELETE FROM totals WHERE total < 5", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0), (9, 9.0)"),
    "stream": Case(
        lambda spark, root: _stream(spark, root),
        picks=lambda document: is_write(document),
    ),
    "stream_restarted": Case(lambda spark, root: _stream_of_files(spark, root, 2), lambda spark, root: _stream_of_files(spark, root, 1), picks=lambda document: bool(document.get("stream"))),
    "stream_console": Case(lambda spark, root: _stream_to_console(spark), picks=lambda document: bool(document.get("stream"))),
    "stream_rate": Case(lambda spark, root: _stream_of_numbers(spark, root), picks=lambda document: is_write(document) and document["stream"]["batch_id"] == 1),
    "foreach_batch_several": Case(lambda spark, root: _foreach_batch_several(spark, root), lambda spark, root: [spark.sql(one) for one in target("totals", TOTALS)], picks=is_write),
    "checkpointed": frame(lambda spark, root: spark.sql("SELECT order_id, amount * 2 AS twice FROM orders WHERE status = 'paid'").localCheckpoint()),
    "checkpointed_twice": frame(lambda spark, root: spark.sql("SELECT order_id, amount FROM orders").localCheckpoint().where("amount > 5").localCheckpoint()),
    "rdd_of_files": frame(lambda spark, root: _rows_of_files(spark, root)),
    "local_rows": frame(lambda spark, root: spark.createDataFrame([(1, 2.0)], "order_id BIGINT, amount DOUBLE")),
    "arrow_rows": frame(lambda spark, root: _arrow_rows(spark)),
    "foreach_batch": Case(lambda spark, root: _foreach_batch(spark, root), picks=lambda document: is_write(document)),
    "restore": statement("RESTORE TABLE totals TO VERSION AS OF 1", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)", "DELETE FROM totals"),
    "rename_table": statement("ALTER TABLE totals_before RENAME TO totals_after", "DROP TABLE IF EXISTS totals_after", *target("totals_before", TOTALS)),
    "convert": statement("CONVERT TO DELTA parquet.`{root}/raw/orders_converted`", "INSERT OVERWRITE DIRECTORY '{root}/raw/orders_converted' USING parquet SELECT order_id, amount FROM orders", picks=is_write),
    "replace_where_table": statement("INSERT INTO totals REPLACE WHERE customer_id = 1 SELECT customer_id, amount FROM orders WHERE customer_id = 1", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0), (2, 2.0)", picks=is_write),
    "automatic_compaction": Case(
        lambda spark, root: _compacted(spark, root), lambda spark, root: None, picks=is_write
    ),
    "optimize": statement("OPTIMIZE totals", *target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0)", "INSERT INTO totals VALUES (2, 1.0)", picks=is_write),
    "create_view": statement("CREATE OR REPLACE TEMP VIEW v AS SELECT order_id FROM returned"),
    "failed": Case(lambda spark, root: _fails(spark, root)),
}  # fmt: skip

MODELS: dict[str, Case] = {
    "model_save_metadata": Case(lambda spark, root: _save_model(spark, root, 1), picks=lambda document: "/metadata" in _first_path(document) and "/stages/" not in _first_path(document)),
    "model_save_stage": Case(lambda spark, root: _save_model(spark, root, 2), picks=lambda document: "/stages/" in _first_path(document) and "/data" in _first_path(document)),
    "model_load": Case(lambda spark, root: _load_model(root), picks=lambda document: bool(document["scans"])),
    "model_score": frame(lambda spark, root: _load_model(root).transform(spark.table("orders")).select("order_id", "prediction")),
    "model_fit": Case(lambda spark, root: _fit(spark, True), picks=lambda document: ".LinearRegression." in (document["call_site"] or "\n").split("\n")[1]),
    "model_features": frame(lambda spark, root: _fit(spark, False).transform(spark.table("orders")).select("order_id", "features")),
    "model_unsaved": frame(lambda spark, root: _fit(spark, False).transform(spark.table("customers").selectExpr("name", "1L AS order_id", "customer_id")).select("name", "prediction")),
    "declared_training": Case(lambda spark, root: _declared_training(spark, root).toPandas()),
    "declared_scores": frame(lambda spark, root: _declared_scores(spark, root)),
    "data_folder": Case(lambda spark, root: spark.table("returned").write.mode("overwrite").parquet(f"{root}/files/data")),
    "metadata_folder": Case(lambda spark, root: spark.sql("SELECT status FROM orders").write.mode("overwrite").text(f"{root}/files/metadata")),
}  # fmt: skip

KAFKA: dict[str, Case] = {
    "kafka_write": Case(lambda spark, root: _to_kafka(spark.sql("SELECT CAST(order_id AS STRING) AS key, status AS value FROM orders")).option("topic", "orders").save()),
    "kafka_write_topics": Case(lambda spark, root: _to_kafka(spark.sql("SELECT status AS topic, name AS value FROM orders JOIN customers USING (customer_id)")).save()),
    "kafka_read": Case(lambda spark, root: save(_from_kafka(spark.read, "orders").selectExpr("CAST(value AS STRING) AS status", "offset"), root), picks=is_write),
    "kafka_stream": Case(
        lambda spark, root: _kafka_stream(_from_kafka(spark.readStream, "orders,paid").selectExpr("topic", "CAST(value AS STRING) AS status"), root, "delta"),
        lambda spark, root: _to_kafka(spark.sql("SELECT 'paid' AS topic, 'x' AS value")).save(),
        picks=lambda document: bool(document.get("stream")),
    ),
    "kafka_to_kafka": Case(
        lambda spark, root: _kafka_stream(_from_kafka(spark.readStream, None).selectExpr("key", "upper(CAST(value AS STRING)) AS value"), root, "kafka"),
        picks=lambda document: bool(document.get("stream")),
    ),
}  # fmt: skip
"""Captured with a broker at `KAFKA_BROKER`, and Spark's Kafka jars in the folder `KAFKA_JARS`."""

RARER = {
    "functions_short": query(
        "SELECT nvl(status, 'none') AS state, nvl2(status, amount, 0.0) AS known, nullif(amount, customer_id) AS other, try_add(amount, order_id) AS sum, "
        "elt(order_id, status, 'x', 'y') AS nth, typeof(amount) AS type, +amount AS same, amount BETWEEN 1 AND customer_id AS between FROM orders"
    ),
    "functions_compared": query(
        "SELECT max(struct(ordered_on, amount)).amount AS last_amount, count_if(amount > 5) AS big, collect_set(status) AS states FROM orders"
    ),
    "functions_masking": query("SELECT mask(email) AS masked, mask(email, NULL) AS shown, approx_count_distinct(email) OVER () AS n FROM customers"),
    "values_now": query("SELECT day, name FROM VALUES (current_date(), 'a'), (current_date(), 'b') AS t(day, name)"),
    "sql_scalar_function": Case(
        lambda spark, root: save(spark.sql("SELECT order_id, with_tax(amount) AS gross FROM orders"), root),
        lambda spark, root: spark.sql("CREATE OR REPLACE TEMPORARY FUNCTION with_tax(net DOUBLE) RETURNS DOUBLE RETURN net * 1.25"),
        picks=is_write,
    ),
    "command_result": frame(lambda spark, root: spark.sql("SHOW TABLES").select("tableName")),
    "transpose": frame(lambda spark, root: spark.table("returned").selectExpr("CAST(order_id AS STRING) AS k", "amount").transpose()),
    "as_of_join": frame(
        lambda spark, root: _as_of(spark).select("order_id", "nearest"),
    ),
    "rows_kept": frame(lambda spark, root: _rows_kept(spark)),
    "numbered": frame(lambda spark, root: _numbered(spark)),
    "replace_using": Case(
        lambda spark, root: spark.sql("SELECT customer_id, amount FROM orders").write.format("delta").mode("overwrite").option("replaceUsing", "customer_id").insertInto("totals"),
        lambda spark, root: [spark.sql(one) for one in (*target("totals", TOTALS), "INSERT INTO totals VALUES (1, 1.0), (2, 2.0)")],
        picks=is_write,
    ),
    "stream_deduplicated": Case(lambda spark, root: _stream_deduplicated(spark, root), picks=lambda document: is_write(document) and document["stream"]["batch_id"] == 0),
    "stream_without_rows": Case(lambda spark, root: _stream_deduplicated(spark, root, "again"), picks=lambda document: bool(document.get("stream")) and document["stream"]["batch_id"] == 1),
}  # fmt: skip
"""Nodes and expressions that few queries have."""

CASES: dict[str, Case] = {**QUERIES, **RARER, **READS, **WRITES, **MORE_WRITES, **MODELS, **KAFKA, **FUNCTIONS, **NESTED, **SQL}


def _broker() -> str:
    import os

    return os.environ.get("KAFKA_BROKER", "127.0.0.1:9092")


def _to_kafka(frame: Any) -> Any:
    return frame.write.format("kafka").option("kafka.bootstrap.servers", _broker())


def _from_kafka(reader: Any, topics: str | None) -> Any:
    """The topics from their beginning; None: by a pattern that `orders` matches."""
    source = reader.format("kafka").option("kafka.bootstrap.servers", _broker()).option("startingOffsets", "earliest")
    asked = source.option("subscribe", topics) if topics else source.option("subscribePattern", "ord.*")
    return asked.load()


def _kafka_stream(rows: Any, root: str, sink: str) -> None:
    writer = (
        rows.writeStream.format(sink).option("checkpointLocation", f"{root}/checkpoint_kafka_{sink}").trigger(availableNow=True)
    )
    if sink == "kafka":
        writer.option("kafka.bootstrap.servers", _broker()).option("topic", "loud").start().awaitTermination()
    else:
        writer.start(f"{root}/from_kafka").awaitTermination()


def _compacted(spark: Any, root: str) -> None:
    spark.conf.set("spark.databricks.delta.autoCompact.enabled", "true")
    spark.conf.set("spark.databricks.delta.autoCompact.minNumFiles", "2")
    spark.table("orders").select("order_id").repartition(3).write.format("delta").save(f"{root}/compacted")
    spark.conf.unset("spark.databricks.delta.autoCompact.enabled")
    spark.conf.unset("spark.databricks.delta.autoCompact.minNumFiles")


def _with_udf(spark: Any) -> Any:
    from pyspark.sql import functions as sf

    shout = sf.udf(lambda text: text.upper(), "string")
    return spark.table("orders").select("order_id", shout("status").alias("loud"))


def _chain(spark: Any) -> Any:
    from pyspark.sql import functions as sf

    return (
        spark.table("returned")
        .withColumn("a", sf.col("amount") + 1)
        .withColumn("b", sf.col("a") * 2)
        .withColumn("a", sf.lit(0))
        .drop("amount")
    )


def _only_csv(root: str) -> str:
    from pathlib import Path

    source = next(Path(root, "raw", "orders_csv").glob("*.csv"))
    return str(source.replace(source.with_name("one.csv")) if source.name != "one.csv" else source)


def _stream(spark: Any, root: str) -> None:
    rows = spark.readStream.table("returned").selectExpr("order_id", "amount + 1 AS more")
    rows.writeStream.format("delta").option("checkpointLocation", f"{root}/checkpoint").trigger(availableNow=True).start(
        f"{root}/streamed"
    ).awaitTermination()


def _foreach_batch(spark: Any, root: str) -> None:
    def write(batch: Any, number: int) -> None:
        batch.groupBy("order_id").sum("more").withColumnRenamed("sum(more)", "total").write.format("delta").mode("append").save(
            f"{root}/batches"
        )

    rows = spark.readStream.table("returned").selectExpr("order_id", "amount + 1 AS more")
    rows.writeStream.foreachBatch(write).option("checkpointLocation", f"{root}/checkpoint2").trigger(
        availableNow=True
    ).start().awaitTermination()


def _stream_of_files(spark: Any, root: str, number: int) -> None:
    """Two files that are no part files; the batch after a restart reads the second alone."""
    from pathlib import Path

    folder = Path(root, "raw", "events")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"day{number}.csv").write_text(f"{number},{number}.5\n")
    rows = spark.readStream.schema("order_id BIGINT, amount DOUBLE").csv(str(folder))
    rows.writeStream.queryName("events").format("parquet").option("checkpointLocation", f"{root}/checkpoint_events").trigger(
        availableNow=True
    ).start(f"{root}/events").awaitTermination()


def _stream_to_console(spark: Any) -> None:
    rows = spark.readStream.table("returned").groupBy("order_id").count()
    rows.writeStream.format("console").outputMode("complete").trigger(availableNow=True).start().awaitTermination()


def _stream_of_numbers(spark: Any, root: str) -> None:
    rows = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 3).option("numPartitions", 1).load()
    query = rows.writeStream.format("delta").option("checkpointLocation", f"{root}/checkpoint_rate").start(f"{root}/numbers")
    while (query.lastProgress or {"batchId": 0})["batchId"] < 2:
        query.awaitTermination(0.2)
    query.stop()


def _foreach_batch_several(spark: Any, root: str) -> None:
    """A batch that goes to files, to a Delta table by MERGE, and is joined with a table at rest."""

    def write(batch: Any, number: int) -> None:
        batch.persist()
        batch.select("order_id").write.mode("append").parquet(f"{root}/batch_files")
        batch.createOrReplaceTempView("batch")
        batch.sparkSession.sql(
            "MERGE INTO totals t USING (SELECT o.customer_id, b.amount AS total FROM batch b JOIN orders o ON o.order_id = b.order_id) s "
            "ON t.customer_id = s.customer_id WHEN MATCHED THEN UPDATE SET total = s.total WHEN NOT MATCHED THEN INSERT *"
        )
        batch.unpersist()

    rows = spark.readStream.table("returned")
    rows.writeStream.foreachBatch(write).option("checkpointLocation", f"{root}/checkpoint3").trigger(
        availableNow=True
    ).start().awaitTermination()


def _arrow_rows(spark: Any) -> Any:
    """Arrow's way puts the rows into the plan, as VALUES does."""
    import pyarrow as pa

    rows = spark.createDataFrame(pa.table({"order_id": [1], "amount": [2.0]}))
    return rows.crossJoin(spark.sql("SELECT * FROM VALUES (1, 'a') AS t(number, letter)"))


def _rows_of_files(spark: Any, root: str) -> Any:
    """Rows of RDDs over text files and a Delta table, united."""
    lines = spark.sparkContext.textFile(f"{root}/raw/orders_json").map(lambda line: (len(line), 1.0))
    rows = lines.union(spark.table("returned").rdd.map(tuple))
    return spark.createDataFrame(rows, "order_id BIGINT, amount DOUBLE")


def _fails(spark: Any, root: str) -> None:
    import contextlib

    with contextlib.suppress(Exception):
        spark.sql("SELECT order_id, CAST(status AS INT) AS n FROM orders").write.format("delta").save(f"{root}/never")


def _fit(spark: Any, some: bool) -> Any:
    """A pipeline over two columns and a label; `some`: over some of the rows."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import LinearRegression

    stages = [
        VectorAssembler(inputCols=["order_id", "customer_id"], outputCol="features"),
        LinearRegression(labelCol="amount", maxIter=1),
    ]
    orders = spark.table("orders")
    return Pipeline(stages=stages).fit(orders.where("status = 'paid'") if some else orders)


def _save_model(spark: Any, root: str, version: int) -> None:
    _fit(spark, False).save(f"{root}/models/price/version={version}")


def _load_model(root: str) -> Any:
    from pyspark.ml import PipelineModel

    return PipelineModel.load(f"{root}/models/price/version=1")


def _first_path(document: dict[str, Any]) -> str:
    return str(next((write["path"] for write in document["writes"]), ""))


def _declared_training(spark: Any, root: str) -> Any:
    import spark_lineage

    rows = spark.table("orders").where("status = 'paid'").select("order_id", "customer_id", "amount")
    return spark_lineage.trained(rows, model=f"{root}/models/price.pkl", columns=["customer_id", "amount"])


def _declared_scores(spark: Any, root: str) -> Any:
    from pyspark.sql import functions as sf

    import spark_lineage

    price = sf.udf(lambda customer: 2.0 * customer, "double")
    rows = spark.table("orders").select("order_id", price("customer_id").alias("price"))
    return spark_lineage.scored(rows, model=f"{root}/models/price.pkl", columns=["price"]).withColumn(
        "twice", sf.col("price") * 2
    )


def _as_of(spark: Any) -> Any:
    """pandas on Spark's merge_asof, as it asks the JVM for it."""
    from pyspark.sql import functions

    orders = spark.table("orders").select("order_id", "customer_id", "ordered_on").alias("o")
    returned = spark.table("returned").selectExpr("order_id AS other", "amount AS nearest").alias("r")
    return orders._joinAsOf(  # type: ignore[attr-defined]
        returned,
        leftAsOfColumn=functions.col("o.order_id"),
        rightAsOfColumn=functions.col("r.other"),
        on=functions.expr("o.customer_id > 0"),
    )


def _rows_kept(spark: Any) -> Any:
    from pyspark.sql import Observation, functions

    orders = spark.table("orders").select("order_id", "amount", "status")
    observed = orders.observe(Observation("seen"), functions.count("*").alias("rows"))
    return observed.repartition("status").hint("rebalance").sort("amount").offset(1).drop("status")


def _numbered(spark: Any) -> Any:
    from pyspark.sql import DataFrame

    orders = spark.table("orders").select("order_id", "amount")
    return DataFrame(orders._jdf.withSequenceColumn("row"), spark)


def _stream_deduplicated(spark: Any, root: str, name: str = "deduplicated") -> None:
    orders = spark.readStream.table("orders").selectExpr("order_id", "status", "CAST(ordered_on AS TIMESTAMP) AS at")
    distinct = orders.withWatermark("at", "1 day").dropDuplicatesWithinWatermark(["order_id"])
    writer = distinct.writeStream.format("delta").option("checkpointLocation", f"{root}/checkpoints/{name}")
    query = writer.trigger(availableNow=True).start(f"{root}/{name}")
    assert query.awaitTermination(120)
