"""The commands that keep versions, and tell which are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import StoreNotFound
from .base import Call, command
from .snapshot import snapshot

if TYPE_CHECKING:
    from ..snapshot.delta_log import Progress


@command("availability", of=snapshot)
@click.argument("dataset", required=False)
@click.option(
    "--deep", is_flag=True, help="Open every file of the versions, instead of going by logs and table properties alone."
)
def availability(ctx: click.Context, dataset: str | None, deep: bool) -> None:
    """Tell of each recorded version of DATASET, or of all Delta tables, whether it can still be read and until when.

    Exit code 1 where one cannot, or may not: then --deep looks.
    """
    from contextlib import ExitStack

    from ..render.progress import progress
    from ..snapshot import recorded_versions as of_versions
    from ..store.tables import Store

    call: Call = ctx.obj
    store = Store.open(call.settings().store)
    key = None if dataset is None else of_versions.key_of(store, dataset)
    with ExitStack() as bars:
        current = ExitStack()
        bars.push(current)

        def told(place: str) -> Progress:
            current.close()
            return current.enter_context(progress(f"{'opening files of' if deep else 'reading the log of'} {place}"))

        found = of_versions.recorded(store, key, deep=deep, progress=told)
    call.page().available(found)
    ctx.exit(int(not all(one.obtainable for one in found)))


@command("retain")
@click.argument("dataset")
@click.option(
    "--days", metavar="N", type=click.IntRange(min=1), help="Keep removed files and the log for N days from now on. Else only say what is kept."
)  # fmt: skip
@click.option("--shorten", is_flag=True, help="With --days: also where they are kept for longer now.")
@click.option("--dry-run", is_flag=True, help="With --days: say what would be set and what it costs, and set nothing.")
@click.option("--version", metavar="N", type=click.IntRange(min=0), help="Copy that version into the archive.")
@click.option("--archive", metavar="FOLDER", help="Where copies are kept, each a Delta table: FOLDER/<table id>/<version>.")
def retain(
    ctx: click.Context,
    dataset: str,
    days: int | None,
    shorten: bool,
    dry_run: bool,
    version: int | None,
    archive: str | None,
) -> None:
    """Keep versions of a Delta table for longer, or one of them for good; and say what that costs in bytes.

    DATASET is any name of a recorded dataset, or the folder of a Delta table.
    """
    if (version is None) != (archive is None):
        raise click.UsageError("--version and --archive go together: which version is copied, and where to")
    if version is not None and days is not None:
        raise click.UsageError("--days keeps all versions for a while, --version one of them for good; give one of them")
    if days is None and (shorten or dry_run):
        raise click.UsageError("--shorten and --dry-run go with --days")
    if version is not None and archive is not None:
        return _archive(ctx.obj, dataset, version, archive)
    from ..render.progress import progress
    from ..snapshot import retention

    call: Call = ctx.obj
    with progress("reading the log") as told:
        kept = retention.retention(_location(call, dataset), days, shorten=shorten, dry_run=dry_run, progress=told)
    call.page().retained(kept)
    return None


def _archive(call: Call, dataset: str, version: int, folder: str) -> None:
    from ..render.progress import progress
    from ..snapshot import archive, taking
    from .snapshot import store_or_new

    store = store_or_new(call, dataset, version, None)
    key, location = taking.place_of(store, dataset)
    with progress("copying") as told:
        made = archive.archive(store, location, version, folder, key, told)
    call.page().archived(made)


def _location(call: Call, dataset: str) -> str:
    """No store is needed for a table that is named by its folder."""
    from ..snapshot import delta, taking
    from ..store.tables import Store

    try:
        return taking.place_of(Store.open(call.settings().store), dataset)[1]
    except StoreNotFound:
        if delta.is_delta(dataset):
            return delta.absolute(dataset)
        raise
