"""Frames that are tracked: they are as they were, and what is written of them is told apart, whatever is done with them in between."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage import Sample
from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.rows.due import due
from spark_lineage.sample_marks import alias_of, sample_of
from spark_lineage.store.tables import Store

ASKED = Sample(0.25, per_row=7)


@pytest.fixture
def frame(spark: Any) -> Any:
    return spark.range(100).selectExpr("id", "id % 5 AS k", "'n' || id AS name")


def test_every_way_to_write_it(spark: Any, frame: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None
    tracked = spark_lineage.track(frame, rows=ASKED, key=["id"])
    other = spark.range(5).selectExpr("id AS k", "id * 2 AS double")
    add_one = F.udf(lambda value: value + 1, "bigint")

    def save(of: Any, name: str) -> None:
        of.write.format("delta").save(str(tmp_path / name))

    save(frame, "without")
    save(tracked, "plain")
    save(tracked.join(other, "k"), "join")
    save(other.join(tracked, "k").select("id", "double"), "join_other")
    save(tracked.alias("a").join(tracked.alias("b"), F.col("a.id") == F.col("b.id")).select("a.id", "b.name"), "self_join")
    save(frame.union(tracked), "union")
    save(tracked.select("id", add_one("k").alias("more")), "function")
    save(tracked.mapInPandas(lambda frames: frames, "id bigint, k bigint, name string"), "in_pandas")
    save(tracked.groupBy("k").count(), "group")
    save(tracked.withColumn("w", F.expr("sum(id) OVER (PARTITION BY k)")).repartition(3), "window")
    tracked.createOrReplaceTempView("tracked_view")
    spark.sql(f"CREATE TABLE delta.`{tmp_path}/view` USING delta AS SELECT k, max(id) AS id FROM tracked_view GROUP BY k")
    spark.sql(f"INSERT INTO delta.`{tmp_path}/plain` SELECT * FROM tracked_view")
    tracked.writeTo(f"delta.`{tmp_path}/plain`").append()
    kept = tracked.cache()
    kept.count()
    save(kept, "cached")
    save(kept.where("k = 1"), "of_cached")
    kept.unpersist()
    frame.cache().count()
    save(spark_lineage.track(frame, rows=ASKED, key=["id"]), "above_cached")
    frame.unpersist()
    assert attachment.flush(60)
    detach(spark)
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(tmp_path / "key"))
    spark.catalog.dropTempView("tracked_view")
    found = due(Store.open(str(tmp_path / "store")), load(store=str(tmp_path / "store")))
    names = [Path(one.name).name for one in found]
    assert sorted(names) == sorted(
        ["plain", "join", "join_other", "self_join", "union", "function", "in_pandas", "group", "window", "view", "plain", "plain", "cached", "of_cached", "above_cached"]
    )  # fmt: skip
    assert {(one.sample.fraction, one.sample.per_row, one.sample.key) for one in found} == {(0.25, 7, ("id",))}
    spark.read.format("delta").load(str(tmp_path / "without")).createOrReplaceTempView("without_view")
    assert spark.read.format("delta").load(str(tmp_path / "cached")).schema == spark.table("without_view").schema
    assert spark.read.format("delta").load(str(tmp_path / "cached")).exceptAll(spark.table("without_view")).count() == 0
    spark.catalog.dropTempView("without_view")


def test_it_is_the_frame_that_it_was(frame: Any) -> None:
    tracked = spark_lineage.track(frame, rows=ASKED)
    assert type(tracked) is type(frame)
    assert tracked.schema == frame.schema
    assert tracked.collect() == frame.collect()
    assert tracked.toPandas().equals(frame.toPandas())
    assert tracked.select(frame["id"]).count() == 100
    assert _optimized(tracked) == _optimized(frame)


def _optimized(frame: Any) -> str:
    """What is left of the plan when it is run, without the numbers of columns."""
    return re.sub(r"#\d+L?", "", frame._jdf.queryExecution().optimizedPlan().treeString())


def test_names_with_an_alias_before_them_stay(spark: Any, frame: Any) -> None:
    frame.createOrReplaceTempView("named")
    assert spark_lineage.track(frame.alias("a"), rows=ASKED).select("a.id").count() == 100
    assert spark_lineage.track(spark.table("named"), rows=ASKED).select("named.k").count() == 100
    spark.catalog.dropTempView("named")


def test_the_hidden_column_of_files_stays(spark: Any, frame: Any, tmp_path: Path) -> None:
    frame.write.parquet(str(tmp_path / "files"))
    tracked = spark_lineage.track(spark.read.parquet(str(tmp_path / "files")), rows=ASKED)
    assert tracked.select("_metadata.file_path").distinct().count() >= 1


def test_a_column_that_tells_which_rows_are_chosen(frame: Any) -> None:
    tracked = spark_lineage.track(frame, rows=Sample(0.25, column="_lineage"), key=["id"])
    assert tracked.columns == [*frame.columns, "_lineage"]
    chosen = tracked.where("_lineage IS NOT NULL")
    assert 10 < chosen.count() < 45
    assert chosen.where(F.col("_lineage") != F.xxhash64("id")).count() == 0


def test_what_cannot_be_done_is_told_and_the_frame_is_given_back(frame: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert spark_lineage.track(frame, rows=ASKED, key=["absent"]) is frame
        assert spark_lineage.track(frame, rows=Sample(column="ID")) is frame
    assert "no column absent" in caplog.text
    assert "has a column ID already" in caplog.text


def test_a_sample_and_its_alias() -> None:
    asked = Sample(0.5, 10, "_lineage", ("a b", "ü"))
    assert sample_of(alias_of(asked)) == asked
    assert sample_of("t") is None
    assert sample_of(alias_of(asked)[:-8]) is None
    for wrong in ({"fraction": 0}, {"fraction": 1.5}, {"per_row": 0}):
        with pytest.raises(ValueError, match="set it to"):
            Sample(**wrong)  # type: ignore[arg-type]
