"""Every source and sink, with the real thing: its dataset, its version, its row counts; and one name for all spellings of a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres
import pytest
from captured import Capture
from postgres import has_jar

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read


def records(capture: Capture, act: Callable[[], Any]) -> list[Records]:
    """What the ingester makes of the executions of an act."""
    before = set(_documents(capture))
    act()
    found = [read(path.read_bytes()) for path in sorted(set(_documents(capture)) - before)]
    return [records_of_execution(one, RunContext("job")) for one in found if isinstance(one, ExecutionDocument)]


def only(capture: Capture, act: Callable[[], Any]) -> Records:
    found = records(capture, act)
    assert len(found) == 1, [one.executions[0].operation for one in found]
    return found[0]


def _documents(capture: Capture) -> list[Path]:
    assert capture.attachment.bridge.flush(60_000) >= 0
    return list(capture.inbox.glob("*/[0-9]*.execution.json.gz"))


@pytest.fixture
def frame(spark: Any) -> Any:
    return spark.sql("SELECT * FROM VALUES (1, 'x', 1.0D), (2, 'y', 2.0D), (3, 'x', 3.0D) AS t(id, k, v)")


FORMATS = [
    pytest.param("parquet", {}, id="parquet"),
    pytest.param("csv", {"header": "true"}, id="csv"),
    pytest.param("json", {}, id="json"),
    pytest.param("orc", {}, id="orc"),
    pytest.param("xml", {"rowTag": "row"}, id="xml"),
    pytest.param("text", {}, id="text"),
    pytest.param("avro", {}, id="avro", marks=has_jar("spark-avro")),
]


@pytest.mark.parametrize(("name", "options"), FORMATS)
def test_files_of_each_format_are_read_in_the_version_that_was_written(
    spark: Any, capture: Capture, frame: Any, name: str, options: dict[str, str]
) -> None:
    rows = frame.selectExpr("k AS value") if name == "text" else frame
    folder = str(capture.data / "made")
    written = only(capture, lambda: rows.coalesce(1).write.format(name).options(**options).save(folder))
    (output,) = written.outputs
    assert (output.namespace, output.name, output.rows_written, output.files_written) == ("file", folder, 3, 1)
    assert output.version_basis == "exact"
    assert (output.fingerprint or "").startswith("listing:")
    loaded = spark.read.format(name).options(**options).load(folder)
    (used,) = only(capture, lambda: loaded.write.format("noop").mode("overwrite").save()).inputs
    assert (used.name, used.rows_read, used.files_read) == (folder, 3, 1)
    assert (used.fingerprint, used.version_basis) == (output.fingerprint, "exact")
    assert {dataset.format for dataset in written.datasets} == {name}


def test_binary_files_are_the_folder_that_was_read(spark: Any, capture: Capture) -> None:
    (capture.data / "blobs").mkdir()
    (capture.data / "blobs" / "a.bin").write_bytes(b"abc")
    (capture.data / "blobs" / "b.bin").write_bytes(b"de")
    found = only(
        capture, lambda: spark.read.format("binaryFile").load(str(capture.data / "blobs")).select("path", "length").collect()
    )
    assert [(used.name, used.rows_read, used.bytes_read) for used in found.inputs] == [(str(capture.data / "blobs"), 2, 5)]
    assert [dataset.format for dataset in found.datasets] == ["binaryfile"]


@pytest.mark.parametrize("v1", ["parquet", ""], ids=["v1", "v2"])
def test_the_version_of_files_is_that_of_the_partitions_that_were_scanned(
    spark: Any, capture: Capture, frame: Any, v1: str
) -> None:
    folder = str(capture.data / "parts")
    frame.write.partitionBy("k").parquet(folder)
    spark.conf.set("spark.sql.sources.useV1SourceList", v1)
    try:
        whole = _read(capture, lambda: spark.read.parquet(folder).collect())
        part = _read(capture, lambda: spark.read.parquet(folder).where("k = 'y'").collect())
        spark.sql(f"INSERT OVERWRITE DIRECTORY '{folder}/k=x' USING parquet SELECT 9 AS id, 9.0D AS v")
        again = _read(capture, lambda: spark.read.parquet(folder).where("k = 'y'").collect())
        changed = _read(capture, lambda: spark.read.parquet(folder).collect())
    finally:
        spark.conf.unset("spark.sql.sources.useV1SourceList")
    assert [one.fingerprint.partition(":")[0] for one in (whole, part, again, changed)] == [
        "listing",
        "partitions",
        "partitions",
        "listing",
    ]
    assert part.fingerprint == again.fingerprint
    assert whole.fingerprint != changed.fingerprint
    assert (part.files_read, part.rows_read) == (1, 1)
    assert {one.name for one in (whole, part, again, changed)} == {folder}


def test_a_partitioned_table_of_the_catalog_has_the_version_of_what_was_pruned_before_and_while_it_ran(
    spark: Any, capture: Capture, frame: Any
) -> None:
    frame.createOrReplaceTempView("src_frame")
    spark.sql("CREATE DATABASE IF NOT EXISTS src")
    spark.sql("DROP TABLE IF EXISTS src.parts")
    made = only(
        capture, lambda: spark.sql("CREATE TABLE src.parts USING parquet PARTITIONED BY (k) AS SELECT * FROM src_frame")
    )
    whole = _read(capture, lambda: spark.sql("SELECT * FROM src.parts").collect())
    fixed = _read(capture, lambda: spark.sql("SELECT * FROM src.parts WHERE k = 'y'").collect())
    frame.write.parquet(str(capture.data / "keys"))
    dynamic = only(
        capture,
        lambda: spark.sql(
            f"SELECT p.* FROM src.parts p JOIN (SELECT k FROM parquet.`{capture.data}/keys` WHERE id = 2) q ON p.k = q.k"
        ).collect(),
    )
    pruned = next(one for one in dynamic.inputs if one.name == whole.name)
    assert (whole.fingerprint, whole.files_read) == (made.outputs[0].fingerprint, made.outputs[0].files_written)
    assert fixed.fingerprint.startswith("partitions:")
    assert (pruned.fingerprint, pruned.rows_read) == (fixed.fingerprint, 1)
    assert whole.alias == "spark_catalog.src.parts"


def test_scans_below_subqueries_and_below_what_adaptive_execution_took_away_are_exact(
    spark: Any, capture: Capture, frame: Any
) -> None:
    for name in "abcd":
        frame.write.parquet(str(capture.data / name))
    at = {name: f"parquet.`{capture.data}/{name}`" for name in "abcd"}
    query = (
        f"SELECT id, (SELECT max(v) FROM {at['b']}) AS top FROM {at['a']} "
        f"WHERE v >= (SELECT min(v) FROM {at['c']}) AND id IN (SELECT id FROM {at['d']} WHERE k = 'x')"
    )
    found = only(capture, lambda: spark.sql(query).collect())
    assert {(Path(one.name).name, one.version_basis) for one in found.inputs} == {(name, "exact") for name in "abcd"}
    nothing = (
        f"SELECT a.id FROM {at['a']} a JOIN (SELECT id, count(*) FROM {at['b']} WHERE k = 'none' GROUP BY id) b ON a.id = b.id"
    )
    emptied = {Path(one.name).name: one for one in only(capture, lambda: spark.sql(nothing).collect()).inputs}
    assert (emptied["b"].version_basis, emptied["b"].rows_read) == ("exact", 0)


def test_schema_inference_for_a_path_in_sql_is_no_execution_of_the_users(spark: Any, capture: Capture) -> None:
    (capture.data / "c.csv").write_text("1,x\n2,y\n")
    found = only(capture, lambda: spark.sql(f"SELECT * FROM csv.`{capture.data}/c.csv`").collect())
    assert [one.name for one in found.inputs] == [str(capture.data / "c.csv")]


def test_an_output_that_changed_before_it_could_be_listed_has_no_version(spark: Any, capture: Capture, frame: Any) -> None:
    """The bridge's thread is held until the second write is over."""
    folder = str(capture.data / "twice")
    system = spark._jvm.System

    def both() -> None:
        system.setProperty("spark.lineage.fault", "sleep:document")
        try:
            frame.write.mode("overwrite").parquet(folder)
            frame.limit(1).write.mode("overwrite").parquet(folder)
        finally:
            system.clearProperty("spark.lineage.fault")

    first, second = records(capture, both)
    read_back = _read(capture, lambda: spark.read.parquet(folder).collect())
    assert second.outputs[0].fingerprint == read_back.fingerprint
    assert (first.outputs[0].fingerprint, first.outputs[0].version_basis) == (None, "inferred")


