"""The 22 queries of TPC-H, each as CREATE TABLE AS SELECT: with lineage, without, and with OpenLineage's agent, in turn.

    python benchmarks/tpch_ctas.py [--rounds 7] [--scale 0.1] [--apart] [--openlineage] [--out benchmarks/results/tpch_ctas.json]

One session. Each query is run by every side, one right after the other, before the next query comes; who begins changes with each
query. So what slows the machine for some seconds slows all sides, and a round (22 queries) gives one ratio a side: its time over
that of the plain side of the same round. A side is put on before its query and taken off after it, and neither is timed: what an
attach costs is `overhead.py`'s matter.

Wall time, and CPU of the driver's JVM with all its threads; the bridge's own threads are told apart too. One ingester at low priority takes what comes during the whole benchmark; its CPU is printed apart.
"plain once more" is the plain side a second time: how far its ratio is from 1 is what this machine cannot tell.

`--apart` adds a side without executables. `--openlineage` measures the listener of OpenLineage's agent too, writing its events to a
file. Spark resolves its jar from Maven Central when it is asked for; nothing here depends on it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from overhead import Comparison, Sample, bridge_notes, cpu_seconds, session  # noqa: E402

QUERIES = sorted((ROOT / "benchmarks" / "tpch").glob("q*.sql"))
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
OPENLINEAGE = "1.53.0"
BRIDGE_THREADS = ("spark-lineage", "spark-listener-group-sparkLineage"[:15])
PLAIN = "plain"


def main() -> None:
    parser = argparse.ArgumentParser(description="What lineage costs the 22 queries of TPC-H.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", default="0.1", help="TPC-H scale factor")
    parser.add_argument("--apart", action="store_true", help="measure it without executables too")
    parser.add_argument("--openlineage", action="store_true", help="measure OpenLineage's agent too")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-tpch-") as folder:
        comparisons = Benchmark(Path(folder), arguments.scale, arguments.openlineage, arguments.apart).run(arguments.rounds)
    if arguments.out:
        figures = [
            {"name": one.name, "scale": arguments.scale, **summary(one), "notes": one.notes, "pairs": as_pairs(one)}
            for one in comparisons
        ]
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


class Benchmark:
    """One Spark session over TPC-H data made for it; each side is a context in which a query runs."""

    def __init__(self, folder: Path, scale: str, openlineage: bool, apart: bool) -> None:
        self.folder = folder
        self.figures: list[list[int]] = []
        self.own_threads: list[float] = []
        self.finish: Callable[[], Any] = nothing
        data = folder / "tpch"
        tpchgen = Path(sys.executable).parent / "tpchgen-cli"
        command = [tpchgen, "parquet", "--scale-factor", scale, "--output-dir", data, "--no-progress"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.spark = self.start_spark(openlineage)
        self.clock = JvmClock(self.spark)
        for table in TABLES:
            self.spark.read.parquet(str(data / f"{table}.parquet")).write.format("delta").saveAsTable(table)
        self.made_by = {PLAIN: contextlib.nullcontext, "spark-lineage": self.lineage, "plain once more": contextlib.nullcontext}
        if apart:
            self.made_by["spark-lineage without executables"] = partial(self.lineage, executables="off")
        if openlineage:
            self.made_by[f"OpenLineage {OPENLINEAGE}"] = self.openlineage

    def start_spark(self, openlineage: bool) -> Any:
        # Each round runs the same hundred or so generated classes: kept, they are compiled once, and no side waits for a compiler.
        confs = {"spark.sql.warehouse.dir": str(self.folder / "warehouse"), "spark.sql.codegen.cache.maxEntries": "1000"}
        if openlineage:
            confs["spark.jars.packages"] = f"io.openlineage:openlineage-spark_2.13:{OPENLINEAGE}"
        # what OpenLineage's listener reads when it is made; without the listener nobody reads it
        confs["spark.openlineage.transport.type"] = "file"
        confs["spark.openlineage.transport.location"] = str(self.folder / "events.jsonl")
        return session("tpch", confs)

    def run(self, rounds: int) -> list[Comparison]:
        names = list(self.made_by)
        comparisons = {name: Comparison(f"22 CTAS of TPC-H with {name}") for name in names if name != PLAIN}
        ingester = self.ingester()
        self.round(names, 0)  # warm up: nobody's first queries are measured
        self.figures.clear()
        self.own_threads.clear()
        for number in range(rounds):
            taken = self.round(names, number)
            for name, comparison in comparisons.items():
                comparison.pairs.append((taken[PLAIN], taken[name]))
            print(f"round {number + 1}: " + ", ".join(f"{name} {taken[name].wall:.2f} s" for name in names), flush=True)
        lineage = comparisons["spark-lineage"]
        lineage.notes = {
            **bridge_notes(self.figures),
            "CPU of the bridge's own threads": f"{sum(self.own_threads) / rounds:.3f} s a round, "
            f"{sum(self.own_threads) / sum(plain.cpu for plain, _ in lineage.pairs):.4f} of the plain side's",
            "ingester's CPU, at low priority": f"{cpu_seconds(ingester.pid) / (rounds + 1) / self.recorded(names):.2f} s a round",
        }
        for comparison in comparisons.values():
            print("\n".join(comparison.lines()), flush=True)
        ingester.send_signal(signal.SIGTERM)
        ingester.wait(60)
        self.spark.stop()
        return list(comparisons.values())

    def recorded(self, names: list[str]) -> int:
        return sum(name.startswith("spark-lineage") for name in names)

    def round(self, names: list[str], number: int) -> dict[str, Sample]:
        """Each query by each side; a sample is the sum of a side's."""
        taken = {name: Sample(0.0, 0.0) for name in names}
        for at, path in enumerate(QUERIES):
            first = (number + at) % len(names)
            for name in names[first:] + names[:first]:
                with self.made_by[name](), self.timed(taken[name]):
                    self.spark.sql(f"CREATE TABLE made USING delta AS\n{path.read_text()}")
                    self.drained()
                self.spark.sql("DROP TABLE made")
            self.spark.sparkContext._jvm.System.gc()  # no query pays for the garbage of the one before
        return taken

    @contextlib.contextmanager
    def timed(self, sample: Sample) -> Iterator[None]:
        begin_cpu, begin = self.clock.all(), time.perf_counter()
        yield
        sample.wall += self.over - begin
        sample.cpu += self.clock.all() - begin_cpu

    def drained(self) -> None:
        """The query is over; what a side still has to do counts as CPU, not as time."""
        self.over = time.perf_counter()
        self.spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
        self.finish()

    def ingester(self) -> subprocess.Popen[bytes]:
        """One for all: it takes what the bridges leave in the inbox."""
        (self.folder / "store" / "inbox").mkdir(parents=True)
        command = [sys.executable, "-m", "spark_lineage.cli", "--store", str(self.folder / "store"), "ingest"]
        return subprocess.Popen(
            ["nice", "-n", "19", *command, str(self.folder / "store" / "inbox"), "--watch"],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    @contextlib.contextmanager
    def lineage(self, **options: str) -> Iterator[None]:
        import spark_lineage

        threads = self.clock.threads()
        attachment = spark_lineage.attach(self.spark, store=str(self.folder / "store"), ingest="none", strict=True, **options)
        self.finish = lambda: attachment.bridge.flush(60_000)
        yield
        self.finish = nothing
        if not options:
            self.own_threads.append(self.clock.bridge(threads))
            self.figures.append(list(attachment.bridge.figures()))
        spark_lineage.detach(self.spark)

    @contextlib.contextmanager
    def openlineage(self) -> Iterator[None]:
        context = self.spark.sparkContext
        listener = context._jvm.io.openlineage.spark.agent.OpenLineageSparkListener(context._jsc.sc().conf())
        context._jsc.sc().addSparkListener(listener)
        yield
        context._jsc.sc().removeSparkListener(listener)


def nothing() -> None:
    pass


class JvmClock:
    """Seconds on a processor of the driver's JVM: of all its threads, in steps of 10 ms, and of single ones (Linux)."""

    def __init__(self, spark: Any) -> None:
        self.driver = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
        self.tasks = Path(f"/proc/{self.driver}/task")

    def all(self) -> float:
        return cpu_seconds(self.driver)

    def threads(self) -> set[str]:
        return {path.name for path in self.tasks.iterdir()}

    def bridge(self, before: set[str]) -> float:
        """Of the bridge's threads: those of its names that were not there before. The kernel keeps 15 characters of a name."""
        total = 0.0
        for thread in self.threads() - before:
            with contextlib.suppress(OSError):
                if (self.tasks / thread / "comm").read_text().strip() in BRIDGE_THREADS:
                    total += int((self.tasks / thread / "schedstat").read_text().split()[0]) / 1e9
        return total


def summary(comparison: Comparison) -> dict[str, Any]:
    return {
        what: {"median": round(statistics.median(ratios), 4), "each": [round(ratio, 4) for ratio in sorted(ratios)]}
        for what, ratios in (("wall", comparison.ratios("wall")), ("cpu", comparison.ratios("cpu")))
    }


def as_pairs(comparison: Comparison) -> list[dict[str, float]]:
    return [{"plain_wall": off.wall, "plain_cpu": off.cpu, "wall": on.wall, "cpu": on.cpu} for off, on in comparison.pairs]


if __name__ == "__main__":
    main()
