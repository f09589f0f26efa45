"""What comes out of an inbox: rows, the state of runs, gaps, quarantine, and what stays when it cannot be done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driver_documents import Driver, run_id
from lineage_tables import contents, rows_of, runs_of, sequences_of
from test_ingest_crashes import EXECUTABLE

from spark_lineage.errors import InboxError, StoreError
from spark_lineage.inbox.folder import open_inbox
from spark_lineage.inbox.progress import read_progress
from spark_lineage.inbox.quarantine import quarantined
from spark_lineage.ingest import ingest
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument
from spark_lineage.store.tables import Store


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    open_inbox(tmp_path / "inbox", create=True)
    return tmp_path / "inbox"


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path / "store"))


def documents_in(inbox: Path) -> list[str]:
    return [path.name for path in inbox.glob("0*/*") if not path.name.startswith(".")]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_run_from_start_to_end(inbox: Path, store: Path) -> None:
    driver = Driver(inbox, run_id(1))
    driver.start(user_name="ana")
    driver.execution("/data/sales")
    driver.execution("/data/returns")
    driver.end()

    report = ingest(str(inbox), str(store))

    assert (report.documents, report.batches, report.executions, report.quarantined) == (4, 1, 2, 0)
    assert report.runs == (run_id(1),)
    run = runs_of(store)[run_id(1)]
    assert (run["status"], run["job_name"], run["user_name"], run["documents_missing"]) == (
        "succeeded",
        "daily_sales",
        "ana",
        0,
    )
    assert sequences_of(store, run_id(1)) == [1, 2]
    assert {row["job_name"] for row in rows_of(store, "executions")} == {"daily_sales"}
    assert not (inbox / run_id(1)).exists()


def test_nothing_new_changes_nothing(inbox: Path, store: Path) -> None:
    driver = Driver(inbox, run_id(1))
    driver.start()
    driver.execution()
    ingest(str(inbox), str(store))
    before = contents(store)

    assert ingest(str(inbox), str(store)).batches == 0
    assert contents(store) == before


def test_what_content_names_is_stored_once(inbox: Path, store: Path) -> None:
    for number in (1, 2):
        driver = Driver(inbox, run_id(number))
        driver.start()
        driver.execution(confs={"spark.sql.ansi.enabled": "false"})
        ingest(str(inbox), str(store))

    assert len(rows_of(store, "executions")) == 2
    assert len(rows_of(store, "session_confs")) == 1


def test_batches_are_bounded_and_take_some_of_each_run(inbox: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_lineage.inbox.batch.DOCUMENTS_MAX", 4)
    for number in (1, 2):
        driver = Driver(inbox, run_id(number), begin_ms=now_ms())
        driver.start()
        for _ in range(4):
            driver.execution()
    seen: list[int] = []

    report = ingest(str(inbox), str(store), progress=lambda report: seen.append(report.documents))

    assert seen == [4, 8, 10]
    assert report.batches == 3
    assert sequences_of(store, run_id(1)) == sequences_of(store, run_id(2)) == [1, 2, 3, 4]
    assert [path.name for path in (inbox / "batches").iterdir()] == ["00000003.json"]


class TestRuns:
    def test_running_until_an_end_comes(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1), begin_ms=now_ms())
        driver.start()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["status"] == "running"
        driver.end("failed", error="ValueError: no such column")
        ingest(str(inbox), str(store))
        run = runs_of(store)[run_id(1)]
        assert (run["status"], run["error"]) == ("failed", "ValueError: no such column")

    def test_lost_when_nothing_was_heard_of_it_for_long(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))  # long ago
        driver.start()
        driver.execution()
        report = ingest(str(inbox), str(store))
        assert report.lost == (run_id(1),)
        assert runs_of(store)[run_id(1)]["status"] == "lost"

    def test_lost_at_once_when_it_is_known_that_no_driver_is_alive(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1), begin_ms=now_ms())
        driver.start()
        assert ingest(str(inbox), str(store)).lost == ()
        assert ingest(str(inbox), str(store), final=True).lost == (run_id(1),)

    def test_an_application_is_lost_with_the_job_that_was_the_last_to_speak(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.start_job("job-a", "load")
        driver.execution(run_id="job-a")
        ingest(str(inbox), str(store), final=True)
        assert {run: row["status"] for run, row in runs_of(store).items()} == {run_id(1): "lost", "job-a": "lost"}

    def test_a_lost_run_that_speaks_again_is_what_it_says(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1), begin_ms=now_ms())
        driver.start()
        ingest(str(inbox), str(store), final=True)
        driver.execution()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["status"] == "running"
        driver.end()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["status"] == "succeeded"

    def test_a_job_inside_is_a_run_of_its_own(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.start_job("job-a", "load")
        driver.execution(run_id="job-a")
        ingest(str(inbox), str(store), lost_after_seconds=1e12)
        driver.execution(run_id="job-a")
        driver.end_job("job-a")
        driver.start_job("job-b", "never_ended")
        driver.end()
        ingest(str(inbox), str(store))
        runs = runs_of(store)
        assert {name: runs[name]["status"] for name in ("job-a", "job-b", run_id(1))} == {
            "job-a": "succeeded",
            "job-b": "lost",
            run_id(1): "succeeded",
        }
        assert {row["job_name"] for row in rows_of(store, "executions")} == {"load"}

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            ({"exit_code": 3}, "exit code 3"),
            ({"exit_code": -9, "signal": 9}, "killed by signal SIGKILL"),
            ({"exit_code": 1, "error": "KeyError: 3"}, "KeyError: 3"),
        ],
    )
    @pytest.mark.parametrize("late", [False, True], ids=["with the end", "after the end"])
    def test_an_exit_code_says_that_it_failed(
        self, inbox: Path, store: Path, content: dict[str, object], error: str, late: bool
    ) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.end("succeeded")
        if late:
            ingest(str(inbox), str(store))
        driver.exit(**content)
        ingest(str(inbox), str(store))
        run = runs_of(store)[run_id(1)]
        assert (run["status"], run["error"]) == ("failed", error)
        assert not (inbox / run_id(1)).exists()

    def test_a_run_that_only_its_exit_code_is_known_of(self, inbox: Path, store: Path) -> None:
        Driver(inbox, run_id(1)).exit(exit_code=1, error="half of a character: \ud800")
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["error"] == "half of a character: ?"

    def test_an_exit_code_before_the_end_document(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1), begin_ms=now_ms())
        driver.start()
        driver.exit(exit_code=1)
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["status"] == "failed"
        driver.end("succeeded")
        ingest(str(inbox), str(store))
        run = runs_of(store)[run_id(1)]
        assert (run["status"], run["error"]) == ("failed", "exit code 1")

    def test_what_the_driver_said_of_its_failure_stays(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.end("failed", error="KeyError: 'amount'")
        driver.exit(exit_code=1)
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["error"] == "KeyError: 'amount'"

    def test_a_good_exit_code_changes_nothing(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.end("succeeded")
        driver.exit(exit_code=0)
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["status"] == "succeeded"


class TestGaps:
    def test_numbers_that_never_came_are_counted(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.skip(2)
        driver.execution()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["documents_missing"] == 2
        driver.skip(1)
        driver.end()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["documents_missing"] == 3
        progress = read_progress(open_inbox(inbox), run_id(1))
        assert progress is not None
        assert (progress.ingested_through, progress.sequences_missing, progress.ended) == (5, (1, 2, 4), True)

    def test_a_late_one_is_taken_and_no_longer_missing(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        late = driver.execution()
        held = late.read_bytes()
        late.unlink()
        driver.end()
        ingest(str(inbox), str(store))
        assert not driver.folder.exists()
        late.parent.mkdir()
        late.write_bytes(held)
        ingest(str(inbox), str(store))
        run = runs_of(store)[run_id(1)]
        assert (run["documents_missing"], run["status"]) == (0, "succeeded")
        assert [row["job_name"] for row in rows_of(store, "executions")] == ["daily_sales"]

    def test_numbers_given_out_after_the_last_that_came(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.skip(4)
        driver.end()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["documents_missing"] == 4

    def test_nothing_is_said_where_the_ledger_is_lost(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution()
        ingest(str(inbox), str(store))
        shutil.rmtree(inbox / "ledger")
        driver.execution()
        driver.end()
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["documents_missing"] == 0  # as it was known before


def _execution(nodes: list[tuple[int, list[int]]], root: int, **fields: Any) -> bytes:
    """A document whose plan has these nodes, each with the numbers of its children."""
    listed = [{"id": number, "class": "a.Filter", "children": children, "fields": fields} for number, children in nodes]
    document = {"application_run_id": run_id(1), "run_id": run_id(1), "sequence": 1, "time_ms": 1_767_225_600_000, "sql_id": 7}
    return json.dumps({"format": 1, "kind": "execution", **document, "analyzed": {"root": root, "nodes": listed}}).encode()


class TestQuarantine:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"\x1f\x8b\x08\x00 this is no gzip", "damaged"),
            (b"{", "no JSON"),
            (b'{"format": 99, "kind": "execution"}', "format 99"),
            (b'{"format": 1, "kind": "surprise"}', "surprise"),
            (b"[]", "not an object"),
            (_execution(nodes=[(1, [2]), (2, [1])], root=1), "cyclic"),
            (_execution(nodes=[(1, [7])], root=1), "node 7, which is not there: the document is truncated"),
            (_execution(nodes=[(1, [])], root=2), "root, node 2, is not among its 1 nodes: the document is truncated"),
            (_execution(nodes=[(1, [])], root=1, condition={"expr": 5}), "an expression is int"),
        ],
    )
    def test_a_corrupt_document_is_kept_aside_and_the_rest_goes_on(
        self, inbox: Path, store: Path, data: bytes, reason: str
    ) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.write_bytes("execution", data)
        driver.execution()
        driver.end()

        report = ingest(str(inbox), str(store))

        assert (report.documents, report.quarantined) == (3, 1)
        (found,) = quarantined(open_inbox(inbox))
        assert reason in found.reason
        assert (found.run, found.name) == (run_id(1), "00000001.execution.json.gz")
        assert (inbox / "quarantine" / run_id(1) / found.name).read_bytes() == data
        assert open_inbox(inbox).backlog().quarantined == 1
        run = runs_of(store)[run_id(1)]
        assert (run["status"], run["documents_missing"]) == ("succeeded", 1)

    def test_a_document_that_is_not_what_its_name_says(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution(sequence=5)
        assert ingest(str(inbox), str(store)).quarantined == 1

    def test_a_run_of_which_nothing_can_be_read(self, inbox: Path, store: Path) -> None:
        Driver(inbox, run_id(1)).write_bytes("run_start", b"damaged")
        ingest(str(inbox), str(store))
        assert runs_of(store)[run_id(1)]["status"] == "running"
        ingest(str(inbox), str(store), final=True)
        assert runs_of(store)[run_id(1)]["status"] == "lost"

    def test_put_back_once_it_can_be_read(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        whole = driver.execution()
        data = whole.read_bytes()
        whole.write_bytes(data[:-20])
        driver.end()
        ingest(str(inbox), str(store))
        (inbox / "quarantine" / run_id(1) / whole.name).write_bytes(data)

        report = ingest(str(inbox), str(store), retry_quarantine=True)

        assert (report.put_back, report.documents, report.quarantined) == (1, 1, 0)
        assert sequences_of(store, run_id(1)) == [1]
        assert runs_of(store)[run_id(1)]["documents_missing"] == 0
        assert not list((inbox / "quarantine").rglob("*.gz*"))

    def test_a_number_that_came_before_is_not_taken_twice(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        again = driver.execution()
        data = again.read_bytes()
        ingest(str(inbox), str(store))
        again.write_bytes(data)
        assert ingest(str(inbox), str(store)).quarantined == 1
        assert sequences_of(store, run_id(1)) == [1]
        assert runs_of(store)[run_id(1)]["documents_missing"] == 0

    def test_a_value_that_no_column_takes(self, inbox: Path, store: Path) -> None:
        """Found only when the rows of a whole batch are put together; the other documents still get in."""
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution()
        driver.execution(description="half of a character: \ud800")
        driver.execution()
        driver.end()
        assert ingest(str(inbox), str(store)).quarantined == 1
        assert sequences_of(store, run_id(1)) == [1, 3]
        assert [row["execution_id"] for row in rows_of(store, "outputs")] == [f"{run_id(1)}:1", f"{run_id(1)}:3"]

    def test_an_exception_while_it_is_resolved(self, inbox: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SPARK_LINEAGE_FAULT", "raise:document.read:2")
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution()
        driver.execution()
        assert ingest(str(inbox), str(store)).quarantined == 1
        assert sequences_of(store, run_id(1)) == [2]


class TestUnusable:
    def test_no_inbox(self, tmp_path: Path, store: Path) -> None:
        with pytest.raises(InboxError, match="there is no inbox at"):
            ingest(str(tmp_path / "absent"), str(store))
        (tmp_path / "other").mkdir()
        with pytest.raises(InboxError, match=r"holds no inbox\.json"):
            ingest(str(tmp_path / "other"), str(store))

    def test_an_inbox_that_is_nowhere(self, store: Path) -> None:
        with pytest.raises(InboxError, match="cannot be reached"):
            ingest("nowhere://bucket/inbox", str(store))

    def test_documents_stay_when_the_store_cannot_be_written(self, inbox: Path, tmp_path: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution()
        (tmp_path / "store").write_text("a file where the tables should be")
        with pytest.raises(StoreError, match="cannot be"):
            ingest(str(inbox), str(tmp_path / "store"))
        assert len(documents_in(inbox)) == 2
        (tmp_path / "store").unlink()
        ingest(str(inbox), str(tmp_path / "store"))
        assert sequences_of(tmp_path / "store", run_id(1)) == [1]

    def test_a_failure_between_two_tables(self, inbox: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution()
        monkeypatch.setenv("SPARK_LINEAGE_FAULT", "raise:store.outputs")
        with pytest.raises(OSError, match="fault injected"):
            ingest(str(inbox), str(store))
        monkeypatch.delenv("SPARK_LINEAGE_FAULT")
        assert (len(rows_of(store, "outputs")), len(rows_of(store, "executions"))) == (1, 0)
        ingest(str(inbox), str(store))
        assert (len(rows_of(store, "outputs")), len(rows_of(store, "executions"))) == (1, 1)

    def test_a_number_is_not_given_again_when_the_batches_are_lost(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        driver.execution()
        ingest(str(inbox), str(store))
        shutil.rmtree(inbox / "batches")
        driver.execution()
        ingest(str(inbox), str(store))
        assert sequences_of(store, run_id(1)) == [1, 2]

    def test_nor_when_they_are_put_back_from_a_backup(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        driver.start()
        ingest(str(inbox), str(store))
        shutil.copytree(inbox / "batches", inbox / ".backup")
        driver.execution()
        ingest(str(inbox), str(store))
        shutil.rmtree(inbox / "batches")
        (inbox / ".backup").rename(inbox / "batches")
        driver.execution()
        ingest(str(inbox), str(store))
        assert sequences_of(store, run_id(1)) == [1, 2]

    def test_a_newer_inbox(self, inbox: Path, store: Path) -> None:
        (inbox / "inbox.json").write_text(json.dumps({"inbox_id": "x", "format": 2}))
        with pytest.raises(InboxError, match="use a newer"):
            ingest(str(inbox), str(store))


def test_what_a_run_read_before_is_there_for_the_asking(inbox: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[int, set[str]] = {}

    def asking(execution: ExecutionDocument, run: RunContext) -> Records:
        known[execution.sequence] = {name for _, name in run.reads().datasets}
        return records_of_execution(execution, run)

    monkeypatch.setattr("spark_lineage.ingest.records_of_execution", asking)
    driver, other = Driver(inbox, run_id(1)), Driver(inbox, run_id(2))
    driver.start()
    late = driver.execution("/data/one")
    held = late.read_bytes()
    late.unlink()
    driver.execution("/data/two")
    other.execution("/data/of_another_run")
    ingest(str(inbox), str(store))
    driver.execution("/data/three")
    driver.execution("/data/four")
    late.write_bytes(held)
    ingest(str(inbox), str(store))

    source = "/data/source"
    assert known == {
        0: set(),
        1: set(),  # it came last, but went before
        2: set(),
        3: {source},  # not what it wrote: a model does not come from the run's own results
        4: {source},
    }


class TestFollow:
    def test_until_the_run_has_ended(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        other = Driver(inbox, run_id(2), begin_ms=now_ms())
        driver.start()
        other.start()
        driver.end()
        report = ingest(str(inbox), str(store), follow=run_id(1))
        assert set(report.runs) == {run_id(1), run_id(2)}
        assert runs_of(store)[run_id(2)]["status"] == "running"

    def test_the_driver_is_told_how_far_it_is(self, inbox: Path, store: Path) -> None:
        driver = Driver(inbox, run_id(1))
        stop = threading.Event()
        child = threading.Thread(
            target=ingest, args=(str(inbox), str(store)), kwargs={"follow": run_id(1), "driver_pid": os.getpid(), "stop": stop}
        )
        child.start()
        try:
            folder = open_inbox(inbox)
            wait_until(lambda: read_progress(folder, run_id(1)) is not None)
            first = read_progress(folder, run_id(1))
            assert first is not None
            assert (first.ingested_through, first.following, first.pid) == (-1, True, os.getpid())
            driver.start()
            driver.execution()
            wait_until(lambda: (now := read_progress(folder, run_id(1))) is not None and now.ingested_through == 1)
            assert sequences_of(store, run_id(1)) == [1]
            driver.end()
            wait_until(lambda: (now := read_progress(folder, run_id(1))) is not None and now.ended)
        finally:
            stop.set()
            child.join()

    def test_the_driver_is_gone(self, inbox: Path, store: Path) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as driver_process:
            driver = Driver(inbox, run_id(1), begin_ms=now_ms())
            driver.start()
            driver.execution()
            driver_process.kill()
        report = ingest(str(inbox), str(store), follow=run_id(1), driver_pid=driver_process.pid)
        assert report.lost == (run_id(1),)
        assert runs_of(store)[run_id(1)]["status"] == "lost"


def test_the_child_process(inbox: Path, store: Path) -> None:
    driver = Driver(inbox, run_id(1))
    command = [sys.executable, "-m", "spark_lineage.ingest", "--inbox", str(inbox), "--store", str(store)]
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as driver_process,
        subprocess.Popen([*command, "--follow", run_id(1), "--driver-pid", str(driver_process.pid)]) as child,
    ):
        driver.start()
        driver.execution()
        driver.end()
        wait_until(lambda: not driver.folder.exists())
        driver.exit(exit_code=1)  # the process failed after it had stopped Spark
        driver_process.communicate(b"\n")
        assert child.wait(30) == 0
    assert sequences_of(store, run_id(1)) == [1]
    assert runs_of(store)[run_id(1)]["status"] == "failed"
    assert "over: " in (inbox / "logs" / f"{run_id(1)}.log").read_text()


def test_watching_survives_a_store_that_fails(inbox: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = tmp_path / "store"
    store.write_text("in the way")
    stop = threading.Event()
    watcher = threading.Thread(
        target=ingest, args=(str(inbox), str(store)), kwargs={"watch": True, "stop": stop, "poll_seconds": 0.02}
    )
    driver = Driver(inbox, run_id(1), begin_ms=now_ms())
    driver.start()
    driver.execution()
    watcher.start()
    try:
        wait_until(lambda: "nothing can be ingested for now" in caplog.text)
        store.unlink()
        wait_until(lambda: store.exists() and not documents_in(inbox))
    finally:
        stop.set()
        watcher.join()
    assert sequences_of(store, run_id(1)) == [1]
    assert caplog.text.count("nothing can be ingested for now") == 1


class TestWhereExecutablesAreKept:
    """A run wants its executables in a place of their own, which is for the ingester to write to."""

    def ingested(self, inbox: Path, store: Path, tmp_path: Path, *, wants: str | None, place: str = "") -> tuple[int, int, str]:
        """Executables beside the other tables, those in `place`, and what the execution says."""
        driver = Driver(inbox, run_id(1))
        if wants is None:
            driver.skip()
        else:
            driver.start(limits={"datasets_allow": [], "datasets_deny": [], "executables_store": wants})
        driver.execution(executable=EXECUTABLE)
        key = str(tmp_path / "key")
        self.report = ingest(str(inbox), str(store), executables_store=place, executables_key=key)
        apart = Store.open(store, executables=place).arrow("plan_executables").num_rows if place else 0
        [execution] = rows_of(store, "executions")
        return len(rows_of(store, "plan_executables")), apart, " ".join(execution["incomplete_reasons"] or ())

    @pytest.mark.parametrize("name", ["secure", "not%20a%20place"])
    def test_an_ingester_that_was_given_none_leaves_them_out(self, name: str, inbox: Path, store: Path, tmp_path: Path) -> None:
        secure = tmp_path / name
        beside, _, reasons = self.ingested(inbox, store, tmp_path, wants=str(secure))
        assert beside == 0
        assert rows_of(store, "executable_blobs") == []
        assert f"executable: it is to be kept in {secure}, which the ingester was not given" in reasons
        assert "set executables.store for the ingester" in self.report.warnings[0]
        assert not secure.exists()

    def test_an_ingester_that_was_given_one_keeps_all_there(self, inbox: Path, store: Path, tmp_path: Path) -> None:
        wants, place = str(tmp_path / "secure"), str(tmp_path / "other")
        assert self.ingested(inbox, store, tmp_path, wants=wants, place=place) == (0, 1, "")

    @pytest.mark.parametrize("beside", [True, False])
    def test_one_that_wants_them_beside_the_other_tables(self, beside: bool, inbox: Path, store: Path, tmp_path: Path) -> None:
        assert self.ingested(inbox, store, tmp_path, wants=f"file://{store}/" if beside else "") == (1, 0, "")

    def test_a_run_whose_start_never_came(self, inbox: Path, store: Path, tmp_path: Path) -> None:
        beside, _, reasons = self.ingested(inbox, store, tmp_path, wants=None)
        assert beside == 0
        assert "executable: the start of its run is not known" in reasons


def test_functions_that_mask_are_named_by_the_run(inbox: Path, store: Path) -> None:
    """In its start document, which may have come in a batch before: whoever ingests has other options."""
    driver = Driver(inbox, run_id(1))
    driver.start(limits={"datasets_allow": [], "datasets_deny": [], "masking_functions": ["Scramble"]})
    ingest(str(inbox), str(store))
    plan = _plan_with_udf("scramble")
    driver.execution(analyzed=plan)
    ingest(str(inbox), str(store))
    assert {edge["masking"] for edge in rows_of(store, "column_lineage")} == {True}


def test_functions_of_another_name_do_not_mask(inbox: Path, store: Path) -> None:
    driver = Driver(inbox, run_id(1))
    driver.start(limits={"datasets_allow": [], "datasets_deny": [], "masking_functions": ["Scramble"]})
    driver.execution(analyzed=_plan_with_udf("shout"))
    ingest(str(inbox), str(store))
    assert {edge["masking"] for edge in rows_of(store, "column_lineage")} == {False}


def _plan_with_udf(name: str) -> dict[str, Any]:
    """A plan that saves what a Python function makes of the source's `id`."""
    sql = "org.apache.spark.sql."
    source = {"path": "file:/data/source", "table_id": "id of /data/source", "version_at_analysis": 3, "time_travel": False}
    called = {"as": 3, "n": "hidden", "c": [{"e": "PythonUDF", "c": [{"a": 1}], "p": {"name": name}}]}
    return {
        "root": 3,
        "attributes": {"1": ["id", "bigint", True], "3": ["hidden", "string", True]},
        "nodes": [
            {"id": 1, "class": sql + "execution.datasources.LogicalRelation", "children": [], "output": [1],
             "fields": {"relation": {"relation": {"class": "delta", "format": "delta", "paths": ["file:/data/source"], "delta": source}}}},
            {"id": 2, "class": sql + "catalyst.plans.logical.Project", "children": [1], "fields": {"projectList": [{"expr": called}]}},
            {"id": 3, "class": sql + "execution.datasources.SaveIntoDataSourceCommand", "children": [], "output": [],
             "fields": {"query": {"plan": 2, "schema": [["hidden", "string", True]]}, "options": {"map": {"path": "/data/sales"}}, "mode": "Append"}},
        ],
    }  # fmt: skip
