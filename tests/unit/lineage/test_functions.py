"""Functions that no plan sees into: typed Datasets, which Python cannot make; masking by name; what is declared and does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_resolve import described, edges, leaf, made, node, resolved, save

OBJECT = 21


def called(kind: str, *columns: int, **arguments: Any) -> dict[str, Any]:
    return {"expr": {"e": kind, "c": [{"a": column} for column in columns], "p": arguments}}


def named(number: int, name: str, expression: dict[str, Any]) -> dict[str, Any]:
    return {"expr": {"as": number, "n": name, "c": [expression["expr"]]}}


def from_object(number: int, child: int) -> dict[str, Any]:
    """Back from objects to the column `x`."""
    return node("SerializeFromObject", number, child, serializer=[named(11, "x", called("Invoke", OBJECT))], output=(11,))


def to_object(number: int, child: int, *columns: int) -> dict[str, Any]:
    return node("DeserializeToObject", number, child, deserializer=called("NewInstance", *columns), output=(OBJECT,))


def projected(udf: dict[str, Any]) -> Any:
    """A query that saves what a function gives, called `x`."""
    return made(leaf(1, "file:/a", 1, 2), node("Project", 2, 1, projectList=[named(11, "x", udf)]), save(3, 2, "x"))


def test_a_typed_map_takes_the_columns_that_its_class_asks_for() -> None:
    plan = made(
        leaf(1, "file:/a", 1, 2),
        to_object(2, 1, 1),
        node("MapElements", 3, 2, outputObjAttr={"expr": {"a": OBJECT}}, output=(OBJECT,)),
        from_object(4, 3),
        save(5, 4, "x"),
    )
    assert edges(plan) == ["x <- a.a DIRECT TRANSFORMATION opaque"]


def test_typed_partitions_may_leave_rows_out() -> None:
    plan = made(
        leaf(1, "file:/a", 1, 2),
        to_object(2, 1, 1),
        node("MapPartitions", 3, 2, outputObjAttr={"expr": {"a": OBJECT}}, output=(OBJECT,)),
        from_object(4, 3),
        save(5, 4, "x"),
    )
    assert edges(plan) == ["* <- a.a INDIRECT FILTER opaque", "x <- a.a DIRECT TRANSFORMATION opaque"]


def test_typed_groups_are_decided_by_their_key() -> None:
    key = 22
    plan = made(
        leaf(1, "file:/a", 1, 2),
        node("AppendColumns", 2, 1, newColumns=[], output=(1, 2, key)),
        node(
            "MapGroups", 3, 2, groupingAttributes=[{"expr": {"a": key}}], dataAttributes=[{"expr": {"a": 1}}], output=(OBJECT,)
        ),
        from_object(4, 3),
        save(5, 4, "x"),
    )
    assert [edge for edge in edges(plan) if "GROUP_BY" in edge] == [
        "* <- a.a INDIRECT GROUP_BY opaque",
        "* <- a.b INDIRECT GROUP_BY opaque",
    ]


def test_columns_beside_those_that_a_typed_function_adds_stay_as_they_are() -> None:
    plan = made(
        leaf(1, "file:/a", 1, 2), node("AppendColumns", 2, 1, newColumns=[], output=(1, 2, 11)), save(3, 2, "a", "b", "x")
    )
    assert edges(plan) == [
        "a <- a.a DIRECT IDENTITY",
        "b <- a.b DIRECT IDENTITY",
        "x <- a.a DIRECT TRANSFORMATION opaque",
        "x <- a.b DIRECT TRANSFORMATION opaque",
    ]


def test_a_typed_filter_decides_about_rows() -> None:
    plan = made(
        leaf(1, "file:/a", 1, 2), node("TypedFilter", 2, 1, deserializer=called("NewInstance", 2)), save(3, 2, "a", "b")
    )
    assert edges(plan) == ["* <- a.b INDIRECT FILTER opaque", "a <- a.a DIRECT IDENTITY", "b <- a.b DIRECT IDENTITY"]


def test_pandas_on_spark_numbers_rows_and_leaves_columns_alone() -> None:
    plan = made(
        leaf(1, "file:/a", 1),
        node("AttachDistributedSequence", 2, 1, output=(11, 1), sequenceAttr={"expr": {"a": 11}}),
        save(3, 2, "x", "a"),
    )
    assert edges(plan) == ["a <- a.a DIRECT IDENTITY", "x <- generated DIRECT IDENTITY"]


@pytest.mark.parametrize(
    ("udf", "masks"),
    [
        (called("PythonUDF", 1, name="Scramble"), True),
        (called("PythonUDF", 1, name="shout"), False),
        (called("ScalaUDF", 1, udfName="scramble"), True),
        (called("org.apache.spark.sql.hive.HiveGenericUDF", 1, name="shop.scramble"), True),
        (called("org.apache.spark.sql.catalyst.analysis.SQLScalarFunction", 1, name="scramble"), True),
        (called("Upper", 1), False),
    ],
)
def test_a_function_masks_that_the_user_says_does(udf: dict[str, Any], masks: bool) -> None:
    [edge] = resolved(projected(udf), masks=frozenset({"scramble"})).column_lineage
    assert edge.masking is masks


def test_a_function_over_rows_masks_as_well() -> None:
    plan = over_rows(called("PythonUDF", 1, 2, name="scramble"))
    masking = {edge.target_column: edge.masking for edge in resolved(plan, masks=frozenset({"scramble"})).column_lineage}
    assert masking == {None: False, "x": True, "y": True}


def test_a_path_leads_into_a_column_that_was_declared() -> None:
    assert edges(over_rows(declared({"x": ["a.city"], "y": ["b"]}))) == [
        "x <- a.a.city DIRECT TRANSFORMATION declared",
        "y <- a.b DIRECT TRANSFORMATION declared",
    ]


def test_names_are_compared_as_spark_does() -> None:
    assert edges(over_rows(declared({"X": ["A"], "Y": []}))) == [
        "x <- a.a DIRECT TRANSFORMATION declared",
        "y <- generated DIRECT IDENTITY",
    ]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"x": ["c"]}, "c is no input of it"),
        ({"z": ["a"]}, "z is no output of it"),
        ({"x": ["a"], "*": ["c"]}, "c is no input of it"),
    ],
)
def test_what_does_not_fit_is_not_used_and_said(columns: dict[str, list[str]], reason: str) -> None:
    found = described(resolved(over_rows(declared(columns))))
    assert found["incomplete"] == [f"the lineage declared for f is not used: {reason}"]
    assert found["edges"] == edges(over_rows(called("PythonUDF", 1, 2, name="f")))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"columns": 3}', '{"columns": {"x": "a"}}', '{"columns": {"x": [["a"]]}}', "null"]
)
def test_a_text_of_another_form_is_as_none(text: str) -> None:
    plan = over_rows(called("PythonUDF", 1, 2, name="f", declared=text))
    assert edges(plan) == edges(over_rows(called("PythonUDF", 1, 2, name="f")))


def test_one_value_has_one_output() -> None:
    found = described(resolved(projected(declared({"x": ["p"], "y": ["q"]}, parameters=["p", "q"]))))
    assert found["incomplete"] == ["the lineage declared for f is not used: it gives one value, and has several outputs there"]
    assert found["edges"] == ["x <- a.a DIRECT TRANSFORMATION", "x <- a.b DIRECT TRANSFORMATION"]


def test_a_parameter_may_only_decide() -> None:
    assert edges(projected(declared({"x": ["p"], "*": ["q"]}, parameters=["p", "q"]))) == [
        "x <- a.a DIRECT TRANSFORMATION declared",
        "x <- a.b INDIRECT CONDITIONAL declared",
    ]


def test_a_parameter_that_is_not_passed_gives_nothing() -> None:
    assert edges(projected(declared({"x": ["r"]}, parameters=["p", "q", "r"]))) == ["x <- generated DIRECT IDENTITY"]


def declared(columns: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    return called("PythonUDF", 1, 2, name="f", declared=json.dumps({"name": "f", "columns": columns, **more}))


def over_rows(udf: dict[str, Any]) -> Any:
    """`mapInPandas` over the columns a and b, to x and y."""
    return made(leaf(1, "file:/a", 1, 2), node("MapInPandas", 2, 1, functionExpr=udf, output=(11, 12)), save(3, 2, "x", "y"))
