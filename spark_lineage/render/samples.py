"""Samples of rows, drawn: ids in hexadecimal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..model import RowLineage, RowSample
from .differences import cell, plain_value
from .words import time

SAMPLES = ("dataset", "version", "share", "key", "rows", "chosen", "source rows", "truncated", "seconds", "taken")
ROWS = ("key", "row", "label", "source", "version", "known by", "file", "position", "times", "of")


def samples(rows: Sequence[RowSample]) -> list[tuple[Any, ...]]:
    return [
        (
            one.name, one.delta_version, f"{one.fraction:.3g}", ", ".join(one.key or ()), one.rows_written, one.rows_chosen, one.witness_rows,
            one.rows_truncated, one.seconds, time(one.taken_at),
        )
        for one in rows
    ]  # fmt: skip


def source_rows(rows: Sequence[RowLineage], values: Sequence[Mapping[str, Any] | None] | None = None) -> list[tuple[Any, ...]]:
    """`values`: of each row, None of one that could not be read."""
    drawn = [
        (
            one.target_key, one.target_row.hex(), one.completeness, one.source_name, one.source_version, one.source_row_kind, one.source_file,
            one.source_fingerprint.hex() if one.source_fingerprint is not None else one.source_position, one.multiplicity, one.source_rows,
        )
        for one in rows
    ]  # fmt: skip
    if values is None:
        return drawn
    return [
        (*row, None if told is None else ", ".join(f"{name}={cell(value)}" for name, value in told.items()))
        for row, told in zip(drawn, values, strict=True)
    ]


def as_json(rows: Sequence[RowLineage], values: Sequence[Mapping[str, Any] | None] | None = None) -> list[dict[str, Any]]:
    """As JSON has it, `values` among it where they were read."""
    if values is None:
        return [plain(one) for one in rows]
    return [
        plain(one) | {"values": None if told is None else plain_value(dict(told))}
        for one, told in zip(rows, values, strict=True)
    ]


def plain(row: RowLineage) -> dict[str, Any]:
    """As JSON has it."""
    return {field.name: plain_value(getattr(row, field.name)) for field in fields(row)}
