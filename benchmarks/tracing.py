"""What it takes to trace a row: the queries of TPC-H, each written to a Delta table, then one row of each table traced in a running session.

    python benchmarks/tracing.py [--scale 1] [--rounds 3] [--forward] [--out benchmarks/results/tracing.json]

A trace is what `Lineage.trace` does: the row is read from the table, its version is looked for, the plan is restored from the lineage tables, and
followed. Beside it the time of the plain query, collected and written, and what was read: the rows that the scans of a trace gave, as a share of those that the
query's scans gave, and of the rows of its tables. Each round runs every query and traces every table once; a figure is the median of the rounds, the first left
out.
Then the same for queries with windows, which TPC-H has none of, and a forward trace of one row of some sources, through all of TPC-H's queries that read them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from checksum import COMPILED  # noqa: E402
from overhead import session  # noqa: E402

ORDERS = "SELECT *, row_number() OVER (PARTITION BY o_custkey ORDER BY {}) AS r FROM orders"
WINDOWS = {
    "newest order, no two equal": f"SELECT * FROM ({ORDERS.format('o_orderdate DESC, o_orderkey')}) WHERE r = 1",
    "newest order of a day": f"SELECT * FROM ({ORDERS.format('o_orderdate DESC')}) WHERE r = 1",
    "largest order beside its rank": ORDERS.format("o_totalprice DESC").replace("row_number", "rank"),
}
"""Beside the queries, as none of them has a window; before what the first two number is traced it is asked whether the order holds rows equal."""
QUERIES = {path.stem: path.read_text() for path in sorted((ROOT / "benchmarks" / "tpch").glob("q*.sql"))}


def main() -> None:
    parser = argparse.ArgumentParser(description="What it takes to trace a row.")
    parser.add_argument("--scale", default="1", help="TPC-H scale factor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forward", action="store_true", help="only the forward traces")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-tracing-") as folder:
        spark = session("tracing", {"spark.sql.warehouse.dir": f"{folder}/warehouse", **COMPILED})
        spark.sparkContext.setLogLevel("ERROR")
        os.environ["SPARK_LINEAGE_EXECUTABLES_KEY"] = f"{folder}/key"
        sources(spark, Path(folder), arguments.scale)
        written = recorded(spark, Path(folder), QUERIES, "store")
        figures, windows = {}, {}
        if not arguments.forward:
            figures = measured(spark, Path(folder), written, arguments.rounds, QUERIES, "store")
            written = recorded(spark, Path(folder), WINDOWS, "windows")
            windows = measured(spark, Path(folder), written, arguments.rounds, WINDOWS, "windows")
        onward = forward(spark, Path(folder), arguments.rounds)
    if not figures:
        return
    seconds = sorted(one["trace_seconds"] for one in figures.values())
    ratio = statistics.median(one["trace_seconds"] / one["query_seconds"] for one in figures.values())
    summary = {
        "median_seconds": round(statistics.median(seconds), 2),
        "longest_seconds": seconds[-1],
        "median_of_query": round(ratio, 2),
        "median_share_of_what_the_query_read": round(
            statistics.median(one["rows_read"] / max(1, one["query_rows_read"]) for one in figures.values()), 3
        ),
    }
    print(json.dumps(summary))
    if arguments.out:
        known = {
            "scale": arguments.scale,
            "rounds": arguments.rounds,
            "cpus": len(os.sched_getaffinity(0)),
            **summary,
            "queries": figures,
            "windows": windows,
            "forward": onward,
        }
        arguments.out.write_text(json.dumps(known, indent=1) + "\n")


def sources(spark: Any, folder: Path, scale: str) -> None:
    """TPC-H's tables as Delta tables of the catalog."""
    data = folder / "tpch"
    command = [
        Path(sys.executable).parent / "tpchgen-cli",
        "parquet",
        "--scale-factor",
        scale,
        "--output-dir",
        data,
        "--no-progress",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for path in sorted(data.glob("*.parquet")):
        frame = spark.read.parquet(str(path))
        (frame.repartition(8) if path.stem in ("lineitem", "orders") else frame).write.format("delta").saveAsTable(path.stem)


def recorded(spark: Any, folder: Path, queries: dict[str, str], store: str) -> dict[str, float]:
    """How long each query takes with its write, while it is recorded."""
    import spark_lineage
    from spark_lineage.ingest import ingest

    attachment = spark_lineage.attach(spark, inbox=f"{folder}/inbox_{store}", ingest="none", strict=True)
    written = {}
    for name, text in queries.items():
        query = spark.sql(text)
        frame = query.toDF(*(f"c{number}" for number in range(len(query.columns))))
        started = time.monotonic()
        frame.write.format("delta").save(f"{folder}/{name}")
        written[name] = time.monotonic() - started
    assert attachment.flush(120)
    spark_lineage.detach(spark)
    ingest(f"{folder}/inbox_{store}", f"{folder}/{store}", executables_key=f"{folder}/key")
    return written


def measured(
    spark: Any, folder: Path, written: dict[str, float], rounds: int, queries: dict[str, str], store: str
) -> dict[str, dict[str, Any]]:
    import spark_lineage

    lineage = spark_lineage.open(f"{folder}/{store}")
    conditions = {name: condition(spark, f"{folder}/{name}") for name in queries}
    taken: dict[str, list[float]] = {name: [] for name in queries}
    plain: dict[str, list[float]] = {name: [] for name in queries}
    sizes = {path.stem: spark.table(path.stem).count() for path in (folder / "tpch").glob("*.parquet")}
    figures: dict[str, dict[str, Any]] = {}
    for _ in range(rounds + 1):
        for name, where in conditions.items():
            if where is None:
                continue
            started = time.monotonic()
            query = spark.sql(queries[name])
            query.collect()
            plain[name].append(time.monotonic() - started)
            started = time.monotonic()
            (hop,) = lineage.trace(f"{folder}/{name}", where=where, spark=spark)
            taken[name].append(time.monotonic() - started)
            witness = hop.witness
            figures[name] = {
                "query_seconds": round(statistics.median(plain[name][1:] or plain[name]), 2),
                "written_seconds": round(written[name], 2),
                "trace_seconds": round(statistics.median(taken[name][1:] or taken[name]), 2),
                "queries": witness.queries if witness else None,
                "rows": sum(source.count for source in witness.sources) if witness else None,
                "rows_read": witness.rows_read if witness else 0,
                "query_rows_read": rows_read(spark, query),
                "rows_of_tables": sum(sizes[table] for table in sizes if re.search(rf"\b{table}\b", queries[name])),
                "completeness": witness.completeness if witness else hop.ended,
            }
    for name, one in figures.items():
        print(name, json.dumps(one), flush=True)
    return figures


ONE_ROW = {"customer": "c_custkey = 4711", "supplier": "s_suppkey = 47", "orders": "o_orderkey = 4711"}


def forward(spark: Any, folder: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Of one row of a source: how many queries read it, how long it takes to see what these made of it, and how many rows that are."""
    import spark_lineage

    lineage = spark_lineage.open(f"{folder}/store")
    figures = {}
    for name, where in ONE_ROW.items():
        taken = []
        hops: tuple[Any, ...] = ()
        for _ in range(rounds + 1):
            started = time.monotonic()
            hops = lineage.trace(name, where=where, forward=True, spark=spark)
            taken.append(time.monotonic() - started)
        seconds = statistics.median(taken[1:])
        figures[name] = {
            "executions": len(hops),
            "seconds": round(seconds, 2),
            "seconds_of_an_execution": round(seconds / len(hops), 2),
            "rows": sum(hop.target.count for hop in hops if hop.target),
            "not_followed": [hop.ended for hop in hops if hop.ended],
        }
        print(name, json.dumps(figures[name]), flush=True)
    return figures


def rows_read(spark: Any, frame: Any) -> int:
    """That the scans of a frame gave which was collected: by the tracer's own count."""
    from spark_lineage.rows.bridge_sources import TRACER

    gateway = spark.sparkContext._gateway
    plans = gateway.jvm.java.util.ArrayList()
    plans.add(frame._jdf.queryExecution().executedPlan())
    return int(TRACER.new(gateway, "Reads").rows(plans))


def condition(spark: Any, place: str) -> str | None:
    """One that fits the first row alone; None where there is none, or where it is one of nulls."""
    frame = spark.read.format("delta").load(place)
    row = frame.first()
    if row is None or all(value is None for value in row):
        return None
    parts = []
    for field, value in zip(frame.schema, row, strict=True):
        text = "NULL" if value is None else "'" + str(value).replace("'", "\\'") + "'"
        parts.append(f"{field.name} <=> CAST({text} AS {field.dataType.simpleString()})")
    return " AND ".join(parts)


if __name__ == "__main__":
    main()
