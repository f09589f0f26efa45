"""Values and files that are rare, and that a witness must not miss: zeros with a sign, malformed lines, padded texts, times that Python does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shops import Shop

import spark_lineage
from spark_lineage.errors import TraceError
from spark_lineage.rows.witness import ForwardHop, Hop

ZEROS = [0, 1, 2, 10, 11, 30]
"""The numbers of the rows whose double is zero, most with a minus; Spark holds them equal."""


@pytest.fixture(scope="module", autouse=True)
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path_factory.mktemp("key") / "key"))
        yield


def zeros(shop: Shop) -> str:
    """A table of several files, the statistics of one of which say -0.0 alone."""
    shop.make("zeros", "SELECT -0.0D AS d, id AS u FROM range(0, 3, 1, 1)")
    shop.spark.sql(f"INSERT INTO {shop.table('zeros')} SELECT 0.0D, id FROM range(10, 12, 1, 1)")
    shop.spark.sql(f"INSERT INTO {shop.table('zeros')} VALUES (-0.0D, 30L), (5.0D, 31L), (DOUBLE('NaN'), 32L)")
    return shop.table("zeros")


def lines(shop: Shop) -> str:
    """A folder with a CSV file of which the second column of a line is no number."""
    (shop.root / "lines").mkdir()
    (shop.root / "lines" / "a.csv").write_text("1,5\n1,abc\n2,7\n1,6\n")
    return f"{shop.root}/lines"


def secret(shop: Shop) -> str:
    shop.make("secret", "SELECT id AS u, 'secret ' || id AS s, id % 2 AS k FROM range(0, 4, 1, 1)")
    return shop.table("secret")


@pytest.fixture(scope="module")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = Shop(spark, tmp_path_factory.mktemp("rare"))
    table, signed, of_lines, hidden = made.table, zeros(made), lines(made), secret(made)
    spark.sql(f"CREATE TABLE {table('old')} (u BIGINT, at TIMESTAMP) USING delta")
    spark.sql(f"INSERT INTO {table('old')} VALUES (0, TIMESTAMP'-0044-03-15 12:00:00'), (1, TIMESTAMP'2020-01-01 00:00:00')")
    spark.sql(f"CREATE TABLE {table('padded')} (c CHAR(5), u BIGINT) USING delta")
    spark.read.schema("id INT, v INT").option("MODE", "dropMalformed").csv(of_lines).createOrReplaceTempView("dropped")
    with made.recorded():
        made.make("grouped", f"SELECT d, count(*) AS n, sum(u) AS s FROM {signed} GROUP BY d")
        made.make("of_dropped", "SELECT id, count(*) AS n FROM dropped GROUP BY id")
        made.make("of_old", f"SELECT u % 2 AS h, count(*) AS n FROM {table('old')} GROUP BY 1")
        made.make("old_again", f"SELECT u, at FROM {table('old')}")
        spark.sql(f"INSERT INTO {table('padded')} SELECT IF(id > 1, 'b', 'a'), id FROM range(0, 3, 1, 1)")
        made.make("of_padded", f"SELECT c, count(u) AS n FROM {table('padded')} GROUP BY c")
        made.make("of_secret", f"SELECT u % 2 AS h, count(*) AS n FROM {hidden} GROUP BY 1")
    return made


@pytest.fixture(scope="module")
def more(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = Shop(spark, tmp_path_factory.mktemp("more"))
    table, signed, of_lines, hidden = made.table, zeros(made), lines(made), secret(made)
    spark.table(signed).write.orc(f"{made.root}/orc")
    spark.read.orc(f"{made.root}/orc").createOrReplaceTempView("orc_zeros")
    spark.read.schema("id INT, v INT, _corrupt_record STRING").csv(of_lines).createOrReplaceTempView("marked")
    spark.read.schema("id INT, v INT").csv(of_lines).createOrReplaceTempView("kept")
    with made.recorded():
        made.make("twice", f"SELECT n, max(d) AS d FROM (SELECT d, count(u) AS n FROM {signed} GROUP BY d) GROUP BY n")
        made.make("ranked", f"SELECT u, d, count(*) OVER (PARTITION BY d) AS n FROM {signed}")
        made.make("ordered", f"SELECT u, rank() OVER (ORDER BY d) AS r FROM {signed}")
        made.make("known", f"SELECT u FROM {signed} WHERE d IN (SELECT d FROM {signed} WHERE u < 3) AND u = 10")
        made.make("most", f"SELECT u > 100 AS x, max(d) AS m FROM {signed} WHERE d < 1 GROUP BY 1")
        made.make("of_orc", "SELECT d, count(u) AS n FROM orc_zeros GROUP BY d")
        made.make("of_marked", "SELECT id, count(*) AS n FROM marked WHERE _corrupt_record IS NULL GROUP BY id")
        made.make("of_kept", "SELECT id, count(*) AS n FROM kept GROUP BY id")
        made.make("rolled", f"SELECT k, u, count(*) AS n FROM {hidden} GROUP BY ROLLUP(k, u)")
    spark.sql(f"CREATE TABLE {table('cloned')} SHALLOW CLONE {hidden}")
    return made


def numbers(hop: Hop, name: str = "u") -> list[int]:
    assert hop.witness is not None, hop.ended
    return sorted(row.values[name] for source in hop.witness.sources for row in source.rows)


def label(hop: Hop) -> str:
    assert hop.witness is not None, hop.ended
    return hop.witness.completeness


def test_zeros_with_and_without_a_sign_are_one_group(shop: Shop) -> None:
    """Parquet passes over a file that has -0.0 alone where 0.0 is asked for."""
    hop = shop.trace("grouped", "d = 0.0")
    assert (label(hop), numbers(hop)) == ("exact", ZEROS)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "where", "completeness"),
    [("twice", "n = 6", "exact"), ("ranked", "u = 10", "superset"), ("of_orc", "d = 0.0", "exact")],
)
def test_zeros_on_every_way(name: str, where: str, completeness: str, more: Shop) -> None:
    hop = more.trace(name, where)
    assert hop.witness is not None, hop.ended
    assert (numbers(hop), hop.witness.completeness) == (ZEROS, completeness)


@pytest.mark.soak
def test_zeros_that_another_row_is_held_against(more: Shop) -> None:
    assert numbers(more.trace("known")) == [0, 1, 2, 10]
    assert {*ZEROS} <= {*numbers(more.trace("ordered", "u = 31"))}
    assert numbers(more.trace("most", deciding=True), "d") == [0.0] * len(ZEROS)


@pytest.mark.soak
def test_what_was_made_of_a_zero(more: Shop) -> None:
    found: tuple[ForwardHop, ...] = spark_lineage.open(more.root / "store").trace(
        str(more.root / "zeros"), where="u = 0", forward=True, spark=more.spark
    )  # type: ignore[assignment]
    made = {hop.target.name.rsplit("/", 1)[1]: len(hop.target.rows) for hop in found if hop.target is not None}
    assert made == {"twice": 1, "ranked": 6, "ordered": 8, "known": 1, "most": 1}
    assert {hop.completeness for hop in found} <= {"exact", "superset"}


@pytest.mark.parametrize(("of", "name"), [("shop", "of_dropped"), pytest.param("more", "of_marked", marks=pytest.mark.soak)])
def test_lines_that_are_malformed_where_the_query_does_not_look(of: str, name: str, request: pytest.FixtureRequest) -> None:
    """The query read `id` alone, of which no value is malformed; a row is known by all of its columns."""
    shop: Shop = request.getfixturevalue(of)
    assert shop.spark.table(shop.table(name)).where("id = 1").first()["n"] == 3
    hop = shop.trace(name, "id = 1")
    assert hop.witness is not None
    assert hop.witness.completeness == "partial"
    assert any("malformed depends on the columns that are read" in reason for reason in hop.witness.reasons)


@pytest.mark.soak
def test_lines_that_are_read_whatever_is_in_them(more: Shop) -> None:
    hop = more.trace("of_kept", "id = 1")
    assert hop.witness is not None
    assert (hop.witness.completeness, sum(source.count for source in hop.witness.sources)) == ("exact", 3)


def test_texts_of_a_fixed_length(shop: Shop) -> None:
    """Spark pads such texts again as it reads them, behind which nobody sees a row's file."""
    hop = shop.trace("padded", "c = 'a'")
    assert hop.operation is not None
    assert hop.written_version == 1
    assert (label(hop), hop.rows[0]["c"]) == ("exact", "a    ")
    hop = shop.trace("of_padded", "c = 'a'")
    assert (label(hop), numbers(hop)) == ("exact", [0, 1])


