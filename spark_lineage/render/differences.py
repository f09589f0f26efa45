"""The answer of a diff: what is said of it, and its sample as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..query.answers import plain

if TYPE_CHECKING:
    from ..snapshot.difference import Compared, Difference

Table = tuple[str, Sequence[str], list[tuple[Any, ...]]]
"""What it shows, its header and its rows."""


def facts(found: Difference) -> Iterator[str]:
    here, there = found.here.name, found.there.name
    basis = " (by their checksums: nothing was read)" if found.known else ""
    yield f"{here} and {there} {'are equal' if found.equal else 'differ'}{basis}"
    yield from (_fact(name, _side(side)) for name, side in (("here", found.here), ("there", found.there)))
    numbers = (
        ("only here", found.only_here, ""),
        ("only there", found.only_there, ""),
        ("changed", found.changed, f", by {', '.join(found.key)}"),
        ("in tolerance", found.within_tolerance, ""),
    )
    for name, number, more in numbers:
        if number is not None and not (found.equal and not number):
            yield _fact(name, f"{number:,} {'row' if number == 1 else 'rows'}{more}")
    if found.duplicate_keys:
        yield _fact(
            "same key",
            f"{found.duplicate_keys:,} keys are of several of these rows of a side, which are therefore only here or only there",
        )
    if found.differing:
        named = (f"{one.column}{'' if one.rows is None else f' ({one.rows:,})'}" for one in found.differing)
        yield _fact("differ in", ", ".join(named))
    for one in found.schema:
        types = f"{one.here or 'not there'} here, {one.there or 'not there'} there"
        yield _fact("schema", f"{one.column}: {types}; {'compared as values' if one.compared else 'not compared'}")
    if found.reason:
        yield _fact("note", found.reason)


def tables(found: Difference) -> Iterator[Table]:
    """The changed rows as their keys with each cell that differs, the others whole."""
    at = {name: position for position, name in enumerate(found.columns)}
    if found.sample_changed:
        rows = [
            (*(cell(row.here[at[name]]) for name in found.key), name, cell(row.here[at[name]]), cell(row.there[at[name]]))
            for row in found.sample_changed
            for name in row.columns
        ]
        yield "changed", (*found.key, "column", "here", "there"), rows
    for title, sample in (
        (f"only in {found.here.name}", found.sample_here),
        (f"only in {found.there.name}", found.sample_there),
    ):
        if sample:
            yield title, found.columns, [tuple(cell(value) for value in row) for row in sample]


def cell(value: Any) -> Any:
    """Null is told from an empty text and from the text NULL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value in ("", "NULL") or value != value.strip() else value
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return json.dumps(plain_value(value), ensure_ascii=False) if isinstance(value, (dict, tuple)) else value


def plain_value(value: Any) -> Any:
    """As JSON has it: bytes in hexadecimal digits, decimals and times as texts, floats that are no numbers too."""
    if isinstance(value, dict):
        return {name: plain_value(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain_value(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    return value if value is None or isinstance(value, (bool, int, str)) else _text(value)


def as_json(found: Difference) -> dict[str, Any]:
    """Rows of the sample as objects."""

    def row(values: Sequence[Any]) -> dict[str, Any]:
        return {name: plain_value(value) for name, value in zip(found.columns, values, strict=True)}

    samples = {
        "sample_here": [row(one) for one in found.sample_here],
        "sample_there": [row(one) for one in found.sample_there],
        "sample_changed": [
            {"here": row(one.here), "there": row(one.there), "columns": list(one.columns)} for one in found.sample_changed
        ],
    }
    names = (name for name in found.__slots__ if name not in samples and name != "reason")
    return {**{name: plain(getattr(found, name)) for name in names}, **samples, "reason": found.reason}


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _side(side: Compared) -> str:
    version = "" if side.version is None else f", version {side.version}"
    return f"{side.location}{version}{'' if side.rows is None else f', {side.rows:,} rows'}"


def _fact(name: str, value: str) -> str:
    return f"{name:<12} {value}"
