package org.sparklineage.bridge;

import java.security.MessageDigest;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
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
    private static final int LISTING_LIMIT = 200000;
    private final Redaction redaction;
    private final Budget budget;
    private final IdentityHashMap seen = new IdentityHashMap();
    private final IdentityHashMap written = new IdentityHashMap();
    private long sqlId;
    private boolean counted;
    final Json scans = new Json();
    final Json writes = new Json();
    int scanCount;

    ScanReader(Redaction redaction, Budget budget) {
        this.redaction = redaction;
        this.budget = budget;
    }

    /** `counted` false: the execution ended before its rows were read (Dataset.rdd), so its metrics say nothing. */
    void read(long sqlId, QueryExecution execution, boolean counted) {
        this.sqlId = sqlId;
        this.counted = counted;
        Object plan = Reflect.tryCall(execution, "executedPlan");
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
                listing(index);
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

    private void listing(Object index) {
        scans.key("paths").open('[');
        List paths = Reflect.list(Reflect.tryCall(index, "rootPaths"));
        for (int i = 0; i < paths.size() && i < 1000; i++) {
            scans.string(redaction.path(paths.get(i))).comma();
        }
        scans.close(']').comma();
        String fingerprint = fingerprint(index);
        if (fingerprint != null) {
            scans.field("fingerprint", fingerprint);
        }
    }

    /** SHA-256 over the sorted lines "path TAB size TAB modification time" of the listing that was kept at planning. */
    private String fingerprint(Object index) {
        try {
            List files = Reflect.list(Reflect.tryCall(index, "allFiles"));
            if (files.isEmpty() || files.size() > LISTING_LIMIT) {
                return null;
            }
            java.util.ArrayList lines = new java.util.ArrayList(files.size());
            for (int i = 0; i < files.size(); i++) {
                FileStatus file = (FileStatus) files.get(i);
                lines.add(file.getPath() + "\t" + file.getLen() + "\t" + file.getModificationTime() + "\n");
            }
            Collections.sort(lines);
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (int i = 0; i < lines.size(); i++) {
                digest.update(((String) lines.get(i)).getBytes("UTF-8"));
            }
            return "listing:" + hex(digest.digest(), 16);
        } catch (Exception e) {
            return null;
        }
    }

    private static String hex(byte[] bytes, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(Character.forDigit((bytes[i] >> 4) & 15, 16)).append(Character.forDigit(bytes[i] & 15, 16));
        }
        return text.toString();
    }

    private void namedScan(SparkPlan plan) {
        int mark = scans.mark();
        try {
            scans.open('{').field("class", Reflect.simpleName(plan)).field("sql_id", sqlId);
            Object table = Reflect.tryCall(plan, "table");
            Object relation = Reflect.tryCall(plan, "relation");
            Object scan = Reflect.tryCall(plan, "scan");
            Object named = relation != null ? relation : table != null ? Reflect.tryCall(table, "name") : Reflect.tryCall(scan, "description");
            redaction.literals.dataset(String.valueOf(named));
            scans.field("name", Reflect.cut(redaction.literals.argument(redaction.text(String.valueOf(named))), 1000));
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
            writes.field("path", redaction.path(path));
            writes.field("format", Sources.format(Reflect.tryCall(command, "fileFormat")));
            writes.field("mode", Reflect.text(Reflect.tryCall(command, "mode")));
            Map metrics = metrics(command);
            metric(writes, "rows", metrics, "numOutputRows");
            metric(writes, "files", metrics, "numFiles");
            metric(writes, "bytes", metrics, "numOutputBytes");
            writes.close('}').comma();
        } catch (Exception e) {
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
        Object value = metrics.get(metric);
        if (value instanceof SQLMetric) {
            Object number = ((org.apache.spark.util.AccumulatorV2) value).value();
            if (number instanceof Number && ((Number) number).longValue() >= 0) {
                out.field(name, ((Number) number).longValue());
            }
        }
    }
}
