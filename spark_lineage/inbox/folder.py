"""The inbox as a place: which documents are complete, and the few file operations that everything else here is built from.

`InboxFolder` is the boundary. Sealing, sweeping and quarantine know nothing of the file system below it: `LocalInbox` is here,
the inbox on an object store in ``remote.py``. Paths are relative to the inbox, with ``/``.
The layout is in ``docs/documents.md``; what the ingester adds to it is in ``docs/ingestion.md``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import faults
from ..config import local_path
from ..errors import InboxError
from ..rights import is_shared, make_folder

FORMAT = 1
RESERVED = frozenset({"batches", "claims", "ledger", "logs", "quarantine", "state"})
"""Folders of the ingester's own; every other folder belongs to an application run."""
DOCUMENT_BYTES_MAX = 512 << 20
"""A document that is larger, compressed, is not read: it goes to quarantine. The bridge's own bound is far below."""

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
TEMPORARY_NAME = re.compile(r"\.(\d{8,18}\.[a-z_]+\.json\.gz|.+\.\d+\.[0-9a-f]{8})")
"""What writers call a file until it is whole: the bridge its documents, this module whatever it writes."""
_DOCUMENT_NAME = re.compile(r"(\d{8,18})\.([a-z_]+)\.json\.gz")


@dataclass(frozen=True)
class InboxDocument:
    """A complete document in the inbox. `size` is in bytes, compressed."""

    run: str
    name: str
    size: int

    @property
    def sequence(self) -> int:
        return int(self.name.split(".", 1)[0])

    @property
    def path(self) -> str:
        return f"{self.run}/{self.name}"


@dataclass(frozen=True)
class Backlog:
    """What waits in an inbox. Counting stops at a bound, then `bounded` is true and the figures are lower limits."""

    documents: int
    bytes: int
    runs: int
    batches: int
    """Batches that were sealed and are not yet applied."""
    quarantined: int
    bounded: bool = False


