"""Executions recorded = commands typed, each with the versions that were really read and written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspark
import pytest
from captured import Capture, root_class, versions_read, versions_written
from pyspark.sql import functions as sf


@dataclass(frozen=True)
class Case:
    """One thing a user does, and what its one document must say. `folders`: name -> versions."""

    name: str
    act: Callable[[Any, Path], Any]
    root: str
    read: dict[str, set[int | None]] = field(default_factory=dict)
    written: dict[str, list[int]] = field(default_factory=dict)
    files_written: str | None = None


def _prepare(spark: Any, data: Path) -> None:
    """Tables `cmd.a` (Delta, versions 0 and 1), `cmd.b` (Delta), `cmd.p` (Parquet), files c.csv and j.json."""
    spark.sql(f"CREATE DATABASE IF NOT EXISTS cmd LOCATION '{data}/cmd'")
    frame = spark.createDataFrame([(1, "x", 1.0), (2, "y", 2.0), (3, "x", 3.0)], "id int, k string, v double")
    frame.write.format("delta").saveAsTable("cmd.a")
    frame.write.format("delta").mode("append").saveAsTable("cmd.a")
    frame.write.format("delta").saveAsTable("cmd.b")
    frame.write.format("parquet").saveAsTable("cmd.p")
    (data / "c.csv").write_text("id,k,v\n1,x,1.0\n2,y,2.0\n")
    (data / "j.json").write_text('{"id": 1, "k": "x"}\n')


# Spark 4.1 wraps the command that 4.0 posts as it is.
SAVE_AS_TABLE = "SaveAsV1TableCommand" if not pyspark.__version__.startswith("4.0.") else "CreateDataSourceTableAsSelectCommand"

CASES = [
    Case("csv to parquet", lambda s, d: s.read.csv(str(d / "c.csv"), header=True, inferSchema=True).write.parquet(str(d / "o1")),
         "InsertIntoHadoopFsRelationCommand", {"c.csv": {None}}, files_written="o1"),
    Case("json to delta path", lambda s, d: s.read.json(str(d / "j.json")).write.format("delta").save(str(d / "o2")),
         "SaveIntoDataSourceCommand", {"j.json": {None}}, {"o2": [0]}),
    Case("delta path append", lambda s, d: s.table("cmd.b").write.format("delta").mode("append").save(str(d / "cmd/a")),
         "SaveIntoDataSourceCommand", {"b": {0}}, {"a": [2]}),
    Case("ctas", lambda s, d: s.sql("CREATE TABLE cmd.c1 USING delta AS SELECT k, sum(v) s FROM cmd.a GROUP BY k"),
         "CreateTableAsSelect", {"a": {1}}, {"c1": [0]}),
    Case("ctas, collected", lambda s, d: s.sql("CREATE TABLE cmd.c2 USING delta AS SELECT * FROM cmd.a").collect(),
         "CreateTableAsSelect", {"a": {1}}, {"c2": [0]}),
    Case("saveAsTable delta", lambda s, d: s.table("cmd.a").write.format("delta").saveAsTable("cmd.c3"),
         "CreateTableAsSelect", {"a": {1}}, {"c3": [0]}),
    Case("saveAsTable parquet", lambda s, d: s.table("cmd.a").write.format("parquet").saveAsTable("cmd.c4"),
         SAVE_AS_TABLE, {"a": {1}}, files_written="c4"),
    Case("insert", lambda s, d: s.sql("INSERT INTO cmd.b SELECT * FROM cmd.a"), "AppendData", {"a": {1}}, {"b": [1]}),
    Case("insert overwrite", lambda s, d: s.sql("INSERT OVERWRITE cmd.b SELECT * FROM cmd.a"),
         "OverwriteByExpression", {"a": {1}}, {"b": [1]}),
    Case("insertInto parquet", lambda s, d: s.table("cmd.a").write.insertInto("cmd.p"),
         "InsertIntoHadoopFsRelationCommand", {"a": {1}}, files_written="p"),
    Case("writeTo append", lambda s, d: s.table("cmd.a").writeTo("cmd.b").append(), "AppendData", {"a": {1}}, {"b": [1]}),
    Case("merge", lambda s, d: s.sql("MERGE INTO cmd.b t USING (SELECT id + 2 id, k, v FROM cmd.p) s ON t.id = s.id "
                                    "WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *"),
         "MergeIntoCommand", {"p": {None}, "b": {0}}, {"b": [1]}),
    Case("update", lambda s, d: s.sql("UPDATE cmd.b SET v = v * 2 WHERE k = 'x'"), "UpdateCommand", {"b": {0}}, {"b": [1]}),
    Case("update of nothing", lambda s, d: s.sql("UPDATE cmd.b SET v = 0 WHERE k = 'none'"), "UpdateCommand"),
    Case("delete", lambda s, d: s.sql("DELETE FROM cmd.b WHERE id = 1"), "DeleteCommand", {"b": {0}}, {"b": [1]}),
    Case("time travel", lambda s, d: s.sql("CREATE TABLE cmd.c5 USING delta AS SELECT * FROM cmd.a VERSION AS OF 0"),
         "CreateTableAsSelect", {"a": {0}}, {"c5": [0]}),
    Case("collect", lambda s, d: s.table("cmd.a").collect(), "SubqueryAlias", {"a": {1}}),
    Case("count", lambda s, d: s.table("cmd.a").where("v > 1").count(), "Aggregate", {"a": {1}}),
    Case("toPandas", lambda s, d: s.table("cmd.a").toPandas(), "SubqueryAlias", {"a": {1}}),
    Case("cached", lambda s, d: _cached(s, d), "SaveIntoDataSourceCommand", {"a": {1}}, {"o3": [0]}),
]  # fmt: skip


def _cached(spark: Any, data: Path) -> None:
    frame = spark.table("cmd.a").where("v > 0").cache()
    frame.write.format("delta").save(str(data / "o3"))
    frame.unpersist()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_command_is_one_document(case: Case, spark: Any, capture: Capture) -> None:
    _prepare(spark, capture.data)
    try:
        before = len(capture.executions())
        case.act(spark, capture.data)
        recorded = capture.executions()[before:]
    finally:
        spark.sql("DROP DATABASE cmd CASCADE")
    assert [root_class(document) for document in recorded] == [case.root]
    assert versions_read(recorded[0]) == case.read
    assert versions_written(recorded[0]) == case.written
    assert all(commit["basis"] == "exact" for commit in recorded[0]["commits"])
    if case.files_written is not None:
        assert [write["path"].rsplit("/", 1)[-1] for write in recorded[0]["writes"]] == [case.files_written]
        assert recorded[0]["writes"][0]["rows"] > 0
    assert recorded[0]["status"] == "succeeded"
    assert recorded[0]["incomplete"] == []


def test_a_stale_frame_gets_the_version_it_scanned(spark: Any, capture: Capture) -> None:
    table = str(capture.data / "t")
    spark.range(3).write.format("delta").save(table)
    stale = spark.read.format("delta").load(table)
    spark.range(3, 6).write.format("delta").mode("append").save(table)
    rows = stale.count()
    stale.write.format("delta").save(str(capture.data / "copy"))
    spark.range(6, 9).write.format("delta").mode("append").save(table)
    document = next(d for d in capture.executions() if "copy" in versions_written(d))
    assert rows == 6, "this Delta reads the latest version for a frame that was analysed earlier"
    assert versions_read(document) == {"t": {1}}


def test_eight_threads_on_one_table_each_get_their_own_version(spark: Any, capture: Capture) -> None:
    table = str(capture.data / "t")
    spark.range(0).write.format("delta").save(table)
    errors: list[BaseException] = []

    def append(thread: int) -> None:
        try:
            for turn in range(3):
                frame = spark.range(1).select((sf.col("id") + thread * 100 + turn).alias("id"))
                frame.write.format("delta").mode("append").save(table)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    recorded = [document for document in capture.executions() if versions_written(document) != {"t": [0]}]
    versions = sorted(version for document in recorded for version in versions_written(document)["t"])
    assert versions == list(range(1, 25))
    for document in recorded:
        (version,) = versions_written(document)["t"]
        assert _literals(document) == _ids_added(spark, table, version), "the version belongs to another execution"


def _literals(document: dict[str, Any]) -> int:
    """The number that the execution wrote: the sum of the two literals in its projection."""
    import re

    return sum(int(number) for number in re.findall(r'"l": "(\d+)"', __import__("json").dumps(document["analyzed"])))


def _ids_added(spark: Any, table: str, version: int) -> int:
    """The number that this version added, from Delta's own log."""
    after = {row.id for row in spark.read.format("delta").option("versionAsOf", version).load(table).collect()}
    before = {row.id for row in spark.read.format("delta").option("versionAsOf", version - 1).load(table).collect()}
    (added,) = after - before
    return int(added)


def test_a_failed_write_is_recorded_with_its_error(spark: Any, capture: Capture) -> None:
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        spark.sql("SELECT 1 / id AS x FROM range(3)").write.format("delta").save(str(capture.data / "t"))
    (document,) = capture.executions()
    assert document["status"] == "failed"
    assert "DIVIDE_BY_ZERO" in document["error_message"]
    assert document["error_class"].startswith("org.apache.spark.")
    assert document["commits"] == []
