"""Takes the checksum of a version of a Delta table, reading only the files whose sums are not known, and keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ..config import local_path
from ..errors import NotFound, SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import Observed, Snapshot, SnapshotFile, SnapshotMethod
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..store.tables import Store, literal
from .arrow import PLAIN
from .delta import DataFile, DeltaVersion, absolute, only_rearranges, sums_of_file, version_of
from .footers import has_more
from .inline import sums_of_write
from .kinds import ALGORITHM, Column, columns_of, covers, layout_hash, schema_hash
from .parts import differing_parts
from .policy import Wanted, identity
from .sums import Progress, Scheme, Sums


@dataclass(frozen=True)
class Verified:
    """What a recorded checksum was held against. `lost` and `changed` are data files, by their paths in Delta's log."""

    recorded: Snapshot
    rows: int | None
    checksum: str | None
    lost: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    reason: str | None = None
    columns: tuple[str, ...] = ()
    """That differ, where their sums are kept."""
    groups: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.checksum == self.recorded.checksum and self.rows == self.recorded.row_count


def place_of(store: Store, dataset: str) -> tuple[DatasetKey, str]:
    """The key and the location of a recorded dataset, by any name of it, or of a folder or file that is there, or of which
    checksums are kept.

    Raises NotFound, Ambiguous, and SnapshotError for a dataset that is recorded and has no place.
    """
    names = recorded_names(DeltaTables(store.location))
    try:
        key = names.dataset(dataset)
    except NotFound:
        location = absolute(dataset)
        unrecorded = exact_place(location).key
        path = local_path(dataset)
        if path is None or path.exists() or snapshots(store, key=unrecorded):
            return unrecorded, location
        raise
    place = names.known[key].location
    if place is None:
        raise SnapshotError(
            f"{dataset} is recorded without a place where it lies: there is nothing to read. `spark-submit jobs/snapshot.py --format jdbc` "
            "reads a table behind JDBC, a diff reads postgresql://USER@HOST:PORT/DATABASE?table=SCHEMA.TABLE"
        )
    return key, place


def take(
    store: Store,
    location: str,
    version: int | None = None,
    at: datetime | None = None,
    key: DatasetKey | None = None,
    progress: Progress | None = None,
    *,
    table_id: str | None = None,
    execution_id: str | None = None,
    max_bytes: int | None = None,
    scheme: Scheme = PLAIN,
    observed: Observed | None = None,
) -> Snapshot:
    """The snapshot of a version (the newest, that of a time), as it is recorded then.

    A version that is known is not read again. `table_id` is the table that is meant, and not another one that has taken its
    place; `execution_id` wrote the version; `max_bytes` bounds what is read; `observed` was summed while it was written. Raises
    SnapshotError, and StoreError where it cannot be kept.
    """
    table = version_of(location, version, at)
    if table_id is not None and table.table_id != table_id:
        raise SnapshotError(
            f"{location} is another table now ({table.table_id}, not {table_id}): the version is gone with the old one"
        )
    key = key or exact_place(table.location).key
    known = known_snapshot(store, key, table.table_id, table.version, table.columns, scheme.algorithm)
    if known is not None:
        return known
    inline = (
        None if observed is None or scheme is not PLAIN else sums_of_write(table, observed, lambda: _before(store, table, key))
    )
    if inline is not None:
        file = next((one for one in table.files if one.named == inline.file), None)
        new = [] if file is None else [file_row(table, file, inline.written, more=False)]
        return keep(store, location, _snapshot(table, key, inline.whole, scheme, "inline", 0, execution_id), new)
    sums = known_sums(store, table, scheme)
    new = []
    done, total = sum(file.size for file in table.files if file.named in sums), table.bytes
    if max_bytes is not None and total - done > max_bytes:
        raise SnapshotError(f"{total - done} bytes would have to be read, more than snapshots.max.bytes ({max_bytes})")
    for file in tuple(file for file in table.files if file.named not in sums):
        schemas: list[pa.Schema] = []
        sums[file.named] = found = sums_of_file(table, file, scheme, schemas.append)
        new.append(file_row(table, file, found, scheme, more=has_more(table, file, schemas[0])))
        done += file.size
        if progress is not None:
            progress(done, total)
    whole = sum((sums[file.named] for file in table.files), scheme.zero)
    method: SnapshotMethod = "scan" if len(new) == len(table.files) else "incremental"
    return keep(store, location, _snapshot(table, key, whole, scheme, method, len(new), execution_id), new)


