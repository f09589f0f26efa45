"""Writes docs/checksum-vectors.json, by the reference: python tests/unit/snapshot/vectors.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cells import value_of
from reference import checksum, keyed_checksum, schema_hash

VECTORS = Path(__file__).parents[3] / "docs" / "checksum-vectors.json"
ARRAY = {"type": "array", "elementType": "integer", "containsNull": True}
STRUCT = {"type": "struct", "fields": [{"name": "x", "type": "long", "nullable": True, "metadata": {}}, {"name": "y", "type": "string", "nullable": True, "metadata": {}}]}  # fmt: skip
MAP = {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}
CASES: list[tuple[str, list[tuple[str, Any]], list[list[Any]]]] = [
    ("no rows", [("a", "long")], []),
    ("a row of a null", [("a", "long")], [[None]]),
    ("numbers", [("a", "integer"), ("b", "long")], [[1, -2], [2147483647, 9223372036854775807], [None, 0]]),
    ("doubles", [("a", "double"), ("b", "float")], [[1.5, 0.25], ["-0.0", "NaN"], [None, "inf"]]),
    ("texts", [("ä", "string"), ("a", "string")], [["", None], [None, ""], ["0123456789012345678901234567890123456789", "日本"]]),
    ("bytes and booleans", [("a", "binary"), ("b", "boolean")], [["", True], ["00ff", False], [None, None]]),
    ("times", [("d", "date"), ("t", "timestamp"), ("n", "timestamp_ntz")], [["1969-12-31", "2024-02-29T12:00:00.000001+00:00", "0001-01-01T00:00:00"]]),
    ("decimals", [("a", "decimal(10,2)"), ("b", "decimal(38,10)")], [["1.25", "-1.28"], ["-0.01", "12345678901234567890.0000000001"], ["0.00", "0"]]),
    ("a struct", [("s", STRUCT)], [[{"x": 1, "y": "a"}], [{"x": None, "y": None}], [None]]),
    ("arrays", [("a", ARRAY), ("b", {"type": "array", "elementType": STRUCT, "containsNull": True})], [[[1, None, 3], [{"x": 1, "y": None}, None]], [[], None]]),
    ("a map", [("m", MAP)], [[[["k", 1], ["l", None]]], [[]], [None]]),
    ("the same row twice", [("a", "long")], [[1], [1]]),
]  # fmt: skip


def vectors() -> list[dict[str, Any]]:
    made = []
    for name, fields, rows in CASES:
        schema = {
            "type": "struct",
            "fields": [{"name": field, "type": kind, "nullable": True, "metadata": {}} for field, kind in fields],
        }
        values = [tuple(value_of(cell, kind) for cell, (_, kind) in zip(row, fields, strict=True)) for row in rows]
        made.append(
            {
                "name": name,
                "schema": schema,
                "rows": rows,
                "checksum": checksum(schema, values)[1],
                "schema_hash": schema_hash(schema),
                "keyed_checksum": keyed_checksum(
                    bytes(range(32)), schema, values, bytes(range(16)), "file\0/data/orders\0a table\0" + "7"
                ),
            }
        )
    return made


if __name__ == "__main__":
    VECTORS.write_text(
        "[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors()) + "\n]\n", encoding="utf-8"
    )
