"""Lineage crosses training and scoring, column by column, with the two in applications of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import spark_lineage
from spark_lineage.ingest import ingest
from spark_lineage.query.lineage import Lineage

ROOT = Path(__file__).resolve().parents[2]
JOB = Path(__file__).parent / "programs" / "model_job.py"

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def lineage(home: Path, spark_submit: Callable[..., list[str]]) -> Lineage:
    store = home / "store"
    for step in ("train", "score"):
        command = [
            sys.executable,
            "-m",
            "spark_lineage.cli",
            "--store",
            str(store),
            "run",
            "--",
            *spark_submit(JOB, step, str(home)),
        ]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=300)
    ingest(str(store / "inbox"), str(store))
    return spark_lineage.open(str(store))


def upstream(lineage: Lineage, home: Path, column: str) -> set[tuple[str, str | None, str]]:
    """What a column comes from: the dataset's name below the home, the column, how sure it is."""
    walk = lineage.upstream(f"{home}/{column}")
    places = {node.id: ((node.name or node.kind).removeprefix(f"{home}/"), node.column) for node in walk.nodes}
    return {(*places[link.source], link.certainty) for link in walk.links}


def test_a_prediction_comes_from_the_features_and_the_label_of_the_training(lineage: Lineage, home: Path) -> None:
    found = upstream(lineage, home, "predictions.prediction")
    assert {one for one in found if one[0] != "generated"} == {
        ("churn_model", None, "inferred"),
        ("features", "visits", "plan"),
        ("features", "spent", "plan"),
        ("features", "visits", "inferred"),
        ("features", "spent", "inferred"),
        ("features", "churned", "inferred"),
        ("features", "user_id", "inferred"),  # which rows it was trained on
    }


def test_what_the_model_does_not_compute_does_not_lead_to_it(lineage: Lineage, home: Path) -> None:
    assert {one for one in upstream(lineage, home, "predictions.country") if one[0] != "generated"} == {
        ("features", "country", "plan")
    }


def test_a_declared_model_is_between_its_training_and_what_it_computed(lineage: Lineage, home: Path) -> None:
    found = upstream(lineage, home, "judged.keen")
    assert {one for one in found if one[0] != "generated"} == {
        ("limit.pkl", None, "declared"),
        ("features", "visits", "plan"),
        ("features", "spent", "declared"),
        ("features", "churned", "declared"),
    }
    assert {one for one in upstream(lineage, home, "judged.user_id") if one[0] != "generated"} == {
        ("features", "user_id", "plan")
    }


def test_a_changed_label_touches_the_predictions(lineage: Lineage, home: Path) -> None:
    touched = {(node.name, node.column) for node in lineage.downstream(f"{home}/features.churned").nodes}
    assert {(f"{home}/predictions", "prediction"), (f"{home}/judged", "keen")} <= touched
    assert (f"{home}/predictions", "country") not in touched
