"""The versions of Delta tables that are recorded as read, as written, or with a checksum; and what has become of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from ..errors import NotFound
from ..lineage.naming import DatasetKey, exact_place
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..store.tables import Store, literal
from .availability import Availability, availability
from .delta import absolute, is_delta
from .delta_log import Progress


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
    copies = archives(store)
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
        copy = copies.get((wanted.table_id, wanted.version))
        told = {field.name: getattr(one, field.name) for field in fields(Availability) if field.name != "archive"}
        found.append(
            RecordedVersion(
                **told, archive=copy, namespace=wanted.key[0], name=wanted.key[1],
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


def archives(store: Store, table_id: str | None = None, version: int | None = None) -> dict[tuple[str | None, int], str]:
    """Where the copies are of versions, by table id and version: those that are still there."""
    conditions = [f"table_id = {literal(table_id)}"] if table_id is not None else []
    conditions += [f"delta_version = {version}"] if version is not None else []
    rows = store.arrow("archives", ["table_id", "delta_version", "location"], " and ".join(conditions) or None).to_pylist()
    return {(row["table_id"], row["delta_version"]): row["location"] for row in rows if is_delta(row["location"])}


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
