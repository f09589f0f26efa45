"""What a dataset is called: OpenLineage's dataset naming, from locations in all their spellings.

The rules are those of https://openlineage.io/docs/spec/naming (read in October 2025): the namespace is the store, the name
is the place in it. A namespace ends without a slash, a name of a local file begins with one, that of an object does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

DatasetKey: TypeAlias = tuple[str, str]
"""(namespace, name)."""

_SCHEMES: Final = {"s3a": "s3", "s3n": "s3", "abfs": "abfss", "wasb": "wasbs", "viewfs": "hdfs", "webhdfs": "hdfs"}
_OBJECT_STORES: Final = frozenset({"s3", "gs", "abfss", "wasbs", "oss", "cosn", "obs"})
_HOSTS: Final = frozenset({"hdfs", "webhdfs", "viewfs", "file"})
"""Schemes whose authority is a machine, which has no case; a bucket may have one."""
_PARTITION: Final = re.compile(r"[^/=]+=[^/]*")
_PART_FILE: Final = re.compile(r"part-\d{5}-.+")
"""What Spark calls the files that it writes into a dataset's folder: one of them is no dataset of its own."""
_GLOB: Final = re.compile(r"(?<!\\)[*?\[{]")
"""Behind a backslash it is a letter of the name."""


_ALIKE: Final = (("s3", "s3a", "s3n"), ("abfss", "abfs"), ("wasbs", "wasb"))


def spellings(scheme: str) -> tuple[str, ...]:
    """The schemes under which the same file has the same path but for the scheme, this one first."""
    alike = next((group for group in _ALIKE if scheme in group), ())
    return scheme, *(other for other in alike if other != scheme)


@dataclass(frozen=True, slots=True)
class Place:
    """A dataset's name, and what its path said beyond it: `partition` is the folded tail, such as ``version=2``."""

    namespace: str
    name: str
    partition: str | None = None

    @property
    def key(self) -> DatasetKey:
        return self.namespace, self.name


def exact_place(path: str) -> Place:
    """The dataset whose own place a path is, as that of a Delta table's log: nothing is folded."""
    return Place(*split(path))


def place_asked(path: str) -> Place:
    """As `place_of`, of a path that a reader was given: it may be a glob, which is the folder that it searches.

    ``/x/*.csv`` and ``/x/dt=*/a.csv`` are ``/x``.
    """
    segments = path.split("/")
    for position, segment in enumerate(segments):
        if _GLOB.search(segment):
            return place_of("/".join(segments[:position]) or "/")
    return place_of(path)


def place_of(path: str) -> Place:
    """The dataset that files or a folder belong to: partition folders fold to their root.

    ``/x/dt=2024-01-01/part.csv``, ``file:///x/`` and the file ``/x/part-00000-<uuid>.csv`` that Spark wrote there are all the
    dataset ``/x``; ``/x/a.csv`` and ``/x/run[1]`` are themselves.
    """
    namespace, name = split(path)
    segments = name.split("/")
    kept = _without_partitions(segments)
    partition = "/".join(segment for segment in segments[kept:] if _PARTITION.fullmatch(segment))
    return Place(namespace, _join(namespace, segments[:kept]), partition or None)


def places_of(paths: Iterable[str], folders: Iterable[str] = ()) -> tuple[Place, ...]:
    """The datasets that the paths of one read belong to, in order, each once.

    Several files of one folder are that folder: what a reader was given as a glob arrives as the list of what it matched.
    `folders` are those of the paths that are none, though they are called like files (``/x/orders_2024.parquet``).
    """
    places = [place_of(path) for path in paths]
    known = {place_of(path).name for path in folders}
    siblings: dict[DatasetKey, int] = {}
    for place in places:
        if _is_file(place.name) and place.name not in known:
            siblings[parent_of(place)] = siblings.get(parent_of(place), 0) + 1
    folded: dict[DatasetKey, Place] = {}
    for place in places:
        if _is_file(place.name) and place.name not in known and siblings[parent_of(place)] > 1:
            place = Place(*parent_of(place))
        folded.setdefault(place.key, place)
    return tuple(folded.values())


