"""Whether a forward trace finds the rows whose trace finds what is meant, and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from oracle import stepped
from pyspark.sql.types import VariantType
from query_grammar import Query
from small import OF_VALUES, OTHERS, REFUSED, Cases, Small
from small import _canonical as canonical
from worlds import Rows

from spark_lineage.rows.contributing import contributed
from spark_lineage.rows.tracing import MOST, has


@dataclass
class Turned(Cases):
    """Of rows that were traced in both directions. `rows`: output rows that were traced back, `found`: those of them that a forward trace found."""

    found: int = 0

    def own(self) -> dict[str, int]:
        return {"rows_traced_back": self.rows, "of_them_found_forward": self.found}

    def examine(self, small: Small, query: Query, rows: Mapping[str, Rows], chance: Random, at_most: int = 3) -> None:
        """Some rows of one table are followed to rows of the query's result; some rows of the result are traced to rows of that table."""
        self.cases += 1
        try:
            small.bind(rows)
            plain = small.rows(query)
            small.bind(rows, identified=True)
            result = small.rows(query)
        except Exception:  # a cast, an overflow, too deep a recursion
            self.left_out["does not run"] += 1
            return
        if Counter(map(canonical, plain)) != Counter(map(canonical, result)):
            self.left_out[OTHERS] += 1
            return
        if not result:
            self.left_out["no rows"] += 1
            return
        backward = []
        for row in chance.sample(result, min(at_most, len(result))):
            try:
                followed = small.trace(query, [row])
            except OF_VALUES:
                self.left_out[REFUSED] += 1
                continue
            except Exception as error:
                self.raised(query, error)
                continue
            if (
                followed.missing or followed.lost
            ) and not followed.deterministic:  # a LIMIT chose otherwise: the trace ends with that
                self.left_out[OTHERS] += 1
                continue
            backward.append((row, small.found(followed, rows), followed.wholes))
        tables = [number for number, table in enumerate(small.world.tables) if rows[table.name]]
        for number in chance.sample(tables, min(2, len(tables))):
            numbers = [row[1] for row in rows[small.world.tables[number].name]]
            meant = set(chance.sample(numbers, chance.randint(1, min(2, len(numbers)))))
            most = 1 if chance.random() < 0.3 else MOST
            small.bind(rows, identified=True, meant={number: meant})
            frame = stepped(small.session.sql(query.sql), query)
            compared = [at for at, one in enumerate(frame.schema) if not has(one.dataType, VariantType)]
            try:
                with contributed(frame, most) as forward:
                    found = [] if forward.rows is None else forward.rows.collect()
            except OF_VALUES:
                self.left_out[REFUSED] += 1
                continue
            except Exception as error:
                self.raised(query, error)
                continue
            self.kinds.update(forward.kinds)
            self._compare(query, backward, (number, meant, most), {_key(row, compared) for row in found}, compared, forward)
            if set(map(canonical, found)) <= set(map(canonical, result)):
                continue
            if not forward.deterministic:  # which is said; rows of a LIMIT among equal ones, say, are others each time
                self.left_out["other rows, of a plan that need not give the same each time"] += 1
                continue
            self.violations.append(f"no rows of the result:\n{query.sql}\n{query.steps}\n{number}: {meant}, {most}\n{found}")

    def _compare(
        self,
        query: Query,
        backward: list[Any],
        asked: tuple[int, set[int], int],
        found: set[Any],
        compared: list[int],
        forward: Any,
    ) -> None:
        """A trace is that of all rows that are equal in the columns that can be compared."""
        number, meant, _ = asked
        for row, sources, wholes in backward:
            self.rows += 1
            depends, there = bool(sources[number] & meant) or number in wholes, _key(row, compared) in found
            self.found += there
            if depends != there:
                what = "missed" if depends else "not one that depends"
                self.violations.append(
                    f"{what}:\n{query.sql}\n{query.steps}\n{row}\n{asked}\nback: {sources}, {wholes}\n{forward}"
                )


def _key(row: Any, compared: list[int]) -> Any:
    return canonical([row[at] for at in compared])
