"""Literal values are taken out before anything is written: a canary must be nowhere in the documents."""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import documents, executions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spark_lineage

CANARY = "kanarienvogel"
NUMBER = "918273645"
PLACES = (
    "SELECT '{c}' AS a, {n} AS b",
    "SELECT '{c}', {n} + 1, concat('{c}', name) FROM {table}",
    "SELECT * FROM {table} WHERE name = '{c}' OR id = {n} OR name LIKE '{c}%' OR name RLIKE '{c}'",
    "SELECT * FROM {table} WHERE name IN ('{c}', 'x', 'y') AND id IN (1,2,3,4,5,6,7,8,9,10,11,12,{n})",
    "SELECT * FROM {table} WHERE name LIKE ALL ('{c}%', 'b%') OR name LIKE ANY ('{c}', 'x')",
    "SELECT * FROM VALUES ('{c}', {n}) AS t(a, b)",
    "SELECT CASE WHEN id = {n} THEN '{c}' ELSE 'z' END AS k, count(*) FROM {table} GROUP BY 1 HAVING max(name) > '{c}'",
    "SELECT * FROM {table} a JOIN {table} b ON a.id = b.id AND a.name <> '{c}' ORDER BY a.name = '{c}' LIMIT 7",
    "SELECT /* {c} */ id FROM {table} -- {c} {n}\n WHERE id > (SELECT min(id) FROM {table} WHERE name < '{c}')",
    "SELECT map('{c}', {n}), array('{c}'), named_struct('k', '{c}') FROM {table}",
    'SELECT "{c}", R\'{c}\', X\'ABCD\', DATE \'2021-03-04\', {n}L, 1.{n}, -{n}, 1e5, INTERVAL \'{n}\' DAY FROM {table}',
    "SELECT CAST('{c}' AS INT)",
    "SELECT raise_error('{c}')",
    "SELECT * FROM {table} LIMIT 1 OFFSET {n}",
    "INSERT INTO {table} VALUES ({n}, '{c}')",
    "INSERT INTO {table} SELECT {n}, '{c}'",
    "UPDATE {table} SET name = '{c}' WHERE id = {n}",
    "DELETE FROM {table} WHERE name = '{c}' AND id = {n}",
    "MERGE INTO {table} t USING (SELECT {n} AS id, '{c}' AS name) s ON t.id = s.id AND t.name <> '{c}' "
    "WHEN MATCHED AND t.name = '{c}' THEN UPDATE SET name = '{c}' WHEN NOT MATCHED THEN INSERT *",
    "CREATE OR REPLACE TEMPORARY VIEW literal_view AS SELECT * FROM {table} WHERE name <> '{c}' AND id <> {n}",
    "SELECT * FROM literal_view",
    "SET my.variable = '{c} and more'",
    "INSERT INTO parts PARTITION (day = '{c}') SELECT {n}",
    "INSERT INTO filled (v) SELECT 1",
    "INSERT OVERWRITE parts PARTITION (day = '{c}') SELECT {n}",
    "DECLARE OR REPLACE VARIABLE secret STRING DEFAULT '{c}'",
    "SET VAR secret = '{c} once more'",
    "SELECT name = secret AS known FROM {table} WHERE name <> secret",
    "SELECT s, s.* FROM (SELECT struct(*) AS s FROM (SELECT name = '{c}', id FROM {table}))",
    "SELECT inline(arrays_zip(*)), to_json(struct(*)) FROM (SELECT array('{c}'), array(id) FROM {table})",
)  # fmt: skip


