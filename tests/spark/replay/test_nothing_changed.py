"""Writes that change no row make no commit: they are no output that a replay looks for, and the commits of other writes are not taken for theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage
from spark_lineage.store.tables import Store

UNKNOWN = "none of the plans that are kept of its execution is known to have given what it wrote there"


def write(spark: Any, root: Path) -> None:
    source = spark.read.format("delta").load(f"{root}/source")
    table = f"delta.`{root}/table`"
    source.write.format("delta").save(f"{root}/table")
    spark.sql(f"DELETE FROM {table} WHERE id > 1000")
    spark.sql(f"MERGE INTO {table} t USING {table} s ON s.id = t.id + 1000 WHEN MATCHED THEN DELETE")
    source.where("id > 1000").write.format("delta").mode("append").save(f"{root}/table")
    for _ in range(2):  # the second one is known to be there, and passed over
        options = {"txnAppId": "once", "txnVersion": 1}
        source.write.format("delta").mode("append").options(**options).save(f"{root}/once")
    twice = f"INSERT INTO delta.`{root}/unsure`"
    spark.sql(f"FROM delta.`{root}/source` {twice} SELECT id WHERE k = 99 {twice} SELECT id * 10 AS id WHERE k = 1")
    into = "INSERT INTO {}.same SELECT {} WHERE k = {}"
    spark.sql(f"FROM delta.`{root}/source` {into.format('bronze', 'id', 0)} {into.format('silver', '-id', 1)}")

    def each(rows: Any, _: int) -> None:
        rows.createOrReplaceTempView("batch")
        path = f"delta.`{root}/batches`"
        rows.sparkSession.sql(f"MERGE INTO {path} t USING batch ON t.id = batch.id WHEN MATCHED THEN DELETE")
        rows.write.format("delta").mode("append").save(f"{root}/batches")

    stream = spark.readStream.format("delta").load(f"{root}/source").writeStream.foreachBatch(each)
    stream.option("checkpointLocation", f"{root}/checkpoint").trigger(availableNow=True).start().awaitTermination()


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        spark.range(0, 12, 1, 1).selectExpr("id", "id % 3 AS k").write.format("delta").save(f"{root}/source")
        spark.sql(f"CREATE TABLE delta.`{root}/unsure` (id BIGINT) USING delta")
        spark.sql(f"CREATE TABLE delta.`{root}/batches` (id BIGINT, k BIGINT) USING delta")
        for schema in ("bronze", "silver"):
            spark.sql(f"CREATE SCHEMA {schema} LOCATION '{root}/{schema}'")
            spark.sql(f"CREATE TABLE {schema}.same (id BIGINT) USING delta")
        spark.sql("INSERT INTO bronze.same VALUES (-1)")  # so that versions are of different order
        yield recorded_of(spark, root, "nothing", write)
        for schema in ("bronze", "silver"):
            spark.sql(f"DROP SCHEMA {schema} CASCADE")


def test_a_run_is_replayed_without_what_changed_nothing(recorded: Recorded, spark: Any) -> None:
    (run,) = {one.partition(":")[0] for one in recorded.executions("table")}
    given = spark_lineage.open(recorded.store).replay(run, spark=spark)
    told = sorted((one.name.removeprefix(f"{recorded.root}/"), one.version, one.verdict, one.reason) for one in given)
    assert told == [
        ("batches", 1, "identical", None),
        ("bronze/same", 2, "identical", None),
        ("once", 0, "identical", None),
        ("silver/same", 1, "identical", None),
        ("table", 0, "identical", None),
        ("unsure", 1, "not_replayable", UNKNOWN),
    ]


def test_the_check_says_so_before(recorded: Recorded) -> None:
    told = {
        one.execution_id: (one.replayable, one.reason)
        for one in spark_lineage.open(recorded.store).replay_check("all").executions
    }
    assert told.pop(recorded.execution("unsure", 1)) == (False, UNKNOWN)
    assert {answer for answer, _ in told.values()} == {True}, told


def test_a_commit_is_that_of_the_write_which_can_have_made_it(recorded: Recorded) -> None:
    rows = Store.open(recorded.store).arrow("outputs", ["name", "delta_version", "write_mode"]).to_pylist()
    (batch,) = (row for row in rows if row["name"].endswith("/batches") and row["delta_version"] == 1)
    assert batch["write_mode"] == "append"
