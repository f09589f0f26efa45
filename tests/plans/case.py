"""What a case is, and the usual kinds of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Step: TypeAlias = Callable[[Any, str], object]


@dataclass(frozen=True)
class Case:
    """`before` gets ready; `action` makes the execution of interest; `picks` tells it from others that the action makes."""

    action: Step
    before: Step = lambda spark, root: None
    picks: Callable[[dict[str, Any]], bool] = lambda document: True


def query(text: str) -> Case:
    """A query whose rows are saved to a Delta table."""
    return Case(lambda spark, root: save(spark.sql(text), root))


def frame(make: Callable[[Any, str], Any]) -> Case:
    """A DataFrame that is saved to a Delta table."""
    return Case(lambda spark, root: save(make(spark, root), root), picks=is_write)


def save(rows: Any, root: str) -> None:
    rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(f"{root}/out")


def statement(text: str, *before: str, picks: Callable[[dict[str, Any]], bool] = lambda document: True) -> Case:
    """A SQL statement, after others. `{root}` is the working folder."""
    return Case(
        lambda spark, root: spark.sql(text.format(root=root)),
        lambda spark, root: [spark.sql(one.format(root=root)) for one in before],
        picks,
    )


def is_write(document: dict[str, Any]) -> bool:
    return bool(document["commits"] or document["writes"])


def target(name: str, columns: str, provider: str = "delta") -> tuple[str, str]:
    return f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({columns}) USING {provider}"
