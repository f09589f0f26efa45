"""The versions of Delta tables that are recorded as read, as written, or with a checksum; and what has become of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from ..errors import NotFound, SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import Archive
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..store.tables import Store, literal
from .availability import Availability, availability
from .delta import absolute, is_delta, version_of
from .delta_log import DeltaLog, Progress, read_log
from .kinds import ALGORITHM


@dataclass(frozen=True, kw_only=True)
class RecordedVersion(Availability):
    """A version that is recorded: how many executions read and wrote it, and how many checksums of it are kept."""

    namespace: str
    name: str
    read_by: int = 0
    written_by: int = 0
    checksums: int = 0


@dataclass(frozen=True)
class Wanted:
    """A recorded version, before anything is known of it."""

    key: DatasetKey
    table_id: str | None
    version: int


def recorded(
    store: Store,
    key: DatasetKey | None = None,
    *,
    deep: bool = False,
    now: datetime | None = None,
    progress: Callable[[str], Progress] | None = None,
) -> tuple[RecordedVersion, ...]:
    """What is known of each recorded version, of a dataset or of all, by name and then as they were made.

    `progress` gives, for a table's location, what is told how far its reading is.
    """
    counts = _recorded_versions(store, key)
    places = _places(store, {wanted.key for wanted in counts})
    copies: dict[tuple[str | None, int], list[Archive]] = {}
    for copy in archives(store):
        copies.setdefault((copy.table_id, copy.delta_version), []).append(copy)
    kept = kept_contents(store) if copies else {}
    tables: dict[tuple[str | None, str | None], set[int]] = {}
    for wanted in counts:
        place = places.get((wanted.key, wanted.table_id)) or places.get((wanted.key, None))
        tables.setdefault((place, wanted.table_id), set()).add(wanted.version)
    known = {
        (place, table_id): availability(
            place, versions, table_id, deep=deep, now=now, progress=None if progress is None else progress(place)
        )
        for (place, table_id), versions in tables.items()
        if place is not None
    }
    found = []
    for wanted, (read, written, checksums) in counts.items():
        place = places.get((wanted.key, wanted.table_id)) or places.get((wanted.key, None))
        one = (
            known[place, wanted.table_id][wanted.version]
            if place is not None
            else Availability(
                location=wanted.key[1],
                table_id=wanted.table_id,
                version=wanted.version,
                readable=None,
                reason="it is recorded without a place where it lies",
            )
        )
        made = copy_of(copies.get((wanted.table_id, wanted.version), ()), wanted, place, kept.get(wanted, frozenset()))
        told = {field.name: getattr(one, field.name) for field in fields(Availability) if field.name != "archive"}
        found.append(
            RecordedVersion(
                **told, archive=None if made is None else made.location, namespace=wanted.key[0], name=wanted.key[1],
                read_by=read, written_by=written, checksums=checksums,
            )
        )  # fmt: skip
    return tuple(
        sorted(
            found, key=lambda one: (one.name, one.namespace, one.committed_at or datetime.min.replace(tzinfo=UTC), one.version)
        )
    )


def key_of(store: Store, dataset: str) -> DatasetKey:
    """The dataset of that name, also one of which only checksums are kept and that is gone. Raises NotFound, Ambiguous."""
    try:
        return recorded_names(DeltaTables(store.location)).dataset(dataset)
    except NotFound:
        key = exact_place(absolute(dataset)).key
        condition = f"namespace = {literal(key[0])} and name = {literal(key[1])}"
        if store.arrow("snapshots", ["name"], condition).num_rows or is_delta(dataset):
            return key
        raise


def locations(store: Store) -> dict[DatasetKey, str | None]:
    """Where each recorded dataset lies, by its key: a name alone may be that of several."""
    return {key: known.location for key, known in recorded_names(DeltaTables(store.location)).known.items()}


def archives(store: Store, condition: str | None = None) -> tuple[Archive, ...]:
    """The copies of versions that are still there, the oldest first. `copy_of` tells whether one is of a dataset's version."""
    rows = (Archive(**row) for row in store.arrow("archives", filter=condition).to_pylist())
    return tuple(sorted((one for one in rows if is_delta(one.location)), key=lambda one: one.created_at))


Content = tuple[str | None, str | None]
"""A checksum, and the fingerprint of the set of files that it was taken of."""


