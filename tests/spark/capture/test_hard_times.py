"""Real processes in want: a small heap, a long life, a JVM that does not answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from captured import documents, executions
from test_processes import _wait_for, environment, lineage_cli, submit_args

PROGRAMS = Path(__file__).parents[1] / "programs"
SMALL = {
    "spark.driver.memory": "512m", "spark.sql.ui.retainedExecutions": "20", "spark.ui.retainedJobs": "20", "spark.ui.retainedStages": "20",
}  # fmt: skip
ROUNDS = 6
HEAP_SHARE, HEAP_GROWTH = 1.05, 0.02
"""What the heap after a collection may be at the end of a long job, of what it is without us; and by how much more of what it was
after two rounds it may have grown: Spark's own grows by 6 % in the rounds after that."""


def long_job(folder: Path, heavy: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    command = [sys.executable, str(PROGRAMS / "long_job.py"), str(folder), str(ROUNDS), heavy]
    options = ["--store", str(folder / "store"), "run", "--", *command]
    variables = environment(
        PYSPARK_SUBMIT_ARGS=submit_args({**settings, **SMALL}), SPARK_LINEAGE_INGEST="none", TMPDIR=str(folder)
    )
    return subprocess.run(lineage_cli(*options), cwd=folder, env=variables, capture_output=True, text=True, timeout=1800)


@pytest.mark.soak
def test_a_heap_of_512_megabytes_and_a_long_life(spark_settings: dict[str, str], tmp_path: Path) -> None:
    """Sessions, views, streams, failures and plans of thousands of expressions, with and without us: the same, and all recorded."""
    watched = long_job(tmp_path / "watched", "1", spark_settings)
    plain = long_job(tmp_path / "plain", "1", {**spark_settings, "spark.lineage.enabled": "false"})
    assert (watched.returncode, watched.stdout) == (plain.returncode, plain.stdout)
    assert watched.stdout.splitlines()[-1] == "over"
    heaps = _heaps(tmp_path / "watched")
    ours, sparks = ([one["heap"] for one in side] for side in (heaps, _heaps(tmp_path / "plain")))
    assert heaps[0]["most"] <= 512 << 20
    assert [one["retained"][:7] for one in heaps] == [[0] * 7] * ROUNDS, "nothing is kept between rounds"
    assert ours[-1] <= sparks[-1] * HEAP_SHARE, (ours, sparks)
    assert ours[-1] / ours[1] <= sparks[-1] / sparks[1] + HEAP_GROWTH, (ours, sparks)
    inbox = tmp_path / "watched" / "store" / "inbox"
    end = documents(inbox)[-1]
    assert (end["kind"], end["status"], end["dropped"]) == ("run_end", "succeeded", {})
    recorded = executions(inbox)
    assert end["last_sequence"] == len(recorded), "no number is missing"
    streams = sum("stream" in document for document in recorded)
    failed = sum(document["status"] == "failed" for document in recorded)
    assert (streams >= 1, failed) == (True, 5 * ROUNDS)
    collects = sum(document["name"] == "collectToPython" for document in recorded)
    assert collects == (40 + 10 + 2) * ROUNDS


def _heaps(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "heap").read_text().splitlines()]


@pytest.mark.soak
@pytest.mark.parametrize("raises", [False, True])
def test_a_jvm_that_stands_still_does_not_hold_up_the_end(raises: bool, spark_settings: dict[str, str], tmp_path: Path) -> None:
    """Python ends, as it does without us; what had ended is written when the JVM goes on."""
    pid = tmp_path / "pid"
    command = [sys.executable, str(PROGRAMS / "frozen_job.py"), str(pid), "freeze", *(["the job's own"] if raises else [])]
    options = ["--store", str(tmp_path / "store"), "run", "--", *command]
    more = {"SPARK_LINEAGE_EXIT_WAIT_SECONDS": "2", "SPARK_LINEAGE_INGEST": "none"}
    process = subprocess.Popen(
        lineage_cli(*options), cwd=tmp_path, env=environment(PYSPARK_SUBMIT_ARGS=submit_args(spark_settings), **more),
        stdout=(tmp_path / "out").open("w"), stderr=(tmp_path / "err").open("w"),
    )  # fmt: skip
    try:
        assert process.wait(120) == int(raises), (tmp_path / "err").read_text()[-2000:]
    finally:
        process.kill()
        os.kill(int(pid.read_text()), signal.SIGCONT)
    assert (tmp_path / "out").read_text().splitlines() == ["5", "over"]
    assert ("ValueError: the job's own" in (tmp_path / "err").read_text()) is raises
    inbox = tmp_path / "store" / "inbox"
    _wait_for(inbox, "run_end")
    assert [document["name"] for document in executions(inbox)] == ["count"]
