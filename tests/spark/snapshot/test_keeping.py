"""Tables that Spark wrote: what becomes of their versions, and copies of them that Spark reads as the versions they are of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.archive import archive
from spark_lineage.snapshot.availability import ENFORCED, availability
from spark_lineage.snapshot.retention import retention
from spark_lineage.snapshot.spark import sums_of_frame
from spark_lineage.store.tables import Store

UNCHECKED = "spark.databricks.delta.retentionDurationCheck.enabled"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(tmp_path_factory.mktemp("store") / "lineage", create=True)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "a täble")


def read(spark: Any, place: str, version: int | None = None) -> Any:
    reader = spark.read.format("delta")
    return (reader if version is None else reader.option("versionAsOf", version)).load(place)


def sums_there(spark: Any, place: str, version: int) -> Any:
    """What Spark reads of it, None where it says that a file is not there."""
    try:
        return sums_of_frame(read(spark, place, version))
    except Exception as error:
        if any(words in str(error) for words in ("FILE_NOT_EXIST", "No such file", "does not exist")):
            return None
        raise


def vacuum(spark: Any, place: str) -> None:
    before = spark.conf.get(UNCHECKED)
    spark.conf.set(UNCHECKED, "false")
    try:
        DeltaTable.forPath(spark, place).vacuum(0)
    finally:
        spark.conf.set(UNCHECKED, before)


@pytest.mark.soak
def test_every_kind_of_table_as_a_copy(spark: Any, store: Store, place: str, tmp_path: Path) -> None:
    """Column mapping, deletion vectors, row ids, times of commits in the log, partitions and files with strange names."""
    table = f"delta.`{place}`"
    spark.sql(
        f"CREATE TABLE {table} (id BIGINT, `a b` STRING, part STRING, n INT GENERATED ALWAYS AS (CAST(id % 2 AS INT))) USING delta "
        "PARTITIONED BY (part) TBLPROPERTIES('delta.columnMapping.mode'='name', 'delta.enableDeletionVectors'='true', "
        "'delta.enableRowTracking'='true', 'delta.enableInCommitTimestamps'='true', 'delta.checkpointInterval'='3')"
    )
    for statement in (
        f"INSERT INTO {table} (id, `a b`, part) SELECT id, 'v' || id, elt(CAST(id % 3 AS INT) + 1, 'x y', 'ü/%=#', NULL) FROM range(0, 90, 1, 1)",
        f"DELETE FROM {table} WHERE id % 7 = 3",
        f"ALTER TABLE {table} RENAME COLUMN `a b` TO `c ü`",
        f"UPDATE {table} SET `c ü` = 'changed' WHERE id % 11 = 5",
        f"DELETE FROM {table} WHERE id % 5 = 0",
    ):
        spark.sql(statement)
    versions, folder = (1, 2, 4, 5), str(tmp_path / "the archive")
    expected = {version: sums_of_frame(read(spark, place, version)) for version in versions}
    ids = {row.id: row.row_id for row in read(spark, place, 4).selectExpr("id", "_metadata.row_id AS row_id").collect()}
    found = availability(place, versions, deep=True)
    assert all(one.readable for one in found.values()), found
    assert found[1].committed_at == at(spark, place, 1)
    copies = {version: archive(store, place, version, folder) for version in (4, 2)}
    for version, made in copies.items():
        assert made.verified == "checksum"
        copy = read(spark, made.archive.location)
        assert sums_of_frame(copy) == expected[version], version
        assert copy.schema == read(spark, place, version).schema
    assert copies[2].shared_files > 0, "vectors do not change the files"
    copy = read(spark, copies[4].archive.location)
    assert {row.id: row.row_id for row in copy.selectExpr("id", "_metadata.row_id AS row_id").collect()} == ids

    vacuum(spark, place)
    for version, one in (found := availability(place, versions)).items():
        there = sums_there(spark, place, version) == expected[version]
        assert one.readable == there == availability(place, [version], deep=True)[version].readable, (version, one)
    assert [found[version].readable for version in versions] == [True, False, False, True], (
        "1 needs files that 5 has, and no vectors"
    )
    assert "VACUUM" in str(found[2].reason)
    assert sums_of_frame(read(spark, copies[2].archive.location)) == expected[2]
    spark.sql(f"INSERT INTO delta.`{copies[4].archive.location}` (id, `c ü`, part) VALUES (1000, 'a copy is a table', 'x y')")
    assert read(spark, copies[4].archive.location).where("id = 1000").count() == 1


def test_the_log_as_spark_cleans_it(spark: Any, place: str) -> None:
    """What is said to go no earlier is there, what is said to go by then is gone."""
    import os

    table = f"delta.`{place}`"
    spark.sql(f"CREATE TABLE {table} (id BIGINT) USING delta TBLPROPERTIES('delta.checkpointInterval'='4')")
    for version in range(1, 7):
        spark.sql(f"INSERT INTO {table} VALUES ({version})")
    now = datetime.now(UTC)
    ages = {version: now - timedelta(days=40 - 4 * version) for version in range(7)}
    for version, age in ages.items():
        for path in Path(place, "_delta_log").glob(f"{version:020d}.*"):
            os.utime(path, (age.timestamp(), age.timestamp()))
    found = availability(place, range(7))
    # all before the checkpoint of version 4 goes once version 3 is 30 days old
    assert [one.until for one in found.values()][:4] == [ages[3] + timedelta(days=30)] * 4
    assert found[4].until == ages[5] + timedelta(days=30)
    for version, age in ages.items():
        older = age - timedelta(days=4)
        for path in Path(place, "_delta_log").glob(f"{version:020d}.*"):
            os.utime(path, (older.timestamp(), older.timestamp()))
    assert [one.until is not None and one.until < now for one in availability(place, range(7)).values()] == [True] * 4 + [
        False
    ] * 3
    for version in (7, 8):
        spark.sql(f"INSERT INTO {table} VALUES ({version})")
    found = availability(place, range(9))
    assert [one.readable for one in found.values()] == [False] * 4 + [True] * 5
    spark.conf.set(ENFORCED, "false")
    try:
        for version in range(4, 9):
            assert read(spark, place, version).count() == version
        with pytest.raises(Exception, match="DELTA_"):
            read(spark, place, 3).collect()
    finally:
        spark.conf.unset(ENFORCED)


def test_time_travel_that_spark_refuses_by_itself(spark: Any, place: str) -> None:
    import os

    spark.range(3).write.format("delta").save(place)
    spark.range(4).write.format("delta").mode("append").save(place)
    old = datetime.now(UTC) - timedelta(days=8)
    os.utime(Path(place, "_delta_log", f"{0:020d}.json"), (old.timestamp(), old.timestamp()))
    one = availability(place, [0])[0]
    assert (one.readable, one.plain_until) == (True, old + timedelta(days=7))
    with pytest.raises(Exception, match="DELETED_FILE_RETENTION_DURATION"):
        read(spark, place, 0).collect()
    assert ENFORCED in str(one.reason)
    spark.conf.set(ENFORCED, "false")
    try:
        assert read(spark, place, 0).count() == 3
    finally:
        spark.conf.unset(ENFORCED)


def test_properties_that_are_set_without_spark(spark: Any, place: str) -> None:
    spark.range(3).write.format("delta").save(place)
    retention(place, 45)
    properties = {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES delta.`{place}`").collect()}
    assert properties["delta.deletedFileRetentionDuration"] == properties["delta.logRetentionDuration"] == "interval 45 days"
    other = f"{place} 2"
    spark.sql(
        f"CREATE TABLE delta.`{other}` (id BIGINT) USING delta TBLPROPERTIES('delta.enableInCommitTimestamps'='true', 'delta.enableRowTracking'='true')"
    )
    try:
        retention(other, 45)
    except SnapshotError as error:
        spark.sql("ALTER TABLE " + str(error).split("ALTER TABLE ")[1])
    properties = {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES delta.`{other}`").collect()}
    assert properties["delta.deletedFileRetentionDuration"] == "interval 45 days"


def test_a_shallow_clone_is_its_sources(spark: Any, store: Store, place: str, tmp_path: Path) -> None:
    spark.range(3).write.format("delta").save(place)
    clone = str(tmp_path / "clone")
    spark.sql(f"CREATE TABLE delta.`{clone}` SHALLOW CLONE delta.`{place}`")
    assert [availability(clone, [0], deep=deep)[0].readable for deep in (False, True)] == [None, True]
    with pytest.raises(SnapshotError, match="files of another table"):
        archive(store, clone, 0, str(tmp_path / "archive"))


def at(spark: Any, place: str, version: int) -> datetime:
    row = (
        spark.sql(f"DESCRIBE HISTORY delta.`{place}`")
        .where(f"version = {version}")
        .selectExpr("unix_micros(timestamp) AS t")
        .first()
    )
    return datetime.fromtimestamp(row.t / 1e6, UTC)
