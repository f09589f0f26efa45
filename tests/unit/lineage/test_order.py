"""The order of rows and the partitions that they lie in: told apart until something depends on them, and then as sure as any other."""

from __future__ import annotations

from typing import Any

import pytest
from test_unseen import COLUMNS, IN, A, B, call, node, of

SOURCE = {
    **node("LogicalRelation", 50, output=(51, 52)),
    "fields": {"relation": {"relation": {"class": "HadoopFsRelation", "format": "csv", "paths": ["/other"]}}},
}
TEN = {"l": "10", "t": "int"}


@pytest.fixture(autouse=True)
def _columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLUMNS, "51", ["e", "int", True])
    monkeypatch.setitem(COLUMNS, "52", ["f", "string", True])


def sort(number: int, child: int, by: dict[str, Any], everywhere: bool = True) -> dict[str, Any]:
    return node("Sort", number, child, order=[{"expr": call("SortOrder", by)}], **{"global": everywhere})


def select(number: int, child: int, *columns: dict[str, Any], sql: str = "...") -> dict[str, Any]:
    """The first is a column as it is, what follows is called `y`."""
    first, *more = columns
    named = [{"expr": {"as": 12, "n": "y", "c": [one]}, "sql": sql} for one in more]
    return node("Project", number, child, projectList=[{"expr": first}, *named])


def limit(number: int, child: int, count: dict[str, Any] = TEN) -> dict[str, Any]:
    return node("GlobalLimit", number, child, limitExpr={"expr": count})


def test_each_branch_of_a_union_keeps_its_order() -> None:
    left, right = sort(2, 1, B), sort(53, 50, {"a": 52})
    both = node("Union", 60, 3, 54, output=(1,))
    edges, _ = of(IN, left, select(3, 2, A), SOURCE, right, select(54, 53, {"a": 51}), both, limit(61, 60))
    assert [edge for edge in edges if "SORT" in edge] == ["* <- in.b INDIRECT SORT", "* <- other.f INDIRECT SORT"]


def test_rows_sorted_within_partitions_stay_in_those_that_they_were_sorted_into() -> None:
    edges, _ = of(IN, sort(2, 1, A), sort(3, 2, B, everywhere=False), select(4, 3, A), limit(5, 4))
    assert [edge for edge in edges if "SORT" in edge] == ["* <- in.a INDIRECT SORT", "* <- in.b INDIRECT SORT"]


def test_rows_sorted_anew_have_no_other_order() -> None:
    edges, _ = of(IN, sort(2, 1, A), sort(3, 2, B), select(4, 3, A), limit(5, 4))
    assert [edge for edge in edges if "SORT" in edge] == ["* <- in.b INDIRECT SORT"]


@pytest.mark.parametrize("kind", ["GlobalLimit", "Offset"])
def test_how_many_rows_a_variable_may_tell(kind: str) -> None:
    count = call("VariableReference", originalNameParts=["least"])
    edges, incomplete = of(IN, select(2, 1, A), node(kind, 3, 2, limitExpr={"expr": count}))
    assert edges == ["* <- unknown INDIRECT FILTER", "x <- in.a DIRECT IDENTITY"]
    assert incomplete == ["variable least: what it was set from is not followed"]


def test_a_filter_may_count_the_rows() -> None:
    first = node("Filter", 3, 2, condition={"expr": call("LessThan", call("MonotonicallyIncreasingID"), TEN)})
    edges, _ = of(IN, sort(2, 1, B), first, select(4, 3, A))
    assert edges == ["* <- in.b INDIRECT SORT", "x <- in.a DIRECT IDENTITY"]


FRAME = call("SpecifiedWindowFrame", call("UnboundedPreceding"), call("CurrentRow"))
WHOLE = call("SpecifiedWindowFrame", call("UnboundedPreceding"), call("UnboundedFollowing"))
ROWS = "... OVER (ORDER BY 1 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
RANGE = "... OVER (ORDER BY 1 RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"


def test_rows_spread_anew_lie_in_other_partitions() -> None:
    edges, _ = of(IN, spread(2, 1, B), spread(3, 2, {"a": 3}), select(4, 3, A), limit(5, 4))
    assert edges == ["* <- in.c INDIRECT SORT", "x <- in.a DIRECT IDENTITY"]


