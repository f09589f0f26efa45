"""What happens to sources, and what plans do: a clear answer or a labelled superset, never a wrong witness."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from shops import Shop

from spark_lineage.errors import ExecutableError
from spark_lineage.replay.executables import find
from spark_lineage.replay.plans import Plan
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import trace
from spark_lineage.rows.witness import Hop, Source


@pytest.fixture
def shop(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    made = Shop(spark, tmp_path)
    made.make("source", "SELECT id, id % 2 AS half FROM range(0, 6, 1, 2)")
    for first in (6, 8):
        spark.sql(f"INSERT INTO {made.table('source')} SELECT id, id % 2 AS half FROM range({first}, {first + 2})")
    return made


HALVES = "SELECT half, count(*) AS n, sum(id) AS total FROM {} GROUP BY half"
EVEN = {0, 2, 4, 6, 8}


def ids(hop: Hop) -> set[int]:
    assert hop.witness is not None, hop.ended
    source: Source
    (source,) = hop.witness.sources
    return {row.values["id"] for row in source.rows}


def test_a_source_that_was_overwritten_is_read_as_it_was(shop: Shop) -> None:
    with shop.recorded():
        shop.make("halves", HALVES.format(shop.table("source")))
    shop.spark.sql(f"INSERT OVERWRITE {shop.table('source')} SELECT id + 100, half FROM {shop.table('source')}")
    hop = shop.trace("halves", "half = 0")
    assert ids(hop) == EVEN
    assert hop.witness is not None
    assert (hop.witness.completeness, hop.witness.sources[0].version) == ("exact", 2)


@pytest.mark.parametrize("ignored", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_source_that_was_vacuumed(ignored: bool, shop: Shop) -> None:
    """Also where the job was set to read on without files that are gone: its group would lack their rows, and nobody would know."""
    with settings(shop.spark, {"spark.sql.files.ignoreMissingFiles": str(ignored).lower()}), shop.recorded():
        shop.make("halves", HALVES.format(shop.table("source")))
    shop.spark.sql(f"DELETE FROM {shop.table('source')} WHERE id = 2")  # the file of 0, 1 and 2 is written again
    with settings(shop.spark, {"spark.databricks.delta.retentionDurationCheck.enabled": "false"}):
        shop.spark.sql(f"VACUUM {shop.table('source')} RETAIN 0 HOURS")
    hop = shop.trace("halves", "half = 0")
    assert hop.witness is None
    assert "cannot be followed" in str(hop.ended)
    assert "FAILED_READ_FILE" in str(hop.ended) or "does not exist" in str(hop.ended)


@pytest.mark.soak
@pytest.mark.parametrize("versions", [1, 3])
def test_a_source_that_was_dropped_and_created_again(versions: int, shop: Shop) -> None:
    """With the version that was read, or with too few."""
    with shop.recorded():
        shop.make("halves", HALVES.format(shop.table("source")))
    shutil.rmtree(shop.root / "source")
    shop.make("source", "SELECT id, id % 2 AS half FROM range(0, 6, 1, 2)")
    for _ in range(versions - 1):
        shop.spark.sql(f"INSERT INTO {shop.table('source')} VALUES (8L, 0L)")
    hop = shop.trace("halves", "half = 0")
    assert hop.witness is None
    assert "another table now" in str(hop.ended) or "version 2" in str(hop.ended), hop.ended


@pytest.mark.parametrize(
    ("query", "label"),
    [
        pytest.param("SELECT id, rand() AS r FROM {}", "partial", marks=pytest.mark.soak),
        ("SELECT half, count(*) AS n FROM {} WHERE rand() < 0.6 GROUP BY half", "partial"),
        ("SELECT sum(id) AS total FROM (SELECT id FROM {} LIMIT 3)", "partial"),
        pytest.param(
            "SELECT sum(id) AS total FROM (SELECT id FROM {} TABLESAMPLE (50 PERCENT) REPEATABLE (7))",
            "partial",
            marks=pytest.mark.soak,
        ),
        pytest.param("SELECT first(id) AS id, half FROM {} GROUP BY half", "superset", marks=pytest.mark.soak),
        pytest.param(
            "SELECT count(*) AS n FROM (SELECT first(id) AS id, half FROM {} GROUP BY half) WHERE id < 4",
            "partial",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "SELECT count(*) AS n FROM (SELECT posexplode(collect_list(id)) AS (p, v) FROM {} GROUP BY half) WHERE p = 0",
            "partial",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "SELECT count(*) AS n FROM (SELECT id FROM {0} UNION ALL SELECT first(id) FROM {0} GROUP BY half) WHERE id < 4",
            "partial",
            marks=pytest.mark.soak,
        ),
        pytest.param("SELECT id, input_file_name() AS f FROM {}", "superset", marks=pytest.mark.soak),
        ("SELECT id, lies(id) AS l FROM {}", "superset"),
        pytest.param(
            "SELECT half, count(*) > 0 AS n FROM {} WHERE lies(id) % 2 = 0 GROUP BY half", "partial", marks=pytest.mark.soak
        ),
        pytest.param("SELECT lies(id) % 2 AS l, count(*) AS n FROM {} GROUP BY 1", "partial", marks=pytest.mark.soak),
        pytest.param("SELECT id, random_lies(id) % 2 AS l FROM {}", "partial", marks=pytest.mark.soak),
        pytest.param("SELECT id, uuid() AS u FROM {}", "partial", marks=pytest.mark.soak),
    ],
)
def test_a_plan_that_need_not_give_the_same_rows(query: str, label: str, shop: Shop) -> None:
    """`lies` says that it is deterministic, as all of Python do that do not say otherwise. What it makes of a row is taken at its word where the row is given
    again; where it decides which rows count, as chance and an order that is not total do, other rows may have gone in then, and some of them be missing.
    """
    shop.spark.udf.register("lies", lambda number: number + random.randrange(1_000_000), "bigint")
    random_lies = F.udf(lambda number: number + random.randrange(1_000_000), "bigint").asNondeterministic()
    shop.spark.udf.register("random_lies", random_lies)
    with shop.recorded():
        shop.make("made", query.format(shop.table("source")))
    rows = shop.spark.table(shop.table("made")).limit(2).collect()
    assert rows
    for row in rows:
        hop = shop.trace("made", " AND ".join(f"{name} <=> {value!r}" for name, value in row.asDict().items()))
        if hop.witness is None:
            assert "does not give such a row" in str(hop.ended)
            assert "the plan does not give the same rows each time" in str(hop.ended)
        else:
            assert hop.witness.completeness in (label, "partial")  # partial: where only some of the traced rows come again
            assert "does not have to give the same rows" in " ".join(hop.witness.reasons)
            assert ("those of then may be others" in " ".join(hop.witness.reasons)) == (label == "partial")


@pytest.mark.soak
def test_rows_of_a_limit_without_an_order_are_those_below_it(shop: Shop) -> None:
    """A limit above all else chooses among rows, and changes none of them: what made the row is known all the same, or it is not given again."""
    with shop.recorded():
        shop.make("some", f"SELECT id, half FROM {shop.table('source')} LIMIT 4")
    for row in shop.spark.table(shop.table("some")).collect():
        hop = shop.trace("some", f"id = {row['id']}")
        if hop.witness is None:
            assert "does not give such a row" in str(hop.ended)
        else:
            assert ids(hop) == {row["id"]}


def test_a_plan_of_another_spark(shop: Shop) -> None:
    with shop.recorded():
        shop.make("halves", HALVES.format(shop.table("source")))
    execution = shop.trace("halves", "half = 0").execution_id
    assert execution is not None
    found = find(str(shop.root / "store"), execution, key=str(shop.root / "key"))
    other = replace(found, executable=replace(found.executable, spark_version="4.9.0"))
    targets = shop.spark.table(shop.table("halves")).where("half = 0")
    rows = local_frame(shop.spark, [tuple(row) for row in targets.collect()], targets.schema)
    with pytest.raises(ExecutableError, match=r"was written by Spark 4\.9\.0.*start a session of Spark 4\.9\.0"):
        trace(Plan(other), rows)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"executables_max_bytes": 100}, "over its byte budget"),
        pytest.param({"redact_literals": "hash"}, "literals are redacted", marks=pytest.mark.soak),
        pytest.param({"executables": "off"}, "executables", marks=pytest.mark.soak),
    ],
)
def test_no_plan_is_kept(options: dict[str, Any], reason: str, shop: Shop) -> None:
    """Too large, or with literals that must not be written."""
    with shop.recorded(**options):
        shop.make("halves", f"{HALVES.format(shop.table('source'))} HAVING half < 7")
    hop = shop.trace("halves", "half = 0")
    assert hop.witness is None
    assert reason in str(hop.ended), hop.ended


@contextmanager
def settings(spark: Any, wanted: dict[str, str]) -> Iterator[None]:
    """For as long as it takes."""
    for name, value in wanted.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name in wanted:
            spark.conf.unset(name)
