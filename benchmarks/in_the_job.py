"""What it would cost to sample rows in the same pass as the write: the queries of TPC-H, each written to a Delta table, with against without.

    python benchmarks/in_the_job.py [--scale 1] [--rounds 3] [--out benchmarks/results/in_the_job.json]

This is no part of the product (docs/cost.md says why). Below the topmost aggregate each row carries ids of the source rows that it comes from; those of one
in a hundred groups, by the hash of their key, go to a bounded reservoir, by a test in generated code, and to the driver with an accumulator (`InTheJob.java`).
`position`: an id is the position in the file alone, the least there can be. `number`: one integer, of 24 bits of a hash of the file's path and 40 of the position. `file`: both as they are. Sides of a query run one right after the other;
a ratio compares them within a round, by wall time and by the processor time of the JVM; the first round is left out.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from checksum import COMPILED  # noqa: E402
from overhead import cpu_seconds, session  # noqa: E402
from tracing import QUERIES, sources  # noqa: E402

from spark_lineage.capture import compiled  # noqa: E402
from spark_lineage.capture.java_sources import JavaSources  # noqa: E402
from spark_lineage.rows import bridge_sources  # noqa: E402
from spark_lineage.rows.identity import PREFIX, identified  # noqa: E402

IDS = {
    "position": f"{PREFIX}{{0}}.position",
    "number": f"shiftleft(xxhash64({PREFIX}{{0}}.file), 40) | {PREFIX}{{0}}.position",
    "file": f"{PREFIX}{{0}}",
}
"""By side, what a row is known by."""


@dataclass(frozen=True)
class WithSampling(JavaSources):
    """The classes of the room, and those that sample in the job."""

    def text(self) -> str:
        more = (ROOT / "benchmarks" / "InTheJob.java").read_text()
        base = super().text()
        imports = [line for line in more.splitlines() if line.startswith("import ") and line not in base]
        body = "\n".join(line for line in more.splitlines() if not line.startswith(("import ", "package ")))
        return base.replace("\nimport ", "\n" + "\n".join(imports) + "\nimport ", 1) + body


SAMPLING = WithSampling(**vars(bridge_sources.TRACER))


def main() -> None:
    parser = argparse.ArgumentParser(description="What it would cost to sample rows in the job.")
    parser.add_argument("--scale", default="1", help="TPC-H scale factor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", nargs="*", default=list(QUERIES), help="only these")
    parser.add_argument("--ids", nargs="*", default=list(IDS), choices=list(IDS), help="only these sides")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--compile", action="store_true", help="print where the classes are kept; for this program itself")
    arguments = parser.parse_args()
    if arguments.compile:
        print(jar_of(session("compiling", {})))
        return
    jar = subprocess.run([sys.executable, __file__, "--compile"], check=True, capture_output=True, text=True).stdout.split()[-1]
    with tempfile.TemporaryDirectory(prefix="lineage-in-the-job-") as folder:
        paths = {"spark.driver.extraClassPath": f"{sys.prefix}/jars/*:{jar}", "spark.sql.warehouse.dir": f"{folder}/warehouse"}
        spark = session("in the job", {**paths, **COMPILED})
        bridge_sources.TRACER = replace(SAMPLING)
        sources(spark, Path(folder), arguments.scale)
        queries = {name: QUERIES[name] for name in arguments.queries}
        figures = measured(spark, Path(folder), arguments.rounds, queries, ("plain", *arguments.ids))
    summary = {}
    for side in arguments.ids:
        for what in ("wall", "cpu"):
            ratios = sorted(one[side][what] for one in figures.values() if side in one)
            summary[f"{side}_{what}"] = {
                "median": round(statistics.median(ratios), 2),
                "most": ratios[-1],
                "queries": len(ratios),
            }
    print(json.dumps(summary))
    if arguments.out:
        known = {
            "scale": arguments.scale,
            "rounds": arguments.rounds,
            "cpus": len(os.sched_getaffinity(0)),
            **summary,
            "queries": figures,
        }
        arguments.out.write_text(json.dumps(known, indent=1) + "\n")


def jar_of(spark: Any) -> str:
    """Compiles the classes, and tells where they are kept: executors load them by the class path, as they would a product's jar."""
    gateway = spark.sparkContext._gateway
    SAMPLING.load(gateway)
    jvm = gateway.jvm
    versions = f"{jvm.org.apache.spark.package.SPARK_VERSION()} {jvm.java.lang.System.getProperty('java.version')}"
    return str(compiled.place(SAMPLING.text() + versions))


def measured(
    spark: Any, folder: Path, rounds: int, queries: dict[str, str], sides: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    driver = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    sessions = {"plain": spark, **{side: bound(spark, IDS[side]) for side in sides[1:]}}
    taken: dict[str, dict[str, list[tuple[float, float]]]] = {name: {side: [] for side in sides} for name in queries}
    figures: dict[str, dict[str, Any]] = {}
    remembered: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, text in queries.items():
            for side in sides if number % 2 else reversed(sides):
                began, began_cpu = time.perf_counter(), cpu_seconds(driver)
                frame, reservoir = planned(sessions[side], text, side)
                if frame is None:
                    continue
                frame.toDF(*(f"c{at}" for at in range(len(frame.columns)))).write.format("delta").mode("overwrite").save(
                    f"{folder}/{name}_{side}"
                )
                if number:
                    taken[name][side].append((time.perf_counter() - began, cpu_seconds(driver) - began_cpu))
                if reservoir is not None:
                    remembered[name] = reservoir.rows()
        print(f"round {number}", flush=True)
    for name, by_side in taken.items():
        plain = by_side["plain"]
        figures[name] = {
            "plain_seconds": round(statistics.median(wall for wall, _ in plain), 2),
            "remembered": remembered.get(name, 0),
        }
        for side in sides[1:]:
            ratios = [(one[0] / base[0], one[1] / max(base[1], 0.01)) for one, base in zip(by_side[side], plain, strict=False)]
            if ratios:
                figures[name][side] = {
                    what: round(statistics.median(one[at] for one in ratios), 2) for at, what in enumerate(("wall", "cpu"))
                }
        print(name, json.dumps(figures[name]), flush=True)
    return figures


def bound(spark: Any, identity: str) -> Any:
    """A session in which the tables' rows carry their ids."""
    made = spark.newSession()
    for number, table in enumerate(sorted(row.name for row in spark.catalog.listTables())):
        frame = identified(made.table(table), number)
        columns = [f"`{name}`" for name in frame.columns[:-1]]
        frame.selectExpr(*columns, f"{identity.format(number)} AS {PREFIX}{number}").createOrReplaceTempView(f"ids_{table}")
        made.table(f"ids_{table}").select(*(name.strip("`") for name in columns)).createOrReplaceTempView(table)
    return made


def planned(spark: Any, text: str, side: str) -> tuple[Any, Any]:
    """The query, or what remembers as it is run; None of one without groups."""
    query = spark.sql(text)
    if side == "plain":
        return query, None
    from pyspark.sql import DataFrame

    gateway = spark.sparkContext._gateway
    jvm = gateway.jvm.org.sparklineage.rows.InTheJob
    reservoir = jvm.reservoir(spark.sparkContext._jsc.sc())
    plan = jvm.of(query._jdf.queryExecution().analyzed(), -(2**63) + 2**64 // 100, reservoir)
    if plan is None:
        return None, None
    return DataFrame(gateway.jvm.org.apache.spark.sql.classic.Dataset.ofRows(spark._jsparkSession, plan), spark), reservoir


if __name__ == "__main__":
    main()
