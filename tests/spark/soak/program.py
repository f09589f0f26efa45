"""What the soak runs: a Spark application that does a number of small things, each under a number of its own, until it is killed.

    python program.py FOLDER SLOT SEED FIRST LAST INBOX

FOLDER/SLOT/ holds its tables and what it says of itself: `begun` (a line for each action that began), `ended` (a line for each
that its plain listener saw end), `jvm` (the JVM's process id), `heap` (the heap after a collection, by number of actions).
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
from pathlib import Path
from typing import Any

RECORDER = """
package org.soak;
public class Recorder extends org.apache.spark.scheduler.SparkListener {
  private final java.io.FileWriter out;
  private final java.util.HashMap open = new java.util.HashMap();
  public Recorder(String path) throws java.io.IOException { out = new java.io.FileWriter(path, true); }
  public void onOtherEvent(org.apache.spark.scheduler.SparkListenerEvent event) {
    if (event instanceof org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart) {
      org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart start =
        (org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart) event;
      boolean root = !start.rootExecutionId().isDefined() || start.rootExecutionId().get().equals(Long.valueOf(start.executionId()));
      String said = start.description();
      if (root && said != null && said.startsWith("soak:") && said.indexOf("Delta") < 0) {
        open.put(Long.valueOf(start.executionId()), said);
      }
    } else if (event instanceof org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd) {
      org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd end =
        (org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd) event;
      Object said = open.remove(Long.valueOf(end.executionId()));
      if (said != null) {
        try { out.write(said + " " + end.executionId() + " " + end.time() + "\\n"); out.flush(); }
        catch (java.io.IOException e) { throw new RuntimeException(e); }
      }
    }
  }
}
"""
TABLE_EVERY = 40
HEAP_EVERY = 250
KINDS = (
    *["collect"] * 26, *["aggregate"] * 14, *["sql"] * 12, *["read"] * 10, *["fail"] * 8, *["fail_write"] * 2,
    *["append"] * 11, *["insert"] * 6, *["parquet"] * 6, *["merge"] * 3, *["overwrite"] * 2,
)  # fmt: skip


def main(folder: Path, slot: str, seed: int, first: int, last: int, inbox: str) -> None:
    from pyspark.sql import SparkSession

    import spark_lineage

    here = folder / slot
    spark = SparkSession.builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    jvm = spark.sparkContext._jvm
    (here / "jvm").write_text(str(jvm.java.lang.ProcessHandle.current().pid()))
    listen(spark, here / "ended")
    attachment = spark_lineage.attach(spark, inbox=inbox, ingest="none", job_name=f"soak{slot}", strict=True)
    assert attachment is not None
    with (here / "runs").open("a") as runs:
        runs.write(f"{attachment.run_id} {first}\n")
    with (here / "begun").open("a") as begun:
        for number in range(first, last):
            kind = random.Random(f"{seed}-{slot}-{number}").choice(KINDS)
            begun.write(f"soak:{slot}:{number}:{kind}\n")
            begun.flush()
            act(spark, here, number, kind, f"soak:{slot}:{number}:{kind}")
            if (number - first) % HEAP_EVERY == HEAP_EVERY - 1 or number == last - 1:
                heap(jvm, attachment, here, number)
    spark.stop()


def listen(spark: Any, path: Path) -> None:
    """The independent record: a listener that shares nothing with the bridge."""
    jvm = spark.sparkContext._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
    compiler.cook(RECORDER)
    arguments = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 1)
    arguments[0] = str(path)
    recorder = compiler.getClassLoader().loadClass("org.soak.Recorder").getConstructors()[0].newInstance(arguments)
    spark.sparkContext._jsc.sc().addSparkListener(recorder)


def act(spark: Any, here: Path, number: int, kind: str, said: str) -> None:
    """One action, which is one execution. It may fail, as it is meant to."""
    spark.sparkContext.setJobDescription(said)
    spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", said)
    table = here / "tables" / f"t{number // TABLE_EVERY}"
    rows = spark.range(number, number + 3).selectExpr("id", "id % 7 AS k")
    made = any((table / "_delta_log").glob("*.json"))  # a life that was killed may leave a log without a commit
    if kind in ("insert", "merge", "read") and not made:
        kind = "append"
    if kind == "collect":
        rows.collect()
    elif kind == "aggregate":
        rows.groupBy("k").count().collect()
    elif kind == "sql":
        spark.sql(f"SELECT id + {number} AS n FROM range(5) WHERE id <> 3").collect()
    elif kind == "read":
        spark.read.format("delta").load(str(table)).where("id > 0").select("k").collect()
    elif kind == "fail":
        with contextlib.suppress(Exception):
            spark.sql("SELECT raise_error('on purpose') FROM range(2)").collect()
    elif kind == "fail_write":
        with contextlib.suppress(Exception):
            rows.selectExpr(
                "id", "CASE WHEN k >= 0 THEN CAST(raise_error('on purpose') AS BIGINT) ELSE k END AS k"
            ).write.format("delta").mode("append").save(str(table))
    elif kind == "append":
        rows.coalesce(1).write.format("delta").mode("append").save(str(table))
    elif kind == "overwrite":
        rows.coalesce(1).write.format("delta").mode("overwrite").save(str(table))
    elif kind == "insert":
        spark.sql(f"INSERT INTO delta.`{table}` SELECT {number}, 1")
    elif kind == "merge":
        spark.sql(
            f"MERGE INTO delta.`{table}` t USING (SELECT {number} AS id, 2 AS k) s ON t.id = s.id "
            "WHEN MATCHED THEN UPDATE SET k = s.k WHEN NOT MATCHED THEN INSERT *"
        )
    else:
        rows.coalesce(1).write.mode("overwrite").parquet(str(here / "tables" / f"p{number % 5}"))


def heap(jvm: Any, attachment: Any, here: Path, number: int) -> None:
    attachment.bridge.flush(60_000)
    for _ in range(3):
        jvm.java.lang.System.gc()
    runtime = jvm.java.lang.Runtime.getRuntime()
    line = {
        "number": number,
        "heap": runtime.totalMemory() - runtime.freeMemory(),
        "retained": list(attachment.bridge.retained()),
    }
    with (here / "heap").open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
