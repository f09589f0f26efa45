"""What is stored otherwise than the plan gives it: times in milliseconds, the names of folders, and what replaces rows of a table that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage
from spark_lineage.replay.verdict import Replayed

TIMES = "spark.sql.parquet.outputTimestampType"
AVRO = (
    '{"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}, '
    '{"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}'
)
MILLIS = ("millis_parquet", "millis_delta", "micros_orc")
FOLDERS = ("numbers", "dates", "floats", "texts", "chars")


def write(spark: Any, root: Path) -> None:
    source = spark.read.format("delta").load(f"{root}/source")
    time = "TIMESTAMP'1960-01-01 10:00:00.123456' + make_interval(0, 0, 0, id * 4000) AS t"
    times = source.selectExpr("id", time, "array(named_struct('t', TIMESTAMP'2024-01-01 10:00:00.987654', 'n', id)) AS many")
    spark.conf.set(TIMES, "TIMESTAMP_MILLIS")
    try:
        times.write.parquet(f"{root}/millis_parquet")
        times.write.format("delta").save(f"{root}/millis_delta")
        times.write.orc(f"{root}/micros_orc")
    finally:
        spark.conf.unset(TIMES)
    times.select("id", "t").write.format("avro").option("AvroSchema", AVRO).save(f"{root}/millis_avro")
    source.selectExpr("id", "if(id % 3 = 0, '', CAST(id % 3 AS STRING)) AS p").write.partitionBy("p").parquet(f"{root}/numbers")
    source.selectExpr("id", "if(id % 3 = 0, '', '2024-01-0' || id % 3) AS p").write.partitionBy("P").orc(f"{root}/dates")
    source.selectExpr("id", "CAST(id % 3 / 10.0D AS FLOAT) AS p").write.partitionBy("p").format("avro").save(f"{root}/floats")
    source.selectExpr("id", "if(id % 3 = 0, '', 'x' || id) AS p").write.partitionBy("p").parquet(f"{root}/texts")
    spark.sql(f"INSERT INTO delta.`{root}/chars` SELECT id, 'c', if(id % 3 = 0, '', 'x') FROM delta.`{root}/source`")
    for number in (1, 2):
        rows = source.where(f"id % 3 = {number}").selectExpr("id", "id % 3 AS k").write.format("delta").mode("overwrite")
        rows.option("replaceWhere", f"k = {number}").save(f"{root}/daily")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        spark.range(0, 9, 1, 1).write.format("delta").save(f"{root}/source")
        spark.sql(f"CREATE TABLE delta.`{root}/chars` (id BIGINT, c CHAR(3), p CHAR(3)) USING delta PARTITIONED BY (p)")
        yield recorded_of(spark, root, "stored", write)


@pytest.fixture(scope="module")
def replays(recorded: Recorded) -> dict[tuple[str, int | None], Replayed]:
    found = spark_lineage.open(recorded.store).replay("last", spark=recorded.spark)
    return {(str(one.name).rsplit("/", 1)[-1], one.version): one for one in found}


def test_it_is_given_again(replays: dict[tuple[str, int | None], Replayed]) -> None:
    told = {key: (one.verdict, one.reason, one.difference) for key, one in replays.items() if key[0] != "millis_avro"}
    assert {key: verdict for key, verdict in told.items() if verdict[0] != "identical"} == {}
    assert {name for name, _ in told} == {*MILLIS, *FOLDERS, "daily"}
    assert replays["daily", 0].whole


def test_times_that_a_schema_of_avro_cuts(recorded: Recorded, replays: dict[tuple[str, int | None], Replayed]) -> None:
    one = replays["millis_avro", None]
    assert (one.verdict, "an avroSchema that has times in milliseconds" in str(one.reason)) == ("not_replayable", True)
    checked = spark_lineage.open(recorded.store).replay_check(one.execution_id)
    assert [found.replayable for found in checked.executions] == [False]


def test_rows_of_blank_folders_are_traced(recorded: Recorded) -> None:
    (hop,) = spark_lineage.open(recorded.store).trace(str(recorded.root / "chars"), where="id = 3", spark=recorded.spark)
    assert hop.witness is not None, hop.ended
    assert [row.values["id"] for source in hop.witness.sources for row in source.rows] == [3]
