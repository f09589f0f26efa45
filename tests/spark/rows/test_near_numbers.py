"""Rows whose doubles differ by less than sums of doubles do are other rows all the same; and columns by which rows are not told apart make a witness
larger, in a sample, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.model import RowSample
from spark_lineage.rows.due import due
from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.lots import follow_apart
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.rows.tracing import TAG, follow, numbers_given
from spark_lineage.rows.witness import Witness
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

TIMES = {"u": (1, 2, 3), "t": (1764560000.0, 1764560001.0, 1764560100.0), "f": (5000001.0, 5000002.0, 5000003.0)}


@dataclass(frozen=True)
class Recorded:
    spark: Any
    root: Path
    samples: dict[str, RowSample]

    def witness(self, name: str, where: str) -> Witness:
        (hop,) = spark_lineage.open(self.root / "store").trace(str(self.root / name), where=where, spark=self.spark)
        assert hop.witness is not None
        return hop.witness


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("near")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        rows = ", ".join(f"({u}, {t}D, CAST({f} AS FLOAT))" for u, t, f in zip(*TIMES.values(), strict=True))
        spark.sql(f"SELECT * FROM VALUES {rows} AS v(u, t, f)").write.format("delta").save(f"{root}/times")
        variants = "SELECT u, 1 AS k, parse_json(CAST(u AS STRING)) AS v FROM VALUES (1), (2) AS v(u)"
        spark.sql(variants).write.format("delta").save(f"{root}/variants")
        spark.sql(f"CREATE TABLE delta.`{root}/merged` USING delta AS SELECT 1000000001D AS id, 0 AS n")
        spark.sql(f"CREATE TABLE delta.`{root}/ids` USING delta AS SELECT id FROM VALUES (1000000002D) AS v(id)")
        attachment = attach(spark, inbox=f"{root}/inbox", ingest="none", strict=True, job_name="near", rows_sample=1)
        assert attachment is not None
        source = f"delta.`{root}/times`"
        spark.sql(f"CREATE TABLE delta.`{root}/copied` USING delta AS SELECT t, f FROM {source}")
        spark.sql(
            f"CREATE TABLE delta.`{root}/grouped` USING delta AS SELECT t, 1 AS one, count(*) AS n FROM {source} GROUP BY t"
        )
        spark.sql(f"CREATE TABLE delta.`{root}/alike` USING delta AS SELECT k, v FROM delta.`{root}/variants`")
        spark.sql(
            f"MERGE INTO delta.`{root}/merged` t USING delta.`{root}/ids` s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 0)"
        )
        assert attachment.flush(60)
        detach(spark)
        ingest(f"{root}/inbox", f"{root}/store", executables_key=f"{root}/key")
        store = Store.open(f"{root}/store")
        taken = list(take_samples(spark, store, due(store, load(store=f"{root}/store")), Limits(key=f"{root}/key")))
        yield Recorded(spark, root, {one.name.rsplit("/", 1)[-1]: one for one in taken})


@pytest.mark.parametrize("name", ["copied", "grouped"])
def test_what_differs_by_less_than_sums_do_is_another_row(recorded: Recorded, name: str) -> None:
    witness = recorded.witness(name, "t = 1764560000")
    (source,) = witness.sources
    assert (witness.completeness, [row.values["t"] for row in source.rows]) == ("exact", [1764560000.0])
    sample = recorded.samples[name]
    assert (sample.rows_exact, sample.witness_rows) == (3, 3)


def test_a_row_that_merge_left_alone_is_not_one_that_it_made(recorded: Recorded) -> None:
    witness = recorded.witness("merged", "id = 1000000002")
    assert [source.name.rsplit("/", 1)[-1] for source in witness.sources if source.count] == ["ids"]
    assert witness.completeness == "exact"


def test_variants_are_not_compared_in_a_sample_either(recorded: Recorded) -> None:
    assert recorded.witness("alike", "k = 1").completeness == "superset"
    sample = recorded.samples["alike"]
    assert (sample.rows_exact, sample.rows_superset) == (0, 2)


def test_sums_are_near_and_where_several_are_so_it_says(spark: Any, tmp_path: Path) -> None:
    """The plan gives sums that another order of its rows has in the last bit: of two that are near, both are named, and counted."""
    spark.sql("SELECT * FROM VALUES (1, 0.1D), (1, 0.2D), (2, 7D) AS v(k, d)").coalesce(1).write.parquet(str(tmp_path / "rows"))
    rows = identified(spark.read.parquet(str(tmp_path / "rows")), 0)
    rows.select("k", "d").createOrReplaceTempView("near_rows")
    sums = spark.sql("SELECT k, sum(d) AS d FROM near_rows GROUP BY k")
    last_bit = 0.3000000000000002
    given = sums.where("k = 1").first()["d"]
    assert given != last_bit
    one = local_frame(spark, [(1, last_bit)], sums.schema)
    found = follow(sums, one)
    assert (found.missing, found.near, found.rows[0][1]) == (0, False, 2)
    numbered = one.selectExpr(f"CAST(7 AS BIGINT) AS {TAG}", "*")
    assert numbers_given(sums, numbered) == {7}
    alone = spark.sql("SELECT d FROM near_rows WHERE k = 1 UNION ALL SELECT d + 1e-11D FROM near_rows WHERE k = 1")
    several = follow(alone, local_frame(spark, [(0.2 + 5e-12,)], alone.schema))
    assert (several.missing, several.near) == (0, True)
    lot = follow_apart(
        alone,
        local_frame(spark, [(0.2 + 5e-12,)], alone.schema).selectExpr(f"CAST(3 AS BIGINT) AS {TAG}", "*"),
        per_row=9,
        near=True,
    )
    try:
        assert (lot.given, lot.several) == ({3}, {3})
    finally:
        lot.close()
