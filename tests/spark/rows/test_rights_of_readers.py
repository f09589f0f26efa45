"""Who asks for rows reads the sources with his own rights: what he may not read he is not shown, whatever is recorded of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.rows.due import due
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak

AS_ANY_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Before a command: root, too, may then only do what the mode of a file says."""


@pytest.fixture(scope="module")
def root(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A table of sums with a sample of all its rows; the data of its source may not be read any more."""
    root = tmp_path_factory.mktemp("rights")
    spark.sql("SELECT id, id % 3 AS third, 'canary ' || id AS secret FROM range(9)").write.format("delta").save(
        str(root / "source")
    )
    attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="rights", rows_sample=1)
    assert attachment is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        counts = f"SELECT third, max(secret) AS newest FROM delta.`{root}/source` GROUP BY third"
        spark.sql(f"CREATE TABLE delta.`{root}/counts` USING delta AS {counts}")
        assert attachment.flush(60)
        detach(spark)
        ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        store = Store.open(str(root / "store"))
        list(take_samples(spark, store, due(store, load(store=str(root / "store"))), Limits(key=str(root / "key"))))
    closed = list((root / "source").glob("*.parquet"))
    for file in closed:
        file.chmod(0o000)
    yield root
    for file in closed:
        file.chmod(0o600)


def ask(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*AS_ANY_USER, sys.executable, "-m", "spark_lineage.cli", "--store", str(root / "store"), "--json", *arguments]
    variables = {**os.environ, "SPARK_LINEAGE_EXECUTABLES_KEY": str(root / "key")}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=variables)


def test_a_trace(root: Path) -> None:
    """It ends with the reason. What the sample has of the rows is told, ids alone."""
    done = ask(root, "trace", str(root / "counts"), "--where", "third = 1")
    (hop,) = json.loads(done.stdout)
    assert "Permission denied" in json.dumps(hop)
    assert hop["witness"]["sources"][0]["count"] == 3
    assert not any(row["values"] for row in hop["witness"]["sources"][0]["rows"])
    assert "canary" not in json.dumps(hop["witness"])


def test_values_of_a_sample(root: Path) -> None:
    done = ask(root, "rows", "show", str(root / "counts"), "--values")
    assert [row["values"] for row in json.loads(done.stdout)] == [None] * 9, done
    (told,) = {line for line in done.stderr.splitlines() if "cannot be read: " in line}
    assert told.endswith("(Permission denied)")
    assert "canary" not in done.stdout


def test_what_was_made_of_rows(root: Path) -> None:
    done = ask(root, "trace", "--forward", str(root / "source"), "--where", "id = 4")
    assert "Permission denied" in done.stdout, done
    assert "canary" not in done.stdout


def test_what_is_kept_of_rows_has_no_values(root: Path) -> None:
    """Ids and hashes of all columns of the tables of samples; the rows were sampled by a text."""
    store = Store.open(str(root / "store"))
    kept, samples = store.arrow("row_lineage").to_pylist(), store.arrow("row_samples").to_pylist()
    assert (len(kept), [one["reason"] for one in samples]) == (9, [None])
    assert "canary" not in str((kept, samples))
    assert b"canary" not in b"".join(value for row in kept for value in row.values() if isinstance(value, bytes))