@pytest.fixture
def table(spark: Any, tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "people"
    spark.range(5).selectExpr("id", "cast(id AS string) AS name").write.format("delta").save(str(path))
    spark.sql("CREATE TABLE parts (v INT, day STRING) USING parquet PARTITIONED BY (day)")
    spark.sql(
        f"CREATE TABLE filled (v INT, named STRING GENERATED ALWAYS AS (concat('{CANARY}', CAST(v + {NUMBER} AS STRING))), "
        f"plain STRING DEFAULT '{CANARY}') USING delta TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    )
    yield f"delta.`{path}`"
    spark_lineage.detach(spark)
    spark.sql("DROP TABLE parts")
    spark.sql("DROP TABLE filled")
    spark.sql("DROP VIEW IF EXISTS literal_view")
    spark.sql("DROP TEMPORARY VARIABLE IF EXISTS secret")
    spark.conf.unset("my.variable")


def run_everything(spark: Any, table: str, data: Path) -> None:
    """Every place that a value can stand in."""
    for place in PLACES:
        with contextlib.suppress(Exception):
            spark.sql(place.format(c=CANARY, n=NUMBER, table=table)).collect()
    from pyspark.sql import functions as sql

    frame = spark.read.table(table)
    spark.sparkContext.setJobDescription(f"load of {CANARY} {NUMBER}")
    frame.where(sql.col("name") != CANARY).withColumn("k", sql.lit(CANARY)).collect()
    spark.sparkContext.setJobDescription(None)
    spark.createDataFrame([(CANARY, int(NUMBER))], "a string, b int").write.format("delta").save(str(data / "local"))
    frame.write.format("delta").mode("overwrite").option("replaceWhere", f"name = '{CANARY}'").save(str(data / "local2"))
    spark.range(int(NUMBER), int(NUMBER) + 2).collect()
    frame.where(f"name = '{CANARY}'").groupBy(sql.when(sql.col("id") == int(NUMBER), CANARY)).count().collect()


@pytest.mark.parametrize("policy", ["drop", pytest.param("hash", marks=pytest.mark.soak)])
def test_a_canary_is_nowhere(policy: str, spark: Any, table: str, tmp_path: Path) -> None:
    attachment = spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals=policy, strict=True)
    run_everything(spark, table, tmp_path)
    spark_lineage.detach(spark)
    recorded = executions(tmp_path / "inbox")
    assert len(recorded) > len(PLACES) - 4
    found = [_where(document) for document in documents(tmp_path / "inbox") if _where(document)]
    assert found == []
    assert not any("document" in warning or "plan" in warning for warning in attachment.bridge.warnings())
    redacted = [d for d in recorded if "literals are redacted: it cannot be run again" in d["incomplete"]]
    assert len(redacted) > len(PLACES) - 8
    marks = "hmac:" if policy == "hash" else "(redacted)"
    assert any(marks in json.dumps(d["analyzed"]) for d in recorded)
    (filled,) = [commit for d in recorded for commit in d["commits"] if commit.get("generated")]
    assert "Concat" in json.dumps(filled["generated"]["named"])
    assert marks in json.dumps(filled["generated"])
    assert marks in json.dumps(filled["defaults"])
    failed = [d for d in recorded if d["status"] == "failed"]
    assert any(d["error_message"].startswith("[USER_RAISED_EXCEPTION] ") for d in failed), [d["error_message"] for d in failed]


def test_what_ended_a_run_is_written_without_values(spark: Any, tmp_path: Path) -> None:
    attachment = spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals="drop", strict=True)
    assert attachment is not None
    with pytest.raises(Exception, match=CANARY) as raised, spark_lineage.job("inner"):
        spark.sql(f"SELECT CAST('{CANARY}' AS INT)").collect()
    sys.excepthook(raised.type, raised.value, raised.tb)  # what Python does with one that nobody catches
    spark_lineage.detach(spark)
    ends = [document for document in documents(tmp_path / "inbox") if document["kind"] == "run_end"]
    expected = "NumberFormatException: [CAST_INVALID_INPUT] (redacted)"
    assert ends[0]["error"] == expected
    assert attachment.failure == expected
    assert [_where(document) for document in documents(tmp_path / "inbox") if _where(document)] == []


