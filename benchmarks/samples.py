"""What it takes to sample rows after the job: the queries of TPC-H and three with many rows, each written to a Delta table, then the sample of each.

    python benchmarks/samples.py [--scale 1] [--fraction 0.01] [--out benchmarks/results/samples.json]

The job does nothing for it. Beside the time of the query and its write: that of its sample, how many rows were chosen, and how many bytes a
source row takes in `row_lineage` after `maintain`. The first query is written and sampled twice, the first time for the JVM.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import pyarrow as pa  # noqa: E402
from checksum import COMPILED  # noqa: E402
from overhead import session  # noqa: E402
from tracing import QUERIES, sources  # noqa: E402

MANY = {
    "warm": QUERIES["q01"],
    "orders": "SELECT l_orderkey, o_orderdate, sum(l_extendedprice) AS price, count(*) AS lines FROM lineitem JOIN orders ON l_orderkey = o_orderkey GROUP BY ALL",
    "days": "SELECT l_shipdate, l_suppkey, sum(l_quantity) AS quantity FROM lineitem GROUP BY ALL",
    "copy": "SELECT l_orderkey, l_linenumber, l_partkey, l_quantity * 2 AS twice FROM lineitem WHERE l_quantity > 10",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What it takes to sample rows.")
    parser.add_argument("--scale", default="1", help="TPC-H scale factor")
    parser.add_argument("--fraction", type=float, default=0.01)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-samples-") as folder:
        spark = session("samples", {"spark.sql.warehouse.dir": f"{folder}/warehouse", **COMPILED})
        spark.sparkContext.setLogLevel("ERROR")
        os.environ["SPARK_LINEAGE_EXECUTABLES_KEY"] = f"{folder}/key"
        sources(spark, Path(folder), arguments.scale)
        figures, bytes_per_row = measured(spark, Path(folder), arguments.fraction)
    ratios = [one["sample_seconds"] / one["query_seconds"] for one in figures.values() if one["chosen"]]
    summary = {"median_of_query": round(statistics.median(ratios), 2), "bytes_a_source_row": round(bytes_per_row, 1)}
    print(json.dumps(summary))
    if arguments.out:
        known = {
            "scale": arguments.scale,
            "fraction": arguments.fraction,
            "cpus": len(os.sched_getaffinity(0)),
            **summary,
            "queries": figures,
        }
        arguments.out.write_text(json.dumps(known, indent=1) + "\n")


def measured(spark: Any, folder: Path, fraction: float) -> tuple[dict[str, dict[str, Any]], float]:
    import spark_lineage
    from spark_lineage.config import load
    from spark_lineage.ingest import ingest
    from spark_lineage.rows.due import due
    from spark_lineage.rows.sampling import Limits, take_samples
    from spark_lineage.store.maintain import maintain
    from spark_lineage.store.tables import Store

    attachment = spark_lineage.attach(spark, inbox=f"{folder}/inbox", ingest="none", strict=True)
    written = {}
    for name, text in {**MANY, **QUERIES}.items():
        query = spark.sql(text)
        frame = query.toDF(*(f"c{number}" for number in range(len(query.columns))))
        started = time.monotonic()
        frame.write.format("delta").save(f"{folder}/{name}")
        written[name] = time.monotonic() - started
    assert attachment.flush(120)
    spark_lineage.detach(spark)
    ingest(f"{folder}/inbox", f"{folder}/store", executables_key=f"{folder}/key")
    store = Store.open(f"{folder}/store")
    wanted = due(store, load(store=f"{folder}/store", rows_sample=fraction))
    wanted.sort(key=lambda one: list(written).index(Path(one.name).name))
    figures = {}
    for one in take_samples(spark, store, wanted, Limits(key=f"{folder}/key")):
        name = Path(one.name).name
        figures[name] = {
            "query_seconds": round(written[name], 2), "sample_seconds": one.seconds, "rows": one.rows_written, "chosen": one.rows_chosen,
            "share": round(one.fraction, 6), "source_rows": one.witness_rows, "truncated": one.rows_truncated, "reason": one.reason,
        }  # fmt: skip
        print(name, json.dumps(figures[name]), flush=True)
    maintain(f"{folder}/store")
    table = store.delta_table("row_lineage")
    size = sum(pa.table(table.get_add_actions(flatten=True)).column("size_bytes").to_pylist())
    rows = sum(one["source_rows"] or 0 for one in figures.values())
    figures.pop("warm")
    return figures, size / max(rows, 1)


if __name__ == "__main__":
    main()
