"""What a document keeps of an execution so that it can be run again. That it does run again: tests/spark/replay."""

from __future__ import annotations

import base64
import getpass
import json
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from captured import Capture

from spark_lineage.capture.attach import attach, detach

Capturing = Callable[..., Capture]


@pytest.fixture
def capturing(spark: Any, tmp_path: Path) -> Iterator[Capturing]:
    """Attaches with options of the test's own."""
    (tmp_path / "data").mkdir()

    def start(**options: Any) -> Capture:
        attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, **options)
        assert attachment is not None
        return Capture(spark, attachment, tmp_path / "inbox", tmp_path / "data")

    yield start
    detach(spark)


def save(capture: Capture, query: str) -> dict[str, Any]:
    """The document of a query that is saved."""
    capture.spark.sql(query).write.format("parquet").mode("overwrite").save(f"{capture.data}/out")
    return capture.executions()[-1]


def literals_of(document: dict[str, Any]) -> bytes:
    """The plan's bytes; texts stand in them as they are."""
    return zlib.decompress(base64.b64decode(document["executable"]["blob"]))


def test_writes_have_one_and_reads_do_not(capture: Capture) -> None:
    written = save(capture, "SELECT id FROM range(3)")
    assert len(base64.b64decode(written["executable"]["blob"])) < 5000
    assert written["executable"]["commands"][0]["class"] == "InsertIntoHadoopFsRelationCommand"
    assert written["executable"]["commands"][0]["mode"] == "Overwrite"
    capture.spark.range(3).collect()
    assert "executable" not in capture.executions()[-1]


def test_reads_have_one_where_the_policy_says_so_and_nothing_has_one_where_it_is_off(
    capturing: Capturing, spark: Any, tmp_path: Path
) -> None:
    capture = capturing(executables="all")
    spark.range(3).collect()
    assert capture.executions()[-1]["executable"]["commands"] == [None]
    detach(spark)
    capture = capturing(executables="off")
    document = save(capture, "SELECT id FROM range(3)")
    assert "executable" not in document
    assert document["incomplete"] == []


def test_what_has_no_rows_has_none_and_that_is_no_shortcoming(capture: Capture) -> None:
    capture.spark.sql(f"CREATE TABLE delta.`{capture.data}/t` (id BIGINT) USING delta")
    capture.spark.sql(f"ALTER TABLE delta.`{capture.data}/t` SET TBLPROPERTIES ('a' = 'b')")
    documents = capture.executions()
    assert len(documents) == 2
    assert all("executable" not in document and document["incomplete"] == [] for document in documents)


def test_one_over_its_budget_is_left_out_with_a_reason(capturing: Capturing) -> None:
    document = save(capturing(executables_max_bytes=200), "SELECT id FROM range(3)")
    assert "executable" not in document
    assert document["incomplete"] == ["executable: over its byte budget (200)"]


def test_one_with_a_literal_that_looks_like_a_secret_is_left_out(capture: Capture) -> None:
    document = save(capture, "SELECT id, 'password=hunter2' AS note FROM range(3)")
    assert document["incomplete"] == ["executable: one of its literals looks like a secret"]
    assert "executable" not in document


@pytest.mark.parametrize(
    "value", ["'password=hunter2'", "array('a', 'password=hunter2')", "map('k', struct('password=hunter2'))"]
)
def test_one_with_a_row_that_looks_like_a_secret_is_left_out(value: str, capture: Capture) -> None:
    document = save(capture, f"SELECT * FROM VALUES (1, {value}), (2, null) AS t(id, v)")
    assert document["incomplete"] == ["executable: one of its rows looks like a secret"]
    assert "executable" not in document


def test_rows_that_stand_in_the_plan_are_kept_with_it(capture: Capture) -> None:
    """As the docs say: it cannot run again without them."""
    rows = capture.spark.createDataFrame(pa.table({"id": [1, 2], "v": ["kanarienvogel", None]}))
    rows.write.format("parquet").save(f"{capture.data}/out")
    document = capture.executions()[-1]
    assert b"kanarienvogel" in zlib.decompress(base64.b64decode(document["executable"].pop("blob")))
    assert "kanarienvogel" not in str(document)


