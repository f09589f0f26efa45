"""What `replay --check` and a replay in plan mode take.

    python benchmarks/replaying.py check [--executions 10000] [--tables 20] [--versions 100]
    python benchmarks/replaying.py plan [--scale 0.1] [--out benchmarks/results/replaying.json]
    python benchmarks/replaying.py world [--executions 50]

`check`: over so many executions, each of which read one version of one of the tables and wrote another table; nothing is opened but the logs.
`plan`: queries of TPC-H as CREATE TABLE AS, and each replayed: its time over that of the query with its write, and over that and the checksum of what it
wrote (taken by Spark in a store of its own). The first query runs twice, the first time for the JVM.
`world`: what the overlay is told before a job is run again, of a run of so many executions that each read and wrote a table of ten files: of a row each, and of a
million. No Spark.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]


def main() -> None:
    parser = argparse.ArgumentParser(description="What replays take.")
    parser.add_argument("what", choices=("check", "plan", "world"))
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--versions", type=int, default=100, help="of each table")
    parser.add_argument("--scale", default="0.1", help="TPC-H scale factor")
    parser.add_argument("--queries", default="", help="such as q01,q06; else all that are measured")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-replaying-") as folder:
        figures = {"check": checked, "plan": planned, "world": worlds}[arguments.what](Path(folder), arguments)
    figures |= {"cpus": len(os.sched_getaffinity(0)), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(figures))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def checked(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    from spark_lineage.model import Dataset, ExecutableLeaf, Execution, Input, Output, PlanExecutable
    from spark_lineage.replay.check import check
    from spark_lineage.store.tables import Store

    store = Store.open(folder / "store", create=True)
    now = datetime.now(UTC)
    ids = {}
    for number in range(arguments.tables):
        place = str(folder / f"t{number}")
        for _ in range(arguments.versions):
            write_deltalake(place, pa.table({"id": [1]}), mode="overwrite")
        ids[place] = str(DeltaTable(place).metadata().id)
    places = list(ids)
    store.upsert(
        "datasets",
        [
            Dataset(namespace="file", name=one, table_id=ids[one], location=one, first_seen_at=now, last_seen_at=now)
            for one in places
        ],
        None,
    )
    leaves = (ExecutableLeaf(number=0, kind="delta"),)
    executions, inputs, outputs, plans = [], [], [], []
    for number in range(arguments.executions):
        name, run = f"run-{number // 4}:{number}", f"run-{number // 4}"
        read, written = places[number % len(places)], places[(number + 1) % len(places)]
        version = number // len(places) % arguments.versions
        dated = {"execution_id": name, "run_id": run, "job_name": "job", "event_date": now.date()}
        executions.append(
            Execution(**dated, sequence=number, sql_id=1, operation="append", status="succeeded", started_at=now, ended_at=now)
        )
        inputs.append(Input(**dated, event_time=now, namespace="file", name=read, table_id=ids[read], delta_version=version))
        outputs.append(
            Output(
                **dated,
                event_time=now,
                namespace="file",
                name=written,
                table_id=ids[written],
                delta_version=version,
                write_mode="append",
                rows_written=1,
            )
        )
        plans.append(
            PlanExecutable(
                execution_id=name, run_id=run, executable_id="e", spark_version="4", leaves=leaves, event_date=now.date()
            )
        )
    for table, rows in (("inputs", inputs), ("outputs", outputs), ("plan_executables", plans), ("executions", executions)):
        store.append(table, rows, None)
    begin, cpu = time.perf_counter(), time.process_time()
    found = check(Store.open(folder / "store"), "all")
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {
        "executions": len(found.executions), "runs": len(found.runs), "versions": found.versions, "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2), "replayable": sum(bool(one.replayable) for one in found.executions),
    }  # fmt: skip


def worlds(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    executions = min(arguments.executions, 50)
    sizes = (1, 1_000_000)
    recorded = {rows: _recorded(folder / str(rows), rows, executions) for rows in sizes}
    taken: dict[int, list[float]] = {rows: [] for rows in sizes}
    for _ in range(5):  # in turns
        for rows, store in recorded.items():
            started = time.monotonic()
            _world(store, folder)
            taken[rows].append(time.monotonic() - started)
    seconds = {rows: statistics.median(values) for rows, values in taken.items()}
    return {
        "executions": executions,
        "seconds_by_rows_of_a_file": {str(rows): round(value, 3) for rows, value in seconds.items()},
        "ratio": round(seconds[sizes[1]] / seconds[sizes[0]], 2),
    }


def no_session() -> Any:
    raise AssertionError("nothing has to be listed by Spark")


def _world(store: Any, folder: Path) -> None:
    from spark_lineage.replay.world import world_of

    found = world_of(store, ["run"], datetime.now(UTC), folder / "copies", {}, no_session)
    assert sum(line[0] in ("delta", "absent") for line in found.lines) == len(found.at) > 0


def _recorded(folder: Path, rows: int, executions: int) -> Any:
    """A store with one run: each execution reads a table and appends to another."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    from spark_lineage.model import Dataset, Execution, Input, Output
    from spark_lineage.store.tables import Store

    folder.mkdir()
    store, now = Store.open(folder / "store", create=True), datetime.now(UTC)
    tables: list[Any] = []
    for number in range(10):
        place = str(folder / f"t{number}")
        for _ in range(10):
            write_deltalake(place, pa.table({"id": pa.array(range(rows), pa.int64())}), mode="append")
        tables.append((place, str(DeltaTable(place).metadata().id)))
        made = {"namespace": "file", "name": place, "table_id": tables[-1][1], "location": place}
        store.upsert("datasets", [Dataset(**made, first_seen_at=now, last_seen_at=now)], None)
    inputs, outputs, runs = [], [], []
    for number in range(executions):
        named = {"execution_id": f"run:{number}", "run_id": "run", "job_name": "job", "event_date": now.date()}
        (read, read_id), (written, written_id) = tables[number % 10], tables[(number + 1) % 10]
        runs.append(
            Execution(
                **named, sequence=number, sql_id=number, operation="append", status="succeeded", started_at=now, ended_at=now
            )
        )
        inputs.append(Input(**named, event_time=now, namespace="file", name=read, table_id=read_id, delta_version=9))
        outputs.append(
            Output(
                **named,
                event_time=now,
                namespace="file",
                name=written,
                table_id=written_id,
                delta_version=10 + number // 10,
                write_mode="append",
            )
        )
    for table, values in (("executions", runs), ("inputs", inputs), ("outputs", outputs)):
        store.append(table, values, None)
    return store


