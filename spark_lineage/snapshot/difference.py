"""What a diff answers: frozen values, whose fields are also those of `--json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .pairing import SchemaDifference

Row = tuple[Any, ...]
"""Values in the order of `Difference.columns`: a struct as a dict, a map as a tuple of pairs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One of the two that were compared. `name` is as it was asked for; `version` is None where there are no versions.

    `rows` and `checksum` are those that are kept of the version, or, for the rows, that were counted; None where neither is so.
    """

    name: str
    location: str
    version: int | None = None
    rows: int | None = None
    checksum: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDifference:
    """A column that differs. `rows`: in how many of the changed rows; None where there is no key, so that no row is another's."""

    column: str
    rows: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRow:
    """The rows of one key, and the columns that differ."""

    here: Row
    there: Row
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How `there` differs from `here`.

    `known`: it was told from kept checksums, and no rows were read. `only_here`, `only_there`, `changed`: numbers of rows, None
    where they were not counted, and `reason` says why. `duplicate_keys`: keys of several differing rows of one side, which are
    counted as rows only here and only there; `within_tolerance`: rows that differ by no more than the tolerance, and count as equal.
    """

    here: Compared
    there: Compared
    equal: bool
    known: bool
    schema: tuple[SchemaDifference, ...]
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    only_here: int | None = None
    only_there: int | None = None
    changed: int | None = None
    duplicate_keys: int | None = None
    within_tolerance: int | None = None
    differing: tuple[ColumnDifference, ...] = ()
    sample_here: tuple[Row, ...] = ()
    sample_there: tuple[Row, ...] = ()
    sample_changed: tuple[ChangedRow, ...] = ()
    reason: str | None = None
