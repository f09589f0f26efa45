"""Bounds of the bridge: what is given up first, how much is kept in memory, and that the end does not wait for long."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import documents, executions, root_class, versions_written

import spark_lineage
from spark_lineage.ingest import ingest
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import read
from spark_lineage.store.tables import Store


@pytest.fixture(autouse=True)
def _detached(spark: Any) -> Iterator[None]:
    yield
    fault(spark, None)
    spark_lineage.detach(spark)


def fault(spark: Any, what: str | None) -> None:
    system = spark.sparkContext._jvm.java.lang.System
    if what is None:
        system.clearProperty("spark.lineage.fault")
    else:
        system.setProperty("spark.lineage.fault", what)


def attach(spark: Any, inbox: Path, **options: Any) -> Any:
    return spark_lineage.attach(spark, inbox=str(inbox), ingest="none", strict=True, **options)


def heard(spark: Any) -> None:
    """All that ended has been heard; the worker need not be done with it."""
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty(60_000)


def waiting(attachment: Any) -> int:
    return int(attachment.bridge.retained()[4])


def run_end(inbox: Path) -> dict[str, Any]:
    (end,) = [document for document in documents(inbox) if document["kind"] == "run_end"]
    return end


@pytest.mark.soak
def test_the_order_in_which_things_are_given_up(spark: Any, tmp_path: Path) -> None:
    """A worker that stands still, and a queue of eight: plans of reads, plans of writes, reads, headers of writes."""
    attachment = attach(spark, tmp_path / "inbox", queue_max=8)
    fault(spark, "sleep:document")
    target = tmp_path / "t"
    for number in range(26):
        if number % 2:
            spark.range(number).write.format("delta").mode("append").save(str(target))
        else:
            spark.range(number).collect()
    heard(spark)
    assert waiting(attachment) <= 2 * 8 + 1
    fault(spark, None)
    spark_lineage.detach(spark)
    recorded = executions(tmp_path / "inbox")
    reads = [document for document in recorded if not document["commits"]]
    writes = [document for document in recorded if document["commits"]]
    assert reads[-1]["incomplete"] == ["plan left out under load"]
    whole = [document for document in writes if not document["incomplete"]]
    headers = [document for document in writes if document["incomplete"]]
    last_whole_read = max(document["sequence"] for document in reads if not document["incomplete"])
    assert max(document["sequence"] for document in whole) > last_whole_read, "plans of writes go after plans of reads"
    assert len(writes) > len(reads), "headers of writes stay longer than reads"
    for header in headers:
        (node,) = header["analyzed"]["nodes"]
        assert node["class"].endswith("SaveIntoDataSourceCommand"), "the target stays"
        assert len(versions_written(header)["t"]) == 1, "and the version"
        (output,) = records_of_execution(read(gzip.compress(json.dumps(header).encode())), RunContext()).outputs
        assert output.name == str(target)
    end = run_end(tmp_path / "inbox")
    dropped = end["dropped"]
    assert dropped["reads given up under load"] + len(reads) >= 13, "Delta's own queries wait in the queue too"
    assert dropped["writes given up under load"] + len(writes) == 13
    assert dropped["reads: plan left out under load"] == sum(bool(d["incomplete"]) for d in reads)
    assert dropped["writes: plan left out under load"] == len(headers)
    given = dropped["reads given up under load"] + dropped["writes given up under load"]
    assert given > 0
    assert end["last_sequence"] == len(recorded) + given, "each execution without a document is a gap"


@pytest.mark.soak
def test_plans_that_weigh_too_much_are_not_kept(spark: Any, tmp_path: Path) -> None:
    """The bound in bytes: wide plans wait, few in number."""
    attachment = attach(spark, tmp_path / "inbox", queue_max_bytes=3_000_000)
    fault(spark, "sleep:document")
    for _ in range(16):
        spark.range(1).selectExpr(*[f"id + {i} AS c{i}" for i in range(200)]).write.format("delta").mode("append").save(
            str(tmp_path / "t")
        )
    heard(spark)
    retained = list(attachment.bridge.retained())
    assert retained[4] >= 16
    assert 1_000_000 < retained[5] < 6_000_000
    spark.sparkContext._jvm.java.lang.System.gc()
    fault(spark, None)
    spark_lineage.detach(spark)
    writes = [document for document in executions(tmp_path / "inbox") if document["commits"]]
    assert len(writes) == 16
    assert writes[0]["incomplete"] == []
    assert "plan left out under load" in writes[-1]["incomplete"]
    assert root_class(writes[-1]) == "SaveIntoDataSourceCommand"


def test_what_the_collector_took_leaves_the_header_of_a_write(spark: Any, tmp_path: Path) -> None:
    """Memory is short: the plans that were let go are gone. A write keeps its version, a read is a gap."""
    attachment = attach(spark, tmp_path / "inbox", queue_max=4)
    fault(spark, "sleep:document")
    for _ in range(2):
        spark.range(1).collect()
    for _ in range(2):
        spark.range(2).collect()
        spark.range(3).write.format("delta").mode("append").save(str(tmp_path / "t"))
    heard(spark)
    _forget_soft(spark, attachment)
    fault(spark, None)
    spark_lineage.detach(spark)
    recorded = executions(tmp_path / "inbox")
    (gone,) = [document for document in recorded if "plan and scans given up, memory was short" in document["incomplete"]]
    assert gone["analyzed"] is None
    assert versions_written(gone) == {"t": [1]}
    assert run_end(tmp_path / "inbox")["dropped"]["reads given up, memory was short"] >= 1


def _forget_soft(spark: Any, attachment: Any) -> None:
    """What the collector does before memory runs out, done by hand: it clears soft references."""

    def member(target: Any, name: str) -> Any:
        field = target.getClass().getDeclaredField(name)
        field.setAccessible(True)
        return field.get(target)

    queue = member(member(attachment.bridge, "worker"), "queue")
    items = queue.toArray()
    for item in items:
        if item.getClass().getSimpleName() == "Finished":
            loose = member(member(item, "end"), "loose")
            if loose is not None:
                loose.clear()


def test_a_read_or_write_over_the_inbox_bound(spark: Any, tmp_path: Path) -> None:
    """Newest first out: reads, and plans of writes; then writes. Swept, there is room again."""
    attachment = attach(spark, tmp_path / "inbox", inbox_max_bytes=20_000)
    folder = Path(attachment.folder)
    (folder / "ballast").write_bytes(b"x" * 21_000)
    _fill(spark, attachment)
    spark.range(3).collect()
    spark.range(3).write.format("delta").save(str(tmp_path / "t"))
    attachment.flush(30)
    (write,) = executions(tmp_path / "inbox")
    assert "plan left out under load" in write["incomplete"]
    assert versions_written(write) == {"t": [0]}
    for path in folder.iterdir():
        path.unlink()
    _wait_for_room(spark, attachment)
    assert executions(tmp_path / "inbox")[-1]["incomplete"] == []
    spark_lineage.detach(spark)
    assert run_end(tmp_path / "inbox")["dropped"]["reads given up, the inbox is full (inbox.max.bytes)"] >= 1


def _fill(spark: Any, attachment: Any) -> None:
    """Until the bridge looks at its folder and finds it over the bound."""
    field = attachment.bridge.getClass().getDeclaredField("worker")
    field.setAccessible(True)
    worker = field.get(attachment.bridge)
    inbox = worker.getClass().getDeclaredField("inbox")
    inbox.setAccessible(True)
    folder = inbox.get(worker)
    size = folder.getClass().getDeclaredField("bytes")
    size.setAccessible(True)
    size.set(folder, 21_000)


def _wait_for_room(spark: Any, attachment: Any) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        spark.range(4).collect()
        attachment.flush(30)
        if executions(Path(attachment.inbox)):
            return
        time.sleep(0.5)
    raise AssertionError("the bridge did not look again")


def test_events_that_the_bus_dropped_are_a_gap(spark: Any, tmp_path: Path) -> None:
    attachment = attach(spark, tmp_path / "inbox")
    spark.range(1).collect()
    heard(spark)
    registry = spark.sparkContext._jsc.sc().listenerBus().metrics().metricRegistry()
    counters = registry.getCounters()
    counters.get("queue.sparkLineage.numDroppedEvents").inc(7)
    attachment.flush(30)
    spark.range(2).collect()
    spark_lineage.detach(spark)
    end = run_end(tmp_path / "inbox")
    reason = "events dropped by Spark's listener bus (spark.scheduler.listenerbus.eventqueue.sparkLineage.capacity)"
    assert end["dropped"] == {reason: 7, "executions lost with dropped events, at the least": 1}
    assert [document["sequence"] for document in documents(tmp_path / "inbox")] == [0, 1, 3, 4]


def test_a_stop_with_a_backlog_is_bounded_and_counts_what_is_left(spark: Any, tmp_path: Path) -> None:
    """The worker hangs over a document for good: the end document is written all the same, and the rest is a gap."""
    attachment = attach(spark, tmp_path / "inbox", stop_wait_seconds=0.5)
    spark.range(1).collect()
    attachment.flush(30)
    fault(spark, "sleep:document")
    for number in range(5):
        spark.range(number).collect()
    heard(spark)
    spark_lineage.detach(spark, timeout=0.5)
    end = run_end(tmp_path / "inbox")
    fault(spark, None)
    assert end["dropped"] == {"not written before the end": 5}
    assert (end["last_sequence"], end["sequence"]) == (6, 7)
    assert len(executions(tmp_path / "inbox")) == 1
    assert attachment.bridge.isEnded()


def test_a_plan_in_the_making_is_cut_short_at_the_end(spark: Any, tmp_path: Path) -> None:
    """The end comes while the worker is over a plan: its second half of the time is for headers."""
    attachment = attach(spark, tmp_path / "inbox")
    fault(spark, "sleep:plan")
    spark.range(3).write.format("delta").save(str(tmp_path / "t"))
    heard(spark)
    seconds = 8

    def let_go_in_the_second_half() -> None:
        while not attachment.bridge.isEnded():
            time.sleep(0.02)
        time.sleep(seconds / 2 + 0.2)
        fault(spark, None)

    thread = threading.Thread(target=let_go_in_the_second_half)
    thread.start()
    attachment.bridge.stop(seconds * 1000)
    thread.join()
    (document,) = executions(tmp_path / "inbox")
    assert versions_written(document) == {"t": [0]}
    assert "plan left out, the application was ending" in document["incomplete"]


@pytest.mark.soak
def test_a_frame_unioned_with_itself_stays_small(spark: Any, tmp_path: Path) -> None:
    """2^6 branches here; each has column numbers of its own. The document has one of them, and says how many there were."""
    spark.range(3).selectExpr("id", "id * 2 AS twice").write.format("delta").save(str(tmp_path / "t"))
    other = spark.range(2).selectExpr("id", "id AS twice")
    frame = spark.read.format("delta").load(str(tmp_path / "t")).where("id > 0").select("id", "twice")
    for _ in range(6):
        frame = frame.union(frame)
    attach(spark, tmp_path / "inbox")
    frame.union(other).createOrReplaceTempView("doubled")
    spark.sql("SELECT max(twice) AS m FROM doubled").collect()
    spark_lineage.detach(spark)
    spark.catalog.dropTempView("doubled")
    document = executions(tmp_path / "inbox")[-1]
    assert document["incomplete"] == []
    (union,) = [node for node in document["analyzed"]["nodes"] if node["class"].endswith(".Union")]
    assert union["copies"] == 2**6 - 1
    assert len(union["children"]) == 2
    assert len(document["analyzed"]["nodes"]) < 15


def test_branches_that_differ_stay_apart(spark: Any, capture: Any) -> None:
    frames = [spark.range(3).selectExpr(f"id + {number} AS a") for number in (1, 1, 2)]
    frames[0].union(frames[1]).union(frames[2]).collect()
    spark.sql("SELECT * FROM range(9) o WHERE EXISTS (SELECT 1 WHERE o.id = 1 UNION ALL SELECT 1 WHERE o.id = 1)").collect()
    first, second = capture.executions()
    union = next(node for node in first["analyzed"]["nodes"] if node["class"].endswith(".Union"))
    assert (len(union["children"]), union["copies"]) == (2, 1)
    nodes = [node for node in second["analyzed"]["nodes"] if node["class"].endswith(".Union")]
    assert [len(node["children"]) for node in nodes] == [1]


@pytest.mark.soak
def test_ten_thousand_columns(spark: Any, capture: Any) -> None:
    spark.range(0).selectExpr(*[f"id + {i} AS c{i}" for i in range(10_000)]).limit(0).schema.fieldNames()
    frame = spark.range(0).selectExpr(*[f"id + {i} AS c{i}" for i in range(10_000)])
    frame.limit(0).write.mode("overwrite").format("noop").save()
    (document,) = capture.executions()
    assert document["incomplete"] == []
    assert len(document["analyzed"]["attributes"]) > 10_000
    (path,) = capture.inbox.glob("*/*.execution.json.gz")
    parsed = read(path.read_bytes())
    assert parsed.analyzed is not None  # type: ignore[union-attr]


def test_fifty_thousand_nodes(spark: Any, capture: Any) -> None:
    """Over `plan.max.nodes` the walk ends; under it the plan is walked, however deep. (Spark itself needs minutes for one.)"""
    assert _walk(spark, capture.attachment, 50_000, 20_000) == "plan over the node budget (20000)"
    text = _walk(spark, capture.attachment, 50_000, 60_000)
    assert len(json.loads(text)["nodes"]) > 50_000


_DEEP = """
package org.sparklineage.test;
public class Deep implements Runnable {
  private final ClassLoader loader;
  private org.apache.spark.sql.catalyst.plans.logical.LogicalPlan plan;
  private final int depth;
  private final int bound;
  public volatile String text;
  public Deep(ClassLoader loader, Object plan, int depth, int bound) {
    this.loader = loader;
    this.plan = (org.apache.spark.sql.catalyst.plans.logical.LogicalPlan) plan;
    this.depth = depth;
    this.bound = bound;
  }
  private Object make(String name, Object[] arguments) throws Exception {
    java.lang.reflect.Constructor[] all = loader.loadClass("org.sparklineage.bridge." + name).getDeclaredConstructors();
    for (int i = 0; i < all.length; i++) {
      if (all[i].getParameterTypes().length == arguments.length) {
        all[i].setAccessible(true);
        return all[i].newInstance(arguments);
      }
    }
    throw new IllegalStateException(name);
  }
  public void run() {
    try {
      for (int i = 0; i < depth; i++) {
        plan = org.apache.spark.sql.catalyst.plans.logical.SubqueryAlias$.MODULE$.apply("s", plan);
      }
      Object budget = make("Budget", new Object[] {Integer.valueOf(bound), Integer.valueOf(100000000), Long.valueOf(600000000000L),
        Long.valueOf(System.nanoTime()), make("Pace", new Object[0])});
      Object writer = make("PlanWriter", new Object[] {budget, make("Redaction", new Object[] {"secret", "secret()", "secret()"}),
        make("Origins", new Object[0]), Integer.valueOf(1)});
      java.lang.reflect.Method write = writer.getClass().getDeclaredMethod("write",
        new Class[] {org.apache.spark.sql.catalyst.plans.logical.LogicalPlan.class});
      write.setAccessible(true);
      text = (String) write.invoke(writer, new Object[] {plan});
    } catch (java.lang.reflect.InvocationTargetException e) {
      text = String.valueOf(e.getCause().getMessage());
    } catch (Throwable e) {
      text = e.toString();
    }
  }
  public String go() throws Exception {
    Thread thread = new Thread(null, this, "deep", 512L * 1024L * 1024L);
    thread.start();
    thread.join();
    return text;
  }
}
"""


def _walk(spark: Any, attachment: Any, depth: int, bound: int) -> str:
    """What the bridge writes of so many nested aliases, in a thread with the stack of the bridge's own."""
    jvm = spark.sparkContext._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
    name = f"Deep{bound}"  # Py4J remembers methods by the class's name
    compiler.cook(_DEEP.replace("Deep", name))
    loaded = compiler.getClassLoader().loadClass(f"org.sparklineage.test.{name}")
    arguments = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 4)
    arguments[0], arguments[1] = attachment.bridge.getClass().getClassLoader(), spark.range(3)._jdf.queryExecution().analyzed()
    arguments[2], arguments[3] = depth, bound
    return str(loaded.getConstructors()[0].newInstance(arguments).go())


