"""The 22 queries of TPC-H, each as CREATE TABLE AS SELECT: with lineage, without, and with OpenLineage's agent, in turn.

    python benchmarks/tpch_ctas.py [--rounds 7] [--scale 0.1] [--openlineage] [--out benchmarks/results/tpch_ctas.json]

One session; a round runs each side once over the same data, and the order of the sides changes with each round. A ratio
compares a side with the plain one of its own round. Wall time, and CPU of the driver's JVM with all its threads. The
ingester child is a process of its own at low priority: its CPU is printed apart, and as far as it takes a core from Spark
it is in the wall time.

`--openlineage` measures the listener of OpenLineage's agent too, writing its events to a file. Spark resolves its jar from
Maven Central when it is asked for; nothing here depends on it.
"""

from __future__ import annotations

import argparse
import json
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

from overhead import Comparison, Sample, bridge_notes, cpu_seconds, ingester_cpu, session  # noqa: E402

QUERIES = sorted((ROOT / "benchmarks" / "tpch").glob("q*.sql"))
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
OPENLINEAGE = "1.53.0"


def main() -> None:
    parser = argparse.ArgumentParser(description="What lineage costs the 22 queries of TPC-H.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", default="0.1", help="TPC-H scale factor")
    parser.add_argument("--openlineage", action="store_true", help="measure OpenLineage's agent too")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-tpch-") as folder:
        comparisons = Benchmark(Path(folder), arguments.scale, arguments.openlineage).run(arguments.rounds)
    if arguments.out:
        figures = [
            {"name": one.name, "scale": arguments.scale, **summary(one), "notes": one.notes, "pairs": as_pairs(one)}
            for one in comparisons
        ]
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


class Benchmark:
    """One Spark session over TPC-H data made for it; each side is a method that runs the 22 queries."""

    def __init__(self, folder: Path, scale: str, openlineage: bool) -> None:
        self.folder = folder
        self.with_openlineage = openlineage
        self.attachments: list[Any] = []
        self.figures: list[list[int]] = []
        data = folder / "tpch"
        tpchgen = Path(sys.executable).parent / "tpchgen-cli"
        command = [tpchgen, "parquet", "--scale-factor", scale, "--output-dir", data, "--no-progress"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.spark = self.start_spark()
        self.driver = int(self.spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
        for table in TABLES:
            self.spark.read.parquet(str(data / f"{table}.parquet")).write.format("delta").saveAsTable(table)

    def start_spark(self) -> Any:
        confs = {"spark.sql.warehouse.dir": str(self.folder / "warehouse")}
        if self.with_openlineage:
            confs["spark.jars.packages"] = f"io.openlineage:openlineage-spark_2.13:{OPENLINEAGE}"
        # what OpenLineage's listener reads when it is made; without the listener nobody reads it
        confs["spark.openlineage.transport.type"] = "file"
        confs["spark.openlineage.transport.location"] = str(self.folder / "events.jsonl")
        return session("tpch", confs)

    def run(self, rounds: int) -> list[Comparison]:
        sides = {"plain": self.plain, "spark-lineage": self.lineage}
        if self.with_openlineage:
            sides[f"OpenLineage {OPENLINEAGE}"] = self.openlineage
        comparisons = {name: Comparison(f"22 CTAS of TPC-H with {name}") for name in sides if name != "plain"}
        for act in sides.values():  # warm up: nobody's first queries are measured
            act()
        self.figures.clear()
        names = list(sides)
        for number in range(rounds):
            turn = names[number % len(names) :] + names[: number % len(names)]
            taken = {name: sides[name]() for name in turn}
            for name, comparison in comparisons.items():
                comparison.pairs.append((taken["plain"], taken[name]))
            print(f"round {number + 1}: " + ", ".join(f"{name} {taken[name].wall:.1f} s" for name in names), flush=True)
        comparisons["spark-lineage"].notes = self.notes()
        for comparison in comparisons.values():
            print("\n".join(comparison.lines()), flush=True)
        self.spark.stop()
        return list(comparisons.values())

    def plain(self, finish: Callable[[], Any] = bool) -> Sample:
        """`finish` waits for what a side still has to do when the queries are over: its CPU counts, the wait does not."""
        self.spark.sql("CREATE DATABASE IF NOT EXISTS made")
        begin, begin_cpu = time.perf_counter(), cpu_seconds(self.driver)
        for path in QUERIES:
            self.spark.sql(f"CREATE TABLE made.{path.stem} USING delta AS\n{path.read_text()}")
        wall = time.perf_counter() - begin
        finish()
        sample = Sample(wall, cpu_seconds(self.driver) - begin_cpu)
        self.spark.sql("DROP DATABASE made CASCADE")
        self.spark.sparkContext._jvm.System.gc()  # no side pays for the garbage of the one before
        return sample

    def lineage(self) -> Sample:
        import spark_lineage

        attachment = spark_lineage.attach(self.spark, store=str(self.folder / "store"), strict=True)
        sample = self.plain(lambda: attachment.bridge.flush(60_000))
        self.figures.append(list(attachment.bridge.figures()))
        spark_lineage.detach(self.spark)
        assert attachment.process.wait(60)
        return sample

    def openlineage(self) -> Sample:
        context = self.spark.sparkContext
        listener = context._jvm.io.openlineage.spark.agent.OpenLineageSparkListener(context._jsc.sc().conf())
        context._jsc.sc().addSparkListener(listener)
        sample = self.plain(lambda: context._jsc.sc().listenerBus().waitUntilEmpty())
        context._jsc.sc().removeSparkListener(listener)
        return sample

    def notes(self) -> dict[str, Any]:
        return {
            **bridge_notes(self.figures),
            "ingester's CPU, at low priority": f"{ingester_cpu(self.folder / 'store'):.2f} s median",
        }


def summary(comparison: Comparison) -> dict[str, Any]:
    return {
        what: {"median": round(statistics.median(ratios), 4), "each": [round(ratio, 4) for ratio in sorted(ratios)]}
        for what, ratios in (("wall", comparison.ratios("wall")), ("cpu", comparison.ratios("cpu")))
    }


def as_pairs(comparison: Comparison) -> list[dict[str, float]]:
    return [{"plain_wall": off.wall, "plain_cpu": off.cpu, "wall": on.wall, "cpu": on.cpu} for off, on in comparison.pairs]


if __name__ == "__main__":
    main()
