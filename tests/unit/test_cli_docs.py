"""docs/commands.md is what the commands say, and docs/asking.md names every field of an answer."""

from __future__ import annotations

import dataclasses
import re
import runpy
from pathlib import Path

import pytest

from spark_lineage.cli import main
from spark_lineage.doctor import Finding
from spark_lineage.ingest import IngestReport
from spark_lineage.query import answers, lineage
from spark_lineage.query.moment import WEEKDAYS, moment
from spark_lineage.replay.lineage import Lineage as Replays
from spark_lineage.rows.lineage import Lineage
from spark_lineage.snapshot.lineage import Lineage as Snapshots
from spark_lineage.store.views import FULL_OVERWRITES

ROOT = Path(__file__).resolve().parents[2]
ASKING = (ROOT / "docs" / "asking.md").read_text(encoding="utf-8")
ANSWERS = [kind for kind in vars(answers).values() if dataclasses.is_dataclass(kind)] + [Finding, IngestReport]


def test_commands_document_is_fresh() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "commands_doc.py"))["document"]()
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == written, "run python scripts/commands_doc.py"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    command = main.commands[name]
    assert command.help
    assert [option.name for option in command.params if option.param_type_name == "option" and not option.help] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__name__)
def test_every_field_of_an_answer_is_documented(kind: type) -> None:
    assert [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in ASKING] == []


def test_every_question_of_python_is_documented() -> None:
    methods = [
        name for kind in (lineage.Lineage, Snapshots, Replays, Lineage) for name in vars(kind) if not name.startswith("_")
    ]
    assert [name for name in methods if f"`{name}(" not in ASKING] == []


def test_every_full_write_mode_is_documented() -> None:
    assert all(f"`{mode}`" in ASKING for mode in FULL_OVERWRITES)


def test_every_form_of_time_in_the_document_is_understood() -> None:
    table = ASKING.split("## Time")[1].split("## ")[0]
    forms = [
        form for line in table.splitlines() if line.startswith("| `") for form in re.findall(r"`([^`]+)`", line.split("|")[1])
    ]
    assert len(forms) > 10
    assert all(moment(form) for form in (*forms, *WEEKDAYS))
