"""Lines of text and CSV that are blank, that are of nulls, and rows that read as a header does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import recorded_of

import spark_lineage
from spark_lineage.replay.verdict import Replayed

SAME = ("blank", "marked", "nulls", "named", "quoted", "bare", "broken", "headed_nulls", "spelled", "wide")
MORE = ("more_blank", "more_nulls", "more_named", "more_breaks")


def write(spark: Any, root: Path) -> None:
    told = str(root / "told")
    spark.udf.register("many", lambda one: [one] * int(Path(told).read_text()), "array<string>")
    for name, options in (("blank", {}), ("marked", {"lineSep": "|"})):
        spark.sql("SELECT explode(array('a', '', 'b\n', NULL, '')) AS v").write.options(**options).text(f"{root}/{name}")
    for name, options in (
        ("nulls", {}), ("headed_nulls", {"header": True}), ("spelled", {"nullValue": "NA", "quoteAll": True, "sep": "||"}),
        ("wide", {"encoding": "UTF-16LE", "header": True}),
    ):  # fmt: skip
        rows = spark.sql("SELECT explode(array(NULL, '', 'x', ' y ', 'b', 'a,\"b\"', '#1', 'a||b', NULL)) AS b")
        rows.write.options(**options).csv(f"{root}/{name}")
    named = spark.sql("SELECT 'id' AS id, 'name' AS name UNION ALL SELECT '1', 'x' UNION ALL SELECT 'id', 'name'")
    named.write.option("header", True).csv(f"{root}/named")
    named.coalesce(1).write.option("header", True).option("quoteAll", True).csv(f"{root}/quoted")
    named.write.csv(f"{root}/bare")
    spark.sql("SELECT 1 AS id, 'a\n\n\nb' AS name").write.csv(f"{root}/broken")
    spark.sql("SELECT explode(array_append(many(''), 'a')) AS v").write.text(f"{root}/more_blank")
    spark.sql("SELECT explode(array_append(many(NULL), 'a')) AS v").write.csv(f"{root}/more_nulls")
    spark.sql("SELECT explode(many('v')) AS v").write.option("header", True).csv(f"{root}/more_named")
    spark.sql("SELECT 1 AS id, 'a' || array_join(many('\n'), '') || 'b' AS v").write.csv(f"{root}/more_breaks")


@pytest.fixture(scope="module")
def replays(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Replayed]]:
    """All of it, replayed when the function of some gives four rows, and not two."""
    root = tmp_path_factory.mktemp("blank")
    (root / "told").write_text("2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        recorded = recorded_of(spark, root, "blank", write)
        (root / "told").write_text("4")
        found = spark_lineage.open(recorded.store).replay("last", spark=spark)
        yield {str(one.name).rsplit("/", 1)[-1]: one for one in found}


def test_the_same_lines(replays: dict[str, Replayed]) -> None:
    told = {name: (replays[name].verdict, replays[name].reason) for name in SAME}
    assert told == dict.fromkeys(SAME, ("identical", None))
    rows = {name: replays[name].rows for name in ("blank", "named", "quoted", "bare", "broken")}
    assert rows == {"blank": (6, 6), "named": (3, 3), "quoted": (3, 3), "bare": (3, 3), "broken": (4, 4)}


def test_more_of_them(replays: dict[str, Replayed]) -> None:
    told = {name: (replays[name].verdict, replays[name].rows) for name in MORE}
    counts = {"more_blank": (3, 5), "more_nulls": (3, 5), "more_named": (2, 4), "more_breaks": (3, 5)}
    assert told == {name: ("different", rows) for name, rows in counts.items()}
    assert "a null leaves no line" in str(replays["more_nulls"].reason)
