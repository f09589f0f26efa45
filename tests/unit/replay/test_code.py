"""Which command is run again for a recorded run, where, and on which code."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.errors import ExecutableError
from spark_lineage.model import REDACTED
from spark_lineage.replay.code import recorded


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With a job that has changed since its first commit."""
    root = tmp_path / "repository"
    (root / "jobs").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "jobs" / "job.py").write_text("then")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    (root / "jobs" / "job.py").write_text("now")
    git(root, "commit", "-qam", "second")
    return root


def run(**more: Any) -> dict[str, Any]:
    fields = "entry_point arguments command working_directory code_repository code_commit code_dirty code_sha256"  # as `runs` has them
    return {**dict.fromkeys(fields.split()), **more}


def test_the_code_of_then(repository: Path, tmp_path: Path) -> None:
    commit, job = git(repository, "rev-parse", "HEAD~1"), str(repository / "jobs" / "job.py")
    command = [str(repository / ".venv" / "bin" / "python"), job, "--in", str(repository / "data"), "/elsewhere"]
    then = run(entry_point=job, command=command, working_directory=str(repository / "jobs"), code_commit=commit)
    program = recorded(then, tmp_path / "scratch")
    checkout = tmp_path / "scratch" / "code"
    assert program.directory == checkout / "jobs"
    assert (program.directory / "job.py").read_text() == "then"
    assert program.command == (
        sys.executable,
        str(checkout / "jobs" / "job.py"),
        "--in",
        str(repository / "data"),
        "/elsewhere",
    )
    assert program.doubts == ()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "worktree", "list").count("\n") == 0


def test_relative_names_stay(repository: Path, tmp_path: Path) -> None:
    commit, job = git(repository, "rev-parse", "HEAD~1"), str(repository / "jobs" / "job.py")
    command = ["python3", "-m", "jobs.job"]
    then = run(entry_point=job, command=command, working_directory=str(repository), code_commit=commit, code_dirty=True)
    program = recorded(then, tmp_path / "scratch")
    assert (program.command, program.directory) == (tuple(command), tmp_path / "scratch" / "code")
    assert [doubt.partition(":")[0] for doubt in program.doubts] == ["changed code"]


def test_from_the_remote_where_the_work_tree_is_gone(repository: Path, tmp_path: Path) -> None:
    gone = "/nowhere/jobs/job.py"
    then = run(
        entry_point=gone, command=["python3", "jobs/job.py"], working_directory="/nowhere", code_repository=str(repository),
        code_commit=git(repository, "rev-parse", "HEAD~1"),
    )  # fmt: skip
    program = recorded(then, tmp_path / "scratch")
    assert (program.directory / "jobs" / "job.py").read_text() == "then"


def test_without_a_commit(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text("then")
    sha = hashlib.sha256(b"then").hexdigest()
    then = run(entry_point=str(job), arguments=["1"], working_directory=str(tmp_path), code_sha256=sha)
    program = recorded(then, tmp_path / "scratch")
    assert (program.command, program.directory, program.doubts) == ((sys.executable, str(job), "1"), tmp_path, ())
    job.write_text("now")
    (doubt,) = recorded(then, tmp_path / "scratch").doubts
    assert doubt.startswith(f"changed code: {job} has changed since")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"entry_point": "<notebook>", "command": ["python3", "-m", "ipykernel"]}, "it ran in a notebook"),
        ({"entry_point": "<shell>"}, "how <shell> was started is not recorded"),
        ({"entry_point": "org.example.Job"}, "how org.example.Job was started is not recorded"),
        ({"entry_point": "/x/job.py", "command": ["python3", "/x/job.py", REDACTED]}, "its command holds secrets"),
        ({"entry_point": "/x/job.py", "command": ["/x/pyspark"]}, "is no Python"),
        ({"entry_point": "/x/job.py", "working_directory": "/x/y"}, "the folder /x/y that it ran in is not there any more"),
        ({"entry_point": "/x/job.py", "working_directory": "/", "code_sha256": "1"}, "its code /x/job.py cannot be read"),
        ({"entry_point": "/x/job.py", "code_commit": "0" * 40}, "no repository with its commit 000000000000 is known"),
        (
            {"entry_point": "/x/job.py", "code_commit": "0" * 40, "code_repository": "/x/none"},
            "commit 000000000000 cannot be checked out from /x/none",
        ),
    ],
)
def test_what_cannot_be_started(more: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ExecutableError, match=told.replace("<", "<")):
        recorded(run(**more), tmp_path)
