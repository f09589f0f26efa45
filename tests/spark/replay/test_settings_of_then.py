"""What was written under another time zone than that of the session that replays it: conditions and folders of partitions are read as they were then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage

pytestmark = pytest.mark.soak

ZONE = "spark.sql.session.timeZone"
PROGRAM = Path(__file__).resolve().parents[1] / "programs" / "zone_job.py"
SINCE = "at >= '2020-01-02 00:00:00'"


def write(spark: Any, root: Path) -> None:
    source = spark.read.format("delta").load(f"{root}/source")
    new = source.where(SINCE).selectExpr("id + 1000 AS id", "at")
    new.write.format("delta").mode("overwrite").option("replaceWhere", SINCE).save(f"{root}/option")
    day = "to_date(at) = '2020-01-02'"
    spark.sql(
        f"INSERT INTO delta.`{root}/statement` REPLACE WHERE {day} SELECT id + 1000, at FROM delta.`{root}/source` WHERE {day}"
    )
    days = source.selectExpr("id", "date_trunc('DAY', at) AS day")
    days.write.partitionBy("day").parquet(f"{root}/folders")
    days.write.partitionBy("day").option("timeZone", "America/New_York").orc(f"{root}/elsewhere")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("zones")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        before = spark.conf.get(ZONE)
        try:
            spark.conf.set(ZONE, "Asia/Tokyo")
            rows = spark.sql("SELECT id, timestamp'2020-01-01' + make_interval(0, 0, 0, 0, id) AS at FROM range(0, 48, 1, 1)")
            for name in ("source", "option", "statement"):
                rows.write.format("delta").save(f"{root}/{name}")
            recorded = recorded_of(spark, root, "zones", write)
        finally:
            spark.conf.set(ZONE, before)
        spark.conf.set(ZONE, "UTC")
        yield recorded
        spark.conf.set(ZONE, before)


def test_what_it_says_is_read_in_the_zone_of_then(recorded: Recorded) -> None:
    found = spark_lineage.open(recorded.store).replay("last", spark=recorded.spark)
    told = {str(one.name).rsplit("/", 1)[-1]: (one.verdict, one.rows, one.reason) for one in found}
    assert told == dict.fromkeys(("option", "statement", "folders", "elsewhere"), ("identical", (48, 48), None))


def test_what_a_write_leaves_downstream(recorded: Recorded) -> None:
    """The rows that it left are those of the zone of then: one that was put right is changed, and no other comes or goes."""
    recorded.spark.sql(f"UPDATE delta.`{recorded.root}/source` SET id = 7000 WHERE id = 40")
    code, text = recorded.ask("--downstream-of", "source", "--json")
    told = {one["name"].rsplit("/", 1)[-1]: one for one in json.loads(text[text.index("[") :])}
    assert code == 1, text
    for name in ("option", "statement"):
        difference = told[name]["difference"]
        assert (told[name]["rows"], difference["missing"], difference["unexpected"]) == ([48, 48], 1, 1), told[name]


def test_the_zone_of_the_machine(spark: Any, record: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that sets none has it from the machine, and the replay may be on another one."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    elsewhere = record(program=PROGRAM)
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", elsewhere.key)
    (one,) = spark_lineage.open(elsewhere.store).replay("last", spark=spark)
    assert (one.verdict, one.rows) == ("identical", (48, 48)), one.reason
