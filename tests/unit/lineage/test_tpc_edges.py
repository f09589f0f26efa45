"""The queries of TPC-H and TPC-DS, as captured from real Spark: every output column is resolved, and the edges are those kept.

`tests/plans/tpc.py` makes the documents and says what the first line of a file of edges means.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pytest

from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))

from plans import tpc  # noqa: E402

LEAST_REVIEWED = 30
MOST_BYTES = 2_000_000
TPCH = {f"tpch_q{number:02}" for number in range(1, 23)}


@cache
def records(name: str) -> Records:
    return tpc.resolved(_packed(name))


@pytest.mark.parametrize("name", tpc.QUERIES)
def test_every_output_column_is_resolved(name: str) -> None:
    columns = _output_columns(name)
    resolved = {edge.target_column for edge in records(name).column_lineage if edge.edge_type == "DIRECT"}
    assert columns
    assert resolved == set(columns)


@pytest.mark.parametrize("name", tpc.QUERIES)
def test_the_plan_tells_every_edge(name: str) -> None:
    execution = records(name).executions[0]
    assert (execution.completeness, execution.incomplete_reasons) == ("complete", ())
    lineage = records(name).column_lineage
    assert {edge.source_kind for edge in lineage} <= {"column", "literal", "generated"}
    assert {edge.certainty for edge in lineage} == {"plan"}
    assert {edge.certainty for edge in records(name).dataset_lineage} == {"plan"}


@pytest.mark.parametrize("name", tpc.QUERIES)
def test_the_edges_are_those_that_were_kept(name: str) -> None:
    origin, kept = tpc.golden(name)
    assert origin in (tpc.REVIEWED, tpc.RECORDED)
    assert tpc.edges(records(name)) == kept


@pytest.mark.parametrize("name", tpc.QUERIES)
def test_a_final_order_decides_only_where_a_limit_follows(name: str) -> None:
    text = " ".join(tpc.QUERIES[name].read_text(encoding="utf-8").lower().split())
    sorts = {edge.order_only for edge in records(name).column_lineage if edge.subtype == "SORT"}
    assert sorts <= {re.search(r"\blimit \d+$", text) is None}
    assert not any(edge.order_only for edge in records(name).column_lineage if edge.subtype != "SORT")


def test_all_of_tpc_h_and_more_are_reviewed() -> None:
    reviewed = {name for name in tpc.QUERIES if tpc.golden(name)[0] == tpc.REVIEWED}
    assert reviewed >= TPCH
    assert len(reviewed) >= LEAST_REVIEWED


def test_every_query_has_its_files_and_every_file_its_query() -> None:
    assert set(tpc.QUERIES) >= TPCH
    assert len(tpc.QUERIES) == 22 + 99 + 4  # 14, 23, 24 and 39 of TPC-DS have two parts
    expected = {f"{name}.{ending}" for name in tpc.QUERIES for ending in ("json.gz", "edges")}
    assert {path.name for path in tpc.FOLDER.iterdir()} == expected


def test_the_documents_are_small_and_packed_the_same_each_time() -> None:
    assert sum(len(_packed(name)) for name in tpc.QUERIES) < MOST_BYTES
    assert {_packed(name)[4:8] for name in tpc.QUERIES} == {bytes(4)}, "the time of packing is in a file"


def test_what_the_resolver_says_otherwise_than_before_is_only_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpc, "FOLDER", tmp_path)
    (tmp_path / "q.edges").write_text("# reviewed\na <- t.a DIRECT IDENTITY\n")
    tpc.keep_edges("q", ("a <- t.a DIRECT IDENTITY",))
    assert tpc.golden("q") == (tpc.REVIEWED, ("a <- t.a DIRECT IDENTITY",))
    tpc.keep_edges("q", ("a <- t.b DIRECT IDENTITY",))
    assert tpc.golden("q") == (tpc.RECORDED, ("a <- t.b DIRECT IDENTITY",))


def _packed(name: str) -> bytes:
    return (tpc.FOLDER / f"{name}.json.gz").read_bytes()


def _output_columns(name: str) -> tuple[str, ...]:
    document = read(_packed(name))
    assert isinstance(document, ExecutionDocument)
    assert document.analyzed is not None
    return document.analyzed.nodes[document.analyzed.root].texts("outputColumnNames")
