"""A version of a Delta table, copied into an archive: a Delta table of its own, which needs nothing of the first one any more.

It lies in ``<archive>/<table id>/<version>``: the data files and deletion vectors byte for byte, under the paths that the log
has for them, and a log of one commit. Versions of one table share files: on a local disk a file that the archive has of another
version is linked, not copied, so that each folder is whole by itself and any may be deleted or moved. The copy has a table id of
its own, as a clone has: else the sums of the first table's files would be taken for those of the copy, and prove nothing. What is there already is the copy only if it has
the version's files and checksum: a folder that was copied keeps its table id, and then goes its own way.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa
import pyarrow.fs as pafs

from .. import __version__
from ..errors import SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import Archive, Snapshot
from ..store.tables import Store, literal
from .availability import Availability, availability
from .delta import DeltaVersion, absolute, identity_of, is_delta, opened, resolved, sums_of_file, version_of
from .delta_log import DeltaLog, Progress, State, read_log
from .recorded_versions import Wanted, archives, copy_of, kept_contents, named_files
from .sums import Sums
from .taking import take

_CHUNK = 1 << 20
_LEFT = 86_400.0
"""Seconds after which what a copy that was cut short left behind is removed by the next one."""
_PLAIN_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]*")
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
        if copy_before := _made_before(store, key, place, known, absolute(folder)):
            return _nothing_to_do(copy_before)
        raise SnapshotError(f"version {version} of {location} cannot be copied: {known.reason}")
    log = read_log(place, [version])
    state, table_id = log.states[version], log.table_id_of(version)
    target = f"{absolute(folder)}/{_folder_of(location, table_id)}/{version}"
    if f"{target}/".startswith(f"{place}/"):
        raise SnapshotError(f"{folder} lies in the table's own folder, whose VACUUM would take the copy: name another folder")
    files: dict[str, int] = {}
    for held in log.files_of(version):
        files.update(held.files())
    for path in files:
        _check_within(location, path)
    wanted = Wanted(key, table_id, version)
    if is_delta(target):
        return _there(store, target, wanted, log, files)
    commit = _commit(place, state, version, table_id, [held.action for held in log.files_of(version)], known.committed_at)
    taken = _taken(store, location, version, key)
    copy = _Copy(place, target, files, progress)
    try:
        copy.fill()
        verified = copy.verify(taken)
        there = copy.finish(commit)
    except (OSError, pa.ArrowException) as error:
        copy.discard()
        raise SnapshotError(
            f"version {version} of {location} could not be copied to {target}: {error}. Nothing of the copy is left"
        ) from error
    except BaseException:
        copy.discard()
        raise
    if there:
        return _there(store, target, wanted, log, files)
    made = _recorded(store, wanted, target, log, None if taken is None else taken.checksum)
    return Archived(
        archive=made,
        rows=None if taken is None else taken.row_count,
        copied_files=copy.copied_files,
        copied_bytes=copy.copied_bytes,
        shared_files=copy.shared_files,
        shared_bytes=copy.shared_bytes,
        verified=verified,
    )


def _folder_of(location: str, table_id: str) -> str:
    """The id of a table as the name of a folder. Delta's are UUIDs; whoever writes a log can write anything into it."""
    if not _PLAIN_NAME.fullmatch(table_id):
        raise SnapshotError(
            f"the log of {location} has {table_id!r} for the table's id, which is no UUID and no name for a folder of the archive: write "
            "the table anew (a deep copy has an id of its own), and archive that"
        )
    return table_id


def _recorded(store: Store, wanted: Wanted, target: str, log: DeltaLog, checksum: str | None) -> Archive:
    files = log.files_of(wanted.version)
    made = Archive(
        namespace=wanted.key[0], name=wanted.key[1], table_id=str(wanted.table_id), delta_version=wanted.version, location=target,
        files=len(files), bytes=sum(held.bytes for held in files), checksum=checksum, created_at=datetime.now(UTC),
    )  # fmt: skip
    store.append("archives", [made], None)
    return made


def _there(store: Store, target: str, wanted: Wanted, log: DeltaLog, files: dict[str, int]) -> Archived:
    """The copy that is there, if it is of this version: recorded now, where whoever made it came no further.

    It is read where no record says that it has the version's checksum. Raises SnapshotError for one of another content.
    """
    if named_files(read_log(target, [0]), 0) != named_files(log, wanted.version):
        raise SnapshotError(
            f"{target} is a copy of other files than those of version {wanted.version} of {log.location}: of another table with the same "
            "id, as a folder has that was copied or restored. Name another folder for the copies of this one"
        )
    taken = _taken(store, log.location, wanted.version, wanted.key)
    condition = (
        f"location = {literal(target)} and table_id = {literal(str(wanted.table_id))} and delta_version = {wanted.version}"
    )
    rows = [Archive(**row) for row in store.arrow("archives", filter=condition).to_pylist()]
    good = [one for one in rows if taken is None or one.checksum == taken.checksum]
    own = next((one for one in good if (one.namespace, one.name) == wanted.key), None)
    if own is not None:
        return _nothing_to_do(own)
    if not good:
        _hold(target, wanted.version, log.location, files, taken)
    checksum = taken.checksum if taken is not None else good[0].checksum if good else None
    return _nothing_to_do(_recorded(store, wanted, target, log, checksum))


