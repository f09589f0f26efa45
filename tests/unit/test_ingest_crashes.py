"""Exactly once, whatever crashes: an ingester killed at each step of the protocol, several ingesters and drivers at once.

The processes are real and die of SIGKILL. They come from a fork server that has imported the package once, so that there
can be many of them.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import random
import re
import shutil
import signal
import time
import zlib
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from driver_documents import Driver, run_id
from lineage_tables import contents, rows_of, runs_of, sequences_of

import spark_lineage
from spark_lineage.inbox.batch import DEATHS_MAX, unfinished
from spark_lineage.inbox.folder import open_inbox
from spark_lineage.inbox.quarantine import quarantined
from spark_lineage.ingest import ingest

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["spark_lineage.ingest"])

STEPS = [
    "batch.seal",
    "batch.sealed",
    "document.read",
    "document.read:4",
    "quarantine.noted",
    "quarantine.moved",
    "batch.read",
    "store.schemas",
    "store.plans",
    "store.session_confs",
    "store.dataset_lineage",
    "store.column_lineage",
    "store.executable_blobs",
    "store.datasets",
    "store.runs",
    "store.inputs",
    "store.outputs",
    "store.plan_executables",
    "store.executions",
    "batch.mark",
    "batch.marked",
    "ledger.written",
    "ledger.written:2",
    "document.removed",
    "document.removed:3",
    "batch.swept",
    "batch.done",
]
"""In the order in which they are passed."""
EXECUTABLE = {
    "spark_version": "4.1.4",
    "format": 1,
    "blob": base64.b64encode(zlib.compress(b"a plan")).decode(),
    "leaves": [],
    "views": [],
    "commands": [None],
}
IN_A_ROW = [
    "batch.sealed",
    "store.column_lineage",
    "store.runs",
    "store.outputs",
    "batch.marked",
    "ledger.written",
    "document.removed",
    "batch.swept",
]


def ingest_with_fault(inbox: Path, store: Path, fault: str) -> None:
    os.environ["SPARK_LINEAGE_FAULT"] = fault
    ingest(str(inbox), str(store))


def killed_at(step: str, inbox: Path, store: Path) -> None:
    """Runs an ingester that dies at `step`."""
    process = processes.Process(target=ingest_with_fault, args=(inbox, store, f"kill:{step}"))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"{step} was never passed"


class Place:
    """An inbox and its tables, copied from the prepared ones."""

    def __init__(self, prepared: Path, target: Path) -> None:
        shutil.copytree(prepared, target)
        self.inbox = target / "inbox"
        self.store = target / "store"

    def outcome(self) -> dict[str, Any]:
        """Everything that an ingester leaves behind, but for numbers and times of its own."""
        folder = open_inbox(self.inbox)
        return {
            "tables": contents(self.store),
            "quarantine": [(found.run, found.name, found.reason) for found in quarantined(folder)],
            "inbox": sorted(str(path.relative_to(self.inbox)) for path in self.inbox.rglob("*") if not hidden(path)),
            "ledgers": {path.name: path.read_text() for path in (self.inbox / "ledger").iterdir() if not hidden(path)},
        }


def hidden(path: Path) -> bool:
    """A temporary file of a writer that was killed, or the note of a reader that may have been."""
    return path.name.startswith(".") or path.name == "reading.txt"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """One batch is in the tables; two runs go on, one of them ends and its process failed, one document is damaged."""
    place = tmp_path_factory.mktemp("prepared") / "place"
    inbox, store = place / "inbox", place / "store"
    shutil.copytree(empty_store, store)
    open_inbox(inbox, create=True)
    one, two = Driver(inbox, run_id(1)), Driver(inbox, run_id(2))
    for driver in (one, two):
        driver.start()
        driver.execution("/data/orders")
    ingest(str(inbox), str(store))
    for table in ("/data/sales", "/data/returns"):
        for driver in (one, two):
            driver.execution(table, executable=EXECUTABLE)
    one.write_bytes("execution", b"\x1f\x8b damaged")
    one.skip()
    one.end()
    one.exit(exit_code=1)
    return place


@pytest.fixture(scope="module")
def uninterrupted(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = Place(prepared, tmp_path_factory.mktemp("uninterrupted") / "place")
    ingest(str(place.inbox), str(place.store))
    outcome = place.outcome()
    assert len(outcome["tables"]["executions"]) == 6
    assert (len(outcome["tables"]["plan_executables"]), len(outcome["tables"]["executable_blobs"])) == (4, 1)
    assert len(outcome["quarantine"]) == 1
    return outcome


def _selected() -> list[Any]:
    """All steps; of those between two tables the normal suite has the first and the last (and each of them in a row, below)."""
    between = [step for step in STEPS if step.startswith("store.")][1:-1]
    return [pytest.param(step, marks=pytest.mark.soak) if step in between else step for step in STEPS]


@pytest.mark.parametrize("step", _selected())
def test_killed_once(step: str, prepared: Path, uninterrupted: dict[str, Any], tmp_path: Path) -> None:
    place = Place(prepared, tmp_path / "place")
    killed_at(step, place.inbox, place.store)
    ingest(str(place.inbox), str(place.store))
    assert place.outcome() == uninterrupted


def test_killed_again_and_again(prepared: Path, uninterrupted: dict[str, Any], tmp_path: Path) -> None:
    """Each next ingester takes up what the one before left, and dies one step later."""
    place = Place(prepared, tmp_path / "place")
    for step in IN_A_ROW:
        killed_at(step, place.inbox, place.store)
    ingest(str(place.inbox), str(place.store))
    assert place.outcome() == uninterrupted


def test_every_step_there_is_was_named() -> None:
    package = Path(spark_lineage.__file__).parent
    sources = [*package.glob("inbox/*.py"), package / "ingest.py"]
    written = {name for path in sources for name in re.findall(r'faults\.point\(f?"([^"]+)"\)', path.read_text())}
    named = {step.partition(":")[0] for step in STEPS}
    assert {name for name in written if "{" not in name and not name.startswith("remote.")} <= named  # those: test_remote.py
    assert {f"store.{table}" for table in contents_of_a_batch()} == {name for name in named if name.startswith("store.")}


def contents_of_a_batch() -> list[str]:
    from spark_lineage.ingest import APPENDED, CONTENT_NAMED, UPSERTED

    return [*CONTENT_NAMED, *UPSERTED, *APPENDED]


def test_a_document_that_kills_its_reader(prepared: Path, tmp_path: Path) -> None:
    """When some knew which one they died over, the next one knows better, and the rest goes on."""
    place = Place(prepared, tmp_path / "place")
    for _ in range(1 + DEATHS_MAX):
        killed_at("document.read:2", place.inbox, place.store)
    killed_at("quarantine.moved", place.inbox, place.store)
    ingest(str(place.inbox), str(place.store))
    reasons = [found.reason for found in quarantined(open_inbox(place.inbox))]
    assert sum("died while they read" in reason for reason in reasons) == 1
    assert len(rows_of(place.store, "executions")) == 5
    assert len(list((place.inbox / "quarantine").rglob("*.json*"))) == 2 * len(reasons)


def write_run(inbox: Path, number: int, executions: int) -> None:
    driver = Driver(inbox, run_id(number), begin_ms=time.time_ns() // 1_000_000)
    pause = random.Random(number)
    driver.start()
    for i in range(executions):
        driver.execution(f"/data/table_{i % 5}", confs={"spark.sql.shuffle.partitions": str(i % 3)})
        time.sleep(pause.uniform(0, 0.05))
    driver.end()


def ingest_until_killed(inbox: Path, store: Path) -> None:
    ingest(str(inbox), str(store), watch=True, poll_seconds=0.02)


def newest_batch(inbox: Path) -> int:
    return max((int(path.stem) for path in (inbox / "batches").glob("[0-9]*.json")), default=0)


def started(target: Any, *args: Any) -> ForkServerProcess:
    process = processes.Process(target=target, args=args)
    process.start()
    return process


def test_four_drivers_and_two_ingesters_that_are_killed_again_and_again(tmp_path: Path, empty_store: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    shutil.copytree(empty_store, store)
    folder = open_inbox(inbox, create=True)
    drivers = [started(write_run, inbox, number, 60) for number in range(4)]
    moments = random.Random(7)
    interrupted = 0
    while any(driver.is_alive() for driver in drivers):
        before = newest_batch(inbox)
        ingesters = [started(ingest_until_killed, inbox, store) for _ in range(2)]
        while newest_batch(inbox) <= before and any(driver.is_alive() for driver in drivers):
            time.sleep(0.01)
        for ingester in ingesters:
            time.sleep(moments.uniform(0, 0.2))
            ingester.kill()
            ingester.join()
        interrupted += bool(unfinished(folder))
    print(f"{interrupted} times a batch was left unfinished")
    ingest(str(inbox), str(store))

    runs = runs_of(store)
    for number in range(4):
        assert sequences_of(store, run_id(number)) == list(range(1, 61))
        assert (runs[run_id(number)]["status"], runs[run_id(number)]["documents_missing"]) == ("succeeded", 0)
    assert len(rows_of(store, "outputs")) == 4 * 60
    assert len(rows_of(store, "session_confs")) == 3
    assert not list(quarantined(open_inbox(inbox)))
    assert open_inbox(inbox).backlog().documents == 0
