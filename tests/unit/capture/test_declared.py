"""What `@lineage(...)` puts into a function, and that the function stays what it was."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import pytest

import spark_lineage
from spark_lineage.capture import declared
from spark_lineage.errors import DeclarationError


def content(function: Any) -> dict[str, Any]:
    text = vars(function)[declared.ATTRIBUTE]
    head, _, rest = text.partition(">")
    assert head == f"<spark-lineage {len(rest)}"
    return json.loads(rest)


def test_a_function_is_given_back_as_it_was() -> None:
    def double(amount: int, *more: int, unit: str = "", **others: Any) -> int:
        """Twice."""
        return amount * 2

    double.kept = 1  # type: ignore[attr-defined]
    found = spark_lineage.lineage({"out": ["amount"]})(double)
    assert found is double
    assert (double(2), double.__doc__, double.kept) == (4, "Twice.", 1)  # type: ignore[attr-defined]
    assert content(double) == {
        "name": "double",
        "columns": {"out": ["amount"]},
        "parameters": ["amount", "unit"],
        "rest": "more",
        "keywords": "others",
    }


def test_the_text_comes_before_all_that_may_hold_other_functions() -> None:
    """In a pickle, what comes behind another function may be declared of that one."""

    def inner(x: int) -> int:
        return x

    @spark_lineage.lineage(["x"])
    @functools.wraps(inner)
    def outer(x: int) -> int:
        return inner(x)

    assert list(vars(outer)) == [declared.ATTRIBUTE, "__wrapped__"]
    assert content(outer)["columns"] == {"": ["x"]}


def test_of_a_table_function_the_parameters_are_those_of_eval() -> None:
    @spark_lineage.lineage({"a": ["text"]})
    class Pieces:
        def __init__(self) -> None:
            pass

        def eval(self, text: str, number: int) -> Any:
            yield text, number

    assert content(Pieces)["parameters"] == ["text", "number"]
    assert min(name for name in vars(Pieces)) == declared.ATTRIBUTE  # cloudpickle sorts them


@pytest.mark.parametrize(
    "wrong", [{"a": "amount"}, {"a": [1]}, {1: ["a"]}, "amount", 7, {"a": None}, {"": ["a"]}, {"a": [""]}, {"a": {"b": 1}}]
)
def test_what_says_no_lineage_is_an_error_where_the_function_is_defined(wrong: Any) -> None:
    with pytest.raises(DeclarationError, match=r"declare|name what it comes from"):
        spark_lineage.lineage(wrong)


def test_on_something_that_is_no_plain_function_it_says_where_it_belongs() -> None:
    with pytest.raises(DeclarationError, match="under @udf"):
        spark_lineage.lineage(["a"])(len)


def test_a_declaration_that_is_too_long_is_refused() -> None:
    with pytest.raises(DeclarationError, match="at most 65536"):
        spark_lineage.lineage({"a": ["x" * 70_000]})(lambda a: a)


def test_functions_that_workers_import_are_told_to_the_bridge_whenever_that_comes() -> None:
    def early(a: int) -> int:
        return a

    def late(a: int) -> int:
        return a

    for function in (early, late):
        function.__module__, function.__qualname__ = "shop", function.__name__
    spark_lineage.lineage(["a"])(early)
    told: dict[tuple[str, str], str] = {}
    declared.announce(lambda module, name, text: told.update({(module, name): text}))
    spark_lineage.lineage(["a"])(late)
    assert {"early", "late"} <= {name for module, name in told if module == "shop"}
    assert told["shop", "late"] == vars(late)[declared.ATTRIBUTE]


def test_the_room_of_that_name_can_be_called_as_the_function_is() -> None:
    """`spark_lineage.lineage` is a package, too, and stands for the function once that is imported."""
    program = (
        "import spark_lineage, spark_lineage.lineage.resolve\n"
        "f = spark_lineage.lineage(['a'])(lambda a: a)\n"
        "print(f(3), '__SPARK_LINEAGE__' in vars(f))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "3 True\n"


def test_a_worker_needs_nothing_of_ours() -> None:
    """Pickled as Spark pickles it, the function holds the text as it is, and runs where there is no spark_lineage."""
    driver = (
        "import sys, spark_lineage\n"
        "from pyspark import cloudpickle\n"
        "@spark_lineage.lineage({'out': ['a']})\n"
        "def f(a): return a + 1\n"
        "sys.stdout.buffer.write(cloudpickle.dumps((f, None)))"
    )
    worker = (
        "import sys, pickle\nsys.modules['spark_lineage'] = None\nf, _ = pickle.loads(sys.stdin.buffer.read())\nprint(f(1))"
    )
    command = subprocess.run([sys.executable, "-c", driver], capture_output=True, check=True).stdout
    assert b'{"name":"f","columns":{"out":["a"]}' in command
    assert command.index(b"<spark-lineage ") < command.index(b"__kwdefaults__")
    assert subprocess.run([sys.executable, "-c", worker], input=command, capture_output=True, check=True).stdout == b"2\n"
