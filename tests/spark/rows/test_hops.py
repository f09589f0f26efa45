"""Rows of tables that jobs wrote, traced from what was recorded of these jobs: through several of them, to raw files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.errors import NotFound, QueryError, TraceError
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import Hop, Source


@dataclass(frozen=True)
class Recorded:
    """A folder with tables, and the lineage of what made them."""

    spark: Any
    root: Path
    key: str

    def trace(self, table: str, where: str, **more: Any) -> tuple[Hop, ...]:
        return spark_lineage.open(self.root / "store").trace(str(self.root / table), where=where, spark=self.spark, **more)


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Raw files; orders from them, twice appended, updated and compacted; their daily sums; what is left of customers."""
    root = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        raw = spark.sql(
            "SELECT id, id % 3 AS customer, id % 4 AS day, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 2)"
        )
        raw.where("id < 8").write.parquet(str(root / "raw_1"))
        raw.where("id >= 8").write.option("header", True).csv(str(root / "raw_2"))
        spark.sql("SELECT id AS customer, 'c' || id AS name FROM range(5)").write.format("delta").save(str(root / "customers"))
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="shop")
        assert attachment is not None
        orders, daily = f"delta.`{root}/orders`", f"delta.`{root}/daily`"
        spark.read.parquet(str(root / "raw_1")).write.format("delta").save(str(root / "orders"))
        more = spark.read.option("header", True).schema("id BIGINT, customer BIGINT, day BIGINT, amount DECIMAL(9,2)")
        more.csv(str(root / "raw_2")).write.format("delta").mode("append").save(str(root / "orders"))
        spark.sql(
            f"CREATE TABLE {daily} USING delta AS SELECT day, name, sum(amount) AS total, count(*) AS n, avg(amount) AS mean FROM {orders} "
            f"JOIN delta.`{root}/customers` USING (customer) GROUP BY day, name"
        )
        spark.sql(f"UPDATE {orders} SET amount = amount + 100 WHERE id = 1")
        spark.sql(f"OPTIMIZE {orders}")
        spark.sql(
            f"CREATE TABLE delta.`{root}/idle` USING delta AS SELECT * FROM delta.`{root}/customers` WHERE customer NOT IN (SELECT customer FROM {orders})"
        )
        spark.sql(
            f"CREATE TABLE delta.`{root}/chance` USING delta AS SELECT customer, rand() AS r FROM delta.`{root}/customers`"
        )
        spark.sql(
            f"CREATE TABLE delta.`{root}/newest` USING delta AS SELECT customer, max(id) AS id, count(*) AS n FROM {orders} GROUP BY customer"
        )
        customers = f"delta.`{root}/customers`"
        spark.sql(
            f"CREATE TABLE delta.`{root}/pairs` USING delta AS SELECT a.name, b.name AS other FROM {customers} a JOIN {customers} b "
            "ON b.customer = a.customer + 1 WHERE a.customer = 0"
        )
        tracked, mapped = f"delta.`{root}/tracked`", f"delta.`{root}/mapped`"
        spark.sql(
            f"CREATE TABLE {tracked} USING delta TBLPROPERTIES ('delta.enableRowTracking' = true, 'delta.enableDeletionVectors' = true) "
            f"AS SELECT customer AS c, name FROM {customers}"
        )
        spark.sql(f"DELETE FROM {tracked} WHERE c = 0")
        spark.sql(
            f"CREATE TABLE {mapped} USING delta TBLPROPERTIES ('delta.columnMapping.mode' = 'name') AS SELECT c AS a, name AS b FROM {tracked}"
        )
        spark.sql(f"ALTER TABLE {mapped} RENAME COLUMN a TO renamed")
        spark.sql(f"CREATE TABLE delta.`{root}/copy` USING delta AS SELECT renamed + 1 AS r FROM {mapped}")
        spark.sql(f"CREATE TABLE delta.`{root}/swapped` (a BIGINT, b BIGINT) USING delta")
        spark.sql(f"INSERT INTO delta.`{root}/swapped` SELECT customer AS b, customer + 10 AS a FROM {customers}")
        spark.sql(
            f"CREATE TABLE delta.`{root}/nothing` USING delta AS SELECT count(*) AS n FROM {customers} WHERE customer < 0"
        )
        spark.sql(
            f"CREATE TABLE delta.`{root}/sums` USING delta AS SELECT customer % 2 AS half, sum(customer) AS total FROM {customers} GROUP BY 1"
        )
        spark.sql(
            f"INSERT INTO delta.`{root}/sums` REPLACE WHERE total >= 6 SELECT customer % 2 AS half, sum(customer) + 10 AS total FROM {customers} GROUP BY 1"
        )
        book, same = f"delta.`{root}/book`", f"delta.`{root}/same`"
        spark.sql(f"CREATE TABLE {book} USING delta AS SELECT customer AS id, name, 0L AS n FROM {customers}")
        spark.sql(
            f"MERGE INTO {book} t USING (SELECT customer + 1 AS id, count(*) AS n FROM {orders} WHERE day > 0 GROUP BY customer) s ON t.id = s.id "
            "AND t.id < 3 WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT (id, name, n) VALUES (s.id, 'new', s.n)"
        )
        spark.sql(f"CREATE TABLE {same} USING delta AS SELECT id, 'a' AS s FROM range(1, 3, 1, 1)")
        spark.sql(f"UPDATE {same} SET id = 1 WHERE id = 2")
        evolved, maps, days, flags = (f"delta.`{root}/{name}`" for name in ("evolved", "maps", "days", "flags"))
        spark.sql(f"CREATE TABLE {evolved} USING delta AS SELECT id, 'a' AS s FROM range(1, 3, 1, 1)")
        spark.sql(
            f"MERGE WITH SCHEMA EVOLUTION INTO {evolved} t USING (SELECT customer AS id, 'a' AS s, name AS mail FROM {customers} WHERE customer = 1) s "
            "ON t.id = s.id WHEN MATCHED THEN UPDATE SET *"
        )
        spark.sql(f"CREATE TABLE {maps} USING delta AS SELECT id, map('a', id) AS m FROM range(1, 3, 1, 1)")
        spark.sql(f"UPDATE {maps} SET m = map('a', 7L) WHERE id = 1")
        spark.sql(f"CREATE TABLE {days} USING delta AS SELECT customer AS id FROM {customers} WHERE customer < 2")
        spark.sql(
            f"MERGE INTO {days} t USING (SELECT c AS id FROM {tracked} WHERE c < 3) s ON false "
            "WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE"
        )
        spark.sql(f"CREATE TABLE {flags} USING delta AS SELECT id = 1 AS f FROM range(0, 2, 1, 1)")
        spark.sql(f"UPDATE {flags} SET f = NOT f")
        assert attachment.flush(60)
        detach(spark)
        report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        assert report.quarantined == 0
        yield Recorded(spark, root, str(root / "key"))


