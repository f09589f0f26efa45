"""What is not told by the rows themselves: which of several plans of an execution wrote them, and that a null was an empty text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.rows.due import due
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.rows.witness import Hop
from spark_lineage.store.tables import Store


@dataclass(frozen=True)
class Recorded:
    spark: Any
    root: Path

    def trace(self, table: str, where: str, **more: Any) -> tuple[Any, ...]:
        return spark_lineage.open(self.root / "store").trace(str(self.root / table), where=where, spark=self.spark, **more)

    def hop(self, table: str, where: str, **more: Any) -> Hop:
        (hop,) = self.trace(table, where, **more)
        assert hop.witness is not None, hop
        return hop


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A table that one statement inserts into twice, and one with a partition for each text, an empty one and a null among them."""
    root = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        rows = spark.sql(
            "SELECT id, id % 4 AS k, element_at(array('a', '', NULL), CAST(id % 3 + 1 AS INT)) AS g FROM range(0, 12, 1, 1)"
        )
        rows.write.format("delta").save(str(root / "source"))
        spark.sql(f"CREATE TABLE delta.`{root}/twice` (k BIGINT) USING delta")
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="several", rows_sample=1)
        assert attachment is not None
        twice = f"INSERT INTO delta.`{root}/twice` SELECT k WHERE"
        spark.sql(f"FROM delta.`{root}/source` {twice} id IN (1, 2) {twice} id IN (5, 7)")
        spark.table(f"delta.`{root}/source`").groupBy("g").count().write.partitionBy("g").format("delta").save(
            str(root / "by_text")
        )
        assert attachment.flush(60)
        detach(spark)
        ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        store = Store.open(str(root / "store"))
        list(take_samples(spark, store, due(store, load(store=str(root / "store"))), Limits(key=str(root / "key"))))
        yield Recorded(spark, root)


def test_a_row_that_two_plans_give_may_be_of_either(recorded: Recorded) -> None:
    """k = 1 is of id 1 and of id 5, each written by another plan; k = 2 and k = 3 have one plan each."""
    hops = recorded.trace("twice", "k = 1")
    assert {hop.witness.completeness for hop in hops} == {"partial"}
    assert all("2 plans of the execution give such a row" in " ".join(hop.witness.reasons) for hop in hops)
    for k, source in ((2, 2), (3, 7)):
        hop = recorded.hop("twice", f"k = {k}")
        assert hop.witness is not None
        assert ([row.values["id"] for row in hop.witness.sources[0].rows], hop.witness.completeness) == ([source], "exact")
    labels = {}
    opened = spark_lineage.open(recorded.root / "store")
    for version in (1, 2):
        for row in opened.row_lineage(str(recorded.root / "twice"), version=version):
            labels.setdefault(row.source_position, set()).add(row.completeness)
    assert labels == {1: {"partial"}, 2: {"exact"}, 7: {"exact"}}


@pytest.mark.soak
def test_an_empty_text_by_which_a_table_is_partitioned(recorded: Recorded) -> None:
    """Delta writes it as null: two rows of the table have none, one of them of the rows with an empty text."""
    table = recorded.spark.read.format("delta").load(str(recorded.root / "by_text"))
    assert sorted((row["g"] or "-", row["count"]) for row in table.collect()) == [("-", 4), ("-", 4), ("a", 4)]
    hop = recorded.hop("by_text", "g IS NULL")
    assert hop.witness is not None
    assert {row.values["g"] for row in hop.witness.sources[0].rows} == {None, ""}
    assert hop.witness.sources[0].count == 8
    plain = recorded.hop("by_text", "g = 'a'")
    assert plain.witness is not None
    assert (plain.witness.completeness, plain.witness.sources[0].count) == ("exact", 4)
    opened = spark_lineage.open(recorded.root / "store")
    assert len(opened.row_lineage(str(recorded.root / "by_text"))) == 12
    for source in ("g = ''", "g IS NULL"):
        hops = recorded.trace("source", source, forward=True)
        (forward,) = (one for one in hops if one.target.name == str(recorded.root / "by_text"))
        assert (forward.target.count, forward.completeness) == (2, "superset"), forward
