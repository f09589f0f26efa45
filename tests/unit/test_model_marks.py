"""What a program declares of a frame survives as an alias, and never stands in the program's way."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.model_marks import LONGEST, Declared, alias_of, declared_by, without_marks

# What the bridge takes for a name, and leaves as it is where literals are redacted (Literals.java).
WORD = r"[A-Za-z_][\w.\-/:$]*"


class Frame:
    """As far as a declaration looks at a DataFrame."""

    columns = ("visits", "Spent", "churned")

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def alias(self, name: str) -> Frame:
        return Frame(name)


def declared(frame: Any) -> Declared | None:
    return declared_by(frame.name or "")


@pytest.mark.parametrize("model", ["/models/a b.pkl", "s3://bucket/modèle", "models:/churn/3"])
def test_a_declaration_is_read_as_it_was_made(model: str) -> None:
    for one in (Declared("trained", model), Declared("scored", model, ("a", "ä.b"))):
        alias = alias_of(one)
        assert declared_by(alias) == one
        assert re.fullmatch(WORD, alias)


def test_other_aliases_declare_nothing() -> None:
    assert declared_by("orders") is None
    for broken in (
        "spark_lineage_declares:",
        "spark_lineage_declares:e30",
        alias_of(Declared("trained", "/m", ("x",) * 50))[:100],
    ):
        with pytest.raises(ValueError, match="declaration"):
            declared_by(broken)


def test_the_frame_is_given_back_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame: Any = Frame()
    trained = spark_lineage.trained(frame, model=Path("models/../churn.pkl"))
    assert declared(trained) == Declared("trained", f"{tmp_path}/churn.pkl")
    scored = spark_lineage.scored(frame, model="s3://bucket/churn", columns=["spent"])
    assert declared(scored) == Declared("scored", "s3://bucket/churn", ("spent",))


def test_a_password_in_the_address_of_a_model_is_not_declared() -> None:
    """The alias is in the plan, where no redaction can read it."""
    frame: Any = Frame()
    trained = declared(spark_lineage.trained(frame, model="https://user:hunter2@models.example/churn"))
    assert trained is not None
    assert trained.model == "https://user:*********(redacted)@models.example/churn"


@pytest.mark.parametrize("arguments", [{"columns": ["age"]}, {"columns": ["visits"] * LONGEST}, {"model": None}, {"model": ""}])
def test_what_cannot_be_declared_is_logged_and_the_frame_is_as_it_was(
    arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    frame: Any = Frame()
    with caplog.at_level(logging.WARNING):
        assert spark_lineage.trained(frame, **{"model": "/m", **arguments}) is frame
    assert "the job is not affected" in caplog.text
    rows: Any = {"visits": [1]}
    assert spark_lineage.scored(rows, model="/m") is rows


def test_an_expression_names_columns_as_the_program_does() -> None:
    alias = alias_of(Declared("scored", "s3://models/née/churn-1.pkl", ("score",)))
    assert (
        without_marks(f"(`{alias}`.score + coalesce(`{alias}`.`a b`, o.`{alias}x`))")
        == f"(score + coalesce(`a b`, o.`{alias}x`))"
    )
