package org.perturbation;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.Dependency;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext$;
import org.apache.spark.TaskContextImpl;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.memory.TaskMemoryManager;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Ascending$;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.Murmur3Hash;
import org.apache.spark.sql.catalyst.expressions.SortOrder$;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection$;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.plans.logical.Window;
import org.apache.spark.sql.catalyst.types.DataTypeUtils$;
import org.apache.spark.sql.catalyst.util.ArrayBasedMapData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.apache.spark.sql.classic.Dataset;
import org.apache.spark.sql.classic.Dataset$;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.execution.LocalTableScanExec;
import org.apache.spark.sql.execution.QueryExecution$;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Runs one query many times over tables whose rows are put in other rows' place in between.
 *
 * The rows are objects that the relations of all plans share, so that a query is analyzed and optimized once. Nothing is optimized by
 * what the rows hold: ConvertToLocalRelation is excluded by the session's settings, and no table is empty.
 */
public class Runner {
  private static final AtomicLong TASKS = new AtomicLong(1L << 40); // away from those of Spark's own
  private final ObjectMapper mapper = new ObjectMapper();
  private final HashMap tables = new HashMap();
  private SparkSession session;
  private LogicalPlan optimized;
  private LogicalPlan plan;
  private StructType schema;
  private ArrayList leaves;
  private RDD kept;
  private ArrayList scans;
  private boolean once;

  private static class Table {
    final StructType type;
    final InternalRow[] rows;
    final UnsafeProjection projection;

    Table(StructType type, InternalRow[] rows) {
      this.type = type;
      this.rows = rows;
      this.projection = UnsafeProjection$.MODULE$.create(type);
    }
  }

  /** The rows of a table as a scan of a plan that is kept has them. */
  private static class Scan {
    final Table table;
    final InternalRow[] rows;

    Scan(Table table, InternalRow[] rows) {
      this.table = table;
      this.rows = rows;
    }

    void renew() {
      for (int i = 0; i < rows.length; i++) {
        UnsafeRow row = ((UnsafeRow) table.projection.apply(table.rows[i])).copy();
        ((UnsafeRow) rows[i]).pointTo(row.getBaseObject(), row.getBaseOffset(), row.getSizeInBytes());
      }
    }
  }

  /** A temporary view `name` of a number of rows, known here as `key`. */
  public void table(Object session, String key, String name, String schema, int rows) {
    StructType type = (StructType) DataType.fromJson(schema);
    InternalRow[] data = new InternalRow[rows];
    for (int i = 0; i < rows; i++) {
      data[i] = new GenericInternalRow(new Object[type.length()]);
    }
    tables.put(key, new Table(type, data));
    scala.collection.immutable.Seq shared = scala.collection.immutable.ArraySeq$.MODULE$.unsafeWrapArray(data);
    scala.collection.immutable.Seq output = DataTypeUtils$.MODULE$.toAttributes(type);
    LogicalPlan relation = new LocalRelation(output, shared, false, scala.Option.apply(null));
    ((Dataset) Dataset$.MODULE$.ofRows((SparkSession) session, relation)).coalesce(1).createOrReplaceTempView(name);
  }

  /** Puts rows in the place of a table's: a JSON array of arrays, as many as it has. */
  public void put(String key, String rows) throws java.io.IOException {
    Table table = (Table) tables.get(key);
    JsonNode node = mapper.readTree(rows);
    for (int i = 0; i < table.rows.length; i++) {
      GenericInternalRow row = (GenericInternalRow) value((JsonNode) node.get(i), table.type);
      for (int j = 0; j < table.type.length(); j++) {
        table.rows[i].update(j, row.genericGet(j));
      }
    }
  }

  /** The query that `run` runs; gives the paths of its leaves. */
  public String open(Object frame) throws java.io.IOException {
    Dataset dataset = (Dataset) frame;
    session = (SparkSession) dataset.sparkSession();
    optimized = dataset.queryExecution().optimizedPlan();
    schema = dataset.schema();
    mix(0);
    leaves = new ArrayList();
    ArrayList names = new ArrayList();
    StructField[] fields = schema.fields();
    for (int i = 0; i < fields.length; i++) {
      leavesOf(fields[i].dataType(), new int[] {i}, fields[i].name(), names);
    }
    return mapper.writeValueAsString(names);
  }

  /** What joins, windows and aggregates give comes in an order of its own for each seed from now on, for 0 in that of Spark's plan. */
  public void mix(int seed) {
    now(seed == 0 ? optimized : mixed(optimized, seed));
  }

  /** Aggregates of distinct values are of all values from now on: for those, Spark sorts or hashes the rows of a group by the values. */
  public void mixAll() {
    now(ofAll(optimized));
  }

  private void now(LogicalPlan changed) {
    plan = changed;
    kept = null;
    once = false;
  }

