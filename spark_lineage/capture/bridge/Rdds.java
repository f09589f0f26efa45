package org.sparklineage.bridge;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.Dependency;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Writes what an RDD's rows come from, as far as the RDDs behind it tell. Only what they hold already is read: `dependencies()`
 * and `partitions()` are never asked, since they may list files.
 */
final class Rdds {
    private static final int NODES_LIMIT = 2000;
    private static final int SOURCES_LIMIT = 200;
    private static final int FILES_LIMIT = 100000;
    private static final int COLUMNS_LIMIT = 1000;

    private Rdds() {
    }

    static boolean write(Json out, Object value, Redaction redaction) {
        if (!(value instanceof RDD)) {
            return false;
        }
        out.open('{').key("rdd").open('{').field("class", value.getClass().getName()).key("sources").open('[');
        boolean whole = sources(out, (RDD) value, redaction);
        out.close(']').comma().field("whole", whole).close('}').close('}');
        return true;
    }

    /** False where the walk was cut short. */
    private static boolean sources(Json out, RDD start, Redaction redaction) {
        IdentityHashMap seen = new IdentityHashMap();
        ArrayDeque waiting = new ArrayDeque();
        seen.put(start, Boolean.TRUE);
        waiting.add(start);
        int written = 0;
        while (!waiting.isEmpty()) {
            if (seen.size() > NODES_LIMIT || written >= SOURCES_LIMIT) {
                return false;
            }
            RDD rdd = (RDD) waiting.poll();
            List parents = parents(rdd);
            for (int i = 0; i < parents.size(); i++) {
                if (seen.put(parents.get(i), Boolean.TRUE) == null) {
                    waiting.add(parents.get(i));
                }
            }
            if (parents.isEmpty()) {
                source(out, rdd, redaction);
                written++;
            }
        }
        return true;
    }

    /** The RDDs that it is made from: the dependencies it has worked out, else those it was made with. */
    private static List parents(RDD rdd) {
        ArrayList found = new ArrayList();
        Object known = Reflect.field(rdd, RDD.class, "dependencies_");
        List dependencies = Reflect.list(known != null ? known : Reflect.field(rdd, RDD.class, "deps"));
        for (int i = 0; i < dependencies.size(); i++) {
            if (dependencies.get(i) instanceof Dependency) {
                found.add(((Dependency) dependencies.get(i)).rdd());
            }
        }
        if (known == null) {
            made(rdd, found);
        }
        while (found.remove(null)) {
            continue;
        }
        return found;
    }

    /** Unions, products and their like work their dependencies out late; they hold what they join. */
    private static void made(RDD rdd, List found) {
        List several = Reflect.list(Reflect.tryCall(rdd, "rdds"));
        for (int i = 0; i < several.size(); i++) {
            if (several.get(i) instanceof RDD) {
                found.add(several.get(i));
            }
        }
        String[] names = new String[] {"rdd1", "rdd2", "prev", "dependency"};
        for (int i = 0; i < names.length; i++) {
            Object one = Reflect.tryCall(rdd, names[i]);
            if (one instanceof Dependency) {
                one = ((Dependency) one).rdd();
            }
            if (one instanceof RDD) {
                found.add(one);
            }
        }
    }

    private static void source(Json out, RDD rdd, Redaction redaction) {
        String kind = Reflect.simpleName(rdd);
        int mark = out.mark();
        try {
            out.open('{').field("class", kind);
            if (kind.equals("FileScanRDD")) {
                paths(out, files(Reflect.list(Reflect.tryCall(rdd, "filePartitions"))), redaction);
                columns(out, Reflect.tryCall(rdd, "readSchema"));
            } else if (kind.equals("DataSourceRDD")) {
                paths(out, files(inputs(rdd)), redaction);
            } else if (kind.equals("JDBCRDD")) {
                jdbc(out, rdd, redaction);
            } else if (isHadoop(rdd)) {
                paths(out, named(rdd.name()), redaction);
            }
            out.close('}').comma();
        } catch (RuntimeException e) {
            out.reset(mark);
        }
    }