def from_(hop: Hop, name: str) -> Source:
    assert hop.witness is not None, hop
    (found,) = (one for one in hop.witness.sources if one.name.endswith(f"/{name}"))
    return found


def test_a_row_back_to_the_raw_files(recorded: Recorded) -> None:
    daily, *orders = recorded.trace("daily", "day = 0 AND name = 'c2'", depth=2)
    assert (daily.job_name, daily.version, daily.written_version) == ("shop", 0, 0)
    assert daily.rows[0]["n"] == 1
    assert daily.witness is not None
    assert (daily.witness.completeness, daily.witness.queries) == ("exact", 2)  # that of the targets, and one of the sources
    (order,) = from_(daily, "orders").rows
    assert (order.values["day"], order.values["amount"], order.kind) == (0, 8, "file_row")
    assert from_(daily, "orders").version == 1, "the version that was read then, not today's"
    assert from_(daily, "customers").rows[0].values == {"customer": 2, "name": "c2"}
    made, customers = orders
    assert (made.name.rsplit("/", 1)[1], made.written_version, made.rows[0]["id"]) == ("orders", 1, 8)
    raw = from_(made, "raw_2")
    assert (raw.version, raw.rows[0].kind, raw.rows[0].values["id"]) == (None, "fingerprint", 8)
    assert "was written by nothing that is recorded" in str(customers.ended)


def test_what_is_read_twice_is_one_source(recorded: Recorded) -> None:
    (hop,) = recorded.trace("pairs", "true")
    assert hop.witness is not None
    assert [(one.name.rsplit("/", 1)[1], one.count) for one in hop.witness.sources] == [("customers", 2)]
    assert sorted(row.values["customer"] for row in from_(hop, "customers").rows) == [0, 1]


