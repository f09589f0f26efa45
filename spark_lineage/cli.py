"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0; 1, a check said no; 2, it could not be done. What a command needs is imported in the command, so that each
starts fast; the answers themselves are those of the Python API, and `render` draws them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import __version__
from .errors import LineageError

if TYPE_CHECKING:
    import threading

    from .config import Settings
    from .ingest import IngestReport
    from .query.lineage import Lineage
    from .render import Page

F = TypeVar("F", bound=Callable[..., Any])

COULD_NOT = 2
"""Exit code: bad input, an unknown dataset, no store, or a defect of ours."""


@dataclass
class Call:
    """What was said before and after the command's name."""

    store: str | None = None
    as_json: bool = False
    debug: bool = False

    def settings(self, inbox: str | None = None) -> Settings:
        from .config import load

        return load(store=self.store, inbox=inbox)

    def lineage(self) -> Lineage:
        from .query.lineage import open as open_lineage

        return open_lineage(self.settings().store)

    def page(self) -> Page:
        from .render import Page

        return Page(as_json=self.as_json)


class Commands(click.Group):
    """Commands whose errors are one paragraph on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        call = ctx.ensure_object(Call)
        try:
            super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read our output had enough of it: spark-lineage runs | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)
        except (click.exceptions.ClickException, click.exceptions.Exit, click.exceptions.Abort):
            raise
        except Exception as error:
            if call.debug:
                raise
            click.echo(f"Error: {_paragraph(error)}", err=True)
            ctx.exit(COULD_NOT)


def _paragraph(error: Exception) -> str:
    if isinstance(error, LineageError):
        return str(error)
    return f"{type(error).__name__}: {error}. This should not have happened: say it again with --debug for the traceback."


def _remember(field: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Call), field, value)

    return callback


_STORE = click.option(
    "--store", metavar="PATH", expose_value=False, callback=_remember("store"),
    help="Folder or object store URI of the lineage tables. Else SPARK_LINEAGE_STORE, lineage.toml, ./lineage.",
)  # fmt: skip
_JSON = click.option(
    "--json", is_flag=True, expose_value=False, callback=_remember("as_json"), help="Write the answer as JSON (docs/asking.md)."
)  # fmt: skip
_DEBUG = click.option("--debug", is_flag=True, expose_value=False, callback=_remember("debug"), help="Show tracebacks.")


def _command(name: str, **settings: Any) -> Callable[[F], click.Command]:
    """A command with the options that all have."""

    def decorate(function: F) -> click.Command:
        return main.command(name, **settings)(_STORE(_JSON(_DEBUG(click.pass_context(function)))))

    return decorate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@_STORE
@_JSON
@_DEBUG
@click.version_option(__version__, prog_name="spark-lineage", message="%(prog)s %(version)s")
def main() -> None:
    """Where did this number come from? Lineage for Apache Spark jobs, in Delta tables."""


@_command("runs")
def runs(ctx: click.Context) -> None:
    """List the runs, the newest first."""
    call: Call = ctx.obj
    call.page().runs(call.lineage().runs())


@_command("show")
@click.argument("run", default="last")
def show(ctx: click.Context, run: str) -> None:
    """Show one run: its code, and its executions with what each read and wrote.

    RUN is the id of a run, or the beginning of it; without it, the newest run.
    """
    call: Call = ctx.obj
    call.page().run(call.lineage().run(run))


@_command("datasets")
def datasets(ctx: click.Context) -> None:
    """List the datasets that were read or written."""
    call: Call = ctx.obj
    call.page().datasets(call.lineage().datasets())


_AT = click.option(
    "--at", metavar="TIME", help="As things stood then: 2024-05-01, '2024-05-01 14:30', yesterday, '2 days ago', ... UTC."
)


@_command("columns")
@click.argument("name", metavar="DATASET[.COLUMN]")
@_AT
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
        return name(depth(_AT(indirect(function))))

    return decorate


@_command("upstream")
@_walk_options("show")
def upstream(ctx: click.Context, name: str, depth: int | None, at: str | None, indirect: Any) -> None:
    """Show what a dataset or a column was made of, across jobs."""
    call: Call = ctx.obj
    call.page().walk(call.lineage().upstream(name, depth=depth, at=at, indirect=indirect))


@_command("downstream")
@_walk_options("follow")
def downstream(ctx: click.Context, name: str, depth: int | None, at: str | None, indirect: Any) -> None:
    """Show what would be touched if a dataset or a column changed, across jobs."""
    call: Call = ctx.obj
    call.page().walk(call.lineage().downstream(name, depth=depth, at=at, indirect=indirect))


@_command("ingest")
@click.argument("inbox", required=False)
@click.option(
    "--watch", is_flag=True, help="Go on until stopped (Ctrl-C or SIGTERM), for all drivers that write to this inbox."
)
@click.option("--final", is_flag=True, help="No driver is alive any more: runs without an end are lost at once.")
@click.option("--retry-quarantine", is_flag=True, help="Try the documents in quarantine again.")
def ingest(ctx: click.Context, inbox: str | None, watch: bool, final: bool, retry_quarantine: bool) -> None:
    """Bring the documents of INBOX into the lineage tables; by default those of the configured inbox, until none waits."""
    from . import ingest as ingestion

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


@_command("maintain")
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
    from .store import maintain as maintenance
    from .store import migrate as migration

    call: Call = ctx.obj
    settings = call.settings()
    location = settings.store
    migrated = migration.migrate(location) if migrate else None
    report = maintenance.maintain(
        location, keep_days=expire_days, retention_hours=vacuum_hours, executables=settings.executables_store
    )
    call.page().maintained(report, migrated)


@_command("doctor")
@click.option("--inbox", metavar="PATH", help="The inbox to look at. Else SPARK_LINEAGE_INBOX, lineage.toml, the store's own.")
def doctor(ctx: click.Context, inbox: str | None) -> None:
    """Say what is wrong with this installation, and what to do. Exit code 1 if something is."""
    from .doctor import examine

    call: Call = ctx.obj
    findings = examine(store=call.store, inbox=inbox)
    call.page().findings(findings)
    ctx.exit(int(any(finding.status == "problem" for finding in findings)))


@main.command(
    "run", short_help="Run a command that starts Spark, with lineage.", context_settings={"allow_interspersed_args": False}
)
@_STORE
@_DEBUG
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
    from .capture.launch import launch

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
    from .config import OPTIONS, load

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
@_DEBUG
def bundle(target: Path) -> None:
    """Write the zip TARGET for --py-files, for those whose submit command is fixed elsewhere."""
    from .capture.bundle import write_bundle

    click.echo(write_bundle(target))


@main.command("jar")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path), required=False)
@_DEBUG
def jar(target: Path | None) -> None:
    """Print the path of the jar for drivers that are not Python, or write it to TARGET: --jars $(spark-lineage jar)

    With it, --conf spark.extraListeners=org.sparklineage.bridge.LineageListener records spark-sql, Java and Scala
    applications, Spark Connect servers and others (docs/attaching.md). Made here where the installation came without it.
    """
    from .capture.jar import copy_jar, jar_path

    click.echo(jar_path() if target is None else copy_jar(target))


@main.command("completion", short_help="Write the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Write the completion script for SHELL; for example, in bash: source <(spark-lineage completion bash)"""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "spark-lineage", "_SPARK_LINEAGE_COMPLETE").source())


if __name__ == "__main__":
    main(prog_name="spark-lineage")
