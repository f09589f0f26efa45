"""Where rows that a version wrote lie later, by the log: of tables that delta-rs writes, and of commits written out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from spark_lineage.rows.lifetimes import Log


def rows(*values: int) -> pa.Table:
    return pa.table({"v": pa.array(values, pa.int64())})


def test_rows_of_a_version_through_copies_until_they_are_overwritten(tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    write_deltalake(place, rows(1, 2))
    write_deltalake(place, rows(3), mode="append")
    DeltaTable(place).delete("v = 1")  # writes 2 again
    DeltaTable(place).optimize.compact()
    log = Log(place)
    first, second = log.lifetime(0), log.lifetime(1)
    assert (first.until, first.carriers) == (None, {0, 2, 3})
    assert (second.until, second.carriers) == (None, {1, 3})
    assert [len(log.files(version, first.carriers)) for version in range(4)] == [1, 1, 1, 1]
    assert log.files(1, first.carriers) < log.files(1)
    assert log.files(3, second.carriers) == log.files(3)
    write_deltalake(place, rows(4), mode="overwrite")
    log = Log(place)
    first = log.lifetime(0)
    assert (first.until, first.carriers) == (4, {0, 2, 3})
    assert [first.holds(version) for version in range(5)] == [True, True, True, True, False]
    assert not log.lifetime(1).holds(0)
    assert log.lifetime(4).until is None
    assert log.files(4, first.carriers) == set()


def commit(place: Path, version: int, *actions: dict[str, Any]) -> None:
    text = "".join(json.dumps(action) + "\n" for action in actions)
    (place / "_delta_log" / f"{version:020}.json").write_text(text, encoding="utf-8")


def add(path: str, data: bool = True) -> dict[str, Any]:
    return {"add": {"path": path, "partitionValues": {}, "size": 1, "modificationTime": 0, "dataChange": data}}


def remove(path: str) -> dict[str, Any]:
    return {"remove": {"path": path, "deletionTimestamp": 0, "dataChange": True}}


@pytest.mark.parametrize(
    ("operation", "parameters", "carried"),
    [
        ("WRITE", {"mode": "Overwrite", "partitionBy": "[]"}, False),
        ("WRITE", {"mode": "Overwrite", "partitionBy": "[]", "predicate": "true"}, False),
        ("WRITE", {"mode": "Overwrite", "partitionBy": "[]", "predicate": "v > 1"}, True),
        ("CREATE OR REPLACE TABLE AS SELECT", {}, False),
        ("STREAMING UPDATE", {"outputMode": "Complete"}, False),
        ("UPDATE", {"predicate": "[]"}, True),
        ("MERGE", {}, True),
        ("OPTIMIZE", {}, True),
        ("SOMETHING NEW", {}, True),
    ],
)
def test_which_commits_write_rows_again(operation: str, parameters: dict[str, str], carried: bool, tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    schema = json.dumps({"type": "struct", "fields": [{"name": "v", "type": "long", "nullable": True, "metadata": {}}]})
    metadata = {
        "id": "a",
        "format": {"provider": "parquet"},
        "schemaString": schema,
        "partitionColumns": [],
        "configuration": {},
    }
    protocol = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    commit(tmp_path, 0, protocol, {"metaData": metadata}, add("one"), add("two"))
    said = {"commitInfo": {"timestamp": 0, "operation": operation, "operationParameters": parameters}}
    commit(tmp_path, 1, said, remove("one"), remove("two"), add("three"))
    log = Log(str(tmp_path))
    lifetime = log.lifetime(0)
    assert lifetime.carriers == ({0, 1} if carried else {0})
    assert lifetime.until == (None if carried else 1)


def test_a_file_that_comes_back(tmp_path: Path) -> None:
    """As RESTORE has it: a file is there again that a commit took away."""
    place = str(tmp_path / "t")
    write_deltalake(place, rows(1))
    write_deltalake(place, rows(2), mode="overwrite")
    DeltaTable(place).restore(0)
    log = Log(place)
    first, second, third = map(log.lifetime, range(3))
    assert (first.until, second.until, third.until) == (None, 2, None)
    assert [first.holds(version) for version in range(3)] == [True, False, True], "it was gone in between"
    assert [len(log.files(version, first.carriers)) for version in range(3)] == [1, 0, 1]
    assert (third.times, log.files(2, third.carriers)) == (((2, None),), log.files(2))
    write_deltalake(place, rows(3), mode="overwrite")
    log = Log(place)
    assert log.lifetime(0).times == ((0, 1), (2, 3))
    assert log.lifetime(2).until == 3


def test_rows_that_were_written_again_before_their_file_came_back(tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    write_deltalake(place, rows(1, 2))
    DeltaTable(place).delete("v = 1")  # writes 2 again
    DeltaTable(place).restore(0)
    log = Log(place)
    first = log.lifetime(0)
    assert first.times == ((0, None),)
    assert [log.files(version, first.carriers) for version in range(3)] == [log.files(version) for version in range(3)]
    assert log.lifetime(1).until == 2