def test_every_spelling_of_a_place_is_one_dataset(spark: Any, capture: Capture, frame: Any) -> None:
    real = capture.data / "or ders=ü%20" / "t"
    frame.write.format("delta").save(str(real))
    plain = capture.data / "orders"
    frame.write.partitionBy("k").parquet(str(plain))
    (capture.data / "link").symlink_to(plain)
    (capture.data / "folder").symlink_to(capture.data)
    spark.sql("CREATE DATABASE IF NOT EXISTS src")
    spark.sql("DROP TABLE IF EXISTS src.orders")
    spark.sql(f"CREATE TABLE src.orders USING parquet LOCATION '{plain}'")
    spark.sql("MSCK REPAIR TABLE src.orders")
    spark.sql("CREATE OR REPLACE VIEW src.orders_view AS SELECT * FROM src.orders")
    spellings: list[Callable[[], Any]] = [
        lambda: spark.read.parquet(str(plain)),
        lambda: spark.read.parquet(f"{plain}/"),
        lambda: spark.read.parquet(f"file:{plain}"),
        lambda: spark.read.parquet(f"file://{plain}/"),
        lambda: spark.read.parquet(str(plain).replace("/orders", "//orders/.")),
        lambda: spark.read.parquet(f"{plain}/../orders"),
        lambda: spark.read.parquet(f"{plain}/k=x"),
        lambda: spark.read.option("basePath", str(plain)).parquet(f"{plain}/k=x", f"{plain}/k=y"),
        lambda: spark.read.parquet(f"{plain}/k=*"),
        lambda: spark.read.parquet(f"{plain}/*/*.parquet"),
        lambda: spark.sql(f"SELECT * FROM parquet.`{plain}`"),
        lambda: spark.table("src.orders"),
        lambda: spark.table("spark_catalog.src.orders"),
        lambda: spark.table("src.orders_view"),
        lambda: spark.read.parquet(str(capture.data / "link")),
        lambda: spark.read.parquet(str(capture.data / "link" / "k=x")),
        lambda: spark.read.parquet(str(capture.data / "folder" / "orders")),
        lambda: spark.read.parquet(str(capture.data / "folder" / "link")),
    ]
    found = [only(capture, lambda make=make: make().collect()) for make in spellings]
    assert [{one.name for one in each.inputs} for each in found] == [{str(plain)}] * len(spellings)
    assert "src.orders_view" in found[13].datasets[0].aliases
    assert str(capture.data / "link") in found[14].datasets[0].aliases
    fingerprints = {found[number].inputs[0].fingerprint for number in (0, 1, 2, 3, 4, 5, 10, 11, 14, 16, 17)}
    assert len(fingerprints) == 1
    odd = only(capture, lambda: spark.sql(f"SELECT * FROM delta.`{real}`").collect())
    assert [(one.name, one.delta_version) for one in odd.inputs] == [(str(real), 0)]