def planned(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    from checksum import COMPILED
    from overhead import session
    from tracing import QUERIES, sources

    from spark_lineage.capture.attach import attach, detach
    from spark_lineage.ingest import ingest
    from spark_lineage.replay.replaying import Options, replay
    from spark_lineage.snapshot.with_spark import take_with_spark
    from spark_lineage.store.tables import Store

    os.environ["SPARK_LINEAGE_EXECUTABLES_KEY"] = f"{folder}/key"
    spark = session("replaying", {"spark.sql.warehouse.dir": f"{folder}/warehouse", **COMPILED})
    spark.sparkContext.setLogLevel("ERROR")
    sources(spark, folder, arguments.scale)
    names = arguments.queries.split(",") if arguments.queries else sorted(QUERIES)
    attach(spark, inbox=f"{folder}/inbox", ingest="none", strict=True, job_name="replaying")
    written: dict[str, float] = {}
    for name in ("warm", *names):
        begin = time.perf_counter()
        spark.sql(f"CREATE TABLE delta.`{folder}/of_{name}` USING delta AS {QUERIES[names[0] if name == 'warm' else name]}")
        written[name] = time.perf_counter() - begin
    detach(spark)
    ingest(f"{folder}/inbox", f"{folder}/store")
    store, apart = Store.open(f"{folder}/store"), Store.open(f"{folder}/apart", create=True)
    executions = {
        row["name"].rsplit("/of_", 1)[1]: row["execution_id"]
        for row in store.arrow("outputs", ["name", "execution_id"]).to_pylist()
        if "/of_" in row["name"]
    }
    figures = {}
    for name in ("warm", *names):
        begin = time.perf_counter()
        take_with_spark(spark, apart, f"{folder}/of_{name}")
        checksum = time.perf_counter() - begin
        begin = time.perf_counter()
        (one,) = replay(store, executions[name], Options(), spark)
        seconds = time.perf_counter() - begin
        figures[name] = {
            "written": round(written[name], 2), "checksum": round(checksum, 2), "replay": round(seconds, 2), "verdict": one.verdict,
            "ratio": round(seconds / (written[name] + checksum), 2),
        }  # fmt: skip
    ratios = [one["ratio"] for name, one in figures.items() if name != "warm"]
    return {"scale": arguments.scale, "median": round(statistics.median(ratios), 2), "most": max(ratios), "queries": figures}


if __name__ == "__main__":
    main()
