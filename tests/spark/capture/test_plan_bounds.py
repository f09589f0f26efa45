"""Large plans: what the walk over them costs is counted in nodes, and they go through to the tables or are cut, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import documents, executions, root_class

import spark_lineage
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store


@pytest.fixture
def table(spark: Any, tmp_path: Path) -> Iterator[str]:
    location = str(tmp_path / "t")
    spark.range(3).selectExpr("id", "id * 2 AS twice").write.format("delta").save(location)
    yield location
    spark_lineage.detach(spark)


def attach(spark: Any, inbox: Path, **options: Any) -> Any:
    return spark_lineage.attach(spark, inbox=str(inbox), ingest="none", strict=True, **options)


def walked(document: dict[str, Any]) -> int:
    return int(document["cost"]["walked"])


def nodes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document["analyzed"]["nodes"])


@pytest.mark.parametrize("times", [8, pytest.param(12, marks=pytest.mark.soak)])
def test_a_frame_doubled_over_and_over_is_walked_once(times: int, spark: Any, table: str, tmp_path: Path) -> None:
    """Twice as many branches, twice as many nodes to look at: no more, and what is written stays as it is.

    LIMIT 0, so that Spark need not run the branches: it takes minutes for it, with and without us.
    """
    attachment = attach(spark, tmp_path / "inbox")
    frame = spark.read.format("delta").load(table).where("id > 0").select("id", "twice")
    for number in range(times):
        frame = frame.union(frame)
        if number + 1 in (4, times):
            frame.limit(0).collect()
    assert attachment.flush(120)
    small, large = executions(tmp_path / "inbox")
    assert (small["incomplete"], large["incomplete"]) == ([], [])
    assert len(nodes(large)) == len(nodes(small)) < 15
    (union,) = [node for node in nodes(large) if node["class"].endswith(".Union")]
    assert union["copies"] == 2**times - 1
    assert walked(large) <= walked(small) * 2 ** (times - 4)


def test_unions_within_unions_are_walked_once(spark: Any, table: str, tmp_path: Path) -> None:
    """A frame that is added to in a loop. Each union's branches are of different shapes: there is nothing to compare."""
    attachment = attach(spark, tmp_path / "inbox")
    first = spark.read.format("delta").load(table)
    frame = first
    for number in range(40):
        frame = frame.where(f"id <> {number}").union(first.select("id", "twice"))
    frame.limit(0).collect()
    assert attachment.flush(60)
    (document,) = executions(tmp_path / "inbox")
    assert len(nodes(document)) > 120
    assert walked(document) <= 2 * len(nodes(document))


def tables_of(tmp_path: Path) -> Store:
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), final=True)
    return Store.open(str(tmp_path / "store"))


def write_a_plan_of_53_000_nodes(spark: Any, table: str, target: str) -> None:
    """8,192 branches, no two alike."""
    frame = spark.read.format("delta").load(table).where("id >= 0").selectExpr("id", "twice")
    frame = frame.where("twice >= 0").selectExpr("id", "twice + 1 AS twice")
    for number in range(13):
        frame = frame.union(frame.where(f"id > {number}"))
    frame.limit(0).write.format("delta").save(target)


@pytest.mark.soak
@pytest.mark.parametrize("bound", [None, 100_000])
def test_fifty_thousand_nodes_through_to_an_answer(bound: int | None, spark: Any, table: str, tmp_path: Path) -> None:
    attachment = attach(spark, tmp_path / "inbox", plan_max_nodes=bound)
    write_a_plan_of_53_000_nodes(spark, table, str(tmp_path / "out"))
    assert attachment.flush(300)
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    reason = "plan over the node budget (20000)"
    assert document["incomplete"] == ([reason] if bound is None else [])
    assert len(nodes(document)) == (1 if bound is None else 53_250)
    assert root_class(document) == "SaveIntoDataSourceCommand"
    assert documents(tmp_path / "inbox")[-1]["dropped"] == ({reason: 1} if bound is None else {}), "counted"
    tables = tables_of(tmp_path)
    (execution,) = tables.arrow("executions").to_pylist()
    steps = ["explain: the plan has more columns than are kept for following them step by step"]
    assert execution["incomplete_reasons"] == [*document["incomplete"], *([] if bound is None else steps)], "and recorded"
    (output,) = tables.arrow("outputs").to_pylist()
    assert (output["name"], output["delta_version"]) == (str(tmp_path / "out"), 0)
    answer = spark_lineage.open(str(tmp_path / "store")).upstream(f"{tmp_path}/out.twice")
    assert (f"{table}#twice" in {node.id.removeprefix("file:") for node in answer.nodes}) is (bound is not None)


@pytest.mark.soak
@pytest.mark.parametrize("bound", [None, 1_000_000])
def test_ten_thousand_columns_through_to_an_answer(bound: int | None, spark: Any, table: str, tmp_path: Path) -> None:
    attachment = attach(spark, tmp_path / "inbox", plan_max_bytes=bound)
    wide = spark.read.format("delta").load(table).selectExpr(*[f"id + {number} AS c{number}" for number in range(10_000)])
    wide.write.format("delta").save(str(tmp_path / "out"))
    assert attachment.flush(300)
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    reason = "plan over the byte budget (1000000)"
    assert document["incomplete"] == ([reason] if bound else [])
    assert documents(tmp_path / "inbox")[-1]["dropped"] == ({reason: 1} if bound else {})
    tables = tables_of(tmp_path)
    assert tables.arrow("executions").to_pylist()[0]["incomplete_reasons"] == document["incomplete"]
    edges = tables.arrow("column_lineage").to_pylist()
    assert (len(edges), {edge["source_kind"] for edge in edges}) == (10_000, {"unknown" if bound else "column"})
    assert tables.arrow("outputs").to_pylist()[0]["rows_written"] == 3
    assert tables.arrow("inputs").to_pylist()[0]["delta_version"] == 0, "the scan is known without the plan"
    answer = spark_lineage.open(str(tmp_path / "store")).upstream(
        f"{tmp_path}/out.c9999" if bound is None else f"{tmp_path}/out"
    )
    assert table in {node.name for node in answer.nodes}


def test_paths_that_are_cut_are_said_to_be(spark: Any, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    paths = [str(folder / f"{number}.csv") for number in range(1001)]
    for path in paths:
        Path(path).write_text("1\n")
    attachment = attach(spark, tmp_path / "inbox")
    spark.read.schema("a INT").csv(paths).coalesce(1).count()
    assert attachment.flush(60)
    (document,) = executions(tmp_path / "inbox")
    spark_lineage.detach(spark)
    assert document["incomplete"] == ["paths of a relation beyond the first 1000"]
