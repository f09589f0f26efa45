"""What is small and was not replayed: tables of one name, files without a byte, parts of a folder, fields that a MERGE adds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage
from spark_lineage.errors import ExecutableError, StoreError
from spark_lineage.replay.outputs import UNKNOWN_PLAN
from spark_lineage.replay.session import check_room
from spark_lineage.replay.verdict import Replayed

pytestmark = pytest.mark.soak

DATABASES = ("small_one", "small_two", "small_far")


def write(spark: Any, root: Path) -> None:
    source = f"delta.`{root}/source`"
    rows = spark.table(source)

    def in_databases(batch: Any, _: int) -> None:
        for database in DATABASES:
            batch.write.format("delta").saveAsTable(f"{database}.orders")

    stream = spark.readStream.format("delta").load(f"{root}/source").writeStream.foreachBatch(in_databases)
    stream.option("checkpointLocation", f"{root}/checkpoint").trigger(availableNow=True).start().awaitTermination()
    rows.write.mode("ignore").format("delta").save(f"{root}/once")
    rows.write.mode("ignore").format("delta").save(f"{root}/once")
    rows.write.mode("ignore").parquet(f"{root}/once_parquet")
    rows.write.mode("ignore").parquet(f"{root}/once_parquet")

    none = rows.where("id < 0")
    none.write.json(f"{root}/no_json")
    none.select("s").write.text(f"{root}/no_text")
    none.write.partitionBy("k").parquet(f"{root}/no_partitions")
    rows.write.json(f"{root}/appended")
    none.write.mode("append").json(f"{root}/appended")
    rows.selectExpr("CAST(NULL AS STRING) AS a").write.csv(f"{root}/nulls")

    def read(*names: str, **options: str) -> Any:
        return spark.read.options(**options).parquet(*(f"{root}/parted/{name}".rstrip("/") for name in names))

    read("k=1").write.format("delta").save(f"{root}/one_part")
    read("k=1", basePath=f"{root}/parted").write.format("delta").save(f"{root}/one_part_with_its_column")
    read("k=0", "k=1").write.format("delta").save(f"{root}/two_parts")
    read("k=1").unionAll(read("k=0")).write.format("delta").save(f"{root}/two_reads")

    def merge(name: str, was: str, value: str, becomes: str, when: str) -> None:
        spark.sql(f"CREATE TABLE delta.`{root}/{name}` USING delta AS SELECT id, {was} AS v FROM range(0, 6, 1, 1)")
        spark.sql(
            f"MERGE WITH SCHEMA EVOLUTION INTO delta.`{root}/{name}` t USING (SELECT id + 3 AS id, {becomes} AS v FROM {source} WHERE id < 6) s "
            f"ON t.id = s.id {when} {value}"
        )

    everything = "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    merge("field", "if(id = 1, NULL, named_struct('a', 'A' || id))", "", "named_struct('a', 'B' || id, 'b', id)", everything)
    merge("element", "array(named_struct('a', id), NULL)", "", "array(named_struct('b', 1, 'a', id))", everything)
    merge("value", "map('x', named_struct('a', id))", "", "map('y', named_struct('a', id, 'b', 1.5))", everything)
    merge(
        "alone", "named_struct('a', 'A' || id)", "WHEN NOT MATCHED BY SOURCE AND t.id = 2 THEN UPDATE SET t.v.a = 'gone'",
        "named_struct('a', 'B' || id, 'b', id)", "WHEN MATCHED AND s.id = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v",
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        for database in DATABASES:
            spark.sql(f"CREATE DATABASE {database}" + (f" LOCATION '{root}/elsewhere'" if database == "small_far" else ""))
        rows = spark.sql("SELECT id, id % 3 AS k, 's' || id % 5 AS s FROM range(0, 20, 1, 1)")
        rows.write.format("delta").save(f"{root}/source")
        rows.write.partitionBy("k").parquet(f"{root}/parted")
        yield recorded_of(spark, root, "small", write)
        for database in DATABASES:
            spark.sql(f"DROP DATABASE {database} CASCADE")


@pytest.fixture(scope="module")
def replays(recorded: Recorded) -> list[tuple[str, Replayed]]:
    """By the end of the name; after another partition has grown."""
    time.sleep(0.01)
    recorded.spark.sql("SELECT 100L AS id, 's' AS s, 2L AS k").write.mode("append").partitionBy("k").parquet(
        f"{recorded.root}/parted"
    )
    found = spark_lineage.open(recorded.store).replay("last", spark=recorded.spark)
    return [(str(one.name).rsplit("/", 1)[-1], one) for one in found]


def of(replays: list[tuple[str, Replayed]], *names: str) -> dict[str, list[tuple[Any, ...]]]:
    return {name: [(one.verdict, one.rows, one.reason) for called, one in replays if called == name] for name in names}


def test_tables_of_one_name(replays: list[tuple[str, Replayed]]) -> None:
    """Their commands name the table alone: which of the plans is whose is not known, and is said."""
    found = {str(one.name).rsplit("/", 2)[-2]: (one.verdict, one.reason) for name, one in replays if name == "orders"}
    assert found == dict.fromkeys(("small_one.db", "small_two.db", "elsewhere"), ("not_replayable", UNKNOWN_PLAN))


def test_a_save_where_nothing_is(replays: list[tuple[str, Replayed]]) -> None:
    assert of(replays, "once", "once_parquet") == {name: [("identical", (20, 20), None)] for name in ("once", "once_parquet")}


def test_files_without_a_byte(recorded: Recorded, replays: list[tuple[str, Replayed]]) -> None:
    nothing = [("identical", (0, 0), None)]
    assert of(replays, "no_json", "no_text", "no_partitions", "nulls") == {
        "no_json": nothing, "no_text": nothing, "no_partitions": nothing, "nulls": nothing,
    }  # fmt: skip
    assert of(replays, "appended")["appended"] == [("identical", (20, 20), None), *nothing]


def test_parts_of_a_folder(recorded: Recorded, replays: list[tuple[str, Replayed]]) -> None:
    for name, rows in (("one_part", 7), ("one_part_with_its_column", 7), ("two_parts", 14), ("two_reads", 14)):
        assert of(replays, name)[name] == [("identical", (rows, rows), None)]


def test_fields_that_a_merge_adds(replays: list[tuple[str, Replayed]]) -> None:
    found = of(replays, "field", "element", "value", "alone")
    assert {name: [(one[0], one[2]) for one in some] for name, some in found.items()} == dict.fromkeys(
        found, [("identical", None)] * 2
    )


def test_what_is_told_before_is_so(recorded: Recorded, replays: list[tuple[str, Replayed]]) -> None:
    told = spark_lineage.open(recorded.store).replay_check("all")
    assert [one.reason for one in told.executions if one.replayable is False] == [UNKNOWN_PLAN]  # the tables of one name


def test_a_verdict_that_cannot_be_kept(recorded: Recorded, replays: list[tuple[str, Replayed]], tmp_path: Path) -> None:
    there = Path(recorded.store) / "replays"
    aside = there.rename(tmp_path / "replays")
    there.write_text("no table")
    try:
        with pytest.raises(
            StoreError, match=r"^the verdict on .* is identical, and cannot be kept: replays in .* cannot be written: "
        ):
            recorded.replay("field", 0)
    finally:
        there.unlink()
        aside.rename(there)


def test_no_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path}/missing,{tmp_path}/gone")
    with pytest.raises(ExecutableError, match=r"temporary files cannot be written .*: make room, or set SPARK_LOCAL_DIRS to"):
        check_room()
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path}/missing,{tmp_path}")
    check_room()
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_has_grown_or_changed(recorded: Recorded, replays: list[tuple[str, Replayed]]) -> None:
    parted = Path(f"{recorded.root}/parted")
    time.sleep(0.01)
    recorded.spark.sql("SELECT 101L AS id, 's' AS s, 1L AS k").write.mode("append").partitionBy("k").parquet(str(parted))
    recorded.spark.catalog.clearCache()
    for name in ("one_part", "one_part_with_its_column", "two_parts"):
        assert recorded.replay(name).verdict == "identical", name
    changed = min((parted / "k=1").glob("*.parquet"), key=lambda file: file.stat().st_mtime)
    os.utime(changed)
    one = recorded.replay("one_part")
    assert (one.verdict, str(one.reason).count("has changed: its files are not those")) == ("not_replayable", 1)
