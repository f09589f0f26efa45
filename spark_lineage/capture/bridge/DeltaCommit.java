package org.sparklineage.bridge;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** One commit of a Delta table, in plain values: taken on the committing thread, or from the table's log afterwards. */
final class DeltaCommit {
    /** Stands for a commit of which nothing could be learnt but that it was made. */
    static final DeltaCommit UNHEARD = new DeltaCommit();

    /** The data folder, as Delta has it. */
    String path;
    String tableId;
    long version = -1L;
    long versionBefore = -1L;
    String operation;
    /** Of the files that it added and removed. */
    String fingerprint;
    final LinkedHashMap metrics = new LinkedHashMap();
    long timestampMillis;
    String sqlId;
    String rootSqlId;
    boolean inferred;
    /** The table's schema after the commit, as JSON: for commands whose plan does not tell it. */
    String fields;
    /** The same, of any other commit: written only where the query gives fewer columns. */
    private StructType schema;
    /** How many columns it has: asked once, on the committing thread. */
    private int width;
    /** Null for a table that fills in no columns of its own. */
    private Filled filled;

    /** From the transaction that has just been committed. Plain data only: nothing here does I/O. */
    static DeltaCommit of(Object transaction, String sqlId, String rootSqlId) throws Exception {
        DeltaCommit commit = new DeltaCommit();
        commit.sqlId = sqlId;
        commit.rootSqlId = rootSqlId;
        Object committed = Reflect.unwrap(Reflect.call(transaction, "getCommitted"));
        commit.path = String.valueOf(Reflect.call(transaction, "dataPath"));
        Object snapshot = Reflect.tryCall(committed, "postCommitSnapshot");
        commit.tableId = Sources.tableId(snapshot);
        if (commit.tableId == null) {
            commit.tableId = Sources.tableId(transaction);
        }
        Long version = Reflect.number(Reflect.tryCall(committed, "committedVersion"));
        commit.version = version == null ? -1L : version.longValue();
        Long read = Reflect.number(Reflect.tryCall(transaction, "readVersion"));
        commit.versionBefore = read == null ? -1L : read.longValue();
        Object modified = Reflect.tryCall(Reflect.tryCall(snapshot, "logSegment"), "lastCommitFileModificationTimestamp");
        commit.timestampMillis = modified instanceof Number ? ((Number) modified).longValue() : System.currentTimeMillis();
        commit.operation(transaction, committed);
        commit.fingerprint = FileSet.of(committed);
        // The transaction's own has been parsed for the write; of a table that was taken over whole it is the one before.
        Object metadata = Reflect.tryCall(commit.operation == null ? snapshot : transaction, "metadata");
        Object schema = Reflect.tryCall(metadata, "schema");
        if (schema instanceof StructType) {
            commit.columns((StructType) schema);
        }
        return commit;
    }

    private void operation(Object transaction, Object committed) {
        Object info = Reflect.unwrap(Reflect.tryCall(transaction, "getCommitInfo"));
        if (info == null) {
            List actions = Reflect.list(Reflect.tryCall(committed, "committedActions"));
            for (int i = 0; i < actions.size() && info == null; i++) {
                if (Reflect.simpleName(actions.get(i)).equals("CommitInfo")) {
                    info = actions.get(i);
                }
            }
        }
        operation = Reflect.text(Reflect.tryCall(info, "operation"));
        Object found = Reflect.unwrap(Reflect.tryCall(info, "operationMetrics"));
        if (found instanceof scala.collection.Map) {
            scala.collection.Iterator entries = ((scala.collection.Map) found).iterator();
            while (entries.hasNext()) {
                scala.Tuple2 entry = (scala.Tuple2) entries.next();
                metrics.put(String.valueOf(entry._1()), String.valueOf(entry._2()));
            }
        }
    }

    /** RESTORE, CLONE and CONVERT do not name their columns in any plan: theirs are written whatever the query gives. */
    private void columns(StructType committed) {
        filled = Filled.of(committed);
        if (operation == null) {
            fields = json(committed);
        } else {
            schema = committed;
            width = committed.fields().length;
        }
    }

    private static String json(StructType schema) {
        StructField[] fields = schema.fields();
        Json out = new Json();
        out.open('[');
        for (int i = 0; i < fields.length; i++) {
            out.open('[').string(fields[i].name()).comma().string(fields[i].dataType().catalogString()).comma();
            out.raw(fields[i].nullable() ? "true" : "false").close(']').comma();
        }
        return out.close(']').toString();
    }

    /** About how many bytes it keeps in memory. */
    long weight() {
        long columns = fields == null ? 0L : 2L * fields.length();
        columns += 100L * width;
        return 1000L + 200L * metrics.size() + columns + (filled == null ? 0L : filled.weight());
    }

    /** `given`: how many columns are written where no plan tells those of the table. */
    void write(Json out, Redaction redaction, int given) {
        out.open('{').field("path", redaction.path(path)).field("table_id", tableId);
        if (version >= 0L) {
            out.field("version", version);
        }
        out.field("version_before", versionBefore).field("operation", operation);
        if (fingerprint != null) {
            out.field("fingerprint", fingerprint);
        }
        out.key("metrics");
        texts(out, metrics, redaction);
        if (fields != null) {
            out.key("columns").raw(fields).comma();
        } else if (schema != null && schema.fields().length > given) {
            out.key("columns").raw(json(schema)).comma();
        }
        if (filled != null) {
            filled.write(out, redaction);
        }
        out.field("timestamp_ms", timestampMillis);
        if (sqlId != null) {
            out.field("sql_id", Long.parseLong(sqlId));
        }
        if (rootSqlId != null) {
            out.field("root_sql_id", Long.parseLong(rootSqlId));
        }
        out.field("basis", inferred ? "inferred" : "exact").close('}').comma();
    }

    private static void texts(Json out, Map values, Redaction redaction) {
        out.open('{');
        Iterator entries = values.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            String key = (String) entry.getKey();
            out.field(key, Reflect.cut(redaction.setting(key, (String) entry.getValue()), 500));
        }
        out.close('}').comma();
    }
}
