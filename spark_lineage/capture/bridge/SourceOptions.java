package org.sparklineage.bridge;

import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.sources.BaseRelation;
import scala.Product;

/**
 * The options of sources that nobody wrote a handler for: found on their relation, table or catalog, for the name of the dataset.
 * Whatever is secret by its key or its looks is taken out. Reads fields and plain accessors only.
 */
final class SourceOptions {
    private static final int LIMIT = 50;
    private static final String[] HOLDERS = new String[] {"jdbcOptions", "parameters", "options", "params", "config", "conf"};

    private SourceOptions() {
    }

    /** Writes `key` with the options of a relation or table; nothing where it has none. */
    static void write(Json out, String key, Object source, Redaction redaction) {
        Map options = of(source);
        if (options.isEmpty()) {
            return;
        }
        out.key(key).open('{');
        Iterator entries = options.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            String name = (String) entry.getKey();
            out.field(name, Reflect.cut(redaction.value(name, (String) entry.getValue()), 4000));
        }
        out.close('}').comma();
    }

    /** By key, sorted; empty for what has none. */
    static Map of(Object source) {
        TreeMap found = new TreeMap();
        Object inner = behind(source);
        for (int i = 0; i < HOLDERS.length && found.isEmpty(); i++) {
            Object holder = Reflect.tryCall(inner, HOLDERS[i]);
            if (holder == null) {
                holder = Reflect.field(inner, HOLDERS[i]);
            }
            addAll(found, holder);
            if (found.isEmpty()) {
                addAll(found, Reflect.tryCall(holder, "parameters"));
            }
        }
        if (found.isEmpty() && inner instanceof Product) {
            texts(found, (Product) inner);
        }
        return found;
    }

    /** Spark wraps the relation of a scan of a JDBC catalog in another. */
    private static Object behind(Object source) {
        Object relation = Reflect.tryCall(source, "relation");
        return relation instanceof BaseRelation ? relation : source;
    }

    private static void addAll(Map found, Object holder) {
        if (holder instanceof scala.collection.Map) {
            scala.collection.Iterator entries = ((scala.collection.Map) holder).iterator();
            while (entries.hasNext() && found.size() < LIMIT) {
                scala.Tuple2 entry = (scala.Tuple2) entries.next();
                add(found, entry._1(), entry._2());
            }
        } else if (holder instanceof Map) {
            Iterator entries = ((Map) holder).entrySet().iterator();
            while (entries.hasNext() && found.size() < LIMIT) {
                Map.Entry entry = (Map.Entry) entries.next();
                add(found, entry.getKey(), entry.getValue());
            }
        }
    }

    private static void add(Map found, Object key, Object value) {
        Object plain = Reflect.unwrap(value);
        if (key instanceof String && (plain instanceof String || plain instanceof Number || plain instanceof Boolean)) {
            found.put(key, plain.toString());
        }
    }

    /** The text arguments of a case class, and the options among its arguments. */
    private static void texts(Map found, Product product) {
        for (int i = 0; i < product.productArity(); i++) {
            Object value = Reflect.unwrap(product.productElement(i));
            addAll(found, value);
            if (value instanceof String) {
                add(found, product.productElementName(i), value);
            }
        }
    }
}
