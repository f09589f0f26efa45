package org.sparklineage.bridge;

import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.v2.FileTable;
import org.apache.spark.sql.sources.BaseRelation;

/** Writes what a plan reads from and writes to: tables, relations, file indexes, names. Delta by name, never by import. */
final class Sources {
    private static final String DELTA = "org.apache.spark.sql.delta.";

    private Sources() {
    }

    /** Writes the value if it is a source, a target or a name. False if it is none of these. */
    static boolean write(Json out, Object value, Redaction redaction) {
        if (StreamSources.write(out, value, redaction) || Rdds.write(out, value, redaction)) {
            return true;
        }
        if (value instanceof CatalogTable) {
            table(out, (CatalogTable) value, redaction);
        } else if (value instanceof TableIdentifier) {
            name(out, Reflect.list(((TableIdentifier) value).nameParts()), redaction);
        } else if (value instanceof Identifier) {
            identifier(out, (Identifier) value, redaction);
        } else if (value instanceof BaseRelation) {
            relation(out, (BaseRelation) value, redaction);
        } else if (value instanceof Table) {
            v2table(out, (Table) value, redaction);
        } else if (value instanceof CatalogPlugin) {
            catalog(out, (CatalogPlugin) value, redaction);
        } else if (value instanceof Path) {
            out.open('{').key("path").string(redaction.path(value)).close('}');
        } else if (value instanceof java.net.URI) {
            out.open('{').key("path").string(redaction.path(new Path((java.net.URI) value))).close('}');
        } else if (value.getClass().getName().startsWith(DELTA)) {
            return deltaPath(out, value, redaction);
        } else {
            return false;
        }
        return true;
    }

    private static boolean deltaPath(Json out, Object value, Redaction redaction) {
        Object path = Reflect.tryCall(value, "path");
        if (!(path instanceof Path)) {
            path = Reflect.tryCall(value, "dataPath");
        }
        if (!(path instanceof Path)) {
            return false;
        }
        boolean clone = value.getClass().getName().endsWith("CloneDeltaSource");
        Object snapshot = clone ? Reflect.unwrap(Reflect.tryCall(value, "snapshot")) : null;
        Long version = Reflect.number(Reflect.tryCall(snapshot, "version"));
        if (version != null) {
            cloned(out, value, path, snapshot, version.longValue(), redaction);
            return true;
        }
        out.open('{').key("path").string(redaction.path(path)).close('}');
        return true;
    }

    /** What CLONE copies: it has taken the snapshot, so its version and id are plain values. */
    private static void cloned(Json out, Object source, Object path, Object snapshot, long version, Redaction redaction) {
        out.open('{').key("v2table").open('{').field("class", source.getClass().getName());
        out.key("delta").open('{').field("path", redaction.path(path)).field("table_id", tableId(snapshot));
        out.field("version_at_analysis", version).field("time_travel", true);
        Object table = Reflect.unwrap(Reflect.tryCall(source, "catalogTable"));
        if (table instanceof CatalogTable) {
            parts(out.key("table_name"), Reflect.list(((CatalogTable) table).identifier().nameParts()), redaction);
        }
        out.close('}').close('}').close('}');
    }

    /** The parts of a name, and a comma. */
    private static void parts(Json out, List parts, Redaction redaction) {
        seen(parts, redaction);
        out.open('[');
        for (int i = 0; i < parts.size(); i++) {
            out.string(String.valueOf(parts.get(i))).comma();
        }
        out.close(']').comma();
    }

    /** A name, told to who looks for the datasets of the document: whole, without its first parts, and each part. */
    private static void seen(List parts, Redaction redaction) {
        StringBuilder name = new StringBuilder();
        for (int i = 0; i < parts.size(); i++) {
            name.append(i == 0 ? "" : ".").append(parts.get(i));
            redaction.literals.dataset(String.valueOf(parts.get(i)));
        }
        redaction.literals.dataset(name.toString());
        for (int i = 1; i < parts.size(); i++) {
            name.delete(0, name.indexOf(".") + 1);
            redaction.literals.dataset(name.toString());
        }
    }

