"""Files of datasets that have no versions, kept as they were read: copies named by their content, and a manifest for each listing.

A folder is listed anew: where that gives the fingerprint that was recorded, its files are those that were read, and are copied;
where it does not, they have changed, and that is recorded.

``<folder>/<first two digits>/<SHA-256 of the content>`` are the files, ``<folder>/manifests/<id>.json`` the listings. What there was no
time for goes on in a later batch: ``<folder>/begun/<id of the dataset>/`` has the list of what was copied, and the part of a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..config import local_path
from ..errors import LineageError
from ..model import Input, Preserved
from ..rights import make_folder
from .listing import PARTIAL, WHOLE, ListedFile, listing_of
from .tables import Store, literal

SECONDS = 30.0
"""At most so long for all copies of one batch: documents wait behind it."""
FOLDER = "preserved_files"
"""Below a local store."""
MOST_FILES = 20_000
"""Of one dataset: each is named in the manifest of each listing, and is looked for before anything is copied."""

CHANGED = "changed before it could be preserved, or read with options that choose files"
A_PART = "only a part of it was read, and which is not recorded"
NOT_LOCAL = "only files on a local disk are preserved"
TOO_MANY = f"it has more than {MOST_FILES:,} files"
NO_TIME = "there was no time left for it in its batch"

_CHUNK = 1 << 20
_COPIED = "copied.json"
_PART = ".part"


@dataclass(frozen=True)
class PreservedFile(ListedFile):
    sha256: str


class _NoTime(Exception):
    pass


class _Changed(Exception):
    pass


class _NoRoom(Exception):
    pass


@dataclass(frozen=True)
class Preserving:
    """The options `snapshots.preserve`, `snapshots.preserve.max.bytes` and `snapshots.preserve.folder`."""

    patterns: tuple[str, ...] = ()
    most_bytes: int = 0
    folder: str = ""

    def place(self, store: str) -> Path | None:
        """The folder; None where there is none on a local disk."""
        if self.folder:
            return local_path(self.folder)
        path = local_path(store)
        return None if path is None else path / FOLDER


class Preserver:
    """Preserves what the inputs of a batch read, where `wanted` says so, in a folder of at most so many bytes."""

    def __init__(self, policy: Preserving, wanted: Callable[[Input], bool], warn: Callable[[str], None]) -> None:
        self._policy = policy
        self._wanted = wanted
        self._warn = warn
        self._folder: Path | None = None
        self._begun = Path()
        self._held: int | None = None

    def preserve(self, store: Store, inputs: Iterable[Input]) -> None:
        """Never raises: what goes wrong is recorded as the reason, and told once."""
        if not self._policy.patterns:
            return
        self._folder = self._policy.place(store.location)
        wanted = {
            (one.namespace, one.name, one.fingerprint): None
            for one in inputs
            if one.fingerprint and one.fingerprint.startswith((WHOLE, PARTIAL)) and self._wanted(one)
        }
        if not wanted:
            return
        until = time.monotonic() + SECONDS
        for namespace, name, fingerprint in wanted:
            try:
                if not self._is_known(store, namespace, name, fingerprint):
                    store.append("preserved", [self._one(store, namespace, name, fingerprint, until)], None)
            except (LineageError, OSError, ValueError) as error:
                self._warn(f"{name} was not preserved as it was read: {error}")

    def _is_known(self, store: Store, namespace: str, name: str, fingerprint: str) -> bool:
        rows = store.arrow("preserved", ["reason"], _of(namespace, name, fingerprint)).column(0).to_pylist()
        return any(reason != NO_TIME for reason in rows)

    def _one(self, store: Store, namespace: str, name: str, fingerprint: str, until: float) -> Preserved:
        files: tuple[PreservedFile, ...] = ()
        manifest = reason = None
        try:
            files = self._copied(store, namespace, name, fingerprint, until)
            manifest = self._manifest(namespace, name, fingerprint, files)
            shutil.rmtree(self._begun, ignore_errors=True)
        except _NoTime:
            reason = NO_TIME
        except (_Changed, _NoRoom) as error:
            reason = str(error)
        except OSError as error:
            reason = f"it cannot be copied: {error.strerror or error}"
        if reason is not None:
            self._warn(f"{name} was not preserved as it was read: {reason}")
        return Preserved(
            namespace=namespace,
            name=name,
            fingerprint=fingerprint,
            manifest=None if manifest is None else str(manifest),
            files=len(files) if manifest else None,
            bytes=sum(file.size for file in files) if manifest else None,
            reason=reason,
            created_at=datetime.now(UTC),
        )

    def _copied(self, store: Store, namespace: str, name: str, fingerprint: str, until: float) -> tuple[PreservedFile, ...]:
        if namespace != "file" or self._folder is None:
            raise _Changed(NOT_LOCAL)
        if fingerprint.startswith(PARTIAL):
            raise _Changed(A_PART)
        found = listing_of(name, fingerprint)
        if found is None:
            raise _Changed(CHANGED)
        if len(found) > MOST_FILES:
            raise _Changed(TOO_MANY)
        self._begun = self._folder / "begun" / _id(namespace, name)
        there = set(found)
        begun = [file for file in self._read(self._begun / _COPIED) if _listed(file) in there]
        for part in set(self._begun.glob(f"*{_PART}")) - {self._part(file) for file in found}:
            part.unlink(missing_ok=True)
        before = {_listed(file): file.sha256 for file in (*self._last(store, namespace, name), *begun)}
        new = [file for file in found if file not in before or not self._place(before[file]).exists()]
        room = self._policy.most_bytes - self._bytes_held() + _bytes_of(self._begun)
        if sum(file.size for file in new) > room:
            raise _NoRoom(
                f"its {sum(file.size for file in new):,} new bytes go beyond snapshots.preserve.max.bytes ({room:,} are left)"
            )
        copied: dict[ListedFile, str] = {}
        try:
            for file in new:
                copied[file] = self._copy(file, until)
            if listing_of(name, fingerprint) != found:  # while they were copied
                raise _Changed(CHANGED)
        except (_NoTime, _Changed, OSError):
            self._held = None
            self._begin((*begun, *(PreservedFile(**asdict(file), sha256=sha256) for file, sha256 in copied.items())))
            raise
        sums = before | copied
        return tuple(PreservedFile(**asdict(file), sha256=sums[file]) for file in found)

    def _copy(self, file: ListedFile, until: float) -> str:
        """The name that its content has. What a batch before copied of it is not read again."""
        assert self._folder is not None
        make_folder(self._folder, shared=False)
        digest, made = hashlib.sha256(), self._folder / f"{secrets.token_hex(8)}.tmp"
        with contextlib.suppress(FileNotFoundError):
            self._part(file).rename(made)
        try:
            with (
                Path(file.path).open("rb") as source,
                os.fdopen(os.open(made, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as copy,
            ):
                for chunk in _chunks(copy, until):
                    digest.update(chunk)
                source.seek(copy.tell())
                for chunk in _chunks(source, until):
                    digest.update(chunk)
                    copy.write(chunk)
                modified = os.fstat(source.fileno()).st_mtime_ns // 1_000_000
                if (copy.tell(), modified) != (file.size, file.modified):
                    raise _Changed(CHANGED)
                copy.flush()
                os.fsync(copy.fileno())
            place = self._place(digest.hexdigest())
            if not place.exists():
                make_folder(place.parent, shared=False)
                made.rename(place)
                self._held = self._bytes_held() + file.size
        except _NoTime:
            if made.stat().st_size:
                make_folder(self._begun, shared=False)
                made.rename(self._part(file))
            raise
        finally:
            made.unlink(missing_ok=True)
        return digest.hexdigest()

    def _part(self, file: ListedFile) -> Path:
        return self._begun / f"{_id(file.path, str(file.size), str(file.modified))}{_PART}"

    def _begin(self, copied: tuple[PreservedFile, ...]) -> None:
        """Keeps what was copied for when the dataset is read again."""
        if copied:
            with contextlib.suppress(OSError):
                make_folder(self._begun, shared=False)
                _write(self._begun / _COPIED, {"files": [asdict(file) for file in copied]})

    def _place(self, sha256: str) -> Path:
        assert self._folder is not None
        return self._folder / sha256[:2] / sha256

    def _manifest(self, namespace: str, name: str, fingerprint: str, files: tuple[PreservedFile, ...]) -> Path:
        assert self._folder is not None
        place = self._folder / "manifests" / f"{_id(namespace, name, fingerprint)}.json"
        make_folder(place.parent, shared=False)
        content = {"namespace": namespace, "name": name, "fingerprint": fingerprint, "files": [asdict(file) for file in files]}
        _write(place, content)
        return place

    def _last(self, store: Store, namespace: str, name: str) -> tuple[PreservedFile, ...]:
        """The files of the dataset as they were preserved last: one that has not changed since is not read again."""
        condition = f"namespace = {literal(namespace)} and name = {literal(name)} and manifest is not null"
        rows = store.arrow("preserved", ["manifest", "created_at"], condition).to_pylist()
        return self._read(Path(max(rows, key=lambda row: row["created_at"])["manifest"])) if rows else ()

    def _read(self, manifest: Path) -> tuple[PreservedFile, ...]:
        try:
            return files_of(manifest)
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def _bytes_held(self) -> int:
        if self._held is None:
            self._held = 0 if self._folder is None else _bytes_of(self._folder)
        return self._held


def files_of(manifest: Path) -> tuple[PreservedFile, ...]:
    """The files of a manifest. Raises OSError and ValueError."""
    return tuple(PreservedFile(**file) for file in json.loads(manifest.read_text(encoding="utf-8"))["files"])


def _chunks(file: Any, until: float) -> Iterator[bytes]:
    """What there is from here on. Raises _NoTime."""
    while chunk := file.read(_CHUNK):
        if time.monotonic() > until:
            raise _NoTime
        yield chunk


def _bytes_of(folder: Path) -> int:
    held = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            held += path.stat().st_size if path.is_file() else 0
    return held


def _write(place: Path, content: dict[str, Any]) -> None:
    made = place.with_suffix(f".{secrets.token_hex(8)}.tmp")
    made.write_text(json.dumps(content, indent=1), encoding="utf-8")
    made.rename(place)


def _id(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _listed(file: PreservedFile) -> ListedFile:
    return ListedFile(file.path, file.size, file.modified)


def _of(namespace: str, name: str, fingerprint: str) -> str:
    return f"namespace = {literal(namespace)} and name = {literal(name)} and fingerprint = {literal(fingerprint)}"
