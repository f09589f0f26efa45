"""Checksums of what has no versions: folders and files of Parquet and ORC, each under the fingerprint of its listing.

The fingerprint (paths, sizes and times of change; `store/listing.py`) stands where a version would: as long as it is the same, so is
the content. Only on a local disk is there one. Other formats need Spark (`with_spark.take_frame`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..config import local_path
from ..errors import SnapshotError, first_line
from ..lineage.naming import DatasetKey, exact_place
from ..model import Snapshot
from ..store.listing import ListedFile, among, fingerprint_of, listed, listing_of
from ..store.tables import Store
from .arrow import PLAIN
from .delta import absolute, is_delta, version_of
from .files import FilesSide
from .kinds import schema_hash
from .sums import Progress, Scheme
from .taking import Verified, bound_to, check_scheme, held_against, snapshots, take, verify

CHANGED = "its files are not those any more that were recorded: they have changed since, or are chosen by options of the reader"


def take_any(
    store: Store,
    location: str,
    version: int | None = None,
    at: datetime | None = None,
    key: DatasetKey | None = None,
    progress: Progress | None = None,
    *,
    scheme: Scheme = PLAIN,
) -> Snapshot:
    """Of a version of a Delta table (`taking.take`), or of the files that are there now."""
    if is_delta(location):
        return take(store, location, version, at, key, progress, scheme=scheme)
    _refuse_versions(location, version, at)
    return take_files(store, location, key, progress=progress, scheme=scheme)


def check_any(location: str, version: int | None, at: datetime | None) -> None:
    """Raises SnapshotError where there is nothing to take the checksum of."""
    if is_delta(location):
        version_of(location, version, at)
    else:
        _refuse_versions(location, version, at)
        FilesSide(location)


def _refuse_versions(location: str, version: int | None, at: datetime | None) -> None:
    if version is not None or at is not None:
        raise SnapshotError(f"{location} is no Delta table, or none any more, and only these have versions")


def verify_any(
    store: Store, recorded: Snapshot, location: str, progress: Progress | None = None, scheme: Scheme = PLAIN
) -> Verified:
    """As `taking.verify`, also of files without versions: those that are there now."""
    if recorded.table_id is not None:
        return verify(store, recorded, location, progress, scheme)
    check_scheme(recorded, scheme)
    try:
        files = _Files(location)
        whole = files.summed(scheme, progress)
    except SnapshotError as error:
        return Verified(recorded, None, None, reason=str(error))
    held = Verified(recorded, whole.rows, held_against(recorded, whole, scheme))
    rewritten = files.fingerprint is not None and files.fingerprint != recorded.fingerprint
    return held if held.holds or not rewritten else replace(held, reason=_REWRITTEN)


_REWRITTEN = "its files are others than those that the checksum is of"


def take_files(
    store: Store,
    location: str,
    key: DatasetKey | None = None,
    fingerprint: str | None = None,
    progress: Progress | None = None,
    *,
    execution_id: str | None = None,
    max_bytes: int | None = None,
    scheme: Scheme = PLAIN,
) -> Snapshot:
    """The checksum of the files below a folder, or of one file, as it is recorded then.

    `fingerprint` is that of the listing that is meant (`inputs`, `outputs`): other files are not taken for it. Files of a listing
    whose checksum is kept are not read again. Raises SnapshotError, and StoreError where it cannot be kept.
    """
    key = key or exact_place(absolute(location)).key
    recorded = {one.fingerprint: one for one in snapshots(store, key=key, algorithm=scheme.algorithm)}
    if fingerprint in recorded and fingerprint is not None:  # also where they are gone by now
        return recorded[fingerprint]
    files = _Files(location, fingerprint)
    if files.fingerprint in recorded and files.fingerprint is not None:
        return recorded[files.fingerprint]
    if max_bytes is not None and files.side.bytes > max_bytes:
        raise SnapshotError(f"{files.side.bytes} bytes would have to be read, more than snapshots.max.bytes ({max_bytes})")
    whole = files.summed(scheme, progress)
    snapshot = Snapshot(
        namespace=key[0], name=key[1], table_id=None, delta_version=None, fingerprint=files.fingerprint, algorithm=scheme.algorithm,
        schema_hash=schema_hash(files.side.columns), schema=json.dumps(files.side.schema, separators=(",", ":")),
        row_count=whole.rows, checksum=scheme.text(whole, bound_to(key, None, None, files.fingerprint)), files=len(files.side.paths), bytes=files.side.bytes,
        files_read=len(files.side.paths), method="scan", execution_id=execution_id, computed_at=datetime.now(UTC),
    )  # fmt: skip
    store.append("snapshots", [snapshot], None)
    return snapshot


def kept_of_files(recorded: Sequence[Snapshot], location: str) -> Snapshot | None:
    """The one of these checksums that is of the files that are there now."""
    fingerprints: dict[str | None, Snapshot] = {
        one.fingerprint: one for one in recorded if one.fingerprint is not None and one.table_id is None
    }
    try:
        return fingerprints.get(_Files(location).fingerprint) if fingerprints else None
    except SnapshotError:
        return None


def recorded_files(location: str, fingerprint: str, until: int | None = None, earlier: bool = False) -> tuple[ListedFile, ...]:
    """The files that a fingerprint stands for; `until`, `earlier`: of a folder to which others have been added since, as `listing_of` has them.

    Raises SnapshotError where they are not there any more, or cannot be listed.
    """
    root = local_path(location)
    if root is None:
        raise SnapshotError("only on a local disk can files be held against the listing that was recorded")
    with _told_as(location, "cannot be listed"):
        found = listing_of(str(root), fingerprint, until, earlier)
    if found is None:
        raise SnapshotError(CHANGED)
    return found


def check_files(places: Sequence[str], fingerprint: str) -> None:
    """Raises SnapshotError where some files, as a micro-batch read them, are not those any more that a fingerprint stands for."""
    paths = [local_path(place) for place in places]
    local = [path for path in paths if path is not None]
    if len(local) < len(paths):
        raise SnapshotError("only on a local disk can files be held against the listing that was recorded")
    for real in (False, True):  # capture follows links
        with _told_as(places[0], "cannot be listed"):
            files = [file for path in local for file in listed(path.resolve() if real else path, False) if file.size]
        if fingerprint_of(files).partition(":")[2] == fingerprint.partition(":")[2]:
            return
    raise SnapshotError(CHANGED)


def recorded_part(
    places: Sequence[str], fingerprint: str, until: int | None = None, earlier: bool = False
) -> tuple[ListedFile, ...]:
    """As `recorded_files`, of some folders of a dataset's partitions, or files, that were read together."""
    paths = [local_path(place) for place in places]
    local = [path for path in paths if path is not None]
    if len(local) < len(paths):
        raise SnapshotError("only on a local disk can files be held against the listing that was recorded")
    with _told_as(places[0], "cannot be listed"):
        files = [file for path in local for file in listed(path, False) if file.size]
        found = among(files, fingerprint, until, earlier)
    if found is None:
        raise SnapshotError(CHANGED)
    return found


