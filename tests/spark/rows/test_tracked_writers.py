"""A job writes the same frame in every way, tracked and not: the tables are the same, and of each tracked write a sample is what a trace finds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from delta.tables import DeltaTable
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.model import RowSample
from spark_lineage.rows.due import Due, due
from spark_lineage.rows.stored import samples
from spark_lineage.sample_marks import MARK
from spark_lineage.store.tables import Store

PLAIN, TRACKED = "writers_plain", "writers_tracked"
ASKED = spark_lineage.Sample(1.0, per_row=50, key=("id",))
Ids = dict[str, set[int]]
Found = tuple[set[str], Counter[Any], set[int]]  # labels, what source rows are known by, the ids of those of `ids`
ALL, GROUP = {"id = 6": {6}}, {1, 5, 9, 13, 17, 21}
MERGED, UNITED = {"id = 2": {2}, "id = 6": {6}}, {"id = 6": {6}, "id = 106": {6}}
LEFT, RIGHT = {"id = 5": {5}, "id = 4": {4}}, {"id = 5": {5}, "id IS NULL": set[int]()}
WRITES: tuple[tuple[str, int, int, Ids], ...] = (
    # table, version, how many of its rows are chosen, some of them with the `id` of what each was made of
    ("saved", 0, 24, ALL), ("inserted", 1, 24, ALL), ("inserted", 2, 5, {"id = 3": {3}}), ("made", 0, 24, ALL),
    ("made", 1, 5, {"id = 103": {3}}), ("made", 2, 24, ALL), ("made", 3, 6, ALL), ("parts", 1, 6, {"id = 5": {5}}),
    ("parts", 2, 6, ALL), ("selected", 0, 24, ALL), ("selected", 1, 5, {"id = 103": {3}}), ("selected", 2, 24, ALL),
    ("merged", 1, 23, MERGED), ("merged_of_python", 1, 23, MERGED), ("merged_into", 1, 23, MERGED),
    ("batches", 0, 24, ALL), ("batches_of_tracked", 0, 24, ALL), ("streamed", 0, 24, ALL),
    ("left_outer", 0, 24, LEFT), ("right_outer", 0, 13, RIGHT), ("full_outer", 0, 25, LEFT | RIGHT),
    ("other_left_outer", 0, 13, RIGHT), ("other_right_outer", 0, 24, LEFT), ("other_full_outer", 0, 25, LEFT | RIGHT),
    ("union", 0, 48, UNITED), ("union_below", 0, 48, UNITED), ("function", 0, 24, ALL),
    ("cached", 0, 24, ALL), ("of_cached", 0, 4, {"k = 1": GROUP}), ("above_cached", 0, 24, ALL),
)  # fmt: skip
OTHERS = (("beside_cached", 0), ("parquet", -1), ("orc", -1), ("json", -1), ("csv", -1))


@dataclass(frozen=True)
class Written:
    """What the job wrote to two databases, and the samples of it."""

    root: Path
    lineage: Any
    spark: Any
    wanted: tuple[Due, ...]
    samples: dict[tuple[str, int], RowSample]

    def read(self, to: str, name: str, version: int) -> Any:
        reader = self.spark.read.format(name if version < 0 else "delta").option("versionAsOf", version)
        return reader.load(f"{self.root}/{to}/{name}")

    def kept(self, name: str, version: int, where: str, ids: set[int]) -> Found:
        rows, keyed = self.read(TRACKED, name, version).where(where), self.samples[name, version].key or ()
        (key,) = rows.select(F.xxhash64(*keyed)).distinct().collect()
        found = self.lineage.row_lineage(f"{self.root}/{TRACKED}/{name}", version=version, key=int(key[0]))
        known = Counter[Any]()
        for one in found:
            place = one.source_file, one.source_position, (one.source_fingerprint or b"").hex()
            known[one.source_name, one.source_version, one.source_row_kind, *place, one.multiplicity or 1] += 1
        return {one.completeness for one in found}, known, ids

    def traced(self, name: str, version: int, where: str) -> Found:
        (hop,) = self.lineage.trace(f"{self.root}/{TRACKED}/{name}", where=where, version=version, spark=self.spark, limit=1000)
        assert hop.witness is not None, hop.ended
        assert {one.whole for one in hop.witness.sources} <= {None}
        found = [(s, r) for s in hop.witness.sources for r in s.rows]
        known = Counter((s.name, s.version, r.kind, r.file, r.position, r.fingerprint or "", r.multiplicity) for s, r in found)
        return {hop.witness.completeness}, known, {r.values["id"] for s, r in found if s.name.endswith("/ids")}


_track = partial(spark_lineage.track, rows=ASKED, key=["id"])


def _rows(ids: Any) -> Any:
    return ids.selectExpr("id", "id % 4 AS k", "'n' || id AS name").withMetadata("name", {"comment": "of it"})


def _made_of(rows: Any, base: Any, other: Any) -> dict[str, Any]:
    """Frames that are made of one, and of others that are not tracked."""
    more = base.withColumn("id", F.expr("id + 100"))
    made = {"union": rows.union(more), "union_below": more.union(rows)}
    for how in ("left_outer", "right_outer", "full_outer"):
        made |= {how: rows.join(other, "k", how), f"other_{how}": other.join(rows, "k", how)}
    return made | {"function": rows.select("id", F.udf(lambda k: k + 1, "bigint")("k").alias("more"))}


def _job(spark: Any, root: str, to: str, mark: Callable[[Any], Any]) -> None:
    base = _rows(spark.read.format("delta").load(f"{root}/ids"))
    other = spark.read.schema("k BIGINT, double BIGINT").csv(f"{root}/other.csv")
    rows = mark(base)

    def save(of: Any, name: str, *parts: str) -> None:
        of.write.format("delta").partitionBy(*parts).saveAsTable(f"{to}.{name}")

    spark.sql(f"CREATE DATABASE {to} LOCATION '{root}/{to}'")
    for name in ("inserted", "parts", "merged", "merged_of_python", "merged_into"):
        save(base.where("id < 4").withColumn("name", F.lit("old")), name, "k")
    save(rows, "saved")
    rows.select("id", "k", "name").write.insertInto(f"{to}.inserted")
    rows.where("id < 5").write.insertInto(f"{to}.inserted", overwrite=True)
    rows.writeTo(f"{to}.made").using("delta").create()
    rows.where("id < 5").withColumn("id", F.expr("id + 100")).writeTo(f"{to}.made").append()
    rows.writeTo(f"{to}.made").using("delta").createOrReplace()
    rows.where("k = 2").drop("name").writeTo(f"{to}.made").using("delta").replace()
    rows.where("k = 1").writeTo(f"{to}.parts").overwritePartitions()
    rows.where("k = 2").writeTo(f"{to}.parts").overwrite(F.col("k") == 2)
    rows.createOrReplaceTempView("writers_view")
    spark.sql(f"CREATE TABLE {to}.selected USING delta AS SELECT * FROM writers_view")
    spark.sql(f"INSERT INTO {to}.selected SELECT id + 100, k, name FROM writers_view WHERE id < 5")
    spark.sql(f"INSERT OVERWRITE {to}.selected BY NAME SELECT name, v.k, id FROM writers_view v")
    clauses = "WHEN MATCHED AND s.k > 0 THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT *"
    spark.sql(f"MERGE INTO {to}.merged t USING writers_view s ON t.id = s.id {clauses}")
    merge = DeltaTable.forName(spark, f"{to}.merged_of_python").alias("t").merge(rows.alias("s"), "t.id = s.id")
    merge.whenMatchedUpdate("s.k > 0", {"name": "s.name"}).whenNotMatchedInsertAll().execute()
    into = rows.alias("s").mergeInto(f"{to}.merged_into", F.expr("merged_into.id = s.id"))
    into.whenMatched(F.expr("s.k > 0")).update({"name": F.col("s.name")}).whenNotMatched().insertAll().merge()
    spark.catalog.dropTempView("writers_view")
    stream = _rows(spark.readStream.format("delta").load(f"{root}/ids"))
    queries = {
        "batches": stream.writeStream.foreachBatch(lambda batch, number: save(mark(batch), "batches")),
        "batches_of_tracked": mark(stream).writeStream.foreachBatch(lambda batch, number: save(batch, "batches_of_tracked")),
        "streamed": mark(stream).writeStream.format("delta").option("path", f"{root}/{to}/streamed"),
    }
    for name, writer in queries.items():
        query = writer.option("checkpointLocation", f"{root}/checkpoints/{to}/{name}").trigger(availableNow=True).start()
        assert query.awaitTermination(240)
    for name, made in _made_of(rows, base, other).items():
        save(made, name)
    for name, _ in OTHERS[1:]:
        rows.write.format(name).save(f"{root}/{to}/{name}")
    assert rows.cache().count() == 24
    save(rows, "cached")
    save(rows.groupBy("k").count(), "of_cached")
    save(base, "beside_cached")
    rows.unpersist()
    save(mark(base.cache()), "above_cached")
    base.unpersist()


@pytest.fixture(scope="module")
def written(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    root = tmp_path_factory.mktemp("writers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        spark.range(0, 24, 1, 2).write.format("delta").save(str(root / "ids"))
        (root / "other.csv").write_text("1,2\n2,4\n9,18\n" * 2)
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="writers")
        assert attachment is not None
        _job(spark, str(root), PLAIN, lambda rows: rows)
        _job(spark, str(root), TRACKED, _track)
        assert attachment.flush(60)
        assert list(attachment.bridge.warnings()) == []
        detach(spark)
        assert ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key")).quarantined == 0
        store = Store.open(str(root / "store"))
        wanted = tuple(due(store, load(store=store.location)))
        assert CliRunner().invoke(main, ["rows", "take", "--due"]).exit_code in (0, 1), "1: a sample has a reason"
        found = {(Path(one.name).name, one.delta_version): one for one in samples(store)}
        yield Written(root, spark_lineage.open(root / "store"), spark, wanted, found)
    for to in (PLAIN, TRACKED):
        spark.sql(f"DROP DATABASE {to} CASCADE")


def test_what_comes_to_the_driver_and_how(spark: Any) -> None:
    base, other = _rows(spark.range(24)), spark.sql("SELECT * FROM VALUES (1L, 2L), (2L, 4L), (9L, 18L) AS o(k, double)")
    plain, tracked = ({"rows": one, **_made_of(one, base, other)} for one in (base, _track(base)))
    for name, frames in ((name, (plain[name], tracked[name])) for name in plain):
        executions = [one._jdf.queryExecution() for one in frames]
        assert [MARK in one.analyzed().treeString() for one in executions] == [False, True], name
        assert len({re.sub(r"#\d+L?", "", one.optimizedPlan().treeString()) for one in executions}) == 1, name
        one, two = (frame.orderBy(*frame.columns) for frame in frames)
        assert (two.schema, two.collect()) == (one.schema, one.collect()), name
        assert two.toPandas().equals(one.toPandas()), name


@pytest.mark.soak
def test_only_what_is_tracked_is_due(written: Written) -> None:
    found = {(*Path(one.name).parts[-2:], one.version) for one in written.wanted}
    assert found <= {(TRACKED, name, version) for name, version, _, _ in WRITES}
    assert {one.sample for one in written.wanted} == {ASKED}


@pytest.mark.soak
@pytest.mark.parametrize(("name", "version"), [*(one[:2] for one in WRITES), *OTHERS])
def test_the_tables_are_the_same(name: str, version: int, written: Written) -> None:
    plain, tracked = written.read(PLAIN, name, version), written.read(TRACKED, name, version)
    assert tracked.schema == plain.schema
    assert Counter(tracked.collect()) == Counter(plain.collect()) != Counter()


@pytest.mark.soak
@pytest.mark.parametrize(("name", "version", "chosen", "rows"), WRITES)
def test_the_sample_is_what_a_trace_finds(name: str, version: int, chosen: int, rows: Ids, written: Written) -> None:
    assert (name, version) in written.samples, "no sample of it was due"
    sample = written.samples[name, version]
    assert (sample.reason, sample.rows_chosen, sample.fraction) == (None, chosen, 1.0)
    for where, ids in rows.items():
        assert written.kept(name, version, where, ids) == written.traced(name, version, where), where


@pytest.mark.soak
def test_what_is_not_exact(written: Written) -> None:
    """A function of somebody's own need not give the same each time; the rows of a batch are taken to be those that its function was given."""
    found = {name for (name, _), one in written.samples.items() if one.rows_exact != one.rows_chosen}
    assert found - {"batches"} == {"function", "batches_of_tracked"}
