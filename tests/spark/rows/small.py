"""Tables of a world as frames whose rows carry their identity, and the question whether the rows that were found suffice."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from oracle import SETTINGS, stepped
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import StructType
from query_grammar import Query
from worlds import Array, Map, Rows, Struct, Table, Type, json_of, rows_of, world_of

from spark_lineage.rows.identity import MEANT, PREFIX
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import MOST, Followed, follow


@dataclass
class Tally:
    """What all cases came to."""

    cases: int = 0
    rows: int = 0
    necessary: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "rows_traced": self.rows,
            "rows_whose_only_sources_were_taken_away": self.necessary,
            "operators": dict(self.kinds.most_common()),
            "left_out": dict(self.left_out.most_common()),
            "violations": len(self.violations),
        }


class Small:
    """A session with the tables of a world; `u` is the number of a row in its table."""

    def __init__(self, spark: Any, number: int) -> None:
        self.world = world_of(number)
        self.session = spark.newSession()
        for name, value in SETTINGS.items():
            if not name.endswith("excludedRules"):
                self.session.conf.set(name, value)
        self.session.udf.register("add_one", lambda value: None if value is None else value + 1, "int")
        self.session.udf.register("picked", lambda one, other: other if one is None else one, "int")
        self.session.sql("CREATE TEMPORARY FUNCTION chosen(x INT, y INT) RETURNS INT RETURN IF(x > 1, y, x)")
        self.bind({table.name: rows_of(table, Random(0)) for table in self.world.tables})
        self.session.sql(
            "CREATE TEMPORARY FUNCTION around(x INT) RETURNS TABLE(v INT, w STRING) RETURN SELECT t0.u, t0.g FROM t0 WHERE t0.k = x"
        )

    def close(self) -> None:
        for table in self.world.tables:
            self.session.catalog.dropTempView(table.name)

    def bind(
        self,
        rows: Mapping[str, Rows],
        only: Mapping[int, set[int]] | None = None,
        identified: bool = False,
        meant: Mapping[int, set[int]] | None = None,
    ) -> None:
        """Gives the tables these rows, or of each only those with these numbers. `meant`: by number of table the rows that are followed forward."""
        for number, table in enumerate(self.world.tables):
            kept = [row for row in rows[table.name] if only is None or row[1] in only[number]]
            values = [tuple(_value(kind, value) for (_, kind), value in zip(table.columns, row, strict=True)) for row in kept]
            frame = local_frame(self.session, values, StructType.fromJson(json_of(table.schema))).coalesce(1)
            (_identified(frame, number, table, (meant or {}).get(number)) if identified else frame).createOrReplaceTempView(
                table.name
            )

    def rows(self, query: Query) -> list[Any]:
        return list(stepped(self.session.sql(query.sql), query).collect())

    def trace(self, query: Query, rows: list[Any], most: int = MOST, fixed: bool = False) -> Followed:
        frame = stepped(self.session.sql(query.sql), query)
        return follow(frame, local_frame(self.session, rows, frame.schema), limit=1000, most=most, fixed=fixed)

    def found(self, followed: Followed, rows: Mapping[str, Rows]) -> dict[int, set[int]]:
        """By number of table the rows that suffice: all of a table that decides as a whole."""
        return {
            number: {row[1] for row in rows[table.name]}
            if number in followed.wholes
            else {int(one.position or 0) for one in followed.rows.get(number, ((), 0))[0]}
            for number, table in enumerate(self.world.tables)
        }

    def examine(self, query: Query, rows: Mapping[str, Rows], chance: Random, tally: Tally, at_most: int = 2) -> None:
        """Traces some rows of the query's result, and asks the query over the rows that were found alone."""
        tally.cases += 1
        try:
            self.bind(rows)
            plain = self.rows(query)
            self.bind(rows, identified=True)
            result = self.rows(query)
        except Exception:  # a cast, an overflow, too deep a recursion
            tally.left_out["does not run"] += 1
            return
        if Counter(map(_canonical, plain)) != Counter(map(_canonical, result)):
            tally.left_out["not the same each time"] += 1
            return
        if not result:
            tally.left_out["no rows"] += 1
            return
        for row in chance.sample(result, min(at_most, len(result))):
            wanted = [row, *chance.sample(result, 1)] if chance.random() < 0.2 else [row]
            most, fixed = (2 if chance.random() < 0.2 else MOST), chance.random() < 0.5
            self.bind(rows, identified=True)
            followed = self.trace(query, wanted, most, fixed)
            tally.rows += len(wanted)
            tally.kinds.update(followed.kinds)
            only = self.found(followed, rows)
            told = f"{query.sql}\n{query.steps}\n{wanted}\nfound: {only}, {followed}, {most}, {fixed}"
            if followed.missing or followed.lost:
                tally.violations.append(f"not found again:\n{told}")
                continue
            self.bind(rows, only)
            again = set(map(_canonical, self.rows(query)))
            if not all(_canonical(one) in again for one in wanted):
                tally.violations.append(f"not sufficient:\n{told}")
            elif len(wanted) == 1 and _is_one_derivation(followed, only):
                self._without(query, rows, row, only, tally, told)

    def _without(
        self,
        query: Query,
        rows: Mapping[str, Rows],
        row: Any,
        only: dict[int, set[int]],
        tally: Tally,
        told: str,
    ) -> None:
        """A row with one derivation from one row of each table, through operators that only add: without any of these it is not there."""
        if any(word in query.sql for word in ("LEFT", "RIGHT", "FULL", "OUTER", "EXCEPT", "UNION", "around(")):
            return
        everything = {number: {one[1] for one in rows[table.name]} for number, table in enumerate(self.world.tables)}
        for number, numbers in only.items():
            if numbers:
                self.bind(rows, {**everything, number: everything[number] - numbers})
                tally.necessary += 1
                if _canonical(row) in map(_canonical, self.rows(query)):
                    tally.violations.append(f"not necessary, row {numbers} of t{number}:\n{told}")


