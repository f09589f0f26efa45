"""Cases of functions that only Python can see into, and of what is declared of them.

Functions are defined within functions here: so Spark sends them whole, as it does those of a program or a notebook.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spark_lineage import lineage

from .case import Case, frame, is_write


def _udfs(spark: Any, root: str) -> Any:
    from pyspark.sql import functions as sf
    from pyspark.sql.functions import arrow_udf, pandas_udf, udf

    def scalar(a: Any, b: Any) -> Any:
        return f"{a}{b}"

    def pandas(series: Any) -> Any:
        return series * 2

    def batches(all_of: Iterator[Any]) -> Iterator[Any]:
        for series in all_of:
            yield series + 1

    def several(all_of: Iterator[Any]) -> Iterator[Any]:
        for a, b in all_of:
            yield a + b

    def parts(text: Any) -> Any:
        return (text, len(text))

    from collections.abc import Iterator as Batches

    import pandas as pd
    import pyarrow as pa

    pandas.__annotations__ = {"series": pd.Series, "return": pd.Series}
    batches.__annotations__ = {"all_of": Iterator[pd.Series], "return": Batches[pd.Series]}
    several.__annotations__ = {"all_of": Iterator[tuple[pd.Series, pd.Series]], "return": Iterator[pd.Series]}

    def arrow(values: pa.Array) -> pa.Array:
        return pa.compute.add(values, 1)

    arrow.__annotations__ = {"values": pa.Array, "return": pa.Array}

    def arrow_batches(all_of: Any) -> Any:
        for values in all_of:
            yield pa.compute.add(values, 1)

    arrow_batches.__annotations__ = {"all_of": Iterator[pa.Array], "return": Iterator[pa.Array]}
    return spark.table("orders").select(
        udf(scalar, "string", useArrow=False)("status", sf.col("order_id") + 1).alias("scalar"),
        udf(scalar, "string", useArrow=True)("status", "amount").alias("in_arrow"),
        pandas_udf(pandas, "double")("amount").alias("pandas"),
        pandas_udf(batches, "double")("amount").alias("batches"),
        pandas_udf(several, "double")("amount", "order_id").alias("several"),
        arrow_udf(arrow, "bigint")("order_id").alias("arrow"),
        arrow_udf(arrow_batches, "bigint")("customer_id").alias("arrow_batches"),
        udf(parts, "text string, size int", useArrow=False)("status").alias("parts"),
        udf(scalar, "string", useArrow=False)(b=sf.col("status"), a=sf.col("amount")).alias("by_name"),
    )


def _grouped_udfs(spark: Any, root: str) -> Any:
    import pandas as pd
    from pyspark.sql import functions as sf
    from pyspark.sql.functions import pandas_udf

    def mean(series: Any) -> Any:
        return series.mean()

    mean.__annotations__ = {"series": pd.Series, "return": float}
    return spark.table("orders").groupBy("status").agg(pandas_udf(mean, "double")(sf.col("amount") * 2).alias("mean"))


def _grouped_in_arrow(spark: Any, root: str) -> Any:
    import pyarrow as pa
    from pyspark.sql.functions import arrow_udf

    def smallest(values: Any) -> Any:
        return pa.compute.min(values)

    smallest.__annotations__ = {"values": pa.Array, "return": pa.Scalar}
    return spark.table("orders").groupBy("status").agg(arrow_udf(smallest, "bigint")("order_id").alias("smallest"))


def _window_udf(spark: Any, root: str) -> Any:
    import pandas as pd
    from pyspark.sql import Window
    from pyspark.sql.functions import pandas_udf

    def mean(series: Any) -> Any:
        return series.mean()

    mean.__annotations__ = {"series": pd.Series, "return": float}
    over = Window.partitionBy("customer_id")
    return spark.table("orders").select("order_id", pandas_udf(mean, "double")("amount").over(over).alias("mean"))


def _udtf(spark: Any, root: str) -> Any:
    from pyspark.sql.functions import udtf

    class Pieces:
        def eval(self, text: str, number: int) -> Any:
            yield text, number

    spark.udtf.register("pieces", udtf(Pieces, returnType="piece string, number bigint"))
    return spark.sql("SELECT o.order_id, p.piece FROM orders o, LATERAL pieces(o.status, o.customer_id) p")


def _udtf_of_table(spark: Any, root: str) -> Any:
    from pyspark.sql.functions import udtf

    class Doubled:
        def eval(self, row: Any) -> Any:
            yield (row["amount"] * 2,)

    spark.udtf.register("doubled", udtf(Doubled, returnType="twice double"))
    return spark.sql("SELECT twice FROM doubled(TABLE(SELECT amount, status FROM orders) PARTITION BY status ORDER BY amount)")


def _rows_counted(spark: Any, root: str) -> Any:
    def paid(batches: Any) -> Any:
        for batch in batches:
            yield batch[batch.status == "paid"][["order_id"]]

    rows = spark.table("orders").select("order_id", "status").mapInPandas(paid, "order_id bigint")
    return rows.groupBy().count()


def _map_in_arrow(spark: Any, root: str) -> Any:
    def same(batches: Any) -> Any:
        yield from batches

    return spark.table("returned").mapInArrow(same, "a bigint, b double")


def _apply_in_pandas(spark: Any, root: str) -> Any:
    def totals(key: Any, rows: Any) -> Any:
        import pandas as pd

        return pd.DataFrame({"customer_id": [key[0]], "total": [rows["amount"].sum()]})

    rows = spark.table("orders").select("customer_id", "amount")
    return rows.groupBy("customer_id").applyInPandas(totals, "customer_id bigint, total double")


def _apply_in_arrow(spark: Any, root: str) -> Any:
    def same(table: Any) -> Any:
        return table

    rows = spark.table("orders").select("order_id", "amount")
    return rows.groupBy((rows.order_id % 2).alias("odd")).applyInArrow(same, "order_id bigint, amount double")


def _cogrouped(spark: Any, root: str) -> Any:
    def joined(left: Any, right: Any) -> Any:
        return left.merge(right, on="order_id")[["order_id", "name"]]

    left = spark.table("orders").select("order_id", "customer_id")
    right = spark.table("customers").selectExpr("customer_id AS order_id", "name")
    return left.groupBy("order_id").cogroup(right.groupBy("order_id")).applyInPandas(joined, "order_id bigint, name string")


def _cogrouped_arrow(spark: Any, root: str) -> Any:
    def first(left: Any, right: Any) -> Any:
        return left

    left = spark.table("orders").select("order_id", "amount")
    right = spark.table("returned").select("order_id")
    return left.groupBy("order_id").cogroup(right.groupBy("order_id")).applyInArrow(first, "order_id bigint, amount double")


def _with_state(spark: Any, root: str) -> None:
    from pyspark.sql.streaming.state import GroupStateTimeout

    def counted(key: Any, batches: Any, state: Any) -> Any:
        import pandas as pd

        for batch in batches:
            yield pd.DataFrame({"order_id": [key[0]], "total": [float(batch["amount"].sum())]})

    rows = spark.readStream.table("returned").groupBy("order_id")
    counts = rows.applyInPandasWithState(
        counted, "order_id bigint, total double", "total double", "append", GroupStateTimeout.NoTimeout
    )
    _streamed(counts, root, "with_state")


def _transform_with_state(spark: Any, root: str) -> None:
    from pyspark.sql.streaming import StatefulProcessor

    class Counter(StatefulProcessor):
        def init(self, handle: Any) -> None:
            self.state = handle.getValueState("total", "total double")

        def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Any:  # noqa: N802, N803
            import pandas as pd

            yield pd.DataFrame({"order_id": [key[0]], "total": [float(sum(one["amount"].sum() for one in rows))]})

        def close(self) -> None:
            pass

    provider = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    spark.conf.set("spark.sql.streaming.stateStore.providerClass", provider)
    rows = spark.readStream.table("returned").groupBy("order_id")
    counts = rows.transformWithStateInPandas(Counter(), "order_id bigint, total double", "append", "none")
    try:
        _streamed(counts, root, "transform_with_state")
    finally:
        spark.conf.unset("spark.sql.streaming.stateStore.providerClass")


def _streamed(rows: Any, root: str, name: str) -> None:
    writer = rows.writeStream.format("delta").outputMode("append").option("checkpointLocation", f"{root}/checkpoint_{name}")
    writer.trigger(availableNow=True).start(f"{root}/{name}").awaitTermination()


def _declared_udfs(spark: Any, root: str) -> Any:
    from pyspark.sql import functions as sf
    from pyspark.sql.functions import udf

    @udf("double", useArrow=False)
    @lineage(["amount"])
    def priced(amount: Any, status: Any) -> Any:
        return amount

    @udf("name string, cost double, both string", useArrow=False)
    @lineage({"name": ["status"], "cost": ["amount", "rest"]})
    def parts(status: Any, amount: Any, *rest: Any) -> Any:
        return status, amount, status

    @lineage({"x": ["amount"]})
    def inner(amount: Any) -> Any:
        return amount

    def calling(amount: Any, status: Any) -> Any:
        return inner(amount)

    rows = spark.table("orders")
    return rows.select(
        priced("amount", "status").alias("positional"),
        priced(status=sf.col("status"), amount=sf.col("order_id")).alias("named"),
        parts("status", "amount", "order_id", "customer_id").alias("parts"),
        udf(calling, "double", useArrow=False)("amount", "status").alias("calling"),
    )


def _declared_map(spark: Any, root: str) -> Any:
    @lineage({"more": ["amount"], "none": [], "*": ["status"]})
    def made(batches: Any) -> Any:
        for batch in batches:
            paid = batch[batch.status == "paid"]
            yield paid.assign(more=paid.amount + 1, none=0, rest="")[["more", "none", "rest"]]

    rows = spark.table("orders").select("order_id", "amount", "status")
    return rows.mapInPandas(made, "more double, none int, rest string")


def _declared_apply(spark: Any, root: str) -> Any:
    @lineage({"customer_id": ["customer_id"], "total": ["amount"], "*": []})
    def totals(key: Any, rows: Any) -> Any:
        import pandas as pd

        return pd.DataFrame({"customer_id": [key[0]], "total": [rows["amount"].sum()]})

    rows = spark.table("orders").select("customer_id", "amount", "status")
    return rows.groupBy("customer_id").applyInPandas(totals, "customer_id bigint, total double")


def _declared_udtf(spark: Any, root: str) -> Any:
    from pyspark.sql.functions import udtf

    @udtf(returnType="piece string, number bigint")
    @lineage({"piece": ["text"], "number": ["number"]})
    class Declared:
        def __init__(self) -> None:
            self.seen = 0

        def eval(self, text: str, number: int) -> Any:
            yield text, number

    spark.udtf.register("declared_pieces", Declared)
    return spark.sql("SELECT p.piece, p.number FROM orders o, LATERAL declared_pieces(o.status, o.customer_id) p")


def _declared_wrongly(spark: Any, root: str) -> Any:
    @lineage({"more": ["amuont"], "none": []})
    def made(batches: Any) -> Any:
        for batch in batches:
            yield batch.assign(more=batch.amount + 1, none=0)[["more", "none"]]

    return spark.table("returned").mapInPandas(made, "more double, none int")


FUNCTIONS: dict[str, Case] = {
    "python_udfs": frame(_udfs),
    "python_udfs_grouped": frame(_grouped_udfs),
    "python_udfs_grouped_in_arrow": frame(_grouped_in_arrow),
    "python_udf_window": frame(_window_udf),
    "python_udtf": frame(_udtf),
    "python_udtf_of_table": frame(_udtf_of_table),
    "map_in_pandas_counted": frame(_rows_counted),
    "map_in_arrow": frame(_map_in_arrow),
    "apply_in_pandas": frame(_apply_in_pandas),
    "apply_in_arrow": frame(_apply_in_arrow),
    "cogrouped_in_pandas": frame(_cogrouped),
    "cogrouped_in_arrow": frame(_cogrouped_arrow),
    "apply_in_pandas_with_state": Case(_with_state, picks=lambda document: bool(document.get("stream")) and is_write(document)),
    "transform_with_state": Case(
        _transform_with_state, picks=lambda document: bool(document.get("stream")) and is_write(document)
    ),
    "declared_udfs": frame(_declared_udfs),
    "declared_map_in_pandas": frame(_declared_map),
    "declared_apply_in_pandas": frame(_declared_apply),
    "declared_udtf": frame(_declared_udtf),
    "declared_wrongly": frame(_declared_wrongly),
}
