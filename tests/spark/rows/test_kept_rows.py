"""What is kept of rows is worth something later: their values are found again, a trace that ends says what a sample has, and counts are true."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType
from test_failures import settings

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.config import load
from spark_lineage.errors import TraceError
from spark_lineage.ingest import ingest
from spark_lineage.rows import hops
from spark_lineage.rows.due import due
from spark_lineage.rows.identity import PREFIX, identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.rows.tracing import follow
from spark_lineage.rows.witness import Hop
from spark_lineage.snapshot.with_spark import first_line_of_spark, storable
from spark_lineage.store.tables import Store


@dataclass(frozen=True)
class Kept:
    """A folder with tables, and samples of all their rows; what is done to the sources afterwards is each test's."""

    spark: Any
    root: Path

    @property
    def store(self) -> str:
        return str(self.root / "store")

    def rows(self, table: str) -> Any:
        return spark_lineage.open(self.store).row_lineage(str(self.root / table))

    def trace(self, table: str, where: str, **more: Any) -> Hop:
        (hop,) = spark_lineage.open(self.store).trace(str(self.root / table), where=where, spark=self.spark, **more)
        return hop

    def ask(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["--store", self.store, *arguments], catch_exceptions=False)
        return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def kept(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    root = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        rows = spark.sql("SELECT id, id % 3 AS third, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 2)")
        for name in ("source", "gone"):
            rows.write.format("delta").save(str(root / name))
        spark.sql(
            f"CREATE TABLE delta.`{root}/numbered` USING delta TBLPROPERTIES (delta.enableRowTracking = true) AS "
            f"SELECT * FROM delta.`{root}/source`"
        )
        lines = spark.sql("SELECT id % 30 AS id, id % 30 % 2 AS half FROM range(0, 60, 1, 2)")
        lines.write.option("header", True).csv(str(root / "lines"))
        rows.write.parquet(str(root / "raw"))
        spark.sql(f"CREATE TABLE delta.`{root}/changed` USING delta AS SELECT id, amount FROM delta.`{root}/source`")
        attachment = attach(
            spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="kept", rows_sample=1, rows_max=3, rows_datasets=["*/few=0.99"],
        )  # fmt: skip
        assert attachment is not None
        for name, source in (("of_source", "source"), ("of_numbered", "numbered"), ("of_gone", "gone"), ("few", "source")):
            spark.sql(
                f"CREATE TABLE delta.`{root}/{name}` USING delta AS SELECT third, sum(amount) AS total FROM delta.`{root}/{source}` GROUP BY third"
            )
        read = spark.read.option("header", True).schema("id BIGINT, half BIGINT").csv(str(root / "lines"))
        read.groupBy("half").count().write.format("delta").save(str(root / "of_lines"))
        spark.read.parquet(str(root / "raw")).groupBy("third").count().write.format("delta").save(str(root / "of_raw"))
        spark.sql(
            f"MERGE INTO delta.`{root}/changed` t USING (SELECT id, amount + 100 AS amount FROM delta.`{root}/source` WHERE id < 2) s ON t.id = s.id "
            "WHEN MATCHED THEN UPDATE SET amount = s.amount"
        )
        spark.sql(f"CREATE TABLE delta.`{root}/many` USING delta AS SELECT id FROM delta.`{root}/source`")
        assert attachment.flush(60)
        detach(spark)
        assert ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key")).quarantined == 0
        store = Store.open(str(root / "store"))
        list(take_samples(spark, store, due(store, load(store=str(root / "store"))), Limits(key=str(root / "key"))))
        yield Kept(spark, root)


@pytest.mark.soak
def test_the_values_of_rows_that_are_kept(kept: Kept) -> None:
    """Known by file and place, by Delta's ids, by their content: all columns of what was read then."""
    for table, kind in (("of_source", "file_row"), ("of_numbered", "row_id"), ("of_lines", "fingerprint")):
        rows = kept.rows(table)
        assert {row.source_row_kind for row in rows} == {kind}, table
        values = spark_lineage.open(kept.store).row_values(rows, spark=kept.spark)
        if table == "of_lines":
            assert sorted((one["id"], one["half"], row.multiplicity) for row, one in zip(rows, values, strict=True)) == [
                (number, number % 2, 2) for number in range(30)
            ]
            continue
        totals = {row["third"]: row["total"] for row in kept.spark.read.format("delta").load(str(kept.root / table)).collect()}
        for target in {row.target_row for row in rows}:
            mine = [one for row, one in zip(rows, values, strict=True) if row.target_row == target]
            (third,) = {one["third"] for one in mine}
            assert sum(one["amount"] for one in mine) == totals[third]


@pytest.mark.soak
def test_they_are_shown(kept: Kept) -> None:
    code, text = kept.ask("--json", "rows", "show", str(kept.root / "of_source"), "--values")
    assert (code, sorted(one["values"]["id"] for one in json.loads(text))) == (0, list(range(12)))
    code, text = kept.ask("rows", "show", str(kept.root / "of_source"), "--values", "--limit", "2")
    assert (code, text.count("amount=")) == (0, 2)
    code, text = kept.ask("--json", "rows", "show", str(kept.root / "of_source"))
    assert (code, "values" in json.loads(text)[0]) == (0, False)


@pytest.mark.soak
def test_where_a_trace_ends_the_sample_is_told(kept: Kept) -> None:
    """Its source is vacuumed: the rows that made it are known by their ids, and the label is that of the sample."""
    before = kept.trace("of_gone", "third = 1")
    assert before.witness is not None
    shutil.rmtree(kept.root / "gone")
    after = kept.trace("of_gone", "third = 1")
    assert (after.ended, after.witness is None) == (None, False)
    assert after.witness is not None
    (then,), (now,) = before.witness.sources, after.witness.sources
    assert {(row.file, row.position) for row in now.rows} == {(row.file, row.position) for row in then.rows}
    assert (now.namespace, now.name, now.version, now.count) == (then.namespace, then.name, then.version, 4)
    assert after.witness.completeness == "exact"
    assert "from the sample that was taken on" in after.witness.reasons[0]
    assert [row.values for row in now.rows] == [{}] * 4
    code, text = kept.ask("trace", str(kept.root / "of_gone"), "--where", "third = 1")
    assert (code, "position" in text) == (0, True)
    code, text = kept.ask("rows", "show", str(kept.root / "of_gone"), "--values")
    assert code == 1


@pytest.mark.soak
def test_where_the_version_before_a_command_is_gone(kept: Kept) -> None:
    """The rows that MERGE changed are in its sample."""
    assert getattr(kept.trace("changed", "id = 1").witness, "completeness", None) == "exact"
    with settings(kept.spark, {"spark.databricks.delta.retentionDurationCheck.enabled": "false"}):
        kept.spark.sql(f"VACUUM delta.`{kept.root}/changed` RETAIN 0 HOURS")
    hop = kept.trace("changed", "id = 1")
    assert hop.witness is not None, hop.ended
    assert "from the sample that was taken on" in hop.witness.reasons[0]
    assert {Path(source.name).name for source in hop.witness.sources} == {"changed", "source"}


@pytest.mark.soak
def test_of_many_equal_rows_not_all_are_followed(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said."""
    for _ in range(4):
        kept.spark.sql("SELECT 1 AS one").write.format("delta").mode("append").save(str(kept.root / "equal"))
    kept.spark.sql(f"OPTIMIZE delta.`{kept.root}/equal`")
    hop = spark_lineage.open(kept.store).trace(str(kept.root / "equal"), where="one = 1", spark=kept.spark)[0]
    assert (hop.passed or "").endswith("is looked for in version 3")
    monkeypatch.setattr(hops, "_EQUALS", 2)
    hop = spark_lineage.open(kept.store).trace(str(kept.root / "equal"), where="one = 1", spark=kept.spark)[0]
    assert (hop.passed or "").endswith("of more than 2 rows of version 3 that are equal the first 2 are followed")


@pytest.mark.soak
def test_versions_that_are_older_than_delta_lets_anybody_read(kept: Kept) -> None:
    """Their files are there all the same."""
    table = f"delta.`{kept.root}/numbered`"
    kept.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.deletedFileRetentionDuration = 'interval 1 second')")
    time.sleep(2)
    kept.spark.sql(f"INSERT INTO {table} VALUES (100, 0, 1)")
    time.sleep(2)
    with pytest.raises(Exception, match="deletedFileRetentionDuration"):
        kept.spark.read.format("delta").option("versionAsOf", 0).load(str(kept.root / "numbered")).collect()
    rows = kept.rows("of_numbered")
    assert None not in spark_lineage.open(kept.store).row_values(rows, spark=kept.spark)
    assert kept.trace("of_numbered", "third = 1").witness is not None


@pytest.mark.soak
def test_files_that_were_written_again_in_their_place(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody takes their rows of now for those of then."""
    rows = kept.rows("of_raw")
    assert {row.source_row_kind for row in rows} == {"file_row"}
    lineage = spark_lineage.open(kept.store)
    assert None not in lineage.row_values(rows, spark=kept.spark)
    for file in (kept.root / "raw").glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.set_column(0, "id", pc.add(table.column("id"), 1000)), file)
        file.with_name(f".{file.name}.crc").unlink()
    assert lineage.row_values(rows, spark=kept.spark) == (None,) * len(rows)
    assert "12 of 12 rows of" in caplog.text
    witness = kept.trace("of_raw", "third = 1").witness
    assert witness is not None
    assert "may not be what was read then" in " ".join(witness.reasons)
    assert witness.completeness == "partial" or all(row.values == {} for row in witness.sources[0].rows)


@pytest.mark.soak
def test_where_no_plan_is_kept_the_sample_has_the_values(kept: Kept) -> None:
    """Without the sample there would be nothing: of another table's rows the trace ends."""
    from deltalake import DeltaTable

    for table in ("of_numbered", "of_source"):
        (execution,) = {row.execution_id for row in kept.rows(table)}
        DeltaTable(f"{kept.store}/plan_executables").delete(f"execution_id = '{execution}'")
    hop = kept.trace("of_numbered", "third = 2")
    assert hop.witness is not None
    assert sorted(row.values["id"] for row in hop.witness.sources[0].rows) == [2, 5, 8, 11]
    assert {row.kind for row in hop.witness.sources[0].rows} == {"row_id"}
    hop = kept.trace("of_numbered", "third < 2", limit=3)
    assert hop.witness is not None
    assert (hop.witness.completeness, len(hop.witness.sources[0].rows), hop.witness.sources[0].count) == ("truncated", 3, 8)
    DeltaTable(f"{kept.store}/row_samples").delete("name LIKE '%/of_source'")
    hop = kept.trace("of_source", "third = 2")
    assert hop.witness is None
    assert "no plan of" in str(hop.ended)


def test_what_a_run_asks_for_by_attach_is_known_to_who_takes_samples(kept: Kept) -> None:
    """Its share, that of its datasets, and how many rows at most."""
    listed = {Path(one.name).name: one for one in _samples(kept)}
    assert {name: one.fraction for name, one in listed.items() if name in ("of_gone", "few")} == {
        "of_gone": 1.0,
        "few": 0.99,
    }
    assert (listed["many"].rows_written, listed["many"].rows_chosen) == (12, 3)


def _samples(kept: Kept) -> Any:
    from spark_lineage.rows.stored import samples

    return samples(Store.open(kept.store))


@pytest.mark.soak
def test_equal_lines_are_counted_where_not_all_are_told(kept: Kept) -> None:
    hop = kept.trace("of_lines", "half = 0", limit=10)
    assert hop.witness is not None
    (source,) = hop.witness.sources
    assert (source.count, [row.multiplicity for row in source.rows]) == (30, [2] * 10)
    assert hop.witness.completeness == "truncated"


@pytest.mark.soak
def test_files_of_which_nothing_was_recorded(kept: Kept) -> None:
    """Without a fingerprint of their listing nothing tells whether they are those of then."""
    from deltalake import DeltaTable

    assert getattr(kept.trace("of_lines", "half = 1", limit=100).witness, "completeness", None) == "exact"
    DeltaTable(f"{kept.store}/inputs").update({"fingerprint": "NULL"}, predicate="name LIKE '%/lines'")
    witness = kept.trace("of_lines", "half = 1", limit=100).witness
    assert witness is not None
    assert (witness.completeness, "nothing tells whether that is what was read then" in " ".join(witness.reasons)) == (
        "partial",
        True,
    )


def _leaf(spark: Any, query: str, folder: Path) -> Any:
    spark.sql(query).write.parquet(str(folder))
    rows = spark.read.parquet(str(folder))
    return identified(rows, 0).select(rows.columns)


@pytest.mark.soak
def test_many_rows_are_counted_as_read(spark: Any, tmp_path: Path) -> None:
    """What comes after the blocks, to count the rows and to show some, is work too."""
    rows = _leaf(spark, "SELECT id, id % 2 AS half FROM range(0, 5000, 1, 2)", tmp_path / "rows")
    plan = rows.groupBy("half").count()
    found = follow(plan, local_frame(spark, [(1, 2500)], plan.schema), limit=5, most=100, fixed=True)
    assert found.rows[0][1] == 2500
    assert found.rows_read >= 2 * 5000  # once to count them, once for those that are shown


@pytest.mark.soak
@pytest.mark.parametrize("most", [20, 50_000])
def test_groups_that_are_lost_behind_many_rows(most: int, spark: Any, tmp_path: Path) -> None:
    """Ten groups are known by a value that is not the same the next time, beside one of ninety rows."""
    rows = _leaf(spark, "SELECT id FROM range(0, 100, 1, 2)", tmp_path / "rows")
    other = F.udf(lambda number: number + random.randrange(10**9), LongType())
    keyed = rows.withColumn("k", F.when(F.col("id") < 90, F.lit(0)).otherwise(other("id")))
    counts = keyed.groupBy("k").agg(F.count("*").alias("c"))
    plan = counts.agg(F.count("*").alias("groups"))
    found = follow(plan, local_frame(spark, [(11,)], plan.schema), limit=5, most=most)
    assert (found.missing, found.lost) == (0, 10)
    assert f"{PREFIX}0" not in plan.columns


def test_of_an_error_of_spark_its_condition_is_stored(spark: Any) -> None:
    with pytest.raises(PySparkException) as raised:
        spark.sql("SELECT CAST('secret 4711' AS INT)").collect()
    assert "secret" in str(raised.value)
    assert storable(raised.value).startswith("Spark failed with CAST_INVALID_INPUT;")
    try:
        try:
            raise TraceError(f"the plan of e cannot be followed: {first_line_of_spark(raised.value)}") from raised.value
        except TraceError as error:
            raise TraceError(f"{error}; files have changed") from error
    except TraceError as error:
        text = storable(error)
    assert text.startswith("the plan of e cannot be followed: Spark failed with CAST_INVALID_INPUT;")
    assert text.endswith("; files have changed")
    assert "secret" not in text
