"""MERGE, UPDATE and DELETE into a Delta table: made, run on a copy of the table, and read again."""

from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow
from deltalake import DeltaTable, write_deltalake
from expression_grammar import Column, Expressions
from oracle import Bench, Discarded, Link, Perturbation, Result, Tally, hold, leaf_text, reason_of
from query_grammar import Query
from worlds import Array, Map, Rows, Struct, Table, Type, World, changed, kinds_for, paths_of, rows_of

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Change:
    """A statement with `{target}` where the table's name comes; `source` is the other table that it reads."""

    sql: str
    kind: str
    source: Table | None


def target_of(world: World) -> Table:
    return replace(world.tables[0], name="target")


def change_of(world: World, chance: Random) -> Change:
    e = Expressions(chance, ())
    target, source = target_of(world), chance.choice(world.tables)
    mine: list[Column] = [(f"t.{name}", t) for name, t in target.columns]
    theirs: list[Column] = [(f"s.{name}", t) for name, t in source.columns]
    kind = chance.choice(("merge", "merge", "merge", "update", "delete"))
    if kind == "delete":
        return Change(f"DELETE FROM {{target}} AS t WHERE {e.predicate(mine, 2)}", kind, None)
    if kind == "update":
        where = f" WHERE {e.predicate(mine, 2)}" if chance.random() < 0.8 else ""
        return Change(f"UPDATE {{target}} AS t SET {_set(e, target, mine)}{where}", kind, None)
    on = "t.u = s.u" + (f" AND {e.predicate([*mine, *theirs], 1)}" if chance.random() < 0.3 else "")
    clauses = []
    if chance.random() < 0.7:
        clauses.append(f"WHEN MATCHED{_and(e, [*mine, *theirs])} THEN UPDATE SET {_set(e, target, [*mine, *theirs])}")
    if chance.random() < 0.4:
        clauses.append(f"WHEN MATCHED{_and(e, [*mine, *theirs], 1.0)} THEN DELETE")
    if chance.random() < 0.6 or not clauses:
        named = ["u", *chance.sample([name for name, _ in target.columns if name != "u"], 3)]
        types = dict(target.columns)
        values = ", ".join("s.u" if name == "u" else e.one(types[name], theirs, 2) for name in named)
        clauses.append(f"WHEN NOT MATCHED{_and(e, theirs)} THEN INSERT ({', '.join(named)}) VALUES ({values})")
    if chance.random() < 0.4:
        clauses.append(
            f"WHEN NOT MATCHED BY SOURCE{_and(e, mine)} THEN {chance.choice((f'UPDATE SET {_set(e, target, mine)}', 'DELETE'))}"
        )
    return Change(f"MERGE INTO {{target}} AS t USING {source.name} AS s ON {on} {' '.join(clauses)}", kind, source)


def examine_change(bench: Bench, change: Change, chance: Random, tally: Tally) -> str | None:
    """One case, as `oracle.examine` does it with a query."""
    tally.cases += 1
    try:
        return _examined(bench, change, chance, tally)
    except Discarded as reason:
        tally.discarded[str(reason)] += 1
        return None


def _examined(bench: Bench, change: Change, chance: Random, tally: Tally) -> str | None:
    target = target_of(bench.world)
    tables = (target, *([change.source] if change.source else []))
    rows = {table.name: rows_of(table, chance) for table in tables}
    leaves = [".".join(path) for path in _leaves(target)]
    base = _result(bench, change, target, rows)
    if sorted(base) != sorted(_result(bench, change, target, rows)):
        raise Discarded("not the same twice")
    empty = str(bench.folder / f"world{bench.world.number}" / "target")
    if not Path(empty).exists():
        write_deltalake(empty, _arrow(target, []))
    links = bench.links_of(change.sql.format(target=f"delta.`{empty}`"))
    tally.checked += 1
    tally.kinds[change.kind] += 1
    mattered: set[Link] = set()
    # Rows that are only added to leave the others as they are: the target is no source of its own columns, as with INSERT.
    perturbed = (
        tables
        if "WHEN MATCHED" in change.sql or not change.sql.startswith("MERGE") or "BY SOURCE" in change.sql
        else tables[1:]
    )
    for perturbation in _perturbations(perturbed, chance):
        new = dict(rows)
        name = perturbation.table.name
        new[name] = changed(perturbation.table, new[name], perturbation.path, perturbation.kind, chance)
        try:
            after = _result(bench, change, target, new)
        except Discarded:
            tally.discarded["a perturbation raised"] += 1
            continue
        tally.perturbations += 1
        said = hold(bench, Query(change.sql, ()), rows, base, new, after, leaves, perturbation, links, tally, mattered)
        if said:
            tally.violations.append(said)
            return said
    tally.count(links, mattered, change.sql, chance)
    return None