def test_a_burst_is_bounded_and_counted(spark: Any, tmp_path: Path) -> None:
    """Thousands of ends posted to Spark's own bus, many thousands a second, each with a real query execution."""
    attachment = attach(spark, tmp_path / "inbox", queue_max=200)
    posted = _post(spark, 5_000)
    heard(spark)
    attachment.flush(120)
    retained = list(attachment.bridge.retained())
    spark_lineage.detach(spark)
    recorded = len(executions(tmp_path / "inbox"))
    end = run_end(tmp_path / "inbox")
    lost = sum(count for reason, count in end["dropped"].items() if reason == "reads given up under load")
    assert recorded + lost == posted
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), final=True)
    tables = Store.open(str(tmp_path / "store"))
    (run,) = tables.arrow("runs").to_pylist()
    assert (tables.arrow("executions").num_rows, run["documents_missing"]) == (recorded, lost), "in the run's row too"
    assert end["last_sequence"] == posted
    assert retained[:6] == [0, 0, 0, retained[3], 0, 0], "nothing is kept after the burst"
    assert retained[7] <= 2 * 200 + 2, "and never more than the bound waited"


_BURST = """
package org.sparklineage.test;
public class Burst {
  public static void post(org.apache.spark.SparkContext context, Object started, Object qe, int count) {
    org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart s =
      (org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart) started;
    for (int i = 0; i < count; i++) {
      long id = 1000000L + i;
      context.listenerBus().post((org.apache.spark.scheduler.SparkListenerEvent) s.copy(id, scala.Option.apply(Long.valueOf(id)), "d", "s", "p",
        s.sparkPlanInfo(), System.currentTimeMillis(), s.modifiedConfigs(), s.jobTags(), s.jobGroupId()));
      org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd e =
        new org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd(id, System.currentTimeMillis(), scala.Option.apply(null));
      e.qe_$eq((org.apache.spark.sql.execution.QueryExecution) qe);
      e.executionName_$eq(scala.Option.apply("collect"));
      context.listenerBus().post(e);
      if (i % 1000 == 999) {
        try { Thread.sleep(100L); } catch (InterruptedException x) { return; }
      }
    }
  }
}
"""


