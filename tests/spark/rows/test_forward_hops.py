"""What was made of rows, from what was recorded of jobs: through several of them, over copies and overwrites, from tables and raw files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.errors import NotFound, QueryError
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import ForwardHop, Target

pytestmark = pytest.mark.soak


@dataclass(frozen=True)
class Recorded:
    """A folder with tables, and the lineage of what made them."""

    spark: Any
    root: Path
    known: dict[str, tuple[ForwardHop, ...]] = field(default_factory=dict)

    def forward(self, table: str, where: str, **more: Any) -> tuple[ForwardHop, ...]:
        """Asked once, where nothing has changed since."""
        asked = repr((table, where, more))
        if asked not in self.known:
            self.known[asked] = self.forward_now(table, where, **more)
        return self.known[asked]

    def forward_now(self, table: str, where: str, **more: Any) -> tuple[ForwardHop, ...]:
        lineage = spark_lineage.open(self.root / "store")
        return lineage.trace(str(self.root / table), where=where, forward=True, spark=self.spark, **more)

    def back(self, table: str, where: str, **more: Any) -> Any:
        return spark_lineage.open(self.root / "store").trace(str(self.root / table), where=where, spark=self.spark, **more)


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Raw files; orders from them, appended, updated and compacted in between; their daily sums, overwritten each time; a log of the days."""
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
        orders, daily, log = (f"delta.`{root}/{name}`" for name in ("orders", "daily", "log"))
        customers = f"delta.`{root}/customers`"
        spark.read.parquet(str(root / "raw_1")).write.format("delta").save(str(root / "orders"))
        sums = f"SELECT day, name, sum(amount) AS total, count(*) AS n FROM {orders} JOIN {customers} USING (customer) GROUP BY day, name"
        spark.sql(f"CREATE TABLE {daily} USING delta AS {sums}")
        spark.sql(f"CREATE TABLE {log} USING delta AS SELECT day, max(total) AS most, 1 AS run FROM {daily} GROUP BY day")
        more = spark.read.option("header", True).schema("id BIGINT, customer BIGINT, day BIGINT, amount DECIMAL(9,2)")
        more.csv(str(root / "raw_2")).write.format("delta").mode("append").save(str(root / "orders"))
        spark.sql(f"UPDATE {orders} SET amount = amount + 100 WHERE id = 1")
        spark.sql(f"OPTIMIZE {orders}")
        spark.sql(f"INSERT OVERWRITE {daily} {sums}")
        spark.sql(f"INSERT INTO {log} SELECT day, max(total) AS most, 2 AS run FROM {daily} GROUP BY day")
        spark.sql(f"CREATE TABLE delta.`{root}/last` USING delta AS SELECT day, run FROM {log}")
        spark.sql(
            f"CREATE TABLE delta.`{root}/idle` USING delta AS SELECT * FROM {customers} WHERE customer NOT IN (SELECT customer FROM {orders})"
        )
        spark.sql(
            f"CREATE TABLE delta.`{root}/pairs` USING delta AS SELECT a.name, b.name AS other FROM {customers} a JOIN {customers} b "
            "ON b.customer = a.customer + 1"
        )
        spark.sql(f"CREATE TABLE delta.`{root}/days` USING delta AS SELECT day FROM {orders}")
        spark.sql(f"CREATE TABLE delta.`{root}/left` USING delta AS SELECT id, customer FROM {orders} WHERE id < 6")
        spark.sql(f"DELETE FROM delta.`{root}/left` WHERE id = 5")
        spark.sql(f"SELECT id, amount FROM {orders} WHERE id > 8").write.parquet(str(root / "out"))
        spark.sql(f"SELECT id, rand() AS r FROM {orders}").write.format("delta").save(str(root / "chance"))
        spark.sql(f"CREATE TABLE delta.`{root}/swapped` (a BIGINT, b BIGINT) USING delta")
        spark.sql(f"INSERT INTO delta.`{root}/swapped` SELECT customer AS b, customer + 10 AS a FROM {customers}")
        spark.sql(f"CREATE TABLE delta.`{root}/even` (customer BIGINT) USING delta")
        spark.sql(f"CREATE TABLE delta.`{root}/odd` (customer BIGINT) USING delta")
        spark.sql(
            f"FROM {customers} INSERT INTO delta.`{root}/even` SELECT customer WHERE customer % 2 = 0 "
            f"INSERT INTO delta.`{root}/odd` SELECT customer WHERE customer % 2 = 1"
        )
        spark.sql(
            f"CREATE TABLE delta.`{root}/stamps` USING delta AS SELECT id, timestamp_seconds(id * 3600) AS at FROM range(0, 24, 1, 1)"
        )
        there = spark.newSession()
        there.conf.set("spark.sql.session.timeZone", "America/New_York")
        there.sql(f"CREATE TABLE delta.`{root}/hours` USING delta AS SELECT id, hour(at) AS h FROM delta.`{root}/stamps`")
        assert attachment.flush(60)
        detach(spark)
        report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        assert report.quarantined == 0
        yield Recorded(spark, root)


