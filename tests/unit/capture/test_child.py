"""The ingester's process is nobody's child, and another Python than the job's does not find the job's packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spark_lineage.capture import child


def test_it_runs_detached_and_is_no_child_of_ours(tmp_path: Path) -> None:
    pid = child._detached([sys.executable, "-c", "import sys; sys.stdin.read(); import time; time.sleep(60)"], dict(os.environ))
    ingester = child.Ingester(pid)
    try:
        assert ingester.is_alive()
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        assert os.getsid(pid) != os.getsid(0)
        assert not ingester.wait(0.1)
    finally:
        os.kill(pid, 9)
    assert ingester.wait(30)


def test_a_command_that_is_not_there_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(child.subprocess, "run", _refuses)
    warnings: list[str] = []
    assert child.start(str(tmp_path), str(tmp_path), "run", warnings) is None
    assert "could not be started" in warnings[0]


def _refuses(*_: object, **__: object) -> None:
    raise subprocess.TimeoutExpired("sh", 5)


def test_another_python_gets_none_of_the_jobs_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/job/packages")
    monkeypatch.setenv("PYTHONHOME", "/job/python")
    ours = child._environment("/another/python", Path("/tool"))
    assert ours["PYTHONPATH"] == "/tool"
    assert "PYTHONHOME" not in ours
    assert child._environment(sys.executable, Path("/tool"))["PYTHONPATH"] == "/tool:/job/packages"


def test_a_remote_inbox_is_for_an_ingester_elsewhere() -> None:
    warnings: list[str] = []
    assert child.start("s3://bucket/inbox", "/store", "run", warnings) is None
    assert "spark-lineage ingest s3://bucket/inbox" in warnings[0]
