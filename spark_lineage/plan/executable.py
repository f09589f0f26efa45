"""A plan that can be run again, as a document has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a leaf of an executable reads. `output` are expression ids as scans have them.

    `files`: of a Delta table, those that a micro-batch read; None where it was read whole. `inner`: it is of a plan of the function that `foreachBatch` was given.
    """

    class_name: str
    output: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    format: str | None = None
    paths: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    inner: bool = False
    name: tuple[str, ...] = ()
    catalog: str | None = None
    options: Mapping[str, str] | None = None
    schema: str | None = None
    delta_path: str | None = None
    table_id: str | None = None
    version_at_analysis: int | None = None
    time_travel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view between an executable and its leaves; `sql` None: made from a DataFrame."""

    name: str
    temporary: bool
    sql: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A plan that can be run again. `blob` is as docs/documents.md says; `commands` are JSON objects, None for a query."""

    blob: bytes
    spark_version: str
    leaves: tuple[Leaf, ...] = ()
    views: tuple[View, ...] = ()
    commands: tuple[str | None, ...] = ()
    user: str | None = None
    instant_us: int | None = None
    instant_exact: bool = False
