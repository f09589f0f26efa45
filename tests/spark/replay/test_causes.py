"""Each likely cause of another result is provoked, and is the first that a replay from the plan names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, forget, recorded_of, shaken, tamper

pytestmark = pytest.mark.soak

DERBY = "org.apache.derby.jdbc.EmbeddedDriver"
ORDERS = {
    "limited": ("SELECT id, d FROM {source} LIMIT 20", "LIMIT without an order"),
    "firsts": ("SELECT k, first(d) AS d FROM {source} GROUP BY k", "first"),
    "lists": ("SELECT k, collect_list(id) AS ids, max(d) AS d FROM {source} GROUP BY k", "collect_list"),
    "floats": ("SELECT k, sum(d) AS d FROM {source} GROUP BY k", "sum of floats, which depends on the order in which they are added up"),
    "numbered": ("SELECT d, row_number() OVER (ORDER BY k) AS n FROM {source}", "row_number over an order in which rows may be equal"),
    "sampled": ("SELECT d FROM {source} TABLESAMPLE (50 PERCENT)", "a sample, which depends on how rows are divided into partitions"),
    "seeded": ("SELECT d, rand(7) AS r FROM {source}", "rand"),
    "named": ("SELECT d, uuid() AS u FROM {source}", "uuid"),
    "shuffled": ("SELECT d, shuffle(array(id, k, 7)) AS s FROM {source}", "shuffle"),
    "largest": ("SELECT k, max_by(d, k) AS d FROM {source} GROUP BY k", "max_by"),
    "smallest": ("SELECT k, min_by(d, k) AS d FROM {source} GROUP BY k", "min_by"),
    "placed": ("SELECT d, input_file_name() AS f FROM {source}", "input_file_name, which tells files"),
    "apart": ("SELECT d, spark_partition_id() AS p FROM {source}", "SPARK_PARTITION_ID"),
}  # fmt: skip
"""Tables by what in their query need not give the same each time."""


def jdbc(spark: Any, root: Path) -> Any:
    return spark.read.format("jdbc").options(url=f"jdbc:derby:{root}/base", dbtable="prices", driver=DERBY)


def write_base(spark: Any, root: Path, by: int) -> None:
    rows = spark.range(3).selectExpr("id", f"id * {by} AS price")
    rows.write.jdbc(f"jdbc:derby:{root}/base;create=true", "prices", mode="overwrite", properties={"driver": DERBY})


def write(spark: Any, root: Path) -> None:
    def table(name: str, query: str) -> None:
        spark.sql(f"CREATE TABLE delta.`{root}/{name}` USING delta AS SELECT /*+ COALESCE(1) */ * FROM ({query})")

    source = f"delta.`{root}/source`"
    for name, (query, _) in ORDERS.items():
        table(name, query.format(source=source))
    spark.read.format("delta").load(f"{root}/source").dropDuplicates(["k"]).coalesce(1).write.format("delta").save(
        f"{root}/dropped"
    )
    table("today", f"SELECT d, date_format(current_timestamp(), 'G') AS y FROM {source}")
    jdbc(spark, root).load().write.format("delta").save(f"{root}/prices")
    table("counted", f"SELECT count(*) AS n FROM {source}")  # answered from the log: no scan tells the version
    table("engines", f"SELECT id FROM {source}")

    def priced(value: int) -> int:
        import prices  # type: ignore[import-not-found]

        return int(prices.of(value))

    spark.udf.register("priced", priced, "bigint")
    table("imports", f"SELECT id, priced(id) AS price FROM {source}")
    table("sums", f"SELECT k, sum(d) AS total, sum(e) AS exact, count(*) AS n FROM delta.`{root}/many` GROUP BY k")
    spark.conf.set("spark.sql.our.password", "not to be recorded")
    table("settings", f"SELECT id FROM {source}")
    spark.conf.unset("spark.sql.our.password")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("causes")
    for when, by in (("then", 2), ("now", 3)):
        (root / when).mkdir()
        (root / when / "prices.py").write_text(f"def of(value):\n    return value * {by}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        spark.sql("SELECT id, id % 4 AS k, CAST(id AS DOUBLE) / 7 AS d FROM range(0, 20, 1, 1)").write.format("delta").save(
            f"{root}/source"
        )
        many = "SELECT id % 4 AS k, pow(10D, id % 12) / 7 AS d, CAST(id AS DECIMAL(20,3)) / 7 AS e FROM range(0, 4096, 1, 16)"
        spark.sql(many).write.format("delta").save(f"{root}/many")
        write_base(spark, root, by=2)
        spark.sparkContext.addPyFile(str(root / "then" / "prices.py"))
        yield recorded_of(spark, root, "causes", write)


@pytest.mark.parametrize("name", ORDERS)
def test_what_is_not_the_same_each_time(recorded: Recorded, name: str) -> None:
    before = recorded.replay(name)
    assert before.verdict == "identical", before
    tamper(recorded.spark, recorded.root / name, shaken("d", 2, rows=3))
    one = recorded.replay(name)
    assert one.verdict == "different", one
    assert one.causes[0].endswith(f": {ORDERS[name][1]}")
    assert one.causes[0].startswith("non-deterministic")


def test_one_of_each_key(recorded: Recorded) -> None:
    before = recorded.replay("dropped")
    assert before.verdict == "identical", before
    tamper(recorded.spark, recorded.root / "dropped", shaken("d", 2, rows=3))
    one = recorded.replay("dropped")
    assert (one.verdict, one.columns) == ("different", ("d",)), one
    assert one.causes[0] == "non-deterministic: dropDuplicates, which keeps any one of the rows with the same key"


def test_an_instant_that_is_known_within_bounds(recorded: Recorded) -> None:
    """What was made of `current_timestamp` does not tell it: the replay has one that is near."""
    before = recorded.replay("today")
    assert before.verdict == "identical", before
    tamper(recorded.spark, recorded.root / "today", shaken("d", 2, rows=3))
    one = recorded.replay("today")
    assert one.verdict == "different", one
    assert one.causes[0].startswith(
        "non-deterministic: current_timestamp went into other values, and is known to lie at or after "
    )


def test_a_database_that_has_changed(recorded: Recorded) -> None:
    assert recorded.replay("prices").verdict == "identical"
    write_base(recorded.spark, recorded.root, by=3)
    one = recorded.replay("prices")
    assert (one.verdict, one.columns) == ("different", ("price",)), one
    assert one.causes[0].startswith("another input version: ")
    assert one.causes[0].endswith("has no versions and is read as it is now")


def test_a_version_that_is_not_known_for_sure(recorded: Recorded) -> None:
    assert recorded.replay("counted").verdict == "identical"
    tamper(recorded.spark, recorded.root / "counted", shaken("n", 2))
    one = recorded.replay("counted")
    assert one.verdict == "different", one
    assert one.causes[0].startswith("another input version: that of ")
    assert "is not known for sure, version 0 is likely" in one.causes[0]


def test_another_delta(recorded: Recorded) -> None:
    log = recorded.root / "engines" / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace("Delta-Lake/4", "Delta-Lake/3"))
    forget(recorded.spark, recorded.root / "engines")
    assert recorded.replay("engines").verdict == "identical"
    tamper(recorded.spark, recorded.root / "engines", shaken("id", 2, rows=5))
    one = recorded.replay("engines")
    assert one.verdict == "different", one
    assert [cause.partition(": it was written by 3")[0] for cause in one.causes] == ["changed Delta version"]


def test_sums_of_floats_in_another_order(recorded: Recorded) -> None:
    """As on a machine with other cores: Spark puts other files together. Neither falsely identical, nor falsely different."""
    before = recorded.replay("sums")
    assert before.verdict == "identical", before
    conf = recorded.spark.sparkContext._jsc.sc().conf()
    conf.set("spark.default.parallelism", "16")
    try:
        one = recorded.replay("sums")
        exact = recorded.replay("sums", tolerance=0)
    finally:
        conf.remove("spark.default.parallelism")
    assert (one.verdict, one.columns) == ("equivalent", ("total",)), one
    assert one.checksums[0] != one.checksums[1]
    assert one.difference is not None
    assert one.difference.within > 0
    assert (exact.verdict, exact.columns) == ("different", ("total",)), exact
    assert exact.causes[0] == "non-deterministic: sum of floats, which depends on the order in which they are added up"


def test_a_setting_that_is_not_there(recorded: Recorded) -> None:
    tamper(recorded.spark, recorded.root / "settings", shaken("id", 2, rows=5))
    one = recorded.replay("settings")
    assert one.verdict == "different", one
    assert one.causes == ("changed configuration: spark.sql.our.password is not recorded, it was redacted",)


def test_what_a_function_imports(recorded: Recorded) -> None:
    """In another process, whose module of that name is another one."""

    def replayed(when: str) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "spark_lineage.cli",
            "--store",
            recorded.store,
            "replay",
            recorded.execution("imports"),
        ]
        path = os.pathsep.join((str(Path(__file__).parents[3]), str(recorded.root / when)))
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout

    code, text = replayed("then")
    assert code == 0, text
    code, text = replayed("now")
    assert code == 1, text
    assert (
        "likely cause changed code: PythonUDF priced is stored as it was, but what it imports is that of this session" in text
    )
