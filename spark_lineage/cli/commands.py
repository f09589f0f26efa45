"""The commands but those of snapshots."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import LineageError
from .base import COULD_NOT, DEBUG, STORE, Call, F, command, main

if TYPE_CHECKING:
    import threading

    from ..ingest import IngestReport


@command("runs")
def runs(ctx: click.Context) -> None:
    """List the runs, the newest first."""
    call: Call = ctx.obj
    call.page().runs(call.lineage().runs())


@command("show")
@click.argument("run", default="last")
def show(ctx: click.Context, run: str) -> None:
    """Show one run: its code, and its executions with what each read and wrote.

    RUN is the id of a run, or the beginning of it; without it, the newest run.
    """
    call: Call = ctx.obj
    call.page().run(call.lineage().run(run))


@command("datasets")
def datasets(ctx: click.Context) -> None:
    """List the datasets that were read or written."""
    call: Call = ctx.obj
    call.page().datasets(call.lineage().datasets())


AT = click.option(
    "--at", metavar="TIME", help="As things stood then: 2024-05-01, '2024-05-01 14:30', yesterday, '2 days ago', ... UTC."
)


@command("columns")
@click.argument("name", metavar="DATASET[.COLUMN]")
@AT
@click.option(
    "--explain", is_flag=True, help="Follow the one column through the plan of its last write, operator by operator, to what that read."
)  # fmt: skip
def columns(ctx: click.Context, name: str, at: str | None, explain: bool) -> None:
    """List the columns of a dataset, or show the one that is named, and where each comes from."""
    call: Call = ctx.obj
    if explain:
        call.page().explanation(call.lineage().explain(name, at=at))
    else:
        call.page().columns(call.lineage().columns(name, at=at))


def _walk_options(default: str) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        indirect = click.option(
            "--indirect", type=click.Choice(["follow", "show", "hide"]), default=default, show_default=True,
            help="What to do with columns that only decide about a value: filters, join keys, ...",
        )  # fmt: skip
        depth = click.option("--depth", metavar="N", type=click.IntRange(min=1), help="Go no further than N edges.")
        name = click.argument("name", metavar="DATASET[.COLUMN]")
        return name(depth(AT(indirect(function))))

    return decorate


@command("upstream")
@_walk_options("show")
def upstream(ctx: click.Context, name: str, depth: int | None, at: str | None, indirect: Any) -> None:
    """Show what a dataset or a column was made of, across jobs."""
    call: Call = ctx.obj
    call.page().walk(call.lineage().upstream(name, depth=depth, at=at, indirect=indirect))


@command("downstream")
@_walk_options("follow")
def downstream(ctx: click.Context, name: str, depth: int | None, at: str | None, indirect: Any) -> None:
    """Show what would be touched if a dataset or a column changed, across jobs."""
    call: Call = ctx.obj
    call.page().walk(call.lineage().downstream(name, depth=depth, at=at, indirect=indirect))


@command("ingest")
@click.argument("inbox", required=False)
@click.option(
    "--watch", is_flag=True, help="Go on until stopped (Ctrl-C or SIGTERM), for all drivers that write to this inbox."
)
@click.option("--final", is_flag=True, help="No driver is alive any more: runs without an end are lost at once.")
@click.option("--retry-quarantine", is_flag=True, help="Try the documents in quarantine again.")
def ingest(ctx: click.Context, inbox: str | None, watch: bool, final: bool, retry_quarantine: bool) -> None:
    """Bring the documents of INBOX into the lineage tables; by default those of the configured inbox, until none waits."""
    from .. import ingest as ingestion
    from ..snapshot.policy import Policy
    from ..store.preserving import Preserving

    call: Call = ctx.obj
    settings = call.settings(inbox=inbox)
    report = ingestion.ingest(
        settings.inbox_location,
        settings.store,
        watch=watch,
        final=final,
        retry_quarantine=retry_quarantine,
        progress=_told if watch else None,
        stop=_stopped_by_signal() if watch else None,
        executables_store=settings.executables_store,
        executables_key=settings.executables_key,
        snapshots=Policy.of(settings),
        preserve=Preserving(
            settings.snapshots_preserve, settings.snapshots_preserve_max_bytes, settings.snapshots_preserve_folder
        ),
    )
    call.page().ingested(report)


def _told(report: IngestReport) -> None:
    click.echo(f"{report.documents} documents, {report.executions} executions, {report.quarantined} quarantined", err=True)


def _stopped_by_signal() -> threading.Event:
    """Set by Ctrl-C or SIGTERM, so that the batch at hand is finished."""
    import threading

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


@command("maintain")
@click.option(
    "--vacuum-hours",
    metavar="H",
    type=click.IntRange(min=1),
    default=168,
    show_default=True,
    help="Delete files that no version of the last H hours needs.",
)
@click.option(
    "--expire-days",
    metavar="D",
    type=click.IntRange(min=1),
    help="Forget executions that ended more than D days ago. Else all are kept.",
)
@click.option("--migrate", is_flag=True, help="Bring the tables up to this release's schema version first.")
def maintain(ctx: click.Context, vacuum_hours: int, expire_days: int | None, migrate: bool) -> None:
    """Keep the lineage tables small and quick; safe beside jobs, ingesters and readers."""
    from ..store import maintain as maintenance
    from ..store import migrate as migration

    call: Call = ctx.obj
    settings = call.settings()
    location = settings.store
    migrated = migration.migrate(location) if migrate else None
    report = maintenance.maintain(
        location, keep_days=expire_days, retention_hours=vacuum_hours, executables=settings.executables_store
    )
    call.page().maintained(report, migrated)


@command("doctor")
@click.option("--inbox", metavar="PATH", help="The inbox to look at. Else SPARK_LINEAGE_INBOX, lineage.toml, the store's own.")
def doctor(ctx: click.Context, inbox: str | None) -> None:
    """Say what is wrong with this installation, and what to do. Exit code 1 if something is."""
    from ..doctor import examine

    call: Call = ctx.obj
    findings = examine(store=call.store, inbox=inbox)
    call.page().findings(findings)
    ctx.exit(int(any(finding.status == "problem" for finding in findings)))


@main.command(
    "run", short_help="Run a command that starts Spark, with lineage.", context_settings={"allow_interspersed_args": False}
)
@STORE
@DEBUG
@click.option("--inbox", metavar="PATH", help="Where documents are written. Else as configured.")
@click.option("--job-name", metavar="NAME", help="Name of the job. Else `spark.app.name`, or the entry point's.")
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="A label of the run; may be repeated.")
@click.option(
    "--set", "others", metavar="OPTION=VALUE", multiple=True, help="Any other option of docs/configuration.md; may be repeated."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.pass_context
def run(
    ctx: click.Context,
    inbox: str | None,
    job_name: str | None,
    labels: tuple[str, ...],
    others: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Run a COMMAND that starts Spark, with lineage: spark-lineage run -- spark-submit job.py 2024-05-01

    The command, its arguments, its streams, its signals and its exit code stay as they are. A command that cannot be started
    gives 127 (not found) or 126 (cannot be executed), as from a shell.
    """
    from ..capture.launch import launch

    call: Call = ctx.obj
    for label in labels:
        if not label.partition("=")[0].strip() or "=" not in label:
            raise click.UsageError(f"--label takes KEY=VALUE, not {label!r}")
    options = _options(others) | {"store": call.store, "inbox": inbox, "job.name": job_name, "labels": labels or None}
    try:
        code = launch(list(command), options)
    except LineageError as error:
        if call.debug:
            raise
        click.echo(f"Error: {error}", err=True)
        code = _exit_code_of(error.__cause__)
    ctx.exit(code)


