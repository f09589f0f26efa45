"""How two datasets, or two versions of one, differ: from kept checksums where these tell, otherwise from the rows.

A side is named as a recorded dataset by any of its names, as a folder or a file, or as a table of PostgreSQL (`postgres.py`).
`@N` at the end is the version of a Delta table. A place whose own name ends so is written with a slash behind it: `odd@1/`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ..errors import QueryError, SnapshotError
from ..lineage.naming import DatasetKey
from ..model import Snapshot
from ..store.tables import Store
from .delta import absolute, identity_of, is_delta, version_of
from .difference import ColumnDifference, Compared, Difference
from .differing import differing, hashed
from .files import FilesSide
from .kinds import Column, Kind, columns_of
from .pairing import Pair, Pairing, paired
from .parts import kept_parts
from .postgres import PostgresSide, is_postgres, shown
from .sides import DeltaSide, Side
from .sums import Sums
from .taking import of_version, place_of, snapshots
from .unversioned import kept_of_files

Progress = Callable[[int, int], None]
_VERSION = re.compile(r"(.+)@(\d+)")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What counts as a difference, and what is told of it.

    `key`: columns by which a row is known again. `ignored`: columns that are left out. `trim`: text columns, or "all", whose
    blanks at the end do not count. `float_tolerance`: two floats are equal that differ by no more than it times the greatest of 1
    and their sizes. `sample`: how many rows of each sort are shown. `brief`: only whether they differ.
    """

    key: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    trim: tuple[str, ...] = ()
    float_tolerance: float | None = None
    sample: int = 10
    brief: bool = False

    def check(self) -> None:
        """Raises QueryError for what cannot be asked."""
        if self.sample < 0:
            raise QueryError(f"the sample is {self.sample}; give a number of rows, 0 for none")
        if self.float_tolerance is not None and not (math.isfinite(self.float_tolerance) and self.float_tolerance > 0):
            raise QueryError(f"the tolerance is {self.float_tolerance}; give a number above 0, as 1e-9")
        if self.float_tolerance is not None and not self.key:
            raise QueryError(
                "a tolerance needs a key: what is near to a row can only be told when it is known which row of the other side it is "
                "to be near to; rounding would tell numbers apart that lie on two sides of a step, however near"
            )
        if self.brief and (self.key or self.float_tolerance is not None):
            raise QueryError("a brief answer pairs no rows: it has no use for a key or a tolerance")


@dataclass(frozen=True)
class _Named:
    """What a text names: `kept` is the checksum that is kept of that version, None where there is none or no version."""

    text: str
    location: str
    version: int | None
    kept: Snapshot | None

    def open(self, ignored: Collection[str]) -> Side:
        if is_postgres(self.location):
            return PostgresSide(self.location, ignored)
        if is_delta(self.location):
            return DeltaSide.of(version_of(self.location, self.version))
        if self.version is not None:
            raise SnapshotError(
                f"{self.location} is no Delta table, or none any more, and only these have versions"
                f"{'' if self.kept else f'; no checksum of {self.text} is kept'}"
            )
        return FilesSide(self.location, ignored)


def diff(
    store: Store | None, here: str, there: str, options: Options | None = None, progress: Progress | None = None
) -> Difference:
    """How `there` differs from `here`.

    Raises NotFound, Ambiguous and QueryError for what is asked wrongly, and SnapshotError for what cannot be read, unless kept
    checksums tell that the two differ: then the answer says why it has no rows.
    """
    options = options or Options()
    options.check()
    sides = _named(store, here), _named(store, there)
    known = _known(sides, options)
    if known is not None and (known.equal or known.reason is not None):
        return _with_columns(store, sides, known)
    try:
        with ExitStack() as open_sides:
            opened: dict[int, Side] = {}
            for at in sorted((0, 1), key=lambda at: sides[at].kept is not None):  # that of which nothing is known fails first
                opened[at] = sides[at].open(options.ignored)
                open_sides.callback(opened[at].close)
            return _read(sides, (opened[0], opened[1]), options, progress)
    except SnapshotError as error:
        if known is None:
            raise
        return replace(_with_columns(store, sides, known), reason=f"the rows were not compared: {error}")


