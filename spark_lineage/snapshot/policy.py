"""Which versions get a checksum without anybody asking: the options `snapshots` and their like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from ..config import Settings
from ..lineage.limits import Limits


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version of a Delta table that is to have a checksum; `execution_id` wrote it (None: it was read)."""

    namespace: str
    name: str
    table_id: str
    version: int
    execution_id: str | None = None


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

    def wanted(self, outputs: Iterable[Version], inputs: Iterable[Version]) -> Iterator[Wanted]:
        """The versions that these rows are of and that it asks for, each once."""
        written = ((row, row.execution_id) for row in outputs if self.when != "off")
        read = ((row, None) for row in inputs if self.when == "all")
        seen: set[tuple[str, int]] = set()
        for row, writer in chain(written, read):
            if row.table_id is None or row.delta_version is None or (row.table_id, row.delta_version) in seen:
                continue
            if self.datasets.admits_place(row.name, f"{row.namespace}/{row.name}", row.alias):
                seen.add((row.table_id, row.delta_version))
                yield Wanted(row.namespace, row.name, row.table_id, row.delta_version, writer)