def test_a_write_through_a_link_is_a_write_to_where_it_leads(spark: Any, capture: Capture, frame: Any) -> None:
    (capture.data / "real").mkdir()
    (capture.data / "link").symlink_to(capture.data / "real")
    for name in ("delta", "parquet"):
        found = only(capture, lambda name=name: frame.write.format(name).save(str(capture.data / "link" / name)))
        assert [(one.name, one.rows_written) for one in found.outputs] == [(str(capture.data / "real" / name), 3)]


def test_a_python_data_source_is_a_dataset_by_its_name_and_options(spark: Any, capture: Capture, frame: Any) -> None:
    from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceWriter, WriterCommitMessage

    class Reader(DataSourceReader):
        def read(self, partition: Any) -> Iterator[tuple[int, str]]:
            yield (1, "x")

    class Writer(DataSourceWriter):
        def write(self, iterator: Any) -> WriterCommitMessage:
            for _ in iterator:
                pass
            return WriterCommitMessage()

    class Shop(DataSource):
        @classmethod
        def name(cls) -> str:
            return "shop"

        def schema(self) -> str:
            return "id int, k string"

        def reader(self, schema: Any) -> DataSourceReader:
            return Reader()

        def writer(self, schema: Any, overwrite: bool) -> DataSourceWriter:
            return Writer()

    spark.dataSource.register(Shop)
    options = {"host": "db.example.org", "collection": "orders", "password": "hunter2"}
    read_it = only(capture, lambda: spark.read.format("shop").options(**options).load().collect())
    assert [(one.namespace, one.name, one.rows_read) for one in read_it.inputs] == [("shop://db.example.org", "orders", 1)]
    wrote = only(capture, lambda: frame.select("id", "k").write.format("shop").options(**options).mode("append").save())
    assert [(one.namespace, one.name) for one in wrote.outputs] == [("shop://db.example.org", "orders")]
    assert [dataset.format for dataset in wrote.datasets] == ["shop"]
    assert any("named by its class and options" in reason for reason in wrote.executions[0].incomplete_reasons)
    assert all("hunter2" not in str(document) for document in capture.executions())