def _post(spark: Any, count: int) -> int:
    jvm = spark.sparkContext._jvm
    frame = spark.range(3).selectExpr("id + 1 AS a")
    frame._jdf.queryExecution().executedPlan()
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
    compiler.cook(_BURST)
    loaded = compiler.getClassLoader().loadClass("org.sparklineage.test.Burst")
    method = next(method for method in loaded.getMethods() if method.getName() == "post")
    info = jvm.org.apache.spark.sql.execution.SparkPlanInfo.EMPTY()
    started = jvm.org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart(
        0, jvm.scala.Option.empty(), "d", "s", "p", info, 0, jvm.scala.collection.immutable.HashMap(),
        jvm.scala.collection.immutable.HashSet(), jvm.scala.Option.empty(),
    )  # fmt: skip
    arguments = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 4)
    arguments[0], arguments[1] = spark.sparkContext._jsc.sc(), started
    arguments[2], arguments[3] = frame._jdf.queryExecution(), count
    method.invoke(None, arguments)
    return count


@pytest.mark.soak
def test_nothing_is_retained_after_many_executions(spark: Any, tmp_path: Path) -> None:
    """A notebook kept open: what the bridge keeps does not grow with what it has heard."""
    attachment = attach(spark, tmp_path / "inbox")
    for number in range(300):
        spark.range(number % 7).collect()
        if number % 100 == 0:
            spark.range(3).write.format("delta").mode("append").save(str(tmp_path / "t"))
    attachment.flush(60)
    starts, nested, commits, reasons, count, size, open_bytes, *_ = attachment.bridge.retained()
    assert (starts, nested, commits, reasons, count, size, open_bytes) == (0, 0, 0, 0, 0, 0, 0)