def test_the_environment_of_python_functions_is_not_kept(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """`spark.executorEnv.X` stands in the context's environment, and Spark hands that to each function."""
    from pyspark.sql.functions import udf

    monkeypatch.setitem(capture.spark.sparkContext.environment, "AWS_SECRET_ACCESS_KEY", "kanarienvogel")
    twice = udf(lambda number: number * 2, "bigint")
    capture.spark.range(3).select(twice("id")).write.format("parquet").save(f"{capture.data}/out")
    kept = zlib.decompress(base64.b64decode(capture.executions()[-1]["executable"]["blob"]))
    assert b"PYTHONHASHSEED" in kept
    assert b"kanarienvogel" not in kept
    assert b"AWS_SECRET_ACCESS_KEY" not in kept


@pytest.mark.parametrize("policy", ["drop", "hash"])
def test_where_literals_are_redacted_there_is_none_and_the_execution_says_so(capturing: Capturing, policy: str) -> None:
    document = save(capturing(redact_literals=policy, executables="all"), "SELECT id, 'kanarienvogel' AS bird FROM range(3)")
    assert "executable" not in document
    assert "executable: literals are redacted" in document["incomplete"]
    assert "kanarienvogel" not in json.dumps(document)


def test_where_literals_of_a_dataset_or_column_are_redacted_the_others_keep_theirs(
    capturing: Capturing, spark: Any, tmp_path: Path
) -> None:
    spark.range(3).selectExpr("id", "'kanarienvogel' AS bird").write.format("parquet").save(f"{tmp_path}/people")
    queries = ("SELECT id, 'wren' AS kind FROM range(3)", f"SELECT id, 'wren' AS kind FROM parquet.`{tmp_path}/people`")
    capture = capturing(redact_literals="drop", redact_literals_datasets="*/people")
    other, people = (save(capture, query) for query in queries)
    detach(spark)
    capture = capturing(redact_literals="drop", redact_literals_columns="ki*")
    named, unnamed = (save(capture, query) for query in (queries[0], "SELECT id, 'wren' AS bird FROM range(3)"))
    for document in (other, unnamed):
        assert b"wren" in literals_of(document)
        assert document["incomplete"] == []
    for document in (people, named):
        assert "executable" not in document
        assert "executable: literals are redacted" in document["incomplete"]
        assert "wren" not in json.dumps(document)


def test_one_that_lives_in_this_process_says_which_leaf_must_be_given(capture: Capture) -> None:
    rows = capture.spark.createDataFrame(capture.spark.sparkContext.parallelize([(1,)]), "id BIGINT")
    rows.write.format("parquet").save(f"{capture.data}/out")
    [leaf] = capture.executions()[-1]["executable"]["leaves"]
    assert leaf["class"] == "LogicalRDD"
    assert leaf["columns"] == ["id"]


def test_the_instant_that_current_timestamp_took(capture: Capture) -> None:
    document = save(capture, "SELECT id, current_timestamp() AS at FROM range(2)")
    clock = document["executable"]["clock"]
    [taken] = {
        row.us for row in capture.spark.read.parquet(f"{capture.data}/out").selectExpr("unix_micros(at) AS us").collect()
    }
    assert clock["basis"] == "exact"
    assert clock["instant_us"] == taken


def test_an_instant_that_went_into_something_else_is_known_within_bounds(capture: Capture) -> None:
    before = time.time() * 1000
    document = save(capture, "SELECT id, current_date() AS today FROM range(2)")
    clock = document["executable"]["clock"]
    assert clock["basis"] == "bounded"
    assert before - 1 <= clock["from_ms"] <= clock["to_ms"] <= document["ended_ms"]


def test_the_instant_of_what_hands_a_query_on_is_not_that_of_the_query(capture: Capture) -> None:
    """What is replaced is told by a condition that the outer execution folded; the rows' own instant is folded into something else, in another one."""
    table = f"delta.`{capture.data}/table`"
    capture.spark.sql(f"CREATE TABLE {table} USING delta AS SELECT 1L AS id, current_timestamp() AS at")
    capture.spark.sql(
        f"INSERT INTO {table} REPLACE WHERE at <= current_timestamp() SELECT id, current_timestamp() - INTERVAL 1 HOUR AS at FROM range(3)"
    )
    document = capture.executions()[-1]
    clock = document["executable"]["clock"]
    [taken] = {row.us for row in capture.spark.sql(f"SELECT unix_micros(at + INTERVAL 1 HOUR) AS us FROM {table}").collect()}
    assert clock["basis"] == "bounded"
    assert clock["from_ms"] <= taken / 1000 <= clock["to_ms"] + 1


def test_the_user_that_current_user_took(capture: Capture) -> None:
    assert save(capture, "SELECT id, current_user() AS me FROM range(2)")["executable"]["user"] == getpass.getuser()


def test_the_views_on_the_way(capture: Capture) -> None:
    capture.spark.sql("CREATE OR REPLACE TEMP VIEW small AS SELECT id FROM range(3) WHERE id < 2")
    capture.spark.range(5).createOrReplaceTempView("made")
    document = save(capture, "SELECT id FROM small JOIN made USING (id)")
    assert sorted(document["executable"]["views"], key=lambda view: str(view["name"])) == [
        {"name": "made", "temporary": True, "sql": None},
        {"name": "small", "temporary": True, "sql": "SELECT id FROM range(3) WHERE id < 2"},
    ]


def test_the_schema_that_was_current_is_the_executions_own(capture: Capture) -> None:
    spark = capture.spark
    spark.sql("CREATE DATABASE IF NOT EXISTS elsewhere")
    try:
        for name in ("elsewhere", "default") * 5:
            spark.sql(f"USE {name}")
            spark.range(1).write.format("parquet").mode("overwrite").save(f"{capture.data}/{name}")
            spark.catalog.setCurrentDatabase("default")
        writes = [document for document in capture.executions() if document["writes"]]
        expected = [
            {"catalog": "spark_catalog", "database": name, "namespace": [name]} for name in ("elsewhere", "default") * 5
        ]
        assert [document["catalog"] for document in writes] == expected
    finally:
        spark.sql("USE default")
        spark.sql("DROP DATABASE elsewhere CASCADE")


@pytest.mark.soak
def test_a_stream_has_none(capture: Capture) -> None:
    source = f"{capture.data}/source"
    capture.spark.range(3).write.format("delta").save(source)
    stream = capture.spark.readStream.format("delta").load(source).writeStream.format("delta")
    stream.option("checkpointLocation", f"{capture.data}/checkpoint").trigger(availableNow=True).start(
        f"{capture.data}/sink"
    ).awaitTermination()
    streamed = [document for document in capture.executions() if document["name"] is None]
    assert streamed
    assert all("executable" not in document for document in streamed)
    assert not any("executable" in reason for document in streamed for reason in document["incomplete"])
