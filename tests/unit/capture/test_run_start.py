"""The start document holds only what tables can hold."""

from __future__ import annotations

import json

from spark_lineage.capture.attach import _json


def test_arguments_that_are_not_utf8_and_those_that_are() -> None:
    text = _json({"arguments": ["caf\udce9", "café \U0001f600"]})
    assert json.loads(text) == {"arguments": ["caf?", "café \U0001f600"]}
    text.encode("utf-8")