def test_the_listener_thread_does_no_io(spark: Any, tmp_path: Path) -> None:
    """Whatever makes or writes documents stands still; Spark's bus is emptied all the same, so the listener does none of it."""
    attachment = attach(spark, tmp_path / "inbox", queue_max=100_000)
    for point in ("document", "write", "plan", "scans"):
        fault(spark, f"sleep:{point}")
        for number in range(5):
            spark.range(number).collect()
        heard(spark)
        assert waiting(attachment) >= 1, f"the worker stands at {point}"
        fault(spark, None)
        attachment.flush(60)
    assert len(executions(tmp_path / "inbox")) == 20


def test_files_are_private_whatever_the_umask(spark: Any, tmp_path: Path) -> None:
    """The JVM's umask is that of whoever started the tests (022 as a rule): the modes must not depend on it."""
    attachment = attach(spark, tmp_path / "inbox")
    spark.range(1).collect()
    spark_lineage.detach(spark)
    modes = {path.stat().st_mode & 0o777 for path in Path(attachment.folder).iterdir()}
    assert modes == {0o600}
    assert Path(attachment.folder).stat().st_mode & 0o777 == 0o700


def test_files_for_the_group_by_choice(spark: Any, tmp_path: Path) -> None:
    attachment = attach(spark, tmp_path / "inbox", inbox_mode="group")
    spark.range(1).collect()
    spark_lineage.detach(spark)
    modes = {path.stat().st_mode & 0o777 for path in Path(attachment.folder).iterdir()}
    assert modes == {0o660}
    assert Path(attachment.folder).stat().st_mode & 0o777 == 0o770
