"""Each way to attach, with a real process; and that the process is the same with and without us."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from captured import documents, executions, versions_read, versions_written

import spark_lineage
from spark_lineage.capture.bundle import write_bundle

JOB = Path(__file__).parents[1] / "programs" / "plain_job.py"
ROOT = Path(__file__).parents[3]
TIMEOUT = 300


def lineage_cli(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "spark_lineage.cli", *arguments]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def run(command: list[str], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=TIMEOUT)


def python_job(spark_settings: dict[str, str], *arguments: str) -> list[str]:
    """The job by `python job.py`: its settings come by PYSPARK_SUBMIT_ARGS, set by `submit_args`."""
    return [sys.executable, str(JOB), *arguments]


def submit_args(spark_settings: dict[str, str]) -> str:
    return (
        shlex.join([part for key, value in spark_settings.items() for part in ("--conf", f"{key}={value}")]) + " pyspark-shell"
    )


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [("exit", "failed", "exit code 3"), pytest.param("stop", "succeeded", None, marks=pytest.mark.soak)],
)
def test_run_changes_nothing_and_records_all(
    end: str, status: str, error: str | None, spark_submit: Callable[..., list[str]], tmp_path: Path
) -> None:
    plain = run(spark_submit(JOB, str(tmp_path / "plain"), end), tmp_path)
    command = spark_submit(JOB, str(tmp_path / "watched"), end)
    watched = run(lineage_cli("--store", str(tmp_path / "store"), "run", "--", *command), tmp_path)
    assert watched.returncode == plain.returncode == (3 if end == "exit" else 0)
    assert sorted(watched.stdout.splitlines()) == sorted(plain.stdout.splitlines())  # spark-submit joins Python's two streams
    assert "a line on stdout" in watched.stdout
    assert "spark-lineage" not in watched.stderr
    assert _rows(tmp_path / "watched" / "twice") == _rows(tmp_path / "plain" / "twice")
    _bring_in_what_is_left(tmp_path)
    lineage = spark_lineage.open(str(tmp_path / "store"))
    (recorded,) = lineage.runs()
    assert (recorded.job_name, recorded.status, recorded.error) == ("plain_job", status, error)


def _rows(table: Path) -> list[tuple[int, int]]:
    from deltalake import DeltaTable

    return sorted(tuple(row.values()) for row in DeltaTable(str(table)).to_pyarrow_table().to_pylist())


def _bring_in_what_is_left(folder: Path) -> None:
    done = run(lineage_cli("--store", str(folder / "store"), "ingest", str(folder / "store" / "inbox"), "--final"), folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.soak
def test_only_a_properties_file_and_a_zip(spark_submit: Callable[..., list[str]], tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "spark-lineage.zip")
    conf = (ROOT / "conf" / "spark-lineage.conf").read_text(encoding="utf-8")
    conf = conf.replace("/opt/spark-lineage/spark-lineage.zip", str(bundle)).replace(
        "/var/lib/spark-lineage/inbox", str(tmp_path / "inbox")
    )
    (tmp_path / "lineage.conf").write_text(conf)
    command = spark_submit(JOB, str(tmp_path), "raise")
    command[1:1] = ["--properties-file", str(tmp_path / "lineage.conf")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, env=_without_pythonpath())
    assert done.returncode == 1
    assert "ValueError: what the job raised" in done.stdout
    recorded = executions(tmp_path / "inbox")
    assert [versions_written(document) for document in recorded] == [{"counts": [0]}, {"twice": [0]}]
    assert versions_read(recorded[1]) == {"counts": {0}}
    last = documents(tmp_path / "inbox")[-1]
    assert (last["kind"], last["status"]) == ("run_end", "failed")
    assert last["error"].startswith("ValueError: what the job raised")
    assert "hunter2" not in json.dumps(documents(tmp_path / "inbox"))


@pytest.mark.soak
def test_py_files_and_conf(spark_submit: Callable[..., list[str]], tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "spark-lineage.zip")
    settings = {"spark.lineage.inbox": str(tmp_path / "inbox"), "spark.lineage.ingest": "none"}
    command = spark_submit(JOB, str(tmp_path), "stop", conf=settings)
    command[1:1] = ["--py-files", str(bundle)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, env=_without_pythonpath())
    assert done.returncode == 0, done.stderr[-2000:]
    assert [document["kind"] for document in documents(tmp_path / "inbox")] == [
        "run_start",
        "execution",
        "execution",
        "run_end",
    ]


def _without_pythonpath() -> dict[str, str]:
    """The job's Python must find us in the zip, not in this checkout."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


