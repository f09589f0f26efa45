"""Executions without a plan that can be restored, replayed from their SQL statements."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / ".venv-4.0" / "bin" / "python"


def statements(spark: Any, root: str) -> None:
    orders, raw = f"delta.`{root}/orders`", f"parquet.`{root}/raw`"
    spark.sql(f"CREATE TABLE named USING delta LOCATION '{root}/named' AS SELECT id, customer, amount FROM {orders}")
    spark.sql(
        f"CREATE TABLE delta.`{root}/totals` USING delta AS WITH big AS (SELECT * FROM {orders} WHERE amount > 3), named AS (SELECT * FROM named) "
        f"SELECT customer, sum(amount) AS total, (SELECT max(id) FROM {raw}) AS newest FROM big AS b "
        f"WHERE EXISTS (SELECT 1 FROM named) AND customer IN (SELECT customer FROM {orders}) GROUP BY customer"
    )
    spark.sql(
        f"INSERT INTO delta.`{root}/totals` SELECT 9 AS total, 8 AS customer, id AS x FROM named n WHERE n.id < 2"
    )  # by position
    spark.sql(f"INSERT INTO delta.`{root}/totals` BY NAME SELECT id AS newest, 7L AS customer FROM named WHERE id = 5")
    spark.sql(f"INSERT OVERWRITE delta.`{root}/named` SELECT * FROM {orders} WHERE customer = 1")
    spark.sql(f"CREATE TABLE delta.`{root}/now` USING delta AS SELECT id, current_timestamp() AS at FROM {raw}")
    spark.sql(f"UPDATE {orders} SET amount = 0 WHERE id = 1")
    spark.sql(f"CREATE TABLE delta.`{root}/code` USING delta AS SELECT reflect('java.lang.Math', 'abs', 1) AS x")
    spark.table("named").write.format("delta").save(f"{root}/frame")


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("statements")
    rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 1)")
    rows.write.format("delta").save(f"{root}/orders")
    rows.write.parquet(f"{root}/raw")
    settings: dict[str, Any] = {"inbox": str(root / "inbox"), "ingest": "none", "strict": True, "executables": "off"}
    attachment = attach(spark, job_name="sql", **settings)
    statements(spark, str(root))
    attachment.flush(60)
    detach(spark)
    ingest(str(root / "inbox"), str(root / "store"))
    spark.sql(f"UPDATE delta.`{root}/orders` SET amount = 100")
    yield root
    spark.sql("DROP TABLE named")


@pytest.mark.soak
def test_without_plans(lake: Path, spark: Any) -> None:
    found = list(spark_lineage.open(str(lake / "store")).replay("last", spark=spark))
    told = [(str(one.name).rsplit("/", 1)[-1], one.verdict) for one in found]
    assert told == [
        ("named", "identical"), ("totals", "identical"), ("totals", "identical"), ("totals", "identical"), ("named", "identical"),
        ("now", "different"), ("orders", "not_replayable"), ("code", "not_replayable"), ("frame", "not_replayable"),
    ], [one.reason for one in found]  # fmt: skip
    assert "by its SQL statement, as its plan cannot be had: no plan of" in str(found[0].reason)
    assert any(cause.startswith("non-deterministic: current") for cause in found[5].causes)
    assert found[5].columns == ("at",)
    assert "(UpdateTable) writes more than the rows of a query" in str(found[6].reason)
    assert "its statement runs code" in str(found[7].reason)
    assert "it was no SQL statement" in str(found[8].reason)


@pytest.mark.soak
def test_plans_of_another_spark(tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded with Spark 4.0, whose plans this one does not restore."""
    if not OLD.is_file():
        pytest.skip("there is no second environment: make setup SPARK=4.0")
    program = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from pyspark.sql import SparkSession
from test_statements import statements
from spark_lineage.capture.attach import attach
builder = SparkSession.builder.master("local[2]").config("spark.driver.extraClassPath", {str(OLD.parents[1] / "jars")!r} + "/*")
builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension").config("spark.ui.enabled", "false")
spark = builder.config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog").getOrCreate()
rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 1)")
rows.write.format("delta").save("{tmp_path}/orders")
rows.write.parquet("{tmp_path}/raw")
attach(spark, inbox="{tmp_path}/inbox", ingest="none", strict=True)
statements(spark, "{tmp_path}")
spark.stop()
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
    done = subprocess.run([str(OLD), "-c", program], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    monkeypatch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(tmp_path / "key"))
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), executables_key=str(tmp_path / "key"))
    found = list(spark_lineage.open(str(tmp_path / "store")).replay("last", spark=spark))
    assert [one.verdict for one in found[:5]] == ["identical"] * 5, found
    assert "was written by Spark 4.0" in str(found[0].reason)
    assert any(cause.startswith("changed Spark version: it was written by 4.0") for cause in found[5].causes), found[5].causes
