package org.sparklineage.bridge;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Product;

/** The Delta table that a command is about to write rows to: how it is called, what columns it has now, and whether the command gives it others. */
final class Target {
    private static final String DELTA = "org.apache.spark.sql.delta.";
    private static final String BY_SAVE_AS_TABLE = "__v1_save_as_table_overwrite";

    private final Object session;
    private final Product command;
    private final String kind;
    private final LinkedHashSet names = new LinkedHashSet();
    /** Delta's log of a table that rows are added to. */
    private Object log;
    private StructType schema;
    /** Where it lies; null where that is not known yet. */
    String path;
    /** Whether it is made, or its columns are replaced by those of the rows. */
    private boolean isNew;

    private Target(Object session, LogicalPlan command) {
        this.session = session;
        this.command = (Product) command;
        this.kind = Reflect.simpleName(command);
    }

    /** Null where the command writes to no Delta table, or to one that this does not know. Throws what Delta throws. */
    static Target of(Object session, LogicalPlan command) throws Exception {
        Target target = new Target(session, command);
        boolean known = target.kind.equals("SaveIntoDataSourceCommand") ? target.saved()
            : target.kind.equals("CreateTableAsSelect") || target.kind.equals("ReplaceTableAsSelect") ? target.made() : target.added();
        return known ? target : null;
    }

    private boolean saved() throws Exception {
        Object source = argument("dataSource");
        String place = option("path");
        if (source == null || !source.getClass().getName().startsWith(DELTA) || place == null) {
            return false;
        }
        located(place);
        return true;
    }

    private boolean made() throws Exception {
        Object name = argument("name");
        Object catalog = Reflect.tryCall(name, "catalog");
        Object identifier = Reflect.tryCall(name, "identifier");
        Object spec = argument("tableSpec");
        String provider = Reflect.text(Reflect.tryCall(spec, "provider"));
        if (!(identifier instanceof Identifier) || catalog == null || !isDeltas(catalog.getClass()) || !"delta".equalsIgnoreCase(provider)) {
            return false;
        }
        String location = Reflect.text(Reflect.tryCall(spec, "location"));
        named(Reflect.text(Reflect.tryCall(catalog, "name")), (Identifier) identifier);
        isNew = true;
        Object there = kind.equals("ReplaceTableAsSelect") ? existing(catalog, (Identifier) identifier) : null;
        if (there != null) {
            Object found = Reflect.tryCall(there, "deltaLog");
            schema = found == null ? null : schemaOf(found);
            located(String.valueOf(Reflect.tryCall(there, "path")));
            isNew = schema != null && (!isSavedAsTable() || isTrue("overwriteSchema"));
        } else if (location != null || isPath((Identifier) identifier)) {
            located(location == null ? ((Identifier) identifier).name() : location);
        } else {
            located(defaultPlace((Identifier) identifier));
        }
        return true;
    }

    private boolean added() throws Exception {
        Object relation = argument("table");
        Object table = argument("deltaTable");
        table = table == null ? Reflect.tryCall(relation, "table") : table;
        log = table == null || !table.getClass().getName().startsWith(DELTA) ? null : Reflect.tryCall(table, "deltaLog");
        if (log == null) {
            return false;
        }
        Object identifier = Reflect.unwrap(Reflect.tryCall(relation, "identifier"));
        if (identifier instanceof Identifier) {
            named(Reflect.text(Reflect.tryCall(Reflect.unwrap(Reflect.tryCall(relation, "catalog")), "name")), (Identifier) identifier);
        }
        located(String.valueOf(Reflect.tryCall(log, "dataPath")));
        return true;
    }

    /** Whether a table that is there keeps its columns all the same: as Delta finds it out (CreateDeltaTableLikeShims). */
    private boolean isSavedAsTable() {
        if (isTrue(BY_SAVE_AS_TABLE)) {
            return true;
        }
        StackTraceElement[] calls = new Throwable().getStackTrace();
        for (int i = 0; i < calls.length; i++) {
            if (calls[i].getClassName().endsWith(".DataFrameWriter")) {
                return true;
            }
        }
        return false;
    }

    private void located(String place) {
        if (place == null) {
            return;
        }
        java.net.URI uri = new Path(place).toUri();
        path = uri.getAuthority() == null ? uri.getPath() : place;
        names.add(place);
        names.add(uri.getPath());
        names.add((uri.getAuthority() == null ? "file/" : uri.getScheme() + "://" + uri.getAuthority()) + uri.getPath());
    }

    private void named(String catalog, Identifier identifier) {
        StringBuilder out = new StringBuilder();
        String[] parts = identifier.namespace();
        for (int i = 0; i < parts.length; i++) {
            out.append(parts[i]).append('.');
        }
        String name = out.append(identifier.name()).toString();
        names.add(name);
        names.add((catalog == null ? "spark_catalog" : catalog) + "." + name);
    }

    private static boolean isPath(Identifier identifier) {
        String[] parts = identifier.namespace();
        return parts.length == 1 && parts[0].equalsIgnoreCase("delta") && new Path(identifier.name()).isAbsolute();
    }

