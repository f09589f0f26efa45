"""Lambdas in an expression's text, as SQL writes them: ``transform(items, x -> (x.price * 2))``.

Spark's own text has ``lambdafunction((namedlambdavariable().price * 2), namedlambdavariable())``. The names are in the expression. Where
text and expression do not go together, as for a function that Spark puts something else in place of, the text stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

from .expressions import Call, Expression, walk

_VARIABLE: Final = "namedlambdavariable()"
_LAMBDA: Final = "lambdafunction("
_MADE_UP: Final = re.compile(r"([xyz])_\d+")
"""What PySpark calls the variables of a Python lambda: numbered through a session, so that no two runs have the same ones."""


def with_lambdas(sql: str, expression: Expression) -> str:
    """The text, with each variable by its name and each lambda with an arrow."""
    if _LAMBDA not in sql:
        return sql
    calls = [part for part in walk(expression) if isinstance(part, Call)]  # in the order of the text
    variables = [call for call in calls if call.name == "NamedLambdaVariable"]
    lambdas = [call for call in calls if call.name == "LambdaFunction"]
    if sql.count(_VARIABLE) != len(variables) or sql.count(_LAMBDA) != len(lambdas):
        return sql
    names = _names(variables)
    pieces = sql.split(_VARIABLE)
    text = "".join(f"{piece}{name}" for piece, name in zip(pieces, [*(names[_id(one)] for one in variables), ""], strict=True))
    for call in reversed(lambdas):  # the last one has no other behind its beginning
        stated = [names.get(_id(one), "") if isinstance(one, Call) else "" for one in call.children[1:]]
        begin = text.rindex(_LAMBDA)
        end = _closing(text, begin + len(_LAMBDA))
        body = text[begin + len(_LAMBDA) : end]
        suffix = ", " + ", ".join(stated)
        if end < 0 or not stated or not body.endswith(suffix):
            return sql
        given = stated[0] if len(stated) == 1 else f"({', '.join(stated)})"
        text = f"{text[:begin]}{given} -> {body.removesuffix(suffix)}{text[end + 1 :]}"
    return text


def _id(variable: Call) -> object:
    return variable.arguments.get("exprId")


def _names(variables: list[Call]) -> dict[object, str]:
    """A name for each variable: its own; those that PySpark made up are numbered anew."""
    names: dict[object, str] = {}
    for variable in variables:
        name = str(variable.arguments.get("name"))
        if _id(variable) in names:
            continue
        if made_up := _MADE_UP.fullmatch(name):
            before = sum(known.partition("_")[0] == made_up[1] for known in names.values())
            name = f"{made_up[1]}_{before}" if before else made_up[1]
        names[_id(variable)] = name if re.fullmatch(r"\w+", name) else f"`{name}`"
    return names


def _closing(text: str, begin: int) -> int:
    """Where the bracket closes that was opened before `begin`; -1 where it does not."""
    depth, quote = 1, ""
    for position in range(begin, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote and text[position - 1] != "\\" else quote
        elif character in "'`\"":
            quote = character
        else:
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return position
    return -1
