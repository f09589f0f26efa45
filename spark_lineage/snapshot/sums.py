"""The sum of row hashes: what a checksum is made of, and how it is written; and what an algorithm is that makes such sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from .kinds import MASK64, Column
from .xxh64 import Words


@dataclass(frozen=True, slots=True)
class Sums:
    """How many rows, and the sums of their hashes in each lane, modulo 2^64. Those of parts add up to that of the whole."""

    rows: int
    first: int
    second: int

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.rows + other.rows, (self.first + other.first) & MASK64, (self.second + other.second) & MASK64)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.rows - other.rows, (self.first - other.first) & MASK64, (self.second - other.second) & MASK64)

    @property
    def checksum(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.first:016x}{self.second:016x}"

    @classmethod
    def of(cls, hashes: Words) -> Sums:
        """Of the hashes of rows, shape (lanes, rows)."""
        first, second = (int(lane.sum(dtype=np.uint64)) for lane in hashes)
        return cls(hashes.shape[1], first, second)

    @classmethod
    def parse(cls, rows: int, checksum: str) -> Sums:
        return cls(rows, int(checksum[:16], 16), int(checksum[16:], 16))


Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) after each file."""


class Summing(Protocol):
    """What makes sums of rows that add up."""

    @property
    def zero(self) -> Any: ...

    def of(self, batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Any: ...


class Scheme(Summing, Protocol):
    """An algorithm: sums, with `rows`, and how they are written down.

    `bound` names what a text is of (a version, a data file): one that is kept by a key cannot be put in the place of another.
    """

    @property
    def algorithm(self) -> str:
        """Under which its sums are kept: those of another name are not held against them."""
        ...

    def text(self, sums: Any, bound: str) -> str: ...

    def parse(self, rows: int, checksum: str, bound: str) -> Any: ...
