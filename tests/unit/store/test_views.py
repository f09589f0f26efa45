"""What the views say, asked of DuckDB over real tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spark_lineage.errors import StoreNotFound
from spark_lineage.model import Run
from spark_lineage.store.register import register_duckdb
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store
from spark_lineage.store.views import FULL_OVERWRITES, views

from .made import at, column_edge, dataset, dataset_edge, execution, input_, output


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "lineage", create=True)


def ask(store: Store, query: str, *parameters: object) -> list[Any]:
    with duckdb.connect() as connection:
        register_duckdb(connection, store.location)
        rows = connection.execute(query, list(parameters)).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def write(store: Store, minutes: float, mode: str, source: str, **values: Any) -> None:
    """An execution that writes ``target.x`` from ``<source>.x``; its lineage is named after the source."""
    name = f"e{minutes}"
    status = values.pop("status", "succeeded")
    lineage = f"from {source}"
    if not store.known("column_lineage", "lineage_id", [lineage]):
        store.append("column_lineage", [column_edge(lineage, f"{source}.x", "target.x")], None)
        store.append("dataset_lineage", [dataset_edge(lineage, source, "target")], None)
    store.append("inputs", [input_(name, source, minutes)], None)
    store.append("outputs", [output(name, "target", minutes, write_mode=mode, **values)], None)
    store.append("executions", [execution(name, minutes, lineage_id=lineage, status=status)], None)


def sources_now(store: Store) -> list[str]:
    return sorted(ask(store, "SELECT source_name FROM column_lineage_current"))


class TestCurrent:
    def test_appends_add_up(self, store: Store) -> None:
        for minutes, source in enumerate("aba"):
            write(store, minutes, "append", source)
        assert sources_now(store) == ["a", "b"]

    @pytest.mark.parametrize("mode", FULL_OVERWRITES)
    def test_a_full_overwrite_starts_anew(self, store: Store, mode: str) -> None:
        write(store, 0, "append", "a")
        write(store, 1, mode, "b")
        write(store, 2, "append", "c")
        assert sources_now(store) == ["b", "c"]

    @pytest.mark.parametrize("mode", ["overwrite_partitions", "replace_where", "merge", "update", "delete", "append"])
    def test_anything_less_leaves_rows_of_before(self, store: Store, mode: str) -> None:
        write(store, 0, "create", "a")
        write(store, 1, mode, "b")
        assert sources_now(store) == ["a", "b"]

    def test_what_failed_does_not_count(self, store: Store) -> None:
        write(store, 0, "create", "a")
        write(store, 1, "overwrite", "b", status="failed")
        assert sources_now(store) == ["a"]

    def test_at_a_time(self, store: Store) -> None:
        for minutes, (mode, source) in enumerate([("create", "a"), ("append", "b"), ("overwrite", "c"), ("append", "d")]):
            write(store, minutes * 10, mode, source)
        query = "SELECT source_name FROM column_lineage_at(?::TIMESTAMPTZ) ORDER BY 1"
        found = [ask(store, query, at(minutes)) for minutes in (-1, 0, 15, 20, 99)]
        assert found == [[], ["a"], ["a", "b"], ["c"], ["c", "d"]]
        query = query.replace("column_lineage_at", "dataset_lineage_at")
        assert ask(store, query, at(15)) == ["a", "b"]

    def test_versions_decide_where_they_are_known(self, store: Store) -> None:
        """The append was committed after the overwrite, though its execution ended first."""
        write(store, 1, "append", "late", table_id="t", delta_version=6)
        write(store, 2, "overwrite", "base", table_id="t", delta_version=5)
        write(store, 3, "append", "early", table_id="t", delta_version=4)
        assert sources_now(store) == ["base", "late"]

    def test_versions_of_another_incarnation_do_not_compare(self, store: Store) -> None:
        write(store, 1, "append", "old", table_id="t1", delta_version=60)
        write(store, 2, "create", "new", table_id="t2", delta_version=0)
        assert sources_now(store) == ["new"]

    def test_each_edge_once(self, store: Store) -> None:
        """Copies of a lineage, another lineage with the same edge, and many executions give one row."""
        write(store, 0, "append", "a")
        write(store, 9, "append", "a")
        store.append("column_lineage", [column_edge("from a", "a.x", "target.x", first_seen_at=at(5))], None)
        store.append("column_lineage", [column_edge("other", "a.x", "target.x", first_seen_at=at(-5))], None)
        store.append("outputs", [output("other", "target", 20)], None)
        store.append("executions", [execution("other", 20, lineage_id="other")], None)
        [row] = ask(store, "SELECT first_seen_at, last_written_at FROM column_lineage_current")
        assert row == (at(-5), at(20))
        assert ask(store, "SELECT last_written_at FROM dataset_lineage_current") == [at(9)]

    def test_a_multi_insert_gives_each_target_its_own_edges(self, store: Store) -> None:
        edges = [column_edge("both", "a.x", "one.x"), column_edge("both", "b.x", "two.x")]
        store.append("column_lineage", edges, None)
        store.append("outputs", [output("e", "one", write_mode="append"), output("e", "two", write_mode="append")], None)
        store.append("executions", [execution("e", lineage_id="both")], None)
        write(store, 5, "overwrite", "c")
        store.append("outputs", [output("e2", "one", 9, write_mode="overwrite")], None)
        store.append("executions", [execution("e2", 9)], None)
        query = "SELECT target_name, source_name FROM column_lineage_current ORDER BY ALL"
        assert ask(store, query) == [("target", "c"), ("two", "b")]


class TestTableLineage:
    QUERY = "SELECT execution_id, source_name, source_version, target_name, target_version, certainty FROM table_lineage ORDER BY ALL"

    def test_reads_writes_and_edges(self, store: Store) -> None:
        store.append("dataset_lineage", [dataset_edge("l", "a", "t")], None)
        store.append("inputs", [input_("e1", "a", delta_version=1), input_("e2", "b", delta_version=2)], None)
        store.append("outputs", [output("e1", "t", delta_version=7), output("e3", "u", delta_version=8)], None)
        store.append("executions", [execution("e1", lineage_id="l"), execution("e2"), execution("e3")], None)
        assert ask(store, self.QUERY) == [
            ("e1", "a", 1, "t", 7, "plan"),
            ("e2", "b", 2, None, None, "plan"),
            ("e3", None, None, "u", 8, "plan"),
        ]

    def test_half_an_execution_is_not_shown(self, store: Store) -> None:
        store.append("inputs", [input_("on its way", "a")], None)
        assert ask(store, self.QUERY) == []


class TestDatabricksShape:
    def test_table_lineage(self, store: Store) -> None:
        store.upsert("runs", [Run(run_id="run", user_name="ada")], None)
        store.upsert("datasets", [dataset("a", location="s3://bucket/a")], None)
        store.append("dataset_lineage", [dataset_edge("l", "a", "t")], None)
        store.append("inputs", [input_("e", "a", alias="s3://bucket/a")], None)
        store.append("outputs", [output("e", "t", alias="main.sales.t")], None)
        failed = execution("failed", status="failed", lineage_id="l")
        store.append("executions", [execution("e", lineage_id="l"), failed], None)
        columns = "source_type, source_path, source_table_full_name, target_type, target_table_catalog, target_table_schema, target_table_name, created_by, entity_id"
        assert ask(store, f"SELECT {columns} FROM databricks_table_lineage") == [
            ("PATH", "s3://bucket/a", None, "TABLE", "main", "sales", "t", "ada", "job")
        ]

    @pytest.mark.parametrize(
        ("alias", "parts"),
        [
            ("t", (None, None, "t")),
            ("sales.t", (None, "sales", "t")),
            ("/data/t.x", (None, None, None)),
            (None, (None, None, None)),
        ],
    )
    def test_names_of_fewer_parts(self, store: Store, alias: str | None, parts: tuple[str | None, ...]) -> None:
        store.append("outputs", [output("e", "t", alias=alias)], None)
        store.append("executions", [execution("e")], None)
        query = "SELECT target_table_catalog, target_table_schema, target_table_name FROM databricks_table_lineage"
        assert ask(store, query) == [parts]

    def test_column_lineage_holds_values_only(self, store: Store) -> None:
        store.append("dataset_lineage", [dataset_edge("l", "a", "t")], None)
        edges = [
            column_edge("l", "a.x", "t.x"),
            column_edge("l", "a.y", "t", edge_type="INDIRECT", subtype="FILTER"),
            column_edge("l", "a.z", "t.x", source_kind="literal", source_namespace=None, source_name=None, source_column=None),
        ]
        store.append("column_lineage", edges, None)
        store.append("executions", [execution("e", lineage_id="l")], None)
        query = "SELECT source_column_name, target_column_name, statement_id FROM databricks_column_lineage"
        assert ask(store, query) == [("x", "x", "e")]

    def test_the_columns_are_those_of_the_system_tables(self, store: Store) -> None:
        documented = [
            "account_id",
            "metastore_id",
            "workspace_id",
            "entity_type",
            "entity_id",
            "entity_run_id",
            "source_table_full_name",
            "source_table_catalog",
            "source_table_schema",
            "source_table_name",
            "source_path",
            "source_type",
            "target_table_full_name",
            "target_table_catalog",
            "target_table_schema",
            "target_table_name",
            "target_path",
            "target_type",
            "created_by",
            "event_time",
            "event_date",
        ]
        names = ask(store, "SELECT column_name FROM (DESCRIBE databricks_table_lineage)")
        assert [name for name in names if name in documented] == documented
        names = ask(store, "SELECT column_name FROM (DESCRIBE databricks_column_lineage)")
        assert sorted(set(documented) - set(names)) == []
        assert {"source_column_name", "target_column_name"} <= set(names)


def test_every_view_and_table_answers_when_empty(store: Store) -> None:
    names = (*TABLES, *views(), "column_lineage_at(now())", "dataset_lineage_at(now())")
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in names)
    assert [row for row in ask(store, counts) if row[1] != 0] == []
    assert ask(store, "SELECT schema_version FROM store_info") == [store.schema_version]


def test_registering_again_shows_what_was_written_since(store: Store) -> None:
    with duckdb.connect() as connection:
        register_duckdb(connection, store.location)
        write(store, 0, "append", "a")
        register_duckdb(connection, store.location)
        assert connection.execute("SELECT source_name FROM column_lineage_current").fetchall() == [("a",)]


def test_nothing_to_register(tmp_path: Path) -> None:
    with duckdb.connect() as connection, pytest.raises(StoreNotFound):
        register_duckdb(connection, tmp_path / "none")


ASKS_AND_ENDS = """
import sys
import duckdb
from spark_lineage.store.register import register_duckdb
connection = duckdb.connect()
register_duckdb(connection, sys.argv[1])
print(connection.execute("SELECT count(*) FROM column_lineage_current").fetchall())
"""


def test_a_process_that_asked_ends_well(store: Store) -> None:
    """Threads that read ahead through Python would abort it as it ends; run a few times, since they do so now and then."""
    for number in range(8):
        write(store, number, "append", f"source {number}")
    command = [sys.executable, "-c", ASKS_AND_ENDS, store.location]
    root = str(Path(__file__).parents[3])
    ends = [subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True) for _ in range(4)]
    assert [(end.returncode, end.stdout, end.stderr) for end in ends] == [(0, "[(8,)]\n", "")] * 4
