"""A version of a Delta table, copied into an archive: a Delta table of its own, which needs nothing of the first one any more.

It lies in ``<archive>/<table id>/<version>``: the data files and deletion vectors byte for byte, under the paths that the log
has for them, and a log of one commit. Versions of one table share files: on a local disk a file that the archive has of another
version is linked, not copied, so that each folder is whole by itself and any may be deleted or moved. The copy has a table id of
its own, as a clone has: else the sums of the first table's files would be taken for those of the copy, and prove nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa
import pyarrow.fs as pafs

from .. import __version__
from ..errors import SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import Archive, Snapshot
from ..store.tables import Store, literal
from .availability import availability
from .delta import absolute, is_delta, opened, resolved, sums_of_file, version_of
from .delta_log import Progress, State, read_log
from .sums import Sums
from .taking import take

_CHUNK = 1 << 20
_LEFT = 86_400.0
"""Seconds after which what a copy that was cut short left behind is removed by the next one."""
_OF_ITS_LOG = (
    "delta.inCommitTimestampEnablementVersion",
    "delta.inCommitTimestampEnablementTimestamp",
    "delta.requireCheckpointProtectionBeforeVersion",
)
"""Properties that name versions of the first table's log."""


@dataclass(frozen=True, kw_only=True)
class Archived:
    """A copy of a version, and what it took. `verified`: by its checksum, or by its bytes where only Spark can take that."""

    archive: Archive
    rows: int | None
    copied_files: int
    copied_bytes: int
    shared_files: int
    shared_bytes: int
    verified: Literal["checksum", "bytes"]
    already_there: bool = False


def archive(
    store: Store,
    location: str,
    version: int,
    folder: str,
    key: DatasetKey | None = None,
    progress: Progress | None = None,
) -> Archived:
    """Copies a version into an archive, holds the copy against its checksum, and records it. One that is there is left alone.

    The checksum of the version is taken and kept as well. Raises SnapshotError, after which nothing of the copy is left, and
    StoreError where it cannot be recorded: the copy is whole then, and the next call finds it.
    """
    place = absolute(location)
    key = key or exact_place(place).key
    known = availability(place, [version])[version]
    if known.readable is False:
        if copy_before := _made_before(store, key, version, absolute(folder)):
            return _nothing_to_do(copy_before)
        raise SnapshotError(f"version {version} of {location} cannot be copied: {known.reason}")
    log = read_log(place, [version])
    state, table_id = log.states[version], log.table_id_of(version)
    target = f"{absolute(folder)}/{quote(table_id, safe='')}/{version}"
    if f"{target}/".startswith(f"{place}/"):
        raise SnapshotError(f"{folder} lies in the table's own folder, whose VACUUM would take the copy: name another folder")
    if is_delta(target):
        return _there(store, target, table_id, version, key)
    files: dict[str, int] = {}
    for held in log.files_of(version):
        files.update(held.files())
    for path in files:
        _check_within(location, path)
    commit = _commit(place, state, version, table_id, [held.action for held in log.files_of(version)], known.committed_at)
    taken = _taken(store, location, version, key)
    copy = _Copy(place, target, files, progress)
    try:
        copy.fill(commit)
        verified = copy.verify(taken)
        there = copy.finish()
    except (OSError, pa.ArrowException) as error:
        copy.discard()
        raise SnapshotError(
            f"version {version} of {location} could not be copied to {target}: {error}. Nothing of the copy is left"
        ) from error
    except BaseException:
        copy.discard()
        raise
    if there:
        return _there(store, target, table_id, version, key)
    made = Archive(
        namespace=key[0],
        name=key[1],
        table_id=table_id,
        delta_version=version,
        location=target,
        files=known.files,
        bytes=known.bytes,
        checksum=None if taken is None else taken.checksum,
        created_at=datetime.now(UTC),
    )
    store.append("archives", [made], None)
    return Archived(
        archive=made,
        rows=None if taken is None else taken.row_count,
        copied_files=copy.copied_files,
        copied_bytes=copy.copied_bytes,
        shared_files=copy.shared_files,
        shared_bytes=copy.shared_bytes,
        verified=verified,
    )


