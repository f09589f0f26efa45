"""Rows held against each other, against the same done with lists and counters in plain Python."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.arrow_types import spark_field
from spark_lineage.snapshot.differing import Counts, differing
from spark_lineage.snapshot.kinds import Column, columns_of
from spark_lineage.snapshot.pairing import paired
from spark_lineage.snapshot.sides import Side, Told

SCHEMA = pa.schema(
    [
        ("k", pa.int64()),
        ("s", pa.string()),
        ("f", pa.float64()),
        ("l", pa.list_(pa.int32())),
        ("r", pa.struct([("a", pa.int64()), ("b", pa.string())])),
    ]
)
NAMES = tuple(SCHEMA.names)
few = st.one_of(st.none(), st.integers(0, 2))
floats = st.sampled_from([None, 0.0, -0.0, 1.0, 1.0000001, 1.1, math.nan, math.inf, -math.inf, 1e300, 1.0000001e300])
row = st.fixed_dictionaries(
    {
        "k": few,
        "s": st.sampled_from([None, "", "a", "a ", " a", "NULL"]),
        "f": floats,
        "l": st.one_of(st.none(), st.lists(few, max_size=2)),
        "r": st.one_of(st.none(), st.fixed_dictionaries({"a": few, "b": st.sampled_from([None, "", "x"])})),
    }
)
rows = st.lists(row, max_size=8)
fewer = settings(max_examples=40 if settings().max_examples == 100 else settings().max_examples)
"""One takes as long as a hundred of others: fewer in the normal suite, and as many as of others in the long one."""


class Held(Side):
    """Rows in memory, two at a time."""

    def __init__(self, table: pa.Table) -> None:
        self.location = "memory"
        self.table = table
        self.columns = columns_of({"fields": [spark_field(field) for field in table.schema]})

    @property
    def bytes(self) -> int:
        return int(self.table.nbytes)

    def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
        yield from self.table.select([column.stored for column in columns]).to_batches(max_chunksize=2)


def held(found: list[dict[str, Any]]) -> Held:
    return Held(pa.Table.from_pylist(found, SCHEMA))


def nothing(_: int) -> None:
    pass


def canonical(value: Any, trimmed: bool = False) -> Any:
    """What two equal values have in common: one zero, one NaN."""
    if isinstance(value, dict):
        return tuple((name, canonical(one)) for name, one in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", *(canonical(one) for one in value))
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else (0.0 if value == 0 else value)
    return value.rstrip(" ") if trimmed and isinstance(value, str) else value


def whole(one: dict[str, Any], trimmed: bool = False) -> tuple[Any, ...]:
    return tuple(canonical(one[name], trimmed) for name in NAMES)


def residue(here: list[Any], there: list[Any]) -> tuple[Counter[Any], Counter[Any]]:
    one, other = Counter(here), Counter(there)
    return one - other, other - one


@fewer
@given(rows, rows, st.booleans())
def test_rows_only_here_and_only_there(here: list[Any], there: list[Any], trimmed: bool) -> None:
    sides = held(here), held(there)
    pairing = paired(sides[0].columns, sides[1].columns, trim=("s",) if trimmed else ())
    only = residue([whole(one, trimmed) for one in here], [whole(one, trimmed) for one in there])
    with differing(sides, pairing, nothing) as found:
        counts = found.count()
        columns = found.differing_columns()
        sample_here, sample_there, _ = found.sample(100, False)
    order = [pair.name for pair in pairing.pairs]
    assert counts == Counts(only[0].total(), only[1].total())
    for sample, expected in ((sample_here, only[0]), (sample_there, only[1])):
        told = [whole(dict(zip(order, one, strict=True)), trimmed) for one in sample]
        assert sorted(map(repr, told)) == sorted(map(repr, expected))
    differ = [
        name
        for at, name in enumerate(NAMES)
        if Counter(one[at] for one in only[0].elements()) != Counter(one[at] for one in only[1].elements())
    ]
    assert columns == sorted(differ)


@fewer
@given(rows, rows, st.sampled_from([("k",), ("k", "s")]), st.sampled_from([None, 1e-6, 0.5]))
def test_rows_by_their_key(here: list[Any], there: list[Any], key: tuple[str, ...], tolerance: float | None) -> None:
    sides = held(here), held(there)
    pairing = paired(sides[0].columns, sides[1].columns, key)
    only = residue([whole(one) for one in here], [whole(one) for one in there])
    keyed: dict[Any, tuple[list[Any], list[Any]]] = {}
    for side in (0, 1):
        for one in only[side].elements():
            keyed.setdefault(tuple(one[NAMES.index(name)] for name in key), ([], []))[side].append(one)
    pairs = [(one[0], other[0]) for one, other in keyed.values() if len(one) == len(other) == 1]
    expected: Counter[str] = Counter()
    changed = []
    for one, other in pairs:
        differ = {name for at, name in enumerate(NAMES) if not near(one[at], other[at], tolerance if name == "f" else None)}
        expected.update(differ)
        changed += [(repr(one), repr(other), differ)] if differ else []
    with differing(sides, pairing, nothing) as found:
        counts = found.count()
        cells, within = found.changed_cells(tolerance)
        sample_here, sample_there, sample = found.sample(100, True)
    order = [pair.name for pair in pairing.pairs]
    assert (counts.changed, within) == (len(pairs), len(pairs) - len(changed))
    assert counts.duplicate_keys == sum(len(one) > 1 or len(other) > 1 for one, other in keyed.values())
    alone = [sum(len(two[side]) for two in keyed.values()) - len(pairs) for side in (0, 1)]
    assert [counts.only_here, counts.only_there] == alone
    assert cells == dict(expected)
    told = [
        (*(repr(whole(dict(zip(order, one, strict=True)))) for one in (pair.here, pair.there)), set(pair.columns))
        for pair in sample
    ]
    assert sorted(told, key=str) == sorted(changed, key=str)
    assert len(sample_here) <= alone[0]
    assert len(sample_there) <= alone[1]


def near(one: Any, other: Any, tolerance: float | None) -> bool:
    if one == other:
        return True
    if tolerance is None or not all(isinstance(value, float) and math.isfinite(value) for value in (one, other)):
        return False
    return abs(one - other) <= tolerance * max(1, abs(one), abs(other))


def test_what_a_side_says_is_told_as_it_is() -> None:
    class Broken(Held):
        def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
            yield from super().batches(columns, told)
            raise SnapshotError("a file is gone")

    sides = held([]), Broken(pa.Table.from_pylist([{"k": 1}], SCHEMA))
    pairing = paired(sides[0].columns, sides[1].columns)
    with pytest.raises(SnapshotError, match=r"^a file is gone$"), differing(sides, pairing, nothing) as found:
        found.count()


def test_a_side_that_changes_between_two_readings() -> None:
    sides = held([]), held([{"k": 1}])
    pairing = paired(sides[0].columns, sides[1].columns)
    with differing(sides, pairing, nothing) as found:
        found.count()
        sides[1].table = sides[1].table.slice(0, 0)
        with pytest.raises(SnapshotError, match="has changed while it was read"):
            found.sample(1, False)


def test_a_time_that_spark_cannot_hold() -> None:
    sides = [Held(pa.table({"t": pa.array([number], pa.timestamp("ns"))})) for number in (1_000, 1_001)]
    pairing = paired(sides[0].columns, sides[1].columns)
    with (
        differing((sides[0], sides[1]), pairing, nothing) as found,
        pytest.raises(SnapshotError, match="memory has values that Spark cannot hold"),
    ):
        found.count()


def test_days_and_times_that_python_does_not_have_are_texts() -> None:
    day = pa.array([2_932_897, -719_163 - 366], pa.int32()).cast(pa.date32())
    time = pa.array([253_402_300_800_000_001, -62_135_596_800_000_001]).cast(pa.timestamp("us", "UTC"))
    offsets = pa.array([0, 1, 2], pa.int32())
    table = pa.table(
        {
            "d": day,
            "t": time,
            "l": pa.ListArray.from_arrays(offsets, day),
            "m": pa.MapArray.from_arrays(offsets, pa.array([1, 2]), day),
            "s": pa.StructArray.from_arrays([day, pa.array([1, 2])], ["a", "b"]),
        }
    )
    sides = Held(table), Held(table.slice(0, 0))
    pairing = paired(sides[0].columns, sides[1].columns)
    with differing(sides, pairing, nothing) as found:
        found.count()
        rows, _, _ = found.sample(2, False)
    assert [pair.name for pair in pairing.pairs] == ["d", "l", "m", "s", "t"]
    days = "+10000-01-01", "-0001-12-31"
    times = "+10000-01-01T00:00:00.000001+00:00", "0000-12-31T23:59:59.999999+00:00"
    expected = [
        (day, (day,), ((at, day),), {"a": day, "b": at}, time) for at, day, time in zip((1, 2), days, times, strict=True)
    ]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_a_folder_for_what_goes_to_disk_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "o'brien's"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    sides = held([{"k": 1}]), held([])
    with differing(sides, paired(sides[0].columns, sides[1].columns), nothing) as found:
        assert found.count() == Counts(1, 0)
