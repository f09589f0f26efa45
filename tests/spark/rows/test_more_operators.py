"""Operators of docs/row-provenance.md that SQL over small tables does not have: samples, hints, caches, views, functions over whole rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from query_grammar import Query
from small import Small, Tally, is_exact
from worlds import rows_of

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import Hop

Make = str | Callable[[Any], Any]
"""Of a table `{t}` with `id`, `half` and `amount` what is made: statements of SQL, or what a program makes of its frame."""


@dataclass(frozen=True)
class Operator:
    """`named`: which rows of the table are the witness of a row, by its values. `again`: what is asked of these alone, where a sample would choose anew."""

    make: Make
    label: str = "exact"
    named: str = "id = {id}"
    again: Make = ""


def made(make: Make, session: Any, table: str) -> Any:
    if not isinstance(make, str):
        return make(session.table(table))
    return next(frame for frame in [session.sql(one) for one in make.format(t=table).split(";")] if frame.columns)


def cached(rows: Any) -> Any:
    kept = rows.where("id > 2").selectExpr("id", "amount + 1 AS more").cache()
    return kept.where(f"more < {kept.count() + 1000}")


def with_table_functions(session: Any) -> None:
    """Made here, so that workers, which do not have this module, are sent them whole."""

    class Passed:
        def eval(self, row: Any) -> Iterator[tuple[int]]:
            yield (row if isinstance(row, int) else row["id"],)

    class Counted:
        n = 0

        def eval(self, number: int) -> None:
            self.n += 1

        def terminate(self) -> Iterator[tuple[int]]:
            yield (self.n // 2,)

    for function in (Passed, Counted):
        session.udtf.register(function.__name__, F.udtf(function, returnType="v: bigint"))


def below(rows: Any, most: int = 8) -> Any:
    return rows.where(F.col("id") < most).select("id", "half")


HALF, SUM = "TABLESAMPLE (50 PERCENT) REPEATABLE (3)", "SELECT half, sum(id) AS s FROM {{t}} {} GROUP BY half"
FEW, PAIRS, NUMBERS = "(SELECT id, half FROM {t} WHERE id < 8)", "id BIGINT, half BIGINT", "half BIGINT, n BIGINT"
SCRIPT = f"SELECT TRANSFORM (id, half) USING 'cat' AS (id BIGINT, half BIGINT) FROM {FEW}"
OPERATORS = {
    "sample": Operator(lambda rows: rows.sample(0.5, seed=3), "partial", again="SELECT * FROM {t}"),
    "tablesample": Operator(f"SELECT id FROM {{t}} {HALF}", "partial", again="SELECT id FROM {t}"),
    "sum of a sample": Operator(SUM.format(HALF), "partial", "half = {half} AND id IN ({sampled})", SUM.format("")),
    "broadcast": Operator("SELECT /*+ BROADCAST(b) */ a.id, b.id AS v FROM {t} a JOIN {t} b ON a.id = b.id + 1", named="id IN ({id}, {v})"),
    "repartition": Operator(lambda rows: rows.repartition(3, "half")), "coalesce": Operator(lambda rows: rows.coalesce(1)),
    "repartitionByRange": Operator(lambda rows: rows.repartitionByRange(2, "amount")),
    "rebalance": Operator("SELECT /*+ REBALANCE(half) */ * FROM {t}"),
    "observe": Operator(lambda rows: rows.observe("seen", F.count("*").alias("n")).where("half = 1")),
    "limit": Operator(lambda rows: rows.orderBy(F.desc("id")).limit(3)),
    "view": Operator(f"CREATE VIEW few AS {FEW}; SELECT * FROM few WHERE id > 4; DROP VIEW few"),
    "temporary view": Operator(f"CREATE TEMPORARY VIEW few AS {FEW}; SELECT * FROM few WHERE id > 4; DROP VIEW few"),
    "cache": Operator(cached),
    "script": Operator(SCRIPT, "superset", "id < 8"),
    "mapInArrow": Operator(lambda rows: below(rows).mapInArrow(lambda batches: batches, PAIRS), "superset", "id < 8"),
    "mapInArrow of rows": Operator(lambda rows: below(rows).mapInArrow(spark_lineage.lineage({}, rows=["id"])(lambda batches: batches), PAIRS), "superset"),
    "applyInArrow": Operator(lambda rows: below(rows).groupBy("half").applyInArrow(lambda group: group.select(["half"]).slice(0, 1).append_column("n", [[group.num_rows]]), NUMBERS), "superset", "id < 8"),
    "applyInArrow of groups": Operator(lambda rows: below(rows).groupBy("half").applyInArrow(spark_lineage.lineage({}, rows=["half"])(lambda group: group.select(["half"]).slice(0, 1).append_column("n", [[group.num_rows]])), NUMBERS), "superset", "id < 8 AND half = {half}"),
    "cogroup": Operator(lambda rows: below(rows, 4).groupBy("half").cogroup(below(rows).groupBy("half")).applyInPandas(lambda one, two: one[["half"]].head(1).assign(n=len(one) * 100 + len(two)), NUMBERS), "superset", "id < 8"),
    "table function": Operator(f"SELECT id, d.v FROM {FEW}, LATERAL Passed(id + 1) d", "superset", "id < 8"),
    "function of a table": Operator(f"SELECT v FROM Passed(TABLE{FEW})", "superset", "id < 8"),
}  # fmt: skip
OTHERS: dict[str, Make] = {
    "missing": "SELECT a.id, b.v FROM {t} a LEFT JOIN (SELECT v FROM {t}, LATERAL Counted(id)) b ON a.id = b.v",
    "shuffled": f"SELECT half, count(*) AS n FROM ({SCRIPT.replace('cat', 'shuf -n 3')}) GROUP BY half",
    "newest": "SELECT /*+ COALESCE(1) */ half, max(id) AS id, count(*) AS n FROM {t} GROUP BY half",
}


@dataclass(frozen=True)
class Recorded:
    """A folder with a table for each operator, and the lineage of what made them."""

    spark: Any
    root: Path

    def rows(self, name: str) -> list[Any]:
        return sorted(self.spark.table(f"delta.`{self.root}/{name}`").collect())

    def trace(self, name: str, where: str) -> tuple[Hop, ...]:
        return spark_lineage.open(self.root / "store").trace(str(self.root / name), where=where, spark=self.spark)

    def source(self) -> Any:
        return self.spark.read.format("delta").option("versionAsOf", 0).load(str(self.root / "source"))

    def alone(self, ids: set[int], place: Path) -> str:
        self.source().where(F.col("id").isin(ids)).coalesce(1).write.parquet(str(place))
        return f"parquet.`{place}`"


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """What is read has more rows today, the views are gone, the cache is still there."""
    root = tmp_path_factory.mktemp("operators")
    source = f"delta.`{root}/source`"
    with_table_functions(spark)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        spark.sql("SELECT id, id % 2 AS half, id * 10 AS amount FROM range(0, 16, 1, 2)").write.parquet(str(root / "raw"))
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True)
        assert attachment is not None
        spark.read.parquet(str(root / "raw")).write.format("delta").save(str(root / "source"))
        for name, make in ({name: one.make for name, one in OPERATORS.items()} | OTHERS).items():
            made(make, spark, source).write.format("delta").save(str(root / name))
        spark.sql(f"DELETE FROM delta.`{root}/newest` WHERE half = 1")
        assert attachment.flush(120)
        detach(spark)
        spark.sql(f"INSERT INTO {source} SELECT id, id % 2, id FROM range(-4, 0)")
        assert ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key")).quarantined == 0
        yield Recorded(spark, root)
    spark.catalog.clearCache()


@pytest.mark.soak
@pytest.mark.parametrize("name", OPERATORS)
def test_a_row_of_each(name: str, recorded: Recorded, tmp_path: Path) -> None:
    operator, row = OPERATORS[name], Random(0).choice(recorded.rows(name))
    sampled = [str(one["id"]) for one in recorded.rows("tablesample")]
    assert 0 < len(sampled) < 16
    (hop,) = recorded.trace(name, " AND ".join(f"{column} = {value}" for column, value in row.asDict().items()))
    assert hop.witness is not None, hop.ended
    assert hop.witness.completeness == operator.label, hop.witness.reasons
    (found,) = hop.witness.sources
    ids = {one.values["id"] for one in found.rows}
    wanted = recorded.source().where(operator.named.format(sampled=", ".join(sampled), **row.asDict())).collect()
    assert (ids, found.version, found.whole, found.count) == ({one["id"] for one in wanted}, 0, None, len(wanted))
    assert row in made(operator.again or operator.make, recorded.spark, recorded.alone(ids, tmp_path / "alone")).collect()


@pytest.mark.soak
def test_a_table_function_that_gives_more_of_fewer_rows(recorded: Recorded, tmp_path: Path) -> None:
    """What it makes of all rows matches nothing; what it makes of the row alone would. So all are needed, or it is said that each reading has its own."""
    (hop,) = recorded.trace("missing", "id = 0 AND v IS NULL")
    assert hop.witness is not None, hop.ended
    (found,) = hop.witness.sources
    ids = {*range(16)} if found.whole else {one.values["id"] for one in found.rows}
    rows = made(OTHERS["missing"], recorded.spark, recorded.alone(ids, tmp_path / "alone")).collect()
    assert (0, None) in map(tuple, rows) or "is read more than once" in " ".join(hop.witness.reasons), rows


@pytest.mark.soak
def test_a_script_need_not_give_the_same_rows(recorded: Recorded) -> None:
    for row in recorded.rows("shuffled"):
        (hop,) = recorded.trace("shuffled", f"half = {row[0]} AND n = {row[1]}")
        said = str(hop.ended) if hop.witness is None else " ".join(hop.witness.reasons)
        assert "the same rows each time" in said


@pytest.mark.soak
def test_a_row_that_a_delete_wrote_again(recorded: Recorded) -> None:
    kept, before = recorded.trace("newest", "half = 0")
    assert (kept.version, kept.written_version, kept.witness) == (1, 1, None)
    assert "was written again by DELETE, and is looked for in version 0" in str(kept.passed)
    assert (before.version, before.written_version, before.rows) == (0, 0, ({"half": 0, "id": 14, "n": 8},))
    assert before.witness is not None, before.ended
    assert {row.values["id"] for row in before.witness.sources[0].rows} == {*range(0, 16, 2)}


def test_a_sample_is_chosen_again(small: Callable[[int], Small]) -> None:
    one, query = small(0), Query(f"SELECT u FROM t0 {HALF}", ())
    rows = {table.name: rows_of(table, Random(3)) for table in one.world.tables}
    one.bind(rows, identified=True)
    chosen = {row["u"] for row in one.rows(query)}
    assert 0 < len(chosen) < len(rows["t0"])
    for number in (row[1] for row in rows["t0"]):
        followed = one.trace(query, [(number,)])
        found = followed.missing, one.found(followed, rows)[0], is_exact(followed)
        assert found == ((0, {number}, False) if number in chosen else (1, set(), False))


def test_a_scalar_subquery_of_which_one_row_at_most_is_expected(small: Callable[[int], Small]) -> None:
    """Spark makes a LeftSingle join of it. Of a row that has none there, the rows are needed that HAVING leaves out: alone it would have one."""
    alone = "(SELECT k, count(*) AS n FROM t0 GROUP BY k HAVING count(*) = 1)"
    one, tally, query = small(0), Tally(), Query(f"SELECT a.u, (SELECT c.n FROM {alone} c WHERE c.k = a.k) AS n FROM t0 a", ())
    rows = {table.name: rows_of(table, Random(3)) for table in one.world.tables}
    for row, k in zip(rows["t0"], (1, 1, 2, 3), strict=False):
        row[0] = k
    one.examine(query, rows, Random(3), tally, at_most=len(rows["t0"]))
    assert tally.rows >= len(rows["t0"]), tally.left_out
    assert tally.violations == [], "\n\n".join(tally.violations[:1])


def command(root: Path, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["--store", str(root / "store"), "trace", str(root / "newest"), "--where", *arguments])


@pytest.mark.soak
def test_what_each_option_of_the_command_changes(recorded: Recorded) -> None:
    def told(*arguments: str) -> Any:
        return json.loads(command(recorded.root, *arguments, "--json").stdout)

    def found(hop: Any) -> Any:
        (source,) = hop["witness"]["sources"]
        return hop["witness"]["completeness"], source["count"], len(source["rows"])

    _, hop = told("half = 0")
    assert found(hop) == ("exact", 8, 8)
    (then,) = told("half = 0", "--version", "0")
    assert (then["version"], then["passed"], then["rows"]) == (0, None, hop["rows"])
    assert found(told("half = 0", "--limit", "3")[1]) == ("truncated", 8, 3)
    assert found(told("half = 0", "--deciding")[1]) == ("deciding", 1, 1)
    last = told("half = 0", "--depth", "2")[-1]
    assert (last["depth"], len(last["rows"]), last["name"].rsplit("/", 1)[1]) == (2, 8, "source")
    assert len(told("half < 2", "--version", "0", "--rows", "2")[0]["rows"]) == 2
    assert "more than 1 rows" in command(recorded.root, "half < 2", "--version", "0", "--rows", "1").stderr
    assert "witness: exact" in command(recorded.root, "half = 0").stdout


@pytest.mark.parametrize("refused", ["--history", "--executions 3", "--forward --deciding", "--forward --rows 3"])
def test_options_that_say_nothing_are_refused(refused: str, tmp_path: Path) -> None:
    *forward, option = [part for part in refused.split() if part.startswith("--")]
    answer = command(tmp_path, "true", *refused.split())
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert f"{option} says nothing {'with' if forward else 'without'} --forward" in answer.stderr
