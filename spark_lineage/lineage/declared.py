"""What the author of a Python function declared of its lineage, read and held against the schema.

The text is that of `capture/declared.py`: ``{"name": .., "columns": {output: [input, ..]}, "parameters": [..], "rest": .., "keywords": ..}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..plan.expressions import Call
from .influence import Influence, Sources, passed, union
from .value import EMPTY, Value, any_of

EVERY: Final = ""
"""The key of what each output comes from that has no key of its own."""
ROWS: Final = "*"
"""The key of what decides about all outputs: which rows there are."""


class UnfitError(LookupError):
    """A declaration does not fit the schema. The text says which name, and of which function."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """`columns`: for each output the names of the inputs that it comes from. The others are the function's parameters."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    parameters: tuple[str, ...] = ()
    rest: str | None = None
    keywords: str | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The outputs in their order, None for one of which nothing was declared; the names of the inputs that each was declared to
    come from; and what decides about all of them."""

    outputs: tuple[Value | None, ...]
    inputs: tuple[tuple[str, ...], ...]
    rows: Influence


def declaration_of(call: Call) -> Declaration | None:
    """What was declared of the function that is called; None for nothing, and for a text that is of no form known here."""
    text = call.arguments.get("declared")
    if not isinstance(text, str):
        return None
    try:
        raw: Any = json.loads(text)
        columns = {str(output): _texts(inputs) for output, inputs in raw["columns"].items()}
        return Declaration(
            str(raw.get("name") or ""), columns, _texts(raw.get("parameters") or []), raw.get("rest"), raw.get("keywords")
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def fitted(declaration: Declaration, outputs: Iterable[str], inputs: Mapping[str, Value], sources: Sources) -> Fitted:
    """The declaration over a schema: outputs by their names, inputs by theirs in lower case. Raises `UnfitError`."""
    keys = {key.lower(): key for key in declaration.columns}
    outputs = tuple(outputs)
    for key in keys.keys() - {EVERY, ROWS} - {output.lower() for output in outputs}:
        raise UnfitError(_unfit(declaration, keys[key], "no output"))
    made = {key: _made(declaration, keys[key], inputs, sources) for key in keys}
    rows = made.pop(ROWS, EMPTY).influence
    every = made.get(EVERY)
    stated = {key: declaration.columns[spelt] for key, spelt in keys.items()}
    named = tuple(stated.get(output.lower(), stated.get(EVERY, ())) for output in outputs)
    return Fitted(tuple(made.get(output.lower(), every) for output in outputs), named, rows)


def passed_to(declaration: Declaration, call: Call, children: tuple[Value, ...], sources: Sources) -> dict[str, Value]:
    """The values that the function's parameters have in a call, by their names in lower case. One that is not passed has none."""
    named = (*declaration.parameters, declaration.rest, declaration.keywords)
    found: dict[str, list[Value]] = {name.lower(): [] for name in named if name}
    for at, (child, value) in enumerate(zip(call.children, children, strict=True)):
        name: Any = declaration.parameters[at] if at < len(declaration.parameters) else declaration.rest
        if isinstance(child, Call) and child.name == "NamedArgumentExpression":
            key = child.arguments.get("key")
            name = key if key in declaration.parameters else declaration.keywords
        if isinstance(name, str):
            found[name.lower()].append(value)
    return {name: any_of(values, sources) if values else EMPTY for name, values in found.items()}


def _made(declaration: Declaration, key: str, inputs: Mapping[str, Value], sources: Sources) -> Value:
    """What an output comes from; it is made up where nothing was named."""
    named = declaration.columns[key]
    if not named:
        return EMPTY if key == ROWS else Value(passed(sources.generated))
    influence = union(_input(declaration, name, inputs, sources).influence for name in named).transformed()
    if not influence.everything:  # parameters that are not passed
        return Value(passed(sources.generated))
    return Value(influence.only(declared=True))


def _input(declaration: Declaration, name: str, inputs: Mapping[str, Value], sources: Sources) -> Value:
    """An input by its name, or by a path to a field of it."""
    found = inputs.get(name.lower())
    if found is not None:
        return found
    head, *path = name.split(".")
    found = inputs.get(head.lower()) if path else None
    if found is None or (found.fields is not None and path[0].lower() not in {field.lower() for field in found.fields}):
        raise UnfitError(_unfit(declaration, name, "no input"))
    return found.at(path, sources)


def _unfit(declaration: Declaration, name: str, what: str) -> str:
    return f"the lineage declared for {declaration.name} is not used: {name} is {what} of it"


def _texts(values: Any) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError(values)
    return tuple(str(value) for value in values)
