"""`spark-lineage run` leaves a command as it is: its path, its signals, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def launched(*command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    run = [sys.executable, "-m", "spark_lineage.cli", "run", "--", *command]
    return subprocess.run(run, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


def test_an_empty_part_of_pythonpath_is_still_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "only_here.py").write_text("print('found')\n")
    (tmp_path / "job.py").write_text("import only_here\n")
    done = launched(sys.executable, str(tmp_path / "job.py"), cwd=tmp_path / "here", PYTHONPATH=f"{os.pathsep}{ROOT}")
    assert (done.returncode, done.stdout) == (0, "found\n"), done.stderr


def test_a_broken_pipe_ends_a_command_without_a_word(tmp_path: Path) -> None:
    done = launched("bash", "-c", 'yes | head -1; echo "${PIPESTATUS[0]}"', cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("y\n141\n", "")


def test_the_exit_code_is_kept_where_the_caller_ignores_its_children(tmp_path: Path) -> None:
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = [sys.executable, "-c", ignoring, "-m", "spark_lineage.cli", "run", "--", "sh", "-c", "exit 3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A shell in between: its own child must be this test's to wait for.
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "")


def test_a_script_without_an_interpreter_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hi\n")
    script.chmod(0o700)
    done = launched(str(script), cwd=tmp_path)
    assert done.returncode != 0
    assert "a first line with #!" in done.stderr


def test_two_applications_of_one_command_are_two_runs(tmp_path: Path) -> None:
    code = "from spark_lineage.capture.attach import _new_run_id; print(_new_run_id())"
    done = launched(
        "sh", "-c", f"'{sys.executable}' -c '{code}'; '{sys.executable}' -c '{code}'; echo $SPARK_LINEAGE_RUN_ID", cwd=tmp_path
    )
    first, second, given = done.stdout.split()
    assert first == given
    assert second != given


@pytest.mark.parametrize("theirs", ["import no_such_module", "raise ValueError('theirs')"])
def test_what_goes_wrong_in_another_sitecustomize_is_told_as_without_us(theirs: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(theirs + "\n")
    done = launched(sys.executable, "-c", "print('done')", cwd=tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert (done.returncode, done.stdout) == (0, "done\n")
    # Once by the wrapper's own Python, which has it on its path too, and once by the command.
    assert done.stderr.count("Error in sitecustomize") == 2