class InboxFolder(ABC):
    """An inbox. Every method raises `InboxError` where the place cannot be used, unless it says otherwise."""

    location: str
    inbox_id: str

    @property
    def holder(self) -> str:
        """Names who holds this inbox, so that nobody else writes a batch of the same name; empty where a lock rules that out.

        Who holds it later has a name that sorts behind.
        """
        return ""

    def confirm(self) -> None:
        """Raises `InboxError` where this process held the inbox, and another one may hold it by now."""
        return

    @abstractmethod
    def names(self, folder: str = "") -> list[str]:
        """Names of the files in `folder`, sorted, those with a leading dot left out; empty where there is no such folder."""

    @abstractmethod
    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in `folder`, sorted, those with a leading dot left out, and empty ones perhaps."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Size in bytes, None where there is no such file."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """The whole file, None where there is no such file."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Makes a file, durably. False where there is one of that name: it is left alone. It may be seen empty for a moment."""

    @abstractmethod
    def replace(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Writes a file whole, over what was there. `durable`: it outlives a power cut once this returns."""

    @abstractmethod
    def move(self, source: str, target: str) -> bool:
        """Moves a file, over what was there. False where there is no such file."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Removes a file; one that is not there is no error."""

    def remove_all(self, paths: Iterable[str]) -> None:
        """Removes files; those that are not there are no error."""
        for path in paths:
            self.remove(path)
            faults.point("document.removed")

    def read_ahead(self, paths: Iterable[str]) -> None:
        """These files will be read next, in this order; where reading takes long, they are fetched together."""
        return

    def close(self) -> None:
        """Lets others in: this process is done with the inbox."""
        return

    @abstractmethod
    def remove_folder(self, folder: str, *, closed: bool) -> bool:
        """Removes a folder that holds nothing. False, and nothing removed, where it holds something.

        `closed`: nobody will write there any more. Where a folder cannot be removed on condition that it is empty, one that
        is not closed stays.
        """

    @abstractmethod
    def check(self, folder: str) -> None:
        """Raises `InboxError` where documents of the folder could not be taken away."""

    @abstractmethod
    def remove_leftovers(self, folder: str, older_than_seconds: float) -> None:
        """Removes temporary files (those with a leading dot) that were last written so long ago."""

    @abstractmethod
    def changed_ns(self, folder: str = "") -> int:
        """When an entry of the folder was last made, renamed or removed (or a file written), in epoch nanoseconds; 0 for none."""

    @abstractmethod
    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Tries to become the one ingester of this inbox. Gives False at once where another one is; ends with its process."""

    def identity(self, create: bool) -> str:
        """The inbox's id, made up where there is none. Whoever made the file may still be writing it: wait a moment."""
        deadline = time.monotonic() + 2
        while True:
            data = self.read("inbox.json")
            if data is None:
                if not create and not any(self.documents(run, 1) for run in self.runs()):
                    raise InboxError(
                        f"{self.location} is no inbox: it holds no inbox.json; name the folder that the jobs write to"
                    )
                self.create("inbox.json", json.dumps({"inbox_id": str(uuid.uuid4()), "format": FORMAT}).encode())
                continue
            if data or time.monotonic() > deadline:
                return self._inbox_id(data)
            time.sleep(0.02)

    def _inbox_id(self, data: bytes) -> str:
        try:
            content = json.loads(data)
            inbox_id, version = str(content["inbox_id"]), int(content["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise InboxError(
                f"{self.location}/inbox.json cannot be understood ({error}); if it is damaged, remove that file alone, "
                f"and the inbox is given a new identity"
            ) from error
        if version > FORMAT:
            raise InboxError(
                f"{self.location} is an inbox of format {version}, this release reads {FORMAT}; use a newer spark-lineage"
            )
        return inbox_id

    def runs(self) -> list[str]:
        """The application runs that have a folder, oldest first (their ids are time-ordered)."""
        return [name for name in self.folders() if name not in RESERVED]

    def documents(self, run: str, limit: int | None = None) -> list[InboxDocument]:
        """The complete documents of a run in order of their numbers, at most `limit`."""
        documents: list[InboxDocument] = []
        for document in documents_of(run, dict.fromkeys(self.names(run), 0)):
            if limit is not None and len(documents) >= limit:
                break
            size = self.size(document.path)
            if size is not None:
                documents.append(replace(document, size=size))
        return documents

    def backlog(self, bound: int = 10_000) -> Backlog:
        """What waits here, counted up to `bound` documents."""
        documents = size = runs = 0
        for run in self.runs():
            found = self.documents(run, bound - documents)
            documents += len(found)
            size += sum(document.size for document in found)
            runs += bool(found)
            if documents >= bound:
                break
        quarantined = 0
        for run in self.folders("quarantine"):
            quarantined += len(documents_of(run, dict.fromkeys(self.names(f"quarantine/{run}"), 0)))
            if quarantined >= bound:
                break
        batches = sum(
            _is_open(self.read(f"batches/{name}")) for name in self.names("batches")[-bound:] if name.endswith(".json")
        )
        return Backlog(documents, size, runs, batches, quarantined, max(documents, quarantined) >= bound)


def documents_of(run: str, sizes: Mapping[str, int]) -> list[InboxDocument]:
    """Those of the files, given by name and size, that are complete documents, in order of their numbers."""
    found = [InboxDocument(run, name, size) for name, size in sizes.items() if _DOCUMENT_NAME.fullmatch(name)]
    return sorted(found, key=lambda document: (document.sequence, document.name))


def _is_open(manifest: bytes | None) -> bool:
    try:
        return manifest is not None and json.loads(manifest).get("stage") != "done"
    except ValueError:
        return True


def open_inbox(location: str | Path, *, create: bool = False) -> InboxFolder:
    """The inbox at `location`: a folder, a ``file:`` URI, or one of an object store (remote.py). `create` makes it where there is none.

    Raises `InboxError` for a place that is not there, cannot be read or is no inbox.
    """
    path = local_path(str(location))
    if path is None:
        from .remote import RemoteInbox  # pyarrow is loaded for those who need it

        return RemoteInbox(str(location), create=create)
    return LocalInbox(path, create=create)


class LocalInbox(InboxFolder):
    """An inbox in a folder of a local file system (or one that behaves so: atomic rename, flock).

    What is made in it is for its owner alone, or for the group as well where the inbox's own folder is (mode 2770).
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.root = root
        self.location = str(root)
        if create:
            with _told(self.location, "cannot be made"):
                make_folder(root, shared=False)
        with _told(self.location, "cannot be looked into"):
            there = root.is_dir()
        if not there:
            raise InboxError(f"there is no inbox at {root}; name the folder that the jobs write to (option `inbox`)")
        self._shared = is_shared(root)
        self.inbox_id = self.identity(create)

    def names(self, folder: str = "") -> list[str]:
        return self._entries(folder, files=True)

    def folders(self, folder: str = "") -> list[str]:
        return self._entries(folder, files=False)

    def _entries(self, folder: str, *, files: bool) -> list[str]:
        with _told(self.location, f"cannot be listed ({folder or 'its top'})"):
            try:
                with os.scandir(self.root / folder) as entries:
                    return sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is(entry, files))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def size(self, path: str) -> int | None:
        with _told(self.location, f"cannot be read ({path})"):
            try:
                return (self.root / path).stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                return None

    def read(self, path: str) -> bytes | None:
        with _told(self.location, f"cannot be read ({path})"):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def create(self, path: str, data: bytes) -> bool:
        with _told(self.location, f"cannot be written ({path})"):
            target = self.root / path
            temporary = self._write_temporary(target, data, durable=True)
            try:
                return _link(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)

    def replace(self, path: str, data: bytes, *, durable: bool = True) -> None:
        with _told(self.location, f"cannot be written ({path})"):
            target = self.root / path
            self._write_temporary(target, data, durable=durable).replace(target)
            if durable:
                _sync(target.parent)

    def _write_temporary(self, target: Path, data: bytes, *, durable: bool) -> Path:
        self._make(target.parent)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if self._shared:
                    os.fchmod(descriptor, 0o660)
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _make(self, folder: Path) -> None:
        """The folder, and those above it up to the inbox."""
        if folder.is_dir():
            return
        if folder.parent != self.root:
            self._make(folder.parent)
        make_folder(folder, shared=self._shared)

    def move(self, source: str, target: str) -> bool:
        with _told(self.location, f"cannot be written ({target})"):
            self._make((self.root / target).parent)
            try:
                (self.root / source).replace(self.root / target)
            except FileNotFoundError:
                return False
            return True

    def remove(self, path: str) -> None:
        with _told(self.location, f"cannot be written ({path})"):
            (self.root / path).unlink(missing_ok=True)

    def remove_folder(self, folder: str, *, closed: bool) -> bool:
        try:
            (self.root / folder).rmdir()
        except OSError:  # not empty, or gone: either way there is nothing for us to remove
            return False
        return True

    def check(self, folder: str) -> None:
        if not os.access(self.root / folder, os.R_OK | os.W_OK | os.X_OK) and (self.root / folder).is_dir():
            raise InboxError(
                f"documents of {self.root / folder} cannot be taken: this user may not change that folder; "
                f"ingest as its owner, or give the inbox's folders to a group (chmod g+rwx)"
            )

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> None:
        for path in self.root.joinpath(folder).glob(".*"):
            with contextlib.suppress(OSError):
                ours = TEMPORARY_NAME.fullmatch(path.name) is not None
                if ours and path.is_file() and time.time() - path.stat().st_mtime > older_than_seconds:
                    path.unlink()

    def changed_ns(self, folder: str = "") -> int:
        try:
            return (self.root / folder).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        with _told(self.location, "cannot be locked"):
            if not (self.root / "lock").exists():
                self.create("lock", b"")
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)  # releases the lock, as the end of the process would


def _is(entry: os.DirEntry[str], file: bool) -> bool:
    return entry.is_file(follow_symlinks=False) if file else entry.is_dir(follow_symlinks=False)


def _link(temporary: Path, target: Path) -> bool:
    """Gives a finished file its name, if that name is free. A file system without hard links sees an empty file first."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        temporary.replace(target)
    _sync(target.parent)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _told(location: str, what: str) -> Iterator[None]:
    """Turns an OSError into an `InboxError` that says what could not be done."""
    try:
        yield
    except InboxError:
        raise
    except OSError as error:
        raise InboxError(f"the inbox {location} {what}: {error.strerror or error}; see to its rights and free space") from error
