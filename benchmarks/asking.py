"""How long a question takes from the shell, and what of that is imports.

    python benchmarks/asking.py [--repeats 7] [--large]

Medians of real processes, one after the other, the variants alternating; the store is made anew in a temporary folder. `--large`
asks a store of 10,000 executions and 100,000 column edges as well. The last table is what a question would import if it went by
another way: DuckDB or pyarrow's datasets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import synthetic

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"200 runs x 10 executions, 5,000 column edges": (200, 10, 5_000)}
LARGE = {"1,000 runs x 10 executions, 100,000 column edges": (1_000, 10, 100_000)}
QUESTIONS = (
    ("runs",),
    ("datasets",),
    ("columns", "table_00095"),
    ("upstream", "table_00095"),
    ("upstream", "table_00095.c3"),
    ("downstream", "table_00003"),
    ("downstream", "table_00003.c3"),
)
OURS = "import spark_lineage.cli, spark_lineage.render, spark_lineage.query.lineage, deltalake"
OTHER_WAYS = ("import deltalake", "import pyarrow", "import pyarrow.dataset", "import duckdb", "import rich.console, rich.tree")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {options.repeats}\n"
    )
    for title, size in (SIZES | (LARGE if options.large else {})).items():
        with tempfile.TemporaryDirectory() as folder:
            synthetic.make(folder, *size)
            print(title)
            ask(folder, options.repeats)
    print("import of                              wall s   CPU s")
    for name, (wall, cpu) in measure({way: ("-c", way) for way in OTHER_WAYS}, options.repeats).items():
        print(f"{name.removeprefix('import '):<36} {wall:8.2f} {cpu:7.2f}")


def ask(store: str, repeats: int) -> None:
    """Prints a line for each question: wall and CPU time of the whole process, and the part before the question is asked."""
    variants: dict[str, tuple[str, ...]] = {"(start Python)": ("-c", "pass"), "(and import)": ("-c", OURS)}
    for question in QUESTIONS:
        variants[" ".join(question)] = ("-m", "spark_lineage.cli", *question, "--store", store)
    measured = measure(variants, repeats)
    start, imports = measured["(start Python)"], measured["(and import)"]
    print(f"{'':<36}   wall s   CPU s   of the wall time: Python, imports, answer")
    for name, (wall, cpu) in measured.items():
        share = f"{start[0]:.2f} {imports[0] - start[0]:.2f} {wall - imports[0]:.2f}" if not name.startswith("(") else ""
        print(f"{name:<36} {wall:8.2f} {cpu:7.2f}   {share}")
    print()


def measure(variants: dict[str, tuple[str, ...]], repeats: int) -> dict[str, tuple[float, float]]:
    """Median wall and CPU seconds of each, all of them in turn and then again; the first round only warms the disk cache."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for _ in range(repeats + 1):
        for name, arguments in variants.items():
            times[name].append(one(arguments))
    return {
        name: (statistics.median(wall for wall, _ in found[1:]), statistics.median(cpu for _, cpu in found[1:]))
        for name, found in times.items()
    }


def one(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    before, started = os.times(), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


if __name__ == "__main__":
    main()
