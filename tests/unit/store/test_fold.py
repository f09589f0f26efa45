"""Runs and datasets that arrive more than once, late and in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.model import Dataset, Run
from spark_lineage.store.fold import dataset_key, fold_all, fold_dataset, fold_run

from .made import at, dataset

TIMES = st.integers(0, 50).map(at)
RUNS = st.builds(
    Run,
    run_id=st.just("r"),
    job_namespace=st.sampled_from(["default", "prod"]),
    job_name=st.none() | st.sampled_from(["a", "b"]),
    started_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
    last_seen_at=st.none() | TIMES,
    status=st.sampled_from(["running", "succeeded", "failed", "lost"]),
    arguments=st.none() | st.just(()) | st.just(("x",)),
    labels=st.none() | st.just({}) | st.just({"team": "core"}),
)
DATASETS = st.builds(
    Dataset,
    namespace=st.just("file"),
    name=st.just("/d"),
    aliases=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple),
    format=st.none() | st.sampled_from(["delta", "csv"]),
    schema_hash=st.none() | st.sampled_from(["s1", "s2"]),
    first_seen_at=TIMES,
    last_seen_at=TIMES,
)


@given(RUNS, RUNS)
def test_what_is_known_of_a_run_is_never_forgotten(earlier: Run, later: Run) -> None:
    folded = fold_run(earlier, later)
    for name in ("job_name", "started_at", "ended_at", "last_seen_at", "arguments", "labels"):
        if getattr(earlier, name) or getattr(later, name):
            assert getattr(folded, name), name
    assert folded.job_namespace == ("prod" if "prod" in (earlier.job_namespace, later.job_namespace) else "default")


@given(st.lists(RUNS, min_size=1, max_size=6))
def test_folding_a_run_again_changes_nothing(runs: list[Run]) -> None:
    folded = runs[0]
    for run in runs[1:]:
        folded = fold_run(folded, run)
    assert fold_run(folded, runs[-1]) == folded


@given(st.lists(RUNS, min_size=1, max_size=5), st.randoms())
def test_times_and_an_end_do_not_depend_on_the_order(runs: list[Run], random: object) -> None:
    def order_free(of: list[Run]) -> tuple[object, ...]:
        folded = of[0]
        for run in of[1:]:
            folded = fold_run(folded, run)
        ended = folded.status in ("succeeded", "failed")
        return folded.started_at, folded.ended_at, folded.last_seen_at, ended

    shuffled = list(runs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order_free(shuffled) == order_free(runs)


@pytest.mark.parametrize(
    ("earlier", "later", "status"),
    [
        ("running", "succeeded", "succeeded"),
        ("running", "failed", "failed"),
        ("running", "lost", "lost"),
        ("lost", "succeeded", "succeeded"),
        ("succeeded", "running", "succeeded"),
        ("failed", "lost", "failed"),
        ("succeeded", "failed", "failed"),
    ],
)
def test_status(earlier: str, later: str, status: str) -> None:
    assert fold_run(Run(run_id="r", status=earlier), Run(run_id="r", status=later)).status == status  # type: ignore[arg-type]


def test_a_lost_run_lives_again_only_by_a_later_sign_of_life() -> None:
    lost = Run(run_id="r", status="lost", last_seen_at=at(10))
    assert fold_run(lost, Run(run_id="r", last_seen_at=at(5))).status == "lost"
    assert fold_run(lost, Run(run_id="r", last_seen_at=at(11))).status == "running"
    assert fold_run(Run(run_id="r", last_seen_at=at(11)), lost).status == "running"


def test_a_later_value_replaces_an_earlier_one() -> None:
    assert fold_run(Run(run_id="r", documents_missing=3), Run(run_id="r", documents_missing=0)).documents_missing == 0


@given(DATASETS, DATASETS)
def test_datasets_fold_alike_in_either_order(one: Dataset, other: Dataset) -> None:
    if one.last_seen_at == other.last_seen_at:
        other = replace(other, format=one.format, schema_hash=one.schema_hash)
    assert fold_dataset(one, other) == fold_dataset(other, one)


@given(DATASETS, DATASETS)
def test_a_dataset_keeps_every_alias_and_the_widest_times(one: Dataset, other: Dataset) -> None:
    folded = fold_dataset(one, other)
    assert folded.aliases == tuple(sorted({*one.aliases, *other.aliases}))
    assert (folded.first_seen_at, folded.last_seen_at) == (
        min(one.first_seen_at, other.first_seen_at),
        max(one.last_seen_at, other.last_seen_at),
    )
    assert bool(folded.format) == bool(one.format or other.format)


def test_the_latest_known_schema_wins() -> None:
    old, new, blank = dataset("/d", 1, schema_hash="s1"), dataset("/d", 2, schema_hash="s2"), dataset("/d", 3)
    assert fold_dataset(fold_dataset(new, old), blank).schema_hash == "s2"


def test_a_table_made_again_is_another_dataset() -> None:
    arrived = [dataset("/d", 1, table_id=None), dataset("/d", 2, table_id="t1"), dataset("/d", 3, table_id="t1")]
    folded = fold_all([], arrived, dataset_key, fold_dataset)
    assert [(d.table_id, d.last_seen_at) for d in folded] == [(None, at(1)), ("t1", at(3))]
    assert isinstance(folded[0].last_seen_at, datetime)
