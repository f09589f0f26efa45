"""`spark-lineage snapshot availability` and `spark-lineage retain` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable, write_deltalake

import spark_lineage
from spark_lineage.cli import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_deltalake("lake/orders", pa.table({"id": [1, 2], "name": ["a", None]}))
    write_deltalake("lake/orders", pa.table({"id": [3], "name": ["c"]}), mode="overwrite")
    return "lake/orders"


def said(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments), prog_name="spark-lineage")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def vacuum(place: str) -> None:
    DeltaTable(place).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def test_availability(place: str) -> None:
    for version in ("0", "1"):
        said("snapshot", "take", place, "--version", version)
    header, *rows = said("snapshot", "availability", place).stdout.splitlines()
    assert header.split("\t")[1:4] == ["version", "readable", "until"]
    cells = [row.split("\t") for row in rows]
    assert [cell[1:3] for cell in cells] == [["0", "yes"], ["1", "yes"]]
    assert cells[0][3].endswith("Z (files)")
    assert cells[1][3] == "no end"
    vacuum(place)
    zero, one = json.loads(said("snapshot", "availability", "--json", code=1).stdout)
    assert (zero["version"], zero["readable"], zero["until"], zero["checksums"], zero["read_by"]) == (0, False, None, 1, 0)
    assert "delta.deletedFileRetentionDuration" in zero["reason"]
    assert (one["readable"], one["bound"], one["lost"]) == (True, "log", [])
    deep = json.loads(said("snapshot", "availability", place, "--deep", "--json", code=1).stdout)
    assert [(found["readable"], len(found["lost"])) for found in deep] == [(False, 1), (True, 0)]


def test_what_is_archived_can_be_read(place: str) -> None:
    said("snapshot", "take", place, "--version", "0")
    output = said("retain", place, "--version", "0", "--archive", "kept").stdout
    assert "version 0 of" in output
    assert "copied: 1 files" in output
    vacuum(place)
    (found,) = json.loads(said("snapshot", "availability", place, "--json").stdout)
    assert (found["readable"], Path(found["archive"]).parent.parent.name) == (False, "kept")
    (checksum,) = (line.split()[1] for line in output.splitlines() if line.startswith("checksum"))
    (taken,) = json.loads(said("snapshot", "take", found["archive"], "--json").stdout)
    assert taken["checksum"] == checksum
    assert "nothing was copied" in said("retain", place, "--version", "0", "--archive", "kept").stdout, (
        "it is gone, its copy is not"
    )
    assert "took files of it" in said("retain", place, "--version", "0", "--archive", "other", code=2).stderr


def test_a_second_copy_is_no_work(place: str) -> None:
    first = json.loads(said("retain", place, "--version", "0", "--archive", "kept", "--json").stdout)
    again = json.loads(said("retain", place, "--version", "0", "--archive", "kept", "--json").stdout)
    assert (again["archive"], again["already_there"], again["copied_bytes"]) == (first["archive"], True, 0)
    assert "nothing was copied" in said("retain", place, "--version", "0", "--archive", "kept").stdout


def test_retain_days(place: str) -> None:
    output = said("retain", place).stdout
    assert "delta.deletedFileRetentionDuration: interval 1 week\n" in output
    assert "no estimate: the log goes back less than a day" in output
    assert "interval 1 week -> interval 45 days (not set)" in said("retain", place, "--days", "45", "--dry-run").stdout
    assert DeltaTable(place).version() == 1
    assert not Path("lineage").exists(), "a table that is named by its folder needs no store"
    kept = json.loads(said("retain", place, "--days", "45", "--json").stdout)
    assert (kept["days"], kept["version"], kept["held_files"]) == (45, 2, 1)
    assert "set by version 3" in said("retain", place, "--days", "10", "--shorten").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("retain", "lake/nothing"), "no lineage tables"),
        (("retain", "lake/orders", "--days", "0"), "0 is not in the range"),
        (("retain", "lake/orders", "--days", "soon"), "not a valid integer"),
        (("retain", "lake/orders", "--days", "99999999"), "cannot be kept"),
        (("retain", "lake/orders", "--shorten"), "go with --days"),
        (("retain", "lake/orders", "--dry-run"), "go with --days"),
        (("retain", "lake/orders", "--version", "0"), "go together"),
        (("retain", "lake/orders", "--archive", "kept"), "go together"),
        (("retain", "lake/orders", "--version", "0", "--archive", "kept", "--days", "3"), "give one of them"),
        (("retain", "lake/orders", "--version", "7", "--archive", "kept"), "has no version 7: the newest is 1"),
        (("retain", "lake/nothing", "--version", "0", "--archive", "kept"), "is no Delta table"),
        (("snapshot", "availability"), "there are no lineage tables"),
    ],
)
def test_what_cannot_be_done(place: str, arguments: tuple[str, ...], words: str) -> None:
    assert words in said(*arguments, code=2).stderr
    assert [path.name for path in Path().iterdir()] == ["lake"], "nothing was made"
    assert DeltaTable(place).version() == 1


def test_with_a_store(place: str) -> None:
    said("snapshot", "take", place)
    assert "no dataset called 'lake/nothing'" in said("snapshot", "availability", "lake/nothing", code=2).stderr
    assert "no dataset called 'lake/nothing'" in said("retain", "lake/nothing", code=2).stderr
    said("retain", place, "--version", "1", "--archive", f"{place}/kept", code=2)
    assert not Path(place, "kept").exists()
    write_deltalake("lake/other", pa.table({"id": [1]}))
    assert said("snapshot", "availability", "lake/other").stdout.splitlines()[1:] == []


def test_from_python(place: str) -> None:
    said("snapshot", "take", place, "--version", "0")
    lineage = spark_lineage.open("lineage")
    assert [one.readable for one in lineage.availability()] == [True]
    assert lineage.availability(place, deep=True)[0].lost == ()
    assert lineage.retain(place).days == 7
    assert lineage.retain(place, 60).version == 2
    made = lineage.archive(place, 0, Path("kept"))
    assert lineage.availability(place)[0].archive == made.archive.location
    assert lineage.datasets() == ()
