"""Columns whose default is the current time: what a write left to it is not compared, and what it gave otherwise is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

pytestmark = pytest.mark.soak

LOADED = "loaded TIMESTAMP DEFAULT current_timestamp()"
REASON = "is not compared: the write left it to its default, which is not the same each time"


def write(spark: Any, root: Path) -> None:
    def table(name: str) -> str:
        return f"delta.`{root}/{name}`"

    source = spark.read.format("delta").load(f"{root}/source")
    source.select("id").write.format("delta").mode("append").save(f"{root}/frame")
    spark.sql(f"INSERT INTO {table('statement')} (id) SELECT id FROM {table('source')}")
    source.selectExpr("id", "CAST(id AS INT) AS n", "timestamp_seconds(id) AS loaded").write.format("delta").mode(
        "append"
    ).save(f"{root}/given")
    source.select("id").write.format("delta").mode("append").save(f"{root}/steady")
    spark.sql(f"UPDATE {table('statement')} SET n = 8 WHERE id = 1")
    spark.sql(f"CREATE TABLE {table('counts')} USING delta AS SELECT count(id) AS n FROM {table('statement')}")
    spark.sql(
        f"CREATE TABLE {table('times')} USING delta AS SELECT id, date_trunc('HOUR', loaded) AS hour FROM {table('statement')}"
    )
    spark.sql(f"ALTER TABLE {table('frame')} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    spark.sql(f"ALTER TABLE {table('frame')} RENAME COLUMN n TO m")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("defaults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        spark.range(0, 6, 1, 1).write.format("delta").save(f"{root}/source")
        for name, loaded in (
            ("frame", f"{LOADED}, since TIMESTAMP GENERATED ALWAYS AS (date_trunc('SECOND', loaded))"),
            ("statement", LOADED),
            ("given", LOADED),
            ("steady", "loaded TIMESTAMP DEFAULT timestamp'2020-01-01'"),
        ):
            spark.sql(
                f"CREATE TABLE delta.`{root}/{name}` (id BIGINT, n INT DEFAULT 7, {loaded}) USING delta "
                "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
            )
        yield recorded_of(spark, root, "defaults", write)


@pytest.mark.parametrize(("name", "columns"), [("frame", ("loaded", "since")), ("statement", ("loaded",))])
def test_what_was_left_to_a_default_of_that_time(recorded: Recorded, name: str, columns: tuple[str, ...]) -> None:
    one = recorded.replay(name, 1)
    assert (one.verdict, one.columns) == ("equivalent", columns), one.reason
    assert one.reason == "; ".join(f"{column} {REASON}" for column in columns)


@pytest.mark.parametrize("name", ["given", "steady"])
def test_what_was_given_or_is_the_same_each_time_is_compared(recorded: Recorded, name: str) -> None:
    assert recorded.replay(name, 1).verdict == "identical"


def test_downstream_it_is_not_known(recorded: Recorded) -> None:
    """What would change is told of the other columns, and of what was made of these; what was made of the time is no guess."""
    recorded.spark.sql(f"UPDATE delta.`{recorded.root}/source` SET id = -id")
    code, text = recorded.ask("--downstream-of", "source", "--json")
    assert code == 1, text
    told = {one["name"].rsplit("/", 1)[-1]: one for one in json.loads(text[text.index("[") :])}
    assert (told["statement"]["verdict"], told["statement"]["columns"]) == ("different", ["id", "n"]), told["statement"]
    assert told["frame"]["columns"] == ["id"], told["frame"]
    assert told["counts"]["verdict"] == "identical", told["counts"]
    assert told["times"]["verdict"] == "not_replayable", told["times"]
    assert "it reads loaded of statement, version 2: the write left it to its default" in told["times"]["reason"]
