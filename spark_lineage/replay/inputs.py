"""Whether what an execution read is still there as it was: versions of Delta tables, and files without versions by the fingerprint of their listing.

What is gone in its place and kept elsewhere (an archive of the version, preserved files) is read from there.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from pyspark.sql import SparkSession

from ..config import local_path
from ..errors import ExecutableError, SnapshotError
from ..lineage.naming import DatasetKey, exact_place, places_of
from ..model import ExecutableLeaf
from ..snapshot.availability import Availability, availability
from ..snapshot.delta import absolute
from ..snapshot.held import Unlisted, hold_batch, hold_files
from ..snapshot.recorded_versions import Wanted, archives, copy_of, kept_contents
from ..snapshot.unversioned import recorded_files, recorded_part
from ..store.listing import WHOLE
from ..store.preserving import files_of
from ..store.tables import Store, literal
from .executables import Found

DELTA = ("delta", "delta_files")
_CHOOSES = re.compile(r"pathGlobFilter|modifiedBefore|modifiedAfter|recursiveFileLookup", re.IGNORECASE)
_GLOB = re.compile(r"[*?\[{]")
_Fingerprints: TypeAlias = dict[DatasetKey, list[str]]


@dataclass(frozen=True)
class Ready:
    """A plan whose leaves can be read: `places` says of which leaves archives are read. `doubts`: what may not be as it was."""

    found: Found
    places: dict[int, str]
    doubts: tuple[str, ...]


class Missing(Exception):
    """What was read is not there any more: what, since when, and what would have kept it."""


class Inputs:
    """The inputs of executions. Each version of a table is looked for once."""

    def __init__(self, store: Store, spark: SparkSession) -> None:
        self._store, self._spark = store, spark
        self._known: dict[tuple[str, str | None, int], Availability] = {}

    @contextmanager
    def ready(self, found: Found, leaves: Sequence[ExecutableLeaf] | None = None) -> Iterator[Ready]:
        """The plan, with its leaves in the places where they can be read. Raises Missing."""
        try:
            scratch = TemporaryDirectory(prefix="spark-lineage-replay-")
        except OSError as error:
            raise ExecutableError(
                f"temporary files cannot be written ({error}): make room, or set TMPDIR to a folder that can be written"
            ) from error
        with scratch as folder:
            places: dict[int, str] = {}
            doubts: list[str] = []
            moved: list[ExecutableLeaf] = []
            fingerprints = self._fingerprints(found.executable.execution_id)
            for leaf in found.executable.leaves:
                if leaf.kind in DELTA:
                    place = self._place(leaf)
                    if place is not None:
                        places[leaf.number] = place
                    elif leaf.version_basis != "exact" or leaf.delta_version is None:
                        doubts.append(
                            f"another input version: that of {_named(leaf)} is not known for sure, version {leaf.delta_version} is likely"
                        )
                elif leaf.kind == "files":
                    leaf, doubt = self._files(leaf, fingerprints, Path(folder), found.executable.execution_id)
                    doubts += doubt
                elif leaf.kind in ("jdbc", "table", "unknown"):
                    doubts.append(f"another input version: {_named(leaf)} has no versions and is read as it is now")
                moved.append(leaf)
            executable = replace(found.executable, leaves=tuple(moved))
            yield Ready(replace(found, executable=executable), places, tuple(dict.fromkeys(doubts)))

    def look_again(self, found: Found) -> str | None:
        """Why it could not be read, by opening the files of what it reads; None where all of them are there."""
        for leaf in found.executable.leaves:
            if leaf.kind in DELTA and leaf.location and leaf.delta_version is not None:
                told = availability(leaf.location, [leaf.delta_version], leaf.table_id, deep=True)[leaf.delta_version]
                if told.readable is False:
                    return _gone(leaf, told)
        return None

    def _grown(self, key: DatasetKey, places: Sequence[str], fingerprint: str, execution_id: str, folder: Path) -> str | None:
        """Links to the files of then, where others were put beside them since. `places`: of the dataset those that were read, none where it was all."""
        if key[0] != "file":
            return None
        condition = f"execution_id = {literal(execution_id)}"
        for ended in self._store.arrow("executions", ["ended_at"], condition).column(0).to_pylist():
            with contextlib.suppress(SnapshotError, OSError, ValueError):
                until = milliseconds(ended)
                if places:
                    there = recorded_part(places, fingerprint, until, earlier=True)
                else:
                    there = recorded_files(key[1], fingerprint, until, earlier=True)
                return _laid_out([(file.path, Path(file.path)) for file in there], Path(key[1]), folder)
        return None

    def _place(self, leaf: ExecutableLeaf) -> str | None:
        """The archive that a version is to be read from; None where it is in its place. Raises Missing."""
        if leaf.location is None or leaf.delta_version is None:
            return None
        known = leaf.location, leaf.table_id, leaf.delta_version
        if known not in self._known:
            self._known[known] = availability(leaf.location, [leaf.delta_version], leaf.table_id)[leaf.delta_version]
        told = self._known[known]
        if told.readable is not False:
            return None
        key = exact_place(absolute(leaf.location)).key
        copy = archive_of(self._store, key, leaf.table_id, leaf.delta_version, leaf.location)
        if copy is None or leaf.kind != "delta":
            raise Missing(_gone(leaf, told))
        return copy

    def _fingerprints(self, execution_id: str) -> _Fingerprints:
        rows = self._store.arrow("inputs", ["namespace", "name", "fingerprint"], f"execution_id = {literal(execution_id)}")
        found: _Fingerprints = {}
        for row in rows.to_pylist():
            if row["fingerprint"]:
                found.setdefault((row["namespace"], row["name"]), []).append(row["fingerprint"])
        return found

    def _files(
        self, leaf: ExecutableLeaf, fingerprints: _Fingerprints, folder: Path, execution_id: str
    ) -> tuple[ExecutableLeaf, list[str]]:
        """The leaf, with its paths in copies where the files have changed; and what is not held against the listing of then."""
        doubts: list[str] = []
        paths, place = list(leaf.paths), folder / str(leaf.number)
        chosen = any(_CHOOSES.search(name) for name in leaf.options or ()) or any(_GLOB.search(path) for path in paths)
        part = dataset_of_parts(paths)
        groups = [list(range(len(paths)))] if part is not None else [[at] for at in range(len(paths))]
        for group in groups:
            places = [absolute(paths[at]) for at in group]
            label = ", ".join(paths[at] for at in group)
            key = part or exact_place(places[0]).key
            known = [one for one in fingerprints.get(key, ()) if one.startswith(WHOLE)]
            if not known or chosen:
                doubts.append(
                    f"another input: the files of {label} are not held against those of then, whose listing is not known as a whole"
                )
                continue
            try:
                self._hold(places, known, part is not None)
            except Unlisted as error:
                doubts.append(f"another input: the files of {label} are not held against those of then: {error}")
            except SnapshotError as error:
                copied = self._copied(key, places if part else (), known, execution_id, place / str(group[0]))
                if copied is None:
                    raise changed(label, error) from error
                doubts.append(f"another input: the files of {label} are read by links, whose names are others")
                for at in group:
                    paths[at] = _below(copied, key, paths[at])
                leaf = replace(leaf, options=_with_base(leaf.options, copied, key))
        return replace(leaf, paths=tuple(paths)), doubts

    def _hold(self, places: Sequence[str], fingerprints: Sequence[str], part: bool) -> None:
        """Raises SnapshotError where the files are none of those that an execution read: it may have read several parts of a dataset."""
        for number, fingerprint in enumerate(fingerprints, 1):
            try:
                if part:
                    hold_batch(self._spark, places, fingerprint)
                else:
                    hold_files(self._spark, places[0], fingerprint)
                return
            except Unlisted:
                raise
            except SnapshotError:
                if number == len(fingerprints):
                    raise

    def _copied(
        self, key: DatasetKey, places: Sequence[str], fingerprints: Sequence[str], execution_id: str, folder: Path
    ) -> str | None:
        """The root of a dataset's files of then, as links."""
        for number, fingerprint in enumerate(fingerprints):
            place = folder / str(number)
            copied = self._grown(key, places, fingerprint, execution_id, place)
            copied = copied or preserved(self._store, key, fingerprint, place)
            if copied is not None:
                return copied
        return None


