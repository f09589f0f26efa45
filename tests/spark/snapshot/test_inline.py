"""Checksums of rows in the same pass as their write: the bits of who reads the files, and rows that are what they were without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.lineage.limits import Limits
from spark_lineage.model import Snapshot
from spark_lineage.snapshot.policy import Policy
from spark_lineage.snapshot.spark import sums_of_frame
from spark_lineage.snapshot.taking import snapshots
from spark_lineage.store.tables import Store

TYPES = (
    "id", "CAST(id AS TINYINT) AS b", "CAST(id AS SMALLINT) AS sh", "CAST(id AS INT) AS i", "CAST(nullif(id % 5, 2) / 3 AS FLOAT) AS f",
    "CASE id WHEN 3 THEN -0.0D WHEN 4 THEN double('NaN') ELSE id / 7 END AS d", "id % 3 = 0 AS bo", "date_add(date'1500-01-01', int(id)) AS da",
    "timestamp_micros(id * 1000003) AS ts", "CAST(timestamp_micros(id) AS TIMESTAMP_NTZ) AS tn", "nullif('é' || id, 'é3') AS s",
    "CAST('n' || id AS BINARY) AS bi", "CAST(id AS DECIMAL(5,2)) AS d5", "CAST(id * -1 AS DECIMAL(30,4)) AS d30",
    "if(id = 7, NULL, named_struct('y', int(id), 'x', if(id = 8, NULL, named_struct('z', 'z' || id)))) AS st", "CAST(NULL AS STRING) AS `näme`",
)  # fmt: skip
Kept = Callable[[], list[Snapshot]]


@pytest.fixture
def kept(spark: Any, tmp_path: Path) -> Iterator[Kept]:
    """What is kept of the versions that were written so far, by somebody who may read no data file."""
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, snapshots_inline=True)
    assert attachment is not None

    def found() -> list[Snapshot]:
        assert attachment.flush(60)
        ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), snapshots=Policy("outputs", Limits(), 0))
        assert list(attachment.bridge.warnings()) == []
        return snapshots(Store.open(tmp_path / "store"), without=True)

    yield found
    detach(spark)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "table")


def test_every_type_without_reading_a_file(spark: Any, kept: Kept, place: str) -> None:
    frame = spark.range(0, 100, 1, 3).selectExpr(*TYPES)
    frame.write.format("delta").save(place)
    (taken,) = kept()
    assert taken.reason is None
    expected = sums_of_frame(spark.read.format("delta").load(place))
    assert (taken.method, taken.files_read, taken.row_count, taken.checksum) == ("inline", 0, 100, expected.checksum)
    assert expected == sums_of_frame(frame), "what is written is what was asked for"


@pytest.mark.soak
def test_versions_that_follow_from_those_before(spark: Any, kept: Kept, place: str) -> None:
    table = f"delta.`{place}`"
    for statement in (
        f"CREATE TABLE {table} USING delta AS SELECT id, 'a' AS name FROM range(10)",
        f"INSERT INTO {table} SELECT id, NULL FROM range(5)",
        f"INSERT INTO {table} (name, id) VALUES ('x', 1), ('x', 1)",
        f"INSERT OVERWRITE {table} SELECT id, 'b' FROM range(3)",
        f"INSERT INTO {table} SELECT * FROM {table}",
    ):
        spark.sql(statement)
    spark.range(4).selectExpr("id", "'c' AS name").write.format("delta").mode("overwrite").save(place)
    spark.range(2).selectExpr("id", "'d' AS name").writeTo(table).append()
    taken = kept()
    assert [(one.delta_version, one.method, one.row_count, one.reason) for one in taken] == [
        (version, "inline", rows, None) for version, rows in enumerate((10, 15, 17, 3, 6, 4, 6))
    ]
    for one in taken:
        there = sums_of_frame(spark.read.format("delta").option("versionAsOf", one.delta_version).load(place))
        assert one.checksum == there.checksum, one.delta_version


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, (SELECT max(id) FROM ids) AS most FROM ids WHERE id > (SELECT avg(id) FROM ids)",
        "SELECT id FROM ids WHERE id IN (SELECT id * 2 FROM ids WHERE id < (SELECT max(id) / 4 FROM ids))",
        "SELECT id FROM ids o WHERE EXISTS (SELECT 1 FROM ids i WHERE i.id = o.id * 3) OR id NOT IN (SELECT id * 2 FROM ids)",
        "SELECT id, (SELECT count(*) FROM ids i WHERE i.id < o.id) AS below FROM ids o",
        "SELECT sum(id + (SELECT min(id) FROM ids)) AS s FROM ids GROUP BY id % 3 HAVING count(*) > (SELECT 5)",
        "WITH c AS (SELECT id, rand(7) AS r FROM ids) SELECT a.id, b.r FROM c a JOIN c b ON a.id = b.id WHERE a.r = (SELECT max(r) FROM c) OR true",
        "SELECT o.id, l.n FROM ids o JOIN LATERAL (SELECT count(*) AS n FROM ids i WHERE i.id < o.id) l",
    ],
)
def test_queries_with_subqueries(query: str, spark: Any, kept: Kept, place: str) -> None:
    """The optimizer calls itself for each of them."""
    spark.range(40).createOrReplaceTempView("ids")
    expected = sums_of_frame(spark.sql(query))
    spark.sql(f"CREATE TABLE delta.`{place}` USING delta AS {query}")
    spark.sql(query).write.format("delta").mode("append").save(place)
    taken = kept()
    assert [(one.method, one.row_count) for one in taken] == [("inline", expected.rows), ("inline", 2 * expected.rows)]
    assert [one.checksum for one in taken] == [expected.checksum, (expected + expected).checksum]


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE {t} USING delta AS SELECT id, array(id) AS a FROM range(3)",),
        ("CREATE TABLE {t} USING delta PARTITIONED BY (p) AS SELECT id, if(id = 0, '', 'x') AS p FROM range(3)",),
        (
            "CREATE TABLE {t} (id BIGINT, name STRING) USING delta",
            "INSERT INTO {t} (id) VALUES (1)",
            "INSERT INTO {t} (id) VALUES (2)",
            "MERGE INTO {t} t USING (SELECT 1 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'm'",
        ),
    ],
    ids=["arrays", "texts to partition by", "merge"],
)
def test_what_does_not_follow_is_left_to_who_reads(statements: tuple[str, ...], spark: Any, kept: Kept, place: str) -> None:
    for statement in statements:
        spark.sql(statement.format(t=f"delta.`{place}`"))
    last = kept()[-1]
    assert last.checksum is None
    assert "snapshots.max.bytes (0)" in str(last.reason), "it would have to be read"


def test_times_of_which_files_get_milliseconds_alone(spark: Any, kept: Kept, place: str) -> None:
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS")
    try:
        spark.range(3).selectExpr("timestamp_micros(id * 1001) AS ts").write.format("delta").save(place)
        spark.range(3).write.format("delta").save(f"{place} without times")
    finally:
        spark.conf.unset("spark.sql.parquet.outputTimestampType")
    cut, whole = kept()
    assert "would have to be read" in str(cut.reason)
    assert (whole.method, whole.row_count) == ("inline", 3)


def test_rows_written_are_the_same_with_and_without(spark: Any, kept: Kept, place: str) -> None:
    """Also where the query has what an optimizer could move: a limit, an order, a function of Python, a generated column."""
    spark.udf.register("twice", lambda value: None if value is None else value * 2, "bigint")
    spark.sql(f"CREATE TABLE delta.`{place}` (id BIGINT, t BIGINT, g BIGINT GENERATED ALWAYS AS (id + 1)) USING delta")
    frame = spark.sql("SELECT id, twice(id) AS t FROM range(50) WHERE id % 3 <> 1 ORDER BY id DESC LIMIT 20")
    frame.write.format("delta").mode("append").save(place)
    (_, taken) = kept()
    there = spark.read.format("delta").load(place)
    assert sorted(there.collect()) == sorted(frame.selectExpr("*", "id + 1 AS g").collect())
    assert (taken.method, taken.checksum) == ("inline", sums_of_frame(there).checksum)


def test_without_it_a_write_is_as_ever(spark: Any, tmp_path: Path, place: str) -> None:
    attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True, snapshots_inline=True)
    rules = spark._jsparkSession.experimental().extraOptimizations().size()
    detach(spark)
    assert (rules, spark._jsparkSession.experimental().extraOptimizations().size()) == (1, 0)
