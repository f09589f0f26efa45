"""Tables of a world as frames whose rows carry their identity, and the question whether the rows that were found suffice."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from oracle import SETTINGS, stepped
from pyarrow import ArrowException, parquet
from pyspark.errors import (
    ArithmeticException,
    ArrayIndexOutOfBoundsException,
    DateTimeException,
    NumberFormatException,
    PySparkException,
    SparkRuntimeException,
)
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.conversion import LocalDataToArrowConversion
from pyspark.sql.types import StructType
from query_grammar import Query
from worlds import Array, Map, Rows, Struct, Table, Type, json_of, rows_of, world_of

from spark_lineage.rows.identity import MEANT, PREFIX
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import GROUPED, MOST, Followed, follow

OF_VALUES = (
    ArithmeticException,
    ArrayIndexOutOfBoundsException,
    DateTimeException,
    NumberFormatException,
    SparkRuntimeException,
)
"""What is refused, and said so: Spark computes a condition on a column before one that leaves rows out on which it cannot be computed."""
REFUSED = "refused: an error of values"
CHOSEN = "chosen otherwise of the witness alone"
OTHERS = "not the same each time"
TOGETHER = "a table is read more than once: the rows suffice where each reading has its own"
_READ = re.compile(r"\bt(\d) (r\d+)\b")


@dataclass
class Cases:
    """What all cases came to."""

    cases: int = 0
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def own(self) -> dict[str, int]:
        """What was counted beside the cases."""
        raise NotImplementedError

    def raised(self, query: Query, error: Exception) -> None:
        """What no query that runs may end in. The others are looked at all the same."""
        self.violations.append(f"raised {type(error).__name__}:\n{query.sql}\n{query.steps}\n{str(error)[:1000]}")

    def seldom_refuses(self) -> bool:
        bounds = {REFUSED: 100, CHOSEN: 100, OTHERS: 20, TOGETHER: 100}
        return all(self.left_out[what] <= self.cases / bound for what, bound in bounds.items())

    def figures(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            **self.own(),
            "operators": dict(self.kinds.most_common()),
            "left_out": dict(self.left_out.most_common()),
            "violations": len(self.violations),
        }


@dataclass
class Tally(Cases):
    """Of rows that were traced: that what is found suffices, and that each of it counts."""

    necessary: int = 0

    def own(self) -> dict[str, int]:
        return {"rows_traced": self.rows, "times_a_source_row_was_taken_away": self.necessary}


class Small:
    """A session with the tables of a world, in files where its number is odd; `u` is the number of a row in its table."""

    def __init__(self, spark: Any, number: int) -> None:
        self.world = world_of(number)
        self._folder = TemporaryDirectory(prefix="small-") if number % 2 else None
        self._files = 0
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
        if self._folder is not None:
            self._folder.cleanup()

    def bind(
        self,
        rows: Mapping[str, Rows],
        only: Mapping[int, set[int]] | None = None,
        identified: bool = False,
        meant: Mapping[int, set[int]] | None = None,
    ) -> None:
        """Gives the tables these rows, or of each only those with these numbers. `meant`: by number of table the rows that are followed forward."""
        for number, table in enumerate(self.world.tables):
            frame = self._frame(table, [row for row in rows[table.name] if only is None or row[1] in only[number]])
            (_identified(frame, number, table, (meant or {}).get(number)) if identified else frame).createOrReplaceTempView(
                table.name
            )

    def _frame(self, table: Table, rows: Rows) -> Any:
        values = [tuple(_value(kind, value) for (_, kind), value in zip(table.columns, row, strict=True)) for row in rows]
        schema = StructType.fromJson(json_of(table.schema))
        frame = self._stored(values, schema) if self._folder and values else None
        return local_frame(self.session, values, schema).coalesce(1) if frame is None else frame

    def _stored(self, values: list[tuple[Any, ...]], schema: StructType) -> Any:
        """A Parquet file with groups of two rows, which scans pass over by their statistics; zeros have a sign in each second row. None where a type
        has no way into one."""
        assert self._folder is not None
        self._files += 1
        signed = [
            tuple(-0.0 if isinstance(one, float) and one == 0.0 and at % 2 else one for one in row)
            for at, row in enumerate(values)
        ]
        path = f"{self._folder.name}/{self._files}.parquet"
        try:
            parquet.write_table(LocalDataToArrowConversion.convert(signed, schema, False), path, row_group_size=2)
            return self.session.read.schema(schema).parquet(path)
        except (PySparkException, ArrowException):
            return None

    def rows(self, query: Query) -> list[Any]:
        return list(stepped(self.session.sql(query.sql), query).collect())

    def trace(self, query: Query, rows: list[Any], most: int = MOST, fixed: bool = False, deciding: bool = False) -> Followed:
        frame = stepped(self.session.sql(query.sql), query)
        return follow(
            frame, local_frame(self.session, rows, frame.schema), limit=1000, most=most, fixed=fixed, deciding=deciding
        )

    def found(self, followed: Followed, rows: Mapping[str, Rows]) -> dict[int, set[int]]:
        """By number of table the rows that suffice: all of a table that decides as a whole."""
        return {
            number: {row[1] for row in rows[table.name]}
            if number in followed.wholes
            else {int(one.position or 0) for one in followed.rows.get(number, ((), 0))[0]}
            for number, table in enumerate(self.world.tables)
        }

    def examine(
        self, query: Query, rows: Mapping[str, Rows], chance: Random, tally: Tally, at_most: int = 2, most: int | None = None
    ) -> None:
        """Traces some rows of the query's result, and asks the query over the rows that were found alone. `most`: as `follow` has it;
        by chance else."""
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
            tally.left_out[OTHERS] += 1
            return
        if not result:
            tally.left_out["no rows"] += 1
            return
        for row in chance.sample(result, min(at_most, len(result))):
            wanted = [row, *chance.sample(result, 1)] if chance.random() < 0.2 else [row]
            bound, fixed = most or (2 if chance.random() < 0.2 else MOST), chance.random() < 0.5
            self.bind(rows, identified=True)
            try:
                followed = self.trace(query, wanted, bound, fixed)
            except OF_VALUES:
                tally.left_out[REFUSED] += 1
                continue
            except Exception as error:
                tally.raised(query, error)
                continue
            tally.rows += len(wanted)
            tally.kinds.update(followed.kinds)
            only = self.found(followed, rows)
            told = f"{query.sql}\n{query.steps}\n{wanted}\nfound: {only}, {followed}, {bound}, {fixed}"
            if followed.missing or followed.lost:
                if followed.deterministic:
                    tally.violations.append(f"not found again:\n{told}")
                else:  # a LIMIT without an order that chose otherwise: the trace ends with that
                    tally.left_out[OTHERS] += 1
                continue
            self.bind(rows, only)
            again = set(map(_canonical, self.rows(query)))
            if not all(_canonical(one) in again for one in wanted) and not self._made_below_ties(query, wanted):
                if (
                    followed.chooses
                ):  # a LIMIT below other operators, whose order is not total: of fewer rows it may choose others
                    tally.left_out[CHOSEN] += 1
                    continue
                if self._suffice_apart(query, rows, wanted, followed, bound, fixed):
                    tally.left_out[TOGETHER] += 1
                    continue
                tally.violations.append(f"not sufficient:\n{told}")
            elif len(wanted) == 1 and _only_adds(query, followed):
                self.take_away(query, rows, row, only, chance, tally, told)

    def _suffice_apart(
        self, query: Query, rows: Mapping[str, Rows], wanted: list[Any], followed: Followed, most: int, fixed: bool
    ) -> bool:
        """Whether the query reads a table more than once and has groups or a LIMIT, as a witness says then, and the rows suffice where each reading has
        its own."""
        readings = [(self.world.tables[int(table)], f"t{table}_{alias}") for table, alias in _READ.findall(query.sql)]
        if len({table.name for table, _ in readings}) == len(readings) or not (
            GROUPED & {*followed.kinds} or "LIMIT" in query.sql
        ):
            return False
        apart = replace(query, sql=_READ.sub(r"t\1_\2 \2", query.sql))
        for number, (table, view) in enumerate(readings):
            _identified(self._frame(table, rows[table.name]), number, table).createOrReplaceTempView(view)
        found = self.trace(apart, wanted, most, fixed)
        for number, (table, view) in enumerate(readings):
            told = {int(one.position or 0) for one in found.rows.get(number, ((), 0))[0]}
            kept = [row for row in rows[table.name] if number in found.wholes or row[1] in told]
            self._frame(table, kept).createOrReplaceTempView(view)
        again = set(map(_canonical, self.rows(apart)))
        return not found.missing and all(_canonical(one) in again for one in wanted)

    def _made_below_ties(self, query: Query, wanted: Sequence[Any]) -> bool:
        """Whether the rows are made, and a limit above all else left them out for others that the sort below it holds equal: a row has to be
        chosen again, and of equal ones any may be."""
        below = _below_limit(query)
        if below is None:
            return False
        without, keys = below
        last = self.rows(query)[-1:]
        made = {_canonical(one) for one in self.rows(without)}
        return all(
            _canonical(one) in made
            and bool(last)
            and [_canonical(one[key]) for key in keys] == [_canonical(last[0][key]) for key in keys]
            for one in wanted
        )

    def take_away(
        self,
        query: Query,
        rows: Mapping[str, Rows],
        row: Any,
        only: Mapping[int, set[int]],
        chance: Random,
        tally: Tally,
        told: str = "",
        at_most: int = 3,
    ) -> None:
        """Without any of the rows that were found, the row is there less often: each derivation of it needs all of its rows."""
        everything = {number: {one[1] for one in rows[table.name]} for number, table in enumerate(self.world.tables)}
        self.bind(rows)
        often = [_canonical(one) for one in self.rows(query)].count(_canonical(row))
        for number, numbers in only.items():
            for one in chance.sample(sorted(numbers), min(at_most, len(numbers))):
                self.bind(rows, {**everything, number: everything[number] - {one}})
                tally.necessary += 1
                if [_canonical(other) for other in self.rows(query)].count(_canonical(row)) >= often:
                    tally.violations.append(f"not necessary, row {one} of t{number}:\n{told or query.sql}")


def is_exact(followed: Followed) -> bool:
    """Whether the witness is labelled so."""
    return followed.deterministic and not followed.wholes and {*followed.kinds} <= {"aggregate"}


_TOP = re.compile(r"(.*) ORDER BY ((?:c\d+(?: DESC| NULLS LAST)?(?:, )?)+) LIMIT \d+$", re.DOTALL)


def _below_limit(query: Query) -> tuple[Query, tuple[str, ...]] | None:
    """The query without a LIMIT above all else, and the columns that it is sorted by there; None where it has none."""
    if query.steps:
        keys = query.steps[-2][1:] if len(query.steps) > 1 and query.steps[-2][0] == "sort" else ()
        return (replace(query, steps=query.steps[:-1]), keys) if query.steps[-1][0] == "limit" else None
    top = _TOP.match(query.sql)
    return (replace(query, sql=top[1]), tuple(key.split()[0] for key in top[2].split(", "))) if top else None


_OTHERS = re.compile(r"\b(LEFT|RIGHT|FULL|OUTER|EXCEPT|LIMIT|OFFSET|around)\b")


def _only_adds(query: Query, followed: Followed) -> bool:
    """An exact witness, of a query that never has other rows where its tables have fewer. Groups are left out: of several equal rows
    one may go, and DISTINCT has the row all the same."""
    chosen = any(step[0] == "limit" for step in query.steps)
    return is_exact(followed) and not followed.kinds and not chosen and not _OTHERS.search(query.sql)


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
