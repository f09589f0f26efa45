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
                // only of a catalog that is there: to load one may take connections, and every query waits for the lock
                Object loaded = Reflect.unwrap(Reflect.field(manager, "catalogs"));
                Object plugin = loaded instanceof scala.collection.Map ? Reflect.unwrap(((scala.collection.Map) loaded).get(catalog)) : null;
                if (plugin == null) {
                    return null;
                }
                namespace = ((org.apache.spark.sql.connector.catalog.CatalogPlugin) plugin).defaultNamespace();
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

    private static Object field(Object owner, String name) throws Exception {
        Field field = Reflect.find(owner.getClass(), name);
        if (field == null) {
            throw new NoSuchFieldException(name);
        }
        return field.get(owner);
    }
}
