"""Which columns of two sides are compared with each other, and how their schemas differ.

Columns go together by name, and are compared where docs/checksum.md hashes their types alike: as values, whatever the width.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from ..errors import QueryError
from ..query.names import near_columns
from .kinds import Column, Kind

ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaDifference:
    """A column, or a field within one, that the two sides do not have alike.

    `here` and `there` are its types, None where there is none. `compared`: its values are compared all the same, since only
    the width of the type differs, or the case of the name; that alone makes two datasets no different.
    """

    column: str
    here: str | None
    there: str | None
    compared: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A column of both sides: of one name and one class, as each side has it stored."""

    here: Column
    there: Column

    @property
    def name(self) -> str:
        return self.here.name

    @property
    def kind(self) -> Kind:
        return self.here.kind


@dataclass(frozen=True, slots=True)
class Pairing:
    """`whole`: all that each side has is compared, as it is: sums of whole rows tell whether they are equal."""

    pairs: tuple[Pair, ...]
    schema: tuple[SchemaDifference, ...]
    key: tuple[Pair, ...]
    trimmed: frozenset[str]
    whole: bool

    @property
    def alike(self) -> bool:
        """Whether the schemas differ in nothing that counts."""
        return all(one.compared for one in self.schema)


def paired(
    here: tuple[Column, ...],
    there: tuple[Column, ...],
    key: Collection[str] = (),
    ignored: Collection[str] = (),
    trim: Collection[str] = (),
    left_out: Collection[str] = (),
) -> Pairing:
    """The columns of both, in the order of their names; `left_out` are known to be there as well. Raises QueryError for a column that is named and is not there."""
    known = [*(column.name for column in (*here, *there)), *left_out]
    for named in (*ignored, *key, *(name for name in trim if name != ALL)):
        if named not in known:
            raise QueryError(f"neither side has a column {named!r}{near_columns(named, list(dict.fromkeys(known)))}")
    found: list[SchemaDifference] = []
    left = tuple(column for column in here if column.name not in ignored)
    right = tuple(column for column in there if column.name not in ignored)
    pairs = tuple(_pairs(left, right, "", found))
    spelled = {column.stored: column.name for column in right}
    by_name = {pair.name: pair for pair in pairs}
    by_name |= {spelled[pair.there.stored]: pair for pair in pairs if spelled[pair.there.stored] not in by_name}
    trimmed = {by_name[name].name for name in trim if name in by_name}
    if ALL in trim:
        trimmed |= {pair.name for pair in pairs if pair.kind.name == "string"}
    for pair in pairs:
        if pair.name in trimmed and pair.kind.name != "string":
            raise QueryError(f"column {pair.name} is no text but of type {pair.kind.spark}: there are no blanks to trim")
    keys = tuple(dict.fromkeys(_key_of(name, by_name, ignored) for name in key))
    whole = (
        not trimmed
        and len(left) == len(here) == len(pairs) == len(right) == len(there)
        and all(
            _as_stored(one.here, mine) and _as_stored(one.there, yours) for one, mine, yours in _aligned(pairs, here, there)
        )
    )
    return Pairing(pairs, tuple(found), keys, frozenset(trimmed), whole)


def typed(kind: Kind) -> str:
    """A type as a person reads it, with the types within it."""
    match kind.name:
        case "struct":
            return f"struct<{','.join(f'{part.name}:{typed(part.kind)}' for part in kind.parts)}>"
        case "array" | "map":
            return f"{kind.name}<{','.join(typed(part.kind) for part in kind.parts)}>"
        case _:
            return kind.spark


def _aligned(
    pairs: tuple[Pair, ...], here: tuple[Column, ...], there: tuple[Column, ...]
) -> Iterator[tuple[Pair, Column, Column]]:
    mine, yours = {column.stored: column for column in here}, {column.stored: column for column in there}
    for pair in pairs:
        yield pair, mine[pair.here.stored], yours[pair.there.stored]


def _as_stored(compared: Column, column: Column) -> bool:
    """Whether a column is hashed as its own side hashes it."""
    return (
        compared.name == column.name
        and compared.kind.label == column.kind.label
        and len(compared.kind.parts) == len(column.kind.parts)
        and all(_as_stored(one, other) for one, other in zip(compared.kind.parts, column.kind.parts, strict=True))
    )


def _key_of(name: str, pairs: Mapping[str, Pair], ignored: Collection[str]) -> Pair:
    if name in ignored:
        raise QueryError(f"column {name} cannot both be of the key and be left out")
    if name in pairs:
        return pairs[name]
    raise QueryError(f"the key {name!r} must be a column of both sides, of types that can be compared")


def _pairs(here: tuple[Column, ...], there: tuple[Column, ...], before: str, found: list[SchemaDifference]) -> Iterator[Pair]:
    """Those of the same name; of the rest those that only the case tells apart, where it is clear which are meant."""
    others = {column.name: column for column in there}
    rest = [column for column in here if column.name not in others]
    mine = {column.name for column in here}
    loose = [column for column in there if column.name not in mine]
    for column in rest:
        near = [other for other in loose if other.name.lower() == column.name.lower()]
        if len(near) == 1 and sum(one.name.lower() == column.name.lower() for one in rest) == 1:
            others[column.name] = near[0]
            loose.remove(near[0])
    for column in here:
        other = others.get(column.name)
        path = f"{before}{column.name}"
        if other is None:
            found.append(SchemaDifference(column=path, here=typed(column.kind), there=None))
            continue
        kinds = _kinds(column.kind, other.kind, path, found)
        if kinds is None:
            continue
        if column.name != other.name:
            mine_, yours = (f"{one.name} {typed(one.kind)}" for one in (column, other))
            found.append(SchemaDifference(column=path, here=mine_, there=yours, compared=True))
        yield Pair(replace(column, kind=kinds[0]), replace(other, name=column.name, kind=kinds[1]))
    found += [SchemaDifference(column=f"{before}{column.name}", here=None, there=typed(column.kind)) for column in loose]


def _kinds(here: Kind, there: Kind, path: str, found: list[SchemaDifference]) -> tuple[Kind, Kind] | None:
    """Both as they are compared; None where they cannot be."""
    if here.name == there.name == "struct":
        fields = tuple(_pairs(here.parts, there.parts, f"{path}.", found))
        if not fields and (here.parts or there.parts):
            return None
        return replace(here, parts=tuple(one.here for one in fields)), replace(there, parts=tuple(one.there for one in fields))
    if here.name == there.name and here.name in ("array", "map"):
        parts = []
        for mine, yours in zip(here.parts, there.parts, strict=True):
            kinds = _kinds(mine.kind, yours.kind, f"{path}.{mine.name}", found)
            if kinds is None:
                return None
            parts.append((replace(mine, kind=kinds[0]), replace(yours, kind=kinds[1])))
        return (
            replace(here, parts=tuple(mine for mine, _ in parts)),
            replace(there, parts=tuple(yours for _, yours in parts)),
        )
    name = _common(here.name, there.name)
    if here.spark != there.spark:
        found.append(SchemaDifference(column=path, here=here.spark, there=there.spark, compared=name is not None))
    return None if name is None else (replace(here, name=name), replace(there, name=name))


def _common(here: str, there: str) -> str | None:
    """The class that values of both are hashed as. A decimal of few digits is hashed as one of many where the other side has many."""
    if here == there:
        return here
    if here.startswith("decimal(") and there.startswith("decimal(") and _scale(here) == _scale(there):
        return f"decimal(38,{_scale(here)})"
    return None


def _scale(name: str) -> str:
    return name.partition(",")[2].rstrip(")")
