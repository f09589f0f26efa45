"""What a trace answers: frozen values, whose fields are also those of `--json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Completeness = Literal["exact", "superset", "deciding", "partial", "truncated"]
_WORSE: tuple[Completeness, ...] = ("exact", "superset", "deciding", "truncated", "partial")
RowKind = Literal["row_id", "file_row", "fingerprint", "values"]


def worse(one: Completeness, other: Completeness) -> Completeness:
    """The label of what has both: where some rows are missing, that more are there than are told says less."""
    return max(one, other, key=_WORSE.index)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRow:
    """A row of a source: what it is known by, and its values as far as the query read them.

    `multiplicity`: how many rows it stands for, where equal ones cannot be told apart. `kind`: by Delta's id of the row (`row_id`), by `file` and `position` in it, by the hash of its content (`fingerprint`, 32 hex
    digits), or by nothing but its values.
    """

    kind: RowKind
    file: str | None = None
    position: int | None = None
    row_id: int | None = None
    fingerprint: str | None = None
    multiplicity: int = 1
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The rows of a dataset, as it was read, that made rows of the target.

    `rows` are at most as many as were asked for, `count` is how many there are. `whole`: why all of the version decides, beside
    the rows that are named. `offsets`: what a micro-batch read of it, as `inputs.offsets` has it.
    """

    namespace: str
    name: str
    alias: str | None
    location: str | None
    table_id: str | None
    version: int | None
    rows: tuple[SourceRow, ...]
    count: int
    whole: str | None = None
    offsets: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """The source rows that suffice to make rows again.

    `completeness`: `exact`, all of them went into it; `superset`, they suffice, and not each may be needed; `deciding`, those that decided a
    minimum, a maximum or a rank, which was asked for, where all that suffice are more; `truncated`, more were found than are told; `partial`, some are or may
    be missing. `reasons` say why it is not exact. `queries` were run to find them, whose scans of
    files gave `rows_read` rows.
    """

    sources: tuple[Source, ...]
    completeness: Completeness
    reasons: tuple[str, ...]
    queries: int
    rows_read: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """Rows of a version of a dataset, and what made them.

    `written_version`: which version of the table first had their file, None where the log does not tell. `witness`: what the execution that wrote it made them of.
    `passed`: why they are looked for in an earlier version instead. `ended`: why it goes no further. `batch_id`: of a micro-batch its number.
    """

    depth: int
    namespace: str
    name: str
    alias: str | None
    version: int
    written_version: int | None
    rows: tuple[dict[str, Any], ...]
    execution_id: str | None = None
    run_id: str | None = None
    job_name: str | None = None
    operation: str | None = None
    batch_id: int | None = None
    witness: Witness | None = None
    passed: str | None = None
    ended: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The rows of a dataset that rows of a source contributed to, as they were written.

    `version`: the one that wrote them, None of what has no versions. `rows` are at most as many as were asked for, `count` is how many there are, `remaining`
    how many of them version `newest` still has: None where that cannot be told.
    """

    namespace: str
    name: str
    alias: str | None
    location: str | None
    table_id: str | None
    version: int | None
    rows: tuple[SourceRow, ...] = ()
    count: int = 0
    newest: int | None = None
    remaining: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardHop:
    """What an execution made of rows of a version of a dataset.

    `source`: the rows that are meant, in the version that was read; its `whole` says why these decide about all that was written.
    `completeness`: `exact`, the rows of the target are those that they contributed to; `superset`, not each of them need depend on one; `partial`, some may be
    missing; `truncated`, more were found than are told. `reasons` say why it is not exact. `ended`: why it goes no further, or
    why nothing can be said: the other fields are as far as it came then.
    """

    depth: int
    source: Source
    target: Target | None = None
    execution_id: str | None = None
    run_id: str | None = None
    job_name: str | None = None
    operation: str | None = None
    completeness: Completeness | None = None
    reasons: tuple[str, ...] = ()
    queries: int = 0
    ended: str | None = None
