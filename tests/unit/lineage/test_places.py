"""Where a dataset's own folder is called like a partition or a glob, it is a dataset of its own, in every document that names it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read

PLANS = Path(__file__).resolve().parents[2] / "plans"


def resolved(text: str) -> Records:
    document = read(text.encode())
    assert isinstance(document, ExecutionDocument)
    return records_of_execution(document, RunContext())


def renamed(name: str, old: str, new: str) -> tuple[Records, Records]:
    """The records of a captured document, and those of the same with other names for its folders."""
    text = (PLANS / name / "plan.json").read_text(encoding="utf-8")
    assert old in text
    return resolved(text), resolved(text.replace(old, new))


@pytest.mark.parametrize("folder", ["day=2024-01-01", "run[1]", "{a}", "part-00000-x.parquet"])
@pytest.mark.parametrize(
    ("name", "old"),
    [
        ("write_delta_append", "/data/appended"),
        ("project", "/data/warehouse/orders"),
        ("update", "/data/warehouse/totals"),
        ("merge", "/data/warehouse/totals"),
        ("time_travel", "/data/warehouse/orders"),
        ("stream", "/data/warehouse/returned"),
        ("optimize", "/data/warehouse/totals"),
        ("ctas", "/data/warehouse/orders"),
    ],
)
def test_a_delta_table_in_a_folder_that_is_called_like_a_partition(name: str, old: str, folder: str) -> None:
    new = f"{old.rpartition('/')[0]}/{folder}"
    plain, other = renamed(name, old, new)
    for before, after in ((plain.inputs, other.inputs), (plain.outputs, other.outputs)):
        assert [replace(one, name=one.name.replace(old, new)) for one in before] == [replace(one) for one in after]
    assert any(one.name == new for one in (*other.inputs, *other.outputs))
    assert {one.name for one in other.datasets} == {one.name.replace(old, new) for one in plain.datasets}


@pytest.mark.parametrize("folder", ["run[1]", "{a}", "what?"])
def test_files_written_to_a_folder_with_the_letters_of_a_glob(folder: str) -> None:
    plain, other = renamed("write_parquet", "/data/files/returned", f"/data/{folder}")
    assert [one.name for one in plain.outputs] == ["/data/files/returned"]
    assert [one.name for one in other.outputs] == [f"/data/{folder}"]


def reading(path: str, asked: str) -> str:
    relation: dict[str, Any] = {"class": "HadoopFsRelation", "format": "parquet", "paths": [path], "options": {"path": asked}}
    leaf = {"id": 1, "class": "LogicalRelation", "children": [], "output": [1], "fields": {"relation": {"relation": relation}}}
    plan = {"root": 1, "attributes": {"1": ["a", "int", True]}, "nodes": [leaf]}
    heading = {
        "format": 1,
        "kind": "execution",
        "application_run_id": "a",
        "run_id": "r",
        "sequence": 1,
        "time_ms": 1,
        "sql_id": 1,
    }
    return json.dumps({**heading, "name": "collect", "analyzed": plan})


@pytest.mark.parametrize(
    ("path", "asked", "name"),
    [
        ("file:/out/run[1]", "/out/run[1]", "/out/run[1]"),
        ("file:/out/run[1]", "/out/run\\[1\\]", "/out/run[1]"),
        ("file:/out/run1", "/out/run[1]", "/out"),
        ("file:/out/dt=1", "/out/dt=1", "/out"),
        ("file:/out/dt=1", "/out/dt=*", "/out"),
    ],
)
def test_a_read_of_such_a_folder_and_of_a_glob(path: str, asked: str, name: str) -> None:
    assert [one.name for one in resolved(reading(path, asked)).inputs] == [name]


@pytest.mark.parametrize(("told", "names"), [(True, ["/x/orders_2023.parquet", "/x/orders_2024.parquet"]), (False, ["/x"])])
@pytest.mark.parametrize("links", [{}, {"/x": "/real"}])
def test_several_folders_that_are_called_like_files(told: bool, names: list[str], links: dict[str, str]) -> None:
    """Of a document that does not tell which are folders, as an earlier release wrote it, they are taken for files."""
    content = json.loads(reading("", ""))
    paths = ["file:/x/orders_2023.parquet", "file:/x/orders_2024.parquet"]
    told_of = {"paths": paths, "folders": paths} if told else {"paths": paths}
    relation = content["analyzed"]["nodes"][0]["fields"]["relation"]["relation"]
    relation.update(told_of, options={})
    scan = {"class": "FileSourceScanExec", "format": "parquet", "output": [1], "fingerprint": "listing:1", "rows": 3, **told_of}
    records = resolved(json.dumps({**content, "scans": [scan], "real_paths": links}))
    expected = [name.replace("/x", links.get("/x", "/x")) for name in names]
    assert [(one.name, one.fingerprint) for one in records.inputs] == [(name, "listing:1") for name in expected]
