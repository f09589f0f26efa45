"""Lambdas as Spark wrote them in captured documents, and as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from spark_lineage.plan.document import ExecutionDocument, read
from spark_lineage.plan.expressions import Alias, Attribute, Call
from spark_lineage.plan.lambda_text import with_lambdas

CASES = Path(__file__).resolve().parents[2] / "plans"
BASKETS = "spark_catalog.default.baskets."
WRITTEN = {
    ("lambdas", "priced"): "transform(items, x -> (x.`price` * factor))",
    ("lambdas", "placed"): "transform(items, (x, i) -> named_struct('sku', x.`sku`, 'at', i))",
    ("lambdas", "sized"): "zip_with(items, sizes, (x, y) -> (x.`price` * CAST(y AS DOUBLE)))",
    ("lambdas_nested", "costs"): "transform(trips, t -> transform(t.`stops`, s -> (s.`cost` * t.`rate`)))",
    ("lambdas_fold", "total"): (
        "aggregate(items, 0.0D, (total, x) -> (total + (x.`price` * CAST(x.`qty` AS DOUBLE))), id -> id)"
    ),
    ("lambdas_of_maps", "dear"): "map_filter(prices, (k, v) -> (v > factor))",
}


@pytest.mark.parametrize(("case", "column"), WRITTEN)
def test_a_lambda_is_written_with_an_arrow(case: str, column: str) -> None:
    document = read((CASES / case / "plan.json").read_bytes())
    assert isinstance(document, ExecutionDocument)
    assert document.analyzed is not None
    stated = [one for node in document.analyzed.nodes.values() for one in node.all_stated()]
    (sql,) = {one.sql for one in stated if isinstance(one.expression, Alias) and one.expression.name == column}
    assert (sql or "").replace(BASKETS, "") == WRITTEN[case, column]


def variable(name: str, number: int) -> Call:
    return Call("NamedLambdaVariable", (), {"name": name, "exprId": number})


def transformed(body: Call, *variables: Call) -> Call:
    return Call("ArrayTransform", (Attribute(1), Call("LambdaFunction", (body, *variables))))


def test_variables_that_python_made_up_are_the_same_in_each_run() -> None:
    """PySpark counts them through a session; a nightly job's lineage would have another name each night."""
    text = "transform(a, lambdafunction(transform(namedlambdavariable(), lambdafunction((namedlambdavariable() + namedlambdavariable()), namedlambdavariable())), namedlambdavariable()))"
    for first in (0, 17):
        outer, inner = variable(f"x_{first}", 5), variable(f"x_{first + 1}", 6)
        nested = Call("ArrayTransform", (outer, Call("LambdaFunction", (Call("Add", (inner, outer)), inner))))
        assert with_lambdas(text, transformed(nested, outer)) == "transform(a, x -> transform(x, x_1 -> (x_1 + x)))"


@pytest.mark.parametrize(
    "text",
    [
        "transform(a, lambdafunction(namedlambdavariable(), namedlambdavariable(), namedlambdavariable()))",
        "transform(a, lambdafunction(namedlambdavariable() = 'namedlambdavariable()', namedlambdavariable()))",
        "transform(a, lambdafunction(namedlambdavariable(), namedlambdavariable()",
        "my_sum(a)",
    ],
)
def test_a_text_that_is_not_the_expressions_stays(text: str) -> None:
    x = variable("x", 5)
    assert with_lambdas(text, transformed(x, x)) == text
