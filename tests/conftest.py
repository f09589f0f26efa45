"""For every test: the same examples each time, unless `--hypothesis-profile=soak` asks for new and more ones.

And a configuration folder of the tests' own: the key that signs executables is made there, not in the user's. What a shell starts in the
background ignores interrupts, and so would all that tests start, some of which they interrupt.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

_configuration = tempfile.mkdtemp(prefix="spark-lineage-tests-")
atexit.register(shutil.rmtree, _configuration, ignore_errors=True)
os.environ["XDG_CONFIG_HOME"] = _configuration

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("seeded", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("seeded")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where `SPARK_LINEAGE_FAILURES` names a file, what fails is there at once, with what it printed (its seed): a suite takes hours to end."""
    place = os.environ.get("SPARK_LINEAGE_FAILURES")
    if place and report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n{report.longreprtext}\n{report.capstdout}\n")
