"""`rows.column`: rows that jobs write get a column with the keys of those that are chosen, and a job that cannot have it goes on without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from column_job import Written, keys, recorded

import spark_lineage


@pytest.fixture(scope="module")
def written(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    with recorded(spark, tmp_path_factory.mktemp("column"), _job, sampled="saved") as found:
        yield found


def _job(spark: Any, root: str) -> None:
    ids = spark.read.format("delta").load(f"{root}/ids")
    ids.write.format("delta").save(f"{root}/saved")
    ids.where("id < 5").selectExpr("name", "id", "p").write.format("delta").mode("append").save(f"{root}/saved")
    spark.sql(f"INSERT INTO delta.`{root}/saved` SELECT id + 2000, 0, 'by position', 7 FROM delta.`{root}/ids` LIMIT 3")
    spark.sql(f"CREATE TABLE delta.`{root}/made` USING delta AS SELECT id FROM delta.`{root}/ids`")
    spark.sql(f"INSERT INTO delta.`{root}/made` (id) SELECT id + 1000 FROM delta.`{root}/ids`")
    ids.write.format("delta").mode("append").save(f"{root}/there")
    ids.write.format("delta").save(f"{root}/none")


def test_the_rows_have_it_beside_what_they_had(written: Written) -> None:
    for name, version, count in (("saved", 0, 100), ("saved", 1, 105), ("made", 0, 100), ("made", 1, 200)):
        rows = written.read(name, version)
        assert rows.columns[-1] == "_lineage"
        assert (rows.count(), rows.where(~keys(rows)).count()) == (count, 0), (name, version)
        assert written.told(name, version) == ("_lineage", "")
    ids = written.read("ids")
    assert written.read("saved", 0).drop("_lineage").exceptAll(ids).count() == 0
    assert 10 < written.read("saved", 0).where("_lineage IS NOT NULL").count() < 60


def test_a_table_that_is_there_without_it_stays_so(written: Written) -> None:
    column, reason = written.told("there", 1)
    assert column is None
    assert reason == (
        f"rows.column: {written.root}/there is written without _lineage: the table is there without it, and the write does not replace its columns"
    )
    assert (written.read("there").columns, written.read("there").count()) == (["id", "p", "name"], 110)
    assert written.read("none").columns == ["id", "p", "name"], "its share is 0"
    assert written.read("after").columns == ["id", "p", "name"], "it is not attached any more"


def test_by_position_the_job_gives_it_itself(written: Written) -> None:
    column, reason = written.told("saved", 2)
    assert column is None
    assert reason == f"rows.column: {written.root}/saved is written without _lineage: the rows have a column _lineage already"
    assert {row["_lineage"] for row in written.read("saved").where("id >= 2000").collect()} == {7}


def test_the_sample_is_of_the_rows_that_have_a_key(written: Written) -> None:
    lineage = spark_lineage.open(written.root / "store")
    told = {row["_lineage"] for row in written.read("saved", 0).where("_lineage IS NOT NULL").collect()}
    rows = lineage.row_lineage(str(written.root / "saved"), version=0)
    assert {row.target_key for row in rows} == told
    assert {row.completeness for row in rows} == {"exact"}
    sample = written.samples["saved", 0]
    assert (sample.reason, sample.rows_chosen, sample.key) == (None, len(told), ("id",))


def test_the_rows_are_traced_and_replayed_as_without(written: Written) -> None:
    lineage = spark_lineage.open(written.root / "store")
    (hop,) = lineage.trace(str(written.root / "saved"), where="id = 42", version=0, spark=written.spark)
    assert hop.witness is not None
    assert (hop.witness.completeness, hop.witness.sources[0].rows[0].values["id"]) == ("exact", 42)
    (replayed,) = lineage.replay(written.outputs["saved", 0].execution_id, spark=written.spark)
    assert (replayed.verdict, replayed.reason) == ("identical", None)