@pytest.mark.parametrize(
    ("function", "frame", "sql", "depends"),
    [
        (call("RowNumber"), FRAME, ROWS, True),
        (call("NTile", TEN), FRAME, ROWS, True),
        (call("Lag", A), FRAME, ROWS, True),
        (call("AggregateExpression", call("Sum", A)), FRAME, ROWS, True),
        (call("AggregateExpression", call("Sum", A)), FRAME, RANGE, False),
        (call("AggregateExpression", call("Sum", A)), WHOLE, ROWS, False),
        (call("AggregateExpression", call("CollectList", A)), WHOLE, ROWS, True),
    ],
)
def test_rows_that_a_window_does_not_tell_apart_stay_as_they_come(
    function: dict[str, Any], frame: dict[str, Any], sql: str, depends: bool
) -> None:
    over = call("WindowExpression", function, call("WindowSpecDefinition", call("SortOrder", TEN), frame))
    made = node("Window", 3, 2, windowExpressions=[{"expr": {"as": 12, "n": "y", "c": [over]}, "sql": sql}])
    edges, _ = of(IN, sort(2, 1, B), made, select(4, 3, A, {"a": 12}), names=("x", "y"))
    assert ("y <- in.b INDIRECT SORT" in edges) is depends


def spread(number: int, child: int, by: dict[str, Any]) -> dict[str, Any]:
    return node("RepartitionByExpression", number, child, partitionExpressions=[{"expr": by}])


def test_what_rows_are_spread_by_is_worth_no_edge_alone() -> None:
    assert of(IN, spread(2, 1, B), select(3, 2, A)) == (["x <- in.a DIRECT IDENTITY"], [])


def test_which_rows_come_first_depends_on_what_they_are_spread_by() -> None:
    edges, _ = of(IN, spread(2, 1, B), select(3, 2, A), limit(4, 3))
    assert edges == ["* <- in.b INDIRECT SORT", "x <- in.a DIRECT IDENTITY"]


@pytest.mark.parametrize(
    ("name", "depends"),
    [("SparkPartitionID", True), ("MonotonicallyIncreasingID", True), ("CollectList", True), ("Uuid", False)],
)
def test_the_number_of_a_partition_depends_on_what_rows_are_spread_by(name: str, depends: bool) -> None:
    edges, _ = of(IN, spread(2, 1, B), select(3, 2, A, call(name)), names=("x", "y"))
    assert ("y <- in.b INDIRECT SORT" in edges) is depends


def test_a_function_of_the_user_is_not_taken_to_ask_for_its_partition() -> None:
    edges, _ = of(IN, spread(2, 1, B), select(3, 2, A, {"e": "PythonUDF", "c": [A], "p": {"name": "f"}}), names=("x", "y"))
    assert edges == ["x <- in.a DIRECT IDENTITY", "y <- in.a DIRECT TRANSFORMATION"]


def test_a_cached_frame_keeps_its_order() -> None:
    cached = node("InMemoryRelation", 3, output=(11, 12, 13, 14), plan={"plan": 2})
    edges, _ = of(IN, sort(2, 1, B), cached, select(4, 3, {"a": 11}), limit(5, 4))
    assert edges == ["* <- in.b INDIRECT SORT", "x <- in.a DIRECT IDENTITY"]


def test_the_order_of_a_lateral_subquery_may_take_outer_columns() -> None:
    inner = sort(53, 50, call("Add", {"a": 51}, call("OuterReference", A)))
    beside = {"expr": {"e": "LateralSubquery", "plan": 53, "c": [A]}}
    joined = node("LateralJoin", 60, 1, right=beside, joinType="Inner", condition=None)
    edges, incomplete = of(IN, SOURCE, inner, joined, select(61, 60, A), limit(62, 61))
    assert edges == ["* <- in.a INDIRECT SORT", "* <- other.e INDIRECT SORT", "x <- in.a DIRECT IDENTITY"]
    assert incomplete == []


def test_late_rows_are_dropped_by_a_watermark_on_what_a_stateful_function_gives() -> None:
    marked = node("UpdateEventTimeWatermarkColumn", 2, 1, output=(1, 2, 3, 4), eventTime={"expr": B})
    assert of(IN, marked, select(3, 2, A))[0] == ["* <- in.b INDIRECT FILTER", "x <- in.a DIRECT IDENTITY"]
