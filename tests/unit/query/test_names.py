from __future__ import annotations

from pathlib import Path

import pytest

from spark_lineage.errors import Ambiguous, NotFound
from spark_lineage.query.names import Known, Named, Names

FEATURES = ("file", "/lake/user_activity_features")
RAW = ("file", "/lake/raw/user_behavior.csv")
REVENUE = ("file", "/lake/marts/revenue")
OTHER_REVENUE = ("s3://bucket", "old/revenue")
DOTTED = ("file", "/lake/default.t")
TABLE = ("file", "/lake/warehouse/t")
ORDERS = ("postgres://db:5432", "shop.public.orders")
ALL = Names(
    (
        Known(FEATURES, ("spark_catalog.default.user_activity_features",), "file:/lake/user_activity_features"),
        Known(RAW),
        Known(REVENUE),
        Known(OTHER_REVENUE, ("s3a://bucket/old/revenue",)),
        Known(DOTTED),
        Known(TABLE, ("spark_catalog.sales.t", "sales.t")),
        Known(ORDERS),
    )
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("/lake/user_activity_features", FEATURES),
        ("/lake/user_activity_features/", FEATURES),
        ("/lake//user_activity_features", FEATURES),
        ("file:/lake/user_activity_features", FEATURES),
        ("file:///lake/user_activity_features", FEATURES),
        ("delta.`/lake/user_activity_features`", FEATURES),
        ("delta.`file:/lake/user_activity_features/`", FEATURES),
        ("user_activity_features", FEATURES),
        ("default.user_activity_features", FEATURES),
        ("spark_catalog.default.user_activity_features", FEATURES),
        ("`default`.`user_activity_features`", FEATURES),
        ("USER_ACTIVITY_FEATURES", FEATURES),
        ("user_behavior.csv", RAW),
        ("user_behavior", RAW),
        ("raw/user_behavior", RAW),
        ("marts/revenue", REVENUE),
        ("s3://bucket/old/revenue", OTHER_REVENUE),
        ("s3a://bucket/old/revenue/", OTHER_REVENUE),
        ("s3n://bucket/old/revenue", OTHER_REVENUE),
        ("old/revenue", OTHER_REVENUE),
        ("default.t", DOTTED),
        ("sales.t", TABLE),
        ("t", TABLE),
        ("orders", ORDERS),
        ("public.orders", ORDERS),
    ],
)
def test_any_name_of_a_dataset_is_accepted(text: str, meant: tuple[str, str]) -> None:
    assert ALL.dataset(text) == meant


def test_a_path_from_here_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = ("file", str(tmp_path / "lake" / "t"))
    assert Names([Known(here), Known(("file", "/elsewhere/lake/t"))]).dataset("./lake/t") == here


def test_a_name_that_fits_two_datasets_lists_both() -> None:
    with pytest.raises(Ambiguous, match="fits 2 datasets") as caught:
        ALL.dataset("revenue")
    assert caught.value.candidates == ("/lake/marts/revenue (in file)", "old/revenue (in s3://bucket)")


def test_only_whole_parts_of_a_name_count() -> None:
    with pytest.raises(NotFound):
        ALL.dataset("activity_features")


def test_what_is_not_there_is_met_with_near_names() -> None:
    with pytest.raises(NotFound, match=r"Near names: default\.user_activity_features"):
        ALL.dataset("user_activity_feature")
    with pytest.raises(NotFound, match=r"Near names: user_behavior\.csv"):
        ALL.column("user_behaviour.event_type")
    with pytest.raises(NotFound, match="the store has no datasets yet"):
        Names([]).dataset("t")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("user_behavior.csv", Named(RAW)),
        ("user_behavior.event_type", Named(RAW, "event_type")),
        ("user_behavior.csv.event_type", Named(RAW, "event_type")),
        ("/lake/raw/user_behavior.csv.event_type", Named(RAW, "event_type")),
        ("default.user_activity_features.user_id", Named(FEATURES, "user_id")),
        ("user_activity_features.address.city", Named(FEATURES, "address.city")),
        ("user_activity_features.`a.b`", Named(FEATURES, "a.b")),
        ("default.t.x", Named(DOTTED, "x")),
        ("t.x", Named(TABLE, "x")),
        ("public.orders.id", Named(ORDERS, "id")),
    ],
)
def test_the_longest_dataset_name_wins_and_the_rest_is_the_column(text: str, meant: Named) -> None:
    assert ALL.column(text) == meant


def test_a_column_of_an_ambiguous_dataset_is_ambiguous() -> None:
    with pytest.raises(Ambiguous):
        ALL.column("revenue.total")


def test_a_label_is_the_shortest_name_that_is_the_datasets_alone() -> None:
    labels = {key: ALL.label(key) for key in ALL.known}
    assert labels == {
        FEATURES: "default.user_activity_features",
        RAW: "user_behavior.csv",
        REVENUE: "marts/revenue",
        OTHER_REVENUE: "old/revenue",
        DOTTED: "default.t",
        TABLE: "sales.t",
        ORDERS: "orders",
    }
    assert {ALL.dataset(label) for label in labels.values()} == set(ALL.known)