def archive_of(store: Store, key: DatasetKey, table_id: str | None, version: int, location: str) -> str | None:
    """Where a version is kept that is gone in its place."""
    if table_id is None:
        return None
    condition = f"table_id = {literal(table_id)} and delta_version = {version}"
    wanted = Wanted(key, table_id, version)
    kept = kept_contents(store, wanted).get(wanted, frozenset())
    copy = copy_of(archives(store, condition), wanted, location, kept)
    return None if copy is None else copy.location


def dataset_of_parts(paths: Sequence[str]) -> DatasetKey | None:
    """The dataset that the paths of one read are parts of: folders of its partitions, or files; None where they are datasets of their own."""
    places = [absolute(path) for path in paths]
    datasets = places_of(places)
    if len(datasets) != 1 or any(exact_place(place).key == datasets[0].key for place in places):
        return None
    return datasets[0].key


def _below(copied: str, key: DatasetKey, path: str) -> str:
    """A path of a dataset where its root is a copy."""
    inner = PurePosixPath(exact_place(absolute(path)).key[1]).relative_to(key[1])
    return str(Path(copied) / inner)


def _with_base(options: dict[str, str] | None, copied: str, key: DatasetKey) -> dict[str, str] | None:
    """`basePath`, from which on folders are partitions, is that of the copy."""
    if options is None:
        return None
    moved = {}
    for name, value in options.items():
        within = (
            PurePosixPath(exact_place(absolute(value)).key[1]).is_relative_to(key[1]) if name.lower() == "basepath" else False
        )
        moved[name] = _below(copied, key, value) if within else value
    return moved


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def changed(place: str, error: SnapshotError) -> Missing:
    kept = " The option `snapshots.preserve` would have kept a copy" if local_path(place) is not None else ""
    return Missing(f"{place} has no versions and has changed: {error}.{kept}")


