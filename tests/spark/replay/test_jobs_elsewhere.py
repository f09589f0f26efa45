"""Jobs that are run again where the data lie in HDFS or S3: the overlay is laid over the real clients of both."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stores import bring, hdfs, needs_jars, s3
from test_jobs import WRITTEN, Lake, told

import spark_lineage
from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.held import hold_files
from spark_lineage.store.tables import Store

pytestmark = [pytest.mark.soak, needs_jars]


class Elsewhere(Lake):
    """`files` asks Hadoop's client. How it is reached is in Spark's configuration folder, as people have it."""

    def __init__(self, spark: Any, settings: dict[str, str], folder: Path, elsewhere: str, reached: dict[str, str]) -> None:
        bring(spark, reached)
        super().__init__(spark, settings, folder, elsewhere)
        (folder / "conf").mkdir()
        (folder / "conf" / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in reached.items()))

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return super().start(*arguments, SPARK_CONF_DIR=str(self.folder / "conf"), **more)

    def files(self) -> list[tuple[Any, ...]]:
        jvm = self.spark.sparkContext._jvm
        root = jvm.org.apache.hadoop.fs.Path(self.path)
        found = root.getFileSystem(self.spark.sparkContext._jsc.hadoopConfiguration()).listFiles(root, True)
        listed = []
        while found.hasNext():
            status = found.next()
            listed.append((status.getPath().toString(), status.getLen(), status.getModificationTime()))
        return sorted(listed)


@pytest.fixture(scope="module", params=["hdfs", "s3a"])
def lake(request: Any, spark: Any, spark_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as stack:
        root, settings = (stack.enter_context(hdfs(folder)), {}) if request.param == "hdfs" else stack.enter_context(s3(folder))
        yield Elsewhere(spark, spark_settings, folder, f"{root}/lake", settings)


@pytest.fixture(scope="module")
def nightly(lake: Lake) -> str:
    run = lake.record("nightly_job.py", "more")
    lake.moves_on()
    return run


def test_identical(nightly: str, lake: Lake) -> None:
    """What files without versions were after a write is not known there: capture lists only local folders."""
    code, verdicts, err = lake.replay(nightly)
    wanted = [(name, "not_replayable" if name in ("out", "csv") else "identical") for name in (*WRITTEN, "more")]
    assert (told(verdicts), code) == (wanted, 2), (err[-3000:], verdicts)
    assert {"no fingerprint of its files is recorded" in one["reason"] for one in verdicts if one["reason"]} == {True}


def test_nothing_real_is_touched(nightly: str, lake: Lake) -> None:
    code, verdicts, err = lake.replay(nightly, "--", *lake.submit("touching_job.py"))
    assert "the job ended with exit code 0" in err, err[-3000:]
    assert (code, ("totals", "identical") in told(verdicts)) == (1, True), (err[-3000:], told(verdicts))


def test_files_that_have_changed(nightly: str, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are held against the listing that was recorded when they were read, there too. The last test: they are overwritten."""
    raw = f"{lake.path}/raw"
    store = Store.open(lake.store)
    (fingerprint,) = {
        row["fingerprint"] for row in store.arrow("inputs", ["name", "fingerprint"]).to_pylist() if row["name"].endswith("/raw")
    }
    hold_files(lake.spark, raw, fingerprint)
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(lake.folder / "key"))
    if lake.path.startswith("s3a:"):  # logs in HDFS are read with libhdfs, which is not here
        (hop,) = traced(lake)
        assert hop.witness is not None
        assert (hop.witness.completeness, [one.count for one in hop.witness.sources]) == ("exact", [1])
    lake.spark.range(5).selectExpr("id", "id AS customer", "CAST(1 AS DECIMAL(9,2)) AS amount").write.mode("overwrite").parquet(
        raw
    )
    with pytest.raises(SnapshotError, match="not those any more"):
        hold_files(lake.spark, raw, fingerprint)
    if lake.path.startswith("s3a:"):
        (hop,) = traced(lake)
        assert hop.witness is None
        assert "not those any more" in str(hop.ended)
    code, verdicts, err = lake.replay(nightly)
    assert (code, {one["verdict"] for one in verdicts}) == (2, {"not_replayable"}), err[-3000:]
    assert f"{raw} has no versions and has changed" in verdicts[0]["reason"]


def traced(lake: Lake) -> Any:
    return spark_lineage.open(lake.store).trace(f"{lake.path}/more", where="id = 3", spark=lake.spark)