def _snapshot(
    table: DeltaVersion,
    key: DatasetKey,
    whole: Any,
    scheme: Scheme,
    method: SnapshotMethod,
    read: int,
    execution_id: str | None,
) -> Snapshot:
    return Snapshot(
        namespace=key[0],
        name=key[1],
        table_id=table.table_id,
        delta_version=table.version,
        committed_at=table.committed_at,
        fingerprint=table.fingerprint,
        algorithm=scheme.algorithm,
        schema_hash=schema_hash(table.columns),
        schema=table.schema,
        row_count=whole.rows,
        checksum=scheme.text(whole, bound_to(key, table.table_id, table.version, None)),
        files=len(table.files),
        bytes=table.bytes,
        files_read=read,
        method=method,
        execution_id=execution_id,
        computed_at=datetime.now(UTC),
    )


def _before(store: Store, table: DeltaVersion, key: DatasetKey) -> Sums | None:
    """The sums of the version before, of the same columns; those of no rows before the first version.

    The id of a table does not tell: a folder that was copied has it, too, and goes its own way.
    """
    if table.version == 0:
        return Sums(0, 0, 0)
    for one in snapshots(store, table_id=table.table_id, version=table.version - 1, key=key):
        told = one.schema is not None and layout_hash(columns_of(one.schema)) == layout_hash(table.columns)
        if told and one.row_count is not None and one.checksum is not None:
            return Sums.parse(one.row_count, one.checksum)
    return None


def known_snapshot(
    store: Store, key: DatasetKey, table_id: str, version: int, columns: tuple[Column, ...], algorithm: str = ALGORITHM
) -> Snapshot | None:
    """The checksum that is kept of a version."""
    hashed = schema_hash(columns)
    known = snapshots(store, table_id=table_id, version=version, algorithm=algorithm)
    return next((one for one in known if one.schema_hash == hashed and (one.namespace, one.name) == key), None)


def keep(store: Store, location: str, snapshot: Snapshot, files: list[SnapshotFile]) -> Snapshot:
    """Puts a checksum and the sums of data files that were read for it into the tables, with what is wrong with the version."""
    snapshot = replace(snapshot, reason=_damage(store, location, snapshot))
    store.append("snapshots", [snapshot], None)  # before its files: their columns are told by a snapshot
    store.append("snapshot_files", files, None)
    return snapshot


def _damage(store: Store, location: str, now: Snapshot) -> str | None:
    """What is wrong where a commit that says of itself that it only rearranges rows (OPTIMIZE, REORG) has changed them."""
    if not now.delta_version or not only_rearranges(location, now.delta_version):
        return None
    if now.algorithm != ALGORITHM:
        return None
    known = snapshots(store, table_id=now.table_id, version=now.delta_version - 1, key=(now.namespace, now.name))
    before = next((one for one in known if one.schema_hash == now.schema_hash), None)
    if before is None or (before.row_count, before.checksum) == (now.row_count, now.checksum):
        return None
    return (
        f"corrupted: version {now.delta_version} says that it only rearranges the rows of version {before.delta_version}, "
        f"which had {before.row_count} with checksum {before.checksum}; RESTORE brings that version back"
    )


