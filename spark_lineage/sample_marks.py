"""A sample of rows that a program asks for of a frame, as the alias that the frame carries: as ``model_marks.py`` does.

The alias stands in the analyzed plan of whatever is made of the frame, and from there in the table `plans`.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from typing import Any, Final

LONGEST: Final = 3_900
"""Characters that a document keeps of an alias."""
MARK: Final = "spark_lineage_samples:"


@dataclass(frozen=True, slots=True)
class Sample:
    """Of which rows that are written the source rows are kept: a `fraction` of them, and of each at most `per_row` rows of a source.

    `column`: a column of this name is added to the rows, which holds the key of those that are chosen (`target_key` of `row_lineage`).
    `key`: columns whose values choose the rows; see `track`.
    """

    fraction: float = 0.01
    per_row: int = 1_000
    column: str | None = None
    key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction is {self.fraction}; set it to a number above 0, up to 1")
        if self.per_row < 1:
            raise ValueError(f"per_row is {self.per_row}; set it to 1 or more")


def bound_of(fraction: float) -> int:
    """A row is chosen whose key's hash (`xxhash64`, a signed number of 64 bits) is below this."""
    return min(-(2**63) + int(fraction * 2**64), 2**63 - 1)


def fraction_of(bound: int) -> float:
    """The other way round."""
    return (bound + 2**63) / 2**64


def is_hashed(data_type: str) -> bool:
    """Whether Spark's `xxhash64` takes values of the type, as Spark spells it."""
    return "map<" not in data_type and "variant" not in data_type


def alias_of(sample: Sample) -> str:
    """The alias that says it. Raises ValueError where that would be too long for a document."""
    said: dict[str, Any] = {"fraction": sample.fraction, "per_row": sample.per_row, "column": sample.column, "key": sample.key}
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
    alias = MARK + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    if len(alias) > LONGEST:
        raise ValueError(f"{len(sample.key)} columns are too many to be named as a key")
    return alias


def sample_of(alias: str) -> Sample | None:
    """What an alias asks for; None for any other alias, and for one that cannot be read."""
    if not alias.startswith(MARK):
        return None
    encoded = alias.removeprefix(MARK)
    try:
        said = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        sample = Sample(float(said["fraction"]), int(said["per_row"]), said["column"])
        return replace(sample, key=tuple(map(str, said["key"])))
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
