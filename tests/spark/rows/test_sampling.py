"""Samples of what jobs wrote: which rows are chosen, what is kept of each, and what a job notices of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage import Sample
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.model import RowLineage, RowSample
from spark_lineage.rows.due import Due, due
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.rows.stored import samples
from spark_lineage.sample_marks import bound_of
from spark_lineage.store.tables import Store


@dataclass(frozen=True)
class Taken:
    """A folder with tables, the samples of their rows, and the lineage of what made them."""

    spark: Any
    root: Path
    samples: dict[tuple[str, int], RowSample]
    wanted: tuple[Due, ...]

    def of(self, table: str, version: int = 0) -> RowSample:
        return self.samples[table, version]

    def rows(self, table: str, **more: Any) -> tuple[RowLineage, ...]:
        return spark_lineage.open(self.root / "store").row_lineage(str(self.root / table), **more)

    def read(self, table: str, version: int | None = None) -> Any:
        reader = self.spark.read.format("delta")
        return (reader if version is None else reader.option("versionAsOf", version)).load(str(self.root / table))

    def alone(self, table: str, where: str) -> Any:
        (hop,) = spark_lineage.open(self.root / "store").trace(
            str(self.root / table), where=where, spark=self.spark, limit=10_000
        )
        return hop.witness


def written(spark: Any, root: Path) -> None:
    """What the jobs do, with an attached session."""
    read = spark.read.format("delta").load(str(root / "orders"))
    totals = read.groupBy("customer").agg(F.sum("amount").alias("total"), F.count("*").alias("n"))
    totals.orderBy("customer").write.format("delta").save(str(root / "totals"))
    read.where("id % 3 = 0").select("id", "amount").write.format("delta").save(str(root / "copied"))
    read.where("id % 3 = 1").select("id", "amount").write.format("delta").mode("append").save(str(root / "copied"))
    tracked = spark_lineage.track(totals.alias("t"), rows=Sample(0.5, per_row=5), key=["customer"])
    tracked.where("t.n > 0").write.format("delta").save(str(root / "tracked"))
    spark_lineage.track(totals, rows=Sample(0.3, column="_lineage"), key=["customer"]).write.format("delta").save(
        str(root / "told")
    )
    raw = (
        spark.read.option("header", True)
        .schema("id BIGINT, customer BIGINT, day BIGINT, amount DECIMAL(9,2)")
        .csv(str(root / "raw"))
    )
    raw.groupBy("day").count().write.format("delta").save(str(root / "days"))
    read.where("amount > (SELECT avg(amount) FROM delta.`{}`)".format(root / "orders")).select("id").write.format("delta").save(
        str(root / "above")
    )
    read.where("id < 40").select("id", "amount").coalesce(1).write.format("delta").save(str(root / "moved"))
    spark.sql(f"UPDATE delta.`{root}/moved` SET amount = 0 WHERE id IN (3, 5)")
    spark.range(0, 30_000, 1, 2).selectExpr("id", "0 AS one").write.format("delta").save(str(root / "skewed"))
    skewed = spark.read.format("delta").load(str(root / "skewed"))
    spark_lineage.track(skewed.groupBy("one").count(), rows=Sample(1.0, per_row=9)).write.format("delta").save(
        str(root / "one_group")
    )
    skewed.where("id < 500").select("id").write.format("delta").save(str(root / "many"))
    spark.range(5).write.format("delta").save(str(root / "source"))
    spark.read.format("delta").load(str(root / "source")).write.format("delta").save(str(root / "of_source"))
    shutil.rmtree(root / "source")
    spark.range(3).withColumn("r", F.rand()).write.format("delta").save(str(root / "chance"))
    spark.range(5).write.format("delta").save(str(root / "remade"))


def changed(spark: Any, root: Path) -> None:
    twins = f"delta.`{root}/twins`"
    spark.sql(
        f"CREATE TABLE {twins} USING delta AS SELECT /*+ COALESCE(1) */ * FROM VALUES (1, 10), (1, 20), (2, 20), (3, 30), (4, 40) AS t(id, amount)"
    )
    spark.sql(f"UPDATE {twins} SET amount = 20 WHERE amount = 10")
    spark.sql(
        f"MERGE INTO {twins} t USING (SELECT * FROM VALUES (3, 31), (4, 40) AS s(id, amount)) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET *"
    )
    spark.sql(f"DELETE FROM {twins} WHERE id = 2")


@contextmanager
def sampled(spark: Any, root: Path, jobs: Callable[[Any, Path], None], remade: bool = False) -> Iterator[Taken]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="shop")
        assert attachment is not None
        jobs(spark, root)
        assert attachment.flush(60)
        detach(spark)
        if remade:
            shutil.rmtree(root / "remade")
            spark.range(5).write.format("delta").save(str(root / "remade"))
        report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        assert report.quarantined == 0
        store = Store.open(str(root / "store"))
        settings = load(
            store=str(root / "store"),
            rows_sample=0.2,
            rows_datasets="*/moved=1,*/twins=1,*/days=1,*/above=1,*/chance=1,*/many=1,*/of_source=1",
        )
        found = due(store, settings)
        list(take_samples(spark, store, found, Limits(key=str(root / "key"))))
        assert due(store, settings) == []
        yield Taken(spark, root, {(Path(one.name).name, one.delta_version): one for one in samples(store)}, tuple(found))


@pytest.fixture(scope="module")
def taken(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    root = tmp_path_factory.mktemp("sampled")
    orders = spark.range(0, 2000, 1, 2).selectExpr(
        "id", "id % 100 AS customer", "id % 7 AS day", "CAST(id AS DECIMAL(9,2)) AS amount"
    )
    orders.write.format("delta").save(str(root / "orders"))
    orders.where("id < 50").write.option("header", True).csv(str(root / "raw"))
    for one in sorted((root / "raw").glob("part-*.csv")):
        shutil.copy(one, one.with_name(f"again-{one.name}"))
    with sampled(spark, root, written, remade=True) as found:
        yield found


def test_rows_are_chosen_by_the_hash_of_what_the_query_groups_by(taken: Taken) -> None:
    sample = taken.of("totals")
    assert (sample.reason, sample.key, sample.fraction) == (None, ("customer",), 0.2)
    chosen = (
        taken.read("totals")
        .where(F.xxhash64("customer") < F.lit(bound_of(0.2)))
        .select(F.xxhash64("customer").alias("h"), "customer")
        .collect()
    )
    assert 5 < len(chosen) < 50
    assert {one.target_key for one in taken.rows("totals")} == {row["h"] for row in chosen}
    assert sample.rows_chosen == len(chosen)


def test_what_is_kept_is_what_a_trace_finds(taken: Taken) -> None:
    customers = {
        row["h"]: row["customer"]
        for row in taken.read("totals").select(F.xxhash64("customer").alias("h"), "customer").collect()
    }
    kept: dict[int, set[tuple[str | None, int | None]]] = {}
    for one in taken.rows("totals"):
        assert (one.source_row_kind, one.completeness, one.source_rows) == ("file_row", "exact", 20)
        kept.setdefault(customers[one.target_key or 0], set()).add((one.source_file, one.source_position))
    for customer in sorted(kept)[:3]:
        witness = taken.alone("totals", f"customer = {customer}")
        assert {(row.file, row.position) for row in witness.sources[0].rows} == kept[customer]


def test_of_an_append_its_own_rows(taken: Taken) -> None:
    first, second = taken.of("copied", 0), taken.of("copied", 1)
    assert first.key == second.key == ("id", "amount")
    assert first.rows_chosen == first.witness_rows == len(taken.rows("copied", version=0))
    added = taken.read("copied", 1).where("id % 3 = 1").where(F.xxhash64("id", "amount") < F.lit(bound_of(0.2))).count()
    assert second.rows_chosen == second.witness_rows == added


def test_a_frame_that_is_tracked(taken: Taken) -> None:
    sample = taken.of("tracked")
    assert (sample.fraction, sample.per_row, sample.key, sample.reason) == (0.5, 5, ("customer",), None)
    rows = taken.rows("tracked")
    assert {(one.completeness, one.source_rows) for one in rows} == {("truncated", 20)}
    assert len(rows) == 5 * (sample.rows_chosen or 0) == sample.witness_rows
    assert sample.rows_truncated == sample.rows_chosen
    assert taken.read("tracked").schema == taken.read("totals").schema
    assert taken.read("tracked").exceptAll(taken.read("totals")).count() == 0


def test_a_column_that_tells_the_key_of_a_row_that_was_chosen(taken: Taken) -> None:
    told = {row["_lineage"] for row in taken.read("told").where("_lineage IS NOT NULL").collect()}
    assert told == {one.target_key for one in taken.rows("told")}
    assert 10 < len(told) < 60
    assert taken.read("told").drop("_lineage").exceptAll(taken.read("totals")).count() == 0
    assert {one.completeness for one in taken.rows("told")} == {"exact"}


def test_rows_without_a_place_are_known_by_their_content(taken: Taken) -> None:
    rows = taken.rows("days")
    assert len(rows) == 50
    assert {(one.source_row_kind, one.multiplicity) for one in rows} == {("fingerprint", 2)}, "each is in two files"
    assert all(one.source_fingerprint is not None and len(one.source_fingerprint) == 16 for one in rows)


def test_a_source_that_decides_as_a_whole_is_one_row(taken: Taken) -> None:
    by_row: dict[bytes, set[str | None]] = {}
    for one in taken.rows("above"):
        assert one.completeness == "superset"
        by_row.setdefault(one.target_row, set()).add(one.source_row_kind)
    assert len(by_row) == taken.read("above").count()
    assert set(map(frozenset, by_row.values())) == {frozenset({"file_row", "whole"})}


def test_a_group_of_many_rows_is_cut_and_counted(taken: Taken) -> None:
    assert {(one.source_rows, one.completeness) for one in taken.rows("one_group")} == {(30_000, "truncated")}
    assert len(taken.rows("one_group")) == 9


def test_no_more_rows_are_chosen_than_may_be(taken: Taken) -> None:
    (many,) = (one for one in taken.wanted if one.name.endswith("/many"))
    store = Store.open(str(taken.root / "store"))
    assert taken.of("many").rows_chosen == 500
    (again,) = take_samples(taken.spark, store, [replace(many, most=5)], Limits(key=str(taken.root / "key")))
    assert (again.rows_chosen, again.witness_rows, again.reason) == (5, 5, None)
    assert 0.001 < again.fraction < 0.05
    lowest = taken.read("many").select(F.xxhash64("id").alias("h")).orderBy("h").limit(5).collect()
    assert {one.target_key for one in taken.rows("many")} == {row["h"] for row in lowest}
    assert {one.sample_fraction for one in taken.rows("many")} == {again.fraction}


def test_a_source_that_is_gone(taken: Taken) -> None:
    assert "source" in (taken.of("of_source").reason or "")
    assert taken.rows("of_source", version=0) == ()


def test_a_table_that_was_made_again_under_its_name(taken: Taken) -> None:
    assert "is another table now" in (taken.of("remade").reason or "")
    assert taken.rows("remade", version=0) == ()


def test_of_an_update_the_rows_that_it_changed(taken: Taken) -> None:
    sample = taken.of("moved", 1)
    assert (sample.reason, sample.rows_chosen, sample.rows_exact) == (None, 2, 2), "not those that it wrote again"
    rows = taken.rows("moved", version=1)
    assert {(Path(str(one.source_name)).name, one.source_version) for one in rows} == {("moved", 0)}
    assert len(rows) == 2


@pytest.mark.soak
def test_rows_that_a_command_made_and_that_were_there_before(spark: Any, tmp_path: Path) -> None:
    """Which of the two a row is is not known; what was only written again is of the version before."""
    with sampled(spark, tmp_path, changed) as taken:
        of_twins(taken)


def of_twins(taken: Taken) -> None:
    updated, merged = taken.of("twins", 1), taken.of("twins", 2)
    assert (updated.reason, updated.rows_chosen, updated.rows_superset) == (None, 1, 1)
    assert updated.reasons is not None
    assert "version 0 has rows that are equal to some that UPDATE made" in updated.reasons[0]
    (row,) = taken.rows("twins", version=1)
    assert (row.completeness, Path(str(row.source_name)).name, row.source_version) == ("superset", "twins", 0)
    hops = spark_lineage.open(taken.root / "store").trace(
        str(taken.root / "twins"), where="id = 1", version=1, spark=taken.spark
    )
    made = [hop.witness for hop in hops if hop.witness is not None and hop.written_version == 1]
    assert {(one.completeness, row.values["amount"]) for one in made for row in one.sources[0].rows} == {("superset", 10)}
    assert (merged.reason, merged.rows_chosen, merged.rows_exact, merged.rows_superset) == (None, 2, 1, 1)
    deleted = taken.of("twins", 3)
    assert (deleted.reason, deleted.rows_chosen) == (None, 0), "it makes none"


def test_rows_that_a_plan_does_not_give_again_are_not_made_up(taken: Taken) -> None:
    """`rand` has its seed in the plan: such rows are found again; what of them cannot be is `partial`."""
    rows = taken.rows("chance")
    assert len(rows) == 3
    assert all(one.source_name is None for one in rows)


def test_commands(taken: Taken) -> None:
    store = ["--store", str(taken.root / "store")]
    listed = CliRunner().invoke(main, [*store, "rows", "list"])
    assert listed.exit_code == 0
    assert "of_source" in listed.output
    shown = CliRunner().invoke(main, [*store, "rows", "show", str(taken.root / "totals"), "--limit", "3"])
    assert shown.exit_code == 0
    assert "file_row" in shown.output
    assert "more; --limit shows them" in shown.output
    nothing = CliRunner().invoke(main, [*store, "rows", "take", "--due"], env={"SPARK_LINEAGE_ROWS_DATASETS": "*/nothing=1"})
    assert (nothing.exit_code, nothing.stderr) == (0, "")
    absent = CliRunner().invoke(main, [*store, "rows", "show", str(taken.root / "orders")])
    assert absent.exit_code == 2
    assert "no sample of the rows" in absent.output