def _perturbations(tables: tuple[Table, ...], chance: Random) -> list[Perturbation]:
    """A few: each of them costs a commit."""
    found = [
        Perturbation(table, path, chance.choice(("other", chance.choice(kinds_for(table, path)))))
        for table in tables
        for path in paths_of(table)
    ]
    return chance.sample(found, min(7, len(found)))


def _result(bench: Bench, change: Change, target: Table, rows: dict[str, Rows]) -> Result:
    """The table after the statement."""
    place = str(bench.folder / "changes" / str(next(_numbers)))
    write_deltalake(place, _arrow(target, rows["target"]))
    if change.source is not None:
        bench.put(change.source, rows[change.source.name])
    try:
        bench.of_rows.sql(change.sql.format(target=f"delta.`{place}`"))
    except Exception as error:
        raise Discarded(f"raised: {reason_of(error)}") from error
    found = DeltaTable(place).to_pyarrow_table().to_pylist(maps_as_pydicts="lossy")
    return [[leaf_text(row[path[0]], path[1:]) for path in _leaves(target)] for row in found]


def _leaves(table: Table) -> list[tuple[str, ...]]:
    paths = list(paths_of(table))
    return [path for path in paths if not any(other[: len(path)] == path and other != path for other in paths)]


def _and(e: Expressions, reach: list[Column], share: float = 0.5) -> str:
    return f" AND {e.predicate(reach, 1)}" if e.maybe(share) else ""


def _set(e: Expressions, target: Table, reach: list[Column]) -> str:
    chosen = e.chance.sample([one for one in target.columns if one[0] != "u"], e.chance.randint(1, 3))
    pairs = [("t.st0.x", "INT") if name == "st0" and e.maybe(0.5) else (f"t.{name}", t) for name, t in chosen]
    return ", ".join(f"{name} = {e.one(t, reach, 2)}" for name, t in pairs)


def _arrow(table: Table, rows: Rows) -> pyarrow.Table:
    schema = pyarrow.schema([(name, _arrow_type(t)) for name, t in table.columns])
    columns = [[_python(row[at], t) for row in rows] for at, (_, t) in enumerate(table.columns)]
    return pyarrow.table([pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _arrow_type(t: Type) -> pyarrow.DataType:
    if isinstance(t, Struct):
        return pyarrow.struct([(name, _arrow_type(inner)) for name, inner in t.fields])
    if isinstance(t, Array):
        return pyarrow.list_(_arrow_type(t.element))
    if isinstance(t, Map):
        return pyarrow.map_(pyarrow.string(), _arrow_type(t.value))
    simple = {"INT": pyarrow.int32(), "STRING": pyarrow.string(), "DOUBLE": pyarrow.float64(), "DATE": pyarrow.date32()}
    return simple.get(t, pyarrow.bool_())


def _python(value: Any, t: Type) -> Any:
    if value is None:
        return None
    if isinstance(t, Struct):
        return {name: _python(inner, kind) for inner, (name, kind) in zip(value, t.fields, strict=True)}
    if isinstance(t, Array):
        return [_python(inner, t.element) for inner in value]
    if isinstance(t, Map):
        return [(key, _python(inner, t.value)) for key, inner in value.items()]
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=value) if t == "DATE" else value
