"""What lineage costs a job: with against without, in pairs that alternate, medians printed.

    python benchmarks/overhead.py appends [--pairs 7]     30 small Delta appends, both sides in one session
    python benchmarks/overhead.py marts [--pairs 5]       jobs/sales_marts.py by spark-submit, both sides in turn
    python benchmarks/overhead.py all --out benchmarks/results/overhead.json

Wall time, and CPU of the driver's process (JVM and its threads; for `marts` the command's whole CPU, Python included). The
ingester child is a process of its own at low priority; its CPU is printed apart. Both sides do the same writes on the same
data; which side goes first changes with each pair.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
APPENDS = 30


@dataclass
class Sample:
    """One side of a pair, in seconds."""

    wall: float
    cpu: float


@dataclass
class Comparison:
    """Pairs of (off, on) and what they come to."""

    name: str
    pairs: list[tuple[Sample, Sample]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def ratios(self, what: str) -> list[float]:
        return [getattr(on, what) / getattr(off, what) for off, on in self.pairs]

    def lines(self) -> list[str]:
        result = [f"{self.name}: {len(self.pairs)} pairs"]
        for what in ("wall", "cpu"):
            off = statistics.median(getattr(pair[0], what) for pair in self.pairs)
            on = statistics.median(getattr(pair[1], what) for pair in self.pairs)
            ratios = sorted(self.ratios(what))
            result.append(
                f"  {what:4}  off {off:8.3f} s   on {on:8.3f} s   ratio {statistics.median(ratios):.3f}"
                f"   (each pair: {', '.join(f'{ratio:.3f}' for ratio in ratios)})"
            )
        result += [f"  {key}: {value}" for key, value in self.notes.items()]
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description="What lineage costs a job.")
    parser.add_argument("what", choices=["appends", "marts", "all"])
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    done: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="lineage-overhead-") as folder:
        if arguments.what in ("appends", "all"):
            done.append(appends(Path(folder), arguments.pairs or 7))
            print("\n".join(done[-1].lines()), flush=True)
        if arguments.what in ("marts", "all"):
            done.append(marts(Path(folder), arguments.pairs or 5))
            print("\n".join(done[-1].lines()), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps([asdict(comparison) for comparison in done], indent=1) + "\n")


def settings() -> dict[str, str]:
    lines = (ROOT / "conf" / "spark-local.conf").read_text().splitlines()
    pairs = dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return {**pairs, "spark.driver.extraClassPath": f"{sys.prefix}/jars/*"}


def session(name: str, confs: dict[str, str]) -> Any:
    """A Spark session with the settings of conf/spark-local.conf, Delta's jars, and these."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(name)
    for key, value in {**settings(), **confs}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def bridge_notes(figures: list[list[int]]) -> dict[str, str]:
    """What the bridges of several attachments said of themselves (`Bridge.figures`)."""
    events, listener, documents, worker, size, delay, _, late = (sum(one[i] for one in figures) for i in range(8))
    return {
        "listener thread": f"{listener / events / 1000:.1f} microseconds an event, {events} events",
        "bridge's worker": f"{worker / documents / 1e6:.2f} ms a document, {documents} documents",
        "execution's end to its document on disk": f"{delay / documents:.1f} ms mean, {max(one[6] for one in figures)} ms at most, "
        f"{late} of {documents} later than 50 ms",
        "document size": f"{size / documents / 1024:.1f} KB compressed",
    }


def appends(folder: Path, pairs: int) -> Comparison:
    """30 appends of 100 rows to a fresh table, with the bridge and its ingester child, and without."""
    import spark_lineage

    spark = session("overhead", {})
    driver = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    counter = iter(range(10_000))

    def side() -> Sample:
        table = str(folder / f"t{next(counter)}")
        begin, begin_cpu = time.perf_counter(), cpu_seconds(driver)
        for i in range(APPENDS):
            spark.range(i, i + 100).write.format("delta").mode("append").save(table)
        return Sample(time.perf_counter() - begin, cpu_seconds(driver) - begin_cpu)

    comparison = Comparison("30 small Delta appends in one session")
    figures: list[Any] = []

    def watched() -> Sample:
        attachment = spark_lineage.attach(spark, store=str(folder / "store"), strict=True)
        sample = side()
        last = time.perf_counter()
        assert attachment.flush(60)
        figures.append((attachment.attach_seconds, list(attachment.bridge.figures()), time.perf_counter() - last))
        spark_lineage.detach(spark)
        assert attachment.process.wait(60)
        return sample

    for _ in range(2):
        side()
    watched()
    first_attach = figures[0][0]
    figures.clear()
    for i in range(pairs):
        order: list[Callable[[], Sample]] = [side, watched] if i % 2 == 0 else [watched, side]
        taken = [act() for act in order]
        comparison.pairs.append((taken[0], taken[1]) if i % 2 == 0 else (taken[1], taken[0]))
    comparison.notes = {
        "attach": f"{statistics.median(f[0] for f in figures):.3f} s; the first in this JVM {first_attach:.3f} s",
        **bridge_notes([f[1] for f in figures]),
        "last execution's end to rows in the tables": f"{statistics.median(f[2] for f in figures):.2f} s",
        "ingester's CPU for a run of 30 writes, at low priority": f"{ingester_cpu(folder / 'store'):.2f} s median",
        "bytes added to the store by a run of 30 writes": f"{tree_bytes(folder / 'store') // (pairs + 1):,}",
    }
    spark.stop()
    return comparison


def ingester_cpu(store: Path) -> float:
    """The median of what the ingesters say in their logs."""
    said = [re.findall(r"over: .*\(([\d.]+) s of CPU\)", log.read_text()) for log in (store / "inbox" / "logs").glob("*.log")]
    return statistics.median(float(seconds) for found in said for seconds in found)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def marts(folder: Path, pairs: int) -> Comparison:
    """The demo's sales_marts at scale 0.1, each side on a copy of its own of the same start."""
    data = folder / "tpch"
    tpchgen = Path(sys.executable).parent / "tpchgen-cli"
    make = [tpchgen, "parquet", "--scale-factor", "0.1", "--output-dir", data, "--no-progress"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    flags = [part for key, value in settings().items() for part in ("--conf", f"{key}={value}")]
    submit = [str(Path(sys.executable).parent / "spark-submit"), *flags]
    comparison = Comparison("jobs/sales_marts.py by spark-submit, TPC-H 0.1")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }

    def side(prefix: list[str]) -> Sample:
        out = folder / "marts"
        shutil.rmtree(out, ignore_errors=True)
        job = [str(ROOT / "jobs" / "sales_marts.py"), "--tpch", str(data), "--tables", str(out)]
        begin = time.perf_counter()
        process = subprocess.Popen(
            [*prefix, *submit, *job], env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"sales_marts ended with status {status}")
        return Sample(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime)

    watched = [sys.executable, "-m", "spark_lineage.cli", "--store", str(folder / "marts-store"), "run", "--"]
    side([])
    for i in range(pairs):
        first, second = ([], watched) if i % 2 == 0 else (watched, [])
        one, two = side(first), side(second)
        comparison.pairs.append((one, two) if i % 2 == 0 else (two, one))
    comparison.notes = {"bytes added to the store by a run": f"{tree_bytes(folder / 'marts-store') // pairs:,}"}
    return comparison


if __name__ == "__main__":
    main()
