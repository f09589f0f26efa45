"""Inputs without versions are kept as Spark read them: the listing that is made anew has capture's fingerprint."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from captured import Capture

from spark_lineage.ingest import ingest
from spark_lineage.store.preserving import CHANGED, Preserving, files_of
from spark_lineage.store.tables import Store


def test_what_spark_read_is_kept(spark: Any, capture: Capture, tmp_path: Path) -> None:
    folder, place = capture.data / "in ü %20", str(tmp_path / "lineage")
    for name, text in (
        ("day=1/é 😀.csv", "id\n1\n"),
        ("day=1/\ufb01.csv", "id\n2\n"),  # after the one before for Python, before it for Java
        ("day=2/b.csv", "id\n3\n"),
        ("day=2/_hidden.csv", "id\n4\n"),
        ("day=2/.hidden.csv", "id\n5\n"),
        ("day=2/empty.csv", ""),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    single = capture.data / "one.csv"
    single.write_text("id\n7\n")
    changed = capture.data / "changed.csv"
    changed.write_text("id\n8\n")
    policy = Preserving(("*/in *", "*.csv"), 1_000_000)
    for path in (folder, single, changed):
        frame = spark.read.option("header", "true").csv(str(path))
        frame.write.format("noop").mode("overwrite").save()
    changed.write_text("id\n80\n")
    assert capture.attachment.bridge.flush(60_000) >= 0
    report = ingest(str(capture.inbox), place, preserve=policy)
    rows = {Path(row["name"]).name: row for row in Store.open(place).arrow("preserved").to_pylist()}
    assert {name: (row["files"], row["reason"]) for name, row in rows.items()} == {
        folder.name: (3, None),
        "one.csv": (1, None),
        "changed.csv": (None, CHANGED),
    }
    assert any("changed.csv was not preserved" in warning for warning in report.warnings)
    shutil.rmtree(folder)
    kept = Path(place) / "preserved_files"
    assert {(kept / file.sha256[:2] / file.sha256).read_text() for file in files_of(Path(rows[folder.name]["manifest"]))} == {
        "id\n1\n",
        "id\n2\n",
        "id\n3\n",
    }