def test_whatever_features_a_table_has(recorded: Recorded) -> None:
    copied, mapped = recorded.trace("copy", "r = 3", depth=2)
    assert from_(copied, "mapped").rows[0].values == {"renamed": 2}
    assert mapped.rows == ({"renamed": 2, "b": "c2"},)
    row = from_(mapped, "tracked").rows[0]
    assert (row.kind, row.values) == ("row_id", {"c": 2, "name": "c2"})
    assert row.row_id is not None


def test_columns_are_those_of_the_position_where_the_insert_was_by_position(recorded: Recorded) -> None:
    (hop,) = recorded.trace("swapped", "a = 3")
    assert hop.rows[0] == {"a": 3, "b": 13}
    assert from_(hop, "customers").rows[0].values["customer"] == 3


def test_a_row_of_no_rows(recorded: Recorded) -> None:
    (hop,) = recorded.trace("nothing", "n = 0")
    assert hop.witness is not None, hop.ended
    assert (hop.witness.completeness, hop.witness.sources) == ("exact", ())


def test_a_row_that_a_partial_overwrite_left_is_not_one_of_its_query(recorded: Recorded) -> None:
    """`REPLACE WHERE` writes again what it leaves of a file: the old row is of a group that the query gives as well."""
    new = recorded.trace("sums", "total >= 10")
    assert all(hop.witness is not None for hop in new)
    (left,) = (hop for hop in recorded.trace("sums", "total < 6"))
    assert left.witness is None
    assert "does not give such a row" in str(left.ended)


def test_a_table_in_the_place_of_another(recorded: Recorded, tmp_path: Path) -> None:
    customers = recorded.root / "customers"
    customers.rename(tmp_path / "aside")
    try:
        other = recorded.spark.sql("SELECT id AS customer, 'other' AS name FROM range(5)")
        other.write.format("delta").save(str(customers))
        (hop,) = recorded.trace("pairs", "true")
        assert hop.witness is None
        assert "is another table now" in str(hop.ended)
    finally:
        shutil.rmtree(customers)
        (tmp_path / "aside").rename(customers)


def test_equal_rows_of_files_without_positions_are_counted(recorded: Recorded, tmp_path: Path) -> None:
    spark, root = recorded.spark, recorded.root
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice" / "one.csv").write_text("5\n5\n7\n")
    (tmp_path / "twice" / "two.csv").write_text("5\n7\n")
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None
    spark.read.schema("v INT").csv(str(tmp_path / "twice")).groupBy("v").sum("v").toDF("v", "s").write.format("delta").save(
        str(tmp_path / "s")
    )
    assert attachment.flush(60)
    detach(spark)
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(root / "key"))
    (hop,) = spark_lineage.open(tmp_path / "store").trace(str(tmp_path / "s"), where="v = 5", spark=spark)
    source = from_(hop, "twice")
    assert (source.count, [(row.kind, row.multiplicity) for row in source.rows]) == (3, [("fingerprint", 3)])


def test_several_rows_at_once_and_how_many_there_are(recorded: Recorded) -> None:
    (hop,) = recorded.trace("daily", "day < 2", limit=3)
    orders = from_(hop, "orders")
    assert (len(hop.rows), orders.count, len(orders.rows)) == (6, 6, 3)
    assert hop.witness is not None
    assert hop.witness.completeness == "truncated"
    with pytest.raises(QueryError, match="more than 2 rows"):
        recorded.trace("daily", "day < 2", rows=2)


def test_rows_of_several_versions_are_hops_of_their_own(recorded: Recorded) -> None:
    first, second = recorded.trace("orders", "id IN (2, 8)", version=1)
    assert [(hop.written_version, hop.rows[0]["id"], len(hop.rows)) for hop in (first, second)] == [(0, 2, 1), (1, 8, 1)]
    assert first.execution_id != second.execution_id
    assert from_(first, "raw_1").count == from_(second, "raw_2").count == 1


@pytest.mark.soak
def test_rows_that_were_written_again_are_traced_to_where_they_were_made(recorded: Recorded) -> None:
    hops = recorded.trace("orders", "id = 2")
    assert [(hop.version, hop.written_version) for hop in hops] == [(3, 3), (2, 2), (1, 0)]
    assert ["was rearranged (OPTIMIZE)" in str(hop.passed) for hop in hops] == [True, False, False]
    assert "was written again by UPDATE" in str(hops[1].passed)
    assert from_(hops[2], "raw_1").rows[0].values["id"] == 2