def _known(sides: tuple[_Named, _Named], options: Options) -> Difference | None:
    """What the kept checksums tell; None where they do not tell whether the two differ."""
    here, there = (side.kept for side in sides)
    if here is None or there is None or here.schema is None or there.schema is None:
        return None
    pairing = _paired(columns_of(here.schema), columns_of(there.schema), options)
    same = (here.row_count, here.checksum) == (there.row_count, there.checksum)
    if not same and not (pairing.whole and options.float_tolerance is None):
        return None
    answer = _answer(sides, pairing, known=True, equal=same and pairing.alike)
    if same:
        return replace(
            answer, only_here=0, only_there=0, changed=0 if options.key else None, reason=None if pairing.alike else _SCHEMAS
        )
    return replace(answer, reason=_BRIEF if options.brief else None)


def _with_columns(store: Store | None, sides: tuple[_Named, _Named], known: Difference) -> Difference:
    """What is known, with the columns whose kept sums differ, where these were taken of both."""
    here, there = (
        kept_parts(store, side.kept).get(None) if store is not None and side.kept is not None else None for side in sides
    )
    if known.equal or here is None or there is None:
        return known
    differ = here.differing(there)
    return replace(known, differing=tuple(ColumnDifference(column=name) for name in known.columns if name in differ))


_BRIEF = "a brief answer does not count rows"
_SCHEMAS = "the rows are equal in the columns that both have; the schemas differ"


def _read(sides: tuple[_Named, _Named], opened: tuple[Side, Side], options: Options, progress: Progress | None) -> Difference:
    pairing = _paired(opened[0].columns, opened[1].columns, options, opened[0].left_out | opened[1].left_out)
    versions = [side.table.version if isinstance(side, DeltaSide) else None for side in opened]
    compared = _answer(sides, pairing, known=False, equal=False)
    compared = replace(
        compared, here=replace(compared.here, version=versions[0]), there=replace(compared.there, version=versions[1])
    )
    if not pairing.pairs:
        return replace(compared, reason="there is no column that both have and that can be compared")
    for pair in pairing.pairs:
        if _has_variant(pair.kind):
            raise SnapshotError(
                f"column {pair.name} has variants, which are left to Spark; --ignore-column {pair.name} leaves the column out"
            )
    left = _without_common_files(opened, pairing.pairs)
    told = _Told(sum(side.bytes for side in left), progress)
    return _summed(compared, left, pairing, told) if options.brief else _counted(compared, opened, left, pairing, options, told)


def _summed(compared: Difference, sides: tuple[Side, Side], pairing: Pairing, told: _Told) -> Difference:
    sums = []
    for at, side in enumerate(sides):
        columns = tuple((pair.here, pair.there)[at] for pair in pairing.pairs)
        trimmed = {column.stored for column in columns if column.name in pairing.trimmed}
        sums.append(sum((Sums.of(hashes) for _, hashes in hashed(side, columns, trimmed, told)), Sums(0, 0, 0)))
    if sums[0] == sums[1]:
        reason = None if pairing.alike else _SCHEMAS
        return replace(compared, equal=pairing.alike, only_here=0, only_there=0, reason=reason)
    return replace(compared, reason=_BRIEF)