def _is_one_derivation(followed: Followed, only: dict[int, set[int]]) -> bool:
    """From one row of each table at most, through operators that leave nothing out."""
    plain = followed.kinds == () and not followed.wholes
    return plain and any(only.values()) and all(len(one) <= 1 for one in only.values())


def _identified(frame: Any, number: int, table: Table, meant: set[int] | None = None) -> Any:
    nothing = [F.lit(None).cast("bigint").alias(name) for name in ("row_id", "h0", "h1")]
    said = [] if meant is None else [F.col("u").isin(meant).alias(MEANT)]
    identity = F.struct(F.lit(None).cast("string").alias("file"), F.col("u").cast("bigint").alias("position"), *nothing, *said)
    return frame.select("*", identity.alias(f"{PREFIX}{number}")).select(*(name for name, _ in table.columns))


def _value(kind: Type, value: Any) -> Any:
    """As PySpark takes it."""
    if value is None:
        return None
    if isinstance(kind, Struct):
        return tuple(_value(inner, one) for (_, inner), one in zip(kind.fields, value, strict=True))
    if isinstance(kind, Array):
        return [_value(kind.element, one) for one in value]
    if isinstance(kind, Map):
        return {key: _value(kind.value, one) for key, one in (value.items() if isinstance(value, dict) else value)}
    return dt.date(1970, 1, 1) + dt.timedelta(days=value) if kind == "DATE" else value


def _canonical(value: Any) -> Any:
    """Hashable, and equal for sums of floats that were added up in another order."""
    if isinstance(value, float):
        return "nan" if value != value else float(f"{value:.9g}") + 0.0
    if isinstance(value, dict):
        return tuple(sorted((key, _canonical(one)) for key, one in value.items()))
    return tuple(map(_canonical, value)) if isinstance(value, (list, tuple)) else value
