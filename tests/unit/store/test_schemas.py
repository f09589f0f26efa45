"""Records, Arrow schemas and the documentation name the same columns with the same types."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from spark_lineage import model
from spark_lineage.store.schemas import STORE_INFO, STORE_INFO_SCHEMA, TABLES, TableSchema

DOCS = Path(__file__).parents[3] / "docs" / "tables.md"
EVERY_TABLE = [pytest.param(table, id=table.name) for table in TABLES.values()]


def test_every_kind_of_record_has_its_table() -> None:
    assert [field.name for field in fields(model.Records)] != []
    assert {field.name for field in fields(model.Records)} == set(TABLES) - {
        "snapshots",
        "snapshot_files",
        "snapshot_parts",
        "archives",
        "preserved",
        "row_lineage",
        "row_samples",
        "replays",
    }, "those are of no document"


def test_executions_are_written_last() -> None:
    assert list(TABLES)[-1] == "executions"


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_the_record_has_these_columns_in_this_order(table: TableSchema) -> None:
    assert [field.name for field in fields(table.record)] == table.arrow.names


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_the_record_has_these_types(table: TableSchema) -> None:
    hints = typing.get_type_hints(table.record)
    wrong = {f.name: (hints[f.name], f.type) for f in table.arrow if not fits(hints[f.name], f.type)}
    assert wrong == {}


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_a_column_that_may_be_none_may_be_null(table: TableSchema) -> None:
    hints = typing.get_type_hints(table.record)
    assert [f.name for f in table.arrow if types.NoneType in typing.get_args(hints[f.name]) and not f.nullable] == []


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_keys_and_layout_are_columns(table: TableSchema) -> None:
    assert {*table.key, *table.statistics, *table.partition_by, *table.cluster_by} <= set(table.arrow.names)


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_the_documentation_has_these_columns(table: TableSchema) -> None:
    assert documented()[table.name] == {f.name: type_name(f.type) for f in table.arrow}


def test_the_documentation_has_the_table_of_the_store() -> None:
    assert documented()[STORE_INFO] == {f.name: type_name(f.type) for f in STORE_INFO_SCHEMA}


def test_every_documented_column_says_what_it_means() -> None:
    silent = [cells for cells in rows_of_tables() if len(cells) != 3 or len(cells[2]) < 10]
    assert silent == []


def fits(hint: object, arrow: pa.DataType) -> bool:
    """Whether values of a type annotation are what the Arrow type holds."""
    options = [option for option in typing.get_args(hint) if option is not types.NoneType]
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return len(options) == 1 and fits(options[0], arrow)
    if hint == dict[str, typing.Any]:  # a row of another table, as far as it is repeated
        return pa.types.is_struct(arrow)
    if hint == dict[str, str]:
        return arrow == pa.map_(pa.string(), pa.string())
    if typing.get_origin(hint) is typing.Literal:
        return arrow == pa.string()
    if typing.get_origin(hint) is tuple:
        return pa.types.is_list(arrow) and fits(typing.get_args(hint)[0], arrow.value_type)
    if typing.get_origin(hint) is dict:
        return arrow == pa.map_(pa.string(), pa.string())
    if is_dataclass(hint):
        nested = typing.get_type_hints(hint)
        return list(nested) == [f.name for f in arrow.fields] and all(fits(nested[f.name], f.type) for f in arrow.fields)
    plain = {
        str: [pa.string()],
        bool: [pa.bool_()],
        int: [pa.int32(), pa.int64()],
        date: [pa.date32()],
        bytes: [pa.binary()],
        float: [pa.float64()],
    }
    return arrow in (plain | {datetime: [pa.timestamp("us", tz="UTC")]})[hint]  # type: ignore[index]


def type_name(arrow: pa.DataType) -> str:
    """The type as the documentation writes it, in Spark's words."""
    if pa.types.is_list(arrow):
        return f"array<{type_name(arrow.value_type)}>"
    if pa.types.is_map(arrow):
        return f"map<{type_name(arrow.key_type)},{type_name(arrow.item_type)}>"
    if pa.types.is_struct(arrow):
        return "struct<" + ",".join(f"{f.name}:{type_name(f.type)}" for f in arrow.fields) + ">"
    names = {
        pa.string(): "string",
        pa.int64(): "bigint",
        pa.int32(): "int",
        pa.bool_(): "boolean",
        pa.date32(): "date",
        pa.binary(): "binary",
        pa.float64(): "double",
    }
    return (names | {pa.timestamp("us", tz="UTC"): "timestamp"})[arrow]


def documented() -> dict[str, dict[str, str]]:
    """Table -> column -> type, of the sections ``## `table` `` of the documentation."""
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ").strip("`")
        elif line.startswith("| `") and name in {*TABLES, STORE_INFO}:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(name, {})[cells[0].strip("`")] = cells[1].strip("`")
    return found


def rows_of_tables() -> list[list[str]]:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("| `")]