@pytest.mark.soak
def test_what_was_made_of_texts_of_a_fixed_length(shop: Shop) -> None:
    (found,) = spark_lineage.open(shop.root / "store").trace(
        str(shop.root / "padded"), where="c = 'a'", forward=True, spark=shop.spark
    )
    assert isinstance(found, ForwardHop)
    assert found.target is not None
    assert ([row.values["n"] for row in found.target.rows], found.completeness) == ([2], "exact")
    assert [row.kind for row in found.source.rows] == ["file_row"] * 2


def test_texts_of_a_fixed_length_replayed(shop: Shop) -> None:
    """The writer pads them, the plan does not."""
    execution = shop.trace("padded", "c = 'a'").execution_id
    assert execution is not None
    (told,) = spark_lineage.open(shop.root / "store").replay(execution, spark=shop.spark)
    assert (told.verdict, told.rows) == ("identical", (3, 3))


def test_times_that_python_does_not_know(shop: Shop) -> None:
    hop = shop.trace("of_old", "h = 0")  # the query does not read the column
    assert (label(hop), numbers(hop)) == ("exact", [0])
    with pytest.raises(TraceError, match="that Python cannot hold"):
        shop.trace("old_again", "u = 0")
    assert numbers(shop.trace("old_again", "u = 1")) == [1]


