"""Python's own table functions (UDTFs), which no plan sees into."""

from __future__ import annotations

from collections.abc import Mapping

from ...plan.expressions import Call, Expression
from ..declared import UnfitError, declaration_of, fitted, passed_to
from ..influence import Influence, passed, union
from ..relation import Column
from ..value import Value
from ..walk import Walk


def python_function(generator: Expression) -> Call | None:
    """The UDTF that a generator is, None for one of Spark's own."""
    while isinstance(generator, Call) and generator.name == "GeneratorOuter" and generator.children:
        generator = generator.children[0]
    return generator if isinstance(generator, Call) and generator.name == "PythonUDTF" else None


def table_function(
    call: Call, added: tuple[int, ...], columns: Mapping[int, Column], walk: Walk
) -> tuple[tuple[Value, ...], Influence]:
    """What the columns of a UDTF hold, and what decides about its rows."""
    children = tuple(walk.evaluate(child, columns).value for child in call.children)
    influence = union(child.influence for child in children)
    influence = influence.transformed().only(opaque=True) if children else passed(walk.sources.generated)
    anything = Value(influence)
    declaration = declaration_of(call)
    values, rows = (anything,) * len(added), influence
    if declaration is not None:
        names = tuple(walk.plan.name_of(item) for item in added)
        try:
            found = fitted(declaration, names, passed_to(declaration, call, children, walk.sources), walk.sources)
            values, rows = tuple(value or anything for value in found.outputs), found.rows
        except UnfitError as error:
            walk.reason(str(error))
    if walk.scope.is_mask(call):
        values = tuple(value.through(Influence.masked) for value in values)
    return values, rows
