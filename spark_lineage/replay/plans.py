"""Which plans of an execution gave rows of a table, and over which rows each is run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ExecutableError
from ..model import ExecutableLeaf
from ..store.tables import Store
from .executables import BATCHES, Found, Gives, find_batches

CHANGES = {"update", "delete", "merge"}
"""As `outputs.write_mode`: these write rows again that they do not change."""
STATEFUL = "its stream keeps a state, and what of it this micro-batch gave is not known: only complete mode is replayed"
UNKNOWN_ROWS = "which rows it replaced is not recorded (`replaceOn`, `replaceUsing`)"
_COMMANDS = {"UpdateCommand", "DeleteCommand", "MergeIntoCommand"}
_STREAM = "WriteToMicroBatch"
_OF_STREAMS = ("delta_files", "files")
_DELTA = ("delta", "delta_files")
_FILES = 100_000


@dataclass(frozen=True)
class Plan:
    """A plan of an execution: its number, and what is meant of it. `fixed`: the rows that are traced are known to be of it.

    `reasons`: why the rows that are found are more than those that count; `lacking`: why some may be missing among them.
    """

    found: Found
    part: int = 0
    gives: Gives = "rows"
    fixed: bool = False
    reasons: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def plans_of(store: Store, found: Found, location: str, executables: str, key: str) -> tuple[Plan, ...]:
    """The plans that may have given rows of the table at a location, the likelier ones first.

    `executables`, `key`: as the options `executables.store` and `executables.key`. Raises ExecutableError where the plan has to be
    asked over rows that are not known.
    """
    commands = [command or {} for command in found.commands] or [{}]
    reasons: tuple[str, ...] = ()
    if commands[0].get("stateful"):
        found, reasons = (
            _with_earlier(store, found, executables, key),
            ("its stream keeps a state: rows of earlier batches are among these",),
        )
    inner = parts_of(commands)
    if any(leaf.kind == "batch" for leaf in found.executable.leaves):
        reasons += ("the rows that the function of foreachBatch works on are taken to be those of its batch",)
    plans = [
        Plan(
            found,
            part,
            "changed" if commands[part].get("class") in _COMMANDS else "rows",
            fixed=len(commands) == 1 and not reasons and _gives_all(commands[0]),
            reasons=reasons,
        )
        for part in inner
    ]
    last = location.rstrip("/").rpartition("/")[2]
    there = tuple(plan for plan in plans if stands_in(last, commands[plan.part]))
    if there or len(plans) == 1:
        return there or tuple(plans)
    unsure = f"which of the {len(plans)} plans of the execution wrote there is not told: one that gives such a row is taken"
    return tuple(replace(plan, reasons=(*plan.reasons, unsure)) for plan in plans)


def stands_in(name: str, command: Mapping[str, Any] | None) -> bool:
    """Whether a command was told a path, or the end of one, or a name: as a whole, or as the last part."""
    text = json.dumps(command, ensure_ascii=False)
    return re.search(f'(^|[/."`:]){re.escape(name.rstrip("/"))}/?["`]', text) is not None


def is_function_of_batch(commands: Sequence[Mapping[str, Any] | None]) -> bool:
    """Whether the first plan is a micro-batch, and the others those of the writes of its function."""
    return len(commands) > 1 and str((commands[0] or {}).get("class", "")).startswith(_STREAM)


def parts_of(commands: Sequence[Mapping[str, Any] | None]) -> tuple[int, ...]:
    """The numbers of the plans that may have given rows of what an execution wrote."""
    return tuple(range(int(is_function_of_batch(commands)), len(commands)))


def replaced(command: Mapping[str, Any]) -> str | None:
    """The condition on the rows that a write replaced, where these were not all."""
    options = {key.lower(): value for name in ("options", "writeOptions") for key, value in (command.get(name) or {}).items()}
    if options.get("replacewhere"):
        return str(options["replacewhere"])
    deleted = str(command.get("deleteExpr") or "true")
    return None if deleted == "true" else deleted


def _gives_all(command: dict[str, Any]) -> bool:
    """Whether the command writes no rows but the plan's: others that it wrote again would be of groups of the plan's all the same."""
    return (
        command.get("class") not in _COMMANDS
        and "replacewhere" not in json.dumps(command).lower()
        and command.get("deleteExpr", "true") == "true"
    )


def _with_earlier(store: Store, found: Found, executables: str, key: str) -> Found:
    """A micro-batch over all that its stream has read up to it. Raises ExecutableError where that is not known."""
    batches = find_batches(store.location, found.executable.execution_id, executables=executables, key=key)
    numbers = [number for number, _ in batches]
    if not numbers or numbers != list(range(numbers[0], -1, -1)):
        missing = sorted({*range(max(numbers, default=0) + 1)} - {*numbers})
        raise ExecutableError(
            f"its stream keeps a state, and what its batch {missing[-1]} read is not known: "
            f"{len(missing)} batches up to this one have no plan that is kept, or are not among the last {BATCHES}"
        )
    of_batch = _with_all_sources(batches)
    template, own = of_batch.executable, found.executable
    paths: dict[int, list[str]] = {leaf.number: [] for leaf in template.leaves}
    newest: dict[int, int | None] = {}
    for number, batch in batches:
        same = batch.executable.executable_id == template.executable_id
        for one in batch.executable.leaves:
            alike = [leaf for leaf in template.leaves if (one.number == leaf.number if same else _is_alike(one, leaf))]
            if one.kind in _OF_STREAMS and len(alike) != 1:  # a source that has nothing new is no leaf of a batch
                raise ExecutableError(
                    f"its stream keeps a state, and which of its sources {one.name or one.location} is, that batch {number} read, "
                    "is not known: no batch read of all of its sources"
                )
            if len(alike) != 1:
                continue
            if one.kind in _OF_STREAMS:
                paths[alike[0].number] += one.paths
            if one.kind in _DELTA:
                newest.setdefault(alike[0].number, one.delta_version)
        if sum(map(len, paths.values())) > _FILES:
            raise ExecutableError(f"its stream keeps a state, and has read more than {_FILES} files up to this batch")
    leaves = [
        replace(
            leaf,
            paths=tuple(dict.fromkeys(paths[leaf.number])) if leaf.kind in _OF_STREAMS else leaf.paths,
            delta_version=newest.get(leaf.number, leaf.delta_version),
        )
        for leaf in template.leaves
    ]
    made = replace(
        template, execution_id=own.execution_id, run_id=own.run_id, instant=own.instant, instant_basis=own.instant_basis, leaves=tuple(leaves),
    )  # fmt: skip
    return replace(of_batch, executable=made)


def _with_all_sources(batches: Sequence[tuple[int, Found]]) -> Found:
    """The newest of these batches that read of the most sources of the stream: without new rows of one a batch has no leaf for it, and one that only
    moves the watermark has none at all."""
    return max((batch for _, batch in batches), key=lambda one: sum(leaf.kind in _OF_STREAMS for leaf in one.executable.leaves))


def _is_alike(leaf: ExecutableLeaf, other: ExecutableLeaf) -> bool:
    """Whether leaves of two batches, whose plans differ, are of one source of the stream."""

    def source(one: ExecutableLeaf) -> tuple[Any, ...]:
        return one.kind, one.columns, one.format, one.location if one.kind in _DELTA else None

    folders = [{path.rpartition("/")[0] for path in one.paths} for one in (leaf, other)]
    return source(leaf) == source(other) and (leaf.kind != "files" or bool(folders[0] & folders[1]))
