"""What a replay answers: frozen values, whose fields are also those of `--json`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..model import ReplayMode, ReplayVerdict

Values = tuple[Any, ...]
"""A row, in the order of `Difference.columns`."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A row that was written and one that the replay gives in its place: equal but for `columns`."""

    recorded: Values
    replayed: Values
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How the rows of a replay differ from those that were written.

    `missing` were written and are not given, `unexpected` the other way round; `changed` of both are pairs. `within`: rows that differ by no
    more than the tolerance. `differing`: columns in which rows differ. The samples are of rows that are no pairs.
    """

    columns: tuple[str, ...]
    missing: int = 0
    unexpected: int = 0
    changed: int = 0
    within: int = 0
    differing: tuple[str, ...] = ()
    sample_missing: tuple[Values, ...] = ()
    sample_unexpected: tuple[Values, ...] = ()
    sample_changed: tuple[Changed, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """The verdict on one write of an execution. `reason` is None of what is identical, but for what has to be said of the job's end, or of how the
    execution was computed again.

    `trusted`, `strict`: the options of these names; `replayed_…`: of a job the command that was given in place of the recorded one, and the code that
    was run; `job_exit_code`: that of the job that was run again. `rows` and `checksums` are those of then and those of the replay, where they were computed; `whole`: of the whole version, else of what the
    write changed. `inputs` and `code_…`: what the execution read when it ran, and the code that its run was of.
    """

    execution_id: str
    run_id: str
    job_name: str | None
    operation: str
    verdict: ReplayVerdict
    label: str | None = None
    namespace: str | None = None
    name: str | None = None
    table_id: str | None = None
    version: int | None = None
    reason: str | None = None
    causes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    tolerance: float | None = None
    schema_hash: str | None = None
    whole: bool = False
    rows: tuple[int | None, int | None] = (None, None)
    checksums: tuple[str | None, str | None] = (None, None)
    difference: Difference | None = None
    inputs: tuple[dict[str, Any], ...] = ()
    code_commit: str | None = None
    code_dirty: bool | None = None
    code_sha256: str | None = None
    replay_mode: ReplayMode = "plan"
    trusted: bool = False
    strict: bool = False
    replayed_command: tuple[str, ...] | None = None
    replayed_commit: str | None = None
    replayed_sha256: str | None = None
    job_exit_code: int | None = None
    seconds: float | None = None

    @property
    def holds(self) -> bool:
        return self.verdict in ("identical", "equivalent")


def exit_code(replayed: Iterable[Replayed]) -> int:
    """0: all are identical or equivalent; 1: one differs; 2: none does, and one could not be replayed, or there was nothing to, or the job that was run
    again ended badly."""
    told = list(replayed)
    verdicts = {one.verdict for one in told}
    if "different" in verdicts:
        return 1
    return 2 if "not_replayable" in verdicts or not verdicts or any(one.job_exit_code for one in told) else 0
