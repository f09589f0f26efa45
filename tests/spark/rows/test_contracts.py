"""Rows that Python functions over whole rows made: of those that their authors declared, or of all that went in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.errors import DeclarationError
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import Witness


def functions() -> dict[str, Any]:
    """Made here, so that workers, which do not have this module, are sent them whole."""

    @spark_lineage.lineage({"twice": ["amount"]}, rows=["id"])
    def doubled(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield pd.concat([batch[["id"]].assign(twice=batch["amount"] * 2)] * 2)

    @spark_lineage.lineage({}, rows=["Day"])
    def middle(group: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"day": group["day"].head(1), "middle": [group["amount"].median()]})

    @spark_lineage.lineage({}, rows=["nothing"])
    def wrong(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from batches

    def silent(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from batches

    return {"doubled": doubled, "middle": middle, "wrong": wrong, "silent": silent}


@pytest.fixture(scope="module")
def traced(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The witness of rows of a table that is written by a recorded job."""
    root: Path = tmp_path_factory.mktemp("functions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        orders = spark.range(0, 12, 1, 2).selectExpr("id", "id % 3 AS day", "id * 1.5D AS amount")
        orders.write.format("delta").save(str(root / "orders"))
        attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True)
        assert attachment is not None
        made = functions()
        read = spark.read.format("delta").load(str(root / "orders"))
        frames = {
            "doubled": read.mapInPandas(made["doubled"], "id BIGINT, twice DOUBLE"),
            "middle": read.groupBy("day").applyInPandas(made["middle"], "day BIGINT, middle DOUBLE"),
            "above": read.groupBy("day")
            .applyInPandas(made["middle"], "day BIGINT, middle DOUBLE")
            .groupBy()
            .max("middle")
            .toDF("most"),
            "wrong": read.mapInPandas(made["wrong"], read.schema),
            "silent": read.mapInPandas(made["silent"], read.schema),
        }
        for name, frame in frames.items():
            frame.write.format("delta").save(str(root / name))
        assert attachment.flush(60)
        detach(spark)
        ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))

        def trace(table: str, where: str) -> Witness:
            (hop,) = spark_lineage.open(root / "store").trace(str(root / table), where=where, spark=spark)
            assert hop.witness is not None, hop.ended
            return hop.witness

        yield trace


def ids(witness: Witness) -> list[int]:
    (source,) = witness.sources
    return sorted(row.values["id"] for row in source.rows)


def test_rows_that_a_function_passes_on_by_a_column(traced: Any) -> None:
    witness = traced("doubled", "id = 7 AND twice = 21")
    assert ids(witness) == [7]
    assert witness.completeness == "superset"
    assert "that its author declared" in " ".join(witness.reasons)


def test_rows_of_a_group_whatever_the_case_of_its_name(traced: Any) -> None:
    (source,) = traced("middle", "day = 1").sources
    assert source.count == 4
    assert {row.values["day"] for row in source.rows} == {1}
    (source,) = traced("above", "true").sources
    assert source.count == 12, "behind an aggregate all its groups"


@pytest.mark.parametrize("table", ["wrong", "silent"])
def test_all_rows_where_nothing_is_declared_or_what_does_not_fit(traced: Any, table: str) -> None:
    (source,) = traced(table, "id = 7").sources
    assert source.count == 12


def test_names_are_names() -> None:
    with pytest.raises(DeclarationError, match="'rows' is 'id'; name what it comes from in a list"):
        spark_lineage.lineage({}, rows="id")
