"""Recorded executions of every kind of write, run again after their tables have changed: what they wrote comes out again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.replay.verdict import Replayed
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

SECONDS = 240
ROWS = "SELECT id, id % 3 AS k, CAST(id AS DOUBLE) / 3 AS d, 's' || id % 5 AS s FROM range(0, 20, 1, 2)"


@dataclass(frozen=True)
class Recorded:
    """A folder with tables, and the lineage of what made them."""

    spark: Any
    root: Path
    replays: tuple[Replayed, ...]

    def of(self, name: str) -> list[Replayed]:
        return [one for one in self.replays if str(one.name).endswith(f"/{name}")]


def write(spark: Any, root: Path) -> None:
    rows = spark.sql(ROWS)
    t, p = f"delta.`{root}/t`", f"delta.`{root}/p`"
    for mode in ("error", "append", "overwrite"):
        rows.write.format("delta").mode(mode).save(f"{root}/t")
    rows.where("k = 1").selectExpr("id + 100 AS id", "k", "d", "s").write.format("delta").mode("overwrite").option(
        "replaceWhere", "k = 1"
    ).save(f"{root}/t")
    spark.sql(f"INSERT INTO {t} SELECT 7 AS x, 8 AS y, 9 AS z, 'by position' AS w")
    spark.sql(f"INSERT INTO {t} REPLACE WHERE k = 2 SELECT id, 2 AS k, 1.5 AS d, 'r' AS s FROM range(5)")
    rows.write.format("delta").partitionBy("k", "s").save(f"{root}/p")
    rows.where("k = 1").selectExpr("id", "k", "d", "if(id > 9, '', s) AS s").write.format("delta").mode("overwrite").option(
        "partitionOverwriteMode", "dynamic"
    ).save(f"{root}/p")
    spark.sql(f"UPDATE {t} SET d = d + id, s = upper(s) WHERE id BETWEEN 3 AND 8")
    spark.sql(f"DELETE FROM {t} WHERE k = 0 AND id > 12")
    spark.sql(
        f"MERGE INTO {t} t USING (SELECT id * 2 AS id, 3 AS k FROM range(15)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k "
        "WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k)"
    )
    spark.sql(f"FROM {t} INSERT INTO {p} SELECT id, k, d, 'm' INSERT INTO {t} SELECT id + 1000, k, d, s WHERE k = 2")
    spark.sql(
        f"CREATE TABLE delta.`{root}/made` (id BIGINT, d DECIMAL(9,2), g DECIMAL(11,2) GENERATED ALWAYS AS (d * 2), n BIGINT GENERATED ALWAYS AS "
        "IDENTITY) USING delta"
    )
    spark.sql(f"INSERT INTO delta.`{root}/made` (id, d) SELECT id, CAST(id AS DECIMAL(9,2)) FROM {t} WHERE id < 10")
    spark.sql(f"CREATE TABLE delta.`{root}/sums` USING delta AS SELECT k, sum(d) AS total, count(*) AS n FROM {t} GROUP BY k")
    rows.write.parquet(f"{root}/columnar")
    rows.selectExpr("*", "if(id = 3, 'a,\"b\"\nc', null) AS odd").write.option("header", True).csv(f"{root}/commas")
    rows.write.json(f"{root}/objects")

    def doubled(value: int) -> int:
        return value * 2

    double = spark.udf.register("doubled", doubled, "bigint")
    spark.read.format("delta").load(f"{root}/t").select("id", double("id").alias("twice")).write.format("delta").save(
        f"{root}/python"
    )
    stream = spark.readStream.format("delta").load(f"{root}/p")
    for name, of, mode in (
        ("batches", stream.selectExpr("id", "d"), "append"),
        ("counts", stream.groupBy("k").count(), "complete"),
    ):
        writer = of.writeStream.format("delta").outputMode(mode).option("checkpointLocation", f"{root}/of_{name}")
        assert writer.trigger(availableNow=True).start(f"{root}/{name}").awaitTermination(SECONDS)

    def each(batch: Any, number: int) -> None:
        batch.select("id", "s").write.format("delta").mode("append").save(f"{root}/each_rows")
        batch.groupBy("k").count().write.format("delta").mode("append").save(f"{root}/each_counts")
        if number == 0:
            made = batch.sparkSession.createDataFrame([], "id BIGINT, k BIGINT, d DOUBLE, s STRING")
            made.write.format("delta").mode("append").save(f"{root}/each_merged")
        batch.createOrReplaceTempView("batch")
        batch.sparkSession.sql(
            f"MERGE INTO delta.`{root}/each_merged` t USING (SELECT DISTINCT * FROM batch) b ON t.id = b.id AND t.k = b.k AND t.s = b.s AND t.d = b.d "
            "WHEN NOT MATCHED THEN INSERT *"
        )

    files = spark.readStream.format("delta").option("maxFilesPerTrigger", 3).load(f"{root}/p").writeStream.foreachBatch(each)
    query = files.option("checkpointLocation", f"{root}/of_each").trigger(availableNow=True).start()
    assert query.awaitTermination(SECONDS)


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """What `write` did, and what became of its tables since; all of it replayed once."""
    root = tmp_path_factory.mktemp("replayed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="writes")
        assert attachment is not None
        write(spark, root)
        assert attachment.flush(60)
        detach(spark)
        report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        assert report.quarantined == 0
        for table in ("t", "p"):
            spark.sql(f"OPTIMIZE delta.`{root}/{table}`")
            spark.sql(f"UPDATE delta.`{root}/{table}` SET d = 0")
        spark.sql(ROWS).where("id < 3").write.format("delta").mode("overwrite").save(f"{root}/t")
        yield Recorded(spark, root, spark_lineage.open(root / "store").replay("last", spark=spark))


def test_every_write_comes_out_again(recorded: Recorded) -> None:
    told = {
        (str(one.name).rsplit("/", 1)[1], one.version, one.operation): (one.verdict, one.reason) for one in recorded.replays
    }
    not_identical = {key: verdict for key, verdict in told.items() if verdict[0] != "identical" and key[0] != "made"}
    made = not_identical.pop(("each_merged", 0, "append, merge"))  # of rows of the function's own, beside those of its batch
    assert (made[0], "lived in the driver" in str(made[1])) == ("not_replayable", True), made
    assert not_identical == {}
    assert len(recorded.of("t")) == 10
    assert [one.version for one in recorded.of("p")] == [0, 1, 2]
    names = {str(one.name).rsplit("/", 1)[1] for one in recorded.replays}
    functions = {"each_rows", "each_counts", "each_merged"}  # of foreachBatch
    assert names == {"t", "p", "made", "sums", "columnar", "commas", "objects", "python", "batches", "counts", *functions}
    assert len(recorded.of("each_rows")) == len(recorded.of("each_counts")) > 1


def test_numbers_that_delta_gives_are_not_known_again(recorded: Recorded) -> None:
    (one,) = recorded.of("made")
    assert (one.verdict, one.columns) == ("equivalent", ("n",)), one.reason
    assert "identity column" in str(one.reason)


def test_verdicts_are_kept(recorded: Recorded) -> None:
    rows = Store.open(str(recorded.root / "store")).arrow("replays").to_pylist()
    assert len(rows) == len(recorded.replays)
    kept = {(row["execution_id"], row["name"], row["delta_version"]): row for row in rows}
    for one in recorded.replays:
        row = kept[one.execution_id, one.name, one.version]
        assert (row["verdict"], row["replayed_rows"], row["replayed_checksum"]) == (one.verdict, one.rows[1], one.checksums[1])
        assert row["recorded_checksum"] == row["replayed_checksum"] or one.verdict != "identical"
