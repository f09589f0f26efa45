"""Imports go the way the data goes, and the rooms that decide things know neither Spark nor Delta nor a disk.

The two tables below are the law; docs/architecture.md says why. A new room must be entered here before it can be used.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "spark_lineage"

FOUNDATION = {"errors", "config", "faults", "rights"}
CORE = FOUNDATION | {"model", "plan", "lineage", "inbox", "store", "ingest", "query", "export"}
# A room is a folder or a module directly below spark_lineage/. It may import itself and what is named here.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "faults": set(),
    "rights": set(),
    "config": {"errors"},
    "model_marks": set(),
    "sample_marks": set(),
    "model": set(),
    "plan": {"errors", "model", "model_marks"},
    "lineage": {"errors", "model", "plan", "model_marks", "sample_marks"},
    "inbox": FOUNDATION | {"model"},
    "store": FOUNDATION | {"model"},
    "run_reads": FOUNDATION | {"model", "plan", "lineage", "store"},
    "ingest": FOUNDATION | {"model", "plan", "lineage", "inbox", "store", "run_reads", "snapshot"},
    "query": FOUNDATION | {"model", "store"},
    "export": FOUNDATION | {"model", "store", "query"},
    "capture": FOUNDATION | {"model_marks", "sample_marks"},
    "snapshot": (CORE - {"ingest"}) | {"capture"},
    "replay": CORE | {"capture", "snapshot", "sample_marks"},
    "rows": CORE | {"capture", "snapshot", "replay", "sample_marks"},
    "doctor": CORE | {"capture"},
    "render": CORE | {"doctor", "snapshot", "rows", "replay"},
    "web": CORE | {"render"},
    "cli": CORE | {"capture", "doctor", "render", "snapshot", "rows", "replay", "web"},
    "__init__": {"capture", "query", "snapshot", "rows", "replay", "sample_marks"},
}
# What a room may import from outside the standard library. A room that is not here: nothing.
MAY_USE: dict[str, set[str]] = {
    "inbox": {"pyarrow"},
    "store": {"deltalake", "pyarrow", "duckdb"},
    "query": {"deltalake", "pyarrow", "duckdb"},
    "export": {"pyarrow", "duckdb"},
    "capture": {"pyspark", "py4j"},
    "snapshot": {
        "pyspark",
        "py4j",
        "pyarrow",
        "deltalake",
        "duckdb",
        "numpy",
        "xxhash",
        "adbc_driver_manager",
        "adbc_driver_postgresql",
    },
    "rows": {"pyspark", "py4j", "pyarrow", "deltalake"},
    "replay": {"pyspark", "py4j", "pyarrow", "deltalake"},
    "render": {"rich"},
    "cli": {"click"},
}
PURE = ("model", "plan", "lineage")
TOUCHES_THE_WORLD = {"os", "io", "pathlib", "shutil", "subprocess", "socket", "tempfile", "threading", "time", "random", "glob"}


@dataclass(frozen=True)
class Import:
    """`module` is absolute, dotted. `at_run_time` is False below `if TYPE_CHECKING`."""

    module: str
    line: int
    at_run_time: bool


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_rooms_import_only_what_lies_upstream(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, (
        f"{room} is a new room: say in MAY_IMPORT what it may import, and in docs/architecture.md what it is"
    )
    wrong = [
        f"line {one.line}: {one.module}"
        for one in imports(path)
        if (other := room_imported(one.module)) and other != room and other not in MAY_IMPORT[room]
    ]
    assert not wrong, f"{name_of(path)} may import {sorted(MAY_IMPORT[room])} and its own room; it imports {wrong}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_rooms_use_only_their_own_libraries(path: Path) -> None:
    allowed = MAY_USE.get(room_of(path), set())
    wrong = [
        f"line {one.line}: {one.module}"
        for one in imports(path)
        if one.at_run_time and one.module.split(".")[0] not in allowed | sys.stdlib_module_names | {"spark_lineage"}
    ]
    assert not wrong, f"{name_of(path)} may use {sorted(allowed)} beside the standard library; it imports {wrong}"


@pytest.mark.parametrize("path", [path for path in modules() if room_of(path) in PURE], ids=name_of)
def test_the_core_does_not_touch_the_world(path: Path) -> None:
    worldly = [
        f"line {one.line}: {one.module}"
        for one in imports(path)
        if one.at_run_time and one.module.split(".")[0] in TOUCHES_THE_WORLD
    ]
    called = [
        f"line {node.lineno}: {node.func.id}()"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print", "input")
    ]
    assert not worldly + called, f"{name_of(path)} must be pure (bytes and values in, values out): {worldly + called}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_are_short_enough_to_read(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 600, f"{name_of(path)} has {lines} lines: it holds more than one thing"


def test_the_checks_see_every_kind_of_import(tmp_path: Path) -> None:
    path = PACKAGE / "plan" / "nodes" / "example.py"
    source = (
        "import deltalake, os.path\n"
        "from ...store.tables import Store\n"
        "from ... import query\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from pyspark.sql import SparkSession\n"
        "def late():\n    from spark_lineage import ingest\n"
    )
    seen = [(one.module, one.at_run_time) for one in imports_of(source, path)]
    assert seen == [
        ("deltalake", True),
        ("os.path", True),
        ("spark_lineage.store.tables.Store", True),
        ("spark_lineage.query", True),
        ("typing.TYPE_CHECKING", True),
        ("pyspark.sql.SparkSession", False),
        ("spark_lineage.ingest", True),
    ]
    assert [room_imported(module) for module, _ in seen] == [None, None, "store", "query", None, None, "ingest"]


def imports(path: Path) -> list[Import]:
    return imports_of(path.read_text(encoding="utf-8"), path)


def imports_of(source: str, path: Path) -> list[Import]:
    tree = ast.parse(source)
    only_for_types = {id(below) for node in ast.walk(tree) if is_type_checking(node) for below in ast.walk(node)}
    found = [
        Import(module, node.lineno, id(node) not in only_for_types)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in modules_of(node, path)
    ]
    return sorted(found, key=lambda one: one.line)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def modules_of(node: ast.Import | ast.ImportFrom, path: Path) -> Iterator[str]:
    """`from x import y` is taken as x.y: y may be a module, and where it is not, the room is the same."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    if node.module == "__future__":
        return
    package = ("spark_lineage", *path.relative_to(PACKAGE).parts[:-1])
    base = package[: len(package) - node.level + 1] if node.level else ()
    for alias in node.names:
        yield ".".join((*base, *filter(None, (node.module,)), alias.name))


def room_imported(module: str) -> str | None:
    """The room of an absolute module name; None for what is not ours, and for names of the package itself (`__version__`)."""
    parts = module.split(".")
    if parts[0] != "spark_lineage" or len(parts) < 2:
        return None
    is_room = (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file()
    return parts[1] if is_room else None
