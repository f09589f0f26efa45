"""`spark-lineage snapshot diff`."""

from __future__ import annotations

import click

from ..errors import StoreNotFound
from .base import Call, command
from .snapshot import snapshot


@command("diff", of=snapshot)
@click.argument("here", metavar="A")
@click.argument("there", metavar="B")
@click.option("--key", metavar="COLUMNS", help="Columns, with commas between, by which a row is known again in the other side.")
@click.option(
    "--ignore-column", "ignored", metavar="COLUMN", multiple=True, help="Leave this column out. May be given several times."
)
@click.option(
    "--trim",
    metavar="COLUMN",
    multiple=True,
    help="Blanks at the end of this text column do not count; `all` for all. May be given several times.",
)
@click.option(
    "--float-tolerance",
    metavar="X",
    type=float,
    help="Floats are equal that differ by no more than X, or than X times the greater of them. Needs --key.",
)
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show so many rows of each sort at most.",
)
@click.option("--brief", is_flag=True, help="Only whether they differ: nothing is read where the checksums of both are kept.")
def diff(
    ctx: click.Context,
    here: str,
    there: str,
    key: str | None,
    ignored: tuple[str, ...],
    trim: tuple[str, ...],
    float_tolerance: float | None,
    sample: int,
    brief: bool,
) -> None:
    """Compare two datasets, or two versions: which rows and columns differ. Exit code 1 where they do.

    A and B are recorded datasets, folders or files of Delta, Parquet or ORC, or tables of PostgreSQL
    (postgresql://USER@HOST:PORT/DATABASE?table=SCHEMA.TABLE). NAME@N is version N of a Delta table.
    """
    from ..render.progress import progress
    from ..snapshot.diff import Options
    from ..snapshot.diff import diff as difference
    from ..store.tables import Store

    call: Call = ctx.obj
    options = Options(
        key=tuple(name.strip() for name in key.split(",")) if key else (),
        ignored=ignored,
        trim=trim,
        float_tolerance=float_tolerance,
        sample=sample,
        brief=brief,
    )
    try:
        store = Store.open(call.settings().store)
    except StoreNotFound:  # places can be compared without one
        store = None
    with progress("reading") as told:
        found = difference(store, here, there, options, told)
    call.page().difference(found)
    ctx.exit(int(not found.equal))
