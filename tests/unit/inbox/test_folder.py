"""The inbox as a place: what is complete, its identity, its lock, and what is said when it cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spark_lineage.errors import InboxError
from spark_lineage.inbox.folder import open_inbox

RUN = "01976000-0000-7000-8000-000000000001"


def put(inbox: Path, name: str, data: bytes = b"x") -> None:
    (inbox / RUN).mkdir(exist_ok=True)
    (inbox / RUN / name).write_bytes(data)


def test_only_complete_documents_in_order(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path / "inbox", create=True)
    for name in (
        "00000010.execution.json.gz",
        "00000002.execution.json.gz",
        "100000000.run_end.json.gz",  # more than eight digits come after
        ".00000003.execution.json.gz",  # being written
        "00000004.execution.json",
        "exit.json",
        "notes.txt",
    ):
        put(tmp_path / "inbox", name, b"four")
    (tmp_path / "inbox" / RUN / "00000005.execution.json.gz").mkdir()

    found = inbox.documents(RUN)

    assert [document.sequence for document in found] == [2, 10, 100000000]
    assert found[0].path == f"{RUN}/00000002.execution.json.gz"
    assert found[0].size == 4
    assert [document.sequence for document in inbox.documents(RUN, 1)] == [2]
    assert inbox.documents("no such run") == []


def test_the_ingesters_own_folders_are_no_runs(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    for name in ("batches", "ledger", "logs", "quarantine", "state", ".hidden", RUN):
        (tmp_path / name).mkdir()
    assert inbox.runs() == [RUN]


def test_whoever_comes_first_names_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: open_inbox(tmp_path / "inbox", create=True).inbox_id, range(16)))
    assert len(ids) == 1
    assert json.loads((tmp_path / "inbox" / "inbox.json").read_text()) == {"inbox_id": ids.pop(), "format": 1}
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["inbox.json"]
    assert (tmp_path / "inbox").stat().st_mode & 0o777 == 0o700


def test_an_identity_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "inbox.json").touch()
    writer = threading.Timer(0.1, lambda: (tmp_path / "inbox.json").write_text('{"inbox_id": "late", "format": 1}'))
    writer.start()
    assert open_inbox(tmp_path).inbox_id == "late"
    writer.join()


@pytest.mark.parametrize("content", ["[]", "{}", "nonsense"])
def test_an_identity_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "inbox.json").write_text(content)
    with pytest.raises(InboxError, match="cannot be understood"):
        open_inbox(tmp_path)


def test_a_folder_that_only_a_driver_has_written_to_is_an_inbox(tmp_path: Path) -> None:
    put(tmp_path, "00000000.run_start.json.gz")
    assert open_inbox(tmp_path).inbox_id


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("hdfs://name:8020/inbox", "cannot be reached.*or mount it"),
        ("abfss://c@a.dfs.core.windows.net/inbox", "is on Azure.*mount it"),
        ("nowhere://bucket/inbox", "cannot be reached.*or mount it"),
    ],
)
def test_what_is_possible_for_an_inbox_elsewhere(location: str, reason: str) -> None:
    """HDFS: as long as this machine has no libhdfs. Object stores: test_remote.py."""
    with pytest.raises(InboxError, match=reason):
        open_inbox(location)


def test_a_file_uri_is_a_folder(tmp_path: Path) -> None:
    assert open_inbox(f"file://{tmp_path}/inbox", create=True).location == str(tmp_path / "inbox")


def test_create_leaves_what_is_there(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    assert inbox.create("batches/1.json", b"first")
    assert not inbox.create("batches/1.json", b"second")
    assert inbox.read("batches/1.json") == b"first"
    assert [path.name for path in (tmp_path / "batches").iterdir()] == ["1.json"]


def test_create_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    inbox = open_inbox(tmp_path, create=True)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert inbox.create("batches/1.json", b"first")
    assert not inbox.create("batches/1.json", b"second")
    assert inbox.read("batches/1.json") == b"first"
    assert [path.name for path in (tmp_path / "batches").iterdir()] == ["1.json"]


def test_one_has_the_lock_until_its_process_dies(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    holder = (
        "import sys; from spark_lineage.inbox.folder import open_inbox\n"
        "with open_inbox(sys.argv[1]).lock() as mine:\n"
        "    print(mine, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with inbox.lock() as mine:
            assert not mine
        process.kill()
        process.wait()
    with inbox.lock() as mine:
        assert mine
        with open_inbox(tmp_path).lock() as also:
            assert not also


def test_the_backlog_is_counted_up_to_a_bound(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    for number in range(5):
        put(tmp_path, f"{number:08d}.execution.json.gz", b"1234567890")
    backlog = inbox.backlog()
    assert (backlog.documents, backlog.bytes, backlog.runs, backlog.bounded) == (5, 50, 1, False)
    assert inbox.backlog(bound=3).bounded


@pytest.mark.skipif(os.geteuid() == 0, reason="rights do not bind root")
def test_a_place_that_may_not_be_written(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InboxError, match="see to its rights"):
            inbox.create("batches/1.json", b"")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("")
    with pytest.raises(InboxError, match="cannot be made: File exists"):
        open_inbox(tmp_path / "inbox", create=True)


def test_leftovers_of_dead_writers_go_once_they_are_old(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    put(tmp_path, ".00000001.execution.json.gz")
    put(tmp_path, ".00000002.execution.json.gz")
    os.utime(tmp_path / RUN / ".00000001.execution.json.gz", (0, 0))
    inbox.remove_leftovers(RUN, 3600)
    assert [path.name for path in (tmp_path / RUN).iterdir()] == [".00000002.execution.json.gz"]


def test_a_folder_that_is_no_inbox_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / ".album").write_text("mine")
    with pytest.raises(InboxError, match="is no inbox"):
        open_inbox(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".album", "photos"]


def test_hidden_files_of_others_are_no_leftovers(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    for name in (".bashrc", ".00000001.execution.json.gz", ".inbox.json.4711.0a1b2c3d"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    inbox.remove_leftovers("", 3600)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [".bashrc"]
