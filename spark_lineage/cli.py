"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0; 1, a check said no; 2, it could not be done. What a command needs is imported in the command, so that each
starts fast; the answers themselves are those of the Python API, and `render` draws them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import __version__
from .errors import LineageError

if TYPE_CHECKING:
    from .config import Settings
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

    def settings(self) -> Settings:
        from .config import load

        return load(store=self.store)

    def lineage(self) -> Lineage:
        from .query.lineage import open as open_lineage

        return open_lineage(self.settings().store)

    def page(self) -> Page:
        from .render import Page

        return Page(as_json=self.as_json)


class Commands(click.Group):
    """Commands whose errors are one paragraph on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.ClickException, click.exceptions.Exit, click.exceptions.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.ensure_object(Call).debug:
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
@click.argument("dataset")
@_AT
def columns(ctx: click.Context, dataset: str, at: str | None) -> None:
    """List the columns of DATASET, and where each comes from."""
    call: Call = ctx.obj
    call.page().columns(call.lineage().columns(dataset, at=at))


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


if __name__ == "__main__":
    main(prog_name="spark-lineage")
