"""Sources and sinks that nobody wrote a handler for, compiled for the test: V1 and V2, by batch and by stream. And cloned sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture, root_class
from test_sources import only, records

from spark_lineage.model import Records

_SOURCES = """
package org.example.shop;

import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SQLContext;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.catalog.TableProvider;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.connector.read.LocalScan;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.execution.streaming.Sink;
import org.apache.spark.sql.sources.BaseRelation;
import org.apache.spark.sql.sources.CreatableRelationProvider;
import org.apache.spark.sql.sources.RelationProvider;
import org.apache.spark.sql.sources.StreamSinkProvider;
import org.apache.spark.sql.sources.TableScan;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

public class Old implements RelationProvider, CreatableRelationProvider, StreamSinkProvider {
  public BaseRelation createRelation(SQLContext context, scala.collection.immutable.Map options) {
    return new Relation(context, options);
  }
  public BaseRelation createRelation(SQLContext context, SaveMode mode, scala.collection.immutable.Map options, Dataset data) {
    data.count();
    return new Relation(context, options);
  }
  public Sink createSink(SQLContext context, scala.collection.immutable.Map options, scala.collection.Seq columns,
      org.apache.spark.sql.streaming.OutputMode mode) {
    return new Till();
  }
  public Sink createSink(SQLContext context, scala.collection.immutable.Map options, scala.collection.immutable.Seq columns,
      org.apache.spark.sql.streaming.OutputMode mode) {
    return new Till();
  }
}

class Relation extends BaseRelation implements TableScan {
  private final SQLContext context;
  private final scala.collection.immutable.Map parameters;
  Relation(SQLContext context, scala.collection.immutable.Map options) { this.context = context; this.parameters = options; }
  public SQLContext sqlContext() { return context; }
  public StructType schema() { return StructType.fromDDL("id BIGINT, k STRING"); }
  public org.apache.spark.rdd.RDD buildScan() {
    java.util.ArrayList rows = new java.util.ArrayList();
    rows.add(RowFactory.create(new Object[] {Long.valueOf(1L), "x"}));
    return new org.apache.spark.api.java.JavaSparkContext(context.sparkContext()).parallelize(rows).rdd();
  }
}

class Till implements Sink {
  public void addBatch(long number, Dataset data) { data.queryExecution().toRdd().count(); }
  public String toString() { return "Till[password=hunter2]"; }
}

public class Newer implements TableProvider {
  public StructType inferSchema(CaseInsensitiveStringMap options) { return StructType.fromDDL("id BIGINT"); }
  public Table getTable(StructType schema, Transform[] partitioning, Map properties) { return new Shelf(); }
}

class Shelf implements Table, SupportsRead {
  public String name() { return "shelf"; }
  public StructType schema() { return StructType.fromDDL("id BIGINT"); }
  public java.util.Set capabilities() { return java.util.Collections.singleton(TableCapability.BATCH_READ); }
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) {
    return new ScanBuilder() { public Scan build() { return new Rows(); } };
  }
}

class Rows implements LocalScan {
  public StructType readSchema() { return StructType.fromDDL("id BIGINT"); }
  public InternalRow[] rows() { return new InternalRow[] {new GenericInternalRow(new Object[] {Long.valueOf(7L)})}; }
}
"""
OPTIONS = {"host": "db.example.org", "collection": "orders", "password": "hunter2"}


@pytest.fixture(scope="module")
def classes(spark: Any) -> Iterator[None]:
    """The classes above, where the driver looks for sources."""
    jvm = spark.sparkContext._jvm
    thread = jvm.java.lang.Thread.currentThread()
    before = thread.getContextClassLoader()
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(before)
    compiler.cook(_SOURCES)
    thread.setContextClassLoader(compiler.getClassLoader())
    yield
    thread.setContextClassLoader(before)


def named(found: Records) -> list[tuple[str, str]]:
    return [(one.namespace, one.name) for one in (*found.inputs, *found.outputs)]


def is_marked(found: Records) -> bool:
    return any("named by its class and options" in reason for reason in found.executions[0].incomplete_reasons)


@pytest.mark.usefixtures("classes")
def test_a_provider_of_the_first_interface(spark: Any, capture: Capture) -> None:
    read = only(capture, lambda: spark.read.format("org.example.shop.Old").options(**OPTIONS).load().collect())
    wrote = only(capture, lambda: spark.range(3).write.format("org.example.shop.Old").options(**OPTIONS).mode("append").save())
    assert named(wrote) == [("Old://db.example.org", "orders")]
    assert named(read) == [("Relation://db.example.org", "orders")], "Spark tells the relation alone, not who made it"
    assert is_marked(read)
    assert is_marked(wrote)
    assert all("hunter2" not in str(document) for document in capture.executions())


@pytest.mark.usefixtures("classes")
def test_a_table_of_the_second_interface_that_is_in_memory(spark: Any, capture: Capture) -> None:
    read = only(capture, lambda: spark.read.format("org.example.shop.Newer").options(**OPTIONS).load().collect())
    assert named(read) == [("Shelf://db.example.org", "orders")]
    assert is_marked(read)


@pytest.mark.usefixtures("classes")
def test_a_sink_of_the_first_interface(spark: Any, capture: Capture) -> None:
    spark.range(3).write.parquet(str(capture.data / "in"))
    rows = spark.readStream.schema("id BIGINT").parquet(str(capture.data / "in"))
    writer = rows.writeStream.format("org.example.shop.Old").options(**OPTIONS)
    writer = writer.option("checkpointLocation", str(capture.data / "checkpoint"))
    (found,) = records(capture, lambda: writer.trigger(availableNow=True).start().awaitTermination(120))
    assert named(found) == [("file", str(capture.data / "in")), ("Till://db.example.org", "orders")]
    assert is_marked(found)
    assert all("hunter2" not in str(document) for document in capture.executions())


@pytest.mark.soak
def test_a_cloned_session_is_of_the_same_run(spark: Any, capture: Capture, tmp_path: Path) -> None:
    """`cloneSession` is for Spark's own code, and a stream's; what runs in one is the application's like anything else."""
    spark.sql("CREATE OR REPLACE TEMP VIEW cloned AS SELECT id, id * 2 AS twice FROM range(5)")
    clone = spark._jsparkSession.cloneSession()
    target = str(tmp_path / "t")
    clone.sql("SELECT twice FROM cloned").write().format("delta").save(target)
    spark.newSession().read.format("delta").load(target).collect()
    spark.catalog.dropTempView("cloned")
    made, wrote, read = capture.executions()[:3]
    assert root_class(made) == "CreateViewCommand"
    assert {wrote["run_id"], read["run_id"]} == {capture.attachment.run_id}
    assert [commit["version"] for commit in wrote["commits"]] == [0]
    assert [scan["delta_version"] for scan in read["scans"]] == [0]
