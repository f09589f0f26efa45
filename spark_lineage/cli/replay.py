"""The command that runs recorded executions again."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from .base import Call, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..replay.replaying import Options
    from ..replay.verdict import Replayed
    from ..store.tables import Store


@command("replay")
@click.argument("target", metavar="[ID]", required=False)
@click.argument("job_command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--job",
    is_flag=True,
    help="Run the job of the run ID again, unmodified, on what it read then; what it writes goes to a scratch place. COMMAND is run instead, if given.",
)
@click.option(
    "--scratch",
    metavar="FOLDER",
    help="Of --job and --downstream-of: make the scratch place in this folder. Else in the one for temporary files.",
)
@click.option("--keep", is_flag=True, help="Of --job and --downstream-of: leave what was written in the scratch place.")
@click.option(
    "--strict",
    is_flag=True,
    help="With --job: refuse what its Python does round Spark's file systems: files written, connections and processes of its own.",
)
@click.option(
    "--upstream-of",
    metavar="DATASET@VERSION",
    help="Each execution that led to that version, back to raw inputs, in order, instead of ID.",
)
@click.option(
    "--downstream-of",
    metavar="DATASET[@VERSION]",
    help="What would change in the tables that were made of it, had it been as it is now (or in that version), instead of ID. Nothing is recorded.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Only tell what can still be replayed and until when, without Spark: ID is a run, a dataset, or `all`.",
)
@click.option(
    "--deep", is_flag=True, help="With --check: open every file, instead of going by logs and table properties alone."
)
@click.option(
    "--tolerance",
    metavar="X",
    type=float,
    help="Floats are equal that differ by no more than X times the greater of them. Else `replay.tolerance`.",
)
@click.option(
    "--volatile", metavar="COLUMN", multiple=True,
    help="Do not compare this column, as of the time of loading. May be given several times. Else `replay.volatile`.",
)  # fmt: skip
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show so many rows of each sort at most.",
)
@click.option(
    "--trust-store", is_flag=True,
    help="Run plans that are not signed, and functions of users, commands and statements from tables of somebody else: whoever can write to the tables can then have code run as you.",
)  # fmt: skip
def replay(
    ctx: click.Context, target: str | None, job_command: tuple[str, ...], job: bool, scratch: str | None, keep: bool, strict: bool,
    upstream_of: str | None, downstream_of: str | None, check: bool, deep: bool, tolerance: float | None, volatile: tuple[str, ...], sample: int, trust_store: bool,
) -> None:  # fmt: skip
    """Compute a recorded execution again from its plan, on the versions that it read, and compare with what it wrote (docs/replay.md). Starts Spark.

    ID is an execution (`RUN:NUMBER`), or a run: then each of its executions that wrote rows. A beginning of the run's id is enough; `last` is the
    newest. Exit code 0: identical or equivalent; 1: different (with --check: some cannot be replayed, or may not be); 2: it could not be replayed, or
    the job of --job ended badly.
    Nothing is written but the verdict.
    """
    from ..store.tables import Store

    call: Call = ctx.obj
    if [target, upstream_of, downstream_of].count(None) != 2:
        raise click.UsageError(
            "name an execution or a run (`spark-lineage runs` lists them), or --upstream-of DATASET@VERSION, or --downstream-of DATASET"
        )
    if check and target is None:
        raise click.UsageError("--check takes a run, a dataset or `all`")
    if not job and (job_command or strict):
        raise click.UsageError("COMMAND and --strict are for --job")
    if not job and downstream_of is None and (scratch is not None or keep):
        raise click.UsageError("--scratch and --keep are for --job and --downstream-of")
    if job and (check or target is None):
        raise click.UsageError("--job takes a run")
    if deep and not check:
        raise click.UsageError("--deep is for --check")
    given = [
        name
        for name in ("tolerance", "volatile", "sample", "trust_store")
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if check and given:
        raise click.UsageError(f"--check compares nothing and runs no plan: --{given[0].replace('_', '-')} is for replays")
    settings = call.settings()
    store = Store.open(settings.store, executables=settings.executables_store or None)
    if check:
        from ..replay.check import check as checked

        found = checked(store, str(target), deep=deep)
        call.page().checked(found)
        ctx.exit(int(not found.holds))
    from ..replay.replaying import Options

    options = Options(
        tolerance=float(settings.replay_tolerance) if tolerance is None else tolerance,
        volatile=volatile or tuple(settings.replay_volatile),
        sample=sample,
        trusted=trust_store,
        executables=settings.executables_store,
        key=settings.executables_key,
    )
    if job:
        ctx.exit(_replay_job(call, store, str(target), options, job_command, scratch or "", keep, strict))
    if downstream_of is not None:
        ctx.exit(_replay_downstream(call, store, downstream_of, options, scratch or "", keep))
    ctx.exit(_replay(call, store, target, upstream_of, options))


def _replay(call: Call, store: Store, target: str | None, upstream_of: str | None, options: Options) -> int:
    from ..replay.replaying import replay, replay_upstream

    if upstream_of is not None:
        return _shown(call, lambda told: replay_upstream(store, upstream_of, options, told=told))
    return _shown(call, lambda told: replay(store, str(target), options, told=told))


def _replay_job(
    call: Call, store: Store, run: str, options: Options, command: tuple[str, ...], scratch: str, keep: bool, strict: bool
) -> int:
    from ..replay.jobs import JobOptions, replay_job

    job = JobOptions(command=command, scratch=scratch, keep=keep, strict=strict)
    return _shown(call, lambda told: replay_job(store, run, options, job, told=told))


def _replay_downstream(call: Call, store: Store, wanted: str, options: Options, scratch: str, keep: bool) -> int:
    from ..replay.downstream import replay_downstream

    return _shown(call, lambda told: replay_downstream(store, wanted, options, scratch, keep, told=told))


def _shown(call: Call, found: Callable[[Callable[[str], None]], Iterable[Replayed]]) -> int:
    """Shows verdicts as they are found, and what is being done meanwhile. Gives the exit code."""
    from ..render.progress import working
    from ..replay.verdict import exit_code

    _end_well()
    with working() as work:
        return exit_code(call.page().replayed(work.each(found(work.told))))


def _end_well() -> None:
    """What is in scratch places is taken away, and a job ended, however this process is asked to end."""
    from ..replay.session import let_go

    def end(number: int, frame: object) -> None:
        let_go()
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
