package org.sparklineage.bridge;

import java.lang.reflect.Field;
import org.apache.spark.sql.execution.QueryExecution;

/**
 * The catalog and schema that are current. Asked as an execution's start is heard, while it still runs: what a USE
 * afterwards makes of them is not its own. Read from the catalog manager's fields: its methods wait for locks and may
 * load a catalog.
 */
final class Names {
    private Names() {
    }

    /** Catalog first, then the parts of the schema's name. Null where they cannot be told. On the listener thread. */
    static String[] of(QueryExecution execution) {
        try {
            Object state = execution.sparkSession().sessionState();
            Object manager = Reflect.call(state, "catalogManager");
            Object catalog = Reflect.unwrap(field(manager, "_currentCatalogName"));
            if (catalog == null) {
                catalog = execution.sparkSession().sessionState().conf().getConfString("spark.sql.defaultCatalog", "spark_catalog");
            }
            Object namespace = Reflect.unwrap(field(manager, "_currentNamespace"));
            if (namespace == null && catalog.equals("spark_catalog")) {
                namespace = new String[] {String.valueOf(field(Reflect.call(state, "catalog"), "currentDb"))};
            } else if (namespace == null) {
                namespace = Reflect.call(manager, "currentNamespace");
            }
            String[] parts = (String[]) namespace;
            String[] names = new String[parts.length + 1];
            names[0] = String.valueOf(catalog);
            System.arraycopy(parts, 0, names, 1, parts.length);
            return names;
        } catch (Exception e) {
            return null;
        }
    }

    /** The value of a private field of the object's class or one above it, under the name that Scala gave it. */
    private static Object field(Object owner, String name) throws Exception {
        for (Class type = owner.getClass(); type != null; type = type.getSuperclass()) {
            Field[] fields = type.getDeclaredFields();
            for (int i = 0; i < fields.length; i++) {
                if (fields[i].getName().equals(name) || fields[i].getName().endsWith("$$" + name)) {
                    fields[i].setAccessible(true);
                    return fields[i].get(owner);
                }
            }
        }
        throw new NoSuchFieldException(name);
    }
}
