"""Samples of rows, drawn: ids in hexadecimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..model import RowLineage, RowSample
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


def source_rows(rows: Sequence[RowLineage]) -> list[tuple[Any, ...]]:
    return [
        (
            one.target_key, one.target_row.hex(), one.completeness, one.source_name, one.source_version, one.source_row_kind, one.source_file,
            one.source_fingerprint.hex() if one.source_fingerprint is not None else one.source_position, one.multiplicity, one.source_rows,
        )
        for one in rows
    ]  # fmt: skip


def plain(row: RowLineage) -> dict[str, Any]:
    """As JSON has it."""
    return {field.name: value.hex() if isinstance(value := getattr(row, field.name), bytes) else value for field in fields(row)}