def of(hops: tuple[ForwardHop, ...], target: str, depth: int | None = None) -> list[ForwardHop]:
    return [
        hop for hop in hops
        if hop.target is not None and hop.target.name.endswith(f"/{target}") and depth in (None, hop.depth)
    ]  # fmt: skip


def rows(target: Target | None) -> list[dict[str, Any]]:
    assert target is not None
    return [row.values for row in target.rows]


def test_a_row_of_a_file_to_what_was_made_of_it(recorded: Recorded) -> None:
    hops = recorded.forward("raw_1", "id = 2", depth=3)
    (made,) = of(hops, "orders", depth=1)
    assert (made.depth, made.job_name, made.source.version, made.source.count) == (1, "shop", None, 1)
    assert (made.target.version, made.completeness, made.reasons) == (0, "exact", ()), made  # type: ignore[union-attr]
    assert rows(made.target) == [{"id": 2, "customer": 2, "day": 2, "amount": 2}]
    assert made.target is not None
    assert (made.target.newest, made.target.remaining) == (3, 1), "it was written again by UPDATE and OPTIMIZE"
    assert of(hops, "orders", depth=2) == [], "UPDATE made nothing of it"
    first, second = sorted(of(hops, "daily"), key=lambda hop: hop.target.version if hop.target else 0)
    assert [(hop.depth, hop.source.version) for hop in (first, second)] == [(2, 0), (2, 3)]
    assert "were rewritten before version 3" in str(second.reasons)
    assert (first.completeness, second.completeness) == ("exact", "superset")
    assert rows(second.target) == [{"day": 2, "name": "c2", "total": 2, "n": 1}]
    assert first.target is not None
    assert first.target.remaining == 0, "it was overwritten, and is followed for what was made of it"
    logged = of(hops, "log", depth=3)
    assert sorted(row["run"] for hop in logged for row in rows(hop.target)) == [1, 2]


def test_each_row_that_is_found_names_the_row_when_it_is_traced(recorded: Recorded) -> None:
    """And none other of that table does."""
    (hop,) = of(recorded.forward("orders", "customer = 1", version=3), "daily")
    found = {(row["day"], row["name"]) for row in rows(hop.target)}
    assert found
    everything = recorded.spark.read.format("delta").load(str(recorded.root / "daily")).collect()
    for row in everything:
        (back,) = recorded.back("daily", f"day = {row['day']} AND name = '{row['name']}'")
        (source,) = (one for one in back.witness.sources if one.name.endswith("/orders"))
        assert any(one.values["customer"] == 1 for one in source.rows) is ((row["day"], row["name"]) in found)


def test_what_was_overwritten_is_told_and_followed_when_it_is_asked_for(recorded: Recorded) -> None:
    hops = of(recorded.forward("orders", "id = 2"), "daily")
    (now,) = (hop for hop in hops if hop.execution_id)
    (earlier,) = (hop for hop in hops if hop.execution_id is None)
    assert now.source.version == 3
    assert "1 earlier execution" in str(earlier.ended)
    assert "--history" in str(earlier.ended)
    hops = of(recorded.forward("orders", "id = 2", history=True), "daily")
    assert sorted((hop.source.version, hop.target.version, hop.target.remaining) for hop in hops if hop.target) == [
        (0, 0, 0),
        (3, 1, 1),
    ]
    (only,) = of(recorded.forward("orders", "id = 2", history=True, version=0), "daily")
    assert only.source.version == 0


def test_rows_are_looked_for_in_the_files_that_have_them(recorded: Recorded) -> None:
    """The log has two files when it is read: those of the first run are in the first."""
    for version, run in ((0, 1), (1, 2)):
        (last,) = of(recorded.forward("daily", "day = 2", version=version, depth=2), "last")
        assert (last.depth, last.source.version, last.source.count) == (2, 1, 1)
        assert rows(last.target) == [{"day": 2, "run": run}]
        assert last.completeness == "exact"


def test_a_condition_that_fits_no_row_in_the_version_that_was_read(recorded: Recorded) -> None:
    """The amount of order 1 is 101 from version 2 on: what read an earlier one has nothing to do with it."""
    hops = recorded.forward("orders", "amount = 101", history=True)
    assert {hop.source.version for hop in hops} == {3}
    with pytest.raises(
        NotFound, match=r"no version of .*orders that a followed execution read has a row with id = 99; 1 earlier execution"
    ):
        recorded.forward("orders", "id = 99")
    with pytest.raises(NotFound, match=r"no version of .*orders that a followed execution read has a row with amount = 101$"):
        recorded.forward("orders", "amount = 101", version=0, history=True)


