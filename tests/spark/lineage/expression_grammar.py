"""Expressions of a wanted type over the columns in reach, as SQL text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from worlds import PERSON, Array, Map, Struct, Table, Type, sql_of

Column = tuple[str, Type]
"""What a column is called in a query, and its type."""

_LITERALS = {
    "INT": ("0", "1", "2", "3"),
    "STRING": ("'a'", "'b'", "'ab'", "''"),
    "DOUBLE": ("0.5D", "1D", "2.5D"),
    "DATE": ("DATE'2024-01-02'", "DATE'2024-02-01'"),
    "BOOLEAN": ("true", "false"),
}
ORDERED = ("INT", "STRING", "DOUBLE", "DATE")


@dataclass
class Expressions:
    """`chance` decides; `tables` are for subqueries. What was made is told in `uses`."""

    chance: Random
    tables: tuple[Table, ...]
    uses: set[str] = field(default_factory=set)
    names: int = 0
    subqueries: int = 0

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def one(self, data_type: Type, reach: list[Column], depth: int) -> str:
        """An expression of that type."""
        atoms = [text for text, found in _atoms(reach) if found == data_type]
        if depth <= 0 or (atoms and self.maybe(0.35)):
            return self.chance.choice(atoms) if atoms and self.maybe(0.95) else self.flat(data_type, reach)
        if self.maybe(0.22):
            return self._chosen(data_type, reach, depth - 1)
        if isinstance(data_type, Struct):
            return self._struct(data_type, reach, depth - 1)
        if isinstance(data_type, Array):
            return self._array(data_type, reach, depth - 1)
        if isinstance(data_type, Map):
            return self._map(data_type, reach, depth - 1)
        made = {"INT": self._int, "STRING": self._string, "DOUBLE": self._double, "DATE": self._date, "BOOLEAN": self.predicate}
        return made[data_type](reach, depth - 1)

    def flat(self, data_type: Type, reach: list[Column]) -> str:
        """The least that is of the type: a literal, or one that holds columns."""
        if isinstance(data_type, Struct):
            return named_struct((name, self.one(inner, reach, 0)) for name, inner in data_type.fields)
        if isinstance(data_type, Array):
            return f"array({self.one(data_type.element, reach, 0)})"
        return f"map('a', {self.one(data_type.value, reach, 0)})" if isinstance(data_type, Map) else self.literal(data_type)

    def literal(self, data_type: Type) -> str:
        if isinstance(data_type, Struct):
            return named_struct((name, self.literal(inner)) for name, inner in data_type.fields)
        if isinstance(data_type, Array):
            return f"array({self.literal(data_type.element)})"
        if isinstance(data_type, Map):
            return f"map('a', {self.literal(data_type.value)})"
        if self.maybe(0.08):
            return f"CAST(NULL AS {data_type})"
        return self.chance.choice(_LITERALS[data_type])

    def atom(self, types: Iterable[Type], reach: list[Column]) -> str | None:
        """A column, or a part of one, of one of the types."""
        wanted = tuple(types)
        atoms = [text for text, found in _atoms(reach) if found in wanted]
        return self.chance.choice(atoms) if atoms else None

    def some_type(self) -> Type:
        return self.chance.choice((*("INT",) * 5, *("STRING",) * 4, "DOUBLE", "DOUBLE", "DATE", "BOOLEAN", _struct_type(), PERSON, Array("INT"), Array(_struct_type()), Map("INT")))  # fmt: skip

    def _pick(self, *made: Callable[[], str]) -> str:
        return self.chance.choice(made)()

    def _chosen(self, t: Type, reach: list[Column], depth: int) -> str:
        e = lambda: self.one(t, reach, depth)  # noqa: E731
        p = lambda: self.predicate(reach, depth)  # noqa: E731
        options = [
            lambda: f"CASE WHEN {p()} THEN {e()} WHEN {p()} THEN {e()} ELSE {e()} END",
            lambda: f"CASE WHEN {p()} THEN {e()} END",
            lambda: f"IF({p()}, {e()}, {e()})",
            lambda: f"COALESCE({e()}, {e()})",
            lambda: f"NVL2({self.one('INT', reach, depth)}, {e()}, {e()})",
            lambda: f"NVL({e()}, {e()})",
        ]
        if isinstance(t, str):
            options += [
                lambda: f"NULLIF({e()}, {e()})",
                lambda: f"CASE {self.one('INT', reach, depth)} WHEN 1 THEN {e()} WHEN 2 THEN {e()} ELSE {e()} END",
                lambda: f"try_element_at(array({e()}, {e()}), 1 + pmod({self.one('INT', reach, depth)}, 2))",
                lambda: f"{self.one(Struct((('v', t), ('w', 'INT'))), reach, depth)}.v",
                lambda: f"get({self.one(Array(Struct((('v', t), ('w', 'INT')))), reach, depth)}, 0).v",
                lambda: f"from_json(to_json(named_struct('v', {e()}, 'w', 1)), 'v {t}, w INT').v",
            ]
            if t in ORDERED:
                options += [lambda: f"greatest({e()}, {e()})", lambda: f"least({e()}, {e()})"]
        else:
            options += [lambda: f"get(array({e()}, {e()}), pmod({self.one('INT', reach, depth)}, 2))"]
        return self.chance.choice(options)()

    def _int(self, reach: list[Column], d: int) -> str:
        i = lambda: self.one("INT", reach, d)  # noqa: E731
        x, y = self.name("x"), self.name("y")
        return self._pick(
            lambda: f"({i()} + {i()})",
            lambda: f"({i()} - {i()})",
            lambda: f"({i()} * 2)",
            lambda: f"pmod({i()}, 3)",
            lambda: f"abs({i()})",
            lambda: f"length({self.one('STRING', reach, d)})",
            lambda: f"instr({self.one('STRING', reach, d)}, 'b')",
            lambda: f"size({self.one(Array('INT'), reach, d)})",
            lambda: f"size({self.one(Map('INT'), reach, d)})",
            lambda: f"CAST({self.one('DOUBLE', reach, d)} AS INT)",
            lambda: f"CAST({self.one('BOOLEAN', reach, d)} AS INT)",
            lambda: f"datediff({self.one('DATE', reach, d)}, {self.one('DATE', reach, d)})",
            lambda: f"month({self.one('DATE', reach, d)})",
            lambda: f"array_max({self.one(Array('INT'), reach, d)})",
            lambda: f"get({self.one(Array('INT'), reach, d)}, {i()} % 2)",
            lambda: f"try_element_at({self.one(Map('INT'), reach, d)}, {self.one('STRING', reach, d)})",
            lambda: f"aggregate({self.one(Array('INT'), reach, d)}, {i()}, ({x}, {y}) -> {x} + COALESCE({y}, {i()}))",
            lambda: (
                f"aggregate({self.one(Array('INT'), reach, d)}, 0, ({x}, {y}) -> IF({y} > 1, {x} + 1, {x}), {x} -> {x} + {i()})"
            ),
            lambda: f"CAST(array_position({self.one(Array('INT'), reach, d)}, {i()}) AS INT)",
            lambda: self._udf(f"add_one({i()})"),
            lambda: self._udf(f"picked({i()}, {i()})"),
            lambda: f"chosen({i()}, {i()})",
            lambda: self.scalar_subquery(reach, d, "INT"),
        )

    def _string(self, reach: list[Column], d: int) -> str:
        s = lambda: self.one("STRING", reach, d)  # noqa: E731
        x = self.name("x")
        return self._pick(
            lambda: f"upper({s()})",
            lambda: f"concat({s()}, {s()})",
            lambda: f"concat_ws('-', {s()}, {s()})",
            lambda: f"substring({s()}, {self.one('INT', reach, d)}, 2)",
            lambda: f"replace({s()}, 'a', {s()})",
            lambda: f"CAST({self.one('INT', reach, d)} AS STRING)",
            lambda: f"md5({s()})",
            lambda: f"to_json({self.one(_struct_type(), reach, d)})",
            lambda: f"get_json_object(to_json({self.one(_struct_type(), reach, d)}), '$.v')",
            lambda: f"array_join({self.one(Array('INT'), reach, d)}, ',')",
            lambda: f"array_join(transform({self.one(Array('INT'), reach, d)}, {x} -> concat('n', {x}, {s()})), ',')",
            lambda: f"CAST({self.one('DATE', reach, d)} AS STRING)",
            lambda: f"rpad({s()}, 3, 'z')",
            lambda: f"array_join(map_keys({self.one(Map('INT'), reach, d)}), '+')",
            lambda: f"format_string('%s/%s', {s()}, {self.one('INT', reach, d)})",
            lambda: f"split_part(concat({s()}, '-', {s()}), '-', 2)",
            lambda: self.scalar_subquery(reach, d, "STRING"),
        )

    def _double(self, reach: list[Column], d: int) -> str:
        v = lambda: self.one("DOUBLE", reach, d)  # noqa: E731
        return self._pick(
            lambda: f"({v()} + {v()})",
            lambda: f"({v()} * 2)",
            lambda: f"CAST({self.one('INT', reach, d)} AS DOUBLE)",
            lambda: f"try_divide({v()}, {v()})",
            lambda: f"round({v()}, 0)",
            lambda: f"abs({v()})",
            lambda: f"nanvl({v()}, {v()})",
            lambda: self.scalar_subquery(reach, d, "DOUBLE"),
        )

    def _date(self, reach: list[Column], d: int) -> str:
        t = lambda: self.one("DATE", reach, d)  # noqa: E731
        return self._pick(
            lambda: f"date_add({t()}, {self.one('INT', reach, d)})",
            lambda: f"last_day({t()})",
            lambda: f"CAST(date_trunc('month', {t()}) AS DATE)",
            lambda: f"add_months({t()}, {self.one('INT', reach, d)})",
        )

    def predicate(self, reach: list[Column], d: int) -> str:
        there = {found for _, found in _atoms(reach)}
        t = self.chance.choice([one for one in ORDERED if one in there] or ORDERED)
        e = lambda: self.one(t, reach, d - 1)  # noqa: E731
        p = lambda: self.predicate(reach, d - 1)  # noqa: E731
        x = self.name("x")
        simple = [
            lambda: f"{e()} {self.chance.choice(('=', '<', '>', '<=', '<>', '<=>'))} {e()}",
            lambda: f"{e()} {self.chance.choice(('=', '<', '>', '>='))} {self.literal(t)}",
            lambda: f"{self.one(self.some_type(), reach, d - 1)} IS {self.chance.choice(('', 'NOT '))}NULL",
            lambda: f"{self.one('INT', reach, d - 1)} IN (1, 2, {self.one('INT', reach, d - 1)})",
            lambda: f"{self.one('STRING', reach, d - 1)} LIKE '%b%'",
            lambda: f"{e()} BETWEEN {e()} AND {e()}",
        ]
        if d <= 0:
            return self.chance.choice(simple[:2])()
        nested = [
            lambda: f"({p()} AND {p()})",
            lambda: f"({p()} OR {p()})",
            lambda: f"NOT ({p()})",
            lambda: self.one("BOOLEAN", reach, 0),
            lambda: f"array_contains({self.one(Array('INT'), reach, d - 1)}, {self.one('INT', reach, d - 1)})",
            lambda: f"exists({self.one(Array('INT'), reach, d - 1)}, {x} -> {x} > {self.one('INT', reach, d - 1)})",
            lambda: f"forall({self.one(Array('INT'), reach, d - 1)}, {x} -> {x} <> {self.one('INT', reach, d - 1)})",
            lambda: f"map_contains_key({self.one(Map('INT'), reach, d - 1)}, {self.one('STRING', reach, d - 1)})",
            lambda: self.subquery_predicate(reach, d),
        ]
        return self.chance.choice((*simple, *nested))()

    def _struct(self, t: Struct, reach: list[Column], d: int) -> str:
        def built() -> str:
            return named_struct((name, self.one(inner, reach, d)) for name, inner in t.fields)

        def parsed() -> str:
            ddl = ", ".join(f"{name} {sql_of(inner)}" for name, inner in t.fields)
            return f"from_json(to_json({self.one(t, reach, d)}), '{ddl}')"

        def cast() -> str:
            values = ", ".join(self.one(inner, reach, d) for _, inner in t.fields)
            return f"CAST(struct({values}) AS {sql_of(t)})"

        return self._pick(built, built, parsed, cast, lambda: f"get({self.one(Array(t), reach, d)}, 0)")

    def _array(self, t: Array, reach: list[Column], d: int) -> str:
        a = lambda: self.one(t, reach, d)  # noqa: E731
        inner = t.element
        x, y = self.name("x"), self.name("y")
        within: list[Column] = [*reach, (x, inner)]
        from_ints: list[Column] = [*reach, (x, "INT")]
        return self._pick(
            lambda: f"array({self.one(inner, reach, d)}, {self.one(inner, reach, d)})",
            lambda: f"filter({a()}, {x} -> {self.predicate(within, min(d, 1))})",
            lambda: f"transform({a()}, {x} -> {self.one(inner, within, d)})",
            lambda: f"transform({self.one(Array('INT'), reach, d)}, {x} -> {self.one(inner, from_ints, d)})",
            lambda: f"transform({a()}, ({x}, {y}) -> IF({y} > 0, {x}, {self.one(inner, reach, d)}))",
            lambda: (
                f"zip_with({a()}, {self.one(Array('INT'), reach, d)}, ({x}, {y}) -> {self.one(inner, [*within, (y, 'INT')], d)})"
            ),
            lambda: f"concat({a()}, {a()})",
            lambda: f"slice({a()}, 1, 1 + pmod({self.one('INT', reach, d)}, 2))",
            lambda: f"reverse({a()})",
            lambda: f"array_distinct({a()})",
            lambda: f"array_union({a()}, {a()})",
            lambda: f"array_except({a()}, {a()})",
            lambda: f"array_intersect({a()}, {a()})",
            lambda: f"array_sort({a()})",
            lambda: f"array_append({a()}, {self.one(inner, reach, d)})",
            lambda: f"array_compact({a()})",
            lambda: f"flatten(array({a()}, {a()}))",
            lambda: f"array_repeat({self.one(inner, reach, d)}, 1 + pmod({self.one('INT', reach, d)}, 2))",
            lambda: f"map_values({self.one(Map(inner), reach, d)})",
            lambda: f"from_json(to_json({a()}), '{sql_of(t)}')",
        )

    def _map(self, t: Map, reach: list[Column], d: int) -> str:
        m = lambda: self.one(t, reach, d)  # noqa: E731
        x, y, z = self.name("x"), self.name("y"), self.name("z")
        within: list[Column] = [*reach, (x, "STRING"), (y, t.value)]
        return self._pick(
            lambda: f"map({self.one('STRING', [], 0)}, {self.one(t.value, reach, d)})",
            lambda: f"map(concat('q', {self.one('STRING', reach, d)}), {self.one(t.value, reach, d)})",
            lambda: f"map_filter({m()}, ({x}, {y}) -> {self.predicate(within, min(d, 1))})",
            lambda: f"transform_values({m()}, ({x}, {y}) -> {self.one(t.value, within, d)})",
            lambda: f"transform_keys({m()}, ({x}, {y}) -> concat({x}, {self.one('STRING', reach, d)}))",
            lambda: f"map_zip_with({m()}, {m()}, ({x}, {y}, {z}) -> COALESCE({y}, {z}))",
            lambda: f"map_from_arrays(array('a', 'b'), array({self.one(t.value, reach, d)}, {self.one(t.value, reach, d)}))",
            lambda: f"map_from_entries(array(struct('a', {self.one(t.value, reach, d)})))",
        )

    def _udf(self, text: str) -> str:
        self.uses.add("udf")
        return text if self.maybe(0.3) else self.literal("INT")

    def scalar_subquery(self, reach: list[Column], d: int, t: str) -> str:
        if self.subqueries >= 4 or not self.tables:
            return self.one(t, reach, d)
        self.subqueries += 1
        table, alias, inner = self.table()
        function = self.chance.choice(("max", "min"))
        value = self.one(t, inner, min(d, 1))
        outer = self.atom(("INT",), [one for one in reach if "." in one[0]])
        conditions = []
        if outer is not None and self.maybe(0.7):
            self.uses.add("correlated")
            conditions.append(f"{alias}.k = {outer}")
        if self.maybe(0.4):
            conditions.append(self.predicate(inner, 0))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"(SELECT {function}({value}) FROM {table.name} {alias}{where})"

    def subquery_predicate(self, reach: list[Column], d: int) -> str:
        if self.subqueries >= 4 or not self.tables:
            return self.one("BOOLEAN", reach, 0)
        self.subqueries += 1
        self.uses.add("correlated")
        table, alias, inner = self.table()
        outer = self.atom(("INT",), [one for one in reach if "." in one[0]])
        correlated = f"{alias}.k = {outer}" if outer is not None and self.maybe(0.7) else "true"
        where = f"{correlated} AND {self.predicate(inner, 0)}" if self.maybe(0.6) else correlated
        mine, theirs = self.one("INT", reach, min(d - 1, 1)), self.one("INT", inner, 0)
        return self._pick(
            lambda: f"EXISTS (SELECT 1 FROM {table.name} {alias} WHERE {where})",
            lambda: f"NOT EXISTS (SELECT 1 FROM {table.name} {alias} WHERE {where})",
            lambda: f"{mine} IN (SELECT {theirs} FROM {table.name} {alias} WHERE {where})",
            lambda: f"{mine} NOT IN (SELECT {theirs} FROM {table.name} {alias} WHERE {where})",
        )

    def table(self) -> tuple[Table, str, list[Column]]:
        """A table, an alias, and its columns under that."""
        table, alias = self.chance.choice(self.tables), self.name("r")
        return table, alias, [(f"{alias}.{name}", data_type) for name, data_type in table.columns]


def _struct_type() -> Struct:
    return Struct((("v", "INT"), ("w", "STRING")))


def _atoms(reach: list[Column]) -> list[Column]:
    """The columns, their fields, elements and entries."""
    found: list[Column] = []
    pending = list(reach)
    while pending:
        text, data_type = pending.pop(0)
        found.append((text, data_type))
        if isinstance(data_type, Struct):
            pending.extend((f"{text}.{name}", inner) for name, inner in data_type.fields)
        elif isinstance(data_type, Array):
            found.append((f"get({text}, 0)", data_type.element))
            if isinstance(data_type.element, Struct):
                pending.extend((f"{text}.{name}", Array(inner)) for name, inner in data_type.element.fields)
        elif isinstance(data_type, Map):
            found.append((f"try_element_at({text}, 'a')", data_type.value))
    return found


def named_struct(fields: Iterable[tuple[str, str]]) -> str:
    inner = ", ".join(f"'{name}', {value}" for name, value in fields)
    return f"named_struct({inner})"