def _exit_code_of(cause: BaseException | None) -> int:
    """What a shell says when it cannot start a command."""
    if isinstance(cause, FileNotFoundError):
        return 127
    return 126 if isinstance(cause, PermissionError) else COULD_NOT


def _options(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``name=value`` pairs, checked as they would be in the driver. Raises `click.UsageError` and `ConfigError`."""
    from ..config import OPTIONS, load

    options: dict[str, Any] = {}
    known = {option.name: option for option in OPTIONS}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark or name not in known:
            raise click.UsageError(f"--set takes OPTION=VALUE with an option of docs/configuration.md, not {pair!r}")
        options[name] = value
    load(**{known[name].attribute: value for name, value in options.items()})
    return options


@main.command("bundle")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@DEBUG
def bundle(target: Path) -> None:
    """Write the zip TARGET for --py-files, for those whose submit command is fixed elsewhere."""
    from ..capture.bundle import write_bundle

    click.echo(write_bundle(target))


@main.command("jar")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path), required=False)
@DEBUG
def jar(target: Path | None) -> None:
    """Print the path of the jar for drivers that are not Python, or write it to TARGET: --jars $(spark-lineage jar)

    With it, --conf spark.extraListeners=org.sparklineage.bridge.LineageListener records spark-sql, Java and Scala
    applications, Spark Connect servers and others (docs/attaching.md). Made here where the installation came without it.
    """
    from ..capture.jar import copy_jar, jar_path

    click.echo(jar_path() if target is None else copy_jar(target))


@main.command("completion", short_help="Write the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Write the completion script for SHELL; for example, in bash: source <(spark-lineage completion bash)"""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "spark-lineage", "_SPARK_LINEAGE_COMPLETE").source())
