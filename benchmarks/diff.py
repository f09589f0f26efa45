"""What a diff costs in time and memory, by the number of rows: two Parquet folders of which a part of the rows differs.

    python benchmarks/diff.py [--rows 250000 1000000 2000000] [--differing 0.01] [--out benchmarks/results/diff.json]

Each measurement is a process of its own, with and without a key; memory is the greatest resident size of it, beside that of a
process which only reads the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

ROWS_A_FILE = 250_000
WAYS = ("read", "rows", "key", "brief")


def main() -> None:
    parser = argparse.ArgumentParser(description="What a diff costs.")
    parser.add_argument("--rows", type=int, nargs="+", default=[250_000, 1_000_000, 2_000_000])
    parser.add_argument("--differing", type=float, default=0.01, help="the part of the rows that differs")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "HERE", "THERE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(*arguments.one)))
        return
    figures: dict[str, Any] = {}
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="lineage-diff-") as folder:
            here, there = Path(folder) / "here", Path(folder) / "there"
            written(here, rows, 0.0)
            written(there, rows, arguments.differing)
            for way in WAYS:
                command = [sys.executable, __file__, "--one", way, str(here), str(there)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                figures.setdefault(way, {})[rows] = found
                print(f"{rows:>10,} rows {way:<6}", json.dumps(found), flush=True)
    if arguments.out:
        known = {"differing": arguments.differing, "cpus": len(os.sched_getaffinity(0)), "ways": figures}
        arguments.out.write_text(json.dumps(known, indent=1) + "\n")


def written(folder: Path, rows: int, differing: float) -> None:
    """Ten columns of numbers and texts; a row of `differing` of them has another amount."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    for number, start in enumerate(range(0, rows, ROWS_A_FILE)):
        ids = np.arange(start, min(start + ROWS_A_FILE, rows), dtype=np.int64)
        random = np.random.default_rng(number)
        amounts = random.random(len(ids))
        amounts[random.random(len(ids)) < differing] += 1.0
        columns: dict[str, Any] = {"id": ids, "amount": amounts}
        columns |= {f"n{n}": ids * (n + 2) % 1_000_003 for n in range(4)}
        columns |= {f"t{n}": [f"text {n} of {one % 1_009}" for one in ids.tolist()] for n in range(4)}
        pq.write_table(pa.table(columns), folder / f"part-{number:05}.parquet")


def measured(way: str, here: str, there: str) -> dict[str, Any]:
    from spark_lineage.snapshot.diff import Options, diff
    from spark_lineage.snapshot.files import FilesSide

    started, cpu = time.monotonic(), time.process_time()
    found: dict[str, Any] = {}
    if way == "read":
        for place in (here, there):
            side = FilesSide(place)
            found["rows"] = sum(batch.num_rows for batch in side.batches(side.columns, lambda _: None))
    else:
        answer = diff(None, here, there, Options(key=("id",) if way == "key" else (), brief=way == "brief"))
        found = {"equal": answer.equal, "only here": answer.only_here, "changed": answer.changed}
    return {
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "greatest_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **found,
    }


if __name__ == "__main__":
    main()
