"""Rows of sources that tell no positions (ORC, JSON, a table behind JDBC) are known by the hash of what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.rows.due import due
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.rows.witness import Hop, SourceRow, Witness
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

DERBY = "org.apache.derby.jdbc.EmbeddedDriver"
FORMATS = ("orc", "json")


@dataclass(frozen=True)
class Recorded:
    """Sources of twelve rows, three of which are there twice and not in one file; sums of them in Delta tables, and samples of all of these."""

    spark: Any
    root: Path

    def trace(self, name: str) -> Hop:
        opened = spark_lineage.open(self.root / "store")
        (hop,) = opened.trace(str(self.root / f"of_{name}"), where="third = 1", spark=self.spark)
        return hop

    def witness(self, name: str, label: str) -> Witness:
        hop = self.trace(name)
        assert hop.witness, hop
        assert hop.witness.completeness == label, hop.witness.reasons
        return hop.witness


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("content")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        rows = spark.sql(
            "SELECT id % 9 AS id, id % 9 % 3 AS third, CAST(id % 9 AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 3)"
        )
        for name in FORMATS:
            rows.write.format(name).save(str(root / name))
        open_to_all, account = {"driver": DERBY}, {"driver": DERBY, "user": "us", "password": "canary"}
        url = f"jdbc:derby:{root}/base;create=true"
        rows.write.jdbc(url, "amounts", properties=open_to_all)
        rows.write.jdbc(url, "amounts", properties=account)
        attachment = attach(
            spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="content", rows_sample=1, rows_key=["third"]
        )
        assert attachment is not None
        schema = "id BIGINT, third BIGINT, amount DECIMAL(9,2)"
        sources = {name: spark.read.format(name).schema(schema).load(str(root / name)) for name in FORMATS}
        sources["jdbc"] = spark.read.jdbc(url, "amounts", properties=open_to_all)
        sources["secret"] = spark.read.jdbc(url, "amounts", properties=account)
        for name, source in sources.items():
            totals = source.groupBy("third").agg({"amount": "sum"}).toDF("third", "total")
            totals.write.format("delta").save(str(root / f"of_{name}"))
        assert attachment.flush(60)
        detach(spark)
        assert ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key")).quarantined == 0
        store = Store.open(str(root / "store"))
        list(take_samples(spark, store, due(store, load(store=str(root / "store"))), Limits(key=str(root / "key"))))
        yield Recorded(spark, root)


def shown(rows: tuple[SourceRow, ...]) -> list[tuple[Decimal, int]]:
    assert {row.kind for row in rows} == {"fingerprint"}
    return sorted((row.values["amount"], row.multiplicity) for row in rows)


MADE_OF = [(Decimal(1), 2), (Decimal(4), 1), (Decimal(7), 1)]


@pytest.mark.parametrize("name", FORMATS)
def test_files_without_positions(name: str, recorded: Recorded) -> None:
    """Each row once, with how often it is there; what a sample has of them is the same, and is found in files that were written again."""
    (source,) = recorded.witness(name, "exact").sources
    assert (source.count, shown(source.rows)) == (4, MADE_OF)
    opened = spark_lineage.open(recorded.root / "store")
    ids = {row.fingerprint: row.multiplicity for row in source.rows}
    kept = [row for row in opened.row_lineage(str(recorded.root / f"of_{name}")) if row.source_fingerprint.hex() in ids]
    assert {row.source_fingerprint.hex(): row.multiplicity for row in kept} == ids
    assert {row.completeness for row in kept} == {"exact"}
    folder, aside = recorded.root / name, recorded.root / f"{name}_aside"
    shutil.copytree(folder, aside)
    again = recorded.spark.read.format(name).schema("id BIGINT, third BIGINT, amount DECIMAL(9,2)").load(str(aside))
    again.coalesce(1).write.format(name).mode("overwrite").save(str(folder))
    values = opened.row_values(kept, spark=recorded.spark)
    assert sorted((one["amount"], row.multiplicity) for row, one in zip(kept, values, strict=True)) == MADE_OF
    assert shown(recorded.witness(name, "partial").sources[0].rows) == MADE_OF


def test_a_table_behind_jdbc(recorded: Recorded) -> None:
    """It is read as it is now, and the answer says so."""
    witness = recorded.witness("jdbc", "partial")
    (source,) = witness.sources
    assert (source.count, shown(source.rows)) == (4, MADE_OF)
    assert any("as it is now" in reason for reason in witness.reasons)


def test_a_password_is_not_recorded_and_the_trace_says_so(recorded: Recorded) -> None:
    hop = recorded.trace("secret")
    assert hop.ended is not None
    assert "password" in hop.ended
    assert "canary" not in str(hop)
