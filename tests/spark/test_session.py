"""The set-up itself: the session that every other test here builds on reads and writes Delta, at versions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_session_travels_through_versions_of_a_delta_table(spark: SparkSession, tmp_path: Path) -> None:
    table = str(tmp_path / "numbers")
    spark.range(3).write.format("delta").save(table)
    spark.range(5).write.format("delta").mode("overwrite").save(table)
    counts = [spark.read.format("delta").option("versionAsOf", version).load(table).count() for version in (0, 1)]
    assert counts == [3, 5]


def test_workers_run_the_python_of_the_driver(spark: SparkSession) -> None:
    def interpreter(_: object) -> str:
        import sys

        return sys.prefix

    assert spark.sparkContext.parallelize([0], 1).map(interpreter).collect() == [sys.prefix]


def test_spark_submit_runs_a_job_on_delta(spark_submit: Callable[..., list[str]], tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "import sys\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "spark.range(4).write.format('delta').save(sys.argv[1])\n"
        "print('rows', spark.read.format('delta').load(sys.argv[1]).count())\n"
    )
    done = subprocess.run(spark_submit(job, str(tmp_path / "t")), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "rows 4\n"
