"""Whatever the umask is, what Python makes beside the lineage tables is for its owner alone: folders 0700, files 0600."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from driver_documents import Driver, run_id

from spark_lineage import ingest as ingestion
from spark_lineage.capture import attach, child, compiled, launch
from spark_lineage.inbox.folder import open_inbox
from spark_lineage.store.signing import load_keys

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def umask() -> Iterator[None]:
    """The one that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What below the folder has other rights, the folder included."""
    found = [folder, *folder.rglob("*")]
    assert len(found) > 1, "something was made"
    return [
        f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:o}"
        for path in found
        if path.stat().st_mode & 0o777 != (0o700 if path.is_dir() else 0o600)
    ]


@pytest.mark.usefixtures("umask")
def test_all_of_an_inbox_after_a_run(tmp_path: Path) -> None:
    """The documents themselves are the JVM's affair; here are the folder that it is given and all that the ingester makes."""
    inbox, run = tmp_path / "inbox", run_id(1)
    attach._make_folder(str(inbox), run, group=False)
    driver = Driver(inbox, run)
    written = [driver.start(), driver.execution(), driver.write_bytes("execution", b"no document"), driver.end()]
    for path in written:
        path.chmod(0o600)
    child._ask(str(inbox), run)
    launch.write_exit(inbox / run, {"exit_code": 1, "signal": None, "error": "e"})
    command = [sys.executable, "-m", "spark_lineage.ingest", "--inbox", str(inbox), "--store", str(tmp_path / "store")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert subprocess.run(command, env=environment, timeout=120).returncode in (0, 2), "2: a document is in quarantine"
    assert {"inbox.json", "ledger", "quarantine", "logs", "lock", "state"} <= {path.name for path in inbox.iterdir()}
    assert open_to_others(inbox) == []


@pytest.mark.usefixtures("umask")
def test_the_key_and_the_folders_above_it(tmp_path: Path) -> None:
    load_keys(tmp_path / "config" / "spark-lineage" / "executables.key", create=True)
    assert open_to_others(tmp_path / "config") == []


@pytest.mark.usefixtures("umask")
def test_what_was_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = compiled.place("content")
    assert place is not None
    compiled.keep(place, {"a.B": b"code"})
    assert open_to_others(tmp_path / "spark-lineage") == []


@pytest.mark.usefixtures("umask")
def test_a_log_that_was_turned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[logging.Handler] = []
    monkeypatch.setattr(ingestion, "LOG_BYTES", 100)
    monkeypatch.setattr(logging, "basicConfig", lambda **options: made.extend(options["handlers"]))
    monkeypatch.setattr(logging, "raiseExceptions", True)
    ingestion._log_to(open_inbox(str(tmp_path / "inbox"), create=True), "run")
    (handler,) = made
    for number in range(5):
        handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, f"{number:090d}", None, None))
    handler.close()
    assert {path.name for path in (tmp_path / "inbox" / "logs").iterdir()} == {"run.log", "run.log.1"}
    assert open_to_others(tmp_path / "inbox") == []