  private static LogicalPlan ofAll(LogicalPlan node) {
    ArrayList children = new ArrayList();
    for (scala.collection.Iterator all = node.children().iterator(); all.hasNext();) {
      children.add(ofAll((LogicalPlan) all.next()));
    }
    LogicalPlan renewed = (LogicalPlan) node.withNewChildren(seq(children));
    if (!(renewed instanceof Aggregate)) {
      return renewed;
    }
    ArrayList expressions = new ArrayList();
    for (scala.collection.Iterator all = ((Aggregate) renewed).aggregateExpressions().iterator(); all.hasNext();) {
      expressions.add(ofAll((Expression) all.next()));
    }
    Object[] parts = new Object[renewed.productArity()];
    for (int i = 0; i < parts.length; i++) {
      parts[i] = i == 1 ? seq(expressions) : renewed.productElement(i);
    }
    return (LogicalPlan) renewed.makeCopy(parts);
  }

  private static Expression ofAll(Expression one) {
    if (one instanceof AggregateExpression) {
      AggregateExpression found = (AggregateExpression) one;
      return new AggregateExpression(found.aggregateFunction(), found.mode(), false, found.filter(), found.resultId());
    }
    ArrayList children = new ArrayList();
    for (scala.collection.Iterator all = one.children().iterator(); all.hasNext();) {
      children.add(ofAll((Expression) all.next()));
    }
    return (Expression) one.withNewChildren(seq(children));
  }

  private static LogicalPlan mixed(LogicalPlan node, int seed) {
    ArrayList children = new ArrayList();
    for (scala.collection.Iterator all = node.children().iterator(); all.hasNext();) {
      children.add(mixed((LogicalPlan) all.next(), seed));
    }
    LogicalPlan renewed = (LogicalPlan) node.withNewChildren(seq(children));
    if (!(node instanceof Join || node instanceof Window || node instanceof Aggregate) || node.output().isEmpty()) {
      return renewed;
    }
    ArrayList orders = new ArrayList();
    orders.add(SortOrder$.MODULE$.apply(new Murmur3Hash(renewed.output(), seed), Ascending$.MODULE$, seq(new ArrayList())));
    return new Sort(seq(orders), false, renewed, scala.Option.apply(null));
  }

  private static scala.collection.immutable.Seq seq(List items) {
    return scala.collection.immutable.ArraySeq$.MODULE$.unsafeWrapArray(items.toArray());
  }

  /** Its rows: a JSON array of rows, with a text for each leaf. */
  public String run() throws Exception {
    org.apache.spark.sql.SparkSession.setActiveSession(session);
    ArrayList told = new ArrayList();
    if (kept == null && !once) {
      keep();
    }
    if (kept == null) {
      InternalRow[] collected = QueryExecution$.MODULE$.prepareExecutedPlan(session, plan).executeCollect();
      for (int i = 0; i < collected.length; i++) {
        told.add(told(collected[i]));
      }
    } else {
      for (int i = 0; i < scans.size(); i++) {
        ((Scan) scans.get(i)).renew();
      }
      for (int i = 0; i < kept.partitions().length; i++) {
        compute(kept, i, told);
      }
    }
    return mapper.writeValueAsString(told);
  }

  /** Keeps the RDD of a plan that computes everything anew each time, and the scans below it: planning costs more than a few rows. */
  private void keep() throws Exception {
    SparkPlan executed = QueryExecution$.MODULE$.prepareExecutedPlan(session, plan);
    scans = new ArrayList();
    once = !computesAnew(executed);
    if (!once) {
      RDD rows = executed.execute();
      once = shuffles(rows);
      kept = once ? null : rows;
    }
  }

  /** Whether a plan has nothing that is computed once and kept: a subquery, what is sent to others. Finds the scans. */
  private boolean computesAnew(SparkPlan node) throws Exception {
    String name = node.getClass().getName();
    if (name.indexOf("Exchange") >= 0 || name.indexOf("UnionLoop") >= 0 || name.indexOf("Python") >= 0 || !node.subqueries().isEmpty()) {
      return false;
    }
    if (node instanceof LocalTableScanExec) {
      scans.addAll(scansOf((LocalTableScanExec) node));
    }
    for (scala.collection.Iterator all = node.children().iterator(); all.hasNext();) {
      if (!computesAnew((SparkPlan) all.next())) {
        return false;
      }
    }
    return true;
  }

  private List scansOf(LocalTableScanExec node) throws Exception {
    ArrayList found = new ArrayList();
    for (Iterator all = tables.values().iterator(); all.hasNext();) {
      Table table = (Table) all.next();
      if (!node.rows().isEmpty() && node.rows().apply(0) == table.rows[0]) {
        Method method = LocalTableScanExec.class.getDeclaredMethod("unsafeRows", new Class[0]);
        method.setAccessible(true);
        found.add(new Scan(table, (InternalRow[]) method.invoke(node, new Object[0])));
      }
    }
    return found;
  }