def left_out(store: Store, one: Wanted, reason: str) -> Snapshot:
    """Keeps why a version has no checksum, once as long as the reason is the same."""
    known = snapshots(store, one.table_id, one.version, (one.namespace, one.name), without=True)
    mine = [row for row in known if row.method == "none" and row.fingerprint == one.fingerprint]
    if mine and mine[-1].reason == reason:
        return mine[-1]
    row = Snapshot(
        namespace=one.namespace, name=one.name, table_id=one.table_id, delta_version=one.version, fingerprint=one.fingerprint,
        algorithm=ALGORITHM, method="none", execution_id=one.execution_id, reason=reason, computed_at=datetime.now(UTC),
    )  # fmt: skip
    store.append("snapshots", [row], None)
    return row


def snapshots(
    store: Store,
    table_id: str | None = None,
    version: int | None = None,
    key: DatasetKey | None = None,
    *,
    without: bool = False,
    algorithm: str | None = ALGORITHM,
) -> list[Snapshot]:
    """What is recorded, the oldest first; `without`: also of the versions that have no checksum; `algorithm` None: of any."""
    conditions = ["true"] if algorithm is None else [f"algorithm = {literal(algorithm)}"]
    if table_id is not None:
        conditions.append(f"table_id = {literal(table_id)}")
    if version is not None:
        conditions.append(f"delta_version = {version}")
    if key is not None:
        conditions += [f"namespace = {literal(key[0])}", f"name = {literal(key[1])}"]
    rows = store.arrow("snapshots", filter=" and ".join(conditions)).to_pylist()
    found = (Snapshot(**row) for row in rows if without or row["method"] != "none")
    return sorted(found, key=lambda one: one.computed_at)


def known_sums(store: Store, table: DeltaVersion, scheme: Scheme = PLAIN) -> dict[tuple[str, str | None], Any]:
    """The sums of those of the version's files that hold under its schema, by path and deletion vector.

    A file's sum was taken under the schema of some version. It holds under the same one, and, where the file has no more than was
    summed (`footers.has_more`), under one that has further columns: the file has no values of them.
    """
    wanted = {file.named for file in table.files}
    known = snapshots(store, table_id=table.table_id, algorithm=scheme.algorithm)
    schemas = {columns_of(one) for one in {one.schema for one in known} if one is not None}
    good = sorted({layout_hash(columns) for columns in schemas if _holds(table.columns, columns)})
    good.append(layout_hash(table.columns) + PART)
    condition = f"table_id = {literal(table.table_id)} and algorithm = {literal(scheme.algorithm)} and layout in ({', '.join(map(literal, good))})"
    rows = store.arrow("snapshot_files", ["path", "deletion_vector", "row_count", "checksum"], condition).to_pylist()
    return {
        named: scheme.parse(row["row_count"], row["checksum"], _of_file(table.table_id, *named))
        for row in rows
        if (named := (row["path"], row["deletion_vector"])) in wanted
    }


def verify(
    store: Store, recorded: Snapshot, location: str, progress: Progress | None = None, scheme: Scheme = PLAIN
) -> Verified:
    """Reads every file of the version again and holds it against what is recorded, by the algorithm that it was taken by.

    A version that cannot be read any more is no error: it is told with `reason`, and with the files that are lost.
    """
    check_scheme(recorded, scheme)
    try:
        table = version_of(location, recorded.delta_version)
    except SnapshotError as error:
        return Verified(recorded, None, None, reason=str(error))
    if table.table_id != recorded.table_id:
        return Verified(
            recorded, None, None, reason=f"{location} is another table now: it was dropped and created again, or replaced"
        )
    before = known_sums(store, table, scheme)
    whole, lost, changed, done = scheme.zero, [], [], 0
    reason = None
    for file in table.files:
        try:
            found = sums_of_file(table, file, scheme)
        except SnapshotError as error:
            lost.append(file.path)
            reason = reason or str(error)
            continue
        whole += found
        if before.get(file.named, found) != found:
            changed.append(file.path)
        done += file.size
        if progress is not None:
            progress(done, table.bytes)
    if lost:
        return Verified(recorded, None, None, tuple(lost), tuple(changed), reason)
    held = Verified(recorded, whole.rows, held_against(recorded, whole, scheme), (), tuple(changed))
    if held.holds:
        return held
    columns, groups = differing_parts(store, table, recorded)
    return replace(held, columns=columns, groups=groups)


