"""What an expression gives: what bears on it as a whole, and on each of its fields where those are told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from .influence import NOTHING, Bits, Influence, Sources, substitute, union

Fields: TypeAlias = Mapping[str, "Value"]
DEEPEST: Final = 50
"""Levels of fields that are told apart; a struct that is deeper has none, and depends on all that goes in."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value and what bears on it.

    `fields` are those of a struct, of the structs in an array or of those among a map's values: arrays and maps are looked
    through, as ``items.price`` does in SQL. None where the value is no struct, or is one whose fields are those of its sources
    (`Influence.closed` says of which sources not).
    """

    influence: Influence
    fields: Fields | None = None

    @property
    def everything(self) -> Bits:
        """All sources of it and of its fields."""
        bits = self.influence.everything
        for field in (self.fields or {}).values():
            bits |= field.everything
        return bits

    @property
    def depth(self) -> int:
        """How many levels of fields it has."""
        return 1 + max(field.depth for field in self.fields.values()) if self.fields else 0

    def parts(self) -> Iterator[Influence]:
        """What bears on it, then on each of its fields."""
        yield self.influence
        for field in (self.fields or {}).values():
            yield from field.parts()

    def through(self, change: Callable[[Influence], Influence]) -> Value:
        """The value, with something done to what bears on it and on each field alike."""
        fields = None if self.fields is None else {name: field.through(change) for name, field in self.fields.items()}
        return Value(change(self.influence), fields)

    def taken(self) -> Value:
        """As an element, or as one of several values: changed, its structure kept."""
        return self.through(Influence.taken)

    def and_also(self, influence: Influence) -> Value:
        """The value, with something more that bears on it and on each field."""
        return self if influence is NOTHING else self.through(lambda own: union((own, influence)))

    def field(self, name: str, sources: Sources) -> Value:
        """A field of it; where nothing is known of its structure, all of it."""
        if self.fields is not None:
            known = self.fields.get(name) or _in_any_case(name, self.fields)
            return known or Value(self.influence.transformed())
        return Value(self.influence.field(name, sources))

    def at(self, path: Iterable[str], sources: Sources) -> Value:
        """The field that a path leads to."""
        value = self
        for name in path:
            value = value.field(name, sources)
        return value

    def substituted(self, known: Mapping[int, Influence]) -> Value:
        """With placeholders replaced by what they stand for."""
        return self.through(lambda influence: substitute(influence, known))


EMPTY: Final = Value(NOTHING)


def any_of(values: Iterable[Value], sources: Sources) -> Value:
    """One of several values: field by field, where one that tells its fields apart and the others have the same ones."""
    values = tuple(values)
    influence = union(value.influence for value in values)
    told = [tuple(value.fields) for value in values if value.fields is not None]
    if not told or any(names != told[0] for names in told):
        return Value(influence.transformed() if told else influence)
    return Value(influence, {name: any_of((value.field(name, sources) for value in values), sources) for name in told[0]})


def struct_of(fields: Fields) -> Value:
    """A struct made of these fields."""
    influence = union(field.influence for field in fields.values()).transformed()
    return Value(influence, fields if all(field.depth < DEEPEST for field in fields.values()) else None)


def _in_any_case(name: str, fields: Fields) -> Value | None:
    return next((field for known, field in fields.items() if known.lower() == name.lower()), None)