def _there(store: Store, target: str, table_id: str, version: int, key: DatasetKey) -> Archived:
    """The copy that is there: recorded now, where whoever made it came no further."""
    condition = f"table_id = {literal(table_id)} and delta_version = {version} and location = {literal(target)}"
    rows = store.arrow("archives", filter=condition).to_pylist()
    if rows:
        made = Archive(**rows[0])
    else:
        files = read_log(target, [0]).files_of(0)
        try:
            checksum = _sums(target).checksum
        except SnapshotError:
            checksum = None
        made = Archive(
            namespace=key[0], name=key[1], table_id=table_id, delta_version=version, location=target,
            files=len(files), bytes=sum(held.bytes for held in files), checksum=checksum, created_at=datetime.now(UTC),
        )  # fmt: skip
        store.append("archives", [made], None)
    return _nothing_to_do(made)


def _made_before(store: Store, key: DatasetKey, version: int, folder: str) -> Archive | None:
    """The copy in this archive of a version that is gone, if there is one and no more."""
    condition = f"namespace = {literal(key[0])} and name = {literal(key[1])} and delta_version = {version}"
    rows = [Archive(**row) for row in store.arrow("archives", filter=condition).to_pylist()]
    found = [made for made in rows if made.location.startswith(f"{folder}/") and is_delta(made.location)]
    return found[0] if len(found) == 1 else None


def _nothing_to_do(made: Archive) -> Archived:
    return Archived(
        archive=made, rows=None, copied_files=0, copied_bytes=0, shared_files=0, shared_bytes=0,
        verified="checksum" if made.checksum else "bytes", already_there=True,
    )  # fmt: skip


def _sums(location: str) -> Sums:
    table = version_of(location)
    return sum((sums_of_file(table, file) for file in table.files), Sums(0, 0, 0))


def _taken(store: Store, location: str, version: int, key: DatasetKey) -> Snapshot | None:
    """The version's checksum; None where only Spark can take it. A file that is gone comes up when it is copied."""
    try:
        return take(store, location, version, key=key)
    except SnapshotError:
        return None


def _check_within(location: str, path: str) -> None:
    """Files of a shallow clone are another table's."""
    plain = unquote(path)
    if "://" in path or path.startswith(("/", "file:")):
        raise SnapshotError(
            f"{location} has files of another table, as a shallow clone has ({path}): copy a version of that table, or make a deep "
            "copy of this one in Spark"
        )
    if ".." in plain.split("/"):
        raise SnapshotError(f"the log of {location} names a file outside of its folder: {path}")


def _commit(
    place: str, state: State, version: int, table_id: str, adds: list[dict[str, Any]], committed_at: datetime | None
) -> bytes:
    """The one commit of the copy's log: schema, properties, features and files as the version has them."""
    configuration = {
        name: value for name, value in (state.metadata.get("configuration") or {}).items() if name not in _OF_ITS_LOG
    }
    told: dict[str, Any] = {}
    if str(configuration.get("delta.enableInCommitTimestamps")).lower() == "true":
        told["inCommitTimestamp"] = _milliseconds(committed_at or datetime.now(UTC))
    told |= {
        "timestamp": _milliseconds(datetime.now(UTC)),
        "operation": "CLONE",
        "operationParameters": {
            "source": place,
            "sourceVersion": str(version),
            "sourceTableId": table_id,
            "isShallow": "false",
        },
        "engineInfo": f"spark-lineage/{__version__}",
    }
    metadata = state.metadata | {"id": str(uuid5(NAMESPACE_URL, f"{table_id}/{version}")), "configuration": configuration}
    actions: list[dict[str, Any]] = [{"commitInfo": told}, {"protocol": state.protocol}, {"metaData": metadata}]
    actions += [{"domainMetadata": domain} for domain in state.domains.values()]
    actions += [{"add": add | {"dataChange": True}} for add in adds]
    return b"".join(json.dumps(action, separators=(",", ":")).encode() + b"\n" for action in actions)


