"""Lambdas, and expressions that are used several times: a placeholder stands in a body for what the function around it gives.

Variables of a lambda stand for the elements that its function goes through, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..plan.expressions import Call, Expression
from .influence import Influence, Outer, passed, substitute, union
from .scope import Scope
from .value import Value, any_of

_ROUNDS: Final = 20
"""How often a fold is gone through; beyond it everything goes into everything."""
_COMMON: Final = 1 << 62
"""Where the numbers of common expressions begin among the expression ids."""
_UNNUMBERED: Final = _COMMON - 1


def common(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """An expression with others taken out that it uses several times, each of which has a number."""
    numbers = tuple(_common(child) for child in call.children[1:])
    if _UNNUMBERED not in numbers:
        return _bound(children[0], numbers, children[1:], scope)
    any_given = Value(union(child.influence for child in children[1:]))
    bound = _bound(children[0], (_UNNUMBERED,), (any_given,), scope)
    return Value(union((bound.influence, any_given.influence)).transformed())  # one of another such expression may be meant


def common_reference(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A placeholder, until the expression around it says what it stands for."""
    return Value(passed(scope.sources.bit(Outer(_common(call)))))


def mapped(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``transform(items, x -> ...)``, ``zip_with``, the map functions: what the lambda makes of each element; how many there are, is the array's."""
    return _as_many(_applied(call, children, scope).taken(), _arguments(call, children), scope)


def kept(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``filter(items, x -> ...)``, ``array_sort``: the elements, as the lambda decides."""
    return children[0].taken().and_also(scope.deciding((_applied(call, children, scope),)))


def keys_kept(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``transform_keys``: the map's values under other keys."""
    made = _applied(call, children, scope)
    return Value(union((children[0].influence, made.influence)).transformed())


def tested(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``exists``, ``forall``: what the lambda says of the elements."""
    made = Value(_applied(call, children, scope).influence.transformed())
    return made.and_also(scope.rest(_arguments(call, children), made))


def folded(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``aggregate(items, zero, (so far, x) -> ..., finish)``: gone through until what has been gathered stays as it is."""
    items, zero = children[0].taken(), children[1]
    merge, finish = _lambda(call, 2), _lambda(call, 3)
    if merge is None or len(merge[1]) < 2:
        return Value(union(child.influence for child in children).transformed())
    step = children[2]
    gathered = zero.taken()
    for _ in range(_ROUNDS):
        grown = any_of((zero.taken(), _bound(step, merge[1], (gathered, items), scope).taken()), scope.sources)
        if _same(grown, gathered):
            break
        gathered = grown
    else:
        gathered = Value(union((gathered.influence, items.influence)).transformed())
    made = gathered if finish is None else _bound(children[3], finish[1], (gathered,), scope).taken()
    return made.and_also(scope.rest(children[:1], made))


def lambda_variable(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A placeholder, until the function around the lambda says what it stands for."""
    number = call.arguments.get("exprId")
    if not isinstance(number, int):
        return Value(passed(scope.sources.generated))
    return Value(passed(scope.sources.bit(Outer(number))))


def body(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A lambda: its body is the first child, its variables are the others."""
    return children[0]


def _common(expression: Expression) -> int:
    """The number of a common expression, away from those of columns. Older documents have none."""
    number = expression.arguments.get("common") if isinstance(expression, Call) else None
    return _COMMON + number if isinstance(number, int) else _UNNUMBERED


def _as_many(made: Value, given: tuple[Value, ...], scope: Scope) -> Value:
    """What was made of each element: how many there are, shows in each field, whatever that was made of."""
    rest = scope.rest(given, Value(made.influence))
    fields = None if made.fields is None else {name: _as_many(field, given, scope) for name, field in made.fields.items()}
    return Value(union((made.influence, rest)), fields)


def _arguments(call: Call, children: tuple[Value, ...]) -> tuple[Value, ...]:
    """The arrays or maps, before the first lambda."""
    return tuple(child for at, child in enumerate(children) if not _lambda(call, at))


def _lambda(call: Call, position: int) -> tuple[Call, tuple[int, ...]] | None:
    """The lambda at a position, with the numbers of its variables."""
    found = call.children[position] if position < len(call.children) else None
    if not isinstance(found, Call) or found.name != "LambdaFunction":
        return None
    numbers = tuple(_number(variable) for variable in found.children[1:])
    return found, numbers


def _number(variable_: Expression) -> int:
    number = variable_.arguments.get("exprId") if isinstance(variable_, Call) else None
    return number if isinstance(number, int) else -1


def _applied(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """The body of the lambda of a function, its variables bound to the elements of the arrays or maps before it.

    One array and two variables: the second counts. A map's variables are its keys and its values, of two maps the keys and both
    values. A comparison has twice the same array.
    """
    position = next((at for at in range(len(call.children)) if _lambda(call, at)), None)
    if position is None:
        return Value(union(child.influence for child in children).transformed())
    _, numbers = _lambda(call, position) or (None, ())
    given = tuple(child.taken() for child in children[:position])
    if call.name == "MapZipWith":
        keys = Value(union(value.influence for value in given))
        bound: tuple[Value, ...] = (keys, *given)
    elif call.name in ("MapFilter", "TransformKeys", "TransformValues"):
        bound = (Value(given[0].influence.transformed()), given[0])
    elif call.name == "ArraySort":
        bound = (given[0], given[0])
    else:
        bound = (*given, Value(passed(scope.sources.generated)))
    return _bound(children[position], numbers, bound, scope)


def _bound(value: Value, variables: tuple[int, ...], given: tuple[Value, ...], scope: Scope) -> Value:
    """A lambda's body with its variables standing for what it is given."""
    known = dict(zip(variables, given, strict=False))
    places = {
        scope.sources.bit(source): known[source.expression_id].at(source.path, scope.sources).influence
        for source in scope.sources.of(value.everything & scope.sources.outer)
        if isinstance(source, Outer) and source.expression_id in known
    }
    return _put_in(value, known, places, scope) if places else value


def _put_in(value: Value, known: Mapping[int, Value], places: Mapping[int, Influence], scope: Scope) -> Value:
    """As `Value.substituted`, and what is a variable, or a field of one, and no more keeps the structure that it has."""
    if value.fields is not None:
        fields = {name: _put_in(field, known, places, scope) for name, field in value.fields.items()}
        return Value(substitute(value.influence, places), fields)
    bits = value.influence.identity
    if bits in places and value.influence == passed(bits):
        [source] = scope.sources.of(bits)
        if isinstance(source, Outer):
            return known[source.expression_id].at(source.path, scope.sources)
    return value.substituted(places)


def _same(one: Value, other: Value) -> bool:
    if one.influence != other.influence or (one.fields is None) != (other.fields is None):
        return False
    if one.fields is None or other.fields is None:
        return True
    return tuple(one.fields) == tuple(other.fields) and all(_same(one.fields[name], other.fields[name]) for name in one.fields)
