"""The start document holds only what tables can hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spark_lineage.capture.attach import _absolute, _json, _limits, _of_executables, _of_preserving
from spark_lineage.config import load
from spark_lineage.errors import AttachError


def test_arguments_that_are_not_utf8_and_those_that_are() -> None:
    text = _json({"arguments": ["caf\udce9", "café \U0001f600"]})
    assert json.loads(text) == {"arguments": ["caf?", "café \U0001f600"]}
    text.encode("utf-8")


def test_a_home_folder_that_is_not_known_is_told_in_words() -> None:
    with pytest.raises(AttachError, match="home folder is not known"):
        _absolute("~nobody-of-this-name/lineage")


def test_such_a_key_does_not_cost_the_lineage() -> None:
    """It is the ingester's to use, or to do without."""
    settings = load(environment={}, executables_store="/secure", executables_key="~nobody-of-this-name/key")
    assert _of_executables(settings) == ["--executables-store", "/secure", "--executables-key", "~nobody-of-this-name/key"]


def test_the_names_of_masking_functions_travel() -> None:
    assert _limits(load(environment={}))["masking_functions"] == []
    assert _limits(load(environment={}, masking_functions="Scramble, shop.hide"))["masking_functions"] == [
        "Scramble",
        "shop.hide",
    ]


def test_the_place_of_executables_travels_whole() -> None:
    """Whoever ingests has another working directory."""
    assert _limits(load(environment={}))["executables_store"] == ""
    assert _limits(load(environment={}, executables_store="secure"))["executables_store"] == str(Path.cwd() / "secure")
    assert _limits(load(environment={}, executables_store="s3://b/secure"))["executables_store"] == "s3://b/secure"


def test_what_the_ingester_is_told_to_preserve() -> None:
    assert _of_preserving(load(environment={})) == []
    settings = load(
        environment={}, snapshots_preserve=["*.csv", "/x/*"], snapshots_preserve_max_bytes=9, snapshots_preserve_folder="kept"
    )
    told = ["--preserve=*.csv", "--preserve=/x/*", "--preserve-max-bytes=9", f"--preserve-folder={Path.cwd() / 'kept'}"]
    assert _of_preserving(settings) == told
