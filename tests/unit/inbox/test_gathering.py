"""Documents are gathered into few batches while the driver works, and taken at once when somebody waits for them."""

from __future__ import annotations

import threading
from pathlib import Path

from driver_documents import Driver, run_id

from spark_lineage.capture import child
from spark_lineage.inbox.batch import Batch, choose, seal, unfinished
from spark_lineage.inbox.folder import open_inbox
from spark_lineage.inbox.progress import remove_progress, was_asked_for
from spark_lineage.inbox.turns import Turns
from spark_lineage.ingest import IngestReport, _Ingester, ingest
from spark_lineage.store.tables import Store


def test_a_busy_driver_makes_few_batches(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    reports: list[IngestReport] = []
    follower = threading.Thread(target=lambda: reports.append(ingest(str(inbox), str(store), follow=run_id(1))))
    follower.start()
    pause = threading.Event()
    for _ in range(20):
        driver.execution()
        pause.wait(0.1)
    driver.end()
    follower.join(60)
    assert not follower.is_alive()
    assert Store.open(str(store)).arrow("executions", ["sequence"]).num_rows == 20
    assert reports[0].batches <= 10, "each document was a batch of its own"


def test_what_is_asked_for_is_told_once(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    assert not was_asked_for(inbox, "run")
    child._ask(str(tmp_path), "run")
    assert was_asked_for(inbox, "run")
    assert not was_asked_for(inbox, "run")
    child._ask(str(tmp_path), "run")
    remove_progress(inbox, "run")
    assert not was_asked_for(inbox, "run")


def test_a_run_is_given_up_after_what_was_begun(tmp_path: Path) -> None:
    """An ingester was killed after it sealed: no batch is sealed over that one."""
    inbox, store = open_inbox(tmp_path / "inbox", create=True), str(tmp_path / "store")
    driver = Driver(tmp_path / "inbox", run_id(1))
    driver.start()
    driver.execution()
    begun = Batch(inbox_id=inbox.inbox_id, number=0, stage="sealed", sealed_ms=1, store=store, documents=choose(inbox))
    ingester = _Ingester(inbox, store, lambda report: None, lambda *told: None, "", "")
    turns = Turns(inbox, ingester, threading.Event(), 0.1, 3600.0)
    with inbox.lock():
        seal(inbox, begun)
        turns._give_up([run_id(1)])
    assert unfinished(inbox) == []
    assert ingester.report.documents == 2
    executions = Store.open(store).delta_table("executions")
    assert executions.transaction_version(inbox.inbox_id) == 1, "they were taken again, under another number"
