package org.sparklineage.bridge;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.QueryPlan;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.metric.SQLMetric;

/**
 * Reads from executed physical plans what was really scanned (version, listing, rows) and written. After the end of an
 * execution the plan is final, adaptive execution included. By name throughout, so that it works across Spark versions.
 */
final class ScanReader {
    private final Redaction redaction;
    private final Budget budget;
    private final IdentityHashMap seen = new IdentityHashMap();
    private final IdentityHashMap written = new IdentityHashMap();
    private long sqlId;
    private boolean counted;
    final Json scans = new Json();
    final Json writes = new Json();
    int scanCount;
    /** When the execution that is read ended: what changed later is not its work. */
    long endedMs;

    ScanReader(Redaction redaction, Budget budget) {
        this.redaction = redaction;
        this.budget = budget;
    }

    /** `counted` false: the execution ended before its rows were read (Dataset.rdd), so its metrics say nothing. */
    void read(long sqlId, QueryExecution execution, boolean counted) {
        this.sqlId = sqlId;
        this.counted = counted;
        Object plan = Plans.executed(execution);
        if (plan instanceof SparkPlan) {
            walk((SparkPlan) plan);
        }
    }

    private void walk(Object object) {
        if (!(object instanceof SparkPlan) || seen.put(object, Boolean.TRUE) != null) {
            return;
        }
        budget.node();
        SparkPlan plan = (SparkPlan) object;
        String kind = Reflect.simpleName(plan);
        if (kind.equals("AdaptiveSparkPlanExec")) {
            walk(Reflect.tryCall(plan, "executedPlan"));
        } else if (kind.endsWith("QueryStageExec")) {
            walk(Reflect.tryCall(plan, "plan"));
        } else if (kind.equals("InMemoryTableScanExec")) {
            walk(Reflect.tryCall(Reflect.tryCall(plan, "relation"), "cachedPlan"));
        } else if (kind.equals("CommandResultExec")) {
            walk(Reflect.tryCall(plan, "commandPhysicalPlan"));
        } else if (kind.equals("FileSourceScanExec")) {
            fileScan(plan);
        } else if (kind.equals("RowDataSourceScanExec") || kind.equals("BatchScanExec") || kind.equals("HiveTableScanExec")
            || kind.equals("MicroBatchScanExec") || kind.equals("RealTimeStreamScanExec")) {
            namedScan(plan);
        } else if (kind.equals("DataWritingCommandExec")) {
            write(plan);
        } else if (kind.equals("EmptyRelationExec")) {
            emptied(Reflect.tryCall(plan, "logical"));
        } else if (TableScans.isWrite(plan)) {
            tableWrite(plan);
        }
        each(plan.children());
        each(Reflect.tryCall(plan, "subqueries"));
    }

    private void each(Object plans) {
        List list = Reflect.list(plans);
        for (int i = 0; i < list.size(); i++) {
            walk(list.get(i));
        }
    }

    /** Adaptive execution puts an empty relation in the place of stages that ran and that a join with nothing made needless. */
    private void emptied(Object logical) {
        if (logical == null) {
            return;
        }
        if (Reflect.simpleName(logical).equals("LogicalQueryStage")) {
            walk(Reflect.tryCall(logical, "physicalPlan"));
            return;
        }
        emptied(Reflect.tryCall(logical, "logical"));
        List children = Reflect.list(Reflect.tryCall(logical, "children"));
        for (int i = 0; i < children.size(); i++) {
            emptied(children.get(i));
        }
    }

    private void fileScan(SparkPlan plan) {
        int mark = scans.mark();
        try {
            Object relation = Reflect.call(plan, "relation");
            Object index = Reflect.call(relation, "location");
            String indexKind = Reflect.simpleName(index);
            if (indexKind.equals("DeltaLogFileIndex")) {
                return;
            }
            scans.open('{').field("class", Reflect.simpleName(plan)).field("sql_id", sqlId);
            scans.field("format", Sources.format(Reflect.tryCall(relation, "fileFormat")));
            if (index.getClass().getName().startsWith("org.apache.spark.sql.delta.")) {
                delta(index, indexKind);
            } else {
                listing(plan, index);
            }
            output(plan);
            strings("columns", Reflect.tryCall(Reflect.tryCall(plan, "requiredSchema"), "fieldNames"));
            filters(plan);
            Map metrics = metrics(plan);
            metric(scans, "rows", metrics, "numOutputRows");
            metric(scans, "files", metrics, "numFiles");
            metric(scans, "bytes", metrics, "filesSize");
            scans.close('}').comma();
            scanCount++;
        } catch (Exception e) {
            scans.reset(mark);
        }
    }

    /** The version that was scanned; asking a TahoeLogFileIndex would answer for now, so it is marked instead. */
    private void delta(Object index, String kind) throws Exception {
        scans.field("path", redaction.path(Reflect.call(index, "path")));
        Object described = index;
        if (kind.equals("TahoeLogFileIndex")) {
            described = Reflect.call(index, "snapshotAtAnalysis");
            if (!Boolean.TRUE.equals(Reflect.tryCall(index, "isTimeTravelQuery"))) {
                scans.field("version_basis", "inferred");
            }
        } else if (kind.equals("PreparedDeltaFileIndex")) {
            described = Reflect.call(Reflect.call(index, "preparedScan"), "scannedSnapshot");
        }
        Long version = Reflect.number(Reflect.tryCall(described, "version"));
        if (version != null && version.longValue() >= 0L) {
            scans.field("delta_version", version.longValue());
        }
        scans.field("table_id", Sources.tableId(described));
        Object timestamp = Reflect.tryCall(Reflect.tryCall(described, "logSegment"), "lastCommitFileModificationTimestamp");
        if (timestamp instanceof Number) {
            scans.field("committed_ms", ((Number) timestamp).longValue());
        }
    }

