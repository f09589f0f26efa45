"""`rows.column` in every way to write a table: which rows get the column, and that none of these writes fails of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from column_job import SHARE, Written, keys, recorded
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage import Sample
from spark_lineage.sample_marks import bound_of

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def written(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    with recorded(spark, tmp_path_factory.mktemp("ways"), _job) as found:
        yield found
    spark.sql("DROP TABLE IF EXISTS column_named")
    spark.sql("DROP TABLE IF EXISTS column_plain")


def _job(spark: Any, root: str) -> None:
    """A job that knows nothing of any of this."""
    ids = spark.read.format("delta").load(f"{root}/ids")

    def delta() -> Any:
        return ids.write.format("delta")

    delta().save(f"{root}/saved")
    ids.where("id < 5").selectExpr("name", "id", "p").write.format("delta").mode("append").save(f"{root}/saved")
    spark.sql(f"INSERT INTO delta.`{root}/saved` (id, name) SELECT id + 1000, 'later' FROM delta.`{root}/ids`")
    spark.sql(f"INSERT INTO delta.`{root}/saved` SELECT id + 2000, 0, 'by position', 7 FROM delta.`{root}/ids` LIMIT 3")
    spark.sql(f"CREATE TABLE column_named USING delta LOCATION '{root}/named' AS SELECT * FROM delta.`{root}/ids`")
    spark.sql(f"CREATE OR REPLACE TABLE column_named USING delta LOCATION '{root}/named' AS SELECT id FROM delta.`{root}/ids`")
    ids.select("id").write.format("delta").mode("overwrite").saveAsTable("column_named")
    ids.select("id").write.format("delta").mode("append").saveAsTable("column_named")
    ids.select("id").writeTo("column_named").append()
    delta().partitionBy("p").save(f"{root}/parts")
    some = ids.where("p = 1").withColumn("name", F.lit("new"))
    some.write.format("delta").mode("overwrite").option("partitionOverwriteMode", "dynamic").save(f"{root}/parts")
    some.write.format("delta").mode("overwrite").option("replaceWhere", "p = 1").save(f"{root}/parts")
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    spark.sql(f"INSERT OVERWRITE delta.`{root}/parts` BY NAME SELECT id, p, 'sql' AS name FROM delta.`{root}/ids` WHERE p = 2")
    spark.conf.unset("spark.sql.sources.partitionOverwriteMode")
    spark.sql(f"CREATE TABLE column_plain (id BIGINT) USING delta LOCATION '{root}/plain'")
    ids.select("id").write.format("delta").mode("overwrite").saveAsTable("column_plain")
    spark.sql(f"CREATE OR REPLACE TABLE column_plain USING delta LOCATION '{root}/plain' AS SELECT id FROM delta.`{root}/ids`")
    spark.sql(f"CREATE OR REPLACE TABLE delta.`{root}/replaced` USING delta AS SELECT id FROM delta.`{root}/ids`")
    ids.select("id").writeTo(f"delta.`{root}/replaced`").using("delta").createOrReplace()
    # without the column
    delta().mode("append").save(f"{root}/there")
    delta().mode("overwrite").save(f"{root}/there")
    spark.sql(f"INSERT INTO delta.`{root}/there` SELECT * FROM delta.`{root}/ids`")
    delta().mode("append").option("mergeSchema", True).save(f"{root}/there")
    delta().mode("overwrite").option("overwriteSchema", True).save(f"{root}/there")
    spark.read.format("delta").load(f"{root}/saved").write.format("delta").save(f"{root}/of_saved")
    delta().mode("errorifexists").save(f"{root}/none")
    ids.write.parquet(f"{root}/files")
    spark_lineage.track(ids, rows=Sample(0.5), key=["name"]).write.format("delta").save(f"{root}/tracked")
    spark.sql(
        f"CREATE TABLE delta.`{root}/wished` USING delta AS SELECT map('k', id) AS m, id + 1 AS more FROM delta.`{root}/ids`"
    )
    ids.selectExpr("map('k', id) AS m").write.format("delta").save(f"{root}/maps")
    stream = spark.readStream.format("delta").load(f"{root}/ids").writeStream.option("checkpointLocation", f"{root}/checkpoint")
    batches = stream.trigger(availableNow=True).foreachBatch(
        lambda rows, number: rows.write.format("delta").mode("append").save(f"{root}/batches")
    )
    assert batches.start().awaitTermination(240)
    ids.cache().count()
    delta().save(f"{root}/cached")
    ids.unpersist()
    spark.sql(f"UPDATE delta.`{root}/cached` SET name = 'x' WHERE id = 3")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("saved", 0),
        ("named", 0),
        ("named", 1),
        ("named", 2),
        ("parts", 0),
        ("there", 5),
        ("cached", 0),
        ("batches", 0),
        ("plain", 2),
        ("replaced", 0),
        ("replaced", 1),
    ],
)
def test_a_table_that_is_made_has_it(name: str, version: int, written: Written) -> None:
    rows = written.read(name, version)
    assert rows.columns[-1] == "_lineage"
    assert written.told(name, version) == ("_lineage", "")
    assert rows.where(~keys(rows)).count() == 0
    assert 10 < rows.where("_lineage IS NOT NULL").count() < 60
    ids = written.read("ids").select(*rows.columns[:-1])
    assert (rows.drop("_lineage").exceptAll(ids).count(), rows.count()) == (0, 100), "the rows are what they were"


@pytest.mark.parametrize(
    ("name", "version", "count"),
    [
        ("saved", 1, 105),
        ("saved", 2, 205),
        ("named", 3, 200),
        ("named", 4, 300),
        ("parts", 1, 100),
        ("parts", 2, 100),
        ("parts", 3, 100),
    ],
)
def test_what_is_added_to_it_has_it_too(name: str, version: int, count: int, written: Written) -> None:
    rows = written.read(name, version)
    assert rows.count() == count
    assert rows.where(~keys(rows)).count() == 0
    assert written.told(name, version) == ("_lineage", "")


def test_by_position_the_job_gives_it_itself(written: Written) -> None:
    column, reason = written.told("saved", 3)
    assert column is None
    assert reason.startswith(
        f"rows.column: {written.root}/saved is written without _lineage: the rows have a column _lineage already"
    )
    assert {row["_lineage"] for row in written.read("saved").where("id >= 2000").collect()} == {7}


def test_a_table_that_is_there_without_it_stays_so(written: Written) -> None:
    for version, count in ((1, 110), (2, 100), (3, 200), (4, 300)):
        column, reason = written.told("there", version)
        assert column is None
        assert "the table is there without it, and the write does not replace its columns" in reason
        rows = written.read("there", version)
        assert (rows.columns, rows.count()) == (["id", "p", "name"], count)
    assert written.told("plain", 1)[0] is None
    assert "does not replace its columns" in written.told("plain", 1)[1], "saveAsTable keeps them"
    assert written.read("plain", 1).columns == ["id"]


def test_what_is_left_alone(written: Written) -> None:
    assert "already" in written.told("of_saved")[1]
    assert written.told("none") == (None, "")
    assert written.read("none").columns == ["id", "p", "name"]
    assert written.read("tracked").columns == ["id", "p", "name"], "the program asks its own way"
    assert written.spark.read.parquet(str(written.root / "files")).columns == ["id", "p", "name"]
    assert "no column whose values can be hashed" in written.told("maps")[1]
    assert written.read("maps").columns == ["m"]
    assert written.read("after").columns == ["id", "p", "name"], "it is not attached any more"


def test_of_a_table_without_the_declared_key_all_columns_are(written: Written) -> None:
    rows = written.read("wished")
    assert rows.columns == ["m", "more", "_lineage"]
    assert rows.where(~F.xxhash64("more").eqNullSafe(F.col("_lineage"))).count() == 0
    assert (written.outputs["wished", 0].sample_fraction, written.outputs["wished", 0].sample_key) == (1.0, ("more",))


def test_the_sample_is_of_the_rows_that_have_a_key(written: Written) -> None:
    lineage = spark_lineage.open(written.root / "store")
    for name, version in (("saved", 0), ("named", 2), ("parts", 1), ("wished", 0)):
        sample = written.samples[name, version]
        added = written.read(name, version)
        if version == 1:
            added = added.where("name = 'new'")
        told = {row["_lineage"] for row in added.where("_lineage IS NOT NULL").collect()}
        rows = lineage.row_lineage(str(written.root / name), version=version)
        assert {row.target_key for row in rows} == told, (name, version)
        assert {row.completeness for row in rows} == {"exact"}
        assert (sample.reason, sample.rows_chosen) == (None, len(told))
        assert sample.key == (("more",) if name == "wished" else ("id",))
    assert (written.samples["tracked", 0].fraction, written.samples["tracked", 0].key) == (0.5, ("name",))
    there = written.samples["there", 1]
    assert (there.reason, there.fraction, there.key) == (None, SHARE, ("id",)), (
        "the run asks for it, with or without the column"
    )
    chosen = {row["id"] for row in written.read("ids").where(F.xxhash64("id") < bound_of(SHARE)).select("id").collect()}
    assert (there.rows_chosen, len(chosen)) == (len(chosen), there.rows_exact)
    told = {row.target_key for row in lineage.row_lineage(str(written.root / "there"), version=1)}
    assert len(told) == len(chosen) > 10
    assert ("none", 0) not in written.samples
