"""`spark-lineage snapshot` as a person types it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from spark_lineage.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "snapshots.md"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_deltalake("lake/orders", pa.table({"id": [1, 2], "name": ["a", None]}))
    write_deltalake("lake/orders", pa.table({"id": [3], "name": ["c"]}), mode="append")
    return "lake/orders"


def said(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["snapshot", *arguments], prog_name="spark-lineage")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def test_take_list_show_and_verify(place: str) -> None:
    (taken,) = json.loads(said("take", place, "--json").stdout)
    assert (taken["delta_version"], taken["row_count"], taken["files_read"]) == (1, 3, 2)
    (earlier,) = json.loads(said("take", str(Path(place).absolute()), "--version", "0", "--json").stdout)
    assert (earlier["delta_version"], earlier["row_count"], earlier["files_read"], earlier["name"]) == (0, 2, 0, taken["name"])
    header, *rows = said("list").stdout.splitlines()
    assert header.split("\t")[:4] == ["dataset", "version", "committed", "rows"]
    assert [row.split("\t")[1] for row in rows] == ["1", "0"]
    assert taken["checksum"] in said("show", place).stdout
    assert earlier["checksum"] in said("show", place, "--version", "0").stdout
    assert "holds: 3 rows" in said("verify", place).stdout


def test_a_file_that_was_rewritten_is_named(place: str) -> None:
    said("take", place)
    file = next(path for path in Path(place).glob("*.parquet") if pq.read_table(path)["id"].to_pylist() == [3])
    pq.write_table(pa.table({"id": [4], "name": ["c"]}), file)
    output = said("verify", place, code=1).stdout
    assert "differs: it has 3 rows" in output
    assert f"changed: {file.name}" in output
    held = json.loads(said("verify", place, "--json", code=1).stdout)
    assert (held["holds"], held["changed"]) == (False, [file.name])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("take", "lake/nothing"), "no dataset called 'lake/nothing'"),
        (("take", "lake/orders", "--version", "7"), "has no version 7: the newest is 1"),
        (("take", "lake/orders", "--version", "-1"), "-1 is not in the range"),
        (("take", "lake/orders", "--version", "1", "--at", "yesterday"), "give one of them"),
        (("take", "lake/orders", "--at", "soon"), "soon"),
        (("show", "lake/orders"), "no checksum is kept of any version"),
        (("verify", "lake/orders", "--version", "0"), "snapshot take lake/orders --version 0"),
        (("list", "lake/nothing"), "no dataset called"),
    ],
)
def test_what_cannot_be_done(place: str, arguments: tuple[str, ...], words: str) -> None:
    write_deltalake("lake/other", pa.table({"id": [1]}))
    said("take", "lake/other")
    assert words in said(*arguments, code=2).stderr
    assert len(said("list").stdout.splitlines()) == 2, "nothing was written"


def test_without_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there are no lineage tables" in said("list", code=2).stderr
    assert not (tmp_path / "lineage").exists()


def test_no_store_is_made_for_a_dataset_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_deltalake("table", pa.table({"id": [1]}))
    assert "nothing: name a recorded dataset" in said("take", "nothing", code=2).stderr
    said("take", "table", "--version", "1", code=2)
    assert not (tmp_path / "lineage").exists()


def test_the_example_of_the_page_runs(place: str) -> None:
    """docs/snapshots.md, in Python."""
    said("take", place, "--version", "0")
    examples: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (one for one in examples if "verify(" in one)
    ran: dict[str, Any] = {}
    exec(example, ran)
    assert [(one.delta_version, one.row_count) for one in ran["snapshots"](ran["store"])] == [(0, 2), (1, 3)]
    assert ran["verify"](ran["store"], ran["kept"], place).holds


def test_with_a_key(place: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    said("take", place)
    (taken,) = json.loads(said("take", place, "--key", "key", "--json").stdout)
    assert (len(taken["checksum"]), taken["files_read"]) == (96, 2)
    assert "holds: 3 rows" in said("verify", place, "--key", "key").stdout
    assert "holds: 3 rows" in said("verify", place).stdout
    assert len(said("list").stdout.splitlines()) == 3
    (tmp_path / "other").write_bytes(b"o" * 32)
    assert "no checksum is kept" in said("verify", place, "--key", "other", code=2).stderr
    (tmp_path / "short").write_bytes(b"s")
    for wrong in ("short", "missing"):
        assert "head -c 32 /dev/urandom" in said("take", place, "--key", wrong, code=2).stderr
    assert "are for one alone" in said("take", "--due", "--key", "key", code=2).stderr


def test_what_is_due(place: str) -> None:
    said("take", place)
    assert len(said("take", "--due").stdout.splitlines()) == 1, "the header alone"
    for arguments in (("take",), ("take", place, "--due"), ("take", place, "--retry"), ("take", "--due", "--version", "1")):
        assert "Usage" in said(*arguments, code=2).stderr


def test_columns_and_groups_name_a_difference(place: str) -> None:
    said("take", place, "--columns", "--by", "id/10")
    shown = json.loads(said("show", place, "--json").stdout)["parts"]
    assert {grouping: {name: part["rows"] for name, part in parts.items()} for grouping, parts in shown.items()} == {
        "columns": {"id": 3, "name": 3}, "id/10": {"id=0..9": 3},
    }  # fmt: skip
    assert "id=0..9" in said("show", place).stdout
    file = next(path for path in Path(place).glob("*.parquet") if pq.read_table(path)["id"].to_pylist() == [3])
    pq.write_table(pa.table({"id": [3], "name": ["d"]}), file)
    output = said("verify", place, code=1).stdout
    assert "column: name" in output
    assert "column: id" not in output
    assert "group: id=0..9" in output
    for arguments in (("--by", "nothing"), ("--by", "name/3"), ("--key", "key", "--columns"), ("--due", "--columns")):
        assert said("take", *(() if "--due" in arguments else (place,)), *arguments, code=2).stderr