def test_numbers_that_spark_counts_are_no_dataset_and_a_noop_is_a_sink(spark: Any, capture: Capture) -> None:
    found = only(capture, lambda: spark.range(10).write.format("noop").mode("overwrite").save())
    assert found.inputs == ()
    assert [(one.namespace, one.name, one.rows_written) for one in found.outputs] == [("noop", "noop", 10)]
    assert found.executions[0].completeness == "complete"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: run scripts/setup.sh tests, or apt-get install postgresql")
    with postgres.server() as running:
        running.run(
            "CREATE SCHEMA crm",
            "CREATE TABLE orders (id int PRIMARY KEY, customer_id int, amount float8)",
            "INSERT INTO orders SELECT i, i % 3, i FROM generate_series(1, 10) i",
            "CREATE TABLE crm.customers (customer_id int, name text)",
            "INSERT INTO crm.customers VALUES (0, 'a'), (1, 'b')",
        )
        yield running


@has_jar("postgresql")
def test_tables_and_queries_behind_jdbc_are_named_alike_whatever_asks_for_them(
    spark: Any, capture: Capture, server: postgres.Server
) -> None:
    account = {"url": server.url, "user": postgres.USER, "password": postgres.PASSWORD}

    def ask(**options: str) -> Records:
        reader = spark.read.format("jdbc").options(**account, **options)
        return only(capture, lambda: reader.load().write.format("noop").mode("overwrite").save())

    orders, customers = "shop.public.orders", "shop.crm.customers"
    table = ask(dbtable="orders")
    assert [(one.namespace, one.name, one.rows_read) for one in table.inputs] == [(server.namespace, orders, 10)]
    assert table.executions[0].completeness == "complete"
    parts = {"partitionColumn": "id", "lowerBound": "0", "upperBound": "10", "numPartitions": "2"}
    assert [(one.name, one.rows_read) for one in ask(dbtable="public.orders", **parts).inputs] == [(orders, 10)]
    assert [(one.name, one.rows_read) for one in ask(query="SELECT id FROM orders WHERE id < 4").inputs] == [(orders, 3)]
    assert [one.name for one in ask(dbtable='(SELECT * FROM "public"."orders") t').inputs] == [orders]
    joined = ask(query="WITH c AS (SELECT * FROM crm.customers) SELECT o.id, c.name FROM orders o JOIN c USING (customer_id)")
    assert {one.name for one in joined.inputs} == {orders, customers}
    assert "its tables" in joined.executions[0].incomplete_reasons[0]
    untold = ask(query="SELECT i FROM generate_series(1, 3) i")
    assert [one.name for one in untold.inputs] == ["shop.SELECT i FROM generate_series(1, 3) i"]
    assert "could not be told" in untold.executions[0].incomplete_reasons[0]
    assert all(postgres.PASSWORD not in str(document) for document in capture.executions())


@has_jar("postgresql")
def test_rows_are_written_to_a_database(spark: Any, capture: Capture, server: postgres.Server, frame: Any) -> None:
    account = {"url": server.url, "user": postgres.USER, "password": postgres.PASSWORD}
    for mode in ("append", "overwrite"):
        found = only(
            capture, lambda mode=mode: frame.write.format("jdbc").options(**account, dbtable="crm.made").mode(mode).save()
        )
        assert [(one.namespace, one.name, one.write_mode) for one in found.outputs] == [
            (server.namespace, "shop.crm.made", mode)
        ]
    assert server.run("SELECT count(*) FROM crm.made").strip() == "3"


