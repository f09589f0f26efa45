"""The commands of snapshots: checksums of what datasets held."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import SnapshotError, StoreNotFound
from .base import Call, command, main
from .commands import AT

if TYPE_CHECKING:
    from datetime import datetime

    from ..model import Snapshot
    from ..snapshot.sums import Scheme
    from ..store.tables import Store

_DATASET = click.argument("dataset")
_VERSION = click.option(
    "--version", metavar="N", type=click.IntRange(min=0), help="That version of the table. Else the newest."
)

_KEY = click.option("--key", metavar="FILE", help="The keyed checksum, under the key in FILE (docs/checksum.md).")


@main.group("snapshot")
def snapshot() -> None:
    """Take, list and verify checksums of dataset versions.

    DATASET is any name of a recorded dataset, the folder of a Delta table, or a folder or file of Parquet or ORC.
    """


@command("take", of=snapshot)
@click.argument("dataset", required=False)
@_VERSION
@AT
@click.option(
    "--due", is_flag=True, help="Instead of DATASET: every recorded version that `snapshots` asks for and that has none."
)
@click.option("--retry", is_flag=True, help="With --due: also those that could not be taken before.")
@_KEY
@click.option("--columns", is_flag=True, help="Keep a checksum of each column as well, so that a difference names its columns.")
@click.option(
    "--by", metavar="COLUMN[/WIDTH]",
    help="Keep a checksum of each group of rows as well: of each value of COLUMN, or of ranges of so many of an integer.",
)  # fmt: skip
def take(
    ctx: click.Context, dataset: str | None, version: int | None, at: str | None, due: bool, retry: bool, key: str | None,
    columns: bool, by: str | None,
) -> None:  # fmt: skip
    """Take the checksum of a version of a Delta table, or of the files of Parquet or ORC in a folder, and keep it. Data files of a
    table whose sum is known are not read again.

    Exit code 1 where a version was found corrupted, or one that is due could not be taken.
    """
    from ..query.moment import moment
    from ..render.progress import progress
    from ..snapshot import taking
    from ..snapshot.delta import is_delta, version_of
    from ..snapshot.parts import ByColumn, ByGroup, take_parts
    from ..snapshot.unversioned import take_any

    if version is not None and at is not None:
        raise click.UsageError("--version and --at both say which version; give one of them")
    if due:
        if columns or any(one is not None for one in (dataset, version, at, key, by)):
            raise click.UsageError(
                "--due takes what is recorded and has no checksum; DATASET, --version, --at, --key, --columns and --by are for one alone"
            )
        _take_due(ctx, retry)  # ends the command
    if retry:
        raise click.UsageError("--retry is for --due; a version that is named is always tried again")
    if dataset is None:
        raise click.UsageError("name a DATASET, or give --due")
    if key is not None and (columns or by is not None):
        raise click.UsageError("--columns and --by are of the checksum without a key")
    schemes: list[ByColumn | ByGroup] = [ByColumn()] if columns else []
    if by is not None:
        schemes.append(ByGroup.parsed(by))
    call: Call = ctx.obj
    when = None if at is None else moment(at)
    store = store_or_new(call, dataset, version, when)
    dataset_key, location = taking.place_of(store, dataset)
    if schemes and not is_delta(location):
        raise SnapshotError(f"--columns and --by are for Delta tables, and {dataset} is none")
    if by is not None:  # before anything is read
        ByGroup.parsed(by).checked(version_of(location, version, when).columns)
    with progress("reading") as told:
        taken = take_any(store, location, version, when, dataset_key, told, scheme=_scheme(key))
        for scheme in schemes:
            take_parts(store, taken, location, scheme, told)
    call.page().snapshots([taken])
    ctx.exit(int(taken.reason is not None))


def _take_due(ctx: click.Context, retry: bool) -> NoReturn:
    from ..render.progress import progress
    from ..snapshot.deferred import due, take_wanted
    from ..snapshot.policy import Policy

    call: Call = ctx.obj
    store, policy = _store(call), Policy.of(call.settings())
    if policy.when == "off":
        raise SnapshotError("snapshots is off: nothing is ever due; set it to outputs or all (docs/configuration.md)")
    with progress("reading") as told:
        taken = take_wanted(store, due(store, policy, again=retry), policy, told)
    call.page().snapshots(taken.snapshots, empty="nothing is due: every version that `snapshots` asks for is known")
    ctx.exit(int(not taken.sound))


@command("list", of=snapshot)
@click.argument("dataset", required=False)
def list_(ctx: click.Context, dataset: str | None) -> None:
    """List the checksums that are kept, of DATASET or of all, the oldest first, and why a version has none."""
    from ..snapshot import taking

    call: Call = ctx.obj
    store = _store(call)
    key = None if dataset is None else taking.place_of(store, dataset)[0]
    call.page().snapshots(taking.snapshots(store, key=key, without=True, algorithm=None))


@command("show", of=snapshot)
@_DATASET
@_VERSION
def show(ctx: click.Context, dataset: str, version: int | None) -> None:
    """Show the checksum that is kept of a version, by default of the newest that has one, and those of its columns and groups."""
    from ..snapshot.kinds import ALGORITHM
    from ..snapshot.parts import kept_parts

    call: Call = ctx.obj
    store = _store(call)
    kept = _kept(store, dataset, version)[0]
    call.page().snapshot(kept, kept_parts(store, kept) if kept.algorithm == ALGORITHM else {})


@command("verify", of=snapshot)
@_DATASET
@_VERSION
@_KEY
def verify(ctx: click.Context, dataset: str, version: int | None, key: str | None) -> None:
    """Read a version anew and hold it against the checksum that is kept. Exit code 1 where they differ, or it is gone."""
    from ..render.progress import progress
    from ..snapshot.unversioned import verify_any

    call: Call = ctx.obj
    store = _store(call)
    scheme = _scheme(key)
    kept, location = _kept(store, dataset, version, scheme.algorithm)
    with progress("reading") as told:
        held = verify_any(store, kept, location, told, scheme)
    call.page().verified(held)
    ctx.exit(int(not held.holds))


def _store(call: Call) -> Store:
    from ..store.tables import Store

    return Store.open(call.settings().store)


def store_or_new(call: Call, dataset: str, version: int | None, at: datetime | None) -> Store:
    """The store; where there is none it is made, once it is known that there is a version to take."""
    from ..snapshot.unversioned import check_any
    from ..store.tables import Store

    try:
        return _store(call)
    except StoreNotFound:
        check_any(dataset, version, at)
        return Store.open(call.settings().store, create=True)


def _scheme(key: str | None) -> Scheme:
    from ..snapshot.arrow import PLAIN
    from ..snapshot.keyed import keyed

    return PLAIN if key is None else keyed(key)


def _kept(store: Store, dataset: str, version: int | None, algorithm: str | None = None) -> tuple[Snapshot, str]:
    from ..snapshot import taking

    return taking.kept(store, dataset, version, algorithm)
