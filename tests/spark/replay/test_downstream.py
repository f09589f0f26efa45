"""A backfill after a bug: what would change downstream of a table that was put right, held against the same jobs run on it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_overlay import digest

from spark_lineage.capture.attach import attach, detach
from spark_lineage.capture.own import unrecorded
from spark_lineage.cli import main
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store


def jobs(spark: Any, lake: str) -> None:
    """Three hops: totals twice appended to a history, days overwritten one by one, a target merged into; and a table beside them."""

    def table(name: str) -> str:
        return f"delta.`{lake}/{name}`"

    totals = f"SELECT customer, sum(amount) AS total FROM {table('orders')} GROUP BY customer"
    spark.sql(f"CREATE TABLE {table('totals')} USING delta AS {totals}")
    spark.sql(f"CREATE TABLE {table('history')} USING delta AS SELECT 1 AS run, * FROM {table('totals')}")
    spark.sql(f"INSERT INTO {table('history')} SELECT 2 AS run, customer, total FROM {table('totals')} WHERE customer < 2")
    days = spark.sql(f"SELECT customer AS day, id, amount FROM {table('orders')}")
    days.where("day < 2").write.format("delta").partitionBy("day").save(f"{lake}/days")
    days.where("day > 0").write.format("delta").mode("overwrite").option("partitionOverwriteMode", "dynamic").save(
        f"{lake}/days"
    )
    days.where("day = 2").write.format("delta").mode("overwrite").option("replaceWhere", "day = 2").save(f"{lake}/days")
    spark.sql(f"CREATE TABLE {table('target')} USING delta AS SELECT 0L AS customer, CAST(0 AS DECIMAL(19,2)) AS total")
    spark.sql(
        f"MERGE INTO {table('target')} t USING {table('totals')} s ON t.customer = s.customer "
        "WHEN MATCHED THEN UPDATE SET total = t.total + s.total WHEN NOT MATCHED THEN INSERT *"
    )
    spark.sql(f"UPDATE {table('target')} SET total = total + 1 WHERE customer = 1")
    spark.sql(f"CREATE TABLE {table('beside')} USING delta AS SELECT id FROM range(3)")


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("backfill")
    patch = pytest.MonkeyPatch()
    patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
    rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 1)")
    right = rows.selectExpr("id", "customer", "CAST(CASE WHEN id = 4 THEN 40 ELSE amount END AS DECIMAL(9,2)) AS amount")
    rows.write.format("delta").save(f"{root}/lake/orders")
    right.write.format("delta").save(f"{root}/right/orders")
    attachment = attach(
        spark, inbox=str(root / "inbox"), store=str(root / "store"), ingest="none", strict=True, job_name="nightly"
    )
    jobs(spark, f"{root}/lake")
    attachment.flush(60)
    detach(spark)
    ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
    jobs(spark, f"{root}/right")
    spark.sql(f"UPDATE delta.`{root}/lake/orders` SET amount = 40 WHERE id = 4")
    yield root
    patch.undo()


def ask(root: Path, *arguments: str) -> tuple[int, Any, str]:
    done = CliRunner().invoke(main, ["replay", *arguments, "--store", str(root / "store"), "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("[") else None, done.stderr


@pytest.mark.soak
def test_what_would_change(lake: Path, spark: Any) -> None:
    before = digest(lake / "lake")
    code, found, err = ask(lake, "--downstream-of", "orders", "--keep", "--scratch", str(lake))
    assert code == 1, err
    told = [(one["name"].rsplit("/", 1)[-1], one["verdict"]) for one in found]
    assert told == [(name, "different") for name in ("totals", "history", "days", "target")]
    assert digest(lake / "lake") == before
    for one in found:
        name = one["name"].rsplit("/", 1)[-1]
        right = spark.read.format("delta").load(f"{lake}/right/{name}")
        assert one["difference"]["changed"] == len(one["difference"]["sample_changed"]), one
        was = spark.read.format("delta").load(f"{lake}/lake/{name}")
        expected = right.exceptAll(was).count()
        assert (one["difference"]["missing"], one["difference"]["unexpected"]) == (expected, expected), name
    assert Store.open(str(lake / "store")).arrow("replays").num_rows == 0


@pytest.mark.soak
def test_the_states_are_those_of_the_right_jobs(lake: Path, spark: Any) -> None:
    """What is kept in the scratch place is, table by table, what the jobs make of the right orders."""
    folder = lake / "kept"
    folder.mkdir()
    _, found, _ = ask(lake, "--downstream-of", "orders", "--keep", "--scratch", str(folder))
    (place,) = folder.iterdir()
    states = [spark.read.format("delta").load(str(path)) for path in place.iterdir()]
    for one in found:
        right = spark.read.format("delta").load(one["name"].replace("/lake/", "/right/"))
        same = [
            state for state in states
            if sorted(state.columns) == sorted(right.columns) and not state.select(right.columns).exceptAll(right).count()
            and state.count() == right.count()
        ]  # fmt: skip
        assert same, one["name"]


@pytest.mark.soak
def test_nothing_would_change(lake: Path) -> None:
    code, found, err = ask(lake, "--downstream-of", "orders@0")
    assert (code, {one["verdict"] for one in found}) == (0, {"identical"}), err
    code, found, err = ask(lake, "--downstream-of", "beside")
    assert code == 2
    assert "nothing was made of it" in err
    code, found, err = ask(lake, "--downstream-of", "nothing")
    assert code == 2
    assert "no dataset called 'nothing' is recorded" in err
    code, found, err = ask(lake, "--downstream-of", "orders@99")
    assert (code, "orders has no version 99: the newest is 1" in err, "should not have" in err) == (2, True, False), err


def chains(spark: Any, lake: str) -> None:
    """Of the same orders: a table through files; one that is rearranged between its writes, by what is recorded and by what is not; and tables whose rows
    Delta numbers, or a write gives a column."""

    def table(name: str) -> str:
        return f"delta.`{lake}/{name}`"

    spark.read.format("delta").load(f"{lake}/orders").write.parquet(f"{lake}/folder")
    spark.read.parquet(f"{lake}/folder").groupBy("customer").sum("amount").toDF("customer", "total").write.format("delta").save(
        f"{lake}/mart"
    )
    spark.sql(f"CREATE TABLE {table('report')} USING delta AS SELECT total FROM {table('mart')}")
    spark.sql(f"CREATE TABLE {table('parts')} USING delta AS SELECT id, amount FROM {table('orders')} WHERE id < 6")
    spark.sql(f"INSERT INTO {table('parts')} SELECT id, amount FROM {table('orders')} WHERE id >= 6")
    spark.sql(f"OPTIMIZE {table('parts')}")
    with unrecorded():
        mapping = "'delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = 2, 'delta.minWriterVersion' = 5"
        spark.sql(f"ALTER TABLE {table('parts')} SET TBLPROPERTIES ({mapping})")
        spark.sql(f"ALTER TABLE {table('parts')} RENAME COLUMN amount TO price")
    spark.sql(f"CREATE TABLE {table('summed')} USING delta AS SELECT sum(price) AS total FROM {table('parts')}")
    spark.sql(f"INSERT INTO {table('parts')} SELECT id + 100, amount FROM {table('orders')} WHERE id = 4")
    spark.sql(f"OPTIMIZE {table('parts')}")

    counts = f"SELECT customer, count(*) AS n FROM {table('orders')} GROUP BY customer"
    for name in ("counted", "chosen"):
        spark.sql(
            f"CREATE TABLE {table(name)} (customer BIGINT, n BIGINT, number BIGINT GENERATED ALWAYS AS IDENTITY) USING delta"
        )
        spark.sql(f"INSERT INTO {table(name)} (customer, n) {counts}")
    spark.sql(
        f"MERGE INTO {table('counted')} t USING (SELECT customer + 1 AS customer, n FROM ({counts})) s ON t.customer = s.customer "
        "WHEN MATCHED THEN UPDATE SET n = t.n + s.n WHEN NOT MATCHED THEN INSERT (customer, n) VALUES (s.customer, s.n)"
    )
    spark.sql(f"UPDATE {table('counted')} SET n = n + 1 WHERE customer = 1")
    spark.sql(f"UPDATE {table('chosen')} SET n = 0 WHERE number > 2")
    spark.sql(f"CREATE TABLE {table('without')} USING delta AS SELECT customer, n FROM {table('counted')}")
    spark.sql(f"CREATE TABLE {table('numbers')} USING delta AS SELECT number FROM {table('counted')}")
    for low, high in ((0, 6), (6, 12)):
        rows = spark.read.format("delta").load(f"{lake}/orders").where(f"id >= {low} AND id < {high}")
        rows.select("id", "customer").write.format("delta").mode("append").save(f"{lake}/keyed")


@pytest.fixture(scope="module")
def chained(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("chains")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 1)")
        rows.write.format("delta").save(f"{root}/lake/orders")
        attachment = attach(
            spark, inbox=str(root / "inbox"), store=str(root / "store"), ingest="none", strict=True, rows_column="_lineage",
            rows_datasets="*/keyed=0.5", rows_key="id",
        )  # fmt: skip
        assert attachment is not None
        chains(spark, f"{root}/lake")
        attachment.flush(60)
        detach(spark)
        ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        spark.sql(f"UPDATE delta.`{root}/lake/orders` SET amount = 40 WHERE id = 4")
        yield root


@pytest.fixture(scope="module")
def told(chained: Path) -> dict[str, Any]:
    """By the names of tables, what would change in them."""
    code, found, err = ask(chained, "--downstream-of", "orders")
    assert code in (0, 1, 2), err
    return {one["name"].rsplit("/", 1)[-1]: one for one in found}


@pytest.mark.soak
def test_what_was_made_through_files_is_told(told: dict[str, Any]) -> None:
    for name, reason in (
        ("folder", "what it would be is not known: it is no Delta table"),
        ("mart", "version 0 of mart was made of folder, and what that would be is not known: it is no Delta table"),
        ("report", "version 0 of mart was made of"),
    ):
        assert told[name]["verdict"] == "not_replayable"
        assert reason in told[name]["reason"], told[name]
    assert told["folder"]["version"] is None


@pytest.mark.soak
def test_what_only_rearranges_a_table_passes_the_rows_on(told: dict[str, Any]) -> None:
    """The newest version of parts is one of OPTIMIZE; it names the execution that wrote its rows."""
    for name, missing, columns in (("parts", 2, ["id", "price"]), ("summed", 1, ["total"])):
        assert (told[name]["verdict"], told[name]["difference"]["missing"]) == ("different", missing), told[name]
        assert told[name]["difference"]["columns"] == columns
    assert (told["parts"]["version"], told["parts"]["operation"]) == (6, "append")


@pytest.mark.soak
def test_columns_that_no_plan_gives(told: dict[str, Any], chained: Path, spark: Any) -> None:
    """Their numbers are not compared, and what was made of these is no guess; the column that a write gave to rows is computed again."""
    assert (told["counted"]["verdict"], told["counted"]["columns"]) == ("equivalent", ["number"]), told["counted"]
    assert told["counted"]["reason"].startswith("number is not compared: Delta numbers it")
    assert told["without"]["verdict"] == "identical", told["without"]
    for name, read in (("numbers", "counted, version 3"), ("chosen", "chosen, version 1")):
        assert told[name]["verdict"] == "not_replayable", told[name]
        assert told[name]["reason"].startswith(f"it cannot be computed: it reads number of {read}: Delta numbers it"), told[
            name
        ]
        assert told[name]["reason"].endswith("a replay cannot know the numbers")
    there = spark.read.format("delta").load(f"{chained}/lake/keyed").where("_lineage IS NOT NULL").count()
    assert 0 < there < 12
    assert told["keyed"]["verdict"] == "identical", told["keyed"]
