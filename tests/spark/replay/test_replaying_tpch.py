"""The queries of TPC-H, written to Delta tables under several settings and replayed after their sources have changed: all come out again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tpc

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest

Settings = tuple[bool, int]
"""Whether plans are adapted while they run, and into how many partitions rows are shuffled."""
EVERY = [(adaptive, partitions) for adaptive in (True, False) for partitions in (1, 2, 8, 200)]
FLOATS = (
    "SELECT l_suppkey % 7 AS k, sum(CAST(l_extendedprice AS DOUBLE) * (1 - CAST(l_discount AS DOUBLE))) AS revenue, avg(CAST(l_quantity AS FLOAT)) AS mean, "
    "count(*) AS n FROM lineitem GROUP BY 1"
)
"""A sum that depends on the order in which rows come."""


@pytest.fixture(scope="module")
def sources(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A session in which the tables are views of Delta tables, and their folder."""
    folder = tmp_path_factory.mktemp("tpch")
    program = Path(sys.executable).parent / "tpchgen-cli"
    command = [program, "parquet", "--scale-factor", "0.01", "--output-dir", folder / "raw", "--no-progress"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    session = spark.newSession()
    for path in sorted((folder / "raw").glob("*.parquet")):
        session.read.parquet(str(path)).repartition(3).write.format("delta").save(f"{folder}/{path.stem}")
        session.read.format("delta").load(f"{folder}/{path.stem}").createOrReplaceTempView(path.stem)
    return session, folder


@pytest.fixture
def replayed(sources: tuple[Any, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Writes what queries give under each of the settings, changes the sources, and replays: verdicts by name and settings."""
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    monkeypatch.setenv("SPARK_LINEAGE_STORE", str(tmp_path / "store"))
    spark, folder = sources

    def run(queries: dict[str, str], settings: list[Settings]) -> dict[str, Any]:
        versions = {path.name: _newest(spark, path) for path in _tables(folder)}
        for name, version in versions.items():  # as they were first, whatever the test before has done
            spark.sql(f"RESTORE TABLE delta.`{folder}/{name}` TO VERSION AS OF 0") if version else None
        attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, job_name="tpch")
        assert attachment is not None
        for adaptive, partitions in settings:
            spark.conf.set("spark.sql.adaptive.enabled", str(adaptive).lower())
            spark.conf.set("spark.sql.shuffle.partitions", partitions)
            for name, query in queries.items():
                place = f"{tmp_path}/{name}-{adaptive}-{partitions}"
                frame = spark.sql(query)
                frame.toDF(*(f"c{number}" for number in range(len(frame.columns)))).createOrReplaceTempView("written")
                spark.sql(f"CREATE TABLE delta.`{place}` USING delta AS SELECT * FROM written")
                assert attachment.flush(60)
        detach(spark)
        ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(tmp_path / "key"))
        spark.sql(f"OPTIMIZE delta.`{folder}/lineitem`")
        spark.sql(f"UPDATE delta.`{folder}/orders` SET o_totalprice = 0")
        spark.sql("SELECT * FROM customer LIMIT 5").write.format("delta").mode("overwrite").save(f"{folder}/customer")
        for key in ("spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions"):
            spark.conf.unset(key)
        found = spark_lineage.open(str(tmp_path / "store")).replay("last", spark=spark)
        return {str(one.name).rsplit("/", 1)[1]: one for one in found}

    return run


def _tables(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if (path / "_delta_log").is_dir()]


def _newest(spark: Any, table: Path) -> int:
    return int(spark.sql(f"DESCRIBE HISTORY delta.`{table}` LIMIT 1").first()["version"])


def test_some_queries(replayed: Callable[..., dict[str, Any]]) -> None:
    """Their decimals are exact: whatever the order in which rows come, the rows are the same."""
    found = replayed({"q03": tpc.TPCH["q03"]} | {"floats": FLOATS}, [(True, 8), (False, 2)])
    assert len(found) == 4
    for name, one in found.items():
        assert one.verdict == "identical" or (name.startswith("floats") and one.verdict == "equivalent"), (name, one)
        assert one.verdict == "identical" or set(one.columns) <= {"c1", "c2"}


@pytest.mark.soak
@pytest.mark.parametrize("settings", EVERY, ids=lambda one: f"{'adaptive' if one[0] else 'fixed'}-{one[1]}")
def test_every_query(replayed: Callable[..., dict[str, Any]], settings: Settings) -> None:
    found = replayed(tpc.TPCH | {"floats": FLOATS}, [settings])
    assert len(found) == 23
    other = {name: (one.verdict, one.reason, one.columns) for name, one in found.items() if one.verdict != "identical"}
    print(f"{23 - len(other)} of 23 identical; {other}")
    assert all(verdict == "equivalent" and name.startswith("floats") for name, (verdict, _, _) in other.items()), other
