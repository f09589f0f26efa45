from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from spark_lineage.inbox.folder import open_inbox
from spark_lineage.inbox.watch import Changes, Process


def test_a_change_is_seen_and_an_old_one_only_once(tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path, create=True)
    (tmp_path / "run").mkdir()
    long_ago = time.time() - 100
    os.utime(tmp_path / "run", (long_ago, long_ago))
    changes = Changes(inbox)
    assert changes.any()
    assert not changes.any()
    (tmp_path / "run" / "00000000.run_start.json.gz").touch()
    assert changes.any()
    assert changes.any()  # so fresh that another one in the same tick would not be seen


def test_a_new_folder_is_a_change(tmp_path: Path) -> None:
    changes = Changes(open_inbox(tmp_path, create=True))
    changes.any()
    assert not changes.any()
    (tmp_path / "run").mkdir()
    os.utime(tmp_path / "run", (0, 0))
    assert changes.any()


def test_a_process_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        process = Process(started.pid)
        assert process.alive
        started.kill()
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        assert not process.alive  # a zombie, which nobody has waited for yet
    assert not process.alive
    assert not Process(started.pid).alive
