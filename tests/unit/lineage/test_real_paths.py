"""Symbolic links are followed wherever a document has a path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import ExecutionDocument, read

PLANS = Path(__file__).resolve().parents[2] / "plans"


def captured(name: str) -> ExecutionDocument:
    document = read((PLANS / name / "plan.json").read_bytes())
    assert isinstance(document, ExecutionDocument)
    return document


@pytest.mark.parametrize(
    "name", ["stream_restarted", "rdd_of_files", "rdd", "foreach_batch", "merge", "read_csv_glob", "write_parquet", "ctas"]
)
def test_through_a_link_it_is_the_same_but_for_the_place(name: str) -> None:
    """Each dataset once, at its real place, with the path that was used for an alias; offsets and versions as without a link."""
    document = captured(name)
    plain = records_of_execution(document, RunContext())
    linked = records_of_execution(replace(document, real_paths={"/data": "/real"}), RunContext())
    moved = [one.name.replace("/data/", "/real/") for one in plain.inputs]
    assert [one.name for one in linked.inputs] == moved
    assert moved
    assert [one.name for one in linked.outputs] == [one.name.replace("/data/", "/real/") for one in plain.outputs]
    assert [replace(one, name="") for one in linked.inputs] == [replace(one, name="") for one in plain.inputs]
    edges = [(one.source_name, one.target_name, one.certainty) for one in plain.dataset_lineage]
    real = [(one[0].replace("/data/", "/real/"), one[1].replace("/data/", "/real/"), one[2]) for one in edges]
    assert sorted((one.source_name, one.target_name, one.certainty) for one in linked.dataset_lineage) == sorted(real)