def globbed_root(asked: str | None, paths: Sequence[str]) -> str | None:
    """The folder that a glob searched, None where the path asked for is no glob.

    `asked` may be relative, `paths` are what it matched, absolute: the folder is then the part of a path up to where the
    glob's fixed part ends. What was opened as it is spelt was none.
    """
    match = _GLOB.search(asked or "")
    if asked is None or match is None or split(asked) in map(split, paths):
        return None
    fixed = asked[: match.start()].rpartition("/")[0]
    if is_absolute(asked):
        return fixed or "/"
    for path in paths:
        head, found, _ = path.partition(f"/{fixed.removeprefix('./')}/") if fixed not in ("", ".") else ("", "", "")
        if found:
            return head + found.rstrip("/")
    return None


def location_of(place: Place, path: str) -> str:
    """Where the dataset is, as Spark opens it: the part of a path that is its own, under the scheme that it was read with."""
    if place.namespace == "file":
        return f"file:{place.name}"
    store = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(//[^/]*)?", path)
    return f"{store[0] if store else place.namespace}/{place.name.lstrip('/')}"


def is_absolute(path: str) -> bool:
    """Whether a path says by itself where it is, rather than from a working directory."""
    return re.match(r"/|[A-Za-z][A-Za-z0-9+.-]*:", path) is not None


def split(path: str) -> DatasetKey:
    """Namespace and name of one exact path, with nothing folded."""
    scheme, authority, rest = _parse(path)
    if scheme in ("", "file"):
        return ("file" if authority in ("", "localhost") else f"file://{authority}"), _tidy(rest)
    scheme = _SCHEMES.get(scheme, scheme)
    if scheme == "dbfs":
        return ("dbfs", _tidy(rest)) if not authority else (f"dbfs://{authority}", _tidy(rest))
    namespace = f"{scheme}://{authority}"
    name = _tidy(rest)
    return namespace, (name.lstrip("/") or "/") if scheme in _OBJECT_STORES else name


def parent_of(place: Place) -> DatasetKey:
    """The folder around a dataset."""
    head = place.name.rpartition("/")[0]
    return place.namespace, head or "/"


def aliases_of(parts: Iterable[str], current_database: str | None = None) -> tuple[str, ...]:
    """The names that a table is called by, shortest last: ``spark_catalog.default.t``, ``default.t``, ``t``.

    The bare name is an alias only in the database that was current.
    """
    parts = tuple(part for part in parts if part)
    if not parts:
        return ()
    if len(parts) == 1:
        parts = (current_database, *parts) if current_database else parts
    if len(parts) == 2:
        parts = ("spark_catalog", *parts)
    spellings = [parts]
    if parts[0] == "spark_catalog" and len(parts) == 3:
        spellings.append(parts[1:])
        if parts[1] == (current_database or "default"):
            spellings.append(parts[2:])
    return tuple(".".join(spelling) for spelling in spellings)


def table_parts(name: str) -> tuple[str, ...]:
    """The parts of a table's name in text, back-quotes taken out."""
    return tuple(quoted.replace("``", "`") or bare for quoted, bare in re.findall(r"`((?:[^`]|``)+)`|([^.`]+)", name))


def _parse(path: str) -> tuple[str, str, str]:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", path, re.DOTALL)
    if match is None:
        return "", "", path
    scheme, rest = match[1].lower(), match[2]
    if not rest.startswith("//"):
        return scheme, "", rest
    authority, slash, tail = rest[2:].partition("/")
    if scheme in ("abfss", "abfs", "wasb", "wasbs"):
        box, at, host = authority.rpartition("@")
        return scheme, box + at + host.lower(), slash + tail
    authority = authority.rpartition("@")[2]
    return scheme, authority.lower() if scheme in _HOSTS else authority, slash + tail


def _tidy(path: str) -> str:
    """One slash at the front, single ones within, none at the end; ``.`` and ``..`` followed."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment and segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


def _without_partitions(segments: list[str]) -> int:
    """How many segments are left when the tail of partition folders, and the file in them, is taken off."""
    end = len(segments)
    last, around = segments[-1], segments[-2] if end >= 2 else ""
    if around and (_PART_FILE.fullmatch(last) or (_is_file(last) and _PARTITION.fullmatch(around))):
        end -= 1
    while end > 1 and _PARTITION.fullmatch(segments[end - 1]):
        end -= 1
    return end


def _is_file(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith("part-") or re.search(r"\.[A-Za-z][A-Za-z0-9]{0,9}$", last) is not None


def _join(namespace: str, segments: list[str]) -> str:
    name = "/".join(segments)
    return name or "/"
