"""Rows of the queries of TPC-H, traced to rows of Parquet files: the query over these rows alone gives the row."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import tpc
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType, StructField, StructType

from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import follow

POSITION = StructType([StructField("position", LongType())])


@dataclass(frozen=True)
class Tables:
    """A session with the tables of TPC-H at a hundredth of its size, one file each."""

    session: Any
    frames: dict[str, Any]

    def bind(self, only: dict[str, set[int]] | None = None) -> None:
        """The tables with their identities; or, of each, only the rows at these positions (all of one that is not named)."""
        for number, (name, frame) in enumerate(self.frames.items()):
            if only is None:
                rows = identified(frame, number).select(*frame.columns)
            elif name in only:
                kept = local_frame(self.session, [(one,) for one in only[name]], POSITION)
                at = frame.select("*", F.col("_metadata.row_index").alias("position"))
                rows = at.join(F.broadcast(kept), "position", "left_semi").select(*frame.columns)
            else:
                rows = frame
            rows.createOrReplaceTempView(name)

    def examine(self, name: str, row: Any) -> str:
        """Empty where the rows that are found suffice."""
        self.bind()
        query = self.session.sql(tpc.TPCH[name])
        followed = follow(query, local_frame(self.session, [row], query.schema), limit=10**7, fixed=True)
        if not followed.reproduced:
            return f"{name}: {row} is not found again"
        self.bind(
            {
                table: {int(one.position or 0) for one in followed.rows.get(number, ((), 0))[0]}
                for number, table in enumerate(self.frames)
                if number not in followed.wholes
            }
        )
        again = self.session.sql(tpc.TPCH[name]).collect()
        return "" if any(_equal(row, one) for one in again) else f"{name}: {row} is not in {again[:3]}"


def _equal(row: Any, other: Any) -> bool:
    return all(
        math.isclose(one, two, rel_tol=1e-9) if isinstance(one, float) and isinstance(two, float) else one == two
        for one, two in zip(row, other, strict=True)
    )


@pytest.fixture(scope="module")
def tables(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("tpch")
    command = [
        Path(sys.executable).parent / "tpchgen-cli",
        "parquet",
        "--scale-factor",
        "0.01",
        "--output-dir",
        folder,
        "--no-progress",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    session = spark.newSession()
    yield Tables(session, {path.stem: session.read.parquet(str(path)) for path in sorted(folder.glob("*.parquet"))})
    for path in folder.glob("*.parquet"):
        session.catalog.dropTempView(path.stem)


@pytest.mark.parametrize("name", ["q02", "q04", "q13", "q18", "q21"])
def test_a_row(name: str, tables: Tables) -> None:
    tables.bind()
    row = Random(0).choice(tables.session.sql(tpc.TPCH[name]).collect())
    assert tables.examine(name, row) == ""


@pytest.mark.soak
@pytest.mark.parametrize("name", tpc.TPCH)
def test_every_row(name: str, tables: Tables) -> None:
    tables.bind()
    rows = tables.session.sql(tpc.TPCH[name]).collect()
    wrong = [told for row in rows if row != (None,) * len(row) and (told := tables.examine(name, row))]
    print(f"{name}: {len(rows)} rows traced")
    assert wrong == []
