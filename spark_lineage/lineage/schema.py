"""Schemas by their content."""

from __future__ import annotations

from collections.abc import Iterable

from ..model import Schema, SchemaField
from ..plan.values import Field
from .edges import content_id


def schema_of(fields: Iterable[Field]) -> Schema | None:
    """A schema under the name that its content has; None where there are no fields."""
    rows = tuple(
        SchemaField(path=field.name, data_type=field.data_type, nullable=field.nullable, ordinal=ordinal)
        for ordinal, field in enumerate(fields)
    )
    if not rows:
        return None
    return Schema(schema_hash=content_id([[row.path, row.data_type, row.nullable] for row in rows]), fields=rows)
