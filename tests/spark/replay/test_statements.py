"""Executions without a plan that can be restored, replayed from their SQL statements."""

from __future__ import annotations

import os
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.types import StructType

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.errors import ExecutableError
from spark_lineage.ingest import ingest
from spark_lineage.model import PlanExecutable
from spark_lineage.replay.causes import doubts_of
from spark_lineage.replay.executables import Found
from spark_lineage.replay.statement import Statement, rows_of_statement

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / ".venv-4.0" / "bin" / "python"


TURNED = "named_struct('b', 'B' || id, 'a', 'A' || id)"
WHOLE = f"id, {TURNED} AS one, array({TURNED}) AS many, map('k', {TURNED}) AS by"
STRUCTS = [
    ("delta.`{root}/structs`", "", WHOLE),  # as it is called: by names inside
    ("delta.`{root}/structs`", "BY NAME", WHOLE),
    ("delta.`{root}/structs`", "", WHOLE.replace("id,", "id AS x,", 1)),
    ("delta.`{root}/structs`", "", WHOLE.replace("id,", "CAST(id AS INT) AS id,", 1)),
    ("delta.`{root}/structs`", "BY NAME", WHOLE.replace("id,", "CAST(id AS INT) AS id,", 1)),
    ("delta.`{root}/structs`", "(id, one)", f"id, {TURNED} AS one"),
    ("columnar", "", WHOLE),
]
"""Where the fields of structs go by position, and where by name."""


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
    for target, how, columns in STRUCTS:
        spark.sql(f"INSERT INTO {target.format(root=root)} {how} SELECT {columns} FROM {orders}")
    spark.sql(f"CREATE TABLE delta.`{root}/code` USING delta AS SELECT reflect('java.lang.Math', 'abs', 1) AS x")
    spark.table("named").write.format("delta").save(f"{root}/frame")
    spark.table("named").where("id < 3").createOrReplaceTempView("named")  # called like the table that it is of
    spark.sql(f"CREATE TABLE delta.`{root}/viewed` USING delta AS SELECT count(*) AS n FROM named")
    spark.catalog.dropTempView("named")


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("statements")
    rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 12, 1, 1)")
    rows.write.format("delta").save(f"{root}/orders")
    rows.write.parquet(f"{root}/raw")
    fields = "STRUCT<a: STRING, b: STRING>"
    for name, using in (("delta.`{root}/structs`", "delta"), ("columnar", f"parquet LOCATION '{root}/columnar'")):
        made = f"(id BIGINT, one {fields}, many ARRAY<{fields}>, by MAP<STRING, {fields}>) USING {using}"
        spark.sql(f"CREATE TABLE {name.format(root=root)} {made}")
    settings: dict[str, Any] = {"inbox": str(root / "inbox"), "ingest": "none", "strict": True, "executables": "off"}
    attachment = attach(spark, job_name="sql", **settings)
    statements(spark, str(root))
    attachment.flush(60)
    detach(spark)
    ingest(str(root / "inbox"), str(root / "store"))
    spark.sql(f"UPDATE delta.`{root}/orders` SET amount = 100")
    yield root
    for name in ("named", "columnar"):
        spark.sql(f"DROP TABLE {name}")


@pytest.mark.soak
def test_without_plans(lake: Path, spark: Any) -> None:
    found = list(spark_lineage.open(str(lake / "store")).replay("last", spark=spark))
    told = [(str(one.name).rsplit("/", 1)[-1], one.verdict) for one in found]
    assert told == [
        ("named", "identical"), ("totals", "identical"), ("totals", "identical"), ("totals", "identical"), ("named", "identical"),
        ("now", "different"), ("orders", "not_replayable"), *[("structs", "identical")] * 6, ("columnar", "identical"), ("code", "not_replayable"), ("frame", "not_replayable"),
        ("viewed", "not_replayable"),
    ], [(one.reason, one.difference) for one in found[7:]]  # fmt: skip
    assert "by its SQL statement, as its plan cannot be had: no plan of" in str(found[0].reason)
    assert any(cause.startswith("non-deterministic: current") for cause in found[5].causes)
    assert found[5].columns == ("at",)
    assert "(UpdateTable) writes more than the rows of a query" in str(found[6].reason)
    assert "its statement runs code, or may (reflect)" in str(found[14].reason)
    assert "it was no SQL statement" in str(found[15].reason)
    assert "named in its statement is a view" in str(found[16].reason)


