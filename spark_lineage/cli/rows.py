"""The commands of samples of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import QueryError
from .base import Call, command, main

if TYPE_CHECKING:
    from ..store.tables import Store


@main.group("rows")
def rows() -> None:
    """Take and show samples of the rows that jobs wrote, with the source rows that made them (docs/row-provenance.md).

    DATASET is any name of a recorded dataset, or the folder of a Delta table.
    """


@command("take", of=rows)
@click.option(
    "--due",
    is_flag=True,
    required=True,
    help="Every recorded version of which `rows.sample` or `track` asks for one, and that has none.",
)
@click.option("--retry", is_flag=True, help="Also those of which none could be taken before, after the others.")
@click.option(
    "--since",
    metavar="TIME",
    help="Only of versions that were written then or later: 2024-05-01, yesterday, '2 days ago', ... UTC.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Take so many at most, of the oldest versions.")
def take(ctx: click.Context, due: bool, retry: bool, since: str | None, limit: int | None) -> None:
    """Take the samples that are asked for, and keep them. Starts Spark, and reads what was written and its sources with it.

    Exit code 1 where one could not be taken.
    """
    from ..query.moment import beginning
    from ..render.progress import working
    from ..replay.session import session
    from ..rows.due import due as due_of
    from ..rows.sampling import Limits, take_samples

    call: Call = ctx.obj
    settings = call.settings()
    store = _store(call)
    wanted = due_of(store, settings, retry, None if since is None else beginning(since), limit)
    page = call.page()
    if not wanted:
        which = "" if since is None else f" that was written since {since}"
        page.row_samples((), empty=f"nothing is due: every version{which} of which a sample is asked for has one")
        return
    limits = Limits(settings.executables_store, settings.executables_key)
    with working() as work:
        work.told("starting Spark")
        taken = tuple(take_samples(session(), store, wanted, limits, work.told))
    page.row_samples(taken)
    ctx.exit(int(any(one.reason is not None for one in taken)))


@command("list", of=rows)
@click.argument("dataset", required=False)
def list_(ctx: click.Context, dataset: str | None) -> None:
    """List the samples that are kept, of DATASET or of all, the oldest first, and why a version has none."""
    from ..rows.stored import samples
    from ..snapshot.taking import place_of

    call: Call = ctx.obj
    store = _store(call)
    call.page().row_samples(samples(store, None if dataset is None else place_of(store, dataset)[0]))


@command("show", of=rows)
@click.argument("dataset")
@click.option(
    "--version", metavar="N", type=click.IntRange(min=0), help="That version of the table. Else the newest that has a sample."
)
@click.option("--key", metavar="HASH", type=int, help="Only of rows whose key has this hash (`target_key`).")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=100, show_default=True, help="Show so many source rows at most."
)
@click.option("--values", is_flag=True, help="Read their values from the sources, with Spark.")
def show(ctx: click.Context, dataset: str, version: int | None, key: int | None, limit: int, values: bool) -> None:
    """Show the source rows that are kept of the rows of DATASET, by their ids; with --values also what is in them.

    Exit code 1 where a source cannot be read.
    """
    from ..rows.stored import row_lineage
    from ..snapshot.taking import place_of

    call: Call = ctx.obj
    store = _store(call)
    found = row_lineage(store, place_of(store, dataset)[0], version, key)
    if not found:
        raise QueryError(
            f"no sample of the rows of {dataset} is kept that fits; `spark-lineage rows list` tells which are, and why others are not"
        )
    if not values:
        call.page().row_lineage(found, limit)
        return
    from ..replay.session import session
    from ..rows.resolving import known, resolve

    settings = call.settings()
    shown = found[:limit]
    resolved = resolve(session(), store, shown, executables=settings.executables_store, key=settings.executables_key)
    call.page().row_lineage(found, limit, [resolved.values.get(known(row)) for row in shown])
    for why in resolved.failed:
        click.echo(why, err=True)
    ctx.exit(int(bool(resolved.failed)))


def _store(call: Call) -> Store:
    from ..store.tables import Store

    return Store.open(call.settings().store)