  /** Computes a partition in this thread: most of what a small query costs is the job that it is run by. */
  private void compute(RDD rows, int number, List told) {
    SparkEnv env = SparkEnv.get();
    TaskMemoryManager memory = new TaskMemoryManager(env.memoryManager(), TASKS.incrementAndGet());
    Properties properties = new Properties();
    properties.putAll(session.sparkContext().getLocalProperties());
    TaskContextImpl context =
        new TaskContextImpl(
            0, 0, number, TASKS.get(), 0, rows.partitions().length, memory, properties, env.metricsSystem(), new TaskMetrics(), 1,
            (scala.collection.immutable.Map) scala.collection.immutable.Map$.MODULE$.empty());
    TaskContext$.MODULE$.setTaskContext(context);
    try {
      scala.collection.Iterator iterator = rows.iterator(rows.partitions()[number], context);
      while (iterator.hasNext()) {
        told.add(told((InternalRow) iterator.next()));
      }
    } finally {
      context.markTaskCompleted(scala.Option.apply(null));
      memory.cleanUpAllAllocatedMemory();
      TaskContext$.MODULE$.unset();
    }
  }

  private static boolean shuffles(RDD rows) {
    for (scala.collection.Iterator all = rows.dependencies().iterator(); all.hasNext();) {
      Dependency dependency = (Dependency) all.next();
      if (dependency instanceof ShuffleDependency || shuffles(dependency.rdd())) {
        return true;
      }
    }
    return false;
  }

  private List told(InternalRow row) {
    ArrayList texts = new ArrayList();
    for (int j = 0; j < leaves.size(); j++) {
      StringBuffer text = new StringBuffer();
      tell(row, schema, (int[]) leaves.get(j), 0, text);
      texts.add(text.toString());
    }
    return texts;
  }

  private void leavesOf(DataType type, int[] path, String name, List names) {
    if (type instanceof StructType) {
      StructField[] fields = ((StructType) type).fields();
      for (int i = 0; i < fields.length; i++) {
        int[] longer = new int[path.length + 1];
        System.arraycopy(path, 0, longer, 0, path.length);
        longer[path.length] = i;
        leavesOf(fields[i].dataType(), longer, name + "." + fields[i].name(), names);
      }
    } else if (type instanceof ArrayType) {
      leavesOf(((ArrayType) type).elementType(), path, name, names);
    } else if (type instanceof MapType) {
      leavesOf(((MapType) type).valueType(), path, name, names);
    } else {
      leaves.add(path);
      names.add(name);
    }
  }

  /** What a leaf holds in a row: arrays and maps are gone through, and that something above it is null shows. */
  private void tell(Object value, DataType type, int[] path, int at, StringBuffer text) {
    if (value == null) {
      text.append("null").append(at < path.length ? "^" : "");
    } else if (type instanceof StructType) {
      DataType inner = ((StructType) type).fields()[path[at]].dataType();
      InternalRow row = (InternalRow) value;
      tell(row.isNullAt(path[at]) ? null : row.get(path[at], inner), inner, path, at + 1, text);
    } else if (type instanceof ArrayType) {
      DataType inner = ((ArrayType) type).elementType();
      elements((ArrayData) value, inner, path, at, text);
    } else if (type instanceof MapType) {
      MapData map = (MapData) value;
      elements(map.keyArray(), ((MapType) type).keyType(), new int[0], 0, text);
      elements(map.valueArray(), ((MapType) type).valueType(), path, at, text);
    } else if (type instanceof DoubleType) {
      double number = ((Double) value).doubleValue();
      text.append(String.format(java.util.Locale.ROOT, "%.8g", new Object[] {Double.valueOf(number + 0.0d)}));
    } else {
      text.append(value.toString());
    }
  }

  private void elements(ArrayData data, DataType inner, int[] path, int at, StringBuffer text) {
    text.append('[');
    for (int i = 0; i < data.numElements(); i++) {
      tell(data.isNullAt(i) ? null : data.get(i, inner), inner, path, at, text);
      text.append(',');
    }
    text.append(']');
  }

  private Object value(JsonNode node, DataType type) {
    if (node.isNull()) {
      return null;
    }
    if (type instanceof StructType) {
      StructField[] fields = ((StructType) type).fields();
      Object[] values = new Object[fields.length];
      for (int i = 0; i < fields.length; i++) {
        values[i] = value((JsonNode) node.get(i), fields[i].dataType());
      }
      return new GenericInternalRow(values);
    }
    if (type instanceof ArrayType) {
      return array(node, ((ArrayType) type).elementType());
    }
    if (type instanceof MapType) {
      ArrayList keys = new ArrayList();
      ArrayList values = new ArrayList();
      for (Iterator names = node.fieldNames(); names.hasNext();) {
        String name = (String) names.next();
        keys.add(UTF8String.fromString(name));
        values.add(value((JsonNode) node.get(name), ((MapType) type).valueType()));
      }
      return new ArrayBasedMapData(new GenericArrayData(keys.toArray()), new GenericArrayData(values.toArray()));
    }
    String name = type.typeName();
    if (name.equals("string")) {
      return UTF8String.fromString(node.asText());
    }
    if (name.equals("double")) {
      return Double.valueOf(node.asDouble());
    }
    if (name.equals("boolean")) {
      return Boolean.valueOf(node.asBoolean());
    }
    return Integer.valueOf(node.asInt()); // integers, and dates as days
  }

  private GenericArrayData array(JsonNode node, DataType type) {
    Object[] values = new Object[node.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = value((JsonNode) node.get(i), type);
    }
    return new GenericArrayData(values);
  }
}