def test_copies_and_commands_that_change_rows(recorded: Recorded) -> None:
    hops = recorded.forward("orders", "id = 1", history=True)
    (update,) = (hop for hop in hops if hop.operation == "update")
    assert (update.completeness, update.source.count, update.source.version) == ("exact", 1, 1)
    assert [(row["id"], row["amount"]) for row in rows(update.target)] == [(1, 101)]
    assert update.target is not None
    assert (update.target.version, update.target.newest, update.target.remaining) == (2, 3, 1)
    assert not [hop for hop in hops if hop.operation == "optimize"]


def test_rows_that_are_gone_and_rows_that_are_left(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("orders", "id IN (4, 5, 9)"), "left")
    assert hop.target is not None
    assert sorted(row["id"] for row in rows(hop.target)) == [4, 5]
    assert (hop.target.version, hop.target.newest, hop.target.count, hop.target.remaining) == (0, 1, 2, 1)
    assert hop.target.rows[0].kind == "file_row"


def test_equal_rows_are_all_named(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("orders", "id IN (4, 5, 9)"), "days")
    assert hop.target is not None
    assert (hop.target.count, sorted(row["day"] for row in rows(hop.target))) == (6, [0] * 3 + [1] * 3)
    assert hop.completeness == "superset"
    assert "3 more rows of version 0 equal these" in hop.reasons[0]


def test_absence(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("orders", "id IN (4, 5, 9)"), "idle")
    assert hop.source.whole == "no row of it may match"
    assert hop.source.count == 3
    assert hop.completeness == "superset"
    assert sorted(row["customer"] for row in rows(hop.target)) == [3, 4]
    (hop,) = of(recorded.forward("customers", "customer = 3"), "idle")
    assert (hop.source.whole, [row["customer"] for row in rows(hop.target)]) == (None, [3])
    assert (hop.completeness, hop.source.rows[0].values) == ("exact", {"customer": 3, "name": "c3"})


def test_a_table_that_is_read_twice(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("customers", "customer = 3"), "pairs")
    assert sorted((row["name"], row["other"]) for row in rows(hop.target)) == [("c2", "c3"), ("c3", "c4")]
    assert hop.completeness == "exact"


def test_columns_are_those_of_the_position_where_the_insert_was_by_position(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("customers", "customer = 3"), "swapped")
    assert rows(hop.target) == [{"a": 3, "b": 13}]


def test_a_condition_is_understood_by_the_session_that_asks(recorded: Recorded) -> None:
    """Not by that of the job, which had another time zone."""
    here = recorded.spark.newSession()
    here.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    lineage = spark_lineage.open(recorded.root / "store")
    hops = lineage.trace(str(recorded.root / "stamps"), where="at = '1970-01-01 09:00:00'", forward=True, spark=here)
    (hop,) = of(hops, "hours")
    assert rows(hop.target) == [{"id": 0, "h": 19}]
    assert hop.source.count == 1


def test_each_target_of_a_multi_insert(recorded: Recorded) -> None:
    hops = recorded.forward("customers", "customer = 3")
    (even,), (odd,) = of(hops, "even"), of(hops, "odd")
    assert (rows(even.target), rows(odd.target)) == ([], [{"customer": 3}])
    assert even.completeness == odd.completeness == "exact"


def test_what_has_no_versions(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("orders", "id IN (4, 5, 9)"), "out")
    assert rows(hop.target) == [{"id": 9, "amount": 9}]
    assert hop.target is not None
    assert (hop.target.version, hop.target.remaining, hop.target.rows[0].kind) == (None, None, "values")
    assert "has no versions" in str(hop.ended)


def test_files_that_are_not_those_of_then(recorded: Recorded) -> None:
    with pytest.raises(NotFound, match=r"no version of .*raw_2 that a followed execution read has a row with id = 1000"):
        recorded.forward_now("raw_2", "id = 1000")
    (hop,) = recorded.forward_now("raw_2", "id = 9")
    assert (hop.completeness, rows(hop.target)[0]["id"]) == ("exact", 9)
    added = recorded.root / "raw_2" / "part-9.csv"
    added.write_text("id,customer,day,amount\n77,1,1,7.00\n")
    try:
        (hop,) = recorded.forward_now("raw_2", "id IN (9, 77)")
        assert hop.completeness == "partial"
        assert any("raw_2 may not be what was read then" in reason for reason in hop.reasons)
        assert any("1 rows that the plan gives are not in version 1" in reason for reason in hop.reasons)
        assert [row["id"] for row in rows(hop.target)] == [9]
        (gone,) = recorded.forward_now("raw_2", "id = 1000")
        assert (gone.completeness, gone.source.count) == (None, 0)
        assert "no row fits in what is there now" in str(gone.ended)
        assert "raw_2 may not be what was read then" in str(gone.ended)
    finally:
        added.unlink()


