"""What a replay says where it does not give the same, or cannot be made: each cause is provoked, and named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from tampering import Recorded, forget, recorded_of, shaken, tamper, vacuum

import spark_lineage
from spark_lineage.replay.causes import doubts_of
from spark_lineage.store.preserving import Preserving
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak


def write(spark: Any, root: Path) -> None:
    def table(name: str, query: str) -> None:
        spark.sql(f"CREATE TABLE delta.`{root}/{name}` USING delta AS SELECT /*+ COALESCE(1) */ * FROM ({query})")

    source = f"delta.`{root}/source`"
    table("near", f"SELECT k, sum(d) AS total FROM {source} GROUP BY k")
    table("far", f"SELECT k, sum(d) AS total, count(*) AS n FROM {source} GROUP BY k")
    table("fewer", f"SELECT id, k FROM {source}")
    table("random", f"SELECT id, rand() AS r, uuid() AS u FROM {source}")
    table("stamped", f"SELECT id, current_timestamp() AS loaded_at FROM {source}")
    spark.sql(f"SELECT * FROM {source}").coalesce(1).write.option("header", True).csv(f"{root}/lines")
    table("files", f"SELECT id FROM parquet.`{root}/raw`")
    table("copied", f"SELECT id, d FROM parquet.`{root}/preserved`")
    table("old", f"SELECT id FROM delta.`{root}/vacuumed`")
    table("archived", f"SELECT id FROM delta.`{root}/kept`")
    table("summed", f"SELECT id FROM {source}")
    table("vanished", f"SELECT id FROM {source}")
    table("lost", f"SELECT id FROM delta.`{root}/gone`")
    spark.createDataFrame([(1, "a")], "id INT, s STRING").rdd.toDF("id INT, s STRING").write.format("delta").save(
        f"{root}/driver"
    )

    def noise(value: int) -> float:
        import random

        return random.random()

    spark.udf.register("noise", noise, "double")
    table("python", f"SELECT id, noise(id) AS n FROM {source}")
    table("narrow", f"SELECT CAST(id AS INT) AS id FROM {source}")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("differences")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        rows = spark.sql("SELECT id, id % 4 AS k, CAST(id AS DOUBLE) / 7 AS d FROM range(0, 20, 1, 1)")
        for name in ("source", "vacuumed", "kept", "gone"):
            rows.write.format("delta").save(f"{root}/{name}")
        for name in ("raw", "preserved"):
            rows.write.parquet(f"{root}/{name}")
        yield recorded_of(spark, root, "causes", write, Preserving(("*/preserved",), 1_000_000))


def test_floats_within_the_tolerance(recorded: Recorded) -> None:
    tamper(recorded.spark, recorded.root / "near", shaken("total", 1 + 1e-12, rows=3))
    one = recorded.replay("near")
    assert (one.verdict, one.columns) == ("equivalent", ("total",)), one
    assert one.difference is not None
    assert one.difference.within == 3
    exact = recorded.replay("near", tolerance=0)
    assert (exact.verdict, exact.columns) == ("different", ("total",))
    assert any(cause.startswith("non-deterministic: sum of floats") for cause in exact.causes)


def test_what_differs_is_shown_side_by_side(recorded: Recorded) -> None:
    tamper(recorded.spark, recorded.root / "far", shaken("n", 3))
    one = recorded.replay("far")
    assert (one.verdict, one.columns) == ("different", ("n",))
    assert one.difference is not None
    (changed,) = one.difference.sample_changed
    assert (changed.columns, changed.recorded[2], changed.replayed[2]) == (("n",), 15, 5)
    assert (one.difference.missing, one.difference.unexpected, one.difference.changed) == (1, 1, 1)
    code, text = recorded.ask(recorded.execution("far"))
    assert code == 1, text
    assert "1 rows changed (in n)" in text
    code, text = recorded.ask(recorded.execution("far"), "--json")
    (told,) = json.loads(text[text.index("[") :])
    assert told["difference"]["sample_changed"][0]["replayed"]["n"] == 5


def test_rows_that_are_missing_and_unexpected(recorded: Recorded) -> None:
    tamper(recorded.spark, recorded.root / "fewer", lambda table: table.filter(pc.not_equal(table.column("id"), 7)))
    one = recorded.replay("fewer")
    assert one.verdict == "different"
    assert one.difference is not None
    assert (one.difference.missing, one.difference.unexpected, one.difference.sample_unexpected) == (0, 1, ((7, 3),))
    assert one.causes == ()


def test_expressions_that_are_not_the_same_each_time_are_named(recorded: Recorded) -> None:
    assert recorded.replay("random").verdict == "identical"  # their seeds are recorded
    tamper(recorded.spark, recorded.root / "random", shaken("r", 0.5))
    one = recorded.replay("random")
    assert one.verdict == "different", one.reason
    assert [cause for cause in one.causes if "non-deterministic" in cause] == [
        "non-deterministic: rand",
        "non-deterministic: uuid",
    ]
    python = recorded.replay("python")
    assert (python.verdict, python.columns) == ("different", ("n",)), python.reason
    assert python.causes == (
        "non-deterministic: PythonUDF noise; the plan was computed twice, and gave something else each time",
    )


def test_functions_in_tables_of_somebody_else(recorded: Recorded) -> None:
    """Whoever writes to them could have code run as whoever replays."""
    if os.geteuid():
        pytest.skip("only root gives files to others")
    plans = recorded.root / "store" / "plan_executables"
    os.chown(plans, 12345, -1)
    try:
        one = recorded.replay("python")
        assert (one.verdict, "--trust-store" in str(one.reason)) == ("not_replayable", True), one
        assert recorded.replay("summed").verdict == "identical"  # no function is in it
        assert recorded.replay("python", trust_store=True).verdict == "different"
        lineage = spark_lineage.open(recorded.root / "store")
        for trusted in (False, True):
            found = lineage.replay_downstream("source", spark=recorded.spark, trust_store=trusted)
            (one,) = (each for each in found if str(each.name).endswith("/python"))
            assert ("the tables are not yours" in str(one.reason)) is not trusted, one
    finally:
        os.chown(plans, os.geteuid(), -1)


def test_columns_of_another_type(recorded: Recorded) -> None:
    """Equal as they are read, and not what the query gives."""
    assert recorded.replay("narrow").verdict == "identical"
    log = recorded.root / "narrow" / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('\\"type\\":\\"integer\\"', '\\"type\\":\\"long\\"'))
    forget(recorded.spark, recorded.root / "narrow")
    one = recorded.replay("narrow")
    assert (one.verdict, one.columns) == ("different", ("id",)), one
    assert "id was bigint, and is int" in str(one.reason)


@pytest.mark.parametrize(
    ("query", "doubts"),
    [
        ("SELECT sum(id) FROM range(3) WHERE id > 1", ()),
        ("SELECT * FROM range(3) LIMIT 1", ("order: LIMIT without an order",)),
        ("SELECT * FROM range(3) ORDER BY id LIMIT 1", ("ties: LIMIT over an order in which rows may be equal",)),
        ("SELECT collect_list(id), first(id) FROM range(3)", ("order: collect_list", "order: first")),
        ("SELECT * FROM range(3) WHERE id IN (SELECT id FROM range(2) WHERE rand() > 0.5)", ("random: rand",)),
        (
            "SELECT sum(CAST(id AS DOUBLE)) FROM range(3)",
            ("float: sum of floats, which depends on the order in which they are added up",),
        ),
        (
            "SELECT row_number() OVER (ORDER BY id) FROM range(3)",
            ("ties: row_number over an order in which rows may be equal",),
        ),
        ("SELECT shuffle(array(1, 2))", ("random: shuffle",)),
    ],
)
def test_doubts(spark: Any, query: str, doubts: tuple[str, ...]) -> None:
    assert doubts_of(spark.sql(query)) == doubts


def test_volatile_columns(recorded: Recorded) -> None:
    one = recorded.replay("stamped")
    assert one.verdict == "identical", (one.reason, one.causes, one.difference)  # the instant is recorded
    day = 86_400_000_000

    def later(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("loaded_at")
        field = table.schema.field(at)
        moved = pc.add(table.column(at).cast(pa.timestamp("us", "UTC")).cast(pa.int64()), day).cast(pa.timestamp("us", "UTC"))
        return table.set_column(at, field.name, moved)

    tamper(recorded.spark, recorded.root / "stamped", later)
    assert recorded.replay("stamped").columns == ("loaded_at",)
    one = recorded.replay("stamped", volatile=["LOADED_AT"])
    assert (one.verdict, one.columns) == ("equivalent", ("loaded_at",))


def test_files_without_versions_that_changed(recorded: Recorded) -> None:
    assert recorded.replay("files").verdict == "identical"
    recorded.spark.range(1).selectExpr("id", "id AS k", "0D AS d").write.mode("append").parquet(f"{recorded.root}/raw")
    assert recorded.replay("files").verdict == "identical"  # those of then are there, beside others
    assert spark_lineage.open(recorded.store).replay_check(recorded.execution("files")).holds
    min((recorded.root / "raw").glob("part-*"), key=lambda file: file.stat().st_mtime_ns).touch()
    assert not spark_lineage.open(recorded.store).replay_check(recorded.execution("files")).holds
    one = recorded.replay("files")
    assert one.verdict == "not_replayable"
    assert "raw has no versions and has changed" in str(one.reason)
    assert "snapshots.preserve" in str(one.reason)
    assert recorded.ask(recorded.execution("files"))[0] == 2


def test_files_that_were_preserved(recorded: Recorded) -> None:
    """Others are in their place now; the copies are read."""
    recorded.spark.range(5).selectExpr("id", "id AS k", "0D AS d").write.mode("overwrite").parquet(f"{recorded.root}/preserved")
    assert spark_lineage.open(recorded.store).replay_check(recorded.execution("copied")).holds
    one = recorded.replay("copied")
    assert (one.verdict, one.rows) == ("identical", (20, 20)), one
    shutil.rmtree(recorded.root / "preserved")
    assert recorded.replay("copied").verdict == "identical"
    shutil.rmtree(recorded.root / "store" / "preserved_files" / "manifests")
    one = recorded.replay("copied")
    assert one.verdict == "not_replayable", one
    assert "preserved has no versions and has changed" in str(one.reason)


def test_a_version_that_was_vacuumed(recorded: Recorded) -> None:
    vacuum(recorded, "vacuumed")
    one = recorded.replay("old")
    assert one.verdict == "not_replayable"
    assert "version 0 of" in str(one.reason)
    assert "the VACUUM of" in str(one.reason)
    assert "delta.deletedFileRetentionDuration would have kept it" in str(one.reason)


def test_a_version_in_an_archive(recorded: Recorded) -> None:
    spark_lineage.open(recorded.store).archive(str(recorded.root / "kept"), 0, str(recorded.root / "archive"))
    vacuum(recorded, "kept")
    one = recorded.replay("archived")
    assert one.verdict == "identical", one.reason
    assert spark_lineage.open(recorded.store).replay_check(recorded.execution("archived")).holds


def test_a_source_that_is_gone(recorded: Recorded) -> None:
    shutil.rmtree(recorded.root / "gone")
    one = recorded.replay("lost")
    assert one.verdict == "not_replayable"
    assert "/gone" in str(one.reason)


def test_rows_that_lived_in_the_driver(recorded: Recorded) -> None:
    one = recorded.replay("driver")
    assert one.verdict == "not_replayable"
    assert "lived in the driver" in str(one.reason)


def test_plans_that_were_changed_or_are_not_signed(recorded: Recorded) -> None:
    plans = DeltaTable(f"{recorded.store}/plan_executables")
    plans.update(updates={"spark_version": "'3.9.9'"}, predicate=f"execution_id = '{recorded.execution('far')}'")
    assert "was changed after it was signed" in str(recorded.replay("far").reason)
    trusted = recorded.replay("far", trust_store=True)
    assert "written by Spark 3.9.9" in str(trusted.reason)
    plans = DeltaTable(f"{recorded.store}/plan_executables")
    plans.update(updates={"signature": "NULL"}, predicate=f"execution_id = '{recorded.execution('archived')}'")
    one = recorded.replay("archived")
    assert one.verdict == "not_replayable"
    assert "--trust-store" in str(one.reason)
    assert recorded.replay("archived", trust_store=True).verdict == "identical"


def test_what_names_nothing(recorded: Recorded) -> None:
    store = Store.open(recorded.store)
    before = store.arrow("replays").num_rows
    (replay_id, *_) = store.arrow("replays", ["replay_id"]).column(0).to_pylist()
    for arguments, said in (
        (("ffff",), "no run whose id begins with"),
        (("last:99",), "has no execution 99"),
        ((replay_id,), "is a replay"),
        (("last", "--tolerance", "2"), "the tolerance is 2.0"),
        ((), "name an execution or a run"),
        (("all", "--deep"), "--deep is for --check"),
        (("--upstream-of", "nothing@3"), "no dataset called"),
    ):
        code, text = recorded.ask(*arguments)
        assert (code, said in text) == (2, True), text
    assert store.arrow("replays").num_rows == before


def test_lines_of_text_by_their_columns(recorded: Recorded) -> None:
    (file,) = (recorded.root / "lines").glob("*.csv")
    before, times = file.read_text(), file.stat()
    first = before.splitlines()[1].split(",")
    file.write_text(before.replace(",".join(first), ",".join([first[0], "9", *first[2:]])))
    os.utime(
        file, ns=(times.st_atime_ns, times.st_mtime_ns)
    )  # as long as before and of the same time: the listing is that of then
    (recorded.root / "lines" / f".{file.name}.crc").unlink()
    one = recorded.replay("lines", None)
    assert (one.verdict, one.columns) == ("different", ("k",)), one.reason
    assert recorded.replay("lines", None, volatile=["k"]).verdict == "equivalent"
    file.write_text(before)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert recorded.replay("lines", None).verdict == "identical"


def test_what_it_wrote_is_gone(recorded: Recorded) -> None:
    """A checksum that is kept is enough to be held against."""
    spark_lineage.open(recorded.store).snapshot_take(str(recorded.root / "summed"), version=0)
    for name in ("summed", "vanished"):
        vacuum(recorded, name, "id")
    one = recorded.replay("summed")
    assert (one.verdict, one.whole) == ("identical", True), one.reason
    one = recorded.replay("vanished")
    assert one.verdict == "not_replayable"
    assert "what it wrote cannot be read any more" in str(one.reason)
