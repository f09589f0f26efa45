"""The command of row provenance."""

from __future__ import annotations

import click
from click.core import ParameterSource

from .base import Call, command


@command("trace")
@click.argument("dataset")
@click.option(
    "--where", metavar="CONDITION", required=True, help="Which rows: a condition of Spark SQL over the table's columns."
)
@click.option(
    "--version", metavar="N", type=click.IntRange(min=0),
    help="That version of the table. Else the newest; with --forward, each that was read.",
)  # fmt: skip
@click.option("--forward", is_flag=True, help="Show what was made of rows of DATASET, instead of what made them.")
@click.option(
    "--history", is_flag=True,
    help="With --forward: also what was made earlier, and is not in the newest version of a table any more.",
)  # fmt: skip
@click.option(
    "--executions", metavar="N", type=click.IntRange(min=1), default=50, show_default=True,
    help="With --forward: follow so many executions at most that read a dataset, the newest first.",
)  # fmt: skip
@click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Follow so many hops: the rows that made the rows that were found, and so on.",
)
@click.option(
    "--rows",
    metavar="N",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Trace so many rows of DATASET at most; forward, all are.",
)
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=20, show_default=True,
    help="Show, and follow further, so many rows of each source at most; how many there are is said in any case.",
)  # fmt: skip
@click.option(
    "--deciding", is_flag=True,
    help="Of groups with a min, max, first or last only the rows that decided it, and of ranks the row alone, instead of all that went in.",
)  # fmt: skip
def trace(
    ctx: click.Context, dataset: str, where: str, version: int | None, forward: bool, history: bool, executions: int, depth: int,
    rows: int, limit: int, deciding: bool,
) -> None:  # fmt: skip
    """Show the source rows that made rows of a Delta table, or what was made of rows (docs/row-provenance.md). Starts Spark, and reads the sources with it.

    DATASET is any name of a recorded dataset, or the folder of a Delta table.
    """
    from ..render.progress import working
    from ..replay.session import session
    from ..rows.forward import trace_forward
    from ..rows.hops import Options, trace_table
    from ..store.tables import Store

    _check(ctx, forward)
    call: Call = ctx.obj
    settings = call.settings()
    store = Store.open(settings.store)
    options = Options(
        depth=depth, rows=rows, limit=limit, deciding=deciding, history=history, executions=executions,
        executables=settings.executables_store, key=settings.executables_key,
    )  # fmt: skip
    page = call.page()
    trace_rows = trace_forward if forward else trace_table
    with working() as work:
        work.told("starting Spark")
        page.traced(work.each(trace_rows(session(), store, dataset, where, version, options, work.told)))


def _check(ctx: click.Context, forward: bool) -> None:
    """Raises UsageError for an option that says nothing of what is asked."""
    others = ("deciding", "rows") if forward else ("history", "executions")
    for name in others:
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            with_or_without = "with" if forward else "without"
            raise click.UsageError(f"--{name} says nothing {with_or_without} --forward; leave it out")
