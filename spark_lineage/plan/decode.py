"""The plan part of a captured document, from parsed JSON to frozen nodes.

Iterative where a plan can be deep (nodes, expressions), linear in its size. The encodings are in docs/documents.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import DocumentError
from ..model_marks import without_marks
from .expressions import Alias, Attribute, Call, Expression, Literal, Subquery
from .lambda_text import with_lambdas
from .nodes import LEFT_OUT, Node, Plan
from .types import fields_of
from .values import (
    CatalogTable,
    DataType,
    DeltaTable,
    Field,
    FileRelation,
    Location,
    Name,
    Opaque,
    PlanRef,
    Rdd,
    RddSource,
    Stated,
    StreamSource,
    StructSchema,
    TextMap,
    V2Table,
    Value,
)

_LEFT_OUT_ID = 0
"""The number of what was left out of a plan whose root alone is there: one over the budget, or under load."""


def decode_plan(raw: Any) -> Plan:
    """A plan from its JSON. Raises `DocumentError` where it is malformed, names a node that is not there, or is cyclic."""
    attributes: dict[int, Field] = {
        int(key): Field(_text(value[0]), _text(value[1]), bool(value[2]))
        for key, value in _object(raw.get("attributes", {}), "attributes").items()
    }
    nodes: dict[int, Node] = {}
    for raw_node in _list(raw.get("nodes"), "nodes"):
        node = _decode_node(_object(raw_node, "node"), attributes)
        if node.id in nodes:
            raise DocumentError(f"the plan has two nodes numbered {node.id}")
        nodes[node.id] = node
    if any(_LEFT_OUT_ID in node.references for node in nodes.values()):
        nodes.setdefault(_LEFT_OUT_ID, _left_out(nodes, attributes))
    root = raw.get("root")
    if root not in nodes:
        raise DocumentError(f"the plan's root, node {root}, is not among its {len(nodes)} nodes: the document is truncated")
    return Plan(root, _in_order(root, nodes), attributes)


def _left_out(nodes: Mapping[int, Node], attributes: dict[int, Field]) -> Node:
    """Stands for the rows that were left out. Their columns are known where the command tells what its query gives."""
    references = (value for node in nodes.values() for value in node.fields.values() if isinstance(value, PlanRef))
    columns = next((one.schema for one in references if one.id == _LEFT_OUT_ID and one.schema), ())
    output = tuple(-number for number in range(1, len(columns) + 1))  # Spark's own are not negative
    attributes.update(zip(output, columns, strict=True))
    return Node(id=_LEFT_OUT_ID, class_name=LEFT_OUT, output=output)


@dataclass
class _Found:
    """What the fields of one node mention on the way: plans, subqueries, and the names that aliases give."""

    attributes: Mapping[int, Field]
    plans: list[int] = field(default_factory=list)
    subqueries: list[int] = field(default_factory=list)
    aliases: dict[int, str] = field(default_factory=dict)


def _decode_node(raw: Mapping[str, Any], attributes: dict[int, Field]) -> Node:
    found = _Found(attributes)
    fields = {name: _decode_value(value, found) for name, value in _object(raw.get("fields", {}), "fields").items()}
    for expression_id, name in found.aliases.items():
        attributes.setdefault(expression_id, Field(name, "unknown"))
    output = raw.get("output")
    return Node(
        id=_integer(raw.get("id"), "node id"),
        class_name=_text(raw.get("class")),
        children=_integers(raw.get("children", []), "children"),
        output=None if output is None else _integers(output, "output"),
        fields=fields,
        plans=tuple(found.plans),
        subqueries=tuple(found.subqueries),
    )


def _in_order(root: int, nodes: Mapping[int, Node]) -> dict[int, Node]:
    """The nodes that the root leads to, each after those it refers to. A node on its own path is a cycle."""
    ordered: dict[int, Node] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[int, bool]] = [(root, False)]
    while stack:
        node_id, done = stack.pop()
        if done:
            open_nodes.discard(node_id)
            ordered[node_id] = nodes[node_id]
            continue
        if node_id in ordered:
            continue
        if node_id in open_nodes:
            raise DocumentError(f"the plan is cyclic: node {node_id} leads back to itself")
        if node_id not in nodes:
            raise DocumentError(f"the plan refers to node {node_id}, which is not there: the document is truncated")
        open_nodes.add(node_id)
        stack.append((node_id, True))
        stack.extend((reference, False) for reference in reversed(nodes[node_id].references))
    return ordered


def _decode_value(raw: Any, found: _Found) -> Value:
    if raw is None or isinstance(raw, (str, int, float, bool)):
        return raw
    if isinstance(raw, list):
        return tuple(_decode_value(item, found) for item in raw)
    if "expr" in raw:
        return _decode_stated(raw, found)
    if isinstance(raw.get("plan"), int):
        reference = PlanRef(raw["plan"], _decode_schema(raw.get("schema") or []).fields)
        found.plans.append(reference.id)
        return reference
    if len(raw) == 1:
        key, value = next(iter(raw.items()))
        if key == "map":
            return TextMap({name: _decode_value(item, found) for name, item in _object(value, "map").items()})
        decoder = _PLAIN.get(key)
        if decoder is not None:
            return decoder(value)
    return TextMap({name: _decode_value(item, found) for name, item in raw.items()})


def _decode_expression(raw: Any, found: _Found) -> Expression:
    """Parents are listed before children, then built from the end, so that no call nests."""
    listed: list[Mapping[str, Any]] = []
    stack = [raw]
    while stack:
        current = stack.pop()
        if not isinstance(current, dict):
            raise DocumentError(f"an expression is {type(current).__name__}, not an object")
        listed.append(current)
        stack.extend(current.get("c") or ())
    built: dict[int, Expression] = {}
    for current in reversed(listed):
        children = tuple(built[id(child)] for child in current.get("c") or ())
        built[id(current)] = _build_expression(current, children, found)
    return built[id(raw)]


def _build_expression(raw: Mapping[str, Any], children: tuple[Expression, ...], found: _Found) -> Expression:
    if "a" in raw:
        return Attribute(_integer(raw["a"], "attribute"))
    if "as" in raw:
        if len(children) != 1:
            raise DocumentError(f"the alias {raw.get('n')!r} has {len(children)} children")
        alias = Alias(_integer(raw["as"], "alias"), _text(raw.get("n")), children[0])
        found.aliases[alias.id] = alias.name
        return alias
    if "e" in raw:
        arguments = {name: _decode_value(value, found) for name, value in raw["p"].items()} if raw.get("p") else {}
        if raw["e"] == "Cast" and _changes_nothing(children, arguments, found.attributes):
            return children[0]
        if "plan" not in raw:
            return Call(_text(raw["e"]), children or _stated(arguments), arguments)
        plan = _integer(raw["plan"], "plan of a subquery")
        found.subqueries.append(plan)
        return Subquery(_text(raw["e"]), plan, children, arguments)
    if "l" in raw:
        return Literal(_text_or_none(raw["l"]), str(raw.get("t", "unknown")))
    raise DocumentError(f"an expression has none of the keys a, as, e, l: {sorted(raw)}")


def _changes_nothing(children: tuple[Expression, ...], arguments: Mapping[str, Value], attributes: Mapping[int, Field]) -> bool:
    """Whether a cast is to the type that the column has anyway: Spark puts one on each column of a view."""
    if len(children) != 1 or not isinstance(children[0], Attribute):
        return False
    attribute, target = attributes.get(children[0].id), arguments.get("dataType")
    if attribute is not None and isinstance(target, StructSchema) and attribute.data_type.startswith("struct<"):
        return fields_of(attribute.data_type) == tuple((field.name, field.data_type) for field in target.fields)
    return attribute is not None and isinstance(target, DataType) and target.text == attribute.data_type


def _stated(arguments: Mapping[str, Value]) -> tuple[Expression, ...]:
    """The expressions among the arguments, for a class that has some and no children (the clauses of MERGE)."""
    flat: list[Expression] = []
    for value in arguments.values():
        items = value if isinstance(value, tuple) else (value,)
        flat.extend(item.expression for item in items if isinstance(item, Stated))
    return tuple(flat)


def _decode_stated(raw: Mapping[str, Any], found: _Found) -> Stated:
    """An expression, with its text as a person would write it."""
    expression, sql = _decode_expression(raw["expr"], found), _text_or_none(raw.get("sql"))
    return Stated(expression, None if sql is None else with_lambdas(without_marks(sql), expression))


def decode_stated(raw: Any) -> Stated | None:
    """An expression that is in no plan; None for one of which the document has no more than the text."""
    stated = _object(raw, "expression")
    return _decode_stated(stated, _Found({})) if "expr" in stated else None


def decode_fields(raw: Any) -> tuple[Field, ...]:
    """A schema: a list of [name, type, nullable]."""
    return _decode_schema(raw).fields


def _decode_schema(raw: Any) -> StructSchema:
    return StructSchema(tuple(Field(_text(item[0]), _text(item[1]), bool(item[2])) for item in _list(raw, "schema")))


def _decode_table(raw: Any) -> CatalogTable:
    table = _object(raw, "table")
    name = tuple(_text(part) for part in table.get("name") or ())
    return CatalogTable(name, *(_text_or_none(table.get(key)) for key in ("location", "provider", "kind", "view_text")))


def _decode_relation(raw: Any) -> FileRelation:
    relation = _object(raw, "relation")
    return FileRelation(
        class_name=_text(relation.get("class")),
        format=_text_or_none(relation.get("format")),
        paths=tuple(_text(path) for path in relation.get("paths") or ()),
        options=_text_map(relation.get("options")),
        partition_columns=tuple(_text(column) for column in relation.get("partition_columns") or ()),
        delta=_decode_delta(relation.get("delta")),
        name=_text_or_none(relation.get("name")),
        folders=tuple(_text(path) for path in relation.get("folders") or ()),
    )


def _decode_v2table(raw: Any) -> V2Table:
    table = _object(raw, "v2table")
    return V2Table(
        class_name=_text(table.get("class")),
        name=_text_or_none(table.get("name")),
        properties=_text_map(table.get("properties")),
        delta=_decode_delta(table.get("delta")),
        options=_text_map(table.get("options")),
        paths=tuple(_text(path) for path in table.get("paths") or ()),
        format=_text_or_none(table.get("format")),
        folders=tuple(_text(path) for path in table.get("folders") or ()),
    )


def _decode_delta(raw: Any) -> DeltaTable | None:
    if raw is None:
        return None
    delta = _object(raw, "delta")
    path, version = delta.get("path"), delta.get("version_at_analysis")
    return DeltaTable(
        path=None if path in (None, "", "null") else _text(path),
        table_id=_text_or_none(delta.get("table_id")),
        version_at_analysis=None if version is None else _integer(version, "version_at_analysis"),
        time_travel=delta.get("time_travel") not in (None, False),
        table_name=tuple(_text(part) for part in delta.get("table_name") or ()),
        managed=delta.get("managed") is True,
    )


def _decode_stream(raw: Any) -> StreamSource:
    stream = _object(raw, "stream")
    return StreamSource(_text(stream.get("class")), _text_or_none(stream.get("description")))


def _decode_rdd(raw: Any) -> Rdd:
    rdd = _object(raw, "rdd")
    sources = (_object(source, "source of an rdd") for source in rdd.get("sources") or ())
    found = tuple(
        RddSource(
            _text(source.get("class")),
            tuple(_text(path) for path in source.get("paths") or ()),
            _text_or_none(source.get("url")),
            _text_or_none(source.get("table")),
            tuple(_text(name) for name in source.get("columns") or ()),
        )
        for source in sources
    )
    return Rdd(_text(rdd.get("class")), found, rdd.get("whole") is not False)


def _text_map(raw: Any) -> dict[str, str]:
    return {} if raw is None else {str(key).lower(): str(value) for key, value in _object(raw, "options").items()}


_PLAIN: dict[str, Any] = {
    "type": lambda raw: DataType(_text(raw)),
    "schema": _decode_schema,
    "table": _decode_table,
    "name": lambda raw: Name(tuple(_text(part) for part in _list(raw, "name"))),
    "relation": _decode_relation,
    "v2table": _decode_v2table,
    "path": lambda raw: Location(_text(raw)),
    "object": lambda raw: Opaque(_text(raw)),
    "stream": _decode_stream,
    "offset": lambda raw: raw,
    "rdd": _decode_rdd,
}


def _object(raw: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise DocumentError(f"{what} is {type(raw).__name__}, not an object")
    return raw


def _list(raw: Any, what: str) -> list[Any]:
    if not isinstance(raw, list):
        raise DocumentError(f"{what} is {type(raw).__name__}, not a list")
    return raw


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise DocumentError(f"text was expected and {raw!r} found")
    return raw


def _text_or_none(raw: Any) -> str | None:
    return None if raw is None else _text(raw)


def _integer(raw: Any, what: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise DocumentError(f"{what} is {raw!r}, not a whole number")
    return raw


def _integers(raw: Any, what: str) -> tuple[int, ...]:
    return tuple(_integer(item, what) for item in _list(raw, what))