    private static void name(Json out, List parts, Redaction redaction) {
        parts(out.open('{').key("name"), parts, redaction);
        out.close('}');
    }

    private static void identifier(Json out, Identifier identifier, Redaction redaction) {
        java.util.ArrayList parts = new java.util.ArrayList();
        String[] namespace = identifier.namespace();
        for (int i = 0; i < namespace.length; i++) {
            parts.add(namespace[i]);
        }
        parts.add(identifier.name());
        name(out, parts, redaction);
    }

    private static void table(Json out, CatalogTable table, Redaction redaction) {
        parts(out.open('{').key("table").open('{').key("name"), Reflect.list(table.identifier().nameParts()), redaction);
        Object uri = Reflect.unwrap(table.storage().locationUri());
        // A URI is percent-encoded, the paths of scans and writes are not.
        out.field("location", redaction.path(uri instanceof java.net.URI ? new Path((java.net.URI) uri) : uri));
        out.field("provider", Reflect.text(table.provider()));
        out.field("kind", table.tableType().name());
        String view = Reflect.text(table.viewText());
        if (view != null) {
            out.field("view_text", Reflect.cut(redaction.sql(view), 4000));
        }
        out.close('}').close('}');
    }

    private static void relation(Json out, BaseRelation relation, Redaction redaction) {
        out.open('{').key("relation").open('{').field("class", relation.getClass().getName());
        if (relation instanceof HadoopFsRelation) {
            files(out, (HadoopFsRelation) relation, redaction);
        } else {
            redaction.literals.dataset(relation.toString());
            out.field("name", Reflect.cut(redaction.literals.argument(redaction.text(relation.toString())), 1000));
            SourceOptions.write(out, "options", relation, redaction);
        }
        out.close('}').close('}');
    }

    private static void files(Json out, HadoopFsRelation relation, Redaction redaction) {
        out.field("format", format(relation.fileFormat()));
        Object location = relation.location();
        out.field("index", location.getClass().getName()).key("paths").open('[');
        List paths = Reflect.list(Reflect.tryCall(location, "rootPaths"));
        redaction.paths(out, paths);
        out.close(']').comma();
        Folders.write(out, location, paths, redaction);
        out.key("options").open('{');
        scala.collection.Iterator options = relation.options().iterator();
        while (options.hasNext()) {
            scala.Tuple2 entry = (scala.Tuple2) options.next();
            String key = String.valueOf(entry._1());
            out.field(key, Reflect.cut(redaction.value(key, Reflect.text(entry._2())), 500));
        }
        out.close('}').comma().key("partition_columns").open('[');
        String[] columns = relation.partitionSchema().fieldNames();
        for (int i = 0; i < columns.length; i++) {
            out.string(columns[i]).comma();
        }
        out.close(']').comma();
        if (location.getClass().getName().startsWith(DELTA)) {
            deltaIndex(out, location, redaction);
        }
    }

    /** The Delta part of a relation. `version()` is not asked: it answers for now, not for then. */
    private static void deltaIndex(Json out, Object index, Redaction redaction) {
        out.key("delta").open('{').field("path", redaction.path(Reflect.tryCall(index, "path")));
        Object snapshot = Reflect.tryCall(index, "snapshotAtAnalysis");
        Object described = snapshot == null ? index : snapshot;
        boolean travel = Boolean.TRUE.equals(Reflect.tryCall(index, "isTimeTravelQuery"));
        out.field("table_id", tableId(described));
        Long version = Reflect.number(Reflect.tryCall(described, "version"));
        if (version != null) {
            out.field("version_at_analysis", version.longValue());
        }
        out.field("time_travel", travel).close('}').comma();
    }

    /** The id in a Delta snapshot's metadata, null if it cannot be had. */
    static String tableId(Object snapshot) {
        Object metadata = Reflect.tryCall(snapshot, "metadata");
        return metadata == null ? null : Reflect.text(Reflect.tryCall(metadata, "id"));
    }

