"""Schemas by their content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..model import Schema, SchemaField
from ..plan.types import parts_of
from ..plan.values import Field
from .edges import content_id

DEEPEST = 50
"""Levels of nesting that are spelt out; the type of the last one says the rest."""


def schema_of(fields: Iterable[Field]) -> Schema | None:
    """A schema under the name that its content has; None where there are no fields.

    Fields of structs follow their column, by dotted path; those within an array are under ``element``, within a map under
    ``key`` and ``value``, as Delta and Parquet name them. Nested ones are nullable as far as a catalogString tells.
    """
    flat = [row for field in fields for row in _flattened(field.name, field.data_type, field.nullable, 0)]
    if not flat:
        return None
    rows = tuple(
        SchemaField(path=path, data_type=data_type, nullable=nullable, ordinal=ordinal)
        for ordinal, (path, data_type, nullable) in enumerate(flat)
    )
    return Schema(schema_hash=content_id(flat), fields=rows)


def _flattened(path: str, data_type: str, nullable: bool, depth: int) -> Iterator[tuple[str, str, bool]]:
    yield path, data_type, nullable
    if depth < DEEPEST:
        yield from _below(path, data_type, depth)


def _below(path: str, data_type: str, depth: int) -> Iterator[tuple[str, str, bool]]:
    """The fields within a type. An array or a map of plain values has none worth a row."""
    kind, bracket, rest = data_type.partition("<")
    if not bracket or not data_type.endswith(">"):
        return
    parts = parts_of(rest[:-1]) or ()
    if kind == "struct":
        for part in parts:
            name, colon, inner = part.partition(":")
            if colon:
                yield from _flattened(f"{path}.{name}", inner, True, depth + 1)
    elif kind == "array" and len(parts) == 1:
        yield from _below(f"{path}.element", parts[0], depth + 1)
    elif kind == "map" and len(parts) == 2:
        yield from _below(f"{path}.key", parts[0], depth + 1)
        yield from _below(f"{path}.value", parts[1], depth + 1)
