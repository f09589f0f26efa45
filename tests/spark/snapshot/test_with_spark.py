"""Checksums that Spark takes are those that are taken without it, and share the sums of data files with them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres
import pytest
from postgres import has_jar

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot import with_spark
from spark_lineage.snapshot.delta import version_of
from spark_lineage.snapshot.taking import snapshots, take
from spark_lineage.snapshot.with_spark import take_with_spark
from spark_lineage.store.tables import Store

JOB = Path(__file__).resolve().parents[3] / "jobs" / "snapshot.py"


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    return Store.open(tmp_path / "by spark", create=True), Store.open(tmp_path / "alone", create=True)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "a table")


def test_version_after_version(spark: Any, stores: tuple[Store, Store], place: str) -> None:
    by_spark, alone = stores
    table = f"delta.`{place}`"
    spark.sql(f"CREATE TABLE {table} (id BIGINT, `pä` STRING) USING delta PARTITIONED BY (`pä`) TBLPROPERTIES('delta.enableDeletionVectors'='true')")  # fmt: skip
    for statement in (
        f"INSERT INTO {table} SELECT id, 'a b%' || id % 3 FROM range(0, 300, 1, 2)",
        f"DELETE FROM {table} WHERE id % 7 = 3",
        f"INSERT INTO {table} VALUES (-1, NULL), (-2, '')",
        f"ALTER TABLE {table} ADD COLUMN extra INT",
        f"INSERT INTO {table} VALUES (-3, 'x', 9)",
    ):
        spark.sql(statement)
        one, other = take_with_spark(spark, by_spark, place), take(alone, place)
        same = ("namespace", "name", "table_id", "delta_version", "schema_hash", "row_count", "checksum", "files", "bytes", "files_read", "committed_at")  # fmt: skip
        assert [(name, getattr(one, name)) for name in same] == [(name, getattr(other, name)) for name in same], statement
    kept = [{row["path"]: row["checksum"] for row in store.arrow("snapshot_files").to_pylist()} for store in stores]
    assert kept[0] == kept[1]
    assert take_with_spark(spark, by_spark, place, version=1) == snapshots(by_spark, version=1)[0]


def test_only_what_is_not_known_is_read(spark: Any, stores: tuple[Store, Store], place: str) -> None:
    store, _ = stores
    spark.range(10).write.format("delta").save(place)
    take(store, place)
    spark.range(10, 12).write.format("delta").mode("append").save(place)
    known = version_of(place, 0).files
    for file in known:  # who reads it again fails
        (Path(place) / file.path).unlink()
    taken = take_with_spark(spark, store, place)
    assert (taken.row_count, taken.method, taken.files_read) == (12, "incremental", taken.files - len(known))
    with pytest.raises(SnapshotError, match=r"delta\.deletedFileRetentionDuration"):
        take_with_spark(spark, Store.open(Path(place).parent / "another", create=True), place)


def test_what_is_left_to_spark(spark: Any, stores: tuple[Store, Store], place: str) -> None:
    """Variants, and the log of a shallow clone."""
    store, _ = stores
    spark.sql(
        f"CREATE TABLE delta.`{place}` USING delta AS SELECT id, parse_json('{{\"a\": ' || id || '}}') AS v FROM range(20)"
    )
    with pytest.raises(SnapshotError, match="Spark"):
        take(store, place)
    taken = take_with_spark(spark, store, place)
    assert (taken.row_count, taken.delta_version, taken.method) == (20, 0, "scan")
    clone = f"{place} cloned"
    spark.sql(f"CREATE TABLE delta.`{clone}` SHALLOW CLONE delta.`{place}`")
    cloned = take_with_spark(spark, store, clone)
    assert (cloned.checksum, cloned.row_count) == (taken.checksum, 20)
    assert cloned.table_id != taken.table_id


def test_a_table_that_changes_while_it_is_read_is_of_one_version(
    spark: Any, stores: tuple[Store, Store], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, alone = stores
    spark.range(10).write.format("delta").save(place)
    found = with_spark._version_read

    def then_somebody_writes(frame: Any, location: str) -> Any:
        version = found(frame, location)
        spark.range(5).write.format("delta").mode("append").save(place)
        return version

    monkeypatch.setattr(with_spark, "_version_read", then_somebody_writes)
    taken = take_with_spark(spark, store, place)
    assert (taken.delta_version, taken.row_count) == (0, 10)
    assert taken.checksum == take(alone, place, version=0).checksum


def run_job(monkeypatch: pytest.MonkeyPatch, spark: Any, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", [str(JOB), *arguments])
    monkeypatch.setattr(type(spark), "stop", lambda session: None)  # the session is that of all tests
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(JOB), run_name="__main__")
    return int(ended.value.code or 0)


def test_the_job(spark: Any, stores: tuple[Store, Store], place: str, monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    store, alone = stores
    frame = spark.range(10).selectExpr("id", "'n' || id AS name")
    frame.write.format("delta").save(place)
    for file_format in ("parquet", "json"):
        frame.write.format(file_format).save(f"{place}.{file_format}")
    one = take(alone, place)
    assert run_job(monkeypatch, spark, "--store", store.location, place) == 0
    assert run_job(monkeypatch, spark, "--store", store.location, "--format", "parquet", f"{place}.parquet") == 0
    assert run_job(monkeypatch, spark, "--store", store.location, "--format", "json", f"{place}.json") == 0
    assert [line.split("\t")[1:] for line in capsys.readouterr().out.splitlines()] == [
        ["version 0", "10 rows", one.checksum],
        ["no version", "10 rows", one.checksum],
        ["no version", "10 rows", one.checksum],
    ]
    assert [(kept.name, kept.delta_version) for kept in snapshots(store)] == [(place, 0), (f"{place}.parquet", None), (f"{place}.json", None)]  # fmt: skip
    assert run_job(monkeypatch, spark, "--store", store.location, "--format", "csv", f"{place}.csv", place) == 1
    assert "PATH_NOT_FOUND" in capsys.readouterr().err
    for wrong in (
        (),
        ("--due", place),
        ("--format", "csv", "--version", "1", place),
        ("--option", "a", "--format", "csv", place),
    ):
        assert run_job(monkeypatch, spark, "--store", store.location, *wrong) == 2


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: run scripts/setup.sh tests, or apt-get install postgresql")
    with postgres.server() as running:
        yield running


@has_jar("postgresql")
def test_a_table_behind_jdbc(
    spark: Any, stores: tuple[Store, Store], server: postgres.Server, monkeypatch: Any, place: str
) -> None:
    store, alone = stores
    server.run(
        "CREATE TABLE copied (id bigint, name text)", "INSERT INTO copied SELECT n, 'n' || n FROM generate_series(0, 9) n"
    )
    spark.range(10).selectExpr("id", "'n' || id AS name").write.format("delta").save(place)
    options = {"url": server.url, "user": postgres.USER, "password": postgres.PASSWORD}
    monkeypatch.setenv("SHOP_PASSWORD", options.pop("password"))
    told = [part for key, value in options.items() for part in ("--option", f"{key}={value}")]
    told += ["--secret", "password=SHOP_PASSWORD"]
    assert run_job(monkeypatch, spark, "--store", store.location, "--format", "jdbc", *told, "copied") == 0
    (taken,) = snapshots(store)
    assert (taken.namespace, taken.name) == (server.namespace, "shop.public.copied")
    assert taken.checksum == take(alone, place).checksum
    assert run_job(monkeypatch, spark, "--store", store.location, "--format", "jdbc", *told, "not_there") == 1
    assert run_job(monkeypatch, spark, "--store", store.location, "--format", "jdbc", "copied") == 1
    assert (
        run_job(monkeypatch, spark, "--store", store.location, "--format", "jdbc", "--secret", "password=NOT_SET", "copied")
        == 2
    )
