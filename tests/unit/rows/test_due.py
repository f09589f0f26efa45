"""Of which versions a sample of rows is due: what programs and options ask for, and what was taken already. No Spark."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from store.made import at, execution, output, row_sample

from spark_lineage.cli import main
from spark_lineage.config import Settings, load
from spark_lineage.errors import ConfigError
from spark_lineage.model import Plan, PlanOperator, Run
from spark_lineage.query.moment import beginning
from spark_lineage.rows.due import Wishes, due
from spark_lineage.sample_marks import Sample, alias_of, bound_of, fraction_of
from spark_lineage.store.tables import Store


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Store:
    shutil.copytree(empty_store, tmp_path / "store")
    return Store.open(tmp_path / "store")


def settings(tmp_path: Path, **options: Any) -> Settings:
    return load(environment={}, directory=tmp_path, **options)


def written(store: Store, execution_id: str, name: str, version: int = 0, **values: Any) -> None:
    made = {"table_id": f"id of {name}", "delta_version": version, "write_mode": "append", **values}
    store.append("outputs", [output(execution_id, name, made.pop("minutes", 0), **made)], None)


def found(store: Store, wanted: Settings, again: bool = False) -> list[tuple[str, int, float]]:
    return [(one.name, one.version, one.sample.fraction) for one in due(store, wanted, again)]


def test_what_the_options_ask_for(store: Store, tmp_path: Path) -> None:
    written(store, "e1", "/lake/orders")
    written(store, "e1", "/lake/orders", 1, write_mode="overwrite")
    written(store, "e2", "/lake/secret")
    written(store, "e3", "/lake/files", table_id=None, delta_version=None)
    written(store, "e4", "/lake/model", write_mode=None)
    assert found(store, settings(tmp_path)) == []
    assert found(store, settings(tmp_path, rows_sample=0.1, rows_datasets="*/secret=0")) == [
        ("/lake/orders", 0, 0.1),
        ("/lake/orders", 1, 0.1),
    ]
    assert found(store, settings(tmp_path, rows_datasets="*/secret=1, /lake/*=0.5")) == [
        ("/lake/orders", 0, 0.5), ("/lake/orders", 1, 0.5), ("/lake/secret", 0, 1.0),
    ]  # fmt: skip


def test_what_the_run_was_configured_with_comes_first(store: Store, tmp_path: Path) -> None:
    for run, confs in (
        ("r1", {"spark.lineage.rows.sample": "0.25"}),
        ("r2", {"spark.sql.ansi.enabled": "true"}),
        ("r3", {"spark.lineage.rows.sample": "two"}),
    ):
        store.upsert("runs", [Run(run_id=run, spark_confs=confs)], None)
        written(store, f"e of {run}", f"/lake/{run}", run_id=run)
    assert found(store, settings(tmp_path, rows_sample=0.01)) == [
        ("/lake/r1", 0, 0.25),
        ("/lake/r2", 0, 0.01),
        ("/lake/r3", 0, 0.01),
    ]


def test_what_a_program_asks_for(store: Store, tmp_path: Path) -> None:
    asked = Sample(0.5, 7, None, ("id",))
    alias = PlanOperator(id=1, inputs=(0,), kind="SubqueryAlias", description=alias_of(asked), fields=("id",))
    other = PlanOperator(id=1, inputs=(0,), kind="SubqueryAlias", description="t", fields=("id",))
    store.append("plans", [Plan(plan_id="p", operators=(alias,)), Plan(plan_id="q", operators=(other,))], None)
    store.append(
        "executions", [execution("e1", plan_id="p"), execution("e2", plan_id="q"), execution("e3", plan_id=None)], None
    )
    for execution_id in ("e1", "e2", "e3"):
        written(store, execution_id, f"/lake/{execution_id}")
    (one,) = due(store, settings(tmp_path))
    assert (one.name, one.sample) == ("/lake/e1", asked)


def test_what_was_taken_is_not_due(store: Store, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        written(store, "e", name)
    of = {"table_id": "id of a", "name": "a", "rows_chosen": 3}
    store.append(
        "row_samples", [row_sample("e", 0, **of), row_sample("e", 1, table_id="id of b", name="b", reason="gone")], None
    )
    wanted = settings(tmp_path, rows_sample=1)
    assert found(store, wanted) == [("c", 0, 1.0)]
    assert found(store, wanted, again=True) == [("c", 0, 1.0), ("b", 0, 1.0)], "what was tried comes after the others"
    store.append("row_samples", [row_sample("e", 2, table_id="id of b", name="b")], None)
    assert found(store, wanted, again=True) == [("c", 0, 1.0)]


def test_the_newer_ones_and_so_many_of_them(store: Store, tmp_path: Path) -> None:
    for day in range(4):
        written(store, "e", f"/lake/{day}", minutes=day * 1440)
    wanted = settings(tmp_path, rows_sample=1)
    assert [one.name for one in due(store, wanted, limit=2)] == ["/lake/0", "/lake/1"]
    assert [one.name for one in due(store, wanted, since=at(1440))] == ["/lake/1", "/lake/2", "/lake/3"]
    assert [one.name for one in due(store, wanted, since=at(1441), limit=1)] == ["/lake/2"]
    assert beginning("2026-03-02") == at(1440)
    assert beginning("2026-03-02 12:30") == at(1440 + 750)


def test_the_command_takes_nothing_that_is_older(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARK_LINEAGE_ROWS_SAMPLE", "1")
    written(store, "e", "/lake/old")
    command = ["--store", store.location, "rows", "take", "--due", "--since"]
    nothing = CliRunner().invoke(main, [*command, "2026-03-02"])
    assert (nothing.exit_code, len(nothing.output.splitlines())) == (0, 1), "a header and no sample; no Spark is started"
    wrong = CliRunner().invoke(main, [*command, "some day"])
    assert (wrong.exit_code, "is no point in time" in " ".join(wrong.output.split())) == (2, True)


def test_what_the_rows_themselves_tell_comes_before_the_options(store: Store, tmp_path: Path) -> None:
    written(store, "e", "/lake/told", sample_column="_lineage", sample_fraction=0.25, sample_key=("id",))
    (one,) = due(store, settings(tmp_path, rows_sample=0.5, rows_per_row=9, rows_key="other"))
    assert one.sample == Sample(0.25, 9, "_lineage", ("id",))


@pytest.mark.parametrize("text", ["orders", "=0.1", "orders=", "orders=2", "orders=-1", "orders=all"])
def test_a_share_that_is_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rows\.datasets has"):
        Wishes.of(settings(tmp_path, rows_datasets=text))


def test_a_share_and_its_bound() -> None:
    assert bound_of(1) == 2**63 - 1
    assert bound_of(0.5) == 0
    for fraction in (0.01, 0.25, 0.5):
        assert fraction_of(bound_of(fraction)) == pytest.approx(fraction)
