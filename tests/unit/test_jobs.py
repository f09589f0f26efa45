"""The demo's input is made the same for the same round, has the dirt it promises, and is made only where it is missing."""

from __future__ import annotations

import csv
import itertools
import runpy
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from spark_lineage.model import Dataset, Output, Snapshot
from spark_lineage.store.tables import Store

JOBS = Path(__file__).resolve().parents[2] / "jobs"
EVENTS = 5_000


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(JOBS / f"{name}.py"), run_name=name)


@pytest.fixture(scope="module")
def event_log(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """An event log as its program writes it."""
    path = make_event_log(tmp_path_factory.mktemp("events"), day=30)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def make_event_log(folder: Path, *, day: int) -> Path:
    program = load("make_user_behavior")
    rows = program["event_rows"](day=day, days=30, events=EVENTS, users=200, seed=1)
    return program["write_log"](rows, folder, last_day=day)


def test_event_log_is_the_same_for_the_same_day(tmp_path: Path) -> None:
    first, again, other = (
        make_event_log(tmp_path / name, day=day).read_bytes() for name, day in (("a", 30), ("b", 30), ("c", 31))
    )
    assert first == again
    assert first != other


def test_event_log_has_the_usual_dirt(event_log: list[dict[str, str]]) -> None:
    ids = Counter(row["event_id"] for row in event_log)
    assert len(ids) == EVENTS
    assert sum(count > 1 for count in ids.values()) > EVENTS * 0.005, "rows sent twice"
    for column in ("user_id", "session_id", "device", "country"):
        assert any(not row[column] for row in event_log), f"missing {column}"
    assert any(row["event_type"] != row["event_type"].strip().lower() for row in event_log), "odd spelling"
    assert any(row["event_time"] == "unknown" for row in event_log), "unreadable times"
    days = [row["event_time"][:10] for row in event_log if row["event_time"] != "unknown"]
    late = sum(one > two for one, two in itertools.pairwise(days))
    assert late > EVENTS * 0.005, "rows that arrive late"
    assert min(days) == "2026-01-01"
    assert max(days) == "2026-01-30"


def test_changed_orders_are_the_same_for_the_same_round(tmp_path: Path) -> None:
    subprocess.run(
        [Path(sys.executable).parent / "tpchgen-cli", "parquet", "-s", "0.01", "-o", tmp_path, "-T", "orders,lineitem", "-q"],
        check=True,
    )
    changes = load("make_order_changes")["changes"]
    orders, lineitem = changes(tmp_path, 2)
    assert [table.equals(one) for table, one in zip((orders, lineitem), changes(tmp_path, 2), strict=True)] == [True, True]
    original = pq.read_table(tmp_path / "orders.parquet")
    assert set(orders["change"].to_pylist()) == {"update", "insert"}
    assert {"F", "C", "O"} == set(orders["o_orderstatus"].to_pylist())
    inserted = orders.filter(pc.equal(orders["change"], "insert"))
    assert pc.min(inserted["o_orderkey"]).as_py() > pc.max(original["o_orderkey"]).as_py()
    assert set(lineitem["l_orderkey"].to_pylist()) == set(inserted["o_orderkey"].to_pylist())
    assert set(changes(tmp_path, 3)[0]["o_orderkey"].to_pylist()) != set(orders["o_orderkey"].to_pylist())


def test_models_are_numbered_on(tmp_path: Path) -> None:
    next_version = load("churn_model")["next_version"]
    assert next_version(tmp_path, []) == (tmp_path / "version=1", 1)
    assert next_version(tmp_path, ["version=1", "version=10", "version=2", "_notes"]) == (tmp_path / "version=11", 11)


def test_the_demo_counts_rounds_and_makes_only_missing_input(tmp_path: Path) -> None:
    demo = load("demo")
    home = demo["Home"](tmp_path, "0.01")
    assert home.finished_rounds() == 0
    assert [step.name for step in demo["input_steps"](home, 1)] == ["tpchgen-cli", "make_user_behavior"]
    for table in demo["TPCH_TABLES"]:
        touch(home.tpch / f"{table}.parquet")
    touch(home.events / f"until_{demo['last_day'](1)}.csv")
    assert list(demo["input_steps"](home, 1)) == []
    touch(home.logs(1) / "finished")
    home.logs(2).mkdir()
    assert home.finished_rounds() == 1
    assert [step.name for step in demo["input_steps"](home, 2)] == ["make_user_behavior", "make_order_changes"]


def test_a_failing_step_of_the_demo_names_its_log(tmp_path: Path) -> None:
    demo = load("demo")
    step = demo["Step"]("broken", [sys.executable, "-c", "raise ValueError('no such mart')"])
    with pytest.raises(demo["StepError"]) as raised:
        demo["run"](step, demo["Home"](tmp_path, "0.01"), 1, lineage=False)
    assert str(tmp_path / "logs" / "round_001" / "broken.log") in str(raised.value)
    assert "no such mart" in str(raised.value)


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_what_is_due_is_taken_under_its_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jobs/snapshot.py --due`: two buckets may have a folder of one name, and another dataset may be called so."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    store = Store.open(str(tmp_path / "store"), create=True)
    keys = ("s3://a", "t"), ("s3://b", "t"), ("s3://c", "u")
    datasets = [
        Dataset(namespace=space, name=name, format="delta", location=f"{space}/{name}", first_seen_at=at, last_seen_at=at)
        for space, name in keys[:2]
    ]
    alias = Dataset(
        namespace="file", name="/lake/u", aliases=("u",), format="delta", location="/lake/u", first_seen_at=at, last_seen_at=at
    )
    outputs = [
        Output(
            execution_id=f"r:{table_id}", run_id="r", job_name="j", event_time=at, namespace=space, name=name, table_id=table_id,
            delta_version=0, event_date=at.date(),
        )
        for table_id, (space, name) in zip("xyz", keys, strict=True)
    ]  # fmt: skip
    store.append("datasets", [*datasets, alias], None)
    store.append("outputs", outputs, None)
    job = load("snapshot")
    taken = []

    def take(_: object, store: Store, place: str, version: int, at: None, key: tuple[str, str], **rest: object) -> Any:
        taken.append((place, version, key, rest["table_id"]))
        return Snapshot(
            namespace=key[0],
            name=key[1],
            table_id="x",
            delta_version=version,
            algorithm="a",
            method="scan",
            computed_at=datetime.now(UTC),
        )

    monkeypatch.setitem(job["take_due"].__globals__, "take_with_spark", take)
    left = [one for one in job["take_due"](None, store) if one.method == "none"]
    assert taken == [("s3://a/t", 0, keys[0], "x"), ("s3://b/t", 0, keys[1], "y")]
    assert [(one.namespace, one.name, one.reason) for one in left] == [
        (*keys[2], "it is recorded without a place where it lies")
    ]
