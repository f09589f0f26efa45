"""Replays that are ended from outside: nothing is left behind, whichever way they are asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_overlay import digest

from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A table that takes 20 seconds to be made again."""
    root = tmp_path_factory.mktemp("ends")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        spark.range(0, 40, 1, 1).write.format("delta").save(f"{root}/lake/source")
        spark.range(0, 3).write.parquet(f"{root}/lake/raw")
        attachment = attach(
            spark, inbox=str(root / "inbox"), store=str(root / "store"), ingest="none", strict=True, job_name="long"
        )
        assert attachment is not None

        def slowly(value: int) -> int:
            import time
            from pathlib import Path

            if Path(f"{root}/slow").exists():
                Path(f"{root}/computing").touch()
                time.sleep(0.5)
            return value

        spark.udf.register("slowly", slowly, "bigint")
        spark.sql(
            f"CREATE TABLE delta.`{root}/lake/slow` USING delta AS SELECT slowly(id) AS id FROM delta.`{root}/lake/source`"
        )
        assert attachment.flush(60)
        detach(spark)
        assert ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key")).quarantined == 0
        (root / "slow").touch()
        yield root


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "what", [("last",), ("--upstream-of", "slow@0"), ("--downstream-of", "source")], ids=lambda what: what[0]
)
def test_an_end_from_outside(number: signal.Signals, what: tuple[str, ...], lake: Path, tmp_path: Path) -> None:
    before = digest(lake / "lake")
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "SPARK_LINEAGE_EXECUTABLES_KEY": str(lake / "key"), "TMPDIR": str(tmp_path),
        "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={tmp_path}", "SPARK_LOCAL_DIRS": str(tmp_path),
    }  # fmt: skip
    computing = lake / "computing"
    computing.unlink(missing_ok=True)
    command = [sys.executable, "-m", "spark_lineage.cli", "--store", str(lake / "store"), "replay", *what]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    told: list[str] = []
    assert process.stderr is not None
    reading = threading.Thread(target=lambda: told.extend(process.stderr or ()))
    reading.start()
    deadline = time.monotonic() + 120
    while not computing.exists():
        assert time.monotonic() < deadline, told
        assert process.poll() is None, told
        time.sleep(0.1)
    process.send_signal(number)
    process.wait(timeout=60)
    reading.join(timeout=60)
    assert process.returncode == 128 + number, "".join(told[-4:])
    assert Store.open(str(lake / "store")).arrow("replays").num_rows == 0
    assert digest(lake / "lake") == before
    deadline = time.monotonic() + 30  # its JVM has folders of its own, which it takes away as it ends
    while (left := list(tmp_path.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
