"""Replays of commands that ran beside eight writers to the same table: each wrote what it wrote, whoever committed in between."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store

WRITERS, EACH = 8, 2


@pytest.mark.soak
def test_eight_writers(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    monkeypatch.setenv("SPARK_LINEAGE_STORE", str(tmp_path / "store"))
    table = f"delta.`{tmp_path}/t`"
    spark.sql("SELECT id, id % 2 AS k, 0L AS writer FROM range(20)").write.format("delta").partitionBy("k").save(
        f"{tmp_path}/t"
    )
    spark.sql("SELECT 2L AS id UNION ALL SELECT 500L").write.format("delta").save(f"{tmp_path}/source")
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, job_name="writers")
    assert attachment is not None
    failed: list[Exception] = []

    def writes(number: int) -> None:
        for _ in range(EACH):
            try:
                frame = spark.range(number * 1000, number * 1000 + 5).selectExpr("id", "1L AS k", f"{number}L AS writer")
                frame.write.format("delta").mode("append").save(f"{tmp_path}/t")
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=writes, args=(number,)) for number in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    spark.sql(f"UPDATE {table} SET id = id + 100 WHERE k = 0")
    spark.sql(f"DELETE FROM {table} WHERE k = 0 AND id > 110")
    spark.sql(
        f"MERGE INTO {table} t USING (SELECT id + 100 AS id FROM delta.`{tmp_path}/source`) s ON t.k = 0 AND t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET writer = 9 WHEN NOT MATCHED THEN INSERT (id, k, writer) VALUES (s.id, 0, 9)"
    )
    for thread in threads:
        thread.join()
    assert attachment.flush(60)
    detach(spark)
    assert failed == []
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(tmp_path / "key"))
    found = spark_lineage.open(str(tmp_path / "store")).replay("last", spark=spark)
    assert [one for one in found if one.verdict != "identical"] == []
    assert sorted(one.operation for one in found) == ["append"] * (WRITERS * EACH) + ["delete", "merge", "update"]
    assert sorted(one.version or 0 for one in found) == list(range(1, WRITERS * EACH + 4))
    changing = {one.execution_id for one in found if one.operation != "append"}
    outputs = Store.open(str(tmp_path / "store")).arrow("outputs").to_pylist()
    (read,) = {
        row["delta_version"]
        for row in Store.open(str(tmp_path / "store")).arrow("inputs").to_pylist()
        if row["name"].endswith("/source")
    }
    assert read == 0
    between = [row["delta_version"] - row["delta_version_before"] for row in outputs if row["execution_id"] in changing]
    assert max(between) > 1, between  # others did commit between what it read and what it wrote
