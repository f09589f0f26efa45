"""The command table: what a user types, and what its one document must say.

Tables, made anew for each case: `cmd.a` (Delta, 6 rows in versions 0 and 1), `cmd.b` (Delta, 3 rows, version 0), `cmd.d` (Delta,
partitioned by k), `cmd.p` (Parquet, partitioned by k), and the files c.csv and j.json.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import functions as sf

Act = Callable[[Any, Path], Any]


@dataclass(frozen=True)
class Case:
    """One thing a user does. `read` and `written`: folder -> versions; None as a version: it has none, or none is known.

    `documents`: how many it makes; the expectations are of the last. `rows`: (rows_written, rows_deleted) by folder.
    """

    name: str
    act: str | Act
    operation: str
    read: dict[str, set[int | None]] = field(default_factory=dict)
    written: dict[str, list[int | None]] = field(default_factory=dict)
    before: tuple[str | Act, ...] = ()
    modes: tuple[str, ...] = ()
    rows: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    documents: int = 1
    statement: bool | None = None
    incomplete: tuple[str, ...] = ()
    inferred: bool = False


def prepare(spark: Any, data: Path) -> None:
    spark.sql(f"CREATE DATABASE cmd LOCATION '{data}/cmd'")
    frame = spark.createDataFrame([(1, "x", 1.0), (2, "y", 2.0), (3, "x", 3.0)], "id int, k string, v double").coalesce(1)
    frame.write.format("delta").saveAsTable("cmd.a")
    frame.write.format("delta").mode("append").saveAsTable("cmd.a")
    frame.write.format("delta").saveAsTable("cmd.b")
    frame.write.format("delta").partitionBy("k").saveAsTable("cmd.d")
    frame.write.format("parquet").partitionBy("k").saveAsTable("cmd.p")
    (data / "c.csv").write_text("id,k,v\n1,x,1.0\n2,y,2.0\n")
    (data / "j.json").write_text('{"id": 1, "k": "x"}\n')


class Tables:
    """The tables in a folder, brought back to what they were by copying files: making them costs more than most cases."""

    def __init__(self, spark: Any, data: Path, kept: Path) -> None:
        self.spark, self.data, self.kept = spark, data, kept
        prepare(spark, data)
        shutil.copytree(data, kept)

    def bring_back(self) -> None:
        """As after `prepare`. Delta keeps what it knows of a log in a cache; the catalog forgets and is told again."""
        there = {row.tableName for row in self.spark.sql("SHOW TABLES IN cmd").collect() if not row.isTemporary}
        for name in there - {"a", "b", "d", "p"}:
            view = name == "v"
            self.spark.sql(f"DROP {'VIEW' if view else 'TABLE'} cmd.{name}")
        self.spark.catalog.clearCache()
        shutil.rmtree(self.data)
        if there >= {"a", "b", "d", "p"}:
            shutil.copytree(self.kept, self.data)
        else:
            self.spark.sql("DROP DATABASE cmd CASCADE")
            self._forget()
            self.data.mkdir()
            prepare(self.spark, self.data)
        self._forget()

    def _forget(self) -> None:
        getattr(self.spark._jvm, "org.apache.spark.sql.delta.DeltaLog").clearCache()
        self.spark._jsparkSession.sessionState().catalog().invalidateAllCachedTables()


def do(spark: Any, data: Path, step: str | Act) -> Any:
    return spark.sql(step.format(data=data)) if isinstance(step, str) else step(spark, data)


def _table(spark: Any, name: str) -> Any:
    from delta.tables import DeltaTable

    return DeltaTable.forName(spark, f"cmd.{name}")


def _with(conf: str, value: str, act: str | Act) -> Act:
    def run(spark: Any, data: Path) -> None:
        spark.conf.set(conf, value)
        try:
            do(spark, data, act)
        finally:
            spark.conf.unset(conf)

    return run


def _cached(spark: Any, data: Path) -> None:
    frame = spark.table("cmd.a").where("v > 0").cache()
    frame.write.format("delta").save(str(data / "o3"))
    frame.unpersist()


def _overwrite(**options: str) -> Act:
    def run(spark: Any, data: Path) -> None:
        spark.table("cmd.a").where("k = 'x'").write.format("delta").mode("overwrite").options(**options).saveAsTable("cmd.d")

    return run


def _api_create(spark: Any, data: Path) -> None:
    from delta.tables import DeltaTable

    DeltaTable.create(spark).tableName("cmd.made").addColumn("id", "int").execute()


def _api_merge(spark: Any, data: Path) -> None:
    merge = _table(spark, "b").alias("t").merge(spark.table("cmd.a").where("id = 1").distinct().alias("s"), "t.id = s.id")
    merge.whenMatchedUpdate(set={"v": "s.v + 1"}).whenNotMatchedInsertAll().execute()


def _api_convert(spark: Any, data: Path) -> None:
    from delta.tables import DeltaTable

    DeltaTable.convertToDelta(spark, f"parquet.`{data}/files`")


def _restore_to_a_time(spark: Any, data: Path) -> None:
    log = data / "cmd" / "a" / "_delta_log" / f"{0:020}.json"
    spark.sql(f"RESTORE TABLE cmd.a TO TIMESTAMP AS OF '{datetime.fromtimestamp(log.stat().st_mtime)}'")


def _files(spark: Any, data: Path) -> None:
    spark.range(3).coalesce(1).write.parquet(str(data / "files"))


def _optimized(write: Act) -> Act:
    """With automatic compaction of two files or more."""
    small = _with("spark.databricks.delta.autoCompact.minNumFiles", "2", write)
    return _with("spark.databricks.delta.autoCompact.enabled", "true", small)


def _save(name: str, **options: str) -> Act:
    return lambda spark, data: spark.range(100).repartition(4).write.format("delta").options(**options).save(str(data / name))


A = {"a": {1}}
VECTORS = "ALTER TABLE cmd.b SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
NO_VECTORS = "ALTER TABLE cmd.b SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')"
SECOND_FILE = "INSERT INTO cmd.b VALUES (4, 'z', 4.0)"
MERGE_ALL = (
    "MERGE INTO cmd.b t USING (SELECT * FROM cmd.p WHERE id < 3 UNION ALL SELECT 7, 1.0, 'n') s ON t.id = s.id WHEN MATCHED AND s.k = 'x' THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN UPDATE SET k = 'gone'"
)
MERGE_EVOLVES = (
    "MERGE WITH SCHEMA EVOLUTION INTO cmd.b t USING (SELECT id + 2 id, k, v, 1 extra FROM cmd.p) s ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
)
BY_NAME = "INSERT INTO cmd.b BY NAME SELECT v, id, k FROM cmd.a"
MULTI = "FROM cmd.a INSERT INTO cmd.b SELECT id, k, v WHERE id = 1 INSERT INTO cmd.d SELECT id, k, v * 2 WHERE id = 2"
ADD_PARTITION = "ALTER TABLE cmd.p ADD PARTITION (k = 'q')"
ON_FRAME: dict[str, Act] = {
    "collect": lambda s, d: s.sql("INSERT INTO cmd.b SELECT * FROM cmd.a").collect(),
    "show": lambda s, d: s.sql("INSERT INTO cmd.b SELECT * FROM cmd.a").show(),
    "count": lambda s, d: s.sql("INSERT INTO cmd.b SELECT * FROM cmd.a").count(),
    "toPandas": lambda s, d: s.sql("INSERT INTO cmd.b SELECT * FROM cmd.a").toPandas(),
}

FRAMES = [
    Case("csv to parquet", lambda s, d: s.read.csv(str(d / "c.csv"), header=True, inferSchema=True).write.parquet(str(d / "o1")), "create", {"c.csv": {None}}, {"o1": [None]}, modes=("create",)),
    Case("json to delta path", lambda s, d: s.read.json(str(d / "j.json")).write.format("delta").save(str(d / "o2")), "create", {"j.json": {None}}, {"o2": [0]}),
    Case("delta path append", lambda s, d: s.table("cmd.b").write.format("delta").mode("append").save(str(d / "cmd/a")), "append", {"b": {0}}, {"a": [2]}),
    Case("delta path overwrite", lambda s, d: s.table("cmd.b").write.format("delta").mode("overwrite").save(str(d / "cmd/a")), "overwrite", {"b": {0}}, {"a": [2]}, modes=("overwrite",)),
    Case("saveAsTable delta", lambda s, d: s.table("cmd.a").write.format("delta").saveAsTable("cmd.c3"), "create table as select", A, {"c3": [0]}),
    Case("saveAsTable parquet", lambda s, d: s.table("cmd.a").write.format("parquet").saveAsTable("cmd.c4"), "create table as select", A, {"c4": [None]}),
    Case("saveAsTable append", lambda s, d: s.table("cmd.a").write.format("delta").mode("append").saveAsTable("cmd.b"), "append", A, {"b": [1]}),
    Case("saveAsTable replaceWhere", _overwrite(replaceWhere="k = 'x'"), "replace table as select", A, {"d": [1]}, modes=("replace_where",)),
    Case("saveAsTable dynamic", _overwrite(partitionOverwriteMode="dynamic"), "replace table as select", A, {"d": [1]}, modes=("overwrite_partitions",)),
    Case("path replaceWhere", lambda s, d: s.table("cmd.a").where("k = 'x'").write.format("delta").mode("overwrite").option("replaceWhere", "k = 'x'").save(str(d / "cmd/b")), "overwrite", {"a": {1}, "b": {0}}, {"b": [1]}, modes=("replace_where",), rows={"b": (4, 2)}),
    Case("path dynamic", lambda s, d: s.table("cmd.a").write.format("delta").mode("overwrite").option("partitionOverwriteMode", "dynamic").save(str(d / "cmd/d")), "overwrite partitions", A, {"d": [1]}, modes=("overwrite_partitions",)),
    Case("insertInto parquet", lambda s, d: s.table("cmd.a").select("id", "v", "k").write.insertInto("cmd.p"), "append", A, {"p": [None]}, rows={"p": (6, None)}),
    Case("writeTo create", lambda s, d: s.table("cmd.a").writeTo("cmd.w").using("delta").partitionedBy(sf.col("k")).option("x", "1").tableProperty("delta.appendOnly", "false").create(), "create table as select", A, {"w": [0]}, modes=("create",)),
    Case("writeTo replace", lambda s, d: s.table("cmd.a").writeTo("cmd.b").using("delta").replace(), "replace table as select", A, {"b": [1]}, modes=("replace",)),
    Case("writeTo createOrReplace", lambda s, d: s.table("cmd.a").writeTo("cmd.n").using("delta").createOrReplace(), "replace table as select", A, {"n": [0]}),
    Case("writeTo append", lambda s, d: s.table("cmd.a").writeTo("cmd.b").append(), "append", A, {"b": [1]}),
    Case("writeTo overwrite", lambda s, d: s.table("cmd.a").where("k = 'x'").writeTo("cmd.b").overwrite(sf.expr("k = 'x'")), "overwrite", {"a": {1}, "b": {0}}, {"b": [1]}, modes=("replace_where",), rows={"b": (4, 2)}),
    Case("writeTo overwritePartitions", lambda s, d: s.table("cmd.a").writeTo("cmd.d").overwritePartitions(), "overwrite partitions", A, {"d": [1]}, modes=("overwrite_partitions",)),
    Case("cached", _cached, "create", A, {"o3": [0]}),
    Case("automatic compaction", _optimized(_save("auto")), "create", {}, {"auto": [0, 1]}, modes=("create", "optimize"), rows={"auto": (100, None)}),
    Case("optimized write", _save("small", optimizeWrite="true"), "create", {}, {"small": [0]}, rows={"small": (100, None)}),
]  # fmt: skip

STATEMENTS = [
    Case("ctas", "CREATE TABLE cmd.c1 USING delta AS SELECT k, sum(v) s FROM cmd.a GROUP BY k", "create table as select", A, {"c1": [0]}, statement=True),
    Case("ctas parquet", "CREATE TABLE cmd.c1 USING parquet AS SELECT k FROM cmd.a", "create table as select", A, {"c1": [None]}, statement=True),
    Case("rtas", "CREATE OR REPLACE TABLE cmd.b USING delta AS SELECT * FROM cmd.a", "replace table as select", A, {"b": [1]}, statement=True),
    Case("time travel", "CREATE TABLE cmd.c5 USING delta AS SELECT * FROM cmd.a VERSION AS OF 0", "create table as select", {"a": {0}}, {"c5": [0]}),
    *(Case(f"insert, {name}", act, "append", A, {"b": [1]}, statement=True) for name, act in ON_FRAME.items()),
    Case("insert by name", BY_NAME, "append", A, {"b": [1]}, statement=True),
    Case("insert values", "INSERT INTO cmd.b VALUES (9, 'q', 9.0)", "append", {}, {"b": [1]}, rows={"b": (1, None)}),
    Case("insert overwrite", "INSERT OVERWRITE cmd.b SELECT * FROM cmd.a", "overwrite", A, {"b": [1]}, modes=("overwrite",)),
    Case("insert replace where", "INSERT INTO cmd.b REPLACE WHERE k = 'x' SELECT * FROM cmd.a WHERE k = 'x'", "overwrite", {"a": {1}, "b": {0}}, {"b": [1]}, modes=("replace_where",), rows={"b": (4, 2)}),
    Case("dynamic by conf", _with("spark.sql.sources.partitionOverwriteMode", "dynamic", "INSERT OVERWRITE cmd.d SELECT * FROM cmd.a"), "overwrite partitions", A, {"d": [1]}, modes=("overwrite_partitions",)),
    Case("dynamic parquet", _with("spark.sql.sources.partitionOverwriteMode", "dynamic", "INSERT OVERWRITE cmd.p SELECT id, v, k FROM cmd.a"), "overwrite partitions", A, {"p": [None]}, modes=("overwrite_partitions",)),
    Case("static partition", "INSERT OVERWRITE cmd.p PARTITION (k = 'z') SELECT id, v FROM cmd.a", "overwrite partitions", A, {"p": [None]}),
    Case("multi-insert", MULTI, "append", A, {"b": [1], "d": [1]}, rows={"b": (2, None), "d": (2, None)}, statement=True),
    Case("insert overwrite directory", "INSERT OVERWRITE DIRECTORY '{data}/dir' USING parquet SELECT * FROM cmd.a", "overwrite", A, {"dir": [None]}),
    Case("merge", MERGE_ALL, "merge", {"p": {None}, "b": {0}}, {"b": [1]}, rows={"b": (3, 1)}, statement=True),
    Case("merge with schema evolution", MERGE_EVOLVES, "merge", {"p": {None}, "b": {0}}, {"b": [1]}, rows={"b": (3, 0)}),
    Case("update", "UPDATE cmd.b SET v = v * 2 WHERE k = 'x'", "update", {"b": {0}}, {"b": [1]}, rows={"b": (2, None)}, statement=True),
    Case("update of nothing", "UPDATE cmd.b SET v = 0 WHERE k = 'none'", "update", {"b": {0}}, {"b": [None]}, inferred=True, rows={"b": (0, 0)}),
    Case("update, deletion vectors", "UPDATE cmd.b SET v = 0 WHERE id = 2", "update", {"b": {1}}, {"b": [2]}, (VECTORS,), rows={"b": (1, None)}),
    Case("delete", "DELETE FROM cmd.b WHERE id = 1", "delete", {"b": {1}}, {"b": [2]}, (NO_VECTORS,), rows={"b": (0, 1)}, statement=True),
    Case("delete, deletion vectors", "DELETE FROM cmd.b WHERE id = 1", "delete", {"b": {1}}, {"b": [2]}, (VECTORS,), rows={"b": (0, 1)}),
    Case("delete of all", "DELETE FROM cmd.b", "delete", {"b": {0}}, {"b": [1]}, rows={"b": (0, 3)}),
]  # fmt: skip

UPKEEP = [
    Case("optimize", "OPTIMIZE cmd.b", "optimize", {"b": {1}}, {"b": [2]}, (SECOND_FILE,), modes=("optimize",)),
    Case("optimize of nothing", "OPTIMIZE cmd.b", "optimize"),
    Case("z-order", "OPTIMIZE cmd.b ZORDER BY (id)", "optimize", {"b": {1}}, {"b": [2]}, (SECOND_FILE,)),
    Case("clustered table", "CREATE TABLE cmd.cl (id int) USING delta CLUSTER BY (id)", "create table", {}, {"cl": [0]}),
    Case("clustering", "OPTIMIZE cmd.cl", "optimize", {"cl": {2}}, {"cl": [3]}, ("CREATE TABLE cmd.cl (id int) USING delta CLUSTER BY (id)", "INSERT INTO cmd.cl VALUES (1)", "INSERT INTO cmd.cl VALUES (2)")),
    Case("reorg", "REORG TABLE cmd.b APPLY (PURGE)", "reorg", {"b": {2}}, {"b": [3]}, (VECTORS, "DELETE FROM cmd.b WHERE id = 1")),
    Case("vacuum", "VACUUM cmd.b RETAIN 200 HOURS", "vacuum", {}, {"b": [1, 2]}, modes=("vacuum start", "vacuum end")),
    Case("vacuum, dry run", "VACUUM cmd.b RETAIN 200 HOURS DRY RUN", "vacuum"),
    Case("restore", "RESTORE TABLE cmd.a TO VERSION AS OF 0", "restore", {"a": {0}}, {"a": [2]}, modes=("restore",)),
    Case("restore to a time", _restore_to_a_time, "restore", {"a": {None}}, {"a": [2]}, inferred=True, incomplete=("RESTORE to a time does not tell the version that it went back to",)),
    Case("clone", "CREATE TABLE cmd.cc SHALLOW CLONE cmd.a", "clone", A, {"cc": [0]}, modes=("create",)),
    Case("clone of a version", "CREATE OR REPLACE TABLE cmd.cc SHALLOW CLONE cmd.a VERSION AS OF 0", "clone", {"a": {0}}, {"cc": [0]}),
    Case("clone of files", "CREATE TABLE cmd.cc SHALLOW CLONE parquet.`{data}/files`", "clone", {"files": {None}}, {"cc": [0]}, (_files,), inferred=True),
    Case("convert", "CONVERT TO DELTA parquet.`{data}/files`", "convert to delta", {"files": {None}}, {"files": [0]}, (_files,), inferred=True),
    Case("generate", "GENERATE symlink_format_manifest FOR TABLE cmd.a", "generate"),
    Case("analyze", "ANALYZE TABLE cmd.p COMPUTE STATISTICS FOR ALL COLUMNS", "analyze table", statement=True),
    Case("cache table", "CACHE TABLE cmd.a", "cache table", A, statement=True),
    Case("truncate", "TRUNCATE TABLE cmd.b", "truncate table", {}, {"b": [1]}),
    Case("truncate parquet", "TRUNCATE TABLE cmd.p", "truncate table"),
]  # fmt: skip

DEFINITIONS = [
    Case("create table", "CREATE TABLE cmd.n (id int, g int GENERATED ALWAYS AS (id + 1)) USING delta", "create table", {}, {"n": [0]}, statement=True),
    Case("create parquet table", "CREATE TABLE cmd.n (id int) USING parquet", "create table"),
    Case("create table that is there", "CREATE TABLE IF NOT EXISTS cmd.b (id int) USING delta", "create table"),
    Case("create or replace table", "CREATE OR REPLACE TABLE cmd.b (id int) USING delta", "replace table", {}, {"b": [1]}, statement=True),
    Case("create table like", "CREATE TABLE cmd.n LIKE cmd.a", "create table", {}, {"n": [0]}, statement=True),
    Case("create table over files", "CREATE TABLE cmd.n USING delta LOCATION '{data}/cmd/a'", "create table", statement=True),
    Case("add column", "ALTER TABLE cmd.b ADD COLUMNS (n int)", "alter table", {}, {"b": [1]}, modes=("add columns",), statement=True),
    Case("set properties", "ALTER TABLE cmd.b SET TBLPROPERTIES ('x' = 'y')", "alter table", {}, {"b": [1]}),
    Case("rename column", "ALTER TABLE cmd.b RENAME COLUMN v TO w", "alter table", {}, {"b": [2]}, ("ALTER TABLE cmd.b SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')",)),
    Case("drop column", "ALTER TABLE cmd.b DROP COLUMN v", "alter table", {}, {"b": [2]}, ("ALTER TABLE cmd.b SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')",)),
    Case("change column", "ALTER TABLE cmd.b ALTER COLUMN k COMMENT 'c'", "alter table", {}, {"b": [1]}),
    Case("add constraint", "ALTER TABLE cmd.b ADD CONSTRAINT positive CHECK (id > 0)", "alter table", {"b": {0}}, {"b": [1]}),
    Case("comment", "COMMENT ON TABLE cmd.b IS 'c'", "alter table", {}, {"b": [1]}),
    Case("add partition", ADD_PARTITION, "alter table", statement=True),
    Case("drop partition", "ALTER TABLE cmd.p DROP PARTITION (k = 'x')", "alter table"),
    Case("recover partitions", "MSCK REPAIR TABLE cmd.p", "alter table"),
    Case("rename table", "ALTER TABLE cmd.b RENAME TO cmd.bb", "rename table", {"b": {None}}, {"bb": [None]}, modes=("rename",), inferred=True),
    Case("rename parquet table", "ALTER TABLE cmd.p RENAME TO cmd.pp", "rename table"),
    Case("drop table", "DROP TABLE cmd.b", "drop table", statement=True),
    Case("create view", "CREATE VIEW cmd.v AS SELECT id FROM cmd.a", "create view", statement=True),
    Case("alter view", "ALTER VIEW cmd.v AS SELECT k FROM cmd.a", "create view", before=("CREATE VIEW cmd.v AS SELECT id FROM cmd.a",), statement=True),
    Case("temporary view", "CREATE OR REPLACE TEMP VIEW t AS SELECT id FROM cmd.a", "create view", statement=True),
    Case("temporary view of a frame", lambda s, d: s.table("cmd.a").createOrReplaceTempView("t"), "create view", statement=False),
    Case("drop view", "DROP VIEW cmd.v", "drop table", before=("CREATE VIEW cmd.v AS SELECT id FROM cmd.a",)),
    Case("catalog API, table", lambda s, d: s.catalog.createTable("cmd.n", source="delta", schema=s.table("cmd.a").schema), "create table", {}, {"n": [0]}),
]  # fmt: skip

API = [
    Case("API merge", _api_merge, "merge", {"a": {1}, "b": {0}}, {"b": [1]}, rows={"b": (1, 0)}),
    Case("API update", lambda s, d: _table(s, "b").update("id = 1", {"v": "9"}), "update", {"b": {0}}, {"b": [1]}),
    Case("API delete", lambda s, d: _table(s, "b").delete("id = 2"), "delete", {"b": {0}}, {"b": [1]}),
    Case("API optimize", lambda s, d: _table(s, "b").optimize().executeCompaction(), "optimize", {"b": {1}}, {"b": [2]}, (SECOND_FILE,)),
    Case("API z-order", lambda s, d: _table(s, "b").optimize().executeZOrderBy("id"), "optimize", {"b": {0}}, {"b": [1]}),
    Case("API vacuum", lambda s, d: _table(s, "b").vacuum(200), "vacuum", {}, {"b": [1, 2]}),
    Case("API restore", lambda s, d: _table(s, "a").restoreToVersion(0), "restore", {"a": {0}}, {"a": [2]}),
    Case("API clone", lambda s, d: _table(s, "a").clone("cmd.cc", isShallow=True), "clone", A, {"cc": [0]}),
    Case("API generate", lambda s, d: _table(s, "a").generate("symlink_format_manifest"), "generate"),
    Case("API protocol", lambda s, d: _table(s, "b").upgradeTableProtocol(3, 7), "alter table", {}, {"b": [1]}),
    Case("API create", _api_create, "create table", {}, {"made": [0]}),
    Case("API convert, outside of any execution", _api_convert, "convert", {}, {"files": [0]}, (_files,)),
    Case("API frame", lambda s, d: _table(s, "a").toDF().where("id = 1").collect(), "collect", A),
]  # fmt: skip

SCRIPT = "BEGIN DECLARE x INT DEFAULT 1; IF x = 1 THEN INSERT INTO cmd.b SELECT * FROM cmd.a; END IF; UPDATE cmd.b SET v = 1 WHERE id = 2; END"

READS = [
    Case("collect", lambda s, d: s.table("cmd.a").collect(), "collect", A),
    Case("count", lambda s, d: s.table("cmd.a").where("v > 1").count(), "count", A),
    Case("toPandas", lambda s, d: s.table("cmd.a").toPandas(), "collect", A),
    Case("show", lambda s, d: s.table("cmd.a").where("v > 1").show(), "show", A),
    Case("change data feed", lambda s, d: s.read.option("readChangeFeed", "true").option("startingVersion", 1).table("cmd.f").collect(), "collect", {"f": {None}}, before=("CREATE TABLE cmd.f (id int) USING delta TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')", "INSERT INTO cmd.f VALUES (1)"), inferred=True),
    Case("a frame made from an RDD", lambda s, d: s.sparkContext.parallelize([(1,)]).toDF(["a"]).collect(), "collect", incomplete=("rows that the program handed over (createDataFrame): where it had them from is not known",)),
    Case("execute immediate", "EXECUTE IMMEDIATE 'INSERT INTO cmd.b SELECT * FROM cmd.a'", "append", A, {"b": [1]}),
    Case("a script", SCRIPT, "update", {"b": {1}}, {"b": [2]}, documents=2, statement=True),
    Case("a script whose IF reads", "BEGIN IF (SELECT max(id) FROM cmd.a) > 0 THEN INSERT INTO cmd.b SELECT * FROM cmd.a; END IF; END", "append", A, {"b": [1]}, documents=2),
    Case("a variable from a query", "SET VAR cmd_var = (SELECT max(id) FROM cmd.a)", "set", A, before=("DECLARE OR REPLACE VARIABLE cmd_var INT",), inferred=True),
]  # fmt: skip

CASES = [*FRAMES, *STATEMENTS, *UPKEEP, *DEFINITIONS, *API, *READS]

NOTHING: dict[str, str | Act] = {
    "set": "SET spark.sql.x = 1",
    "reset": "RESET spark.sql.x",
    "use": "USE cmd",
    "show tables": lambda s, d: s.sql("SHOW TABLES IN cmd").show(),
    "show properties": lambda s, d: s.sql("SHOW TBLPROPERTIES cmd.a").collect(),
    "describe": lambda s, d: s.sql("DESCRIBE EXTENDED cmd.a").collect(),
    "describe history": lambda s, d: s.sql("DESCRIBE HISTORY cmd.a").where("version = 0").select("operation").collect(),
    "describe detail": lambda s, d: s.sql("DESCRIBE DETAIL cmd.a").show(),
    "explain": lambda s, d: s.sql("EXPLAIN SELECT * FROM cmd.a").collect(),
    "declare": "DECLARE OR REPLACE VARIABLE cmd_var INT DEFAULT 5",
    "refresh": "REFRESH TABLE cmd.a",
    "refresh path": "REFRESH '{data}/cmd/a'",
    "uncache": "UNCACHE TABLE IF EXISTS cmd.a",
    "clear cache": "CLEAR CACHE",
    "API history": lambda s, d: _table(s, "a").history().collect(),
    "API detail": lambda s, d: _table(s, "a").detail().collect(),
    # in a session of its own: Spark fails to list a temporary view, of another test, whose files are gone
    "catalog API": lambda s, d: (
        s.newSession().catalog.listTables("cmd"),
        s.catalog.tableExists("cmd.a"),
        s.catalog.listColumns("cmd.a"),
    ),
    "catalog API, lazy cache": lambda s, d: (s.catalog.cacheTable("cmd.a"), s.catalog.uncacheTable("cmd.a")),
    "schema inference": lambda s, d: (
        s.read.csv(str(d / "c.csv"), header=True, inferSchema=True),
        s.read.json(str(d / "j.json")),
    ),
    "footers": lambda s, d: s.read.parquet(str(d / "cmd/p")).schema,
    "restore to the version that is there": "RESTORE TABLE cmd.a TO VERSION AS OF 1",
    "local rows": lambda s, d: s.sql("VALUES (1), (2)").collect(),
}
"""What reads no rows of a dataset and changes none: not recorded."""