    private void listing(SparkPlan plan, Object index) {
        scans.key("paths").open('[');
        List paths = Reflect.list(Reflect.tryCall(index, "rootPaths"));
        redaction.paths(scans, paths);
        scans.close(']').comma();
        Folders.write(scans, index, paths, redaction);
        String fingerprint = Listing.ofFileScan(plan, index, redaction.seen);
        if (fingerprint != null) {
            scans.field("fingerprint", fingerprint);
        }
    }

    private void namedScan(SparkPlan plan) {
        int mark = scans.mark();
        try {
            scans.open('{').field("class", Reflect.simpleName(plan)).field("sql_id", sqlId);
            TableScans.scan(scans, plan, redaction);
            output(plan);
            metric(scans, "rows", metrics(plan), "numOutputRows");
            scans.close('}').comma();
            scanCount++;
        } catch (RuntimeException e) {
            scans.reset(mark);
        }
    }

    private void output(SparkPlan plan) {
        List output = Reflect.list(((QueryPlan) plan).output());
        scans.key("output").open('[');
        for (int i = 0; i < output.size(); i++) {
            scans.number(((Attribute) output.get(i)).exprId().id()).comma();
        }
        scans.close(']').comma();
    }

    private void filters(SparkPlan plan) {
        scans.key("filters").open('[');
        String[] names = new String[] {"partitionFilters", "dataFilters"};
        for (int n = 0; n < names.length; n++) {
            List filters = Reflect.list(Reflect.tryCall(plan, names[n]));
            for (int i = 0; i < filters.size() && i < 100; i++) {
                scans.string(Reflect.cut(redaction.text(filter(filters.get(i))), 500)).comma();
            }
        }
        scans.close(']').comma();
    }

    private String filter(Object filter) {
        if (!(filter instanceof Expression)) {
            return redaction.literals.inTexts() ? Literals.DROPPED : filter.toString();
        }
        try {
            return Blank.sql((Expression) filter, redaction.literals, java.util.Collections.EMPTY_MAP);
        } catch (RuntimeException e) {
            return redaction.literals.inTexts() ? Literals.DROPPED : filter.toString();
        }
    }

    private void strings(String key, Object array) {
        if (array instanceof String[]) {
            String[] values = (String[]) array;
            scans.key(key).open('[');
            for (int i = 0; i < values.length; i++) {
                scans.string(values[i]).comma();
            }
            scans.close(']').comma();
        }
    }

    private void write(SparkPlan plan) {
        int mark = writes.mark();
        try {
            Object command = Reflect.call(plan, "cmd");
            if (written.put(command, Boolean.TRUE) != null) {
                return;
            }
            writes.open('{').field("class", Reflect.simpleName(command)).field("sql_id", sqlId);
            Object path = Reflect.tryCall(command, "outputPath");
            Object location = path == null ? Reflect.tryCall(Reflect.tryCall(command, "table"), "location") : null;
            path = location instanceof java.net.URI ? new org.apache.hadoop.fs.Path((java.net.URI) location) : path;
            writes.field("path", redaction.path(path));
            writes.field("format", Sources.format(Reflect.tryCall(command, "fileFormat")));
            writes.field("mode", Reflect.text(Reflect.tryCall(command, "mode")));
            Map metrics = metrics(command);
            metric(writes, "rows", metrics, "numOutputRows");
            metric(writes, "files", metrics, "numFiles");
            metric(writes, "bytes", metrics, "numOutputBytes");
            String fingerprint = OutputListing.fingerprint(path, endedMs, number(metrics.get("numFiles")), redaction.seen);
            if (fingerprint != null) {
                writes.field("fingerprint", fingerprint);
            }
            writes.close('}').comma();
        } catch (Exception e) {
            writes.reset(mark);
        }
    }

    private void tableWrite(SparkPlan plan) {
        int mark = writes.mark();
        try {
            TableScans.write(writes, plan, sqlId);
        } catch (RuntimeException e) {
            writes.reset(mark);
        }
    }

    private Map metrics(Object owner) {
        Object metrics = counted ? Reflect.tryCall(owner, "metrics") : null;
        if (!(metrics instanceof scala.collection.Map)) {
            return Collections.EMPTY_MAP;
        }
        java.util.HashMap result = new java.util.HashMap();
        scala.collection.Iterator entries = ((scala.collection.Map) metrics).iterator();
        while (entries.hasNext()) {
            scala.Tuple2 entry = (scala.Tuple2) entries.next();
            result.put(entry._1(), entry._2());
        }
        return result;
    }

    private static void metric(Json out, String name, Map metrics, String metric) {
        Long number = number(metrics.get(metric));
        if (number != null && number.longValue() >= 0) {
            out.field(name, number.longValue());
        }
    }

    private static Long number(Object metric) {
        return metric instanceof SQLMetric ? Reflect.number(((org.apache.spark.util.AccumulatorV2) metric).value()) : null;
    }
}
