"""Spark reads the lineage tables that deltalake wrote, and answers as DuckDB does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from spark_lineage.model import ColumnEdge, DatasetEdge, Execution, Input, Output, Plan, PlanOperator, Run
from spark_lineage.store.maintain import maintain
from spark_lineage.store.register import register_duckdb, register_spark
from spark_lineage.store.tables import Store
from spark_lineage.store.views import views

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write(store: Store, number: int, mode: str, source: str) -> None:
    """One execution that sums ``<source>.price`` into ``/marts/daily_sales.amount``, a minute after the one before."""
    time = START + timedelta(minutes=number)
    lineage, execution_id, target = f"from {source}", f"run:{number}", "/marts/daily_sales"
    of = {"execution_id": execution_id, "run_id": "run", "job_name": "daily_sales", "event_date": time.date()}
    edge = ColumnEdge(
        lineage_id=lineage, edge_id=source, target_namespace="file", target_name=target, target_column="amount",
        source_namespace="file", source_name=source, source_column="price", edge_type="DIRECT", subtype="AGGREGATION",
        expression="sum(price)", steps=("Aggregate",), first_seen_at=time,
    )  # fmt: skip
    names = {"target_namespace": "file", "target_name": target, "source_namespace": "file", "source_name": source}
    store.append("column_lineage", [edge], None)
    store.append("dataset_lineage", [DatasetEdge(lineage_id=lineage, **names)], None)
    store.append("inputs", [Input(**of, event_time=time, namespace="file", name=source, alias="raw.orders")], None)
    written = Output(**of, event_time=time, namespace="file", name=target, delta_version=number, write_mode=mode)
    store.append("outputs", [written], None)
    done = {"operation": "append", "status": "succeeded", "started_at": time, "ended_at": time, "sql_id": number}
    store.append("executions", [Execution(**of, **done, sequence=number, lineage_id=lineage)], None)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    store = Store.open("lineage", create=True)
    run = Run(
        run_id="run", job_name="daily_sales", status="succeeded", started_at=START, labels={"team": "core"}, user_name="ada"
    )
    operator = PlanOperator(id=1, inputs=(0,), kind="Filter", description="price > ?", fields=("price",))
    store.upsert("runs", [run], None)
    store.append("plans", [Plan(plan_id="p", operators=(operator,))], None)
    for number, (mode, source) in enumerate([("create", "/a"), ("append", "/b"), ("overwrite", "/c"), ("append", "/d")]):
        write(store, number, mode, source)
    return store


@pytest.mark.soak
def test_every_table_and_view_says_what_duckdb_says(store: Store, spark: SparkSession) -> None:
    maintain(store.location)  # checkpoints and compacted files are read, too
    register_spark(spark, store.location)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        register_duckdb(connection, store.location)
        for name in (*views(), "runs", "plans", "column_lineage"):
            columns = [c for c in spark.table(name).columns if c not in ("spark_confs", "parameters", "labels", "operators")]
            as_text = f"SELECT {', '.join(f'CAST({c} AS STRING) AS {c}' for c in columns)} FROM {name}"
            of_spark = [[comparable(value) for value in row] for row in spark.sql(as_text).collect()]
            of_duckdb = [[comparable(value) for value in row] for row in connection.execute(as_text).fetchall()]
            assert len(of_spark) > 0, name
            assert sorted(of_spark) == sorted(of_duckdb), name


def comparable(value: str | None) -> str:
    return str(value).removesuffix("+00").replace("'", "")


def test_nested_columns(store: Store, spark: SparkSession) -> None:
    register_spark(spark, store.location)
    assert spark.sql("SELECT labels['team'] FROM runs").collect()[0][0] == "core"
    assert spark.sql("SELECT operators[0].inputs[0], operators[0].fields[0] FROM plans").collect()[0] == (0, "price")


def test_lineage_at_a_time(store: Store, spark: SparkSession) -> None:
    register_spark(spark, store.location)
    times = {minutes: (START + timedelta(minutes=minutes)).isoformat() for minutes in (-1, 1, 2)}
    queries = [f"SELECT {m} AS at, source_name FROM column_lineage_at(TIMESTAMP '{time}')" for m, time in times.items()]
    found = spark.sql(" UNION ALL ".join(queries)).collect()
    assert sorted((row["at"], row.source_name) for row in found) == [(1, "/a"), (1, "/b"), (2, "/c")]


def test_the_examples_of_the_page_run(store: Store, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python spark\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    try:
        for block in blocks:
            # the JVM keeps the working directory that it was started in
            exec(block.replace('"lineage/executions"', f'"{store.location}/executions"'), {"spark": spark})
            assert "daily_sales" in capsys.readouterr().out
        assert {row.tableName for row in spark.sql("SHOW TABLES IN lineage").collect() if not row.isTemporary} > set(views())
    finally:
        spark.sql("DROP SCHEMA IF EXISTS lineage CASCADE")
    assert store.arrow("executions").num_rows == 4, "dropping the schema left the tables' files alone"


@pytest.mark.soak
def test_what_is_written_later_is_seen(store: Store, spark: SparkSession) -> None:
    register_spark(spark, store.location)
    assert spark.table("table_lineage").count() == 4
    write(store, 9, "append", "/e")
    assert spark.table("table_lineage").count() == 5