@pytest.mark.soak
def test_python_job_to_the_tables_before_it_exits(spark_settings: dict[str, str], tmp_path: Path) -> None:
    command = python_job(spark_settings, str(tmp_path), "stop")
    options = ["--store", str(tmp_path / "store"), "run", "--", *command]
    done = run(
        lineage_cli(*options), tmp_path, PYSPARK_SUBMIT_ARGS=submit_args(spark_settings), SPARK_LINEAGE_EXIT_WAIT_SECONDS="60"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = spark_lineage.open(str(tmp_path / "store")).upstream(f"{tmp_path}/twice.twice")
    assert "counts" in str(answer)


@pytest.mark.soak
def test_the_pyspark_shell(spark_settings: dict[str, str], tmp_path: Path) -> None:
    flags = [part for key, value in spark_settings.items() for part in ("--conf", f"{key}={value}")]
    shell = str(Path(sys.executable).parent / "pyspark")
    command = lineage_cli("--store", str(tmp_path / "store"), "run", "--", shell, *flags)
    done = subprocess.run(
        command,
        input="print(spark.range(5).count() + 1000)\nexit()\n",
        cwd=tmp_path,
        env=environment(SPARK_LINEAGE_INGEST="none", PYSPARK_DRIVER_PYTHON_OPTS="-i"),  # as at a terminal
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "1005" in done.stdout
    (document,) = executions(tmp_path / "store" / "inbox")
    assert document["name"] == "count"


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_everything_that_ended_is_there(number: signal.Signals, spark_settings: dict[str, str], tmp_path: Path) -> None:
    command = lineage_cli("--store", str(tmp_path / "store"), "run", "--", *python_job(spark_settings, str(tmp_path), "sleep"))
    env = environment(PYSPARK_SUBMIT_ARGS=submit_args(spark_settings), SPARK_LINEAGE_INGEST="none")
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "a line on stdout\n"
    inbox = tmp_path / "store" / "inbox"
    if number == signal.SIGTERM:
        process.send_signal(number)
    else:
        start = json.loads(json.dumps(_wait_for(inbox, "run_start")))
        os.kill(start["pid"], number)
    assert process.wait(60) == -number, "the wrapper dies as the command did"
    _wait_for(inbox, "run_end")
    assert [versions_written(document) for document in executions(inbox)] == [{"counts": [0]}, {"twice": [0]}]
    _bring_in_what_is_left(tmp_path)
    (recorded,) = spark_lineage.open(str(tmp_path / "store")).runs()
    assert recorded.status == "failed"
    assert recorded.error is not None
    assert str(int(number)) in recorded.error or number.name in recorded.error


def _wait_for(inbox: Path, kind: str) -> dict[str, object]:
    """The JVM writes the rest after Python is gone: waits for the document of this kind."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [document for document in documents(inbox) if document["kind"] == kind]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no {kind} within a minute: {[d['kind'] for d in documents(inbox)]}")


@pytest.mark.soak
def test_a_failure_after_the_stop_is_told(spark_settings: dict[str, str], tmp_path: Path) -> None:
    env = environment(PYSPARK_SUBMIT_ARGS=submit_args(spark_settings), SPARK_LINEAGE_INGEST="none")
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "spark_lineage/capture/autoload"), str(ROOT)])
    env["SPARK_LINEAGE_STORE"] = str(tmp_path / "store")
    command = python_job(spark_settings, str(tmp_path), "stop-then-raise")
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 1
    _bring_in_what_is_left(tmp_path)
    (recorded,) = spark_lineage.open(str(tmp_path / "store")).runs()
    assert recorded.status == "failed"
    assert "after the stop" in str(recorded.error)


@pytest.mark.soak
def test_what_runs_when_the_context_is_stopped(spark_settings: dict[str, str], tmp_path: Path) -> None:
    """Spark announces the end of the application first, and ends what runs then. Its bus may stop before it tells of that: a gap is left."""
    program = JOB.with_name("stopped_job.py")
    command = [sys.executable, str(program), str(tmp_path), str(tmp_path / "inbox")]
    done = run(command, tmp_path, PYSPARK_SUBMIT_ARGS=submit_args(spark_settings))
    assert done.returncode == 0, done.stderr
    found = executions(tmp_path / "inbox")
    end = documents(tmp_path / "inbox")[-1]
    assert (end["kind"], end["last_sequence"]) == ("run_end", 2)
    told = [one["status"] for one in found]
    assert (told, sum(end["dropped"].values())) in ((["succeeded", "failed"], 0), (["succeeded"], 1)), end["dropped"]


@pytest.mark.soak
def test_sessions_that_were_stopped_are_freed(spark_settings: dict[str, str], tmp_path: Path) -> None:
    """As many as without us: Spark and Delta keep one or two themselves."""
    program = JOB.with_name("sessions_job.py")

    def kept(*arguments: str) -> str:
        command = [sys.executable, str(program), str(tmp_path), *arguments]
        done = run(command, tmp_path, PYSPARK_SUBMIT_ARGS=submit_args(spark_settings))
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("in memory:")[2]

    assert kept(str(tmp_path / "inbox")).count("1") <= kept().count("1") < 4
    assert [versions_written(one) for one in executions(tmp_path / "inbox")] == [{"t": [number]} for number in range(4)]


@pytest.mark.soak
def test_switched_off_there_is_no_trace(spark_settings: dict[str, str], tmp_path: Path) -> None:
    settings = {**spark_settings, "spark.lineage.enabled": "false"}
    command = lineage_cli("--store", str(tmp_path / "store"), "run", "--", *python_job(settings, str(tmp_path), "_exit"))
    done = run(command, tmp_path, PYSPARK_SUBMIT_ARGS=submit_args(settings))
    assert done.returncode == 7
    assert not (tmp_path / "store").exists()


def test_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nprint('theirs', file=sys.stderr)\n")
    command = lineage_cli("--store", str(tmp_path / "store"), "run", "--", sys.executable, "-c", "print('done')")
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)])),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "theirs" in done.stderr


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    done = run(lineage_cli("run", "--", "no-such-command-anywhere"), tmp_path)
    assert done.returncode == 127, "what a shell says"
    assert "no-such-command-anywhere" in done.stderr
    assert "Traceback" not in done.stderr