def _hold(target: str, version: int, place: str, files: Iterable[str], taken: Snapshot | None) -> None:
    """Raises SnapshotError where the copy that is there is not what the version is."""
    try:
        if taken is None:
            wrong = next((f"{path} is another file" for path in files if _differ(target, place, path)), None)
        else:
            wrong = _unlike(_sums(version_of(target, 0)), taken)
    except (SnapshotError, pa.ArrowException, OSError) as error:
        wrong = str(error)
    if wrong is not None:
        raise SnapshotError(
            f"the copy that is at {target} cannot be relied on for version {version} of {place}: {wrong}. Delete it and call again, or "
            "name another folder"
        )


def _made_before(store: Store, key: DatasetKey, place: str, known: Availability, folder: str) -> Archive | None:
    """The copy in this archive of a version that is gone, if there is one: of the table that is there, else of the only one that
    was."""
    identity = None if known.table_id is not None else identity_of(place)
    table_id = known.table_id if identity is None else identity[0]
    condition = f"delta_version = {known.version}" + (f" and table_id = {literal(table_id)}" if table_id is not None else "")
    copies = [one for one in archives(store, condition) if one.location.startswith(f"{folder}/")]
    if table_id is None:
        copies = [one for one in copies if (one.namespace, one.name) == key]
    if len({one.table_id for one in copies}) != 1:
        return None
    wanted = Wanted(key, copies[0].table_id, known.version)
    return copy_of(copies, wanted, place, kept_contents(store, wanted).get(wanted, frozenset()))


def _nothing_to_do(made: Archive) -> Archived:
    return Archived(
        archive=made, rows=None, copied_files=0, copied_bytes=0, shared_files=0, shared_bytes=0,
        verified="checksum" if made.checksum else "bytes", already_there=True,
    )  # fmt: skip


def _sums(table: DeltaVersion) -> Sums:
    return sum((sums_of_file(table, file) for file in table.files), Sums(0, 0, 0))


def _unlike(sums: Sums, taken: Snapshot) -> str | None:
    """In what the sums of a copy are not the recorded ones."""
    if (sums.rows, sums.checksum) == (taken.row_count, taken.checksum):
        return None
    return f"it has {sums.rows} rows and checksum {sums.checksum}, recorded are {taken.row_count} and {taken.checksum}"


def _differ(target: str, place: str, path: str) -> bool:
    """Whether a file of the copy and that of the table do, byte by byte."""
    return _digest(*opened(f"{target}/{unquote(path)}")) != _digest(*opened(resolved(place, path)))


def _digest(system: Any, path: str) -> bytes:
    digest = hashlib.sha256()
    with system.open_input_stream(path) as read:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


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
    paths = "\n".join(sorted(add["path"] for add in adds))  # tables that have the same id have other files
    metadata = state.metadata | {
        "id": str(uuid5(NAMESPACE_URL, f"{table_id}/{version}\n{paths}")),
        "configuration": configuration,
    }
    actions: list[dict[str, Any]] = [{"commitInfo": told}, {"protocol": state.protocol}, {"metaData": metadata}]
    actions += [{"domainMetadata": domain} for domain in state.domains.values()]
    actions += [{"add": add | {"dataChange": True}} for add in adds]
    return b"".join(json.dumps(action, separators=(",", ":")).encode() + b"\n" for action in actions)


class _Copy:
    """A copy while it is made. Its log comes last, once all else was read back: without it there is no copy. On a local disk it has
    a name of its own until then as well."""

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
        self._table: DeltaVersion | None = None
        self._logged = False
        self._versions = sorted(self._local.parent.glob("[0-9]*")) if self._local is not None else []
        self.copied_files = self.copied_bytes = self.shared_files = self.shared_bytes = 0

    def fill(self) -> None:
        if self._local is not None:
            self._make_room(self._local)
        done, total = 0, sum(self._files.values())
        for path, size in sorted(self._files.items()):
            self._one(path, size)
            done += size
            if self._progress is not None:
                self._progress(done, total)

    def verify(self, taken: Snapshot | None) -> Literal["checksum", "bytes"]:
        """Reads all files of the copy. Raises SnapshotError where they are not what was recorded."""
        if taken is None:
            for path in self._files:
                digest = self._digests.get(path) or _digest(*opened(resolved(self._place, path)))
                if _digest(self._system, f"{self._root}/{unquote(path)}") != digest:
                    raise SnapshotError(f"{path} was not copied as it is: nothing of the copy is left; try again")
            return "bytes"
        self._table = version_of(self._place, taken.delta_version)
        if wrong := _unlike(_sums(replace(self._table, location=self._where)), taken):
            raise SnapshotError(
                f"the copy of version {taken.delta_version} is not what it should be: {wrong}: a file was changed since; `spark-lineage "
                "snapshot verify` names it. Nothing of the copy is left"
            )
        return "checksum"

    def finish(self, commit: bytes) -> bool:
        """Writes the log, and gives the copy its name. True where another one has it already."""
        if is_delta(self._target):
            self.discard()
            return True
        self._logged = True
        self._system.create_dir(f"{self._root}/_delta_log")
        with self._system.open_output_stream(f"{self._root}/_delta_log/{0:020d}.json") as out:
            out.write(commit)
        if self._table is not None and _told(version_of(self._where)) != _told(self._table):
            raise SnapshotError(
                f"the log of the copy at {self._target} does not tell what that of the table does: nothing is left"
            )
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
            return
        if self._logged:
            with contextlib.suppress(OSError):
                self._system.delete_file(f"{self._root}/_delta_log/{0:020d}.json")
        if not is_delta(self._target):  # that of another process, which was quicker, stays
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


def _told(table: DeltaVersion) -> tuple[Any, ...]:
    """What the logs of a version and of its copy have in common. The rows that vectors leave out are among it."""
    return table.schema, [(file.path, file.size, repr(file.partition), file.deletion_vector) for file in table.files]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
