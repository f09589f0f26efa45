"""Inboxes on an object store: the same tables as from a local one, one ingester at a time, exactly once whatever is killed.

The store is a real server (moto's S3, in a process of its own), the ingesters that die are processes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driver_documents import Driver, run_id
from lineage_tables import contents, rows_of, sequences_of
from s3_server import Bucket, in_environment, s3_server
from test_ingest_crashes import STEPS

from spark_lineage.doctor import examine
from spark_lineage.errors import InboxError
from spark_lineage.inbox import batch, claim
from spark_lineage.inbox.folder import InboxFolder, open_inbox
from spark_lineage.inbox.quarantine import quarantined
from spark_lineage.inbox.remote import RemoteInbox
from spark_lineage.ingest import _Ingester, ingest

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["spark_lineage.ingest"])
SOME_STEPS = ["batch.sealed", "store.outputs", "batch.marked", "document.removed:2", "remote.copied"]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with s3_server(tmp_path_factory.mktemp("s3")) as environment, in_environment(environment):
        yield environment


@pytest.fixture
def bucket(s3: dict[str, str], request: pytest.FixtureRequest) -> Bucket:
    return Bucket(f"{request.node.name}-{time.time_ns()}".replace("[", "-").replace("]", "").replace(":", "-"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one ended and its process failed, one goes on; one document is damaged."""
    folder = tmp_path_factory.mktemp("documents")
    one, two = Driver(folder, run_id(1)), Driver(folder, run_id(2))
    for driver in (one, two):
        driver.start()
        for table in ("/data/sales", "/data/returns", "/data/orders"):
            driver.execution(table)
    one.write_bytes("execution", b"\x1f\x8b damaged")
    one.skip()
    one.end()
    one.exit(exit_code=1)
    return folder


