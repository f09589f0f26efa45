"""The ingester child: a process of its own beside the driver, which outlives it to finish."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_NEEDED = ("deltalake", "pyarrow")


def start(inbox: str, store: str, run_id: str, warnings: list[str]) -> subprocess.Popen[bytes] | None:
    """Starts ``python -m spark_lineage.ingest`` for this run; None, with a warning, where it cannot run here.

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
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK_", "SPARK_ENV"))}
    environment["PYTHONPATH"] = os.pathsep.join([str(package), *_without_autoload(environment.get("PYTHONPATH", ""))])
    command = [python, "-m", "spark_lineage.ingest", "--inbox", inbox, "--store", store, "--follow", run_id, "--driver-pid", str(os.getpid())]  # fmt: skip
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=True,
            env=environment,
            cwd="/" if os.name == "posix" else None,
        )
    except OSError as error:
        warnings.append(f"the ingester could not be started ({error}): run `spark-lineage ingest {inbox}`")
        return None


def _can_ingest() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def wait_until_ingested(inbox: str, run_id: str, last: int, process: Any, deadline: float) -> bool:
    """Waits until the tables have everything of this run up to document `last`."""
    while True:
        if _ingested_through(inbox, run_id) >= last:
            return True
        if time.monotonic() >= deadline or process.poll() is not None:
            return _ingested_through(inbox, run_id) >= last
        time.sleep(0.02)


def wait_for_exit(inbox: str, run_id: str, process: Any, deadline: float) -> None:
    """At the driver's end: until the child has taken in all that is in this run's folder, or the time is up."""
    folder = Path(inbox) / run_id
    while time.monotonic() < deadline and process.poll() is None:
        if not any(name.endswith(".json.gz") for name in _names(folder)):
            return
        time.sleep(0.02)


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
