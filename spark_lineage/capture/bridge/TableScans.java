package org.sparklineage.bridge;

import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.datasources.v2.FileScan;

/** Scans and writes of the physical plan that are not Spark's v1 files: DataSource V2, JDBC and others, Hive. */
final class TableScans {
    private TableScans() {
    }

    /** A BatchScanExec, RowDataSourceScanExec or HiveTableScanExec: its fields, without output and rows. */
    static void scan(Json out, SparkPlan plan, Redaction redaction) {
        Object scan = Reflect.tryCall(plan, "scan");
        if (scan instanceof FileScan) {
            files(out, plan, (FileScan) scan, redaction);
        } else if (Reflect.simpleName(plan).equals("HiveTableScanExec")) {
            hive(out, plan, redaction);
        } else {
            named(out, plan, scan, redaction);
        }
    }

    private static void files(Json out, SparkPlan plan, FileScan scan, Redaction redaction) {
        String kind = Reflect.simpleName(scan);
        out.field("format", (kind.endsWith("Scan") ? kind.substring(0, kind.length() - 4) : kind).toLowerCase(java.util.Locale.ROOT));
        List roots = Reflect.list(scan.fileIndex().rootPaths());
        paths(out, roots, redaction);
        Folders.write(out, scan.fileIndex(), roots, redaction);
        Listing listing = Listing.ofBatchScan(plan, redaction.seen);
        Object filters = Reflect.tryCall(scan, "partitionFilters");
        boolean filtered = !Reflect.list(filters).isEmpty() || !Reflect.list(Reflect.tryCall(plan, "runtimeFilters")).isEmpty();
        boolean whole = !filtered || listing.size() == Listing.ofIndex(scan.fileIndex(), redaction.seen).size();
        String fingerprint = listing.fingerprint(whole);
        if (fingerprint != null) {
            out.field("fingerprint", fingerprint).field("files", (long) listing.size()).field("bytes", listing.bytes());
        }
        Object schema = Reflect.tryCall(scan, "readDataSchema");
        Object names = Reflect.tryCall(schema, "fieldNames");
        if (names instanceof String[]) {
            out.key("columns").open('[');
            for (int i = 0; i < ((String[]) names).length; i++) {
                out.string(((String[]) names)[i]).comma();
            }
            out.close(']').comma();
        }
    }

    private static void paths(Json out, List paths, Redaction redaction) {
        out.key("paths").open('[');
        for (int i = 0; i < paths.size() && i < 1000; i++) {
            out.string(redaction.path(paths.get(i))).comma();
        }
        out.close(']').comma();
    }

    /** The folder of the table, or those of the partitions that were read where the plan chose among them. */
    private static void hive(Json out, SparkPlan plan, Redaction redaction) {
        Object table = Reflect.tryCall(Reflect.tryCall(plan, "relation"), "tableMeta");
        Object location = Reflect.tryCall(table, "location");
        out.field("format", "hive");
        if (location instanceof java.net.URI) {
            paths(out, java.util.Collections.singletonList(new Path((java.net.URI) location)), redaction);
        }
        out.field("name", Reflect.text(Reflect.tryCall(table, "qualifiedName")));
    }

    private static void named(Json out, SparkPlan plan, Object scan, Redaction redaction) {
        Object table = Reflect.tryCall(plan, "table");
        Object relation = Reflect.tryCall(plan, "relation");
        Object named = relation != null ? relation : table != null ? Reflect.tryCall(table, "name") : Reflect.tryCall(scan, "description");
        redaction.literals.dataset(String.valueOf(named));
        out.field("name", Reflect.cut(redaction.literals.argument(redaction.text(String.valueOf(named))), 1000));
        if (relation != null) {
            SourceOptions.write(out, "options", relation, redaction);
        }
        Object snapshot = Reflect.unwrap(Reflect.hidden(scan, "snapshotId"));
        if (!(snapshot instanceof Number)) {
            snapshot = reported(scan);
        }
        if (snapshot instanceof Number) {
            out.field("fingerprint", "snapshot:" + snapshot);
        }
    }

    /** Of Iceberg before 1.12: a scan that no snapshot was named to knows it from the report of its planning. */
    private static Object reported(Object scan) {
        Object report = Reflect.field(scan, "scanReportSupplier");
        try {
            return report instanceof java.util.function.Supplier
                ? Reflect.number(Reflect.tryCall(((java.util.function.Supplier) report).get(), "snapshotId")) : null;
        } catch (RuntimeException e) {
            return null;
        }
    }

    /** Whether a physical node writes to a DataSource V2 table: AppendDataExec, OverwriteByExpressionExec and their like. */
    static boolean isWrite(SparkPlan plan) {
        return plan.getClass().getName().startsWith("org.apache.spark.sql.execution.datasources.v2.")
            && (Reflect.field(plan, "commitProgress") != null || Reflect.field(plan, "write") instanceof
                org.apache.spark.sql.connector.write.Write);
    }

    /** One object with what the write tells of itself; nothing where it tells nothing. */
    static void write(Json out, SparkPlan plan, long sqlId) {
        Object write = Reflect.field(plan, "write");
        Long rows = Reflect.number(Reflect.tryCall(Reflect.unwrap(Reflect.field(plan, "commitProgress")), "numOutputRows"));
        String snapshot = snapshot(write);
        if (rows == null && snapshot == null) {
            return;
        }
        out.open('{').field("class", Reflect.simpleName(plan)).field("sql_id", sqlId);
        if (rows != null) {
            out.field("rows", rows.longValue());
        }
        if (snapshot != null) {
            out.field("fingerprint", snapshot);
        }
        Object table = Reflect.field(write, "table");
        out.field("table", Reflect.text(Reflect.tryCall(table, "name"))).close('}').comma();
    }

    /** Of Iceberg: the snapshot that this write committed, from the report of its commit. */
    private static String snapshot(Object write) {
        Object reporter = Reflect.field(write, "metricsReporter");
        Object report = Reflect.tryCall(reporter, "commitReport");
        Long id = Reflect.number(Reflect.tryCall(report, "snapshotId"));
        return id == null ? null : "snapshot:" + id;
    }
}