def _where(document: dict[str, Any]) -> list[str]:
    """The places of a document where a canary is, for a failure that says where to look."""
    found: list[str] = []

    def look(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                look(key, f"{path}.<key>")
                look(item, f"{path}.{key}")
        elif isinstance(value, list):
            for position, item in enumerate(value):
                look(item, f"{path}[{position}]")
        elif any(canary in str(value) for canary in (CANARY, NUMBER)):
            found.append(f"{path}: {value!s:.300}")

    look(document, document["kind"])
    return found


def test_what_is_kept_by_default(spark: Any, table: str, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    spark.sql(f"SELECT * FROM {table} WHERE name = '{CANARY}'").collect()
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    assert len(_where(document)) >= 3
    assert document["incomplete"] == []


def test_a_hash_is_the_same_for_the_same_value_and_key(spark: Any, table: str, tmp_path: Path) -> None:
    def hashes(secret: str, value: str, number: int) -> str:
        inbox = tmp_path / str(number)
        spark_lineage.attach(
            spark, inbox=str(inbox), ingest="none", redact_literals="hash", redact_literals_secret=secret, strict=True
        )
        spark.sql(f"SELECT '{value}' AS a").collect()
        spark_lineage.detach(spark)
        (document,) = executions(inbox)
        assert "hmac:" in document["statement"]
        return str(document["statement"])

    assert hashes("one", "x", 1) == hashes("one", "x", 2)
    assert hashes("one", "x", 3) != hashes("two", "x", 4)
    assert hashes("one", "x", 5) != hashes("one", "y", 6)


def test_only_executions_that_touch_a_dataset(spark: Any, table: str, tmp_path: Path) -> None:
    spark.range(3).selectExpr("id", "'n' AS name").write.format("delta").save(str(tmp_path / "other"))
    spark_lineage.attach(
        spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals="drop", redact_literals_datasets="*/people", strict=True
    )  # fmt: skip
    other = f"delta.`{tmp_path / 'other'}`"
    spark.sql(f"SELECT * FROM {other} WHERE name = '{CANARY}'").collect()
    spark.sql(f"SELECT * FROM {other} o JOIN {table} t ON o.id = t.id AND o.name = '{CANARY}'").collect()
    spark.sql(f"INSERT INTO {table} SELECT id, '{CANARY}' FROM {other}").collect()
    spark_lineage.detach(spark)
    kept, joined, written = executions(tmp_path / "inbox")
    assert len(_where(kept)) >= 3
    assert _where(joined) == [] == _where(written)
    assert kept["incomplete"] == []
    assert "literals are redacted: it cannot be run again" in written["incomplete"]


@pytest.mark.parametrize("pattern", ["*/peop[a-z]e", "*/[!a-o]eople", "People_OF_*", "default.people_of_[tT]"])
def test_datasets_are_named_by_globs_like_everywhere(pattern: str, spark: Any, tmp_path: Path) -> None:
    """As `datasets.deny` has them; by folder, and by any part of a table's name, though case does not count here."""
    spark.sql(f"CREATE TABLE people_of_t (id BIGINT, name STRING) USING delta LOCATION '{tmp_path}/people'")
    try:
        spark_lineage.attach(
            spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals="drop", redact_literals_datasets=pattern, strict=True
        )  # fmt: skip
        spark.sql(f"SELECT id FROM people_of_t WHERE name = '{CANARY}'").collect()
        spark.sql(f"INSERT INTO people_of_t VALUES (1, '{CANARY}')")
        spark_lineage.detach(spark)
    finally:
        spark.sql("DROP TABLE people_of_t")
    recorded = executions(tmp_path / "inbox")
    assert len(recorded) == 2
    assert [_where(document) for document in recorded] == [[], []]


@pytest.mark.parametrize(
    "options",
    [{}, {"redact_literals_datasets": "people"}, {"redact_literals_datasets": "jdbc:derby:*"}],
    ids=["everywhere", "by table", "by url"],
)
def test_a_database_behind_an_rdd(options: dict[str, str], spark: Any, tmp_path: Path) -> None:
    url = f"jdbc:derby:memory:{tmp_path.name};create=true"
    spark.range(3).selectExpr("id", "'n' AS name").write.jdbc(url, "people", mode="overwrite")
    reader = spark.read.format("jdbc").option("url", url)
    query = f'SELECT "id" FROM people WHERE CAST("name" AS VARCHAR(9)) <> \'{CANARY}\''
    read = reader.option("dbtable", "people") if options else reader.option("query", query)
    rows = spark.createDataFrame(read.load().rdd.map(lambda row: (row[0],)), "id BIGINT")
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals="drop", strict=True, **options)
    rows.where(f"id <> {NUMBER}").write.format("delta").save(str(tmp_path / "made"))
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    assert "JDBCRDD" in json.dumps(document["analyzed"])
    assert _where(document) == []
    assert "literals are redacted: it cannot be run again" in document["incomplete"]


def test_only_expressions_that_name_a_column(spark: Any, table: str, tmp_path: Path) -> None:
    spark_lineage.attach(
        spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals="drop", redact_literals_columns="na*", strict=True
    )  # fmt: skip
    spark.sql(f"SELECT id + 12345 AS a FROM {table} WHERE id <> {NUMBER}").collect()
    spark.sql(f"SELECT id + 12345 AS a FROM {table} WHERE name = '{CANARY}'").collect()
    spark.sql(f"SELECT id + 12345 AS a, '{CANARY}' AS name FROM {table}").collect()
    spark_lineage.detach(spark)
    kept, filtered, made = executions(tmp_path / "inbox")
    assert NUMBER in kept["statement"]
    assert _where(filtered) == [] == _where(made)
    assert "12345" in json.dumps(filtered["analyzed"]), "an expression without such a column keeps its values"
    assert "12345" not in filtered["statement"], "a text does not say to which column a value belongs"


def test_a_name_made_of_such_an_expression_is_without_its_values_wherever_it_stands(
    spark: Any, table: str, tmp_path: Path
) -> None:
    from pyspark.sql import functions as sql

    spark_lineage.attach(
        spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals="drop", redact_literals_columns="name", strict=True
    )  # fmt: skip
    made = spark.sql(f"SELECT id, name = '{CANARY}' FROM {table}")
    name = made.columns[1]
    nested = made.select("*", sql.struct("*").alias("s"), sql.array(sql.struct("*")).alias("a"))
    nested.select("*", ~nested[name], nested["s"][name], nested["a"].getField(name)).collect()
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    assert _where(document) == []


def test_a_write_is_resolved_without_its_literals(spark: Any, table: str, tmp_path: Path) -> None:
    from spark_lineage.lineage.resolve import RunContext, records_of_execution
    from spark_lineage.plan.document import read

    def recorded(policy: str) -> list[Any]:
        inbox = tmp_path / policy
        spark_lineage.attach(spark, inbox=str(inbox), ingest="none", redact_literals=policy, strict=True)
        spark.sql(
            f"SELECT id, CASE WHEN name = '{CANARY}' THEN 1 ELSE id END AS k, "
            f"'{CANARY}' AS c FROM {table} WHERE name <> 'x' ORDER BY id + {NUMBER} LIMIT 3"
        ).write.format("delta").mode("overwrite").save(str(tmp_path / "made"))
        spark_lineage.detach(spark)
        (path,) = inbox.glob("*/*.execution.json.gz")
        document = read(path.read_bytes())
        records = records_of_execution(document, RunContext())  # type: ignore[arg-type]
        (output,) = records.outputs
        confs = json.loads(gzip.decompress(path.read_bytes()))["confs"]
        assert confs["spark.sql.shuffle.partitions"] == "2"
        assert (output.rows_written, output.files_written) == (3, 1)
        return [(e.lineage_id, e.edge_id) for e in records.column_lineage]

    assert recorded("drop") == recorded("keep") == recorded("hash"), "a lineage is named by its content, literals left out"


def _bridge(spark: Any, tmp_path: Path, policy: str) -> Any:
    """A bridge that nobody's options were checked for, as what asks for one by itself would make it."""
    from spark_lineage.capture.attach import _new_bridge
    from spark_lineage.capture.redaction import Redaction
    from spark_lineage.config import load

    settings = load(environment={}, directory=tmp_path)
    unchecked = type(settings)({**settings.values, "redact.literals": policy}, settings.origins)
    return _new_bridge(spark, unchecked, Redaction(), "run", str(tmp_path / "inbox" / "run"), "")


@pytest.mark.parametrize("policy", ["redact", "true", "", "dropp"])
def test_a_policy_that_is_none_is_refused_by_the_bridge_too(policy: str, spark: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=f"redact.literals is '{policy}'; set it to keep, hash or drop"):
        _bridge(spark, tmp_path, policy)


def test_a_policy_is_known_whatever_its_case_and_blanks(spark: Any, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", redact_literals=" Drop", strict=True)
    spark.sql(f"SELECT '{CANARY}' AS a, id FROM range(1)").write.format("delta").save(str(tmp_path / "made"))
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    assert _where(document) == []
    assert "executable: literals are redacted" in document["incomplete"]


@pytest.fixture(scope="module")
def redact(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The bridge's own redaction of SQL text, called in the JVM."""
    attachment = spark_lineage.attach(spark, inbox=str(tmp_path_factory.mktemp("inbox")), ingest="none", strict=True)
    assert attachment is not None
    jvm = spark.sparkContext._jvm
    loader = attachment.bridge.getClass().getClassLoader()
    literals = loader.loadClass("org.sparklineage.bridge.Literals")
    options = jvm.java.util.HashMap()
    options.put("redact_literals", "drop")
    gateway = spark.sparkContext._gateway
    types = gateway.new_array(jvm.java.lang.Class, 1)
    types[0] = jvm.java.lang.Class.forName("java.util.Map")
    constructor = literals.getDeclaredConstructor(types)
    constructor.setAccessible(True)
    arguments = gateway.new_array(jvm.java.lang.Object, 1)
    arguments[0] = options
    made = constructor.newInstance(arguments)
    types[0] = jvm.java.lang.Class.forName("java.lang.String")
    method = literals.getDeclaredMethod("sql", types)
    method.setAccessible(True)

    def call(text: str) -> str:
        arguments[0] = text
        return str(method.invoke(made, arguments))

    yield call
    spark_lineage.detach(spark)


_TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="'\\"), max_size=12)
_LITERAL = st.one_of(
    _TEXT.map(lambda text: f"'{CANARY}{text}'"),
    _TEXT.map(lambda text: f"'a''{CANARY}{text}'"),
    _TEXT.map(lambda text: f"'a\\'{CANARY}{text}'"),
    _TEXT.map(lambda text: f"R'{CANARY}{text}'"),
    _TEXT.filter(lambda text: '"' not in text).map(lambda text: f'"{CANARY}{text}"'),
    st.integers(10**9, 10**12).map(lambda number: f"{NUMBER}{number}"),
    st.integers(1, 9).map(lambda number: f"{NUMBER}.{number}e{number}"),
    st.sampled_from([f"{NUMBER}L", f"{NUMBER}BD", f"{NUMBER}.5D", f".{NUMBER}", f"{NUMBER}S"]),
    _TEXT.filter(lambda text: "*/" not in text and "/*" not in text).map(lambda text: f"1 /* {CANARY} {text} */"),
)
_WORD = st.sampled_from(["SELECT", "a", "`odd ' name`", "FROM", "ümlaut", "(", ")", ",", "=", "||", "CASE", "x.y", "\n", "𝒳"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(st.one_of(_WORD, _LITERAL), min_size=1, max_size=12))
def test_no_literal_survives_in_sql_text(redact: Any, parts: list[str]) -> None:
    result = redact(" ".join(parts))
    assert CANARY not in result
    assert NUMBER not in result


def test_sql_text_keeps_what_is_no_literal(redact: Any) -> None:
    assert redact("SELECT a1, `b '2'` FROM s.t2 WHERE a1 > 5 AND `b '2'` = 'x\\'y'") == (
        "SELECT a1, `b '2'` FROM s.t2 WHERE a1 > '?' AND `b '2'` = '?'"
    )
    assert redact("SELECT 'unclosed") == "(redacted)"
