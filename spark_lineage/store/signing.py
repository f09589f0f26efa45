"""Signs executables, so that nobody's session runs what somebody else put into the tables.

HMAC-SHA256 with keys in a file of the store's owner, outside of the store, closed to everybody else. The first key of
the file signs, all of them verify: a new key goes on top, an old one stays for as long as what it signed is of use.
Who can verify can sign: give the key to those who may make plans that others run. docs/executables.md says against
whom this helps.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ..errors import ExecutableError
from ..model import PlanExecutable, Records

SCHEME = "hmac-sha256"
KEY_BYTES = 32


@dataclasses.dataclass(frozen=True)
class Keys:
    """The keys of a file; `path` is for messages."""

    path: Path
    secrets: tuple[bytes, ...]

    def sign(self, executable: PlanExecutable) -> str:
        """The signature of an executable, whatever signature it has."""
        return _signature(self.secrets[0], executable)

    def verify(self, executable: PlanExecutable, blob: bytes) -> None:
        """Raises ExecutableError unless one of the keys signed the executable and the blob is the one it names."""
        what = f"the executable of {executable.execution_id}"
        if not executable.signature:
            raise ExecutableError(
                f"{what} is not signed, so it will not be run: whoever can write to the tables may have put it there"
            )
        if name_of(blob) != executable.executable_id:
            raise ExecutableError(f"{what} is not the plan that was recorded: its content has another hash; it will not be run")
        known = {key_id(key): key for key in self.secrets}
        signer = executable.signature.split(":")[1] if executable.signature.count(":") == 2 else ""
        if signer not in known:
            raise ExecutableError(
                f"{what} was signed with the key {signer or '(none)'}, which {self.path} does not hold; ask the owner of the "
                "tables for the key, or name the file with executables.key"
            )
        if not hmac.compare_digest(_signature(known[signer], executable), executable.signature):
            raise ExecutableError(f"{what} was changed after it was signed; it will not be run")


def name_of(blob: bytes) -> str:
    """The whole SHA-256: what is signed is only this name."""
    return hashlib.sha256(blob).hexdigest()


def key_id(key: bytes) -> str:
    """Names a key without giving it away."""
    return hashlib.sha256(b"spark-lineage key " + key).hexdigest()[:16]


def key_file(configured: str = "") -> Path:
    """The file of keys: the configured one, else the user's own. Raises ExecutableError where its home folder is not known."""
    named = configured or str(Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "spark-lineage" / "executables.key")
    try:
        return Path(named).expanduser()
    except RuntimeError as error:  # a container's user without a name and HOME, or ~somebody who is not there
        raise ExecutableError(
            f"the key {named} cannot be found: that home folder is not known; name the file with executables.key, or set HOME"
        ) from error


def load_keys(path: Path, *, create: bool = False) -> Keys:
    """The keys of a file, one a line in hex; with `create` a file with a new key is made where there is none.

    Raises ExecutableError where there is none, others may read or write it, or it holds no key.
    """
    try:
        if create and not path.exists():
            _make(path)
        mode = path.stat().st_mode
        lines = path.read_text(encoding="ascii").split()
        found = tuple(bytes.fromhex(line) for line in lines)
    except FileNotFoundError as error:
        raise ExecutableError(
            f"there is no key at {path}; executables are verified with the key of whoever ingested them: have that file, or "
            "name it with executables.key"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise ExecutableError(f"the key at {path} cannot be used: {error}") from error
    if mode & 0o077:
        raise ExecutableError(f"the key at {path} is open to others, who could sign with it: run chmod 600 {path}")
    if not found or min(len(key) for key in found) < KEY_BYTES:
        raise ExecutableError(f"{path} holds no key of {KEY_BYTES} bytes in hex; remove it and a new one is made")
    return Keys(path, found)


class Signer:
    """Signs the executables of records; loads its keys when the first one comes."""

    def __init__(self, configured: str, warn: Callable[[str], None]) -> None:
        self._configured = configured
        self._warn = warn
        self._keys: Keys | None = None

    def signed(self, records: Records) -> Records:
        """The records with signatures. Where there is no key: without executables, and the executions say why."""
        if not records.plan_executables:
            return records
        try:
            if self._keys is None:
                self._keys = load_keys(key_file(self._configured), create=True)
        except ExecutableError as error:
            self._warn(f"executables are not kept: {error}")
            return without_executables(records, "executable: it could not be signed")
        keys = self._keys
        signed = tuple(dataclasses.replace(one, signature=keys.sign(one)) for one in records.plan_executables)
        return dataclasses.replace(records, plan_executables=signed)


def without_executables(records: Records, reason: str) -> Records:
    """The records without executables; `reason` is added to those of the executions."""
    executions = tuple(
        dataclasses.replace(one, incomplete_reasons=(*one.incomplete_reasons, reason)) for one in records.executions
    )
    return dataclasses.replace(records, plan_executables=(), executable_blobs=(), executions=executions)


def _make(path: Path) -> None:
    """A file with a new key, whole or not at all; another process's, where that was quicker."""
    for missing in reversed([folder for folder in path.parents if not folder.exists()]):  # mkdir gives its mode to the last one
        missing.mkdir(mode=0o700, exist_ok=True)
    handle, hidden = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        os.link(hidden, path)
    except FileExistsError:
        return
    finally:
        Path(hidden).unlink()


def _signature(key: bytes, executable: PlanExecutable) -> str:
    content = dataclasses.asdict(dataclasses.replace(executable, signature=None))
    message = json.dumps(content, sort_keys=True, ensure_ascii=True, default=_text).encode()
    return f"{SCHEME}:{key_id(key)}:{hmac.new(key, message, hashlib.sha256).hexdigest()}"


def _text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be signed")
