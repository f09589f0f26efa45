"""Runs queries of many shapes under capture, as a process of its own, and notes what each gave.

``python corpus.py SETTINGS.json WORK [NAME ...]``: documents go to WORK/inbox, the rows by name to WORK/expected.json. At
the end the tables are changed, so that only their recorded versions give these rows again.

(No postponed annotations here: pandas_udf reads those of the functions below.)
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests.plans import case as kinds  # noqa: E402
from tests.plans import cases  # noqa: E402

Make = Callable[[Any, str], Any]


def sql(text: str) -> Make:
    return lambda spark, root: spark.sql(text.format(root=root))


MORE: dict[str, Make] = {
    "exists_in_having": sql(
        "SELECT customer_id, sum(amount) AS total FROM orders o GROUP BY customer_id HAVING sum(amount) > (SELECT avg(amount) FROM returned) "
        "AND EXISTS (SELECT 1 FROM customers c WHERE c.customer_id = o.customer_id)"
    ),
    "in_two_columns": sql("SELECT order_id FROM orders WHERE (order_id, amount) IN (SELECT order_id, amount FROM returned)"),
    "subquery_in_subquery": sql(
        "SELECT name FROM customers c WHERE customer_id IN (SELECT customer_id FROM orders o WHERE amount > (SELECT min(amount) FROM orders i WHERE i.customer_id = o.customer_id))"
    ),
    "lateral_aggregate": sql(
        "SELECT c.name, l.n FROM customers c JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.customer_id) l ON true"
    ),
    "cte_used_by_subqueries": sql(
        "WITH t AS (SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id) SELECT * FROM t WHERE total = (SELECT max(total) FROM t) OR customer_id IN (SELECT customer_id FROM t WHERE total < 8)"
    ),
    "cube_and_grouping": sql(
        "SELECT customer_id, status, grouping_id() AS g, count(*) AS n FROM orders GROUP BY CUBE (customer_id, status)"
    ),
    "window_range": sql(
        "SELECT order_id, sum(amount) OVER (ORDER BY ordered_on RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW) AS s, percent_rank() OVER (ORDER BY amount) AS p FROM orders"
    ),
    "nested_lambdas": sql(
        "SELECT order_id, aggregate(items, 0, (a, x) -> a + length(x)) AS n, filter(items, (x, i) -> i > 0) AS rest, map_from_arrays(items, transform(items, x -> upper(x))) AS m FROM orders"
    ),
    "literals_of_all_kinds": sql(
        "SELECT order_id, DATE'2026-01-01' AS d, TIMESTAMP'2026-01-01 10:00:00' AS t, TIMESTAMP_NTZ'2026-01-01 10:00:00' AS n, CAST(INTERVAL '1-2' YEAR TO MONTH AS STRING) AS ym, "
        "INTERVAL '1 02:03:04' DAY TO SECOND AS ds, X'0A0B' AS x, 1.25BD AS dec, map('a', array(1, 2), 'b', array()) AS m, named_struct('x', 1, 'y', 'z') AS s, true AS b, 1e300 AS f FROM orders"
    ),
    "variant": sql('SELECT order_id, parse_json(\'{{"a": 1}}\'):a::int AS a FROM orders'),
    "collation": sql("SELECT order_id FROM orders WHERE status COLLATE UTF8_LCASE = 'PAID'"),
    "session_function": lambda spark, root: (
        spark.sql("CREATE OR REPLACE TEMPORARY FUNCTION taxed(x DOUBLE) RETURNS DOUBLE RETURN x * 1.25"),
        spark.sql("SELECT order_id, taxed(amount) AS t FROM orders"),
    )[1],
    "table_function": lambda spark, root: (
        spark.sql("CREATE OR REPLACE TEMPORARY FUNCTION over_limit(x DOUBLE) RETURNS TABLE (id BIGINT) RETURN SELECT order_id FROM orders WHERE amount > x"),
        spark.sql("SELECT id FROM over_limit(6.0)"),
    )[1],
    "generators": sql("SELECT order_id, pos, item, k, v FROM orders LATERAL VIEW OUTER posexplode(items) AS pos, item LATERAL VIEW stack(2, 'a', 1, 'b', 2) AS k, v"),
    "view_on_view": lambda spark, root: (
        spark.sql("CREATE OR REPLACE TEMP VIEW inner_view AS SELECT order_id, amount FROM orders WHERE amount > 5"),
        spark.sql("CREATE OR REPLACE TEMP VIEW outer_view AS SELECT order_id, amount * 2 AS twice FROM inner_view"),
        spark.sql("SELECT * FROM outer_view"),
    )[2],
    "made_view": lambda spark, root: (
        spark.table("orders").where("amount > 5").createOrReplaceTempView("made_view"),
        spark.sql("SELECT order_id FROM made_view"),
    )[1],
    "times": sql(
        "SELECT order_id, current_timestamp() AS t, now() AS n, current_date() AS d, localtimestamp() AS l, unix_timestamp() AS u, current_timestamp() - INTERVAL 1 DAY AS y FROM orders"
    ),
    "where_i_am": sql("SELECT current_catalog() AS c, current_schema() AS s, current_user() AS u, order_id FROM orders"),
    "seeds": sql("SELECT order_id, rand() AS r, randn(3) AS n, uuid() AS u FROM orders"),
    "observed": lambda spark, root: spark.table("orders").observe("seen", *_sums()).select("order_id"),
    "files_csv": lambda spark, root: spark.read.csv(f"{root}/raw/orders_csv", header=True, inferSchema=True),
    "files_parquet_partition": sql("SELECT order_id, status FROM parquet.`{root}/raw/orders_parquet` WHERE status = 'paid'"),
    "python_environment": lambda spark, root: _environment(spark),
    "pandas_udf": lambda spark, root: _pandas_udf(spark),
    "pandas_aggregate": lambda spark, root: _pandas_aggregate(spark),
    "apply_in_pandas": lambda spark, root: spark.table("orders").groupBy("customer_id").applyInPandas(_largest, "customer_id BIGINT, amount DOUBLE"),
    "cogroup": lambda spark, root: spark.table("orders").groupBy("order_id").cogroup(spark.table("returned").groupBy("order_id")).applyInPandas(_both, "n BIGINT"),
    "map_in_arrow": lambda spark, root: spark.table("returned").mapInArrow(lambda batches: batches, "order_id BIGINT, amount DOUBLE"),
    "python_table_function": lambda spark, root: _udtf(spark),
    "ml_transform": lambda spark, root: _ml(spark),
}  # fmt: skip


def _sums() -> tuple[Any, ...]:
    from pyspark.sql import functions as sf

    return (sf.count("*").alias("n"),)


def _environment(spark: Any) -> Any:
    import os

    from pyspark.sql import functions as sf

    return spark.range(1).select(
        sf.udf(lambda _: os.environ.get("COLOUR_OF_THE_SESSION", "none"), "string")("id").alias("colour")
    )


def _pandas_udf(spark: Any) -> Any:
    import pandas as pd
    from pyspark.sql import functions as sf

    offset = 7

    @sf.pandas_udf("double")
    def shifted(values: pd.Series) -> pd.Series:
        return values + offset

    return spark.table("orders").select("order_id", shifted("amount").alias("s"))


def _pandas_aggregate(spark: Any) -> Any:
    import pandas as pd
    from pyspark.sql import functions as sf

    @sf.pandas_udf("double")
    def middle(values: pd.Series) -> float:
        return float(values.median())

    return spark.table("orders").groupBy("customer_id").agg(middle("amount").alias("m"))


def _largest(rows: Any) -> Any:
    return rows.nlargest(1, "amount")[["customer_id", "amount"]]


def _both(left: Any, right: Any) -> Any:
    import pandas as pd

    return pd.DataFrame({"n": [len(left) * 10 + len(right)]})


def _udtf(spark: Any) -> Any:
    from pyspark.sql import functions as sf

    @sf.udtf(returnType="n: int, square: int")
    class Squares:
        def eval(self, upto: int):  # type: ignore[no-untyped-def]
            for n in range(upto):
                yield n, n * n

    spark.udtf.register("squares", Squares)
    return spark.sql("SELECT o.order_id, s.* FROM orders o, LATERAL squares(CAST(o.order_id AS INT)) s")


def _ml(spark: Any) -> Any:
    from pyspark.ml.feature import Bucketizer

    bucketizer = Bucketizer(splits=[-1.0, 6.0, 8.0, 100.0], inputCol="amount", outputCol="bucket")
    return bucketizer.transform(spark.table("orders")).select("order_id", "bucket")


SINCE = {"cte_recursive": "4.1"}
"""What came with a later Spark than the oldest that is supported."""
SAVED = ("values",)
"""Of these the driver holds every row: to look at them is no execution, to save them is one."""


def here(*names: str) -> list[str]:
    """Those of the names (of all, without any) that the installed Spark can run."""
    spark = ".".join(version("pyspark").split(".")[:2])
    return [name for name in names or (*cases.QUERIES, *MORE) if spark >= SINCE.get(name, "")]


def text_of(rows: Any) -> list[str]:
    return sorted(str(row) for row in rows)


def main(settings: str, work: str, *names: str) -> None:
    from pyspark.sql import SparkSession

    from spark_lineage.capture.attach import attach

    builder = SparkSession.builder.appName("corpus")
    for key, value in json.loads(Path(settings).read_text()).items():
        builder = builder.config(key, value)
    spark = builder.config("spark.sql.warehouse.dir", f"{work}/warehouse").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    cases.prepare(spark, work)
    attachment = attach(spark, inbox=f"{work}/inbox", ingest="none", executables="all", strict=True)
    assert attachment is not None
    expected: dict[str, list[str]] = {}

    def run(name: str, make: Callable[[], Any]) -> None:
        rows = make()
        expected[name] = text_of(rows.collect()) if name in SAVED else []
        spark.sparkContext.addJobTag(name)
        if name in SAVED:
            rows.write.format("noop").mode("overwrite").save()
        else:
            expected[name] = text_of(rows.collect())
        spark.sparkContext.clearJobTags()

    for name in here(*names):
        if name in MORE:
            run(name, lambda name=name: MORE[name](spark, work))
            continue
        case = cases.QUERIES[name]
        case.before(spark, work)
        cases.save = kinds.save = lambda rows, root, name=name: run(name, lambda: rows)  # type: ignore[assignment]
        case.action(spark, work)
    spark.sql("INSERT INTO orders VALUES (99, 1, 1000.0, 'paid', DATE'2026-02-01', array('z'))")
    spark.sql("DELETE FROM returned")
    spark.sql("UPDATE customers SET name = 'Nobody'")
    assert attachment.flush(120)
    Path(work, "expected.json").write_text(json.dumps(expected))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
