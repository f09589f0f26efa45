"""An inbox that a group shares: what is made in it is for the group, whatever the umask is."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spark_lineage.capture import child
from spark_lineage.inbox.batch import mark_reading
from spark_lineage.inbox.folder import InboxDocument, InboxFolder, open_inbox
from spark_lineage.inbox.quarantine import quarantine
from spark_lineage.ingest import _log_to
from spark_lineage.rights import make_folder

RUN = "01976000-0000-7000-8000-000000000001"


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o7777 for path in sorted(folder.rglob("*"))}


def used(inbox: InboxFolder) -> None:
    """An ingester's file operations."""
    with inbox.lock() as mine:
        assert mine
        inbox.replace(f"{RUN}/00000001.execution.json.gz", b"x")
        inbox.create("batches/00000001.json", b"{}")
        document = InboxDocument(RUN, "00000001.execution.json.gz", 1)
        mark_reading(inbox, document)
        quarantine(inbox, document, "no reason", "0")
        _log_to(inbox, "x")
    child._ask(inbox.location, RUN)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("inbox_mode", "folder", "file"), [(0o2770, 0o2770, 0o660), (0o700, 0o700, 0o600), (0o755, 0o700, 0o600)]
)
def test_an_ingester_follows_the_inbox(inbox_mode: int, folder: int, file: int, tmp_path: Path) -> None:
    tmp_path.chmod(inbox_mode)
    used(open_inbox(tmp_path, create=True))
    made = modes(tmp_path)
    asked = {f"state/{RUN}.asked"}  # which its maker alone writes to
    assert {name for name, mode in made.items() if mode not in (folder, file)} <= asked
    assert {
        made["lock"],
        made["inbox.json"],
        made["batches/00000001.json"],
        made[f"quarantine/{RUN}/00000001.execution.json.gz"],
    } == {file}
    assert {made["logs"], made["state"], made["quarantine"], made[f"quarantine/{RUN}"]} == {folder}


@pytest.mark.usefixtures("umask")
def test_a_shared_folder_keeps_the_bit_that_gives_files_its_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    make_folder(tmp_path / "shared", shared=True)
    make_folder(tmp_path / "private", shared=False)
    make_folder(tmp_path / "private", shared=True)  # is there, and stays as it is
    assert modes(tmp_path) == {"private": 0o2700, "shared": 0o2770}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")
def test_two_users_of_a_group_take_turns() -> None:
    place = Path(tempfile.mkdtemp())
    try:
        os.chown(place, 40_001, 40_000)
        place.chmod(0o2770)
        for user in (40_001, 40_002):
            assert as_user(user, 40_000, lambda: used(open_inbox(place, create=True))) == 0
    finally:
        shutil.rmtree(place)


def as_user(user: int, group: int, act: Callable[[], None]) -> int | None:
    """The exit code of a process of this user, whose own group is another one, doing this."""

    def become() -> None:
        os.setgroups([group])
        os.setgid(user)
        os.setuid(user)
        os.umask(0o022)
        act()

    process = multiprocessing.get_context("fork").Process(target=become)
    process.start()
    process.join(60)
    return process.exitcode


@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no javac")
def test_the_bridge_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "Make.java").write_text(
        "package org.sparklineage.bridge;\nclass Make {\n  public static void main(String[] a) throws Exception {\n"
        '    Rights.folders(new java.io.File(a[0] + "/shared"), true);\n'
        '    Rights.create(new java.io.File(a[0] + "/shared/file"), true).close();\n'
        '    Rights.folders(new java.io.File(a[0] + "/private"), false);\n  }\n}\n'
    )
    rights = Path(child.__file__).parent / "bridge" / "Rights.java"
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    inbox.chmod(0o2770)
    subprocess.run(["javac", "-nowarn", "-d", tmp_path, tmp_path / "Make.java", rights], check=True, capture_output=True)
    subprocess.run(["java", "-cp", tmp_path, "org.sparklineage.bridge.Make", inbox], check=True)
    assert modes(inbox) == {"private": 0o2700, "shared": 0o2770, "shared/file": 0o660}
