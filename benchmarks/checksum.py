"""What the checksum of a version costs: by Spark against reading alone, and without a JVM.

    python benchmarks/checksum.py [--scale 1] [--rounds 5] [--out benchmarks/results/checksum.json]

One session, over TPC-H's lineitem and over a table of 200 columns, both Delta. Each round has every side once, one after the other, and who
begins changes; a side's figure is the median of its ratios to `noop`, which reads every column and gives the rows to nobody:

- one hash: the first lane alone; two hashes: both lanes, as the checksum has it, in sums that overflow as Java's do;
- two hashes, sums of halves as decimals: what ANSI mode allows with public functions alone;
- text: SHA-256 of the row as JSON, the naive way.

Then without a JVM, each in a process of its own (CPU seconds, peak of its memory): the whole table, four times its rows, and the table in 100
files before and after one of them was rewritten.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from overhead import session  # noqa: E402

WIDE_COLUMNS, NOOP = 200, "noop"
ONE_ROW = {"lineitem": "l_orderkey = 1 AND l_linenumber = 1", "wide": "c0 = 0"}
COMPILED = {"spark.driver.extraJavaOptions": "-XX:ReservedCodeCacheSize=256m"}
"""Both compilers of the JVM, as jobs have them that take longer than a test."""


def main() -> None:
    parser = argparse.ArgumentParser(description="What the checksum of a version costs.")
    parser.add_argument("--scale", default="1", help="TPC-H scale factor")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-checksum-") as folder:
        spark = session("checksum", {"spark.sql.warehouse.dir": f"{folder}/warehouse", **COMPILED})
        figures = {}
        for name, place in tables(spark, Path(folder), arguments.scale).items():
            figures[name] = {
                "by Spark": by_spark(spark, place, arguments.rounds),
                "without a JVM": alone(spark, name, place, Path(folder) / f"{name}-store"),
            }
            print(name, json.dumps(figures[name], indent=1), flush=True)
    if arguments.out:
        known = {"scale": arguments.scale, "rounds": arguments.rounds, "cpus": len(os.sched_getaffinity(0)), "tables": figures}
        arguments.out.write_text(json.dumps(known, indent=1) + "\n")


def tables(spark: Any, folder: Path, scale: str) -> dict[str, str]:
    data = folder / "tpch"
    tpchgen = Path(sys.executable).parent / "tpchgen-cli"
    command = [tpchgen, "parquet", "--scale-factor", scale, "--tables", "lineitem", "--output-dir", data, "--no-progress"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    places = {"lineitem": str(folder / "lineitem"), "wide": str(folder / "wide")}
    spark.read.parquet(str(data / "lineitem.parquet")).repartition(8).write.format("delta").save(places["lineitem"])
    wide(spark, scale).write.format("delta").save(places["wide"])
    return places


def wide(spark: Any, scale: str) -> Any:
    """A frame of 200 columns of five kinds."""
    kinds = (
        "id * {n}",
        "'text ' || id % {n}",
        "id / {n}",
        "date_add(date'2020-01-01', CAST(id % {n} AS INT))",
        "nullif(id % {n}, 1)",
    )
    columns = [f"{kinds[n % len(kinds)].format(n=n + 2)} AS c{n}" for n in range(WIDE_COLUMNS)]
    return spark.range(int(200_000 * float(scale))).repartition(8).selectExpr(*columns)


def by_spark(spark: Any, place: str, rounds: int) -> dict[str, Any]:
    from pyspark.sql import functions as F  # noqa: N812

    from spark_lineage.snapshot.kinds import columns_of
    from spark_lineage.snapshot.spark import aggregates, row_hashes

    frame = spark.read.format("delta").load(place)
    hashes = row_hashes(columns_of(frame.schema.json()))
    low, high = F.lit(0xFFFFFFFF), 32
    halves = [
        F.sum(half.cast("decimal(20,0)"))
        for lane in ("h0", "h1")
        for half in (F.col(lane).bitwiseAND(low), F.shiftrightunsigned(lane, high))
    ]
    sides: dict[str, Callable[[], Any]] = {
        NOOP: lambda: frame.write.format("noop").mode("overwrite").save(),
        "one hash": lambda: frame.select(hashes[0]).agg(*aggregates()[:2]).collect(),
        "two hashes": lambda: frame.select(*hashes).agg(*aggregates()).collect(),
        "two hashes, sums of halves as decimals": lambda: frame.select(*hashes).agg(F.count(F.lit(1)), *halves).collect(),
        "text": lambda: frame.select(F.sha2(F.to_json(F.struct("*")), 256).alias("t")).agg(F.max("t")).collect(),
    }
    names = list(sides)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for at in range(len(names)):
            name = names[(number + at) % len(names)]
            started = time.monotonic()
            sides[name]()
            taken[name].append(time.monotonic() - started)
    result = {}
    for name in names:
        ratios = [one / plain for one, plain in zip(taken[name][1:], taken[NOOP][1:], strict=True)]  # the first round warms up
        result[name] = {
            "seconds": round(statistics.median(taken[name][1:]), 3),
            "ratio": round(statistics.median(ratios), 3),
            "ratios": [round(one, 3) for one in ratios],
        }
    return result


def alone(spark: Any, name: str, place: str, store: Path) -> dict[str, Any]:
    """In processes of their own: the whole table, again after one of its files was rewritten and after rows were added, and four of it."""
    frame = spark.read.format("delta").load(place)
    hundred, fourfold = f"{place} in 100 files", f"{place} four times"
    frame.repartition(100).write.format("delta").save(hundred)
    for _ in range(4):
        frame.write.format("delta").mode("append").save(fourfold)
    whole, more = taken(place, f"{store} 1"), taken(fourfold, f"{store} 4")
    first = taken(hundred, f"{store} 100")
    spark.sql(f"DELETE FROM delta.`{hundred}` WHERE {ONE_ROW[name]}")
    touched = taken(hundred, f"{store} 100")
    return {
        "whole": whole,
        "four of it": more,
        "in 100 files": first,
        "after one of 100 files was rewritten": touched | {"ratio": round(touched["cpu_seconds"] / first["cpu_seconds"], 3)},
    }


def taken(place: str, store: str) -> dict[str, Any]:
    """What taking a table's newest version costs a process; imports and the store's creation are not counted, what it looks up there is."""
    script = (
        "import json, resource, sys, time\n"
        "from spark_lineage.snapshot.taking import take\n"
        "from spark_lineage.store.tables import Store\n"
        "store = Store.open(sys.argv[2], create=True)\n"
        "before, started = time.process_time(), time.monotonic()\n"
        "one = take(store, sys.argv[1])\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps({'rows': one.row_count, 'files_read': one.files_read, 'seconds': round(time.monotonic() - started, 3), "
        "'cpu_seconds': round(time.process_time() - before, 3), 'peak_mb': round(peak / 1024)}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script, place, store], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    main()
