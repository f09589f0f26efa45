"""The examples of docs/reading.md that need no Spark run as they stand. (tests/spark has those that do.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spark_lineage.model import Run
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store
from spark_lineage.store.views import views

from .made import at, column_edge, dataset_edge, execution, input_, output

PAGE = (Path(__file__).parents[3] / "docs" / "reading.md").read_text(encoding="utf-8")


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store named as the page names it, in the working directory, with one execution of what the page asks about."""
    monkeypatch.chdir(tmp_path)
    store = Store.open("lineage", create=True)
    edge = column_edge("l", "/raw/orders.price", "/marts/daily_sales.amount", expression="sum(price)")
    store.upsert("runs", [Run(run_id="run", job_name="daily_sales", status="succeeded", started_at=at(0))], None)
    store.append("column_lineage", [edge], None)
    store.append("dataset_lineage", [dataset_edge("l", "/raw/orders", "/marts/daily_sales")], None)
    store.append("inputs", [input_("e", "/raw/orders", job_name="daily_sales", delta_version=41)], None)
    store.append("outputs", [output("e", "/marts/daily_sales", job_name="daily_sales", delta_version=42)], None)
    store.append("executions", [execution("e", job_name="daily_sales", lineage_id="l", rows_written=1234)], None)
    return store


def test_the_examples_run_and_show_what_is_there(lineage: Store, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    printed = []
    for block in blocks:
        exec(block, names)
        printed.append(capsys.readouterr().out)
    shown = ["'daily_sales', 'succeeded'", "sum(price)", "/raw/orders", "1234", "/marts/daily_sales"]
    assert [(block, out) for block, out, what in zip(blocks, printed, shown, strict=True) if what not in out] == []


def test_the_page_names_every_view() -> None:
    at_a_time = {"column_lineage_at(time)", "dataset_lineage_at(time)"}
    assert set(re.findall(r"^\| `(.*?)` \|", PAGE, re.MULTILINE)) == {*views(), *at_a_time}


def test_views_do_not_hide_tables() -> None:
    assert set(views()) & set(TABLES) == set()
