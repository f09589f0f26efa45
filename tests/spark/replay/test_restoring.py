"""What one process recorded runs again in another, and gives the same rows; what must not run is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from corpus import here, text_of
from deltalake import write_deltalake
from recording import Recorded

from spark_lineage.errors import ExecutableError, NotFound
from spark_lineage.replay.executables import find, restore
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.signing import load_keys
from spark_lineage.store.tables import Store

EVERY = [name for name in here() if name != "rdd"]
"""All but `rdd`, whose rows lived in the driver: test_rows_that_lived_in_the_driver_must_be_given has that one."""
SOME = here(
    "subquery_exists", "subquery_correlated", "lateral_aggregate", "cte_used_by_subqueries", "cte_recursive", "python_udf", "pandas_udf",
    "map_in_pandas", "apply_in_pandas", "python_environment", "python_table_function", "ml_transform", "times", "where_i_am", "seeds", "view_on_view", "made_view",
    "generators", "time_travel", "files_csv", "rdd",
)  # fmt: skip
"""Of each kind one; test_every_shape has the others."""


@pytest.fixture(scope="session")
def recorded(record: Callable[..., Recorded]) -> Recorded:
    return record(*SOME)


@pytest.mark.parametrize("name", [name for name in SOME if name != "rdd"])
def test_the_same_rows_in_another_process(recorded: Recorded, spark: Any, name: str) -> None:
    assert text_of(restore(spark, recorded.find(name)).collect()) == recorded.expected[name]


def test_the_same_plan_twice_can_be_joined_with_itself(recorded: Recorded, spark: Any) -> None:
    found = recorded.find("subquery_exists")
    left, right = restore(spark, found), restore(spark, found)
    assert left.join(right, left.name == right.name).count() == len(recorded.expected["subquery_exists"])


def test_other_versions(recorded: Recorded, spark: Any) -> None:
    found = recorded.find("generators")
    [leaf] = found.executable.leaves
    latest = restore(spark, found, versions={leaf.number: None})
    assert "order_id=99" not in str(recorded.expected["generators"])
    assert latest.where("order_id = 99").count() == 2


def test_rows_that_lived_in_the_driver_must_be_given(recorded: Recorded, spark: Any) -> None:
    found = recorded.find("rdd")
    with pytest.raises(ExecutableError, match=r"leaf 0 \(rows\).*frames=\{0: a DataFrame with the columns order_id, amount\}"):
        restore(spark, found)
    given = spark.createDataFrame([(7, 1.5)], "order_id BIGINT, amount DOUBLE")
    assert restore(spark, found, frames={0: given}).collect() == [(7, 1.5)]


def test_a_frame_without_a_column_is_refused(recorded: Recorded, spark: Any) -> None:
    with pytest.raises(ExecutableError, match="leaf 0 has no column amount, which the plan reads; it has order_id"):
        restore(spark, recorded.find("rdd"), frames={0: spark.createDataFrame([(7,)], "order_id BIGINT")})


def test_the_session_of_the_caller_is_left_alone(recorded: Recorded, spark: Any) -> None:
    before = {row.key: row.value for row in spark.sql("SET").collect()}
    restore(spark, recorded.find("times")).collect()
    assert {row.key: row.value for row in spark.sql("SET").collect()} == before


def test_settings_of_this_session_alone_do_not_bear_on_it(recorded: Recorded, spark: Any) -> None:
    """Those of its SparkConf, say: what was at its default then is so again."""
    key = "spark.sql.optimizer.maxIterations"
    before = spark.newSession().conf.get(key)
    conf = spark.sparkContext._jsc.sc().conf()
    conf.set(key, "77")
    try:
        assert spark.newSession().conf.get(key) == "77"
        assert restore(spark, recorded.find("subquery_exists")).sparkSession.conf.get(key) == before
    finally:
        conf.remove(key)


def test_python_functions_have_the_environment_of_the_session_that_restores(
    recorded: Recorded, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(spark.sparkContext.environment, "COLOUR_OF_THE_SESSION", "green")
    assert restore(spark, recorded.find("python_environment")).collect() == [("green",)]


def test_another_spark_is_refused(recorded: Recorded, spark: Any) -> None:
    found = recorded.find("times")
    other = replace(found, executable=replace(found.executable, spark_version="4.9.0"))
    with pytest.raises(ExecutableError, match=r"written by Spark 4\.9\.0.*start a session of Spark 4\.9\.0"):
        restore(spark, other)


def test_what_has_no_plan_says_so(recorded: Recorded) -> None:
    with pytest.raises(NotFound, match="there is no such execution"):
        find(recorded.store, "nobody:1", key=recorded.key)


def test_without_the_key_nothing_is_run(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(ExecutableError, match="there is no key at"):
        find(recorded.store, recorded.execution("times"), key=str(tmp_path / "none"))
    load_keys(tmp_path / "mine", create=True)
    with pytest.raises(ExecutableError, match="does not hold; ask the owner"):
        find(recorded.store, recorded.execution("times"), key=str(tmp_path / "mine"))


def test_settings_that_were_changed_are_refused(recorded: Recorded, tmp_path: Path) -> None:
    import shutil

    store = shutil.copytree(recorded.store, tmp_path / "lineage")
    schema = TABLES["session_confs"].arrow
    names = Store.open(store).arrow("session_confs").column("session_confs_id").to_pylist()
    changed = [{"session_confs_id": name, "confs": [("spark.sql.ansi.enabled", "false")]} for name in names]
    handle = Store.open(store).delta_table("session_confs")
    write_deltalake(handle, pa.Table.from_pylist(changed, schema=schema), mode="overwrite")
    with pytest.raises(ExecutableError, match=r"settings of .* were changed"):
        find(str(store), recorded.execution("times"), key=recorded.key)


def test_equal_plans_are_stored_once(recorded: Recorded) -> None:
    store = Store.open(recorded.store)
    kept = store.arrow("plan_executables", ["executable_id"]).column(0).to_pylist()
    blobs = store.arrow("executable_blobs", ["executable_id"]).column(0).to_pylist()
    assert sorted(set(kept)) == sorted(blobs)


def test_their_folders_are_closed_to_others(recorded: Recorded) -> None:
    for table in ("plan_executables", "executable_blobs"):
        assert Path(recorded.store, table).stat().st_mode & 0o777 == 0o700


def test_a_class_that_is_no_part_of_plans_is_refused(recorded: Recorded, spark: Any) -> None:
    """A stream of Java's own serialisation with another class in it: what an attacker with the key might try."""
    import zlib

    jvm = spark._jvm
    out = jvm.java.io.ByteArrayOutputStream()
    stream = jvm.java.io.ObjectOutputStream(out)
    stream.writeObject(jvm.java.util.logging.Level.INFO)
    stream.close()
    found = replace(recorded.find("times"), blob=zlib.compress(bytes(out.toByteArray())))
    with pytest.raises(ExecutableError, match=r"java\.util\.logging\.Level is not one that plans are made of"):
        restore(spark, found)


@pytest.mark.soak
def test_every_shape(record: Callable[..., Recorded], spark: Any) -> None:
    everything = record()
    failed: dict[str, str] = {}
    for name in EVERY:
        try:
            rows = text_of(restore(spark, everything.find(name)).collect())
            if rows != everything.expected[name]:
                failed[name] = f"{rows[:3]} instead of {everything.expected[name][:3]}"
        except Exception as error:
            failed[name] = str(error)[:300]
    print(f"{len(EVERY) - len(failed)} of {len(EVERY)} shapes restored and equal")
    assert failed == {}