@pytest.fixture(scope="module")
def expected(documents: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a local inbox with the same documents gives."""
    place = tmp_path_factory.mktemp("expected")
    shutil.copytree(documents, place / "inbox")
    shutil.copytree(empty_store, place / "store")
    ingest(str(place / "inbox"), str(place / "store"))
    return contents(place / "store")


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path / "store"))


def test_the_tables_are_those_of_a_local_inbox(bucket: Bucket, documents: Path, expected: dict[str, Any], store: Path) -> None:
    bucket.upload(documents)
    report = ingest(bucket.uri.replace("s3://", "s3a://"), str(store))  # as Spark spells it
    assert (report.executions, report.quarantined, report.lost) == (6, 1, (run_id(2),))
    assert contents(store) == expected
    left = [name for name in bucket.files() if not name.startswith(("ledger/", "state/", "quarantine/"))]
    assert [re.sub(r"-\d{20}-[0-9a-f]{8}", "-<claim>", name) for name in left] == [
        "batches/00000002-<claim>.json",
        "inbox.json",
    ]
    assert ingest(bucket.uri, str(store)).documents == 0


def ingest_with_fault(environment: dict[str, str], inbox: str, store: Path, fault: str) -> None:
    os.environ.update(environment, SPARK_LINEAGE_FAULT=fault)
    ingest(inbox, str(store))


def killed_at(step: str, environment: dict[str, str], inbox: str, store: Path) -> None:
    process = processes.Process(target=ingest_with_fault, args=(environment, inbox, store, f"kill:{step}"))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, f"{step} was never passed"


@pytest.mark.parametrize(
    "step", [*SOME_STEPS, *(pytest.param(step, marks=pytest.mark.soak) for step in STEPS if step not in SOME_STEPS)]
)
def test_killed_once(
    step: str, bucket: Bucket, s3: dict[str, str], documents: Path, expected: dict[str, Any], store: Path
) -> None:
    """The next ingester goes on at once: it sees that the claim is of a process of this machine that is gone."""
    bucket.upload(documents)
    killed_at(step, s3, bucket.uri, store)
    ingest(bucket.uri, str(store))
    assert contents(store) == expected
    assert len(list(quarantined(open_inbox(bucket.uri)))) == 1


def test_a_second_ingester_is_told_of_the_first(bucket: Bucket, documents: Path, store: Path) -> None:
    bucket.upload(documents)
    first = open_inbox(bucket.uri)
    with first.lock(), pytest.raises(InboxError, match=f"another ingester works on the inbox .*process {os.getpid()} on "):
        ingest(bucket.uri, str(store))
    first.close()
    assert ingest(bucket.uri, str(store)).executions == 6


def test_a_claim_that_nobody_renews_is_taken_over(
    bucket: Bucket, documents: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(documents)
    bucket.put("claims/00000000000000000001-gone.json", json.dumps({"host": "elsewhere", "pid": 7}).encode())
    with pytest.raises(InboxError, match="process 7 on elsewhere"):
        ingest(bucket.uri, str(store))
    monkeypatch.setattr(claim, "CLAIM_SECONDS", 2.0)
    monkeypatch.setattr(claim, "RENEW_SECONDS", 0.2)
    deadline = time.monotonic() + 60
    while True:
        try:
            assert ingest(bucket.uri, str(store)).executions == 6
            break
        except InboxError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert not [name for name in bucket.files() if name.startswith("claims/")]


def test_a_claim_that_could_not_be_renewed_writes_no_more(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = open_inbox(bucket.uri, create=True)
    with inbox.lock():
        inbox.replace("state/x.json", b"{}")
        monkeypatch.setattr(claim, "CLAIM_SECONDS", -1.0)
        with pytest.raises(InboxError, match="is lost: it could not be renewed"):
            inbox.replace("state/x.json", b"{}")


def test_a_claim_that_was_lost_is_not_renewed(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was stopped for long, another one took over, and the thread that renews is the first to go on."""
    clock = [1000.0]
    monkeypatch.setattr(claim, "_now", lambda: clock[0])
    monkeypatch.setattr(claim, "RENEW_SECONDS", 0.05)
    inbox = open_inbox(bucket.uri, create=True)
    with inbox.lock():
        clock[0] += claim.CLAIM_SECONDS + 1
        other = open_inbox(take_over(bucket))
        with other.lock():
            keeper = inbox._claim._thread  # type: ignore[attr-defined]
            keeper.join(20)
            assert not keeper.is_alive()
            assert [name for name in bucket.files() if name.startswith("claims/")] == [f"claims/{other.holder}.json"]
            for _ in range(2):
                with pytest.raises(InboxError, match="is lost"):
                    inbox.replace("state/x.json", b"{}")
            with pytest.raises(InboxError, match="another ingester works"), inbox.lock():
                pass
            assert [name for name in bucket.files() if name.startswith("claims/")] == [f"claims/{other.holder}.json"]
        other.close()
    with inbox.lock():
        inbox.replace("state/x.json", b"{}")
    inbox.close()


def test_a_claim_that_was_removed_is_not_made_again(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "RENEW_SECONDS", 0.05)
    inbox = open_inbox(bucket.uri, create=True)
    with inbox.lock():
        keeper, deadline = inbox._claim._thread, time.monotonic() + 20  # type: ignore[attr-defined]
        while keeper.is_alive() and time.monotonic() < deadline:  # one that has just looked writes it once more
            take_over(bucket)
            keeper.join(0.5)
        with pytest.raises(InboxError, match="is lost"):
            inbox.replace("state/x.json", b"{}")
    assert not [name for name in bucket.files() if name.startswith("claims/")]


@pytest.mark.parametrize("recorded", [2, 3], ids=["some-are-taken-meanwhile", "all-are"])
def test_a_batch_that_is_sealed_too_late_loses_nothing(
    recorded: int, bucket: Bucket, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder is stopped between its look at the claim and the request that seals, and another one works meanwhile."""
    driver = Driver(tmp_path / "inbox", run_id(1))
    driver.start()
    for table in ("/data/a", "/data/b"):
        driver.execution(table)
    bucket.upload(tmp_path / "inbox")
    late = open_inbox(bucket.uri, create=True)
    write = late.write  # type: ignore[attr-defined]
    stopped = threading.Event()

    def stopped_before(path: str, data: bytes) -> None:
        if path.startswith("batches/") and not stopped.is_set():
            stopped.set()
            with monkeypatch.context() as patch:
                patch.setattr(batch, "DOCUMENTS_MAX", recorded)
                one_batch(take_over(bucket), store)
        write(path, data)

    monkeypatch.setattr(claim, "RENEW_SECONDS", 3600.0)
    monkeypatch.setattr(late, "write", stopped_before)
    monkeypatch.setattr(late._claim, "check", lambda: lost_once(late, stopped))  # type: ignore[attr-defined]
    with late.lock(), pytest.raises(InboxError, match="is lost"):
        _Ingester(late, str(store), lambda report: None, lambda *told: None, "", "").take_batch()
    assert stopped.is_set()
    ingest(bucket.uri, str(store))
    assert sequences_of(store, run_id(1)) == [1, 2]
    assert not [name for name in bucket.files() if name.startswith((run_id(1) + "/0", "quarantine/"))]


def one_batch(uri: str, store: Path) -> None:
    inbox = open_inbox(uri)
    with inbox.lock():
        _Ingester(inbox, str(store), lambda report: None, lambda *told: None, "", "").take_batch()
    inbox.close()


def lost_once(inbox: InboxFolder, stopped: threading.Event) -> None:
    if stopped.is_set():
        raise InboxError(f"the claim to {inbox.location} is lost")


def take_over(bucket: Bucket) -> str:
    """Removes what claims there are, as an ingester does that finds them too old; the inbox is to be had."""
    for name in bucket.files():
        if name.startswith("claims/"):
            bucket.remove(name)
    return bucket.uri


def test_of_many_at_once_one_has_the_claim(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 0.5)
    open_inbox(bucket.uri, create=True).close()
    holders: list[int] = []
    most = [0]
    taken = [0]
    guard = threading.Lock()

    def contend() -> None:
        for _ in range(6):
            inbox = open_inbox(bucket.uri)
            try:
                with inbox.lock(), guard:
                    holders.append(1)
                    most[0] = max(most[0], len(holders))
                    taken[0] += 1
                time.sleep(0.05)
                with guard:
                    holders.pop()
            except InboxError:
                continue
            finally:
                inbox.close()

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], holders) == (1, [])
    assert taken[0] >= 1


def test_watching_takes_what_drivers_write(bucket: Bucket, store: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    watcher = threading.Thread(target=ingest, args=(bucket.uri, str(store)), kwargs={"watch": True, "stop": stop})
    watcher.start()
    try:
        for number in (1, 2):
            folder = tmp_path / str(number)
            driver = Driver(folder, run_id(number))
            driver.start()
            for _ in range(5):
                driver.execution()
            driver.end()
            bucket.upload(folder)
            deadline = time.monotonic() + 120
            while len(sequences_of(store, run_id(number))) < 5:
                assert time.monotonic() < deadline
                time.sleep(0.2)
    finally:
        stop.set()
        watcher.join()
    assert len(rows_of(store, "executions")) == 10
    assert not [name for name in bucket.files() if name.startswith("claims/")]


def test_doctor_looks_into_it(bucket: Bucket, documents: Path, store: Path) -> None:
    bucket.upload(documents)
    ingest(bucket.uri, str(store))
    bucket.upload(documents)
    found = {finding.name: finding for finding in examine(str(store), bucket.uri)}
    assert (found["inbox"].status, found["inbox"].detail.split(",")[0]) == ("ok", f"{bucket.uri}: 10 documents of 2 runs wait")
    assert found["quarantine"].detail.startswith("1 documents")


def test_a_document_that_comes_while_its_folder_is_removed(
    bucket: Bucket, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has ended, one of its numbers never came: it may come at any time."""
    driver = Driver(tmp_path / "inbox", run_id(1))
    driver.start()
    driver.execution()
    late = driver.execution()
    driver.end()
    name, data = late.relative_to(tmp_path / "inbox").as_posix(), late.read_bytes()
    late.unlink()
    bucket.upload(tmp_path / "inbox")
    calls = [0]
    removing, came = threading.Event(), threading.Event()
    listed, remove_folder = RemoteInbox._listed, RemoteInbox.remove_folder

    def comes_after_the_look(inbox: RemoteInbox) -> Any:
        found = listed(inbox)
        if removing.is_set():
            came.set()
            bucket.put(name, data)
        return found

    def watched(inbox: RemoteInbox, folder: str, **how: Any) -> bool:
        calls[0] += 1
        if calls[0] == 1:
            removing.set()
        try:
            return remove_folder(inbox, folder, **how)
        finally:
            removing.clear()

    monkeypatch.setattr(RemoteInbox, "_listed", comes_after_the_look)
    monkeypatch.setattr(RemoteInbox, "remove_folder", watched)
    ingest(bucket.uri, str(store))
    assert calls[0] == 1
    if not came.is_set():
        bucket.put(name, data)
    ingest(bucket.uri, str(store))
    assert sequences_of(store, run_id(1)) == [1, 2]
    assert not bucket.holds(run_id(1))


def test_leftovers_are_what_writers_left(bucket: Bucket) -> None:
    for name in (f"{run_id(1)}/.00000001.execution.json.gz", f"{run_id(1)}/.notes", ".inbox.json.part", ".keep"):
        bucket.put(name, b"x")
    inbox = open_inbox(bucket.uri, create=True)
    with inbox.lock():
        for folder in ("", run_id(1)):
            inbox.remove_leftovers(folder, -3600.0)
    inbox.close()
    assert [name for name in bucket.files() if "/." in f"/{name}"] == [".keep", f"{run_id(1)}/.notes"]


def test_a_place_that_is_no_inbox(bucket: Bucket, store: Path) -> None:
    with pytest.raises(InboxError, match="is no inbox"):
        ingest(bucket.uri, str(store))
