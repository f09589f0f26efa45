"""Tables of a Hive catalog, with an embedded metastore: a process of its own, since a session has one kind of catalog for life."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import ExecutionDocument, read

PROGRAM = Path(__file__).resolve().parents[1] / "programs" / "hive_job.py"


@pytest.mark.soak
def test_tables_of_a_hive_catalog(spark_submit: Callable[..., list[str]], tmp_path: Path) -> None:
    done = subprocess.run(
        spark_submit(PROGRAM, str(tmp_path), conf={"spark.sql.catalogImplementation": "hive"}),
        capture_output=True, text=True, timeout=600, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found = [read(path.read_bytes()) for path in sorted((tmp_path / "inbox").glob("*/[0-9]*.json.gz"))]
    records = [records_of_execution(one, RunContext("hive")) for one in found if isinstance(one, ExecutionDocument)]
    warehouse = f"{tmp_path}/warehouse"
    moved = [one for one in records if one.inputs or one.outputs]
    told = [
        ({each.name: each.rows_read for each in one.inputs}, {each.name: each.rows_written for each in one.outputs})
        for one in moved
    ]
    lines, days, copied = (f"{warehouse}/{name}" for name in ("lines", "days", "copied"))
    assert told == [({}, {lines: 2}), ({lines: 2}, {days: 2}), ({days: 1}, {}), ({days: 1}, {}), ({lines: 2}, {copied: 2})]
    inserted, by_spark, by_hive = moved[1].outputs[0], moved[2].inputs[0], moved[3].inputs[0]
    assert (inserted.alias, inserted.write_mode) == ("spark_catalog.default.days", "append")
    assert (inserted.fingerprint or "").startswith("listing:")
    assert (by_spark.fingerprint or "").startswith("partitions:")
    assert (by_hive.fingerprint, by_hive.version_basis) == (None, "inferred")
