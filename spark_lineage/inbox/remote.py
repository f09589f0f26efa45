"""An inbox on an object store or another file system that pyarrow knows: s3, gs, hdfs.

Everything that an ingester has to remember lies in the inbox itself, as in a local one, so another machine can go on where this
one stopped. What differs is the lock: there is none that ends with its process, so the one ingester has a claim, an object that
it renews; a claim that is not renewed for `CLAIM_SECONDS` may be taken over.

Stores show a written object whole or not at all, and list what was written (S3 and GCS do). On a file system that may
show half a file, a file is written under a hidden name and moved.
"""

from __future__ import annotations

import contextlib
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from pyarrow import fs

from .. import faults
from ..config import known_to_arrow
from ..errors import InboxError
from .claim import Claim
from .folder import TEMPORARY_NAME, InboxDocument, InboxFolder, documents_of

LISTING_SECONDS = 2.0
"""So long a listing is good for, where nothing was changed from here: an idle watcher asks the store every other second."""
PARALLEL = 16
_WRITES_WHOLE = ("s3", "gcs")


class RemoteInbox(InboxFolder):
    """An inbox at a URI. Only one process at a time works on it; `close` lets another begin at once."""

    def __init__(self, location: str, *, create: bool = False) -> None:
        self.location = location.rstrip("/")
        self._fs, self._root = _file_system(self.location)
        self._whole = self._fs.type_name in _WRITES_WHOLE
        self._listing: dict[str, list[Any]] | None = None
        self._listed_at = 0.0
        self._ahead: dict[str, bytes] = {}
        self._claim = Claim(self)
        self.inbox_id = self.identity(create)

    def identity(self, create: bool) -> str:
        """Made under the claim: object stores have no exclusive create, and two of them would be two inboxes."""
        if self.read("inbox.json") is None and (create or any(self.documents(run, 1) for run in self.runs())):
            self._claim.hold()
        return super().identity(create)

    def names(self, folder: str = "") -> list[str]:
        return [info.base_name for info in self._entries(folder) if info.type == fs.FileType.File]

    def folders(self, folder: str = "") -> list[str]:
        """Empty ones left out: on an object store they are objects that pyarrow leaves behind."""
        found = [info.base_name for info in self._entries(folder) if info.type == fs.FileType.Directory]
        return [name for name in found if self._listed().get(posixpath.join(folder, name))]

    def _entries(self, folder: str) -> list[Any]:
        entries = self._listed().get(folder.rstrip("/"), [])
        return [info for info in entries if not info.base_name.startswith(".")]

    def documents(self, run: str, limit: int | None = None) -> list[InboxDocument]:
        files = [info for info in self._entries(run) if info.type == fs.FileType.File]
        return documents_of(run, {info.base_name: info.size for info in files})[:limit]

    def size(self, path: str) -> int | None:
        info = self._told("cannot be read", path, lambda: self._fs.get_file_info(self._path(path)))
        return info.size if info.type == fs.FileType.File else None

    def read(self, path: str) -> bytes | None:
        ahead = self._ahead.pop(path, None)
        return self.read_now(path) if ahead is None else ahead

    def read_now(self, path: str) -> bytes | None:
        """As `read`, whatever was fetched before."""

        def whole() -> bytes | None:
            try:
                with self._fs.open_input_stream(self._path(path)) as file:
                    return bytes(file.read())
            except FileNotFoundError:
                return None

        return self._told("cannot be read", path, whole)

    def read_ahead(self, paths: Iterable[str]) -> None:
        """One by one, a batch of small objects would cost minutes."""
        paths = list(paths)
        with ThreadPoolExecutor(PARALLEL) as pool:
            self._ahead = {
                path: data for path, data in zip(paths, pool.map(self.read_now, paths), strict=True) if data is not None
            }

    def create(self, path: str, data: bytes) -> bool:
        """Not exclusive: pyarrow's file systems can write no object on condition. So what must not be overwritten by a holder that
        was cut off has the `holder` in its name."""
        if self.size(path) is not None:
            return False
        self.replace(path, data)
        return True

    def replace(self, path: str, data: bytes, *, durable: bool = True) -> None:
        self._claim.check()
        self.write(path, data)

    def write(self, path: str, data: bytes) -> None:
        """As `replace`, whoever holds the claim."""
        target = self._path(path)
        hidden = target if self._whole else posixpath.join(posixpath.dirname(target), f".{posixpath.basename(target)}.part")

        def whole() -> None:
            if not self._whole:
                self._fs.create_dir(posixpath.dirname(target), recursive=True)
            with self._fs.open_output_stream(hidden) as file:
                file.write(data)
            if hidden != target:
                self._fs.move(hidden, target)

        self._told("cannot be written", path, whole)
        self._listing = None

    def move(self, source: str, target: str) -> bool:
        """A copy, then a removal: after a crash between the two both are there, and moving again ends it."""
        self._claim.check()
        data = self.read_now(source)
        if data is None:
            return False
        self.write(target, data)
        faults.point("remote.copied")
        self.remove(source)
        return True

    def remove(self, path: str) -> None:
        self._claim.check()
        self._told("cannot be written", path, lambda: self._delete(path))
        self._listing = None

    def remove_all(self, paths: Iterable[str]) -> None:
        self._claim.check()

        def one(path: str) -> None:
            self._delete(path)
            faults.point("document.removed")

        paths = list(paths)
        if paths:
            with ThreadPoolExecutor(PARALLEL) as pool:
                self._told("cannot be written", paths[0], lambda: list(pool.map(one, paths)))
            self._listing = None

    def _delete(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.delete_file(self._path(path))

    def remove_folder(self, folder: str, *, closed: bool) -> bool:
        """pyarrow removes a folder with whatever it finds in it, so a document that comes after our look would go, too."""
        self._claim.check()
        self._listing = None
        if not closed or self._listed().get(folder):
            return False
        with contextlib.suppress(OSError):
            self._fs.delete_dir(self._path(folder))
        self._listing = None
        return True

    def check(self, folder: str) -> None:
        """Rights are the store's to tell, when something is written."""

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> None:
        old = datetime.now(UTC).timestamp() - older_than_seconds
        entries = [info for info in self._listed().get(folder, []) if info.type == fs.FileType.File]
        found = [info.base_name for info in entries if _is_temporary(info.base_name) and _seconds(info) < old]
        self.remove_all(posixpath.join(folder, name) for name in found)

    def changed_ns(self, folder: str = "") -> int:
        """The newest object's time. Stores stamp in seconds: the count of objects tells changes within one apart."""
        entries = self._listed().get(folder)
        if entries is None:
            parent, name = posixpath.split(folder)
            entries = [info for info in self._listed().get(parent, []) if info.base_name == name]
        newest = max((_seconds(info) for info in entries), default=0.0)
        return int(newest * 1e9) + len(entries) % 1000 if newest else 0

    @property
    def holder(self) -> str:
        return self._claim.name

    def confirm(self) -> None:
        self._claim.check()

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        """Holds the claim from the first time on, until `close`. Raises `InboxError` where another process has it."""
        if self._claim.hold():  # another one may have worked here before
            self._listing = None
            self._ahead = {}
        yield True

    def close(self) -> None:
        self._claim.release()

    def _listed(self) -> dict[str, list[Any]]:
        """Every entry of the inbox by its folder, from one listing that is good until something is changed from here."""
        listing = self._listing
        if listing is not None and time.monotonic() - self._listed_at < LISTING_SECONDS:
            return listing
        began = time.monotonic()
        selector = fs.FileSelector(self._root, recursive=True, allow_not_found=True)
        infos = self._told("cannot be listed", "", lambda: self._fs.get_file_info(selector))
        listing = self._by_folder(infos)
        self._listing, self._listed_at = listing, began
        return listing

    def _by_folder(self, infos: Iterable[Any]) -> dict[str, list[Any]]:
        """Sorted by name. An object store may list a file and not the folders that it is in: they are added."""
        by_path = {posixpath.relpath(info.path, self._root): info for info in infos}
        for path in list(by_path):
            folder = posixpath.dirname(path)
            while folder and folder not in by_path:
                by_path[folder] = fs.FileInfo(self._path(folder), fs.FileType.Directory)
                folder = posixpath.dirname(folder)
        listing: dict[str, list[Any]] = {}
        for path in sorted(by_path):
            listing.setdefault(posixpath.dirname(path), []).append(by_path[path])
        return listing

    def entries(self, folder: str) -> list[tuple[str, float]]:
        """Names and times (epoch seconds, the store's clock) of the files in a folder, as they are now."""
        selector = fs.FileSelector(self._path(folder), allow_not_found=True)
        infos = self._told("cannot be listed", folder, lambda: self._fs.get_file_info(selector))
        return [(info.base_name, _seconds(info)) for info in infos if info.type == fs.FileType.File]

    def discard(self, path: str) -> None:
        """As `remove`, whoever holds the claim. What cannot be removed stays."""
        with contextlib.suppress(OSError):
            self._delete(path)

    def _path(self, path: str) -> str:
        return posixpath.join(self._root, path) if path else self._root

    def _told(self, what: str, path: str, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except InboxError:
            raise
        except OSError as error:
            reason = str(error).splitlines()[0][:300]
            raise InboxError(f"the inbox {self.location} {what} ({path or 'its top'}): {reason}") from error


def _is_temporary(name: str) -> bool:
    """Whether it is what the bridge, or `write` here, calls a file until it is whole."""
    return TEMPORARY_NAME.fullmatch(name) is not None or (name.startswith(".") and name.endswith(".part"))


def _seconds(info: Any) -> float:
    """When it was last written, epoch seconds; 0 for what has no time, such as a folder."""
    return float(info.mtime_ns) / 1e9 if info.mtime_ns is not None else 0.0


def _file_system(location: str) -> tuple[fs.FileSystem, str]:
    scheme, _, rest = known_to_arrow(location).partition("://")
    if scheme in ("abfs", "abfss"):
        raise InboxError(
            f"the inbox {location} is on Azure, whose file system in pyarrow ends the whole process where it finds no credentials: "
            f"mount it and name the folder, or copy its folders to a local one and ingest that"
        )
    if scheme == "s3":  # one request for a small object, which is there whole or not at all, and not three
        rest += ("&" if "?" in rest else "?") + "allow_delayed_open=true"
    uri = f"{scheme}://{rest}"
    try:
        system, root = fs.FileSystem.from_uri(uri)
    except (ValueError, OSError, NotImplementedError) as error:
        raise InboxError(
            f"the inbox {location} cannot be reached: {str(error).splitlines()[0][:300]}; it can be on s3, gs "
            f"or hdfs, with credentials from where each looks for them; or mount it and name the folder"
        ) from error
    return system, root.rstrip("/")