    static String format(Object fileFormat) {
        if (fileFormat == null) {
            return null;
        }
        String simple = Reflect.simpleName(fileFormat);
        if (simple.startsWith("DeltaParquet")) {
            return "delta";
        }
        if (simple.equals("BinaryFileFormat")) {
            return "binaryfile"; // as readers know it
        }
        return (simple.endsWith("FileFormat") ? simple.substring(0, simple.length() - 10) : simple).toLowerCase(java.util.Locale.ROOT);
    }

    private static void v2table(Json out, Table given, Redaction redaction) {
        // Spark's DELETE, UPDATE and MERGE of DataSource V2 wrap the table.
        Object inner = Reflect.simpleName(given).equals("RowLevelOperationTable") ? Reflect.tryCall(given, "table") : null;
        Table table = inner instanceof Table ? (Table) inner : given;
        out.open('{').key("v2table").open('{').field("class", table.getClass().getName());
        boolean delta = table.getClass().getName().startsWith(DELTA);
        int mark = out.mark();
        try {
            redaction.literals.dataset(table.name());
            seen(java.util.Arrays.asList(table.name().split("\\.")), redaction);
            out.field("name", redaction.literals.argument(redaction.text(table.name())));
        } catch (RuntimeException e) {
            out.reset(mark);
        }
        if (delta) {
            deltaTable(out, table, redaction);
        } else {
            if (table instanceof FileTable) {
                fileTable(out, (FileTable) table, redaction);
            }
            SourceOptions.write(out, "options", table, redaction);
            properties(out, table, redaction);
        }
        out.close('}').close('}');
    }

    /** Files read by DataSource V2: the paths as the reader was given them. */
    private static void fileTable(Json out, FileTable table, Redaction redaction) {
        Object index = Reflect.field(table, "fileIndex");
        List paths = Reflect.list(index == null ? Reflect.tryCall(table, "paths") : Reflect.tryCall(index, "rootPaths"));
        out.field("format", table.formatName().toLowerCase(java.util.Locale.ROOT)).key("paths").open('[');
        redaction.paths(out, paths);
        out.close(']').comma();
        Folders.write(out, index, paths, redaction);
    }

    /** A catalog by its name; a database behind JDBC with where it is, for what is made there. */
    private static void catalog(Json out, CatalogPlugin catalog, Redaction redaction) {
        out.open('{').field("object", catalog.getClass().getName());
        try {
            out.field("name", catalog.name());
        } catch (RuntimeException e) {
            // A catalog that was not initialised has no name.
        }
        if (Reflect.simpleName(catalog).equals("JDBCTableCatalog")) {
            out.key("options").open('{');
            SourceOptions.write(out, "map", catalog, redaction);
            out.close('}').comma();
        }
        out.close('}');
    }

    private static void deltaTable(Json out, Object table, Redaction redaction) {
        // A path as it was asked for may lead below the table; the table worked out its own root when it was analysed.
        Object root = Reflect.field(table, "rootPath");
        out.key("delta").open('{').field("path", redaction.path(root instanceof Path ? root : Reflect.tryCall(table, "path")));
        Object travel = Reflect.unwrap(Reflect.tryCall(table, "timeTravelOpt"));
        out.field("time_travel", travel != null);
        Long asked = Reflect.number(Reflect.tryCall(travel, "version"));
        if (asked != null) {
            out.field("version_at_analysis", asked.longValue());
        }
        Object catalogTable = Reflect.unwrap(Reflect.tryCall(table, "catalogTable"));
        if (catalogTable instanceof CatalogTable) {
            parts(out.key("table_name"), Reflect.list(((CatalogTable) catalogTable).identifier().nameParts()), redaction);
            out.field("managed", ((CatalogTable) catalogTable).tableType().name().equals("MANAGED"));
        }
        out.close('}').comma();
    }

    private static void properties(Json out, Table table, Redaction redaction) {
        int mark = out.mark();
        try {
            out.key("properties").open('{');
            Iterator entries = table.properties().entrySet().iterator();
            while (entries.hasNext()) {
                Map.Entry entry = (Map.Entry) entries.next();
                String key = String.valueOf(entry.getKey());
                out.field(key, Reflect.cut(redaction.value(key, String.valueOf(entry.getValue())), 500));
            }
            out.close('}').comma();
        } catch (RuntimeException e) {
            out.reset(mark);
        }
    }
}
