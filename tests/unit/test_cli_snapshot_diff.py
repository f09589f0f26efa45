"""`spark-lineage snapshot diff` as a person types it."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from spark_lineage.cli import main
from spark_lineage.render import Page
from spark_lineage.snapshot.diff import diff

PAGE = Path(__file__).resolve().parents[2] / "docs" / "snapshots.md"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_deltalake("lake/orders", pa.table({"id": [1, 2, 3], "name": ["a", None, "c "]}))
    write_deltalake("lake/orders", pa.table({"id": [2, 3, 4], "name": ["", "c", "d"]}), mode="overwrite")
    return "lake/orders"


def said(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["snapshot", *arguments], prog_name="spark-lineage")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def test_two_versions_by_key(place: str) -> None:
    lines = said("diff", f"{place}@0", f"{place}@1", "--key", "id", code=1).stdout.splitlines()
    where = Path(place).absolute()
    assert lines[:10] == [
        "lake/orders@0 and lake/orders@1 differ",
        f"here         {where}, version 0, 3 rows",
        f"there        {where}, version 1, 3 rows",
        "only here    1 row",
        "only there   1 row",
        "changed      2 rows, by id",
        "differ in    name (2)",
        "",
        "changed",
        "id\tcolumn\there\tthere",
    ]
    assert set(lines[10:12]) == {'2\tname\tNULL\t""', '3\tname\t"c "\tc'}
    assert lines[12:16] == ["", "only in lake/orders@0", "id\tname", "1\ta"]
    assert lines[16:] == ["", "only in lake/orders@1", "id\tname", "4\td"]


def test_json_has_every_field(place: str) -> None:
    found = json.loads(said("diff", f"{place}@0", place, "--key", "id", "--json", code=1).stdout)
    answer = diff(None, f"{place}@0", place)
    assert set(found) == set(answer.__slots__)
    assert (found["equal"], found["only_here"], found["changed"], found["there"]["version"]) == (False, 1, 2, 1)
    assert found["sample_here"] == [{"id": 1, "name": "a"}]
    assert {one["here"]["id"]: one["columns"] for one in found["sample_changed"]} == {2: ["name"], 3: ["name"]}


def test_every_value_of_a_sample_is_json(place: str) -> None:
    values = {
        "b": pa.array([b"\x00\xff"]), "d": pa.array([Decimal("1.50")]), "f": pa.array([math.nan]), "i": pa.array([math.inf]),
        "day": pa.array([dt.date(2024, 1, 2)]), "t": pa.array([dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        "l": pa.array([[1, None]]), "m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "r": pa.array([{"x": Decimal("2")}]),
    }  # fmt: skip
    pq.write_table(pa.table(values), "a.parquet")
    pq.write_table(pa.table(values).slice(0, 0), "b.parquet")
    (row,) = json.loads(said("diff", "a.parquet", "b.parquet", "--json", code=1).stdout)["sample_here"]
    assert row == {
        "b": "00ff", "d": "1.50", "f": "nan", "i": "inf", "day": "2024-01-02", "t": "2024-01-02T03:00:00+00:00",
        "l": [1, None], "m": [["a", 1]], "r": {"x": "2"},
    }  # fmt: skip
    assert "0x00ff" in said("diff", "a.parquet", "b.parquet", code=1).stdout


def test_equal(place: str) -> None:
    pq.write_table(pa.table({"id": pa.array([2, 4, 3], pa.int32()), "name": ["", "d", "c  "]}), "orders.parquet")
    lines = said("diff", place, "orders.parquet", "--trim", "all", "--key", "id").stdout.splitlines()
    assert lines[0] == "lake/orders and orders.parquet are equal"
    assert lines[-1] == "schema       id: long here, integer there; compared as values"
    said("diff", place, "orders.parquet", "--ignore-column", "name", "--brief")


def test_versions_whose_checksums_are_kept(place: str) -> None:
    for version in "01":
        said("take", place, "--version", version)
    for file in Path(place).glob("*.parquet"):
        file.unlink()
    lines = said("diff", f"{place}@0", f"{place}@1", "--brief", code=1).stdout.splitlines()
    assert lines[0] == "lake/orders@0 and lake/orders@1 differ (by their checksums: nothing was read)"
    assert "note         a brief answer does not count rows" in lines
    assert "the rows were not compared: " in said("diff", f"{place}@0", f"{place}@1", code=1).stdout
    assert "are equal (by their checksums" in said("diff", f"{place}@0", f"{place}@0").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lake/orders",), "Missing argument 'B'"),
        (("lake/orders", "nothing"), "there is nothing at"),
        (("lake/orders", "lake/orders@7"), "has no version 7: the newest is 1"),
        (("lake/orders", "a.csv"), "need Spark"),
        (("lake/orders", "lake/orders", "--key", "idd"), "neither side has a column 'idd'. Near names: id"),
        (("lake/orders", "lake/orders", "--key", "id,"), "neither side has a column ''"),
        (("lake/orders", "lake/orders", "--float-tolerance", "1e-6"), "a tolerance needs a key"),
        (("lake/orders", "lake/orders", "--float-tolerance", "little"), "is not a valid float"),
        (("lake/orders", "lake/orders", "--float-tolerance", "-1", "--key", "id"), "give a number above 0"),
        (("lake/orders", "lake/orders", "--trim", "id"), "column id is no text but of type long"),
        (("lake/orders", "lake/orders", "--sample", "-1"), "-1 is not in the range"),
        (("lake/orders", "lake/orders", "--brief", "--key", "id"), "a brief answer pairs no rows"),
    ],
)
def test_what_cannot_be_done(arguments: tuple[str, ...], words: str) -> None:
    Path("a.csv").write_text("id,name\n1,a\n")
    assert words in said("diff", *arguments, code=2).stderr
    assert not Path("lineage").exists()


def test_a_name_that_is_neither_recorded_nor_a_place(place: str) -> None:
    said("take", place)
    assert "no dataset called 'nothing' is recorded" in said("diff", place, "nothing", code=2).stderr


def test_on_a_terminal(place: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    Page(stream=stream).difference(diff(None, f"{place}@0", f"{place}@1"))
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "only in lake/orders@1\nid  name\n" in text.replace(" \n", "\n")
    assert "\t" not in text


def test_the_example_of_the_page_runs(place: str) -> None:
    """docs/snapshots.md, of diff in Python."""
    said("take", place)
    examples: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (one for one in examples if ".diff(" in one)
    ran: dict[str, Any] = {}
    exec(example, ran)
    assert (ran["found"].equal, ran["found"].changed) == (False, 1)
