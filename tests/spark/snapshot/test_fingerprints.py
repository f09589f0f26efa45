"""Fingerprints of sets of files, which are always recorded, and checksums of files without versions, which are kept under them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_with_spark import run_job

from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.lineage.limits import Limits
from spark_lineage.model import Snapshot
from spark_lineage.snapshot.deferred import due
from spark_lineage.snapshot.delta import commit_actions
from spark_lineage.snapshot.held import Unlisted, listed_by_spark
from spark_lineage.snapshot.policy import Policy
from spark_lineage.snapshot.spark import sums_of_frame
from spark_lineage.snapshot.taking import snapshots
from spark_lineage.snapshot.with_spark import take_with_spark
from spark_lineage.store.listing import listed
from spark_lineage.store.tables import Store

ALL = Policy("all", Limits(), 2**30)


@pytest.fixture
def told(spark: Any, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None

    def found() -> Store:
        assert attachment.flush(60)
        ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), snapshots=ALL)
        return Store.open(tmp_path / "store")

    yield found
    detach(spark)


def kept(store: Store, name: Path) -> list[Snapshot]:
    return [one for one in snapshots(store, without=True) if one.name == str(name)]


def test_what_a_commit_did_to_the_files_has_a_fingerprint(spark: Any, told: Callable[[], Store], tmp_path: Path) -> None:
    """That of its actions in the log; OPTIMIZE makes another set of files of the same rows."""
    place = str(tmp_path / "a table")
    table = f"delta.`{place}`"
    spark.sql(f"CREATE TABLE {table} (id BIGINT, `p%q` STRING) USING delta PARTITIONED BY (`p%q`) TBLPROPERTIES('delta.enableDeletionVectors'='true')")  # fmt: skip
    for statement in (
        f"INSERT INTO {table} SELECT id, 'x y%' || id % 2 FROM range(0, 40, 1, 2)",
        f"DELETE FROM {table} WHERE id = 7",
        f"UPDATE {table} SET id = -id WHERE id < 4",
        f"MERGE INTO {table} AS t USING (SELECT id FROM range(3)) AS s ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
        f"OPTIMIZE {table}",
    ):
        spark.sql(statement)
    store = told()
    recorded = {row["delta_version"]: row["fingerprint"] for row in store.arrow("outputs").to_pylist()}
    assert recorded == {version: fingerprint_in_log(place, version) for version in range(6)}
    assert len(set(recorded.values())) == 6
    before, after = (snapshots(store, version=version)[0] for version in (4, 5))
    assert before.checksum == after.checksum
    assert before.fingerprint != after.fingerprint
    again = take_with_spark(spark, Store.open(tmp_path / "again", create=True), place)
    assert again.fingerprint == after.fingerprint


def fingerprint_in_log(place: str, version: int) -> str:
    lines = []
    for action in commit_actions(place, version) or ():
        for kind in ("add", "remove"):
            if file := action.get(kind):
                vector = file.get("deletionVector") or {}
                named = f"{vector['storageType']}{vector['pathOrInlineDv']}@{vector['offset']}" if vector.get("offset") else ""
                lines.append("\t".join([kind, file["path"], *([str(file["size"])] if kind == "add" else []), named]) + "\n")
    return f"commit:{hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()[:32]}"


@pytest.mark.parametrize("file_format", ["parquet", "orc"])
def test_what_is_written_has_a_checksum_and_a_reader_finds_it(
    spark: Any, told: Callable[[], Store], tmp_path: Path, file_format: str
) -> None:
    place, copy = tmp_path / "orders", tmp_path / "copy"
    frame = spark.range(0, 30, 1, 3).selectExpr("id", "'n' || id AS name", "id % 3 AS part")
    frame.write.format(file_format).partitionBy("part").save(str(place))
    written = spark.read.format(file_format).load(str(place))
    (first,) = kept(told(), place)
    expected = sums_of_frame(written)
    assert (first.checksum, first.row_count, first.method, first.reason) == (expected.checksum, 30, "scan", None)
    assert first.execution_id is not None
    written.write.format("delta").save(str(copy))
    store = told()
    assert kept(store, place) == [first], "what is read is what was written: the fingerprint is the same"
    assert due(store, ALL) == []
    written.limit(5).write.format(file_format).mode("append").partitionBy("part").save(str(place))
    assert [one.row_count for one in kept(told(), place)] == [30, 35]


def test_files_that_only_spark_can_read(
    spark: Any, told: Callable[[], Store], tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    """CSV is read as the job read it; where no plan tells how, the reason is recorded."""
    source, target, text = tmp_path / "in.csv", tmp_path / "table", tmp_path / "out"
    source.write_text("id;name\n1;a\n2;\n")
    frame = spark.read.options(header="true", sep=";").schema("id INT, name STRING").csv(str(source))
    frame.write.format("delta").save(str(target))
    frame.write.json(str(text))
    store = told()
    (left,) = kept(store, source)
    assert (left.checksum, left.method) == (None, "none")
    assert "jobs/snapshot.py --format csv" in str(left.reason)
    assert [one.row_count for one in kept(store, target)] == [2]
    monkeypatch.setenv("SPARK_LINEAGE_SNAPSHOTS", "all")
    assert run_job(monkeypatch, spark, "--store", store.location, "--due") == 1, "of the output nothing tells how it is read"
    printed = capsys.readouterr().out
    assert f"{source}\t{left.fingerprint}\t2 rows\t{sums_of_frame(frame).checksum}" in printed
    assert "it is not recorded how these files of format json are read" in printed
    assert [one.checksum for one in snapshots(store) if one.name == str(source)] == [sums_of_frame(frame).checksum]
    with source.open("a") as more:
        more.write("3;c\n")
    assert run_job(monkeypatch, spark, "--store", store.location, "--due") == 1
    assert f"{source}" not in capsys.readouterr().out, "it is known as it was read"


def test_spark_lists_as_python_does(spark: Any, told: Callable[[], Store], tmp_path: Path) -> None:
    """Which is how files elsewhere are held against what was recorded. It is no execution."""
    folder = tmp_path / "some [files] of 100% + ü"
    for name in (
        "a b.csv",
        "%41.csv",
        "_hidden",
        ".hidden",
        "p=1/x[1].csv",
        "p=2/y{2}.csv",
        "empty.csv",
        "plain/c.csv",
        "plain/within/z.csv",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("" if name == "empty.csv" else name)
    (tmp_path / "some f of 100% + ü").mkdir()  # which a glob would mean, too
    (tmp_path / "some f of 100% + ü" / "other.csv").write_text("other")
    for place, everything in ((folder, True), (folder / "plain", False), (folder / "plain", True), (folder / "p=1", False)):
        found = listed_by_spark(spark, [f"file:{place}"], everything)
        assert sorted(found, key=str) == sorted(listed(place, everything), key=str)
        assert found
    assert listed_by_spark(spark, [f"file:{folder}"], False) == ()  # Spark reads no partitions beside other folders
    (folder / "plain" / "c.csv").unlink()
    (folder / "plain" / "within" / "z.csv").unlink()
    (folder / "plain" / "within").rmdir()
    (folder / "plain").rmdir()
    assert {*listed_by_spark(spark, [f"file:{folder}"], False)} == {*listed(folder, False)}
    some = [folder / "p=1/x[1].csv", folder / "a b.csv"]
    found = listed_by_spark(spark, [f"file:{path}" for path in some], False)
    assert {file.path for file in found} == {str(path) for path in some}
    assert listed_by_spark(spark, [f"file:{folder}/gone"], False) == ()
    with pytest.raises(Unlisted, match="cannot be listed"):
        listed_by_spark(spark, ["nowhere://x/y"], False)
    assert told().arrow("executions").num_rows == 0