@has_jar("postgresql")
def test_a_catalog_over_a_database_names_its_tables_as_the_database_does(
    spark: Any, capture: Capture, server: postgres.Server
) -> None:
    catalog = "spark.sql.catalog.shopdb"
    spark.conf.set(catalog, "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog")
    for key, value in {
        "url": server.url,
        "user": postgres.USER,
        "password": postgres.PASSWORD,
        "driver": "org.postgresql.Driver",
    }.items():
        spark.conf.set(f"{catalog}.{key}", value)
    counted = only(
        capture, lambda: spark.sql("SELECT customer_id, count(*) c FROM shopdb.public.orders GROUP BY customer_id").collect()
    )
    assert [(one.namespace, one.name, one.alias) for one in counted.inputs] == [
        (server.namespace, "shop.public.orders", "shopdb.public.orders")
    ]
    added = only(capture, lambda: spark.sql("INSERT INTO shopdb.crm.customers SELECT 7, 'z'"))
    assert [(one.name, one.write_mode) for one in added.outputs] == [("shop.crm.customers", "append")]
    made = only(capture, lambda: spark.sql("CREATE TABLE shopdb.crm.fresh AS SELECT * FROM shopdb.public.orders"))
    assert [(one.namespace, one.name) for one in made.outputs] == [(server.namespace, "shop.crm.fresh")]
    assert "shopdb.crm.fresh" in {alias for dataset in made.datasets for alias in dataset.aliases}


@has_jar("iceberg-spark-runtime")
def test_iceberg_tables_are_read_and_written_by_their_snapshots(spark: Any, capture: Capture, frame: Any) -> None:
    spark.conf.set("spark.sql.catalog.ice", "org.apache.iceberg.spark.SparkCatalog")
    spark.conf.set("spark.sql.catalog.ice.type", "hadoop")
    spark.conf.set("spark.sql.catalog.ice.warehouse", str(capture.data / "ice"))
    place = str(capture.data / "ice" / "db" / "t")

    def snapshots() -> list[str]:
        rows = spark.sql("SELECT snapshot_id FROM ice.db.t.snapshots ORDER BY committed_at").collect()
        return [f"snapshot:{row[0]}" for row in rows]

    spark.sql("CREATE TABLE ice.db.t (id int, k string, v double) USING iceberg PARTITIONED BY (k)")
    frame.createOrReplaceTempView("ice_frame")
    outputs = [
        only(capture, lambda text=text: spark.sql(text)).outputs[0]
        for text in (
            "INSERT INTO ice.db.t SELECT * FROM ice_frame",
            "UPDATE ice.db.t SET v = v + 1 WHERE id = 1",
            "MERGE INTO ice.db.t t USING ice_frame s ON t.id = s.id + 2 WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *",
        )
    ]
    known = snapshots()
    assert [(one.name, one.fingerprint, one.version_basis) for one in outputs] == [(place, one, "exact") for one in known]
    assert [one.write_mode for one in outputs] == ["append", "update", "merge"]
    latest = _read(capture, lambda: spark.table("ice.db.t").collect())
    first = _read(capture, lambda: spark.sql(f"SELECT * FROM ice.db.t VERSION AS OF {known[0].partition(':')[2]}").collect())
    by_path = _read(capture, lambda: spark.read.format("iceberg").load(place).collect())
    assert [(one.name, one.fingerprint) for one in (latest, first, by_path)] == [
        (place, known[-1]),
        (place, known[0]),
        (place, known[-1]),
    ]
    made = only(capture, lambda: spark.sql("CREATE TABLE ice.db.u USING iceberg AS SELECT * FROM ice.db.t"))
    assert [(one.name, one.alias, one.rows_written) for one in made.outputs] == [
        (place[:-1] + "u", "ice.db.u", latest.rows_read)
    ]


def _read(capture: Capture, act: Callable[[], Any]) -> Any:
    (used,) = only(capture, act).inputs
    return used
