"""Expressions that build, open, change or hand on structs, arrays and maps: what bears on a field is told apart from the rest.

Arrays and maps are looked through: the ``price`` of the structs in ``items`` is ``items.price``. `STRUCTURES` lists the rules; an
expression without one is computed from all of its children, and its fields cannot be told apart. Lambdas have a module of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..plan.expressions import Attribute, Call, Expression, Literal
from ..plan.types import fields_of
from ..plan.values import DataType, Stated, StructSchema
from .influence import Influence, passed, union
from .lambdas import body, common, common_reference, folded, kept, keys_kept, lambda_variable, mapped, tested
from .scope import Scope, Structure, bare_column
from .value import DEEPEST, Fields, Value, any_of, struct_of

_FAR: Final = 100
"""How many changes of a struct are gone through to where it is spelt out; beyond it may be null."""


def field_of(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``address.city``, of a struct or of each struct in an array. The schema's own spelling is ``field``."""
    name = call.arguments.get("field") or call.arguments.get("name")
    return children[0].field(name, scope.sources) if isinstance(name, str) else Value(children[0].influence.transformed())


def element_of(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``items[0]``, ``prices['a']``: which one it is, is decided by the index."""
    return children[0].taken().and_also(scope.deciding(children[1:]))


def named_struct(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """Name, value, name, value, ... . A name may come in several times: then nothing can be told apart."""
    names = _names(call) or _texts(call.children[::2])
    values = children[1::2]
    if len(names) != len(values) or len(set(names)) != len(names) or None in names:
        return Value(union(child.influence for child in values).transformed())
    return struct_of({str(name): value for name, value in zip(names, values, strict=True)})


def changed_struct(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``withField``, ``dropFields``: the fields that are left, some of them with a new value where the struct is not null."""
    changed = {}
    for child, value in zip(call.children[1:], children[1:], strict=True):
        name = child.arguments.get("name") if isinstance(child, Call) else None
        if isinstance(name, str):
            changed[name.lower()] = value if _never_null(call.children[0]) else value.and_also(scope.deciding(children[:1]))
    names = _names(call)
    if not names:
        return Value(union(child.influence for child in children).transformed())
    return struct_of({name: changed.get(name.lower()) or children[0].field(name, scope.sources) for name in names if name})


def _never_null(expression: Expression) -> bool:
    """Whether a struct is there whatever the data holds: it is spelt out, not too far below."""
    current: Expression | None = expression
    for _ in range(_FAR):
        if not isinstance(current, Call) or not current.children:
            return False
        if current.name == "GetStructField":
            current = _stated_field(current.children[0], str(current.arguments.get("field")))
        elif current.name == "UpdateFields":
            current = current.children[0]
        else:
            return current.name == "CreateNamedStruct"
    return False


def _stated_field(struct: Expression, name: str) -> Expression | None:
    """The expression that a field of a struct was given, where that is spelt out."""
    for _ in range(_FAR):
        if not isinstance(struct, Call):
            return None
        if struct.name == "CreateNamedStruct":
            return dict(zip(_names(struct), struct.children[1::2], strict=False)).get(name)
        if struct.name != "UpdateFields" or not struct.children:
            return None
        for child in reversed(struct.children[1:]):
            if isinstance(child, Call) and child.arguments.get("name") == name and child.children:
                return child.children[0]
        struct = struct.children[0]
    return None


def with_field(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """One field of ``withField``: its new value."""
    return children[0]


def any_element(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """An array or a map made of those given, or of values: any of theirs."""
    return any_of((child.taken() for child in children), scope.sources) if children else Value(passed(scope.sources.literal))


def elements_kept(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """Some of the elements, or in another order: as the other arguments decide."""
    return children[0].taken().and_also(scope.deciding(children[1:]))


def elements_compared(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """Some of the values or elements, told by comparing whole ones: ``max(struct(ordered_on, amount)).amount`` depends on ``ordered_on``."""
    return _compared(any_of((child.taken() for child in children), scope.sources), scope)


def elements_but(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """The elements of the first array, as whether they are in the second decides."""
    return _compared(children[0].taken(), scope).and_also(scope.deciding(children[1:]))


def inserted(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``array_insert(items, position, item)``."""
    either = any_of((children[0].taken(), children[-1].taken()), scope.sources)
    return either.and_also(scope.deciding(children[1:-1]))


def replaced(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A function that is another expression in short, which is its only child: ``nvl``, ``nullif``, ``try_add``."""
    return children[0] if len(children) == 1 else Value(union(child.influence for child in children).transformed())


def value_or_null(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """The value, NULL where it cannot be had."""
    return children[0].taken()


def masking(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``mask(text, upper, lower, digit, other)``: a NULL for a kind of characters leaves those to be seen."""
    influence = union(child.influence for child in children).transformed()
    hidden = call.children[1:4]
    shows = len(hidden) < 3 or any(not isinstance(one, Literal) or one.text is None for one in hidden)
    return Value(influence if shows else influence.masked())


def chosen_case(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """Condition, value, condition, value, ..., and the value of ELSE where their number is odd."""
    tests = children[: len(children) // 2 * 2 : 2]
    return _chosen(tests, (*children[1::2], *(children[-1:] if len(children) % 2 else ())), scope)


def chosen_by_first(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """IF, ``elt(n, a, b)``: the first decides which of the others it is."""
    return _chosen(children[:1], children[1:], scope)


def first_that_is_there(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """COALESCE, NVL, NANVL: whether a value is there decides whether the next one is taken."""
    return _chosen(children[:-1], children, scope)


def aggregate(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """The function, then the FILTER clause where there is one."""
    value = _compared(children[0], scope) if call.arguments.get("isDistinct") is True else children[0]
    value = value.through(Influence.aggregated)
    return value.and_also(scope.deciding(children[1:]))


def most(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``max_by(value, order)``: the order decides which of the values it is."""
    return children[0].taken().and_also(scope.deciding(children[1:], "SORT"))


def list_in_order(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``listagg(value, delimiter) WITHIN GROUP (ORDER BY ...)``."""
    value = union(child.influence for child in children[:2]).transformed()
    return Value(value).and_also(scope.deciding(children[2:], "SORT"))


def window(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """The function over the window, then the window: partitions, order and frame."""
    return children[0].taken().and_also(scope.deciding(children[1:], "WINDOW"))


def cast(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """To a struct: field by field, in order. To anything else a transformation, and to a variant as well."""
    target = call.arguments.get("dataType")
    wanted = fields_of(target.text) if isinstance(target, DataType) else schema_fields(target)
    base = children[0]
    if not wanted:
        return Value(base.influence.transformed())
    there = tuple(base.fields) if base.fields is not None else _type_names(call.children[0], scope)
    if len(there) != len(wanted):
        return Value(base.influence.transformed())
    fields = {}
    for (name, _), old in zip(wanted, there, strict=True):
        fields[name] = base.field(old, scope.sources).through(Influence.transformed)
    return struct_of(fields)


def parsed(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``from_json`` and its like: each field of the schema comes from the text."""
    value = Value(union(child.influence for child in children).transformed())
    schema = call.arguments.get("schema")
    return _all_fields(value, schema_fields(schema))


def entries(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A map made of keys and values in turn: its values' fields are told apart, the keys decide which is found."""
    keys, values = children[::2], children[1::2]
    if not values:
        return Value(passed(scope.sources.literal))
    value = any_of((child.taken() for child in values), scope.sources)
    found = union(key.influence for key in keys if key.influence.everything & ~scope.sources.none).transformed()
    return value.and_also(found)


def arrays_zipped(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """``arrays_zip(a, b)``: structs with a field for each array."""
    names = _names(call) or _texts(call.children[len(children) // 2 :])
    arrays = children[: len(children) // 2] if len(call.children) != len(names) else children
    if len(names) != len(arrays) or None in names or len(set(names)) != len(names):
        return Value(union(child.influence for child in children).transformed())
    made = {str(name): value.taken().and_also(scope.rest(arrays, value)) for name, value in zip(names, arrays, strict=True)}
    return struct_of(made)  # the longest array decides how many there are


def variable(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A variable of the session or of a script: what it was set from is in no plan that reads it."""
    parts = call.arguments.get("originalNameParts")
    name = parts[-1] if isinstance(parts, tuple) and parts else "?"
    scope.reason(f"variable {name}: what it was set from is not followed")
    return Value(passed(scope.sources.unknown))


def sql_function(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A SQL function: its body, in which its arguments stand already, is the last child."""
    return children[-1].through(Influence.masked) if scope.is_mask(call) else children[-1]


def _chosen(tests: Iterable[Value], values: Iterable[Value], scope: Scope) -> Value:
    return any_of((value.taken() for value in values), scope.sources).and_also(scope.deciding(tests))


def _compared(value: Value, scope: Scope) -> Value:
    """A value that was told from others by comparing whole ones: each of its fields depends on all of them."""
    if value.fields is None:
        return Value(value.influence.transformed())
    return Value(value.influence, value.and_also(scope.deciding((value,))).fields)


def fields_stated(call: Call, scope: Scope) -> tuple[str, ...]:
    """The fields that ``inline`` makes columns of, as the schema spells them: stated, or those of the column that it takes."""
    return tuple(name for name in _names(call) if name) or _type_names(call.children[0], scope)


def _names(call: Call) -> tuple[str | None, ...]:
    names = call.arguments.get("fields")
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, tuple) else ()


def _texts(literals: Iterable[Expression]) -> tuple[str | None, ...]:
    return tuple(one.text if isinstance(one, Literal) else None for one in literals)


def _type_names(expression: Expression, scope: Scope) -> tuple[str, ...]:
    """The fields of what a bare column holds."""
    number = expression.id if isinstance(expression, Attribute) else bare_column(expression)
    field = scope.attributes.get(number) if number is not None else None
    return tuple(name for name, _ in fields_of(field.data_type)) if field else ()


def schema_fields(schema: object) -> tuple[tuple[str, str], ...]:
    """(name, type) of each field of a type that an expression has as an argument; nothing for one that is no struct."""
    if isinstance(schema, StructSchema):
        return tuple((field.name, field.data_type) for field in schema.fields)
    if isinstance(schema, Stated):
        return ()
    return fields_of(schema.text) if isinstance(schema, DataType) else ()


def _all_fields(value: Value, fields: tuple[tuple[str, str], ...], depth: int = 0) -> Value:
    """A value in whose type each field comes from all that the value comes from. What lies deeper than is told apart does anyway."""
    if not fields or depth == DEEPEST:
        return value
    told: Fields = {name: _all_fields(value, fields_of(data_type), depth + 1) for name, data_type in fields}
    return Value(value.influence, told)


_ELEMENTS: Final = ("ArrayCompact", "ArrayRepeat", "Flatten", "MapSort", "MapValues", "Reverse", "Shuffle", "Slice")
_BUT: Final = ("ArrayExcept", "ArrayIntersect", "ArrayRemove", "SortArray")
_UNITED: Final = ("CreateArray", "ArrayAppend", "ArrayPrepend", "Concat", "MapConcat")
_HELD: Final = ("First", "Last", "AnyValue", "CollectList", "Lead", "Lag", "NthValue")
"""Functions whose result holds values that they were given as they were."""
_COMPARED: Final = (
    "ArrayDistinct", "ArrayMax", "ArrayMin", "ArrayUnion", "CollectSet", "CollectTopK", "Max", "Min", "Mode", "PandasMode",
)  # fmt: skip
"""Those that compare whole values to tell which."""
_REPLACED: Final = (
    "AssertTrue", "Between", "DatetimeSub", "Decode", "EqualNull", "Extract", "NullIf", "NullIfZero", "Nvl", "Nvl2", "StringTrimBoth", "TryAdd",
    "TryAesDecrypt", "TryDivide", "TryElementAt", "TryMakeInterval", "TryMakeTimestamp", "TryMakeTimestampFromDateTime", "TryMod", "TryMultiply",
    "TryParseUrl", "TryReflect", "TrySubtract", "TryToBinary", "TryUrlDecode", "ZeroIfNull",
)  # fmt: skip
"""Catalyst's InheritAnalysisRules."""

STRUCTURES: Final[dict[str, Structure]] = {
    "GetStructField": field_of,
    "GetArrayStructFields": field_of,
    "GetArrayItem": element_of,
    "GetMapValue": element_of,
    "ElementAt": element_of,
    "Get": element_of,
    "ArrayInsert": inserted,
    "Elt": chosen_by_first,
    "Mask": masking,
    "TryEval": value_or_null,
    "With": common,
    "CommonExpressionRef": common_reference,
    "CreateNamedStruct": named_struct,
    "UpdateFields": changed_struct,
    "WithField": with_field,
    "CreateMap": entries,
    "MapFromArrays": entries,
    "ArraysZip": arrays_zipped,
    "Cast": cast,
    "JsonToStructs": parsed,
    "XmlToStructs": parsed,
    "CsvToStructs": parsed,
    "CaseWhen": chosen_case,
    "If": chosen_by_first,
    "Coalesce": first_that_is_there,
    "NaNvl": first_that_is_there,
    "AggregateExpression": aggregate,
    "MaxBy": most,
    "MinBy": most,
    "ListAgg": list_in_order,
    "WindowExpression": window,
    "ArrayTransform": mapped,
    "TransformValues": mapped,
    "MapZipWith": mapped,
    "ZipWith": mapped,
    "ArrayFilter": kept,
    "MapFilter": kept,
    "ArraySort": kept,
    "TransformKeys": keys_kept,
    "ArrayExists": tested,
    "ArrayForAll": tested,
    "ArrayAggregate": folded,
    "NamedLambdaVariable": lambda_variable,
    "LambdaFunction": body,
    "VariableReference": variable,
    "SQLScalarFunction": sql_function,
    **dict.fromkeys(_ELEMENTS, elements_kept),
    **dict.fromkeys(_BUT, elements_but),
    **dict.fromkeys(_UNITED, any_element),
    **dict.fromkeys(_COMPARED, elements_compared),
    **dict.fromkeys(_REPLACED, replaced),
    **dict.fromkeys(_HELD, any_element),
}  # fmt: skip
