"""Cases of SQL's own functions, variables, scripts, parameters and table functions."""

from __future__ import annotations

from typing import Any

from .case import Case, is_write, save, target


def _sql(text: str, *before: str, **arguments: Any) -> Case:
    """A query with parameters, after some statements."""

    def ready(spark: Any, root: str) -> None:
        # Delta's parser knows no parameters but those that are bound after it, as Spark 4.0 does.
        spark.conf.set("spark.sql.legacy.parameterSubstitution.constantsOnly", "true")
        for one in before:
            spark.sql(one)

    return Case(
        lambda spark, root: save(spark.sql(text, **arguments), root),
        ready,
        picks=is_write,
    )


def _script(spark: Any, root: str) -> None:
    spark.conf.set("spark.sql.scripting.enabled", "true")
    spark.sql(
        "BEGIN DECLARE least DOUBLE DEFAULT 1; SET least = (SELECT avg(amount) FROM returned); "
        "IF least > 0 THEN INSERT INTO totals SELECT customer_id, amount - least FROM orders; END IF; END"
    )


TOTALS = "customer_id BIGINT, total DOUBLE"

SQL: dict[str, Case] = {
    "sql_function": _sql(
        "SELECT order_id, vat(amount) AS tax, plus(vat(amount), 1) AS more FROM orders WHERE vat(amount) > 1",
        "CREATE OR REPLACE FUNCTION vat(x DOUBLE) RETURNS DOUBLE RETURN x * 0.25",
        "CREATE OR REPLACE FUNCTION plus(a DOUBLE, b DOUBLE DEFAULT 2) RETURNS DOUBLE RETURN a + b",
    ),
    "sql_function_query": _sql(
        "SELECT order_id, name_of(customer_id) AS name FROM orders",
        "CREATE OR REPLACE FUNCTION name_of(id BIGINT) RETURNS STRING RETURN SELECT max(name) FROM customers WHERE customer_id = id",
    ),
    "sql_function_aggregated": _sql(
        "SELECT vat(sum(amount)) AS tax, sum(vat(amount)) AS taxes FROM orders GROUP BY status",
        "CREATE OR REPLACE TEMPORARY FUNCTION vat(x DOUBLE) RETURNS DOUBLE RETURN x * 0.25",
    ),
    "sql_table_function": _sql(
        "SELECT number, amount FROM paid_since(DATE'2026-01-01')",
        "CREATE OR REPLACE FUNCTION paid_since(since DATE) RETURNS TABLE (number BIGINT, amount DOUBLE) "
        "RETURN SELECT order_id, amount FROM orders WHERE ordered_on >= since AND status = 'paid'",
    ),
    "sql_table_function_lateral": _sql(
        "SELECT c.name, o.amount FROM customers c, LATERAL orders_of(c.customer_id, country => c.country) o",
        "CREATE OR REPLACE FUNCTION orders_of(id BIGINT, country STRING) RETURNS TABLE (amount DOUBLE, label STRING) "
        "RETURN SELECT amount, country FROM orders WHERE customer_id = id",
    ),
    "limit_variable": _sql("SELECT order_id FROM returned LIMIT least", "DECLARE OR REPLACE VARIABLE least INT DEFAULT 1"),
    "union_sorted": _sql(
        "SELECT order_id FROM ((SELECT order_id FROM orders ORDER BY amount) UNION ALL (SELECT order_id FROM returned ORDER BY amount)) LIMIT 9",
    ),
    "window_sorted": _sql("SELECT order_id, row_number() OVER (ORDER BY 1) AS n FROM (SELECT * FROM orders ORDER BY amount)"),
    "distributed": _sql("SELECT order_id, spark_partition_id() AS place FROM (SELECT * FROM orders DISTRIBUTE BY status)"),
    "variable": _sql(
        "SELECT order_id, amount - least AS excess FROM returned WHERE amount > least",
        "DECLARE OR REPLACE VARIABLE least DOUBLE DEFAULT 5",
        "SET VAR least = (SELECT avg(amount) FROM orders)",
    ),
    "script": Case(_script, lambda spark, root: [spark.sql(one) for one in target("totals", TOTALS)], picks=is_write),
    "parameters_named": _sql(
        "SELECT order_id, amount * :factor AS more FROM orders WHERE status = :status", args={"factor": 2, "status": "paid"}
    ),
    "parameters_positional": _sql("SELECT order_id, amount * ? AS more FROM orders WHERE status = ?", args=[2, "paid"]),
    "identifier": _sql(
        "SELECT IDENTIFIER(:column) AS chosen FROM IDENTIFIER(:name)", args={"column": "amount", "name": "orders"}
    ),
    "named_arguments": _sql("SELECT mask(lowerChar => 'q', str => email) AS hidden FROM customers"),
    "table_range": _sql("SELECT r.id, o.amount FROM range(3) r JOIN orders o ON o.order_id = r.id"),
    "table_explode": _sql("SELECT o.order_id, i.item FROM orders o, LATERAL explode(o.items) AS i(item)"),
    "table_stack": _sql(
        "SELECT s.kind, s.value FROM orders o, LATERAL stack(2, 'amount', o.amount, o.status, o.order_id * 1D) AS s(kind, value)"
    ),
    "table_json_tuple": _sql("SELECT j.a, j.b FROM customers c, LATERAL json_tuple(c.name, 'a', 'b') AS j(a, b)"),
    "generate_stack": _sql("SELECT stack(2, amount, status, order_id * 1D, 'x') AS (value, label) FROM orders"),
}
