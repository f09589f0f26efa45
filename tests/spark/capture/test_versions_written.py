"""Each commit is told of the execution that made it: threads, sessions, retries, failures, and where Delta's hooks are missing."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from captured import Capture, documents, executions, versions_written
from resolved import records_of as records

from spark_lineage.capture.attach import attach, detach
from spark_lineage.snapshot.taking import take
from spark_lineage.store.tables import Store

ROOT = Path(__file__).parents[3]
WHO = "spark.databricks.delta.commitInfo.userMetadata"
TURNS = 3


@pytest.mark.parametrize("many", [6, pytest.param(16, marks=pytest.mark.soak)])
def test_threads_with_sessions_of_their_own_append_and_merge(many: int, spark: Any, capture: Capture) -> None:
    """Each thread signs its commits; merges conflict with each other and are tried again."""
    table = str(capture.data / "t")
    spark.range(20).selectExpr("id", "0 AS v").write.format("delta").save(table)
    unexpected: list[BaseException] = []

    def work(number: int) -> None:
        session = spark.newSession()
        session.conf.set(WHO, f"thread {number}")
        for _ in range(TURNS):
            try:
                if number % 4:
                    session.range(number * 100, number * 100 + 1).selectExpr("id", "1 AS v").write.format("delta").mode(
                        "append"
                    ).save(table)
                else:
                    _merge_until_it_holds(session, table, number)
            except BaseException as error:
                unexpected.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unexpected == []
    recorded = [one for one in capture.executions() if one["confs"].get(WHO)]
    log = {row.version: row.userMetadata for row in spark.sql(f"DESCRIBE HISTORY delta.`{table}`").collect()}
    told = {version: one["confs"][WHO] for one in recorded for version in versions_written(one).get("t", [])}
    assert told == {version: who for version, who in log.items() if who is not None}
    assert len(told) == many * TURNS
    for one in recorded:
        assert len(versions_written(one).get("t", [])) == (1 if one["status"] == "succeeded" else 0)
        assert one["incomplete"] == []


def _merge_until_it_holds(session: Any, table: str, number: int) -> None:
    for _ in range(50):
        try:
            session.sql(
                f"MERGE INTO delta.`{table}` t USING (SELECT {number} id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = v + 1"
            ).collect()
            return
        except Exception as error:
            if "DELTA_CONCURRENT" not in str(error):
                raise
    raise AssertionError("fifty conflicts in a row")


@contextmanager
def faulty(spark: Any, point: str, inbox: Path) -> Iterator[Any]:
    """Attached with a fault in the bridge."""
    system = spark._jvm.System
    system.setProperty("spark.lineage.fault", f"raise:{point}")
    try:
        yield attach(spark, inbox=str(inbox), ingest="none", strict=True)
    finally:
        system.clearProperty("spark.lineage.fault")
        detach(spark)


def test_without_hooks_the_log_tells_and_the_version_is_inferred(spark: Any, tmp_path: Path) -> None:
    with faulty(spark, "commits", tmp_path / "inbox") as attachment:
        spark.range(3).write.format("delta").save(str(tmp_path / "t"))
        spark.range(3).write.format("delta").mode("append").save(str(tmp_path / "t"))
        spark.sql(f"UPDATE delta.`{tmp_path}/t` SET id = 7 WHERE id = 1")
        spark.sql(f"DELETE FROM delta.`{tmp_path}/t` WHERE id = 99")
        spark.sql("CREATE TABLE inferred_ctas USING delta AS SELECT 1 AS a")
        assert attachment.flush(60)  # the log is looked at after the write, and goes with the table
        spark.sql("DROP TABLE inferred_ctas")
    made = [records(one) for one in executions(tmp_path / "inbox")]
    outputs = [
        (o.delta_version_before, o.delta_version, o.version_basis, o.rows_written) for one in made[:5] for o in one.outputs
    ]
    assert outputs == [
        (-1, 0, "inferred", 3),
        (0, 1, "inferred", 3),
        (1, 2, "inferred", 2),
        (None, None, "exact", 0),
        (-1, 0, "inferred", 1),
    ]
    assert [one.executions[0].incomplete_reasons for one in made[:5]] == [()] * 5


def test_without_hooks_what_fits_twice_stays_unknown(spark: Any, tmp_path: Path) -> None:
    """Two appends at one time, each waiting for the other's task, each signed: the later one has both commits in its time, and
    does not guess. What is told is right."""
    table = str(tmp_path / "t")
    spark.range(0).write.format("delta").save(table)
    names = ("one", "two")
    with faulty(spark, "commits", tmp_path / "inbox"):

        def append(name: str) -> None:
            session = spark.newSession()
            session.conf.set(WHO, name)
            rows = session.range(20, numPartitions=1).select(meeting(tmp_path, name, names)("id").alias("id"))
            rows.write.format("delta").mode("append").save(table)

        threads = [threading.Thread(target=append, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    log = {row.userMetadata: row.version for row in spark.sql(f"DESCRIBE HISTORY delta.`{table}`").collect()}
    assert set(log) == {None, *names}, "both have committed"
    told: dict[str, int | None] = {}
    for document in executions(tmp_path / "inbox"):
        (output,) = records(document).outputs
        told[document["confs"][WHO]] = output.delta_version
        if output.delta_version is None:
            assert "fit where 1 was made" in records(document).executions[0].incomplete_reasons[0]
        else:
            assert output.version_basis == "inferred"
    assert set(told) == set(names)
    assert None in told.values()
    assert {name: version for name, version in told.items() if version is not None}.items() <= log.items()


def meeting(folder: Path, name: str, names: tuple[str, ...]) -> Any:
    """A function of SQL that gives back what it is given, once the tasks of all names are there."""
    from pyspark.sql.functions import udf

    @udf("bigint")
    def meet(value):  # type: ignore[no-untyped-def]  # Spark would take types here for those of a pandas function
        (folder / f"task-{name}").touch()
        deadline = time.monotonic() + 240
        while not all((folder / f"task-{other}").exists() for other in names):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is alone")
            time.sleep(0.02)
        return value

    return meet


def test_a_commit_that_was_not_understood_marks_its_own_execution_only(spark: Any, tmp_path: Path) -> None:
    table = str(tmp_path / "t")
    with faulty(spark, "commit", tmp_path / "inbox"):
        spark.range(3).write.format("delta").save(table)
        spark._jvm.System.clearProperty("spark.lineage.fault")
        spark.range(3).write.format("delta").mode("append").save(table)
    (first, second) = executions(tmp_path / "inbox")
    assert [(one["version"], one["basis"]) for one in first["commits"]] == [(0, "inferred")]
    assert [(one["version"], one["basis"]) for one in second["commits"]] == [(1, "exact")]
    assert first["incomplete"] == second["incomplete"] == []


def test_a_commit_outside_of_any_execution_does_not_mark_the_next_write(spark: Any, capture: Capture) -> None:
    from delta.tables import DeltaTable

    spark.range(3).write.parquet(str(capture.data / "files"))
    DeltaTable.convertToDelta(spark, f"parquet.`{capture.data}/files`")
    spark.range(3).write.format("delta").save(str(capture.data / "t"))
    (_, outside, write) = capture.executions()
    assert "sql_id" not in outside
    assert [(one["operation"], one["version"]) for one in outside["commits"]] == [("CONVERT", 0)]
    assert outside["run_id"] == capture.attachment.run_id
    assert write["incomplete"] == []


def test_metadata_that_only_looks_like_a_default_costs_no_commit(spark: Any, capture: Capture) -> None:
    from pyspark.sql import functions as sql

    rows = spark.range(3).select(sql.col("id").alias("id", metadata={"CURRENT_DEFAULT": 5}))
    rows.write.format("delta").save(str(capture.data / "t"))
    (recorded,) = capture.executions()
    (commit,) = recorded["commits"]
    assert (commit["version"], commit["basis"]) == (0, "exact")
    assert "defaults" not in commit


def test_a_multi_insert_whose_second_target_fails_keeps_the_first(spark: Any, capture: Capture) -> None:
    for name in ("one", "two"):
        spark.range(0).selectExpr("id", "0 AS v").write.format("delta").save(str(capture.data / name))
    spark.range(3).createOrReplaceTempView("three")
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        spark.sql(
            f"FROM three INSERT INTO delta.`{capture.data}/one` SELECT id, 1 INSERT INTO delta.`{capture.data}/two` SELECT id, int(1 / (id - id))"
        )
    document = capture.executions()[-1]
    made = records(document)
    assert document["status"] == "failed"
    assert [(o.name.rsplit("/", 1)[-1], o.delta_version, o.rows_written) for o in made.outputs] == [("one", 1, 3)]
    assert {edge.target_name.rsplit("/", 1)[-1] for edge in made.column_lineage} == {"one"}


def test_failed_writes_say_what_they_left(spark: Any, capture: Capture) -> None:
    files, table = str(capture.data / "files"), str(capture.data / "t")
    spark.range(3).write.parquet(files)
    spark.range(3).write.format("delta").save(table)
    wrong = spark.range(3).selectExpr("1 / (id - id) AS x")
    twice = f"MERGE INTO delta.`{table}` t USING (SELECT 1 id UNION ALL SELECT 1) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET id = 9"
    steps: list[Callable[[], Any]] = [
        lambda: wrong.write.mode("overwrite").parquet(files),
        lambda: wrong.write.format("delta").saveAsTable("half_made"),
        lambda: spark.sql(twice),
    ]
    for step in steps:
        with pytest.raises(Exception, match=r"DIVIDE_BY_ZERO|DELTA_MULTIPLE_SOURCE_ROW"):
            step()
    spark.sql("DROP TABLE IF EXISTS half_made")
    (overwrite, create, merge) = [records(one) for one in capture.executions() if one["status"] == "failed"]
    assert [one.outputs for one in (overwrite, create, merge)] == [(), (), ()]
    assert overwrite.executions[0].incomplete_reasons == ("a failed overwrite of files may have deleted what was there",)
    assert merge.executions[0].error_message is not None


def test_what_was_scanned_twice_says_so(spark: Any, capture: Capture) -> None:
    table = str(capture.data / "t")
    spark.range(10).selectExpr("id", "id % 2 AS k").coalesce(1).write.format("delta").save(table)
    spark.read.format("delta").load(table).createOrReplaceTempView("scanned")
    spark.sql("SELECT a.id FROM scanned a JOIN scanned b ON a.id = b.k + 5").collect()
    spark.sql("WITH g AS (SELECT k, count(id) n FROM scanned GROUP BY k) SELECT * FROM g a JOIN g b ON a.k = b.k").collect()
    (_, twice, once) = [one for one in capture.executions() if one["name"] != "command" or one["commits"]]
    assert [(one.scans, one.rows_read) for one in records(twice).inputs] == [(2, 20)]
    assert [(one.scans, one.rows_read) for one in records(once).inputs] == [(1, 10)]


@pytest.mark.soak
def test_tried_again_tasks_count_once_and_a_second_session_has_a_folder_of_its_own(
    spark_submit: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = spark_submit(
        ROOT / "tests/spark/programs/retried_job.py",
        str(tmp_path / "data"),
        str(tmp_path / "inbox"),
        conf={"spark.master": "local[2,3]"},
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "the first attempt fails" in done.stdout + done.stderr, "the tasks have to fail for this to be a test"
    ends = [one for one in documents(tmp_path / "inbox") if one["kind"] == "run_end"]
    assert len({one["application_run_id"] for one in ends}) == len(ends) == 2
    for name in ("first", "second"):
        mine = [one for one in executions(tmp_path / "inbox") if f"/{name}/" in json.dumps([one["commits"], one["writes"]])]
        assert len({one["application_run_id"] for one in mine}) == 1
        assert [records(one).executions[0].rows_written for one in mine] == [1000, 1000, 1000]
        assert [one.rows_read for document in mine[1:] for one in records(document).inputs] == [1000, 1000]
        for document, table in zip(mine, ("source", "delta"), strict=False):
            (output,) = records(document).outputs
            taken = take(Store.open(tmp_path / "store", create=True), str(tmp_path / "data" / name / table))
            assert (output.observed_rows, output.observed_checksum) == (1000, taken.checksum), "summed in the same pass, once"