def kept_contents(store: Store, wanted: Wanted | None = None) -> dict[Wanted, frozenset[Content]]:
    """What `snapshots` has of each version of a Delta table, or of one."""
    condition = f"algorithm = {literal(ALGORITHM)} and checksum is not null and delta_version is not null"
    if wanted is not None:
        condition += f" and namespace = {literal(wanted.key[0])} and name = {literal(wanted.key[1])} and delta_version = {wanted.version}"
    columns = ["namespace", "name", "table_id", "delta_version", "checksum", "fingerprint"]
    found: dict[Wanted, frozenset[Content]] = {}
    for row in store.arrow("snapshots", columns, condition).to_pylist():
        one = Wanted((row["namespace"], row["name"]), row["table_id"], row["delta_version"])
        found[one] = found.get(one, frozenset()) | {(row["checksum"], row["fingerprint"])}
    return found


def copy_of(copies: Iterable[Archive], wanted: Wanted, place: str | None, kept: Collection[Content]) -> Archive | None:
    """Of copies of versions with that table id and number, the newest that is of this dataset's.

    A folder that was copied has the same table id and goes its own way; a table that was moved has another name and the same
    content. So the content decides: the checksums that are kept of the version, else its files, if its log tells them still.
    """
    found = [one for one in copies if _is_of(one, wanted, place, kept)]
    return max(found, key=lambda one: ((one.namespace, one.name) == wanted.key, one.created_at), default=None)


def _is_of(copy: Archive, wanted: Wanted, place: str | None, kept: Collection[Content]) -> bool:
    own = (copy.namespace, copy.name) == wanted.key
    if kept and copy.checksum is not None:
        fingerprints = {fingerprint for checksum, fingerprint in kept if checksum == copy.checksum}
        return bool(fingerprints) and (own or None in fingerprints or _fingerprint(copy.location) in fingerprints)
    there = None if place is None else _files_at(place, wanted.table_id, wanted.version)
    return own if there is None else there == _files_at(copy.location, None, 0)


def _fingerprint(location: str) -> str | None:
    try:
        return version_of(location, 0).fingerprint
    except SnapshotError:
        return None


def _files_at(place: str, table_id: str | None, version: int) -> frozenset[NamedFile] | None:
    """None where no log of that table tells."""
    try:
        log = read_log(place, [version])
    except SnapshotError:
        return None
    if version not in log.states or table_id not in (None, log.table_id_of(version)):
        return None
    return named_files(log, version)


NamedFile = tuple[str, int, str | None]


def named_files(log: DeltaLog, version: int) -> frozenset[NamedFile]:
    """The files of a version as the log names them: paths, sizes and deletion vectors."""
    return frozenset((held.path, held.bytes, _vector(held.action.get("deletionVector"))) for held in log.files_of(version))


def _vector(vector: dict[str, Any] | None) -> str | None:
    return None if vector is None else f"{vector['storageType']}{vector['pathOrInlineDv']}@{vector.get('offset')}"


def _recorded_versions(store: Store, key: DatasetKey | None) -> dict[Wanted, list[int]]:
    """Of each recorded version of a Delta table: by how many executions it was read and written, how many checksums there are."""
    condition = "delta_version is not null"
    if key is not None:
        condition += f" and namespace = {literal(key[0])} and name = {literal(key[1])}"
    counts: dict[Wanted, list[int]] = {}
    for position, (table, column) in enumerate(
        (("inputs", "execution_id"), ("outputs", "execution_id"), ("snapshots", "computed_at"))
    ):
        taken = " and checksum is not null" if table == "snapshots" else ""
        rows = store.arrow(table, ["namespace", "name", "table_id", "delta_version", column], condition + taken).to_pylist()
        seen = {(Wanted((r["namespace"], r["name"]), r["table_id"], r["delta_version"]), r[column]) for r in rows}
        for wanted, _ in seen:
            counts.setdefault(wanted, [0, 0, 0])[position] += 1
    return counts


def _places(store: Store, keys: set[DatasetKey]) -> dict[tuple[DatasetKey, str | None], str]:
    """Where each dataset lies, by its incarnation; by None the place of any. One that only has checksums lies where its name says."""
    found: dict[tuple[DatasetKey, str | None], str] = {}
    for row in store.arrow("datasets", ["namespace", "name", "table_id", "location"]).to_pylist():
        if row["location"] is not None:
            key = row["namespace"], row["name"]
            found[key, row["table_id"]] = row["location"]
            found.setdefault((key, None), row["location"])
    for key in keys:
        namespace, name = key
        if (key, None) not in found and (namespace == "file" or "://" in namespace):
            found[key, None] = name if namespace == "file" else f"{namespace}/{name}"
    return found