def _holds(now: tuple[Column, ...], then: tuple[Column, ...]) -> bool:
    """Also the names in the data files must be the same: a column that was dropped and added again is another one."""
    return covers(now, then) and _stored(then) <= _stored(now)


def _stored(columns: Iterable[Column], before: str = "") -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for column in columns:
        found.add((f"{before}{column.name}", column.stored))
        found |= _stored(column.kind.parts, f"{before}{column.name}\0")
    return found


PART = ":part"
"""Behind the layout of a sum of a file that has more than was summed."""


def file_row(table: DeltaVersion, file: DataFile, found: Any, scheme: Scheme = PLAIN, *, more: bool) -> SnapshotFile:
    """The row that keeps the sums of a data file; `more`: it has, or may have, values that were not summed."""
    return SnapshotFile(
        table_id=table.table_id,
        path=file.path,
        deletion_vector=file.deletion_vector,
        algorithm=scheme.algorithm,
        layout=layout_hash(table.columns) + (PART if more else ""),
        bytes=file.size,
        row_count=found.rows,
        checksum=scheme.text(found, _of_file(table.table_id, *file.named)),
    )


def _of_file(table_id: str, path: str, deletion_vector: str | None) -> str:
    return "\0".join((table_id, path, deletion_vector or ""))


def bound_to(key: DatasetKey, table_id: str | None, version: int | None, fingerprint: str | None) -> str:
    """What the text of a version's checksum is bound to: all by which the version is known."""
    return "\0".join(map(str, identity(*key, table_id, version, fingerprint)))


def _bound(recorded: Snapshot) -> str:
    key = recorded.namespace, recorded.name
    return bound_to(key, recorded.table_id, recorded.delta_version, recorded.fingerprint)


def check_scheme(recorded: Snapshot, scheme: Scheme) -> None:
    """Raises SnapshotError for a checksum that is of another algorithm, or of another key."""
    if recorded.algorithm != scheme.algorithm:
        raise SnapshotError(f"the checksum is of {recorded.algorithm}, it cannot be held against {scheme.algorithm}")


def sums_kept(recorded: Snapshot, scheme: Scheme) -> Any:
    """The sums that a recorded checksum is of."""
    return scheme.parse(recorded.row_count or 0, str(recorded.checksum), _bound(recorded))


def held_against(recorded: Snapshot, whole: Any, scheme: Scheme) -> str:
    """The checksum of sums as it is to be held against the recorded one: the same text only where they are the same sums."""
    if whole == sums_kept(recorded, scheme):
        return str(recorded.checksum)
    return scheme.text(whole, _bound(recorded))


def kept(store: Store, dataset: str, version: int | None, algorithm: str | None = ALGORITHM) -> tuple[Snapshot, str]:
    """The checksum that is kept of a version, by default of the newest that has one, and where the dataset lies; `algorithm`
    None: of any.

    Raises SnapshotError where there is none, and as `place_of`.
    """
    key, location = place_of(store, dataset)
    found = of_version(snapshots(store, key=key, algorithm=algorithm), version)
    if found is None:
        which, option = ("any version", "") if version is None else (f"version {version}", f" --version {version}")
        raise SnapshotError(
            f"no checksum is kept of {which} of {dataset}; `spark-lineage snapshot take {dataset}{option}` takes it, "
            "`spark-lineage snapshot list` lists those that are kept"
        )
    return found, location


def of_version(recorded: Sequence[Snapshot], version: int | None) -> Snapshot | None:
    """The last snapshot of a version, or of the newest version that has one, of the table whose checksum was taken last: one that
    was dropped and created again counts from 0."""
    found = [one for one in recorded if version is None or one.delta_version == version]
    last = max(found, key=lambda one: one.computed_at, default=None)
    mine = (one for one in found if last is not None and one.table_id == last.table_id)
    return max(mine, key=lambda one: (one.delta_version or 0, one.computed_at), default=None)
