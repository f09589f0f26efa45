"""Offsets of a stream's sources: which version they come to, and what the tables are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.lineage.streams import sink_offsets
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, SourceProgress, Stream, read

PLANS = Path(__file__).resolve().parents[2] / "plans"


def captured(name: str) -> ExecutionDocument:
    document = read((PLANS / name / "plan.json").read_bytes())
    assert isinstance(document, ExecutionDocument)
    return document


def with_offsets(document: ExecutionDocument, start: Any, end: Any, **stream: Any) -> Records:
    assert document.stream is not None
    source = replace(
        document.stream.sources[0],
        start=None if start is None else json.dumps(start),
        end=end if isinstance(end, str) else json.dumps(end),
    )
    document = replace(document, stream=replace(document.stream, sources=(source,), **stream))
    return records_of_execution(document, RunContext(job_name="job"))


def delta(version: int, index: int) -> dict[str, Any]:
    return {"sourceVersion": 1, "reservoirId": "r", "reservoirVersion": version, "index": index, "isStartingVersion": False}


@pytest.mark.parametrize(
    ("start", "end", "versions"),
    [
        (None, delta(1, 0), (1, 1)),
        (None, delta(2, -1), (1, 1)),
        (delta(2, -1), delta(5, -100), (2, 4)),
        (delta(2, 3), delta(2, 9), (2, 2)),
        (delta(7, -1), delta(7, -1), (6, 6)),
    ],
)
def test_the_versions_between_two_offsets_of_delta(start: Any, end: Any, versions: tuple[int, int]) -> None:
    """An index below zero stands before the first file of its version: nothing of that one was read."""
    (read_from,) = with_offsets(captured("stream"), start, end).inputs
    told = json.loads(str(read_from.offsets))
    assert (read_from.delta_version, read_from.version_basis) == (versions[1], "exact")
    assert told["versions"] == {"from": versions[0], "to": versions[1]}
    assert (told["from"], told["to"]) == (start, end)


def test_an_offset_that_is_no_json_is_kept_as_text() -> None:
    (read_from,) = with_offsets(captured("stream_restarted"), None, "page 7").inputs
    assert json.loads(str(read_from.offsets)) == {"from": None, "to": "page 7"}


def test_a_batch_of_which_nothing_was_told_has_the_version_that_was_scanned() -> None:
    document = captured("stream")
    assert document.stream is not None
    records = records_of_execution(replace(document, stream=replace(document.stream, sources=())), RunContext(job_name="job"))
    assert [(one.delta_version, one.offsets) for one in records.inputs] == [(1, None)]


def test_several_batches_are_one_row_with_sums() -> None:
    document = captured("stream")
    assert document.stream is not None
    commits = tuple(replace(document.commits[0], version=version, version_before=version - 1) for version in range(3))
    document = replace(document, commits=commits, scans=document.scans * 3)
    records = with_offsets(document, None, delta(4, -1), batches=3, batch_id=2, first_batch_id=0, started_ms=1_000)
    (output,), (read_from,), (execution,) = records.outputs, records.inputs, records.executions
    assert (output.delta_version_before, output.delta_version, output.rows_written) == (-1, 2, 3)
    assert json.loads(str(output.offsets)) == {"from": {"batch": 0}, "to": {"batch": 2}}
    assert (read_from.delta_version, read_from.rows_read) == (3, 3)
    assert (execution.batches, execution.batch_id, execution.started_at and execution.started_at.timestamp()) == (3, 2, 1.0)


def test_a_document_of_an_earlier_release_tells_of_its_stream_by_its_description() -> None:
    document = replace(captured("stream"), stream=None)
    (execution,) = records_of_execution(document, RunContext(job_name="job")).executions
    assert (execution.stream_query_id is not None, execution.batch_id, execution.stream_run_id) == (True, 0, None)


def test_what_is_no_batch_has_no_stream() -> None:
    (execution,) = records_of_execution(captured("project"), RunContext(job_name="job")).executions
    assert (execution.stream_query_id, execution.batch_id, execution.stream_name, execution.batches) == (None,) * 4
    assert sink_offsets(None) is None
    assert sink_offsets(Stream(query_id="q", sources=(SourceProgress(description="s"),))) is None


OTHER_RDDS = [
    ({"class": "HadoopRDD", "paths": ["/data/other/lines.txt"]}, ["/data/other/lines.txt"]),
    (
        {"class": "FileScanRDD", "paths": ["file:/data/warehouse/returned/part-00000-1-c000.parquet"]},
        ["/data/warehouse/returned"],
    ),
    ({"class": "KafkaSourceRDD"}, ["/data/warehouse/returned"]),
    ({"class": "ParallelCollectionRDD"}, []),
]


@pytest.mark.parametrize(("source", "datasets"), OTHER_RDDS)
def test_in_foreach_batch_a_frame_of_an_rdd_is_not_the_batch_though_its_columns_are_called_so(
    source: dict[str, Any], datasets: list[str]
) -> None:
    """What its own RDDs begin with, else the batch, is inferred; no column is taken to be the batch's, and more may come in."""
    content = json.loads((PLANS / "foreach_batch" / "plan.json").read_bytes())
    rdd = {"class": "org.apache.spark.rdd.MapPartitionsRDD", "sources": [source], "whole": True}
    for node in content["nested"][0]["analyzed"]["nodes"]:
        if node["class"].endswith(".LogicalRDD"):
            node["fields"]["rdd"] = {"rdd": rdd}
    document = read(json.dumps(content).encode())
    assert isinstance(document, ExecutionDocument)
    records = records_of_execution(document, RunContext(job_name="job"))
    assert {edge.certainty for edge in records.column_lineage if edge.source_kind == "column"} <= {"inferred"}
    assert [edge.subtype for edge in records.column_lineage if edge.source_kind == "unknown"]
    assert [(one.source_name, one.certainty) for one in records.dataset_lineage] == [(name, "inferred") for name in datasets]
    (execution,) = records.executions
    assert any(reason.startswith("rows ") for reason in execution.incomplete_reasons)


def test_a_source_that_gave_a_batch_no_rows_and_is_no_folder_is_not_known() -> None:
    """Its columns come from something, though the plan has an empty relation in its place: they are no literals."""
    content = json.loads((PLANS / "stream_once_idle" / "plan.json").read_bytes())
    content["stream"]["sources"][0]["description"] = "KafkaV2[Subscribe[orders]]"
    document = read(json.dumps(content).encode())
    assert isinstance(document, ExecutionDocument)
    records = records_of_execution(document, RunContext(job_name="job"))
    assert {edge.source_kind for edge in records.column_lineage} == {"unknown"}
    assert records.executions[0].incomplete_reasons == (
        "a source of the stream that gave the batch no rows: which one, the plan does not tell",
    )


def test_a_batch_without_rows_has_the_lineage_of_the_others() -> None:
    with_rows, without = (
        records_of_execution(captured(name), RunContext(job_name="job")).column_lineage
        for name in ("stream_once_within", "stream_once_idle")
    )
    assert _what(with_rows) == _what(without)


def _what(edges: Any) -> set[tuple[Any, ...]]:
    return {(edge.target_column, edge.source_namespace, edge.source_name, edge.source_column, edge.subtype) for edge in edges}
