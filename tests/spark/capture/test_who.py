"""What an execution says of itself: group, description, tags, the line of code; and the run it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from captured import Capture, versions_read, versions_written

import spark_lineage
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store


def test_group_description_tags_and_call_site(capture: Capture, tmp_path: Path) -> None:
    context = capture.spark.sparkContext
    context.setJobGroup("nightly", "the marts of the night, password=hunter2")
    context.addJobTag("marts")
    try:
        capture.spark.range(3).write.format("delta").save(str(capture.data / "t"))
    finally:
        context.clearJobTags()
        context.setLocalProperty("spark.jobGroup.id", None)
        context.setLocalProperty("spark.job.description", None)
    capture.spark.range(3).collect()
    with_all, with_none = capture.executions()
    assert (with_all["job_group"], with_all["tags"]) == ("nightly", ["marts"])
    assert with_all["description"] == "the marts of the night, password=*********(redacted)"
    assert "DataFrameWriter.save" in with_all["call_site"]
    assert (with_none["job_group"], with_none["tags"]) == (None, [])
    ingest(str(capture.inbox), str(tmp_path / "store"))
    rows = Store.open(str(tmp_path / "store")).arrow("executions", ["sequence", "job_group", "tags"]).to_pylist()
    recorded = [(row["job_group"], row["tags"]) for row in sorted(rows, key=lambda row: row["sequence"])]
    assert recorded == [("nightly", ["marts"]), (None, [])]


@pytest.mark.parametrize("text", ["my text", "Delta: my text"])
def test_a_job_group_hides_nothing_and_adds_nothing(text: str, capture: Capture) -> None:
    """With a group Delta's executions have the user's text; and the user's may look like Delta's."""
    spark, context, table = capture.spark, capture.spark.sparkContext, str(capture.data / "t")
    context.setJobGroup("g", text)
    try:
        spark.range(10).write.format("delta").save(table)
        spark.read.format("delta").load(table).where("id > 3").collect()
        spark.sql(f"MERGE INTO delta.`{table}` t USING (SELECT 3L AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE")
        spark.createDataFrame(context.parallelize([(1,)]), ["id"]).collect()
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
        context.setLocalProperty("spark.job.description", None)
    found = capture.executions()
    assert [(document["job_group"], document["description"]) for document in found] == [("g", text)] * 4
    assert [versions_written(document) for document in found] == [{"t": [0]}, {}, {"t": [1]}, {}]
    assert [versions_read(document) for document in found] == [{}, {"t": {0}}, {"t": {0}}, {}]


def test_code_that_clears_its_tags_leaves_the_run_of_the_block(capture: Capture) -> None:
    """The run is told to Spark by a tag, and `clearJobTags` takes all of them: docs/attaching.md says so."""
    context = capture.spark.sparkContext
    with spark_lineage.job("inner") as run:
        capture.spark.range(3).collect()
        context.clearJobTags()
        capture.spark.range(4).collect()
        capture.spark.addTag("mine")
        capture.spark.clearTags()
        capture.spark.range(5).collect()
    capture.spark.range(6).collect()
    found = [document["run_id"] for document in capture.executions()]
    application = capture.attachment.run_id
    assert found == [run.run_id, application, application, application]


def test_tags_of_the_session_do_not_touch_the_run(capture: Capture) -> None:
    with spark_lineage.job("inner") as run:
        capture.spark.addTag("mine")
        capture.spark.range(3).collect()
        capture.spark.clearTags()
        capture.spark.range(4).collect()
    assert [(document["run_id"], document["tags"]) for document in capture.executions()] == [
        (run.run_id, ["mine"]),
        (run.run_id, []),
    ]
