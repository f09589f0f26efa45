package org.sparklineage.bridge;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;

/** The leaves of a plan that read something: told from those that hold their rows, and described for who reads it again. */
final class Leaf {
    private static final int FILES_MAX = 1000;

    private Leaf() {
    }

    /** Whether it reads, or takes rows from this process: what another process must be given again. */
    static boolean is(LogicalPlan plan) {
        if (plan instanceof LogicalRelation) {
            return true;
        }
        String name = Reflect.simpleName(plan);
        return name.startsWith("DataSourceV2") || name.startsWith("Streaming") || name.equals("HiveTableRelation")
            || name.equals("LogicalRDD") || name.equals("ExternalRDD") || name.equals("InMemoryRelation");
    }

    /**
     * `{"class", "output": [ids], "columns": [names], "inner", "files": [names], "source": {..}, "schema", "table", "catalog", "identifier"}`.
     * `inner`: of a plan of the function that `foreachBatch` was given.
     */
    static void write(Json out, LogicalPlan leaf, boolean inner, Redaction redaction) {
        out.open('{').field("class", Reflect.simpleName(leaf));
        if (inner) {
            out.field("inner", true);
        }
        List output = Reflect.list(leaf.output());
        out.key("output").open('[');
        for (int i = 0; i < output.size(); i++) {
            out.number(((Attribute) output.get(i)).exprId().id()).comma();
        }
        out.close(']').comma().key("columns").open('[');
        for (int i = 0; i < output.size(); i++) {
            out.string(((Attribute) output.get(i)).name()).comma();
        }
        out.close(']').comma();
        if (leaf instanceof LogicalRelation) {
            relation(out, (LogicalRelation) leaf, redaction);
        } else {
            source(out, "source", Reflect.tryCall(leaf, "table"), redaction);
            source(out, "identifier", Reflect.unwrap(Reflect.tryCall(leaf, "identifier")), redaction);
            source(out, "table", Reflect.tryCall(leaf, "tableMeta"), redaction);
            Object catalog = Reflect.unwrap(Reflect.tryCall(leaf, "catalog"));
            if (catalog != null) {
                out.field("catalog", Reflect.text(Reflect.tryCall(catalog, "name")));
            }
            options(out, Reflect.tryCall(leaf, "options"), redaction);
        }
        out.close('}');
    }

    private static void relation(Json out, LogicalRelation leaf, Redaction redaction) {
        source(out, "source", leaf.relation(), redaction);
        source(out, "table", Reflect.unwrap(leaf.catalogTable()), redaction);
        if (leaf.relation() instanceof HadoopFsRelation) {
            HadoopFsRelation files = (HadoopFsRelation) leaf.relation();
            if (!"delta".equals(Sources.format(files.fileFormat()))) {
                out.field("schema", files.schema().json());
            } else if (leaf.isStreaming()) {
                ofBatch(out, files.location());
            }
            return;
        }
        Object jdbc = Reflect.tryCall(leaf.relation(), "jdbcOptions");
        if (jdbc != null) {
            out.field("format", "jdbc");
            options(out, Reflect.tryCall(jdbc, "parameters"), redaction);
        }
    }

    /** The files of a table that a micro-batch reads: those of the commits since the batch before. */
    private static void ofBatch(Json out, Object index) {
        List added = Reflect.list(Reflect.tryCall(index, "addFiles"));
        if (added.size() > FILES_MAX) {
            throw new Budget.Over("the micro-batch reads more than " + FILES_MAX + " files of a table");
        }
        out.key("files").open('[');
        for (int i = 0; i < added.size(); i++) {
            out.string(Reflect.text(Reflect.tryCall(added.get(i), "path"))).comma();
        }
        out.close(']').comma();
    }

    private static void source(Json out, String key, Object value, Redaction redaction) {
        int mark = out.mark();
        if (value != null && Sources.write(out.key(key), value, redaction)) {
            out.comma();
        } else {
            out.reset(mark);
        }
    }

    /** Options by name, secrets redacted; a Java or a Scala map. */
    static void options(Json out, Object options, Redaction redaction) {
        if (options instanceof scala.collection.Map) {
            scala.collection.Iterator entries = ((scala.collection.Map) options).iterator();
            out.key("options").open('{');
            while (entries.hasNext()) {
                scala.Tuple2 entry = (scala.Tuple2) entries.next();
                option(out, entry._1(), entry._2(), redaction);
            }
            out.close('}').comma();
        } else if (options instanceof java.util.Map) {
            java.util.Iterator entries = ((java.util.Map) options).entrySet().iterator();
            out.key("options").open('{');
            while (entries.hasNext()) {
                java.util.Map.Entry entry = (java.util.Map.Entry) entries.next();
                option(out, entry.getKey(), entry.getValue(), redaction);
            }
            out.close('}').comma();
        }
    }

    private static void option(Json out, Object key, Object value, Redaction redaction) {
        String name = String.valueOf(key);
        out.field(name, redaction.value(name, value == null ? null : value.toString()));
    }
}