def preserved(store: Store, key: DatasetKey, fingerprint: str, folder: Path) -> str | None:
    """Files as they were when their listing had that fingerprint, laid out again in the folder with links to the copies that are kept."""
    condition = f"namespace = {literal(key[0])} and name = {literal(key[1])} and fingerprint = {literal(fingerprint)} and manifest is not null"
    for manifest in store.arrow("preserved", ["manifest"], condition).column(0).to_pylist():
        try:
            copies = Path(manifest).parent.parent
            kept = [(file.path, copies / file.sha256[:2] / file.sha256) for file in files_of(Path(manifest))]
            return _laid_out(kept, Path(key[1]), folder)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _laid_out(files: Iterable[tuple[str, Path]], root: Path, folder: Path) -> str:
    """Links under the paths of some files to where they are."""
    place = folder / root.name
    for path, there in files:
        if not there.is_file():
            raise FileNotFoundError(there)
        link = place if Path(path) == root else place / Path(path).relative_to(root)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(there)
    return str(place)


def _gone(leaf: ExecutableLeaf, told: Availability) -> str:
    return f"version {leaf.delta_version} of {_named(leaf)}, which it read, is gone: {told.reason}"


def _named(leaf: ExecutableLeaf) -> Any:
    return leaf.name or leaf.location or (leaf.paths[0] if leaf.paths else f"leaf {leaf.number}")
