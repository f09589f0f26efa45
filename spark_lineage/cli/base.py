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
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import __version__
from ..errors import LineageError

if TYPE_CHECKING:
    from ..config import Settings
    from ..query.lineage import Lineage
    from ..render import Page

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
        from ..config import load

        return load(store=self.store, inbox=inbox)

    def lineage(self) -> Lineage:
        from ..query.lineage import open as open_lineage

        return open_lineage(self.settings().store)

    def page(self) -> Page:
        from ..render import Page

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


STORE = click.option(
    "--store", metavar="PATH", expose_value=False, callback=_remember("store"),
    help="Folder or object store URI of the lineage tables. Else SPARK_LINEAGE_STORE, lineage.toml, ./lineage.",
)  # fmt: skip
JSON = click.option(
    "--json", is_flag=True, expose_value=False, callback=_remember("as_json"), help="Write the answer as JSON (docs/asking.md)."
)  # fmt: skip
DEBUG = click.option("--debug", is_flag=True, expose_value=False, callback=_remember("debug"), help="Show tracebacks.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@STORE
@JSON
@DEBUG
@click.version_option(__version__, prog_name="spark-lineage", message="%(prog)s %(version)s")
def main() -> None:
    """Where did this number come from? Lineage for Apache Spark jobs, in Delta tables."""


def command(name: str, of: click.Group | None = None, **settings: Any) -> Callable[[F], click.Command]:
    """A command with the options that all have; `of`: of a group below the first."""

    def decorate(function: F) -> click.Command:
        return (of or main).command(name, **settings)(STORE(JSON(DEBUG(click.pass_context(function)))))

    return decorate
