"""Runs the queries of TPC-H and TPC-DS under capture, as a process of its own, and notes what each gave.

``python tpc.py SETTINGS.json WORK [NAME ...]``, as corpus.py; a name is `tpch q01` or `tpcds q14a`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import pyarrow.parquet as pq  # noqa: E402
import tpcds  # noqa: E402

TPCH = {path.stem: path.read_text() for path in sorted((ROOT / "benchmarks" / "tpch").glob("q*.sql"))}
QUERIES = {
    **{f"tpch {name}": text for name, text in TPCH.items()},
    **{f"tpcds {name}": text for name, text in tpcds.QUERIES.items()},
}
TINY = {
    # compiling a query takes many times longer than running it on these tables
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # which of equal rows a LIMIT takes is Spark's choice: with one partition it makes the same one each time
    "spark.sql.shuffle.partitions": "1",
}
CHANGED = {"tpch": ("lineitem", "part", "customer"), "tpcds": ("date_dim", "item")}
"""Tables that are emptied in the end, so that only their recorded versions give the rows."""


def plain(rows: list[Any]) -> list[list[Any]]:
    """Rows as JSON holds them: floats as they are, anything else as text."""
    return [[value if value is None or isinstance(value, float) else str(value) for value in row] for row in rows]


def prepare(spark: Any, work: str) -> None:
    """A database for each of the two, with its tables."""
    tpchgen = Path(sys.executable).parent / "tpchgen-cli"
    command = [tpchgen, "parquet", "--scale-factor", "0.01", "--output-dir", f"{work}/tpch", "--no-progress"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    spark.sql("CREATE DATABASE tpch")
    for path in sorted(Path(work, "tpch").glob("*.parquet")):
        spark.read.parquet(str(path)).coalesce(1).write.format("delta").saveAsTable(f"tpch.{path.stem}")
    spark.sql("CREATE DATABASE tpcds")
    for table, rows in tpcds.tables():
        pq.write_table(rows, f"{work}/{table.name}.parquet")
        columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
        spark.sql(f"CREATE TABLE tpcds.{table.name} ({columns}) USING delta")
        spark.sql(f"INSERT INTO tpcds.{table.name} SELECT /*+ COALESCE(1) */ * FROM parquet.`{work}/{table.name}.parquet`")


def session(settings: str, work: str) -> Any:
    """A session that has the tables."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("tpc")
    for key, value in {**json.loads(Path(settings).read_text()), **TINY}.items():
        builder = builder.config(key, value)
    spark = builder.config("spark.sql.warehouse.dir", f"{work}/warehouse").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    prepare(spark, work)
    return spark


def main(settings: str, work: str, *names: str) -> None:
    from spark_lineage.capture.attach import attach

    spark = session(settings, work)
    attachment = attach(spark, inbox=f"{work}/inbox", ingest="none", executables="all", strict=True, plan_max_seconds=60)
    assert attachment is not None
    expected: dict[str, list[list[Any]]] = {}
    for name in names or QUERIES:
        spark.catalog.setCurrentDatabase(name.split()[0])
        rows = spark.sql(QUERIES[name])
        spark.sparkContext.addJobTag(name)
        expected[name] = plain(rows.collect())
        spark.sparkContext.clearJobTags()
        assert attachment.flush(120)  # one at a time: under load, plans are left out
    for database, tables in CHANGED.items():
        for table in tables:
            spark.sql(f"DELETE FROM {database}.{table}")
    assert attachment.flush(120)
    Path(work, "expected.json").write_text(json.dumps(expected))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
