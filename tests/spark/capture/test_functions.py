"""Python functions as Spark really sends them: what was declared of them is found in the plan, and names that mask arrive."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture
from resolved import records_of

from spark_lineage import lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store

MODULE = """
try:
    from spark_lineage import lineage
except ImportError:  # on a worker that has none
    def lineage(columns):
        return lambda function: function

@lineage({"out": ["amount"]})
def priced(amount, status):
    return amount

class Prices:
    @staticmethod
    @lineage({"out": ["status"]})
    def told(amount, status):
        return amount

def plain(amount, status):
    return priced(amount, status)
"""


@pytest.fixture
def module(capture: Capture, tmp_path: Path) -> Iterator[Any]:
    """A module that workers import: its functions are sent by their names alone."""
    path = tmp_path / "shop_functions.py"
    path.write_text(MODULE, encoding="utf-8")
    capture.spark.sparkContext.addPyFile(str(path))
    sys.path.insert(0, str(tmp_path))
    yield importlib.import_module("shop_functions")
    sys.path.remove(str(tmp_path))
    del sys.modules["shop_functions"]


def certainties(capture: Capture, rows: Any, folder: str) -> list[str]:
    """The edges of what is saved, each as `<target> <- <source> <certainty>`."""
    rows.write.parquet(str(capture.data / folder))
    edges = records_of(capture.executions()[-1]).column_lineage
    return sorted(f"{edge.target_column} <- {edge.source_column} {edge.certainty}" for edge in edges)


def orders(capture: Capture) -> Any:
    path = str(capture.data / "orders")
    capture.spark.sql("SELECT 1.0D AS amount, 'paid' AS status").write.parquet(path)
    return capture.spark.read.parquet(path)


def test_functions_that_workers_import_have_what_was_declared_of_them(capture: Capture, module: Any) -> None:
    from pyspark.sql.functions import udf

    rows = orders(capture).select(
        udf(module.priced, "double")("amount", "status").alias("function"),
        udf(module.Prices.told, "double")("amount", "status").alias("in_class"),
        udf(module.plain, "double")("amount", "status").alias("plain"),
    )
    assert certainties(capture, rows, "out") == [
        "function <- amount declared",
        "in_class <- status declared",
        "plain <- amount plan",
        "plain <- status plan",
    ]


def test_a_function_that_was_declared_before_there_was_a_bridge(capture: Capture, module: Any, tmp_path: Path) -> None:
    from pyspark.sql.functions import udf

    rows = orders(capture)
    detach(capture.spark)
    attachment = attach(capture.spark, inbox=str(tmp_path / "second"), ingest="none", strict=True)
    assert attachment is not None
    again = Capture(capture.spark, attachment, tmp_path / "second", capture.data)
    declared = rows.select(udf(module.priced, "double")("amount", "status").alias("out"))
    assert certainties(again, declared, "out") == ["out <- amount declared"]


def test_functions_and_classes_registered_under_another_name(capture: Capture) -> None:
    from pyspark.sql.functions import udtf

    @lineage({"piece": ["text"]})
    class Pieces:
        def __init__(self) -> None:
            self.seen = 0

        def eval(self, text: str, number: float) -> Any:
            yield (text,)

    @lineage(["amount"])
    def priced(amount: float, status: str) -> float:
        return amount

    spark = capture.spark
    orders(capture).createOrReplaceTempView("shop_orders")
    spark.udf.register("price_of", priced, "double")
    spark.udtf.register("pieces_of", udtf(Pieces, returnType="piece string"))
    rows = spark.sql("SELECT price_of(amount, status) AS price, piece FROM shop_orders, LATERAL pieces_of(status, amount)")
    assert certainties(capture, rows, "out") == ["piece <- status declared", "price <- amount declared"]


def test_what_another_function_or_class_declared_is_not_taken_for_its_own(capture: Capture) -> None:
    """One that it holds in an attribute or an annotation, and one that it extends: they stand in its pickle before the rest of it."""
    from pyspark.sql.functions import udf, udtf

    @lineage(["amount"])
    def priced(amount: float, status: str) -> float:
        return amount

    def holding(amount: float, status: str) -> float:
        return amount + len(status)

    holding.helper = priced  # type: ignore[attr-defined]

    def annotated(amount: float, status: priced) -> float:  # type: ignore[valid-type]
        return amount + len(status)

    annotated.__annotations__["status"] = priced

    @lineage({"piece": ["text"]})
    class Pieces:
        def eval(self, text: str, number: float) -> Any:
            yield (text,)

    class Numbers(Pieces):
        def eval(self, text: str, number: float) -> Any:
            yield (str(number),)

    spark = capture.spark
    orders(capture).createOrReplaceTempView("shop_orders")
    spark.udf.register("holding_it", udf(holding, "double", useArrow=False))
    spark.udf.register("annotated_by_it", udf(annotated, "double", useArrow=False))
    spark.udtf.register("numbers_of", udtf(Numbers, returnType="piece string"))
    rows = spark.sql(
        "SELECT holding_it(amount, status) AS a, annotated_by_it(amount, status) AS b, piece "
        "FROM shop_orders, LATERAL numbers_of(status, amount)"
    )
    found = certainties(capture, rows, "out")
    assert {one.partition(" <- ")[0] for one in found} >= {"a", "b", "piece"}
    assert [one for one in found if one.endswith("declared")] == []


def test_declared_functions_run_with_lineage_off(capture: Capture, module: Any) -> None:
    from pyspark.sql.functions import udf

    rows = orders(capture)
    detach(capture.spark)
    assert rows.select(udf(module.priced, "double")("amount", "status")).first()[0] == 1.0


def test_names_of_functions_that_mask_go_with_the_run(spark: Any, tmp_path: Path) -> None:
    from pyspark.sql.functions import udf

    detach(spark)
    attachment = attach(
        spark,
        store=str(tmp_path / "store"),
        inbox=str(tmp_path / "inbox"),
        ingest="none",
        masking_functions=["Scramble"],
        strict=True,
    )
    assert attachment is not None

    def scramble(text: str) -> str:
        return text[::-1]

    def shout(text: str) -> str:
        return text.upper()

    spark.sql("SELECT 'ada' AS name").write.parquet(str(tmp_path / "people"))
    people = spark.read.parquet(str(tmp_path / "people"))
    people.select(
        udf(scramble, useArrow=False)("name").alias("hidden"), udf(shout, useArrow=False)("name").alias("seen")
    ).write.parquet(str(tmp_path / "out"))
    detach(spark)
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), final=True)
    edges = Store.open(tmp_path / "store").arrow("column_lineage", ["target_column", "source_column", "masking"]).to_pylist()
    assert {(edge["target_column"], edge["masking"]) for edge in edges if edge["source_column"] == "name"} == {
        ("hidden", True),
        ("seen", False),
    }
