"""The command of row provenance."""

from __future__ import annotations

import click

from .base import Call, command


@command("trace")
@click.argument("dataset")
@click.option(
    "--where", metavar="CONDITION", required=True, help="Which rows: a condition of Spark SQL over the table's columns."
)
@click.option("--version", metavar="N", type=click.IntRange(min=0), help="That version of the table. Else the newest.")
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
    help="Trace so many rows of DATASET at most.",
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
    ctx: click.Context, dataset: str, where: str, version: int | None, depth: int, rows: int, limit: int, deciding: bool
) -> None:  # fmt: skip
    """Show the source rows that made rows of a Delta table (docs/row-provenance.md). Starts Spark, and reads the sources with it.

    DATASET is any name of a recorded dataset, or the folder of a Delta table.
    """
    from ..rows.hops import Options, trace_table
    from ..rows.session import session
    from ..store.tables import Store

    call: Call = ctx.obj
    settings = call.settings()
    store = Store.open(settings.store)
    options = Options(
        depth=depth, rows=rows, limit=limit, deciding=deciding, executables=settings.executables_store, key=settings.executables_key
    )  # fmt: skip
    page = call.page()
    hops = trace_table(session(), store, dataset, where, version, options, lambda text: click.echo(text, err=True))
    page.traced(hops)