    /** Hadoop's own, and what extends them (`wholeTextFiles`, `binaryFiles`): Spark gives each the paths for a name. */
    private static boolean isHadoop(RDD rdd) {
        for (Class type = rdd.getClass(); type != null; type = type.getSuperclass()) {
            if (type.getName().equals("org.apache.spark.rdd.HadoopRDD") || type.getName().equals("org.apache.spark.rdd.NewHadoopRDD")) {
                return true;
            }
        }
        return false;
    }

    private static LinkedHashMap named(String paths) {
        LinkedHashMap found = new LinkedHashMap();
        String[] parts = paths == null ? new String[0] : paths.split(",");
        for (int i = 0; i < parts.length; i++) {
            if (parts[i].trim().length() > 0) {
                found.put(parts[i].trim(), null);
            }
        }
        return found;
    }

    private static List inputs(RDD rdd) {
        ArrayList all = new ArrayList();
        List groups = Reflect.list(Reflect.field(rdd, "inputPartitions"));
        for (int i = 0; i < groups.size(); i++) {
            if (groups.get(i) instanceof scala.collection.Iterable) {
                all.addAll(Reflect.list(groups.get(i)));
            } else {
                all.add(groups.get(i));
            }
        }
        return all;
    }

    /** The folders of the files in FilePartitions; a folder of which one file alone is read is told by that file. */
    private static LinkedHashMap files(List partitions) {
        LinkedHashMap folders = new LinkedHashMap();
        int count = 0;
        for (int i = 0; i < partitions.size() && count < FILES_LIMIT; i++) {
            Object files = Reflect.tryCall(partitions.get(i), "files");
            Object[] array = files instanceof Object[] ? (Object[]) files : new Object[0];
            for (int j = 0; j < array.length && count < FILES_LIMIT; j++) {
                Object path = Reflect.tryCall(array[j], "toPath");
                if (path instanceof Path && ((Path) path).getParent() != null) {
                    count++;
                    String folder = ((Path) path).getParent().toString();
                    LinkedHashSet inside = (LinkedHashSet) folders.get(folder);
                    if (inside == null) {
                        inside = new LinkedHashSet();
                        folders.put(folder, inside);
                    }
                    if (inside.size() < 2) {
                        inside.add(path.toString());
                    }
                }
            }
        }
        return folders;
    }

    private static void paths(Json out, LinkedHashMap folders, Redaction redaction) {
        out.key("paths").open('[');
        Iterator entries = folders.entrySet().iterator();
        for (int i = 0; entries.hasNext() && i < 1000; i++) {
            Map.Entry entry = (Map.Entry) entries.next();
            LinkedHashSet inside = (LinkedHashSet) entry.getValue();
            Object path = inside != null && inside.size() == 1 ? inside.iterator().next() : entry.getKey();
            out.string(redaction.path(path)).comma();
        }
        out.close(']').comma();
    }

    /** What is read of the files: the columns that the plan behind the RDD needed. */
    private static void columns(Json out, Object schema) {
        StructField[] fields = schema instanceof StructType ? ((StructType) schema).fields() : new StructField[0];
        if (fields.length == 0 || fields.length > COLUMNS_LIMIT) {
            return;
        }
        out.key("columns").open('[');
        for (int i = 0; i < fields.length; i++) {
            out.string(fields[i].name()).comma();
        }
        out.close(']').comma();
    }

    private static void jdbc(Json out, RDD rdd, Redaction redaction) {
        Object options = Reflect.field(rdd, "options");
        out.field("url", redaction.value("url", Reflect.text(Reflect.tryCall(options, "url"))));
        out.field("table", Reflect.cut(redaction.value("dbtable", Reflect.text(Reflect.tryCall(options, "tableOrQuery"))), 4000));
    }
}