def test_a_row_that_an_update_changed(recorded: Recorded) -> None:
    moved, changed, raw = recorded.trace("orders", "id = 1", depth=2)
    assert "was rearranged (OPTIMIZE)" in str(moved.passed)
    assert (str(changed.operation).upper(), changed.passed, changed.rows[0]["amount"]) == ("UPDATE", None, 101)
    assert changed.witness is not None, changed.ended
    assert changed.witness.completeness == "exact"
    before = from_(changed, "orders")
    assert (before.version, before.count, before.rows[0].values["amount"]) == (1, 1, 1)
    assert from_(raw, "raw_1").rows[0].values["id"] == 1


def test_rows_that_a_merge_changed_made_and_kept(recorded: Recorded) -> None:
    (changed,) = recorded.trace("book", "id = 2")
    assert changed.witness is not None, changed.ended
    assert from_(changed, "book").rows[0].values == {"id": 2, "name": "c2"}, "of the row before what was read"
    assert {(row.values["customer"], row.values["day"] > 0) for row in from_(changed, "orders").rows} == {(1, True)}
    assert from_(changed, "orders").count == changed.rows[0]["n"] == 3
    (made,) = recorded.trace("book", "name = 'new'")
    assert made.witness is not None, made.ended
    assert [one.name.rsplit("/", 1)[1] for one in made.witness.sources] == ["orders"], "no row of the target went into it"
    kept, before = recorded.trace("book", "id = 4")
    assert "was written again by MERGE" in str(kept.passed)
    assert from_(before, "customers").rows[0].values["customer"] == 4


@pytest.mark.soak
def test_of_equal_rows_one_was_changed_and_one_was_not(recorded: Recorded) -> None:
    kept, changed, before = recorded.trace("same", "id = 1")
    assert "was written again by UPDATE" in str(kept.passed)
    assert from_(changed, "same").rows[0].values["id"] == 2
    assert (before.version, before.rows, before.written_version) == (0, ({"id": 1, "s": "a"},), 0)


@pytest.mark.soak
def test_rows_that_differ_only_where_the_version_before_has_no_column_or_a_map(recorded: Recorded) -> None:
    (changed,) = recorded.trace("evolved", "id = 1")
    assert {source.name.rsplit("/", 1)[1] for source in changed.witness.sources} == {"evolved", "customers"}, changed  # type: ignore[union-attr]
    kept, _ = recorded.trace("evolved", "id = 2")
    assert "was written again by MERGE" in str(kept.passed)
    (changed,) = recorded.trace("maps", "id = 1")
    assert (changed.passed, from_(changed, "maps").version) == (None, 0)
    kept, _ = recorded.trace("maps", "id = 2")
    assert "was written again by UPDATE" in str(kept.passed)


@pytest.mark.soak
def test_a_row_that_a_command_made_and_that_was_there_before(recorded: Recorded) -> None:
    """Of a table that MERGE replaces, and of values that change places: it may be either."""
    kept, made, before = recorded.trace("days", "id = 1")
    assert "which of the two these are is not known" in str(kept.passed)
    assert made.witness is not None, made.ended
    assert (made.witness.completeness, from_(made, "tracked").count) == ("superset", 1)
    assert from_(before, "customers").count == 1
    kept, made, before = recorded.trace("flags", "f")
    assert from_(made, "flags").rows[0].values == {"f": False}
    assert "not known" in str(kept.passed)


def test_a_row_that_the_plan_does_not_give_again(recorded: Recorded) -> None:
    """The seed of `rand` is in the plan: the same rows come again, unless the session deals them out otherwise."""
    (hop,) = recorded.trace("chance", "customer = 1")
    assert from_(hop, "customers").rows[0].values["customer"] == 1
    recorded.spark.sql(f"INSERT INTO delta.`{recorded.root}/chance` VALUES (1, 7.0)")
    (hop,) = recorded.trace("chance", "r = 7.0")
    assert "was written by nothing that is recorded" in str(hop.ended)