@pytest.mark.soak
def test_samples_of_all_of_these(shop: Shop) -> None:
    """What is wrong with one version keeps no other from its sample."""
    lineage = spark_lineage.open(shop.root / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_ROWS_SAMPLE", "1.0")
        taken = {one.name.rsplit("/", 1)[1]: one for one in lineage.take_rows(spark=shop.spark)}
        assert not lineage.take_rows(spark=shop.spark)
    assert "that Python cannot hold" in str(taken["old_again"].reason)
    assert all(one.reason is None for name, one in taken.items() if name != "old_again")
    assert (taken["grouped"].rows_exact, taken["grouped"].witness_rows) == (3, 8)
    assert (taken["of_dropped"].rows_exact, taken["of_dropped"].rows_partial) == (0, 2)
    kept = lineage.row_lineage(str(shop.root / "grouped"))
    values = [
        row["u"]
        for row, one in zip(lineage.row_values(kept, spark=shop.spark), kept, strict=True)
        if row and one.source_rows == 6
    ]
    assert sorted(values) == ZEROS


def test_values_that_the_query_did_not_read_are_not_shown(shop: Shop) -> None:
    hop = shop.trace("of_secret", "h = 0")
    assert hop.witness is not None
    assert [row.values for source in hop.witness.sources for row in source.rows] == [{"u": 0}, {"u": 2}]


@pytest.mark.soak
def test_values_that_a_rollup_did_not_read_are_not_shown(more: Shop) -> None:
    hop = more.trace("rolled", "k = 0 AND u = 2")
    assert hop.witness is not None
    assert [row.values for source in hop.witness.sources for row in source.rows] == [{"k": 0, "u": 2}]


@pytest.mark.soak
def test_a_shallow_clone_that_nobody_recorded(more: Shop) -> None:
    hop = more.trace("cloned", "u = 1")
    assert hop.witness is None
    assert "files that others wrote (a shallow clone" in str(hop.ended)
