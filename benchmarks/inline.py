"""What it costs to sum the rows of a write in the same pass (`snapshots.inline`), or to give them a column with their keys (`rows.column`, for one row
in a hundred): with against without, pairs that alternate.

    python benchmarks/inline.py [--what sums] [--scale 1] [--pairs 5] [--out benchmarks/results/inline.json]
    python benchmarks/inline.py --what keys [--out benchmarks/results/keys.json]

One session, lineage attached on both sides, three writes of Delta tables: `etl`, a join of lineitem and orders with an aggregate by order;
`copy`, lineitem as it is; `wide`, a copy of 200 columns; with keys the 22 queries of TPC-H, too. Wall time and CPU of the driver's process;
ratios of each pair and their median; over the 22 queries the median of these, and the most.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from checksum import COMPILED, wide  # noqa: E402
from overhead import session  # noqa: E402
from tracing import QUERIES, sources  # noqa: E402

ETL = """
    SELECT o_orderkey, o_custkey, o_orderdate, count(*) AS items, sum(l_extendedprice * (1 - l_discount)) AS revenue, max(l_shipdate) AS shipped
    FROM lineitem JOIN orders ON l_orderkey = o_orderkey GROUP BY o_orderkey, o_custkey, o_orderdate
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="What it costs to do something with the rows of a write in the same pass.")
    parser.add_argument("--what", choices=("sums", "keys"), default="sums")
    parser.add_argument("--scale", default="1", help="TPC-H scale factor")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    from spark_lineage import attach

    with tempfile.TemporaryDirectory(prefix="lineage-inline-") as folder:
        spark = session("inline", {"spark.sql.warehouse.dir": f"{folder}/warehouse", **COMPILED})
        sources(spark, Path(folder), arguments.scale)
        frames = written(spark, Path(folder), arguments.scale, arguments.what == "keys")
        methods = spark._jsparkSession.experimental()
        none = methods.extraOptimizations()
        options = {"rows_column": "_lineage", "rows_sample": 0.01} if arguments.what == "keys" else {}
        attachment = attach(spark, inbox=f"{folder}/inbox", ingest="none", executables="off", strict=True, **options)

        def side(frame: Any, on: bool) -> Callable[[], None]:
            def write() -> None:
                frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(f"{folder}/target")

            def prepared() -> None:
                getattr(methods, "extraOptimizations_$eq")(none)
                if on and arguments.what == "sums":
                    attachment.bridge.sumRows(methods)
                elif on:
                    attachment.bridge.tellKeys(methods)
                write()

            return prepared

        jvm = int(spark._jvm.ProcessHandle.current().pid())
        figures = {}
        for name, frame in frames.items():
            if arguments.what == "keys":
                side(frame, True)()
                if "_lineage" not in spark.read.format("delta").load(f"{folder}/target").columns:
                    raise SystemExit(f"{name} has no column with keys")
            figures[name] = compared(side(frame, False), side(frame, True), jvm, arguments.pairs)
            print(name, {what: figures[name][what]["ratio"] for what in ("wall", "cpu")}, flush=True)
    over = {
        what: {"median": statistics.median(ratios), "most": max(ratios)}
        for what in ("wall", "cpu")
        if (ratios := [one[what]["ratio"] for name, one in figures.items() if name in QUERIES])
    }
    print(json.dumps(figures, indent=1))
    if over:
        print(json.dumps(over))
    if arguments.out:
        known = {
            "what": arguments.what,
            "scale": arguments.scale,
            "pairs": arguments.pairs,
            "cpus": len(os.sched_getaffinity(0)),
            **({"queries": over} if over else {}),
            "writes": figures,
        }
        arguments.out.write_text(json.dumps(known, indent=1) + "\n")


def compared(off: Callable[[], None], on: Callable[[], None], jvm: int, pairs: int) -> dict[str, Any]:
    taken: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(pairs + 1):  # the first pair warms up
        for which in (False, True) if number % 2 else (True, False):
            started, cpu = time.monotonic(), cpu_of(jvm)
            (on if which else off)()
            taken[which].append((time.monotonic() - started, cpu_of(jvm) - cpu))
    result: dict[str, Any] = {}
    for at, what in enumerate(("wall", "cpu")):
        ratios = [one[at] / plain[at] for one, plain in zip(taken[True][1:], taken[False][1:], strict=True)]
        result[what] = {
            "off_seconds": round(statistics.median(one[at] for one in taken[False][1:]), 3),
            "ratio": round(statistics.median(ratios), 3),
            "ratios": [round(one, 3) for one in ratios],
        }
    return result


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written(spark: Any, folder: Path, scale: str, queries: bool) -> dict[str, Any]:
    wide(spark, scale).write.format("delta").save(str(folder / "wide"))
    asked = {name: spark.sql(text) for name, text in QUERIES.items()} if queries else {}
    return {
        "etl": spark.sql(ETL),
        "copy": spark.table("lineitem"),
        "wide": spark.read.format("delta").load(str(folder / "wide")),
        **{name: frame.toDF(*(f"c{at}" for at in range(len(frame.columns)))) for name, frame in asked.items()},
    }


if __name__ == "__main__":
    main()
