"""What a person may call a dataset, and which one is meant.

A dataset is known by its location, its catalog names and every spelling it was read or written under. A question names it by any
of these, or by the end of one: ``churn_predictions``, ``marts/revenue``, ``default.t``, ``./lake/t/``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import Ambiguous, NotFound

Key = tuple[str, str]
"""A dataset: (namespace, name)."""

_FORMAT_PATH = re.compile(r"^(?:delta|parquet|csv|json|orc|text|avro)\.`(.+)`$", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """A dataset and its spellings, over all its incarnations."""

    key: Key
    aliases: tuple[str, ...] = ()
    location: str | None = None

    @cached_property
    def spellings(self) -> frozenset[str]:
        namespace, name = self.key
        full = (name, namespace.rstrip("/") + "/" + name.lstrip("/"), namespace + "." + name)
        return frozenset(_normal(text) for text in (*full, *self.aliases, self.location) if text)

    @cached_property
    def ends(self) -> frozenset[str]:
        """Every end of every spelling that starts where a part of the path or of the catalog name starts."""
        return frozenset(end for spelling in self.spellings for end in _ends(spelling))

    @cached_property
    def stems(self) -> frozenset[str]:
        """The ends, without the extension of a file's name or the glob that a path ends in."""
        return frozenset(_stem(end) for end in self.ends)


@dataclass(frozen=True)
class Named:
    """What a text means: a dataset, or a column of one."""

    dataset: Key
    column: str | None = None


class Names:
    """The datasets of a store, by what they may be called."""

    def __init__(self, known: Iterable[Known]) -> None:
        self.known = {dataset.key: dataset for dataset in known}

    def dataset(self, text: str) -> Key:
        """The dataset that `text` names. Raises `NotFound`, with near names, or `Ambiguous`."""
        found = self._matches(text)
        if not found:
            raise NotFound(f"no dataset called {text!r} is recorded{self._near(text)}")
        return _the_one(text, found)

    def column(self, text: str) -> Named:
        """The dataset or ``dataset.column`` that `text` names: the longest part of it that is a dataset wins."""
        for dataset, column in _splits(text):
            if found := self._matches(dataset):
                return Named(_the_one(dataset, found), column)
        raise NotFound(f"no dataset, and no column of one, called {text!r} is recorded{self._near(text)}")

    def label(self, key: Key) -> str:
        """The shortest text that names this dataset: its catalog name, or the end of its path that is its alone."""
        known = self.known.get(key)
        if known is None:
            return key[1]
        catalog = sorted((alias for alias in known.aliases if "/" not in alias), key=len)
        if catalog:
            short = catalog[0].removeprefix("spark_catalog.")
            return short if self._users.get(_normal(short).lower(), 0) == 1 else catalog[0]
        ends = sorted(_ends(_normal(known.key[1])), key=len)
        return next((end for end in ends if self._users.get(end.lower(), 0) == 1), known.key[1])

    @cached_property
    def _users(self) -> dict[str, int]:
        """How many datasets could be meant by each end, regardless of case."""
        users: dict[str, int] = {}
        for known in self.known.values():
            for end in {end.lower() for end in known.ends}:
                users[end] = users.get(end, 0) + 1
        return users

    def _matches(self, text: str) -> list[Key]:
        """Those that fit best: exact spellings before ends before stems, the same case before any."""
        wanted = _normal(text)
        absolute = _normal(str(Path(text).absolute())) if text.startswith(".") else wanted
        rules: tuple[Callable[[Known], bool], ...] = (
            lambda known: wanted in known.spellings or absolute in known.spellings,
            lambda known: wanted in known.ends,
            lambda known: wanted in known.stems,
            lambda known: wanted.lower() in {end.lower() for end in known.ends | known.stems},
        )
        for fits in rules:
            if found := [key for key, known in self.known.items() if fits(known)]:
                return found
        return []

    def _near(self, text: str) -> str:
        if not self.known:
            return ": the store has no datasets yet"
        labels = {self.label(key) for key in self.known}
        wanted = [text, *(dataset for dataset, _ in _splits(text))]
        near = list(dict.fromkeys(n for w in wanted for n in difflib.get_close_matches(w, labels, n=3, cutoff=0.6)))
        if near:
            return f". Near names: {', '.join(near[:3])}"
        return "; `spark-lineage datasets` lists all that are"


def near_columns(column: str, columns: Sequence[str]) -> str:
    """What to say after 'no such column'."""
    near = difflib.get_close_matches(column, columns, n=3, cutoff=0.6)
    if near:
        return f". Near names: {', '.join(near)}"
    return f". It has: {', '.join(columns[:20])}{' and more' if len(columns) > 20 else ''}" if columns else ""


def _the_one(text: str, found: list[Key]) -> Key:
    if len(found) == 1:
        return found[0]
    candidates = tuple(sorted(f"{name} (in {namespace})" for namespace, name in found))
    raise Ambiguous(f"{text!r} fits {len(found)} datasets: {'; '.join(candidates)}. Write more of the name.", candidates)


def _splits(text: str) -> Iterator[tuple[str, str | None]]:
    """The text as a whole, then as dataset and column, longest dataset first; a dot within backticks does not split."""
    yield text, None
    quoted = False
    for position in range(len(text) - 1, 0, -1):
        quoted ^= text[position] == "`"
        if text[position] == "." and not quoted and text[position + 1 :]:
            yield text[:position], text[position + 1 :].replace("`", "")


def _normal(text: str) -> str:
    """One spelling for the many of a path: ``file:/x``, ``file:///x/``, ``delta.`/x` `` are ``/x``; ``s3a://`` is ``s3://``."""
    text = text.strip()
    if path := _FORMAT_PATH.match(text):
        text = path[1]
    text = text.replace("`", "")
    text = re.sub(r"^file:/*", "/", text)
    text = re.sub(r"^s3[an]://", "s3://", text)
    scheme, mark, rest = text.rpartition("://")
    rest = re.sub(r"/{2,}", "/", rest)
    return scheme + mark + (rest.rstrip("/") or rest)


def _ends(spelling: str) -> Iterator[str]:
    yield spelling
    mark = "/" if "/" in spelling else "."
    for position, character in enumerate(spelling):
        if character == mark and spelling[position + 1 :]:
            yield spelling[position + 1 :]


def _stem(end: str) -> str:
    folder, mark, last = end.rpartition("/")
    if "*" in last and folder:
        return _stem(folder)
    return (
        folder
        + mark
        + (re.sub(r"(?<=.)\.(?:csv|json|jsonl|parquet|orc|avro|txt|gz|bz2|zst)(?:\.\w+)?$", "", last) if last else "")
    )