    private String defaultPlace(Identifier name) {
        try {
            org.apache.spark.sql.catalyst.catalog.SessionCatalog catalog =
                (org.apache.spark.sql.catalyst.catalog.SessionCatalog) Reflect.call(Reflect.call(session, "sessionState"), "catalog");
            String[] schema = name.namespace();
            scala.Option database = schema.length == 0 ? scala.Option.empty() : scala.Option.apply(schema[schema.length - 1]);
            return catalog.defaultTablePath(new TableIdentifier(name.name(), database)).toString();
        } catch (Exception e) {
            return null;
        }
    }

    private static boolean isDeltas(Class type) {
        for (Class one = type; one != null; one = one.getSuperclass()) {
            if (one.getName().equals(DELTA + "catalog.DeltaCatalog")) {
                return true;
            }
        }
        return false;
    }

    /** The table that is replaced, null where there is none. */
    private static Object existing(Object catalog, Identifier identifier) throws Exception {
        Method exists = catalog.getClass().getMethod("tableExists", new Class[] {Identifier.class});
        Method load = catalog.getClass().getMethod("loadTable", new Class[] {Identifier.class});
        return Boolean.TRUE.equals(invoke(exists, catalog, new Object[] {identifier})) ? invoke(load, catalog, new Object[] {identifier}) : null;
    }

    private Object logOf(Path place, Object options) throws Exception {
        Object companion = Class.forName(DELTA + "DeltaLog$", true, Thread.currentThread().getContextClassLoader()).getField("MODULE$").get(null);
        Method[] methods = companion.getClass().getMethods();
        for (int i = 0; i < methods.length; i++) {
            Class[] types = methods[i].getParameterTypes();
            if (methods[i].getName().equals("forTable") && types.length == 3 && types[0].isInstance(session) && types[1] == Path.class
                && types[2].isInstance(options)) {
                return invoke(methods[i], companion, new Object[] {session, place, options});
            }
        }
        throw new NoSuchMethodException("DeltaLog.forTable");
    }

    /** The columns of the newest version, null where there is none. */
    private static StructType schemaOf(Object log) throws Exception {
        Method[] methods = log.getClass().getMethods();
        for (int i = 0; i < methods.length; i++) {
            if (methods[i].getName().equals("update")) {
                Class[] types = methods[i].getParameterTypes();
                Object[] arguments = new Object[types.length];
                for (int j = 0; j < types.length; j++) {
                    arguments[j] = types[j] == boolean.class ? (Object) Boolean.FALSE : scala.Option.apply(null);
                }
                Object snapshot = invoke(methods[i], log, arguments);
                Long version = Reflect.number(Reflect.call(snapshot, "version"));
                return version == null || version.longValue() < 0L ? null : (StructType) Reflect.call(snapshot, "schema");
            }
        }
        throw new NoSuchMethodException("DeltaLog.update");
    }

    private static Object invoke(Method method, Object target, Object[] arguments) throws Exception {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Exception) {
                throw (Exception) e.getCause();
            }
            throw (Error) e.getCause();
        }
    }

    private Object argument(String name) {
        for (int i = 0; i < command.productArity(); i++) {
            if (command.productElementName(i).equals(name)) {
                return command.productElement(i);
            }
        }
        return null;
    }

    /** What the write was told under this name, whatever its case; null for nothing. */
    private String option(String name) {
        Object options = argument(kind.equals("SaveIntoDataSourceCommand") ? "options" : "writeOptions");
        if (options instanceof scala.collection.Map) {
            Iterator entries = Reflect.list(options).iterator();
            while (entries.hasNext()) {
                scala.Tuple2 entry = (scala.Tuple2) entries.next();
                if (name.equalsIgnoreCase(String.valueOf(entry._1()))) {
                    return String.valueOf(entry._2());
                }
            }
        }
        return null;
    }

    private boolean isTrue(String option) {
        return "true".equalsIgnoreCase(option(option));
    }

    List spellings() {
        return new ArrayList(names);
    }

    String name() {
        return path == null ? String.valueOf(names.iterator().next()) : path;
    }

    /** Looks at the table as it is now, where that was not needed to find it. */
    private void look() throws Exception {
        if (kind.equals("SaveIntoDataSourceCommand")) {
            schema = schemaOf(logOf(new Path(option("path")), argument("options")));
            isNew = schema == null || String.valueOf(argument("mode")).equalsIgnoreCase("Overwrite") && isTrue("overwriteSchema");
        } else if (!kind.endsWith("TableAsSelect")) {
            schema = schemaOf(log);
        }
    }

    /** Why rows that are written there may not have a column more, null where they may. Throws what Delta throws. */
    String refuses(String column) throws Exception {
        look();
        if ("false".equalsIgnoreCase(option("dataChange"))) {
            return "the write only rearranges rows";
        }
        if (isNew) {
            return null;
        }
        StructField[] fields = schema == null ? new StructField[0] : schema.fields();
        for (int i = 0; i < fields.length; i++) {
            if (fields[i].name().equalsIgnoreCase(column)) {
                return fields[i].dataType().typeName().equals("long") ? null : "its column " + column + " is no bigint";
            }
        }
        return "the table is there without it, and the write does not replace its columns";
    }
}