class _Copy:
    """A copy while it is made. On a local disk it has a name of its own until it is whole; elsewhere its log comes last."""

    def __init__(self, place: str, target: str, files: dict[str, int], progress: Progress | None) -> None:
        self._place = place
        self._target = target
        self._files = files
        self._progress = progress
        self._local = Path(target) if target.startswith("/") else None
        self._where = target
        if self._local is not None:
            self._where = str(self._local.parent / f".{self._local.name}.{secrets.token_hex(4)}.tmp")
        self._system, self._root = opened(self._where)
        self._digests: dict[str, bytes] = {}
        self._versions = sorted(self._local.parent.glob("[0-9]*")) if self._local is not None else []
        self.copied_files = self.copied_bytes = self.shared_files = self.shared_bytes = 0

    def fill(self, commit: bytes) -> None:
        if self._local is not None:
            self._make_room(self._local)
        done, total = 0, sum(self._files.values())
        for path, size in sorted(self._files.items()):
            self._one(path, size)
            done += size
            if self._progress is not None:
                self._progress(done, total)
        self._system.create_dir(f"{self._root}/_delta_log")
        with self._system.open_output_stream(f"{self._root}/_delta_log/{0:020d}.json") as out:
            out.write(commit)

    def verify(self, taken: Snapshot | None) -> Literal["checksum", "bytes"]:
        """Reads all of the copy. Raises SnapshotError where it is not what was recorded."""
        if taken is None:
            for path in self._files:
                digest = self._digests.get(path) or self._digest(*opened(resolved(self._place, path)))
                if self._digest(self._system, f"{self._root}/{unquote(path)}") != digest:
                    raise SnapshotError(f"{path} was not copied as it is: nothing of the copy is left; try again")
            return "bytes"
        sums = _sums(self._where)
        if (sums.rows, sums.checksum) != (taken.row_count, taken.checksum):
            raise SnapshotError(
                f"the copy of version {taken.delta_version} has {sums.rows} rows and checksum {sums.checksum}, recorded are "
                f"{taken.row_count} and {taken.checksum}: a file was changed since; `spark-lineage snapshot verify` names it. "
                "Nothing of the copy is left"
            )
        return "checksum"

    def finish(self) -> bool:
        """Gives the copy its name. True where another one has it already."""
        if self._local is None:
            return False
        for folder, _, names in os.walk(self._where):
            for name in names:
                _flush(Path(folder, name))
            _flush(Path(folder))
        try:
            Path(self._where).rename(self._local)
        except OSError:
            if not is_delta(self._target):
                raise
            self.discard()
            return True
        _flush(self._local.parent)
        return False

    def discard(self) -> None:
        if self._local is not None:
            shutil.rmtree(self._where, ignore_errors=True)
        elif not is_delta(self._target):  # that of another process, which was quicker, stays
            with contextlib.suppress(OSError):
                self._system.delete_dir(self._root)

    def _make_room(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f".{target.name}.*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT:
                    shutil.rmtree(left, ignore_errors=True)
        needed = sum(size for path, size in self._files.items() if self._sibling(path, size) is None)
        free = shutil.disk_usage(target.parent).free
        if needed > free:
            raise SnapshotError(
                f"the copy takes {needed:,} bytes, and {target.parent} has room for {free:,}: name another folder"
            )
        made = Path(self._where)
        made.mkdir()
        if self._place.startswith("/"):
            shutil.copymode(self._place, made)

    def _one(self, path: str, size: int) -> None:
        to = f"{self._root}/{unquote(path)}"
        self._system.create_dir(to.rsplit("/", 1)[0])
        sibling = self._sibling(path, size)
        if sibling is not None:
            with contextlib.suppress(OSError):  # too many links, say
                os.link(sibling, to)
                self.shared_files += 1
                self.shared_bytes += sibling.stat().st_size
                return
        system, source = opened(resolved(self._place, path))
        digest = hashlib.sha256()
        with system.open_input_stream(source) as read, self._system.open_output_stream(to) as out:
            while chunk := read.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
                self.copied_bytes += len(chunk)
        self._digests[path] = digest.digest()
        self.copied_files += 1
        if self._local is not None and isinstance(system, pafs.LocalFileSystem):
            shutil.copymode(source, to)

    def _sibling(self, path: str, size: int) -> Path | None:
        """The same file in another version's copy: a table never has two files of one name. Vectors have no size in the log."""
        for version in self._versions:
            there = version / unquote(path)
            with contextlib.suppress(OSError):
                if there.stat().st_size == size or there.suffix == ".bin":
                    return there
        return None

    @staticmethod
    def _digest(system: Any, path: str) -> bytes:
        digest = hashlib.sha256()
        with system.open_input_stream(path) as read:
            while chunk := read.read(_CHUNK):
                digest.update(chunk)
        return digest.digest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