def test_the_row_that_decided(recorded: Recorded) -> None:
    """Of the newest of each, and of how many there were beside it."""
    (hop,) = recorded.trace("newest", "customer = 1")
    assert hop.witness is not None, hop.ended
    assert (hop.witness.completeness, from_(hop, "orders").count) == ("exact", 4)
    (hop,) = recorded.trace("newest", "customer = 1", deciding=True)
    assert hop.witness is not None
    assert hop.witness.completeness == "deciding"
    assert [row.values["id"] for row in from_(hop, "orders").rows] == [10]
    assert ["its other functions looked at all of its rows" in reason for reason in hop.witness.reasons] == [True]
    (hop,) = recorded.trace("daily", "day = 0 AND name = 'c2'", deciding=True)
    assert hop.witness is not None
    assert hop.witness.completeness == "exact", "nothing decides there"


def test_absence_is_a_witness_of_the_whole_table(recorded: Recorded) -> None:
    (hop,) = recorded.trace("idle", "customer = 4")
    assert from_(hop, "customers").rows[0].values["customer"] == 4
    assert "no row of it may match" in str(from_(hop, "orders").whole)
    assert hop.witness is not None
    assert hop.witness.completeness == "superset"
    first, *deeper = recorded.trace("idle", "customer = 4", depth=2)
    assert "orders is not followed: all of it decides" in str(first.ended)
    assert [Path(one.name).name for one in deeper] == ["customers"]


def test_what_is_asked_wrongly(recorded: Recorded) -> None:
    with pytest.raises(NotFound, match="has no row with day = 99"):
        recorded.trace("daily", "day = 99")
    with pytest.raises(QueryError, match=r"the condition 'dya = 1' cannot be asked of .*dya"):
        recorded.trace("daily", "dya = 1")
    with pytest.raises(TraceError, match="Rows are traced in Delta tables"):
        recorded.trace("raw_1", "id = 1")
    with pytest.raises(NotFound, match="no_such_table"):
        spark_lineage.open(recorded.root / "store").trace("no_such_table", where="true", spark=recorded.spark)


@pytest.mark.soak
def test_files_that_are_not_those_of_then(recorded: Recorded, tmp_path: Path) -> None:
    raw = recorded.root / "raw_1"
    recorded.spark.sql("SELECT 2L AS id, 2L AS customer, 2L AS day, 2.00BD AS amount").write.parquet(str(tmp_path / "more"))
    more = next((tmp_path / "more").glob("*.parquet"))
    added = more.rename(raw / more.name)
    try:
        hop = recorded.trace("orders", "id = 2")[-1]
        assert from_(hop, "raw_1").count == 2, "another row that would make it"
        assert hop.witness is not None
        assert hop.witness.completeness == "partial"
        assert "raw_1 may not be what was read then" in hop.witness.reasons[-1]
    finally:
        added.unlink()
    aside = tmp_path / "aside"
    raw.rename(aside)
    raw.mkdir()
    try:
        hop = recorded.trace("orders", "id = 2")[-1]
        assert hop.witness is None
        assert re.search("does not give such a row.*raw_1 may not be what was read then", str(hop.ended))
    finally:
        raw.rmdir()
        aside.rename(raw)


def test_a_plan_that_is_not_signed_with_ones_key_is_not_run(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "other"))
    (tmp_path / "other").write_text("00" * 32 + "\n")
    (tmp_path / "other").chmod(0o600)
    (hop,) = recorded.trace("daily", "day = 0 AND name = 'c2'")
    assert hop.witness is None
    assert "sign" in str(hop.ended)


def test_the_command(recorded: Recorded) -> None:
    runner = CliRunner()
    command = [
        "--store",
        str(recorded.root / "store"),
        "trace",
        str(recorded.root / "daily"),
        "--where",
        "day = 0 AND name = 'c2'",
    ]
    shown = runner.invoke(main, command)
    assert shown.exit_code == 0, shown.output
    assert "witness: exact" in shown.output
    assert "orders version 1: 1 row" in shown.output
    told = runner.invoke(main, [*command, "--json"])
    (hop,) = json.loads(told.stdout)
    assert hop["rows"] == [{"day": 0, "name": "c2", "total": "8.00", "n": 1, "mean": "8.000000"}]
    assert [source["count"] for source in hop["witness"]["sources"]] == [1, 1]
    wrong = runner.invoke(main, [*command[:-1], "day = 77"])
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "has no row with day = 77" in wrong.stderr