def has_part(location: str, fingerprint: str, until: int) -> bool:
    """Whether a fingerprint is that of one of the folders below a local one, by the files that are no newer."""
    root = local_path(location)
    below: dict[Path, list[ListedFile]] = {}
    try:
        for file in () if root is None else listed(root, False):
            for folder in Path(file.path).parents:
                if folder == root:
                    break
                below.setdefault(folder, []).append(file)
    except (OSError, ValueError):
        return False
    return any(among(files, fingerprint, until) is not None for files in below.values())


class _Files:
    """Files as they are now, with the fingerprint that capture would give them; None where it cannot be told."""

    def __init__(self, location: str, fingerprint: str | None = None) -> None:
        self.place = absolute(location)
        wanted = None if fingerprint is None else recorded_files(self.place, fingerprint)
        self.side = FilesSide(self.place)
        self.fingerprint = self._fingerprint() if wanted is None else fingerprint
        if wanted is not None and {file.path for file in wanted} != set(self.side.paths):
            raise SnapshotError(f"{self.place} has folders within that were not among what was recorded")
        if wanted is not None and set(wanted) != self.side.listing:
            raise SnapshotError(CHANGED)

    def _fingerprint(self) -> str | None:
        root = local_path(self.place)
        if root is None:
            return None
        with _told_as(self.place, "cannot be listed"):
            for everything in (False, True):
                files = listed(Path(root), everything)
                if set(files) == self.side.listing:
                    return fingerprint_of(files)
        return None

    def summed(self, scheme: Scheme, progress: Progress | None) -> Any:
        done = 0

        def told(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress(done, self.side.bytes)

        with _told_as(self.place, "has values that Spark cannot hold"):
            return scheme.of(self.side.batches(self.side.columns, told), self.side.columns)


@contextmanager
def _told_as(place: str, what: str) -> Iterator[None]:
    """What Python and Arrow cannot do with a place, as a SnapshotError: names that are no text, times of nanoseconds, years beyond theirs."""
    try:
        yield
    except (pa.ArrowException, OSError, OverflowError, ValueError) as error:
        raise SnapshotError(f"{place} {what}: {first_line(error)}") from error
