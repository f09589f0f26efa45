"""Verdicts of replays, drawn: what is said of one, what differs as tables, and the row of it among all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..query.answers import plain
from .differences import Table, cell, plain_value
from .words import time

if TYPE_CHECKING:
    from ..replay.check import Check, CheckedRun
    from ..replay.verdict import Difference, Replayed

WEEK = timedelta(days=7)
CHECKED = ("run", "job", "ended", "can be replayed", "executions", "until", "why not")
HEADER = ("execution", "operation", "dataset", "version", "verdict", "rows", "seconds")


def facts(one: Replayed) -> Iterator[str]:
    version = "" if one.version is None else f", version {one.version}"
    by = f" ({one.execution_id})" if one.execution_id else ""
    yield f"{one.verdict:<15}{one.label or one.operation}{version}{by}"
    if one.reason:
        yield _fact("reason", one.reason)
    for number, cause in enumerate(one.causes):
        yield _fact("likely cause" if not number else "or", cause)


def tables(found: Difference | None) -> Iterator[Table]:
    """Changed rows cell by cell, the others whole."""
    if found is None:
        return
    at = {name: position for position, name in enumerate(found.columns)}
    if found.sample_changed:
        rows = []
        for number, row in enumerate(found.sample_changed, 1):
            same = [f"{name}={cell(row.recorded[at[name]])}" for name in found.columns if name not in row.columns][:4]
            rows += [
                (number, ", ".join(same), name, cell(row.recorded[at[name]]), cell(row.replayed[at[name]]))
                for name in row.columns
            ]
        yield "changed", ("row", "of", "column", "written then", "replayed"), rows
    for title, sample in (
        ("written then, not given by the replay", found.sample_missing),
        ("given by the replay alone", found.sample_unexpected),
    ):
        if sample:
            yield title, found.columns, [tuple(cell(value) for value in row) for row in sample]


def as_json(one: Replayed) -> dict[str, Any]:
    told: dict[str, Any] = {field.name: plain(getattr(one, field.name)) for field in fields(one) if field.name != "difference"}
    found = one.difference
    if found is None:
        return told | {"difference": None}

    def values_of(values: Sequence[Any]) -> dict[str, Any]:
        return {name: plain_value(value) for name, value in zip(found.columns, values, strict=True)}

    samples = {
        "sample_missing": [values_of(values) for values in found.sample_missing],
        "sample_unexpected": [values_of(values) for values in found.sample_unexpected],
        "sample_changed": [
            {"recorded": values_of(pair.recorded), "replayed": values_of(pair.replayed), "columns": list(pair.columns)}
            for pair in found.sample_changed
        ],
    }
    numbers = {field.name: plain(getattr(found, field.name)) for field in fields(found) if field.name not in samples}
    return told | {"difference": numbers | samples}


def summary(told: Sequence[Replayed]) -> str:
    counts = Counter(one.verdict for one in told)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def row(one: Replayed) -> tuple[Any, ...]:
    seconds = None if one.seconds is None else round(one.seconds, 1)
    return one.execution_id, one.operation, one.label, one.version, one.verdict, one.rows[1], seconds


def _fact(name: str, value: str) -> str:
    return f"  {name:<13}{value}"


def checked(run: CheckedRun) -> tuple[Any, ...]:
    told = {True: "yes", False: "no", None: "unknown"}[run.replayable]
    executions = f"{run.replayable_executions} of {run.executions}"
    until = time(run.until) or ("no end" if run.replayable else "")
    return run.run_id, run.job_name, time(run.ended_at), told, executions, until, run.reason


def check_summary(found: Check) -> str:
    """One sentence: what of the last week, and what of all, and when the first is lost."""
    told = []
    for what, runs in (
        ("in the last week", [run for run in found.runs if found.at - run.ended_at <= WEEK]),
        ("in all", list(found.runs)),
    ):
        if runs and (what == "in all" or len(runs) < len(found.runs)):
            told.append(f"{sum(run.replayable is True for run in runs):,} of {len(runs):,} runs {what}")
    text = f"can be replayed: {', '.join(told) or 'no runs'}"
    ends = [run.until for run in found.runs if run.until is not None and run.replayable is not False]
    if not ends:
        return text
    left = min(ends) - found.at
    if left <= timedelta(0):
        return f"{text}; the first may be lost at any time"
    days, hours = left / timedelta(days=1), left / timedelta(hours=1)
    return f"{text}; the first may be lost in {f'{days:.0f} days' if days >= 2 else f'{hours:.0f} hours'}"
