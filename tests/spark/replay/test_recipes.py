"""The recipes of docs/replay.md, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.ingest import ingest
from spark_lineage.replay.executables import find, restore
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Last month: orders from raw files, twice appended, and revenue from them. Since then orders were corrected and revenue written anew."""
    root = tmp_path_factory.mktemp("lake")
    patch = pytest.MonkeyPatch()
    patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
    patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
    orders, revenue = f"delta.`{root}/orders`", f"delta.`{root}/revenue`"
    rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 1)")
    rows.where("id < 6").write.parquet(f"{root}/raw_1")
    rows.where("id >= 6").write.parquet(f"{root}/raw_2")
    attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name="nightly")
    for number in (1, 2):
        spark.read.parquet(f"{root}/raw_{number}").write.format("delta").mode("append").save(f"{root}/orders")
    query = f"SELECT customer, sum(amount) AS total FROM {orders} GROUP BY customer"
    spark.sql(f"CREATE TABLE {revenue} USING delta AS {query}")
    spark.sql(f"UPDATE {orders} SET amount = 0 WHERE id = 4")
    spark.sql(f"INSERT OVERWRITE {revenue} {query}")
    attachment.flush(60)
    detach(spark)
    ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
    yield root
    patch.undo()


def ask(root: Path, *arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(main, [*arguments, "--store", str(root / "store"), "--json"])
    return done.exit_code, json.loads(done.output[min(done.output.index(mark) for mark in "[{" if mark in done.output) :])


def test_a_wrong_number_of_last_month(lake: Path, spark: Any) -> None:
    code, check = ask(lake, "replay", "--check", "revenue")
    assert (code, [one["replayable"] for one in check["executions"]]) == (0, [True, True])
    code, hops = ask(lake, "replay", "--upstream-of", "revenue@0")
    told = [(one["label"].rsplit("/", 1)[-1], one["version"], one["verdict"]) for one in hops]
    assert (code, told) == (0, [("orders", 0, "identical"), ("orders", 1, "identical"), ("revenue", 0, "identical")])
    then = restore(spark, find(str(lake / "store"), hops[-1]["execution_id"], key=str(lake / "key")))
    assert then.where("customer = 1").first()["total"] == 22
    now = spark.read.format("delta").load(f"{lake}/revenue").where("customer = 1").first()["total"]
    assert now == 18
    code, rows = ask(lake, "trace", "revenue", "--version", "0", "--where", "customer = 1")
    assert code == 0, rows
    code, hops = ask(lake, "replay", "--upstream-of", "revenue@1")
    assert [(one["version"], one["verdict"]) for one in hops] == [
        (0, "identical"),
        (1, "identical"),
        (2, "identical"),
        (1, "identical"),
    ]


def test_proof_for_an_auditor(lake: Path, spark: Any) -> None:
    code, taken = ask(lake, "snapshot", "take", "revenue", "--version", "0")
    assert code == 0, taken
    outputs = Store.open(str(lake / "store")).arrow("outputs").to_pylist()
    ((execution, version),) = {
        (row["execution_id"], row["delta_version"])
        for row in outputs
        if row["name"].endswith("/revenue") and row["delta_version"] == 0
    }
    code, (one,) = ask(lake, "replay", execution)
    assert (code, one["verdict"], one["version"], one["whole"]) == (0, "identical", version, True)
    kept = max(Store.open(str(lake / "store")).arrow("replays").to_pylist(), key=lambda row: row["started_at"])
    (snapshot,) = [row for row in spark_lineage.open(lake / "store").snapshots("revenue") if row.delta_version == 0]
    assert kept["execution_id"] == execution
    (input_read,) = kept["inputs"]
    assert (input_read["name"], input_read["delta_version"], input_read["version_basis"]) == (str(lake / "orders"), 1, "exact")
    assert one["inputs"] == [input_read]
    (ran,) = Store.open(str(lake / "store")).arrow("runs", ["code_commit", "code_dirty", "code_sha256"]).to_pylist()
    assert {key: one[key] for key in ran} == {key: kept[key] for key in ran} == ran
    assert kept["recorded_checksum"] == kept["replayed_checksum"] == snapshot.checksum
    assert (kept["schema_hash"], kept["replayed_rows"]) == (snapshot.schema_hash, snapshot.row_count)
    code, run = ask(lake, "show", execution.partition(":")[0])
    assert (code, "nightly" in json.dumps(run)) == (0, True)
    read = Store.open(str(lake / "store")).arrow("inputs", ["execution_id", "name", "delta_version"]).to_pylist()
    assert [(row["name"], row["delta_version"]) for row in read if row["execution_id"] == execution] == [
        (str(lake / "orders"), 1)
    ]


def test_python_says_the_same(lake: Path, spark: Any) -> None:
    hops = spark_lineage.open(lake / "store").replay_upstream("revenue@0", spark=spark)
    assert [one.verdict for one in hops] == ["identical"] * 3
    assert all(one.holds for one in hops)
    assert spark_lineage.open(lake / "store").replay_check().holds
