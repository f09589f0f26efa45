"""The summary of the long suites: a part that is run again leaves the results of the others."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "soak.py"


@pytest.fixture
def soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SUMMARY", tmp_path / "soak.json")
    return module


def test_the_others_keep_their_results(soak: ModuleType) -> None:
    soak.keep("tpc long", {"exit_code": 0, "commit": "a"})
    soak.keep("unit", {"exit_code": 1, "commit": "a"})
    soak.keep("unit", {"exit_code": 0, "commit": "b"})
    kept = json.loads(soak.SUMMARY.read_text())["suites"]
    assert list(kept) == ["unit", "tpc long"]
    assert [one["commit"] for one in kept.values()] == ["b", "a"]


def test_every_long_test_is_in_one_suite(soak: ModuleType) -> None:
    """What is run apart is there, and is left out of the suite of the folder around it."""
    long = {name: suite for name, suite in soak.SUITES.items() if "soak" in suite}
    for path in sorted((SCRIPT.parents[1] / "tests" / "spark").rglob("test_*.py")):
        file = str(path.relative_to(SCRIPT.parents[1]))
        suites = [
            name
            for name, (folder, *rest) in long.items()
            if f"{file}/".startswith(f"{folder}/")
            and not any(f"{file}/".startswith(f"{one.removeprefix('--ignore=')}/") for one in rest)
        ]
        assert len(suites) == 1, (file, suites)
    assert all((SCRIPT.parents[1] / path).exists() for path in soak.APART.values())