def _counted(
    compared: Difference, whole: tuple[Side, Side], sides: tuple[Side, Side], pairing: Pairing, options: Options, told: _Told
) -> Difference:
    with differing(sides, pairing, told) as rows:
        counts = rows.count()
        columns: list[ColumnDifference] = []
        changed, within = counts.changed, 0
        if options.sample:
            rows.choose(options.sample)
        if counts.changed:
            told.again()
            cells, within = rows.changed_cells(options.float_tolerance)
            columns = [ColumnDifference(column=name, rows=number) for name, number in cells.items()]
            changed -= within
        elif not options.key and (counts.only_here or counts.only_there):
            told.again()
            columns = [ColumnDifference(column=name) for name in rows.differing_columns()]
        answer = replace(
            compared,
            equal=pairing.alike and not (counts.only_here or counts.only_there or changed),
            only_here=counts.only_here,
            only_there=counts.only_there,
            changed=changed if options.key else None,
            duplicate_keys=counts.duplicate_keys if options.key else None,
            within_tolerance=within if options.float_tolerance is not None else None,
            differing=tuple(columns),
        )
        if options.sample and (counts.only_here or counts.only_there or changed):
            here, there, pairs = rows.sample(options.sample, changed > 0)
            answer = replace(answer, sample_here=tuple(here), sample_there=tuple(there), sample_changed=tuple(pairs))
        counted = [
            one.rows if one.rows is not None else number if side is read else None
            for one, number, side, read in zip((answer.here, answer.there), rows.rows, whole, sides, strict=True)
        ]
        return replace(answer, here=replace(answer.here, rows=counted[0]), there=replace(answer.there, rows=counted[1]))


def _has_variant(kind: Kind) -> bool:
    return kind.name == "variant" or any(_has_variant(part.kind) for part in kind.parts)


def _answer(sides: tuple[_Named, _Named], pairing: Pairing, known: bool, equal: bool) -> Difference:
    here, there = (
        Compared(
            name=side.text,
            location=shown(side.location) if is_postgres(side.location) else side.location,
            version=side.version if side.kept is None else side.kept.delta_version,
            rows=None if side.kept is None else side.kept.row_count,
            checksum=None if side.kept is None else side.kept.checksum,
        )
        for side in sides
    )
    return Difference(
        here=here,
        there=there,
        equal=equal,
        known=known,
        schema=pairing.schema,
        columns=tuple(pair.name for pair in pairing.pairs),
        key=tuple(pair.name for pair in pairing.key),
    )


def _paired(here: tuple[Column, ...], there: tuple[Column, ...], options: Options, left_out: Collection[str] = ()) -> Pairing:
    return paired(here, there, options.key, options.ignored, options.trim, left_out)


def _without_common_files(sides: tuple[Side, Side], pairs: tuple[Pair, ...]) -> tuple[Side, Side]:
    """Of two versions of one table only the files that they do not share: the rows of the others are on both sides.

    Not where a column is stored under two names, having been dropped and added again: then a file's values are not the same."""
    here, there = sides
    if (
        isinstance(here, DeltaSide)
        and isinstance(there, DeltaSide)
        and (here.table.table_id, here.location) == (there.table.table_id, there.location)
        and all(_stored_alike(pair.here, pair.there) for pair in pairs)
    ):
        left = here.without(there), there.without(here)
        return tuple(one if len(one.files) < len(side.files) else side for one, side in zip(left, (here, there), strict=True))  # type: ignore[return-value]
    return sides


def _stored_alike(one: Column, other: Column) -> bool:
    parts = zip(one.kind.parts, other.kind.parts, strict=True)
    return one.stored == other.stored and all(_stored_alike(mine, yours) for mine, yours in parts)


def _named(store: Store | None, text: str) -> _Named:
    """Raises NotFound, Ambiguous, SnapshotError."""
    if is_postgres(text):
        return _Named(shown(text), text, None, None)
    found = _VERSION.fullmatch(text)
    name, version = (found[1], int(found[2])) if found else (text, None)
    if store is None:
        return _Named(text, absolute(name), version, None)
    key, location = place_of(store, name)
    kept = _kept(store, key, location, version)
    return _Named(text, location, version if kept is None else kept.delta_version, kept)


def _kept(store: Store, key: DatasetKey, location: str, version: int | None) -> Snapshot | None:
    """The checksum of that version of the table that is there now; where there is none any more, of the last that had it. Of files
    that of those that are there."""
    recorded = snapshots(store, key=key)
    if not recorded:
        return None
    identity = identity_of(location, version)
    if identity is None:
        return kept_of_files(recorded, location) if version is None else of_version(recorded, version)
    return of_version([one for one in recorded if one.table_id == identity[0]], identity[1])


class _Told:
    """Bytes of this reading, told as a part of all that it takes."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def __call__(self, read: int) -> None:
        self._done += read
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)

    def again(self) -> None:
        self._done = 0
