"""Queries over the tables of a world, as SQL text, with steps of the DataFrame API after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from expression_grammar import ORDERED, Column, Expressions, named_struct
from worlds import PERSON, Array, Map, Struct, Type, World

_FRAMES = (
    "", "", "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """`steady`: the order in which its rows come is that of what bears on all of them, so that what depends on the order may follow."""

    sql: str
    columns: tuple[Column, ...]
    steady: bool = True
    steps: tuple[tuple[str, ...], ...] = ()
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _From:
    sql: str
    reach: list[Column]
    steady: bool = True


class Queries:
    """Makes queries; `chance` decides everything."""

    def __init__(self, world: World, chance: Random) -> None:
        self.chance = chance
        self.world = world
        self.e = Expressions(chance, world.tables)
        self.ctes: list[Query] = []

    def query(self) -> Query:
        kinds = ("block",) * 10 + ("set",) * 2 + ("with",) * 2 + ("recursive", "pivot", "unpivot", "nested", "stack", "steps")
        kind = self.chance.choice(kinds)
        made = {
            "block": lambda: self.block(2), "set": self.set_operation, "with": self.with_twice, "recursive": self.recursive,
            "pivot": self.pivot, "unpivot": self.unpivot, "nested": lambda: self.block(3), "stack": self.stacked, "steps": self.stepped,
        }[kind]()  # fmt: skip
        return replace(made, uses=frozenset({*self.e.uses, kind}))

    def block(self, depth: int, wanted: tuple[Type, ...] | None = None) -> Query:
        """SELECT ... FROM ..., grouped or not."""
        if wanted is None and self._maybe(0.35):
            return self.grouped(depth)
        source = self.source(depth)
        types = wanted or tuple(self.e.some_type() for _ in range(self.chance.randint(2, 4)))
        steady, ordered_by = source.steady, len(self.e.uses)
        items: list[str] = []
        if wanted is None and source.steady and self._maybe(0.1):
            return self._exploded(source)
        for data_type in types:
            if isinstance(data_type, str) and self._maybe(0.15):
                items.append(self.window(data_type, source.reach))
                steady = False
            else:
                items.append(self.e.one(data_type, source.reach, 2))
        distinct = "DISTINCT " if self._maybe(0.12) and not any(_has_map(one) for one in types) else ""
        where = f" WHERE {self.e.predicate(source.reach, 2)}" if self._maybe(0.5) else ""
        steady = steady and len(self.e.uses) == ordered_by and "correlated" not in self.e.uses
        columns = tuple((f"c{at}", data_type) for at, data_type in enumerate(types))
        listed = ", ".join(f"{item} AS c{at}" for at, item in enumerate(items))
        return self._ended(Query(f"SELECT {distinct}{listed} FROM {source.sql}{where}", columns, steady))

    def grouped(self, depth: int) -> Query:
        source = self.source(depth)
        keys = self._keys(source.reach)
        how = self.chance.choice(("plain", "plain", "plain", "rollup", "cube", "sets", "none", "all")) if keys else "none"
        names = [text for text, _ in keys]
        clause = {
            "plain": f" GROUP BY {', '.join(names)}",
            "all": f" GROUP BY {', '.join(names)}",
            "rollup": f" GROUP BY ROLLUP({', '.join(names)})",
            "cube": f" GROUP BY CUBE({', '.join(names)})",
            "sets": f" GROUP BY GROUPING SETS (({', '.join(names)}), ({names[0] if names else ''}), ())",
            "none": "",
        }[how]
        items: list[Column] = [] if how == "none" else list(keys)
        if how in ("rollup", "cube", "sets") and self._maybe(0.5):
            items.append((self.chance.choice(("CAST(grouping_id() AS INT)", f"CAST(grouping({names[0]}) AS INT)")), "INT"))
        ordered = source.steady and self._maybe(0.6)
        for _ in range(self.chance.randint(1, 3)):
            data_type = self.e.some_type() if self._maybe(0.25) else self.chance.choice(("INT", "INT", "STRING", "DOUBLE"))
            items.append((self.aggregate(data_type, source.reach, ordered), data_type))
        self.chance.shuffle(items)
        having = ""
        if self._maybe(0.25):
            having = f" HAVING {self.aggregate('INT', source.reach, ordered)} {self.chance.choice(('>', '<', '<>'))} {self.e.literal('INT')}"
        where = f" WHERE {self.e.predicate(source.reach, 1)}" if self._maybe(0.35) else ""
        columns = tuple((f"c{at}", data_type) for at, (_, data_type) in enumerate(items))
        listed = ", ".join(f"{item} AS c{at}" for at, (item, _) in enumerate(items))
        return self._ended(Query(f"SELECT {listed} FROM {source.sql}{where}{clause}{having}", columns, False))

    def aggregate(self, t: Type, reach: list[Column], ordered: bool, plain: bool = False) -> str:
        """An aggregate of a type, or something made of aggregates. `ordered`: the rows' order may matter."""
        e = lambda kind: self.e.one(kind, reach, 1)  # noqa: E731
        only = f" FILTER (WHERE {self.e.predicate(reach, 1)})" if self._maybe(0.15) else ""
        options = []
        if ordered:
            options += [
                lambda: f"first({e(t)}){only}",
                lambda: f"last({e(t)}){only}",
                lambda: f"any_value({e(t)}){only}",
                lambda: f"first({e(t)}, true)",
            ]
        if t in ORDERED:
            options += [lambda: f"max({e(t)}){only}", lambda: f"min({e(t)}){only}"]
        if not _has_map(t):
            options += [lambda: f"max_by({e(t)}, {e('INT')}){only}", lambda: f"min_by({e(t)}, {e('STRING')}){only}"]
        if t == "INT":
            options += [
                lambda: f"CAST(sum({e('INT')}){only} AS INT)", lambda: f"CAST(count(*){only} AS INT)", lambda: f"CAST(count({e('STRING')}){only} AS INT)",
                lambda: f"CAST(count_if({self.e.predicate(reach, 1)}) AS INT)",
                lambda: f"CAST(bit_xor({e('INT')}) AS INT)",
                lambda: f"CAST(approx_count_distinct({e('STRING')}){only} AS INT)",
            ]  # fmt: skip
            if not ordered:  # these sort what comes in
                options += [
                    lambda: f"CAST(count(DISTINCT {e('STRING')}, {e('INT')}) AS INT)",
                    lambda: f"CAST(sum(DISTINCT {e('INT')}){only} AS INT)",
                ]
        if t == "DOUBLE":
            options += [lambda: f"avg({e('INT')}){only}", lambda: f"sum({e('DOUBLE')}){only}", lambda: f"stddev({e('DOUBLE')})", lambda: f"median({e('INT')})", lambda: f"corr({e('INT')}, {e('DOUBLE')})"]  # fmt: skip
        if t == "BOOLEAN":
            options += [lambda: f"bool_or({self.e.predicate(reach, 1)})", lambda: f"every({self.e.predicate(reach, 1)}){only}"]
        if t == "STRING":
            options += [lambda: f"listagg({e('STRING')}, ',') WITHIN GROUP (ORDER BY {e('INT')}, {e('STRING')})"]
        if isinstance(t, Array):
            options += [lambda: f"sort_array(collect_set({e(t.element)}){only})"] if not _has_map(t.element) else []
            options += [lambda: f"collect_list({e(t.element)}){only}"] * 2 if ordered else []
        if isinstance(t, Struct) and not _has_map(t):
            options += [lambda: f"max({e(t)}){only}"]
            options += [lambda: named_struct((name, self.aggregate(inner, reach, ordered)) for name, inner in t.fields)]
        if isinstance(t, Map):
            return f"map('a', {self.aggregate(t.value, reach, ordered)})"
        made = self.chance.choice(options or [lambda: f"max_by({e(t)}, {e('INT')})"])()
        if not plain and isinstance(t, str) and self._maybe(0.15):
            other = self.aggregate("INT", reach, ordered, plain=True)
            return f"CASE WHEN {other} > 1 THEN {made} ELSE {self.aggregate(t, reach, ordered, plain=True)} END"
        return made

    def window(self, t: str, reach: list[Column]) -> str:
        """Ties are broken by a number of the row's own, so that the result is the same each time; its table's rows may still meet
        several of another, and then it is for the functions that take no notice."""
        e = lambda kind: self.e.one(kind, reach, 1)  # noqa: E731
        self.e.uses.add("window")
        partition = self.e.atom(("INT", "STRING", "DATE"), reach) if self._maybe(0.6) else None
        by = ", ".join(text for text, data_type in reach if text.endswith((".u", ".k")) and data_type == "INT")
        order = ", ".join(part for part in (e(self.chance.choice(ORDERED)) + self.chance.choice((" DESC", "")), by) if part)
        frame = self.chance.choice(_FRAMES)
        over = (f"PARTITION BY {partition} " if partition else "") + f"ORDER BY {order}"
        of_all = f"OVER ({over} {frame})"
        free = f"OVER ({over})"
        if t == "INT":
            options = [lambda: f"row_number() {free}", lambda: f"rank() {free}", lambda: f"dense_rank() {free}", lambda: f"ntile(2) {free}", lambda: f"CAST(sum({e(t)}) {of_all} AS INT)", lambda: f"CAST(count(*) {of_all} AS INT)"]  # fmt: skip
        elif t == "DOUBLE":
            options = [
                lambda: f"avg({e('INT')}) {of_all}",
                lambda: f"cume_dist() {free}",
                lambda: f"percent_rank() {free}",
                lambda: f"sum({e(t)}) {of_all}",
            ]
        elif t == "BOOLEAN":
            options = [lambda: f"(max({e('INT')}) {of_all} > {e('INT')})"]
        else:
            options = [lambda: f"max({e(t)}) {of_all}", lambda: f"min({e(t)}) {of_all}"]
        if t != "BOOLEAN":
            options += [lambda: f"lag({e(t)}) {free}", lambda: f"lead({e(t)}, 1, {self.e.literal(t)}) {free}", lambda: f"first_value({e(t)}) {of_all}", lambda: f"last_value({e(t)}) {of_all}", lambda: f"nth_value({e(t)}, 2) {of_all}"]  # fmt: skip
        return self.chance.choice(options)()

    def source(self, depth: int) -> _From:
        """What stands behind FROM."""
        if depth <= 0:
            return self._relation(0)
        kind = self.chance.choice(
            ("table",) * 4 + ("join",) * 5 + ("using", "using", "semi", "anti", "natural", "lateral", "lateral left", "view", "view", "derived", "derived", "values", "function")
        )  # fmt: skip
        if kind == "table":
            return self._relation(0)
        if kind == "derived":
            return self._relation(depth - 1, derived=True)
        left = self._relation(depth - 1 if self._maybe(0.3) else 0)
        if kind.startswith("lateral"):
            return self._lateral(left, kind == "lateral left")
        if kind == "view":
            return self._lateral_view(left)
        if kind == "values":
            name = self.e.name("v")
            join = f"{left.sql} JOIN (SELECT /*+ COALESCE(1) */ * FROM VALUES (1, 'a'), (2, 'b'), (3, NULL) AS v(k, w)) {name} ON {name}.k = {self._int_of(left)}"
            return _From(join, [*left.reach, (f"{name}.k", "INT"), (f"{name}.w", "STRING")], left.steady)
        if kind == "function":
            name = self.e.name("f")
            join = f"{left.sql}, LATERAL around({self._int_of(left)}) {name}"
            return _From(join, [*left.reach, (f"{name}.v", "INT"), (f"{name}.w", "STRING")], left.steady)
        right = self._relation(depth - 1 if self._maybe(0.3) else 0)
        steady = left.steady and right.steady
        both = [*left.reach, *right.reach]
        if kind in ("using", "natural"):
            return self._by_name(kind)
        on = f"{self._int_of(left)} = {self._int_of(right)}"
        if self._maybe(0.25):
            on += f" AND {self.e.predicate(both, 1)}"
        if kind in ("semi", "anti"):
            return _From(f"{left.sql} LEFT {kind.upper()} JOIN {right.sql} ON {on}", left.reach, steady)
        how = self.chance.choice(("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"))
        if how == "CROSS JOIN":
            return _From(f"{left.sql} CROSS JOIN {right.sql}", both, steady)
        if self._maybe(0.1):
            on = self.e.predicate(both, 1)
        return _From(f"{left.sql} {how} {right.sql} ON {on}", both, steady)

    def set_operation(self) -> Query:
        types = tuple(t for t in (self.e.some_type() for _ in range(self.chance.randint(1, 3))) if not _has_map(t)) or ("INT",)
        left, right = self._plain(types), self._plain(types)
        how = self.chance.choice(("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL", "UNION ALL"))
        made = Query(f"({left.sql}) {how} ({right.sql})", left.columns, left.steady and right.steady and how == "UNION ALL")
        return self._ended(self._around(made)) if self._maybe(0.4) else made

    def with_twice(self) -> Query:
        """A common table expression that is used twice."""
        inner = self.block(1)
        name, one, two = self.e.name("cte"), self.e.name("p"), self.e.name("q")
        reach = [(f"{alias}.{column}", t) for alias in (one, two) for column, t in inner.columns]
        on = self.e.predicate(reach, 1)
        types = tuple(self.e.some_type() for _ in range(2))
        items = ", ".join(f"{self.e.one(t, reach, 1)} AS c{at}" for at, t in enumerate(types))
        how = self.chance.choice(("JOIN", "LEFT JOIN", "FULL JOIN"))
        sql = f"WITH {name} AS ({inner.sql}) SELECT {items} FROM {name} {one} {how} {name} {two} ON {on}"
        return Query(sql, tuple((f"c{at}", t) for at, t in enumerate(types)), False)

    def recursive(self) -> Query:
        source = self._relation(0)
        t = self.chance.choice(("INT", "STRING"))
        seed = [(f"{self.e.name('r')}.{column}", kind) for column, kind in (("n", "INT"), ("v", t))]
        alias = seed[0][0].split(".")[0]
        seed = [(f"{alias}.n", "INT"), (f"{alias}.v", t)]
        anchor = f"SELECT pmod({self.e.one('INT', source.reach, 1)}, 3), {self.e.one(t, source.reach, 1)} FROM {source.sql}"
        kept, self.e.tables = self.e.tables, ()
        step, wanted = self.e.one(t, seed, 1), self.e.predicate(seed, 0)
        self.e.tables = kept
        again, stop = f"SELECT {alias}.n + 1, {step} FROM loop {alias}", f"{alias}.n < 4"
        if self._maybe(0.4):
            other = self._relation(0)
            again = f"SELECT {alias}.n + 1, {self.e.one(t, [*seed, *other.reach], 1)} FROM loop {alias} JOIN {other.sql} ON {self._int_of(other)} = {alias}.n"
        elif self._maybe(0.4):
            stop += f" AND {wanted}"
        sql = f"WITH RECURSIVE loop(n, v) AS ({anchor} UNION ALL {again} WHERE {stop}) SELECT n AS c0, v AS c1 FROM loop"
        return Query(sql, (("c0", "INT"), ("c1", t)), False)

    def pivot(self) -> Query:
        source = self.source(1)
        key, value = self.e.one("INT", source.reach, 1), self.e.one("INT", source.reach, 1)
        by, values = self.chance.choice((("STRING", "'a', 'b', 'ab' AS x"), ("INT", "1, 2, 3 AS x")))
        sql = f"SELECT {key} AS key, {self.e.one(by, source.reach, 1)} AS by, {value} AS value FROM {source.sql}"
        aggregates = self.chance.choice(("sum(value)", "max(value) AS m, count(value) AS n", "min(value + 1)"))
        return Query(f"SELECT * FROM ({sql}) PIVOT ({aggregates} FOR by IN ({values}))", (), False)

    def unpivot(self) -> Query:
        inner = self._plain(("INT", "INT", "INT", self.chance.choice(("INT", "STRING"))))
        nulls = self.chance.choice(("", "INCLUDE NULLS "))
        return Query(f"SELECT * FROM ({inner.sql}) UNPIVOT {nulls}(v FOR n IN (c0, c1 AS second, c2))", (), False)

    def stacked(self) -> Query:
        source = self.source(1)
        e = self.e
        cells = ", ".join(f"{e.one('INT', source.reach, 1)}, {e.one('STRING', source.reach, 1)}" for _ in range(2))
        where = f" WHERE {e.predicate(source.reach, 1)}" if self._maybe(0.3) else ""
        sql = f"SELECT {e.one('INT', source.reach, 1)} AS c0, stack(2, {cells}) AS (c1, c2) FROM {source.sql}{where}"
        return self._ended(Query(sql, (("c0", "INT"), ("c1", "INT"), ("c2", "STRING")), False))

    def stepped(self) -> Query:
        """What only the DataFrame API has."""
        kind = self.chance.choice(
            ("with_field", "with_field", "drop_fields", "drop_duplicates", "by_name", "fill", "sorted_limit")
        )
        data_type = Struct((("v", "INT"), ("w", "STRING")))
        inner = self._plain((data_type, PERSON, "INT", "STRING"))
        source: list[Column] = list(inner.columns)
        kept, self.e.tables = self.e.tables, ()
        value, other = self.e.one("INT", source, 1), self.e.one("STRING", source, 1)
        self.e.tables = kept
        steps = {
            "with_field": (("with_field", "c0", self.chance.choice(("v", "z")), value), ("with_field", "c1", "n.p", value)),
            "drop_fields": (("drop_fields", "c1", self.chance.choice(("n", "n.q", "x"))), ("with_field", "c0", "w", other)),
            "drop_duplicates": (("sort", "c2", "c3"), ("drop_duplicates", "c3")),
            "by_name": (("by_name",),),
            "fill": (("fill", "c2"),),
            "sorted_limit": (("sort", "c3", "c2"), ("limit", "2")),
        }[kind]
        return replace(inner, steps=steps)

    def _plain(self, types: tuple[Type, ...]) -> Query:
        source = self.source(1)
        items = ", ".join(f"{self.e.one(t, source.reach, 2)} AS c{at}" for at, t in enumerate(types))
        where = f" WHERE {self.e.predicate(source.reach, 1)}" if self._maybe(0.4) else ""
        return Query(f"SELECT {items} FROM {source.sql}{where}", tuple((f"c{at}", t) for at, t in enumerate(types)), False)

    def _around(self, inner: Query) -> Query:
        return replace(inner, sql=f"SELECT * FROM ({inner.sql}) {self.e.name('o')}")

    def _ended(self, query: Query) -> Query:
        """With ORDER BY, LIMIT, OFFSET, now and then."""
        orderable = [name for name, t in query.columns if t in ORDERED]
        if orderable and self._maybe(0.2):
            by = [
                name + self.chance.choice((" DESC", "", " NULLS LAST"))
                for name in self.chance.sample(orderable, min(2, len(orderable)))
            ]
            ended = self.chance.choice(("", " LIMIT 3", " LIMIT 2", " LIMIT 2 OFFSET 1", " OFFSET 1"))
            return replace(query, sql=f"{query.sql} ORDER BY {', '.join(by)}{ended}", steady=True)
        if query.steady and self._maybe(0.08):
            return replace(query, sql=f"{query.sql} LIMIT {self.chance.randint(1, 4)}")
        return query

    def _relation(self, depth: int, derived: bool = False) -> _From:
        if derived or depth > 0:
            inner = self.block(depth)
            name = self.e.name("d")
            return _From(f"({inner.sql}) {name}", [(f"{name}.{column}", t) for column, t in inner.columns], inner.steady)
        table, alias, reach = self.e.table()
        return _From(f"{table.name} {alias}", reach)

    def _int_of(self, source: _From) -> str:
        keys = [text for text, _ in source.reach if text.endswith(".k")]
        if keys and self._maybe(0.75):
            return self.chance.choice(keys)
        return self.e.atom(("INT",), source.reach) or self.e.literal("INT")

    def _by_name(self, kind: str) -> _From:
        (one, a, left), (two, b, right) = self.e.table(), self.e.table()
        how = self.chance.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        if kind == "using":
            both = [*left, *right, ("k", "INT"), ("k", "INT"), ("k", "INT")]
            return _From(f"{one.name} {a} {how} {two.name} {b} USING (k)", both)
        chosen = [name.partition(".")[2] for name, t in right if t in ORDERED and not name.endswith((".k", ".u", ".g"))][:2]
        names = ", ".join(("k", *(f"{name} AS {name}_r" for name in chosen)))
        types = dict(two.columns)
        reach = [*left, *((f"{b}.{name}_r", types[name]) for name in chosen), ("k", "INT")]
        return _From(f"{one.name} {a} NATURAL {how} (SELECT {names} FROM {two.name}) {b}", reach)

    def _lateral(self, left: _From, outer: bool) -> _From:
        table, alias, reach = self.e.table()
        name = self.e.name("l")
        key = self._int_of(left)
        both = [*left.reach, *reach]
        if self._maybe(0.5):
            body = f"SELECT max({self.e.one('INT', reach, 1)}) AS v, count(*) AS w FROM {table.name} {alias} WHERE {alias}.k = {key}"
            columns: list[Column] = [(f"{name}.v", "INT")]
        else:
            body = f"SELECT {self.e.one('INT', both, 1)} AS v, {self.e.one('STRING', reach, 1)} AS w FROM {table.name} {alias} WHERE {alias}.k = {key}"
            columns = [(f"{name}.v", "INT"), (f"{name}.w", "STRING")]
        join = f"{left.sql} LEFT JOIN LATERAL ({body}) {name} ON true" if outer else f"{left.sql}, LATERAL ({body}) {name}"
        return _From(join, [*left.reach, *columns], False)

    def _lateral_view(self, left: _From) -> _From:
        outer = self.chance.choice(("", "OUTER "))
        name = self.e.name("g")
        e = self.e
        kind = self.chance.choice(("explode", "explode", "posexplode", "inline", "map", "structs"))
        if kind == "explode":
            view, columns = f"explode({e.one(Array('INT'), left.reach, 1)}) {name} AS v", [("v", "INT")]
        elif kind == "structs":
            item = Struct((("v", "INT"), ("w", "STRING")))
            view, columns = f"explode({e.one(Array(item), left.reach, 1)}) {name} AS s", [("s", item)]
        elif kind == "posexplode":
            view, columns = f"posexplode({e.one(Array('INT'), left.reach, 1)}) {name} AS p, v", [("p", "INT"), ("v", "INT")]
        elif kind == "inline":
            item = Struct((("v", "INT"), ("w", "STRING")))
            view, columns = f"inline({e.one(Array(item), left.reach, 1)}) {name} AS v, w", [("v", "INT"), ("w", "STRING")]
        else:
            view, columns = f"explode({e.one(Map('INT'), left.reach, 1)}) {name} AS w, v", [("w", "STRING"), ("v", "INT")]
        reach: list[Any] = [*left.reach, *((f"{name}.{column}", t) for column, t in columns)]
        return _From(f"{left.sql} LATERAL VIEW {outer}{view}", reach, left.steady)

    def _exploded(self, source: _From) -> Query:
        """A generator in the select list."""
        other, array = self.e.one("INT", source.reach, 1), self.e.one(Array("INT"), source.reach, 1)
        sql = f"SELECT {other} AS c0, {self.chance.choice(('explode', 'explode_outer'))}({array}) AS c1 FROM {source.sql}"
        return Query(sql, (("c0", "INT"), ("c1", "INT")), source.steady)

    def _keys(self, reach: list[Column]) -> list[Column]:
        """Columns to group by, or what is computed from them."""
        found = [one for one in reach if one[1] in ORDERED]
        keys = self.chance.sample(found, min(len(found), self.chance.randint(1, 2))) if found else []
        if keys and self._maybe(0.2):
            keys[-1] = (self.e.one("INT", reach, 1), "INT")
        return list(dict(keys).items())

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share


def _has_map(t: Type) -> bool:
    if isinstance(t, Struct):
        return any(_has_map(inner) for _, inner in t.fields)
    return isinstance(t, Map) or (isinstance(t, Array) and _has_map(t.element))


def query_of(world: World, chance: Random) -> Query:
    return Queries(world, chance).query()
