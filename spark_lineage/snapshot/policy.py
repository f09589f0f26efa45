"""Which versions get a checksum without anybody asking: the options `snapshots` and their like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from ..config import Settings
from ..lineage.limits import Limits
from ..model import Observed
from ..store.listing import WHOLE


class Version(Protocol):
    """What a row of `inputs` or `outputs` says of a version."""

    @property
    def execution_id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def alias(self) -> str | None: ...
    @property
    def table_id(self) -> str | None: ...
    @property
    def delta_version(self) -> int | None: ...
    @property
    def fingerprint(self) -> str | None: ...


class Written(Version, Protocol):
    """Of `outputs`: also what was summed in the write."""

    @property
    def observed_rows(self) -> int | None: ...
    @property
    def observed_checksum(self) -> str | None: ...
    @property
    def observed_classes(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version of a Delta table, or files whose listing has a `fingerprint`, that are to have a checksum; `execution_id` wrote
    them (None: they were read)."""

    namespace: str
    name: str
    table_id: str | None
    version: int | None
    execution_id: str | None = None
    observed: Observed | None = None
    fingerprint: str | None = None

    @property
    def identity(self) -> tuple[str | int | None, ...]:
        """What it is called in `snapshots`."""
        return identity(self.namespace, self.name, self.table_id, self.version, self.fingerprint)

    @property
    def text(self) -> str:
        return text_of(self.version, self.name)


def text_of(version: int | None, name: str) -> str:
    """What people are told that it is."""
    return f"{'its files' if version is None else f'version {version}'} of {name}"


def identity(
    namespace: str, name: str, table_id: str | None, version: int | None, fingerprint: str | None
) -> tuple[str | int | None, ...]:
    """By which a version is known again; a folder that was copied has the table's id, too, and versions of its own."""
    return (namespace, name, fingerprint) if version is None else (namespace, name, table_id, version)


@dataclass(frozen=True, slots=True)
class Policy:
    """`when` is off, outputs or all; `max_bytes` bounds the data files that are read for a version."""

    when: str
    datasets: Limits
    max_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        datasets = Limits(tuple(settings.snapshots_allow), tuple(settings.snapshots_deny))
        return cls(str(settings.snapshots), datasets, int(settings.snapshots_max_bytes))

    def wanted(self, outputs: Iterable[Written], inputs: Iterable[Version]) -> Iterator[Wanted]:
        """The versions that these rows are of and that it asks for, each once."""
        written = ((row, row.execution_id, _observed(row)) for row in outputs if self.when != "off")
        read = ((row, None, None) for row in inputs if self.when == "all")
        seen = set()
        for row, writer, observed in chain(written, read):
            listing = row.fingerprint if row.fingerprint and row.fingerprint.startswith(WHOLE) else None
            if row.table_id is None or row.delta_version is None:
                one = Wanted(row.namespace, row.name, None, None, writer, fingerprint=listing)
            else:
                one = Wanted(row.namespace, row.name, row.table_id, row.delta_version, writer, observed)
            if (one.version is None and listing is None) or one.identity in seen:
                continue
            if self.datasets.admits_place(row.name, f"{row.namespace}/{row.name}", row.alias):
                seen.add(one.identity)
                yield one


def _observed(row: Written) -> Observed | None:
    if row.observed_rows is None or row.observed_checksum is None or row.observed_classes is None:
        return None
    return Observed(row.observed_rows, row.observed_checksum, row.observed_classes)
