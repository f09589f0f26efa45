"""Which rows two sides do not have in common, in bounded memory: hashes of rows go through DuckDB, which puts them on disk.

Two rows are equal when their hashes of docs/checksum.md are. A row that is here three times and there once is twice only here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SnapshotError
from .arrow import row_hashes, without_views
from .difference import ChangedRow, Row
from .kinds import Column, Kind
from .pairing import Pairing
from .python_values import python_value
from .sides import Side, Told
from .sums import Sums
from .xxh64 import Words

_MEMORY = "256MB"
_ROWS_AT_A_TIME = 1 << 16
_PLACES = 1 << 22
"""Of the table that tells by its hash whether a row may be wanted: one byte each."""
_HASHES = [("h0", pa.uint64()), ("h1", pa.uint64())]
_KEYS = [("k0", pa.uint64()), ("k1", pa.uint64())]
HERE, THERE = 0, 1
_PAIRED = "here = 1 AND there = 1"

_Wanted = npt.NDArray[np.bool_]
_Hash = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the rows that are not on both sides; the two of a key that has one of them on each side are `changed`."""

    only_here: int
    only_there: int
    changed: int = 0
    duplicate_keys: int = 0


class Differing:
    """The rows of two sides, held against each other. `count` comes first; each method that tells more reads the rows once."""

    def __init__(self, connection: Any, sides: tuple[Side, Side], pairing: Pairing, told: Told) -> None:
        self._connection, self._sides, self._pairing, self._told = connection, sides, pairing, told
        self._columns = tuple(pair.here for pair in pairing.pairs), tuple(pair.there for pair in pairing.pairs)
        self._keys = tuple(pair.here for pair in pairing.key), tuple(pair.there for pair in pairing.key)
        self._sampled: tuple[dict[_Hash, Row | None], dict[_Hash, Row | None]] = ({}, {})
        self.rows = [0, 0]
        """How many were read of each side by `count`."""

    def count(self) -> Counts:
        names = [name for name, _ in (_HASHES + _KEYS if self._keys[HERE] else _HASHES)]
        columns = ", ".join(names)
        self._run(f"CREATE TABLE hashes ({', '.join(f'{name} UBIGINT' for name in names)}, n TINYINT)")
        for side in (HERE, THERE):
            self._insert(
                "hashes", "FROM incoming", [(name, pa.uint64()) for name in names] + [("n", pa.int8())], self._hashes(side)
            )
        self._run(
            f"CREATE TABLE differing AS SELECT {columns}, sum(n)::BIGINT AS n FROM hashes GROUP BY ALL HAVING sum(n) <> 0"
        )
        self._run("DROP TABLE hashes")
        sums = "coalesce(sum(n) FILTER (n > 0), 0)::BIGINT AS here, coalesce(-sum(n) FILTER (n < 0), 0)::BIGINT AS there"
        if not self._keys[HERE]:
            return Counts(*self._one(f"SELECT {sums} FROM differing"))
        self._run(f"CREATE TABLE keys AS SELECT k0, k1, {sums} FROM differing GROUP BY k0, k1")
        alone = f"FILTER (NOT ({_PAIRED}))"
        return Counts(
            *self._one(
                f"SELECT coalesce(sum(here) {alone}, 0)::BIGINT, coalesce(sum(there) {alone}, 0)::BIGINT, "
                f"count(*) FILTER ({_PAIRED}), count(*) FILTER (here > 1 OR there > 1) FROM keys"
            )
        )

    def differing_columns(self) -> list[str]:
        """Those in which the rows that differ do, told by the sums of each column's hashes: there is no key, and so no pairs."""
        wanted = self._places("SELECT h0 FROM differing")
        sums = [[Sums(0, 0, 0), Sums(0, 0, 0)] for _ in self._pairing.pairs]
        for side in (HERE, THERE):
            # a row that is on both sides and has the place of a differing one goes into both sums
            for batch, _ in self._picked(side, wanted):
                for at, column in enumerate(self._columns[side]):
                    sums[at][side] += Sums.of(row_hashes(batch, (column,)))
        named = zip(self._pairing.pairs, sums, strict=True)
        return [pair.name for pair, (here, there) in named if here.checksum != there.checksum]

    def changed_cells(self, tolerance: float | None) -> tuple[dict[str, int], int]:
        """In how many of the changed rows each column differs, and how many of these rows differ by no more than the tolerance."""
        self._run(
            f"CREATE TABLE changing AS SELECT h0, h1, n > 0 AS here FROM differing SEMI JOIN (FROM keys WHERE {_PAIRED}) USING (k0, k1)"
        )
        wanted = self._places("SELECT h0 FROM changing")
        near = [tolerance is not None and pair.kind.name == "floating" for pair in self._pairing.pairs]
        cells = [(f"c{at}", pa.float64() if is_near else pa.uint64()) for at, is_near in enumerate(near)]
        for side, name in ((HERE, "cells_here"), (THERE, "cells_there")):
            schema = pa.schema(_HASHES + _KEYS + cells)
            self._connection.register("incoming", schema.empty_table())
            self._run(f"CREATE TABLE {name} AS FROM incoming")
            theirs = f"SELECT h0, h1 FROM changing WHERE here = {side == HERE}"
            select = f"SELECT DISTINCT incoming.* FROM incoming SEMI JOIN ({theirs}) USING (h0, h1)"
            self._insert(name, select, list(_HASHES + _KEYS + cells), self._cells(side, wanted, near))
        numbers = range(len(near))
        verdicts = ", ".join(f"{_differs(f'c{at}', tolerance if near[at] else None)} AS d{at}" for at in numbers)
        self._run(
            "CREATE TABLE verdicts AS SELECT k0, k1, a.h0 AS here0, a.h1 AS here1, b.h0 AS there0, b.h1 AS there1, "
            f"{verdicts} FROM cells_here a JOIN cells_there b USING (k0, k1)"
        )
        some = " OR ".join(f"d{at}" for at in numbers)
        counted = ", ".join(f"count(*) FILTER (d{at})" for at in numbers)
        *rows, within = self._one(f"SELECT {counted}, count(*) FILTER (NOT ({some})) FROM verdicts")
        self._run(f"DELETE FROM verdicts WHERE NOT ({some})")
        return {pair.name: found for pair, found in zip(self._pairing.pairs, rows, strict=True) if found}, within

    def choose(self, size: int) -> None:
        """So many rows at most that are only here, only there, and changed are kept for `sample` when the rows are read next: those
        whose hashes come first, the same each time."""
        for side in (HERE, THERE):
            self._sampled[side].update(dict.fromkeys(self._alone(side, size)))
        if self._keys[HERE]:
            first = f"SELECT k0, k1 FROM keys WHERE {_PAIRED} ORDER BY k0, k1 LIMIT {size}"
            for one, other, number in self._all(f"SELECT h0, h1, n FROM differing SEMI JOIN ({first}) USING (k0, k1)"):
                self._sampled[HERE if number > 0 else THERE][one, other] = None

    def sample(self, size: int, changed: bool) -> tuple[list[Row], list[Row], list[ChangedRow]]:
        """The rows that were chosen. `changed`: `changed_cells` was asked and there are some. Reads the rows again where that
        told others than were chosen, or nothing was asked since."""
        alone = self._alone(HERE, size), self._alone(THERE, size)
        pairs = self._all(f"SELECT * EXCLUDE (k0, k1) FROM verdicts ORDER BY k0, k1 LIMIT {size}") if changed else []
        here = self._rows(HERE, {*alone[HERE], *((pair[0], pair[1]) for pair in pairs)})
        there = self._rows(THERE, {*alone[THERE], *((pair[2], pair[3]) for pair in pairs)})
        names = [pair.name for pair in self._pairing.pairs]
        rows = [
            ChangedRow(
                here=here[one, two],
                there=there[three, four],
                columns=tuple(name for name, differs in zip(names, flags, strict=True) if differs),
            )
            for one, two, three, four, *flags in pairs
        ]
        return [here[one] for one in alone[HERE]], [there[one] for one in alone[THERE]], rows

    def _alone(self, side: int, size: int) -> list[_Hash]:
        unpaired = f"ANTI JOIN (FROM keys WHERE {_PAIRED}) USING (k0, k1)" if self._keys[HERE] else ""
        sign = ">" if side == HERE else "<"
        return self._all(f"SELECT h0, h1 FROM differing {unpaired} WHERE n {sign} 0 ORDER BY h0, h1 LIMIT {size}")

    def _hashes(self, side: int) -> Iterator[list[Any]]:
        for batch, hashes in self._hashed(side):
            self.rows[side] += batch.num_rows
            keys = row_hashes(batch, self._keys[side]) if self._keys[side] else ()
            yield [*hashes, *keys, np.full(batch.num_rows, 1 if side == HERE else -1, np.int8)]

    def _cells(self, side: int, wanted: _Wanted, near: list[bool]) -> Iterator[list[Any]]:
        for batch, hashes in self._picked(side, wanted):
            cells = [
                _doubles(batch, column) if is_near else row_hashes(batch, (column,))[0]
                for column, is_near in zip(self._columns[side], near, strict=True)
            ]
            yield [*hashes, *row_hashes(batch, self._keys[side]), *cells]

    def _rows(self, side: int, wanted: set[_Hash]) -> dict[_Hash, Row]:
        """Reads no further than until all are found."""
        sampled = self._sampled[side]
        sampled.update({one: None for one in wanted if one not in sampled})
        if any(sampled[one] is None for one in wanted):
            for _ in self._picked(side, np.zeros(_PLACES, np.bool_)):
                if all(sampled[one] is not None for one in wanted):
                    break
        found = {one: row for one in wanted if (row := sampled[one]) is not None}
        if len(found) < len(wanted):
            raise SnapshotError(f"{self._sides[side].location} has changed while it was read; compare again")
        return found

    def _picked(self, side: int, wanted: _Wanted) -> Iterator[tuple[pa.RecordBatch, Words]]:
        """The rows that are wanted or sampled, and some others that have the places of such. Keeps what is sampled."""
        sampled = self._sampled[side]
        places = np.zeros(_PLACES, np.bool_)
        places[[first % _PLACES for first, _ in sampled]] = True
        wanted = wanted | places
        for whole, all_hashes in self._hashed(side):
            picked = wanted[all_hashes[0] % np.uint64(_PLACES)]
            if not picked.any():
                continue
            batch, hashes = whole.filter(pa.array(picked)), all_hashes[:, picked]
            for at in np.flatnonzero(places[hashes[0] % np.uint64(_PLACES)]).tolist():
                one = int(hashes[0, at]), int(hashes[1, at])
                if one in sampled and sampled[one] is None:
                    sampled[one] = tuple(_value(batch, column, at) for column in self._columns[side])
            yield batch, hashes

    def _hashed(self, side: int) -> Iterator[tuple[pa.RecordBatch, Words]]:
        columns = self._columns[side]
        trimmed = {column.stored for column in columns if column.name in self._pairing.trimmed}
        yield from hashed(self._sides[side], columns, trimmed, self._told)

    def _places(self, query: str) -> _Wanted:
        places = np.zeros(_PLACES, np.bool_)
        found = self._run(f"SELECT DISTINCT (h0 % {_PLACES})::INTEGER AS place FROM ({query})").fetchnumpy()
        places[found["place"]] = True
        return places

    def _insert(self, table: str, select: str, schema: list[tuple[str, pa.DataType]], columns: Iterator[list[Any]]) -> None:
        """What goes wrong with a side is told as it is, and not as DuckDB's error."""
        arrow, failed = pa.schema(schema), []

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                for arrays in columns:
                    yield pa.record_batch([pa.array(array) for array in arrays], schema=arrow)
            except BaseException as error:
                failed.append(error)
                raise

        self._connection.register("incoming", pa.RecordBatchReader.from_batches(arrow, batches()))
        try:
            self._run(f"INSERT INTO {table} {select}")
        except Exception:
            if failed:
                raise failed[0] from None
            raise
        finally:
            self._connection.unregister("incoming")

    def _run(self, statement: str) -> Any:
        return self._connection.execute(statement)

    def _one(self, statement: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._run(statement).fetchone()
        return row

    def _all(self, statement: str) -> list[Any]:
        found: list[Any] = self._run(statement).fetchall()
        return found


@contextmanager
def differing(sides: tuple[Side, Side], pairing: Pairing, told: Told) -> Iterator[Differing]:
    """What it puts on disk goes when it is done with: 17 bytes of each row, 33 with a key."""
    with tempfile.TemporaryDirectory(prefix="spark-lineage-diff-") as folder:
        connection = duckdb.connect()
        try:
            for name, value in (
                ("memory_limit", _MEMORY),
                ("temp_directory", folder),
                ("preserve_insertion_order", "false"),
                ("threads", "2"),
            ):
                quoted = value.replace("'", "''")
                connection.execute(f"SET {name} = '{quoted}'")
            yield Differing(connection, sides, pairing, told)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise SnapshotError(
                f"the rows could not be held against each other in {folder}: {str(error).splitlines()[0]}; TMPDIR names a folder with more room"
            ) from error
        finally:
            connection.close()


def hashed(
    side: Side, columns: tuple[Column, ...], trimmed: Iterable[str], told: Told
) -> Iterator[tuple[pa.RecordBatch, Words]]:
    """All rows of a side with their hashes; the texts that are stored under the names `trimmed` without blanks at their end."""
    for whole in side.batches(columns, told):
        for start in range(0, whole.num_rows, _ROWS_AT_A_TIME):
            try:
                batch = without_views(whole.slice(start, _ROWS_AT_A_TIME))
                for name in trimmed:
                    batch = _trimmed(batch, name)
                hashes = row_hashes(batch, columns)
            except (pa.ArrowException, OverflowError, ValueError) as error:
                raise SnapshotError(
                    f"{side.location} has values that Spark cannot hold: {str(error).splitlines()[0].rstrip('.')}"
                ) from error
            yield batch, hashes


def _trimmed(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    if at < 0:
        return batch
    return batch.set_column(at, name, pc.utf8_rtrim(batch.column(at).cast(pa.large_string()), " "))


def _doubles(batch: pa.RecordBatch, column: Column) -> pa.Array:
    at = batch.schema.get_field_index(column.stored)
    return pa.nulls(batch.num_rows, pa.float64()) if at < 0 else batch.column(at).cast(pa.float64())


def _differs(cell: str, tolerance: float | None) -> str:
    """Whether two cells do, in SQL. A NaN is like another, as it is in a checksum; an infinity is near no number."""
    one, other = f"a.{cell}", f"b.{cell}"
    if tolerance is None:
        return f"({one} IS DISTINCT FROM {other})"
    bound = f"{tolerance!r}::DOUBLE * greatest(1, abs({one}), abs({other}))"
    near = f"isfinite({one}) AND isfinite({other}) AND abs({one} - {other}) <= {bound}"
    return f"({one} IS DISTINCT FROM {other} AND NOT coalesce({near}, false))"


def _value(batch: pa.RecordBatch, column: Column, row: int) -> Any:
    at = batch.schema.get_field_index(column.stored)
    return None if at < 0 else _plain(python_value(batch.column(at)[row]), column.kind)


def _plain(value: Any, kind: Kind) -> Any:
    """With the fields that are compared, by the names that they are compared under."""
    if value is None:
        return None
    match kind.name:
        case "struct":
            return {part.name: _plain(value.get(part.stored), part.kind) for part in kind.parts}
        case "array":
            return tuple(_plain(one, kind.parts[0].kind) for one in value)
        case "map":
            return tuple((_plain(key, kind.parts[0].kind), _plain(one, kind.parts[1].kind)) for key, one in value)
        case _:
            return value