SET = "'java.lang.System', 'setProperty', 'spark.lineage.proof', 'run'"


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT reflect({SET}) AS x",
        f"SELECT `reflect`({SET}) AS x",
        f"SELECT reflect/**/({SET}) AS x",
        f"SELECT `Java_Method` -- so\n({SET}) AS x",
        f"SELECT try_reflect({SET}) AS x",
        f"SELECT system.builtin.`java_method`({SET}) AS x",
        f"SELECT IDENTIFIER('ref' || 'lect')({SET}) AS x",
        "SELECT * FROM IDENTIFIER('a' || 'b')",
        f"SELECT * FROM VALUES (reflect({SET})) AS v(x)",
        f"WITH a AS (SELECT reflect({SET}) AS x) SELECT * FROM a",
        f"SELECT 1 AS x WHERE EXISTS (SELECT 1 WHERE reflect({SET}) = 'y')",
        f"SELECT sum(1) OVER w AS x FROM range(2) WINDOW w AS (PARTITION BY reflect({SET}))",
        f"SELECT * FROM range(1) LATERAL VIEW explode(array(reflect({SET}))) v AS x",
        "SELECT TRANSFORM(id) USING r'cat' AS (x) FROM range(3)",
        "SELECT TRANSFORM(id) USING/**/'cat' AS (x) FROM range(3)",
        "FROM (SELECT id FROM range(3)) MAP id USING\n'cat' AS (x)",
        "SELECT somebody.own(1) AS x",
        "SELECT own(1) AS x",
        "SELECT * FROM own(1)",
        "SELECT * FROM abs(1)",
        "SELECT range(1) AS x",
        "SELECT builtin.abs(1) AS x",
        "SELECT * FROM range(1) LATERAL VIEW somebody.own(id) v AS x",
    ],
)
def test_code_is_told_by_the_plan(query: str, spark: Any) -> None:
    """However it is written, and before anything of it is run."""
    system = spark.sparkContext._jvm.java.lang.System
    with pytest.raises(ExecutableError, match="its statement runs code, or may"):
        rows(spark, query)
    assert system.getProperty("spark.lineage.proof") is None


def rows(spark: Any, query: str, trusted: bool = False) -> Any:
    executable = PlanExecutable(execution_id="r:1", run_id="r", executable_id="", spark_version="", event_date=date.min)
    statement = Statement(f"CREATE TABLE t USING delta AS {query}", (), {})
    return rows_of_statement(spark, statement, Found(executable, b"", {}), {}, StructType().add("x", "string"), trusted)


def test_what_is_no_code(spark: Any) -> None:
    """Text that only looks like it; functions of Spark's own; and what is trusted."""
    query = (
        "SELECT concat('reflect (', `upper`(\"transform using 'cat'\")) AS x, abs(-1) AS y, CAST(count(*) OVER () AS INT) AS z, "
        "transform(array(1), v -> v + 1) AS t FROM range(1) LATERAL VIEW explode(array(1)) e AS f /* java_method(1) */"
    )
    assert [tuple(row) for row in rows(spark, query).collect()] == [("reflect (TRANSFORM USING 'CAT'", 1, 1, [2])]
    assert rows(spark, "SELECT reflect('java.lang.Math', 'abs', -1) AS x", trusted=True).first()[0] == "1"


def test_texts_of_a_fixed_length_are_padded_by_spark(spark: Any) -> None:
    """By a static method that it invokes: that is nobody's own function."""
    spark.sql("CREATE TABLE of_fixed_length (c CHAR(3)) USING parquet")
    try:
        padded = spark.sql("SELECT c FROM of_fixed_length WHERE c = 'a'")
        assert "static_invoke" in padded._jdf.queryExecution().analyzed().toString()
        assert [doubt for doubt in doubts_of(padded) if doubt.startswith("function")] == []
    finally:
        spark.sql("DROP TABLE of_fixed_length")


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
