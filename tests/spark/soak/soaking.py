"""Runs the soak's programs, kills them and the ingester at random moments, and compares what is in the tables with what happened."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("program.py")
QUICK = {
    "spark.driver.memory": "700m", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1", "spark.default.parallelism": "1",
    "spark.databricks.delta.snapshotPartitions": "1", "spark.sql.ui.retainedExecutions": "20", "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20", "spark.ui.retainedTasks": "50", "spark.sql.codegen.wholeStage": "false",
    "spark.databricks.delta.stats.collect": "false", "spark.sql.adaptive.enabled": "false", "spark.master": "local[1]",
    "spark.databricks.delta.checkpoint.partSize": "100000", "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.databricks.delta.deltaLog.cacheSize": "5", "spark.databricks.delta.delta.log.cacheSize": "5",
}  # fmt: skip


@dataclass
class Life:
    """One process of a slot, from its start to its end. Times are epoch milliseconds."""

    slot: int
    run_id: str
    first: int
    killed: str = ""
    killed_ms: float = 0.0


@dataclass
class Soak:
    """`executions` actions in `processes` slots. Slot 0 lives through, the others are killed now and then."""

    folder: Path
    executions: int
    processes: int
    seed: int
    settings: dict[str, str]
    life_seconds: tuple[float, float]
    ingester_seconds: tuple[float, float]
    lives: list[Life] = field(default_factory=list)
    ingester_kills: int = 0
    seen: set[tuple[str, str]] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inbox = self.folder / "inbox"
        self.store = self.folder / "store"
        self.over = threading.Event()

    def run(self) -> float:
        """All of it. Gives the seconds."""
        started = time.monotonic()
        self.inbox.mkdir(mode=0o700, parents=True)
        helpers = [threading.Thread(target=self._ingest_and_kill), threading.Thread(target=self._watch_inbox)]
        slots = [threading.Thread(target=self._guarded, args=(slot,)) for slot in range(self.processes)]
        for thread in (*helpers, *slots):
            thread.start()
        for thread in slots:
            thread.join()
        self.over.set()
        for thread in helpers:
            thread.join()
        done = subprocess.run([*self._cli(), "--final"], env=_environment(), capture_output=True, text=True, timeout=600)
        if done.returncode:
            self.failures.append(f"the last ingestion: {done.stderr[-2000:]}")
        return time.monotonic() - started

    def _guarded(self, slot: int) -> None:
        try:
            self._slot(slot)
        except Exception as error:
            self.failures.append(f"slot {slot}: {error!r}")

    def _slot(self, slot: int) -> None:
        chance = random.Random(f"{self.seed}-lives-{slot}")
        here = self.folder / str(slot)
        (here / "tables").mkdir(parents=True)
        last, first = self.executions // self.processes, 0
        while first < last:
            (here / "jvm").unlink(missing_ok=True)
            process = self._start(slot, first, last)
            life = self._met(slot, process)
            if slot == 0 or chance.random() < 0.1:
                self._wait(process)
            else:
                self._kill(life, process, chance)
            first = max((int(line.split(":")[2]) for line in _lines(here / "begun")), default=-1) + 1

    def _start(self, slot: int, first: int, last: int) -> subprocess.Popen[bytes]:
        settings = {
            **self.settings,
            **QUICK,
            "spark.local.dir": str(self.folder / "scratch"),
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
        }
        submit = (
            shlex.join([part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]) + " pyspark-shell"
        )
        arguments = [str(self.folder), str(slot), str(self.seed), str(first), str(last), str(self.inbox)]
        with (self.folder / str(slot) / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments], env={**_environment(), "PYSPARK_SUBMIT_ARGS": submit},
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip

    def _met(self, slot: int, process: subprocess.Popen[bytes]) -> Life:
        """Waits until the program is attached."""
        known = sum(life.slot == slot for life in self.lives)
        path = self.folder / str(slot) / "runs"
        _until(lambda: len(_lines(path)) > known or process.poll() is not None, 240)
        lines = _lines(path)
        if len(lines) <= known:
            raise AssertionError((self.folder / str(slot) / "log").read_text()[-3000:])
        run_id, first = lines[-1].split()
        life = Life(slot, run_id, int(first))
        self.lives.append(life)
        return life

    def _kill(self, life: Life, process: subprocess.Popen[bytes], chance: random.Random) -> None:
        seconds = chance.uniform(*self.life_seconds)
        who, number = chance.choice(["python", "jvm"]), chance.choice([signal.SIGTERM, signal.SIGKILL])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        jvm = int((self.folder / str(life.slot) / "jvm").read_text())
        if process.poll() is None:
            life.killed, life.killed_ms = f"{number.name} of {who}", time.time() * 1000
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid if who == "python" else jvm, number)
            if who == "jvm" and not _until(lambda: process.poll() is not None, 20):
                process.kill()  # Python waits for an answer that will not come
        self._wait(process)
        if not _until(lambda: not _alive(jvm), 60):
            raise AssertionError(f"the JVM {jvm} is still there after {life.killed}")

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(3600)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def _cli(self) -> list[str]:
        return [sys.executable, "-m", "spark_lineage.cli", "--store", str(self.store), "ingest", str(self.inbox)]

    def _ingest_and_kill(self) -> None:
        chance = random.Random(f"{self.seed}-ingester")
        while not self.over.is_set():
            with (self.folder / "ingester.log").open("ab") as log:
                process = subprocess.Popen([*self._cli(), "--watch"], env=_environment(), stdout=log, stderr=log)
            self.over.wait(chance.uniform(*self.ingester_seconds))
            self.ingester_kills += process.poll() is None
            process.send_signal(chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            process.wait(60)

    def _watch_inbox(self) -> None:
        """Notes the documents that it sees. An ingester may be faster; most are seen."""
        while not self.over.wait(0.05):
            for folder in self.inbox.glob("*-*-*-*-*/"):
                with contextlib.suppress(OSError):
                    self.seen.update((folder.name, path.name) for path in folder.iterdir() if path.name[0].isdigit())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _lines(path: Path) -> list[str]:
    """The whole lines of a file that somebody may be writing."""
    text = path.read_text() if path.exists() else ""
    return text.split("\n")[:-1]


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Findings:
    """What the tables hold against what happened. `wrong` is empty, or says what is not as it should be."""

    wrong: list[str]
    figures: dict[str, Any]


def compare(soak: Soak, grace_ms: float) -> Findings:
    """`grace_ms`: executions that ended within so long before a SIGKILL of the JVM may be missing, if the run says so."""
    from deltalake import DeltaTable

    from spark_lineage.store.tables import Store

    wrong = list(soak.failures)
    store = Store.open(str(soak.store))
    runs = {row["run_id"]: row for row in store.arrow("runs", ["run_id", "status", "documents_missing"]).to_pylist()}
    rows = store.arrow("executions", ["execution_id", "run_id", "sequence", "description", "status", "operation"]).to_pylist()
    outputs = store.arrow("outputs", ["execution_id", "name", "delta_version"]).to_pylist()
    mine = {row["execution_id"]: row["description"] for row in rows}

    twice = [key for key, count in Counter((row["run_id"], row["sequence"]) for row in rows).items() if count > 1]
    wrong += [f"in the tables twice: {key}" for key in twice]
    wrong += [f"output twice: {key}" for key, count in Counter((o["name"], o["delta_version"], o["execution_id"]) for o in outputs).items() if count > 1]  # fmt: skip
    by_said = Counter(row["description"] for row in rows if (row["description"] or "").startswith("soak:"))
    wrong += [f"recorded {count} times: {said}" for said, count in by_said.items() if count > 1]
    wrong += [f"not an action: {row}" for row in rows if not (row["description"] or "").startswith("soak:")]

    there = {(row["run_id"], f"{row['sequence']:08d}.execution.json.gz") for row in rows}
    wrong += [f"a document was in the inbox and is not in the tables: {key}" for key in sorted(soak.seen - there) if ".execution." in key[1]]  # fmt: skip
    left = [str(path) for path in soak.inbox.glob("*-*-*-*-*/[0-9]*.json.gz")] + [
        str(path) for path in soak.inbox.glob("quarantine/*/*")
    ]
    wrong += [f"left in the inbox: {path}" for path in left]

    missing, latest = _missing(soak, by_said, runs, grace_ms, wrong)
    failed = {row["description"] for row in rows if row["status"] == "failed"}
    commits = _commits(soak, DeltaTable, mine, outputs, by_said, failed, wrong)
    figures = {
        "executions": len(rows),
        "by_kind": dict(sorted(Counter(said.split(":")[3] for said in by_said).items())),
        "failed": sum(row["status"] == "failed" for row in rows),
        "lives": len(soak.lives),
        "kills": dict(sorted(Counter(life.killed for life in soak.lives if life.killed).items())),
        "ingester_kills": soak.ingester_kills,
        "documents_seen_in_the_inbox": len(soak.seen),
        "delta_commits": commits,
        "runs": dict(Counter(row["status"] for row in runs.values())),
        "ended_and_missing": missing,
        "missing_ended_at_most_ms_before_the_kill": round(latest, 1),
        "documents_missing": sum(row["documents_missing"] or 0 for row in runs.values()),
    }
    return Findings(wrong, figures)


def _missing(soak: Soak, recorded: Counter[str], runs: dict[str, Any], grace_ms: float, wrong: list[str]) -> tuple[int, float]:
    """What the plain listener saw end and the tables do not have."""
    missing, latest = 0, 0.0
    for slot in range(soak.processes):
        lives = [life for life in soak.lives if life.slot == slot]
        for line in _lines(soak.folder / str(slot) / "ended"):
            said, _, ended = line.split(" ")
            if recorded[said]:
                continue
            missing += 1
            life = next(life for life in reversed(lives) if life.first <= int(said.split(":")[2]))
            run = runs.get(life.run_id)
            before = life.killed_ms - float(ended)
            latest = max(latest, before)
            told = run is not None and (run["status"] == "lost" or (run["documents_missing"] or 0) > 0)
            if life.killed != "SIGKILL of jvm" or before > grace_ms or not told:
                wrong.append(f"missing: {said}, ended {before:.0f} ms before {life.killed or 'no kill'}, run {run}")
    return missing, latest


def _commits(
    soak: Soak,
    table_class: Any,
    mine: dict[str, str],
    outputs: list[Any],
    recorded: Counter[str],
    failed: set[str],
    wrong: list[str],
) -> int:
    """Each commit of each Delta table is one output with that version, of the execution that made it.

    One that `failed` may lack it: a process that is stopped between Delta's commit and what Delta does after it fails, and Delta
    tells nobody of the commit.
    """
    written: dict[tuple[str, int], list[str]] = {}
    for output in outputs:
        if output["delta_version"] is not None:
            written.setdefault((output["name"], output["delta_version"]), []).append(mine[output["execution_id"]])
    count = 0
    for folder in sorted(soak.folder.glob("*/tables/t*")):
        if not (folder / "_delta_log").is_dir():
            continue
        for commit in sorted((folder / "_delta_log").glob("*.json")):
            info = next(
                (json.loads(line)["commitInfo"] for line in commit.read_text().splitlines() if '"commitInfo"' in line), None
            )
            if info is None or "userMetadata" not in info:
                continue
            count += 1
            said, found = info["userMetadata"], written.pop((str(folder), int(commit.stem)), [])
            if found != ([said] if recorded[said] else []) and (found or said not in failed):
                wrong.append(f"version {int(commit.stem)} of {folder} was made by {said}, and the tables say {found}")
    wrong += [f"an output that no log has: {key} by {said}" for key, said in written.items()]
    return count


def heaps(soak: Soak) -> list[dict[str, Any]]:
    """Slot 0's heap after a collection, by number of actions."""
    return [json.loads(line) for line in _lines(soak.folder / "0" / "heap")]
