"""Conditions on the rows that a write replaces that ask for the time or the user: they are asked again as they were then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage
from spark_lineage.errors import ExecutableError
from spark_lineage.replay.clock import Clock, without

pytestmark = pytest.mark.soak

ONCE = "TIMESTAMP'2020-01-01 00:00:00'"
FROM_THEN = "current_timestamp() + make_interval(0, 0, 0, 0, 0, 0, id * 3600 - 7200 + if(id > 2, 30 - 3600, 0))"
"""Two hours ago, one hour ago, now, and half a minute after now and hours later: of these one is past when it is replayed."""


def write(spark: Any, root: Path) -> None:
    late = f"delta.`{root}/late`"
    spark.sql(
        f"INSERT INTO {late} REPLACE WHERE at <= current_timestamp() SELECT id + 100, {ONCE} AS at, 'x' AS who FROM range(2)"
    )
    spark.sql(f"INSERT INTO {late} REPLACE WHERE at <= now() SELECT id + 200, {ONCE}, 'x' FROM range(2)")
    rows = spark.sql(f"SELECT id + 300 AS id, {ONCE} AS at, current_user() AS who FROM range(2)")
    rows.write.format("delta").mode("overwrite").option("replaceWhere", "at <= current_timestamp()").save(f"{root}/late")
    spark.sql(f"INSERT INTO {late} REPLACE WHERE who = current_user() SELECT id + 400, {ONCE}, current_user() FROM range(2)")
    spark.sql(f"INSERT INTO {late} REPLACE WHERE who IN (current_user(), 'x') SELECT id + 400, {ONCE}, 'x' FROM range(2)")
    day = "to_date(at) = current_date() OR to_date(at) = DATE'2020-01-01'"
    spark.sql(f"INSERT INTO {late} REPLACE WHERE {day} SELECT id + 500, {ONCE}, 'x' FROM range(2)")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("late")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        spark.range(0, 1).write.format("delta").save(f"{root}/warm")
        spark.sql(f"CREATE TABLE delta.`{root}/late` (id BIGINT, at TIMESTAMP, who STRING) USING delta")
        began = time.monotonic()
        spark.sql(f"INSERT INTO delta.`{root}/late` SELECT id, {FROM_THEN}, if(id < 4, 'x', 'y') FROM range(6)")
        recorded = recorded_of(spark, root, "late", write)
        assert time.monotonic() - began < 30, "it took so long that the row of half a minute later is past"
        time.sleep(max(0.0, began + 33 - time.monotonic()))
        yield recorded


def test_they_are_asked_as_they_were_then(recorded: Recorded) -> None:
    found = spark_lineage.open(recorded.store).replay("last", spark=recorded.spark)
    told = {one.version: (one.verdict, one.reason) for one in found}
    verdict, reason = told.pop(6)  # its plan has no user, and so none is recorded with it
    assert (verdict, "asks for what is not recorded of then: CurrentUser" in str(reason)) == ("not_replayable", True), reason
    assert told == dict.fromkeys((2, 3, 4, 5, 7), ("identical", None))


def test_a_time_that_is_known_too_little(spark: Any) -> None:
    rows = spark.sql("SELECT id, TIMESTAMP'2020-01-01 00:00:10Z' + make_interval(0, 0, 0, 0, 0, 0, id) AS at FROM range(3)")
    first, last = (datetime(2020, 1, 1, 0, 0, second, tzinfo=UTC) for second in (5, 12))

    def left(condition: str, clock: Clock | None) -> list[int]:
        return sorted(row["id"] for row in without(rows, condition, spark, clock).collect())

    assert left("at <= current_timestamp()", Clock(last, last, {})) == []
    assert left("at < now()", Clock(last, last, {})) == [2]
    assert left("at < now() + INTERVAL 1 DAY", Clock(first, last, {})) == []
    assert left("to_date(at) = current_date()", Clock(first, last, {"time_zone": "UTC"})) == []
    assert left("current_user() = 'me' AND id = 1", Clock(first, last, {"user": "me"})) == [0, 2]
    assert left("id = 1", None) == [0, 2]
    for condition, clock, why in (
        ("at < now()", Clock(first, last, {}), "known to lie between 00:00:05"),
        ("at < now()", None, "the time, which is not recorded"),
        ("current_user() = 'me'", Clock(first, last, {}), "asks for what is not recorded of then: CurrentUser"),
        ("current_time() > TIME'10:00:00'", Clock(last, last, {}), "not recorded of then: CurrentTime"),
    ):
        with pytest.raises(ExecutableError, match=why):
            left(condition, clock)
