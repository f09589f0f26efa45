"""Plans that another process recorded: `record(*names)` gives what it left, in lineage tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording import Recorded

from spark_lineage.ingest import ingest

CORPUS = Path(__file__).parent / "corpus.py"


@pytest.fixture(scope="session")
def record(spark_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recorded]:
    """Runs the corpus, or another program, in a process of its own, and brings its documents into tables."""

    def run(*names: str, program: Path = CORPUS, timeout: int = 900) -> Recorded:
        work = tmp_path_factory.mktemp("recorded")
        (work / "settings.json").write_text(json.dumps(spark_settings))
        command = [sys.executable, str(program), str(work / "settings.json"), str(work), *names]
        environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(CORPUS.parents[3])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        store, key = str(work / "lineage"), str(work / "config" / "key")
        report = ingest(str(work / "inbox"), store, executables_key=key)
        assert report.quarantined == 0, report.warnings
        return Recorded(work, store, key, json.loads((work / "expected.json").read_text()))

    return run
