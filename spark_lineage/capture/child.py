"""The ingester child: a process of its own beside the driver, which outlives it to finish."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..rights import is_shared, make_folder

_NEEDED = ("deltalake", "pyarrow")


@dataclass(frozen=True)
class Ingester:
    """The ingester's process. It is nobody's child: a job that waits for its own children must not find ours among them."""

    pid: int

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def wait(self, seconds: float) -> bool:
        """Whether it ended within the time."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True


def start(inbox: str, store: str, run_id: str, warnings: list[str], options: Sequence[str] = ()) -> Ingester | None:
    """Starts ``python -m spark_lineage.ingest`` for this run, with further `options`; None, with a warning, where it cannot run here.

    It has its own session (a Ctrl-C in the driver's terminal does not reach it), no terminal, and none of the job's
    streams.
    """
    python = os.environ.get("SPARK_LINEAGE_PYTHON", sys.executable)
    package = Path(__file__).resolve().parents[2]
    if not package.is_dir() or (python == sys.executable and not _can_ingest()):
        warnings.append(f"this Python has only what writes documents: run `spark-lineage ingest {inbox}` elsewhere")
        return None
    if "://" in inbox:
        warnings.append(f"the inbox is remote: run `spark-lineage ingest {inbox}` where it can be read")
        return None
    command = [python, "-m", "spark_lineage.ingest", "--inbox", inbox, "--store", store, "--follow", run_id, "--driver-pid", str(os.getpid()), *options]  # fmt: skip
    try:
        return Ingester(_detached(command, _environment(python, package)))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        warnings.append(f"the ingester could not be started ({error}): run `spark-lineage ingest {inbox}`")
        return None


def _environment(python: str, package: Path) -> dict[str, str]:
    """The job's, without what it is for Spark; another Python than the job's must not find the job's packages."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK_", "SPARK_ENV"))}
    path = [str(package)]
    if python == sys.executable:
        path += _without_autoload(environment.get("PYTHONPATH", ""))
    else:
        environment.pop("PYTHONHOME", None)
    environment["PYTHONPATH"] = os.pathsep.join(path)
    return environment


def _detached(command: list[str], environment: dict[str, str]) -> int:
    """Starts the command by way of a shell that is gone at once, and gives its process id. Raises OSError, ValueError."""
    shell = ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 & echo $!', "sh", *command]
    done = subprocess.run(
        shell, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        env=environment, cwd="/", timeout=5, check=True,
    )  # fmt: skip
    return int(done.stdout)


def _can_ingest() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def wait_until_ingested(inbox: str, run_id: str, last: int, process: Ingester, deadline: float) -> bool:
    """Waits until the tables have everything of this run up to document `last`."""
    _ask(inbox, run_id)
    while True:
        if _ingested_through(inbox, run_id) >= last:
            return True
        if time.monotonic() >= deadline or not process.is_alive():
            return _ingested_through(inbox, run_id) >= last
        time.sleep(0.02)


def wait_for_exit(inbox: str, run_id: str, process: Ingester, deadline: float) -> None:
    """At the driver's end: until the child has taken in all that is in this run's folder, or the time is up."""
    folder = Path(inbox) / run_id
    _ask(inbox, run_id)
    while time.monotonic() < deadline and process.is_alive():
        if not any(name.endswith(".json.gz") for name in _names(folder)):
            return
        time.sleep(0.02)


def _ask(inbox: str, run_id: str) -> None:
    """Says that somebody waits: the ingester gathers documents for a while otherwise."""
    state = Path(inbox) / "state"
    try:
        make_folder(state, shared=is_shared(Path(inbox)))
        (state / f"{run_id}.asked").touch(mode=0o600)
    except OSError:
        return  # it is only slower then


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _ingested_through(inbox: str, run_id: str) -> int:
    try:
        state = json.loads((Path(inbox) / "state" / f"{run_id}.json").read_text(encoding="utf-8"))
        return int(state.get("ingested_through", -1))
    except (OSError, ValueError):
        return -1


def _without_autoload(path: str) -> list[str]:
    return [part for part in path.split(os.pathsep) if part and not part.endswith("autoload")]