def test_a_plan_that_need_not_give_the_same_rows(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("orders", "id IN (4, 5, 9)"), "chance")
    assert hop.completeness == "partial"
    assert any("does not have to give the same rows" in reason for reason in hop.reasons)


def test_how_many_there_are_is_said(recorded: Recorded) -> None:
    (hop,) = of(recorded.forward("orders", "id < 6", limit=2), "left")
    assert hop.target is not None
    assert (len(hop.source.rows), hop.source.count, len(hop.target.rows), hop.target.count) == (2, 6, 2, 6)
    assert hop.completeness == "truncated"
    hops = recorded.forward("orders", "id = 2", executions=2)
    assert len([hop for hop in hops if hop.execution_id]) == 2
    assert "more executions that read it are not followed" in str(hops[-1].ended)
    (logged,) = of(recorded.forward("orders", "true", version=3, depth=2, limit=1), "log")
    assert "1 of the 12 rows that were found are followed: --limit follows more" in logged.reasons
    assert logged.completeness == "partial"


def test_what_is_asked_wrongly(recorded: Recorded) -> None:
    with pytest.raises(QueryError, match=r"the condition 'dya = 1' cannot be asked of .*dya"):
        recorded.forward("orders", "dya = 1")
    with pytest.raises(QueryError, match=r"the condition 'iid = 1' cannot be asked of .*raw_1"):
        recorded.forward("raw_1", "iid = 1")
    with pytest.raises(QueryError, match="does not mean the same rows each time"):
        recorded.forward("orders", "rand() < 0.5")
    with pytest.raises(NotFound, match=r"no recorded execution that wrote something read .*pairs"):
        recorded.forward("pairs", "true")
    with pytest.raises(NotFound, match=r"no recorded execution that wrote something read .*orders at version 17"):
        recorded.forward("orders", "true", version=17)
    with pytest.raises(NotFound, match="no_such_table"):
        spark_lineage.open(recorded.root / "store").trace("no_such_table", where="true", forward=True, spark=recorded.spark)


def test_a_table_in_the_place_of_another(recorded: Recorded, tmp_path: Path) -> None:
    for name, of_which in (("customers", "read"), ("pairs", "written")):
        place = recorded.root / name
        place.rename(tmp_path / name)
        try:
            other = recorded.spark.sql("SELECT id AS customer, 'c' || id AS name FROM range(5)")
            other.write.format("delta").save(str(place))
            (hop,) = of(recorded.forward_now("customers", "customer = 2"), "pairs")
            assert hop.completeness is None or hop.target is None or not hop.target.rows
            assert "is another table now" in str(hop.ended)
            assert f"what was {of_which} is gone" in str(hop.ended)
        finally:
            shutil.rmtree(place)
            (tmp_path / name).rename(place)


def test_a_plan_that_is_not_signed_with_ones_key_is_not_run(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "other"))
    (tmp_path / "other").write_text("00" * 32 + "\n")
    (tmp_path / "other").chmod(0o600)
    (hop,) = of(recorded.forward_now("customers", "customer = 2"), "pairs")
    assert (hop.completeness, hop.source.count) == (None, 1)
    assert "sign" in str(hop.ended)


def test_the_command(recorded: Recorded) -> None:
    runner = CliRunner()
    command = ["--store", str(recorded.root / "store"), "trace", "--forward", str(recorded.root / "customers"), "--where"]
    shown = runner.invoke(main, [*command, "customer = 4"])
    assert shown.exit_code == 0, shown.output
    assert "customers version 0: 1 row" in shown.output
    assert "idle version 0: 1 row" in shown.output
    assert "rows: exact" in shown.output
    told = runner.invoke(main, [*command, "customer = 4", "--json"])
    (idle,) = (hop for hop in json.loads(told.stdout) if hop["target"]["name"].endswith("/idle"))
    assert [row["values"] for row in idle["target"]["rows"]] == [{"customer": 4, "name": "c4"}]
    assert (idle["source"]["count"], idle["target"]["count"], idle["completeness"]) == (1, 1, "exact")
    for condition, said in (("customer = 77", "has a row with customer = 77"), ("nobody = 1", "cannot be asked of")):
        wrong = runner.invoke(main, [*command, condition])
        assert (wrong.exit_code, wrong.stdout) == (2, "")
        assert said in wrong.stderr
