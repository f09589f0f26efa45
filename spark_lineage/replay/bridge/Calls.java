package org.sparklineage.replay;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;

/**
 * What a parsed statement asks for that may be somebody's code, before it is analyzed: to analyze a call loads what is called. Texts "function: name"
 * and "table function: name", whose parts have dots between them; "code: TRANSFORM" and "code: IDENTIFIER", whose names are computed.
 */
public final class Calls {
    private final LinkedHashSet found = new LinkedHashSet();
    private final IdentityHashMap seen = new IdentityHashMap();

    public List of(Object plan) {
        walk(plan);
        return new ArrayList(found);
    }

    /** All that a node is made of: lists, tuples and options within it too, as in WITH, WINDOW and VALUES. */
    private void walk(Object value) {
        if (value instanceof scala.collection.Iterable) {
            scala.collection.Iterator each = ((scala.collection.Iterable) value).iterator();
            while (each.hasNext()) {
                walk(each.next());
            }
        } else if (value instanceof scala.Product && seen.put(value, value) == null) {
            look(value);
            scala.collection.Iterator each = ((scala.Product) value).productIterator();
            while (each.hasNext()) {
                walk(each.next());
            }
        }
    }

    private void look(Object node) {
        String kind = node.getClass().getSimpleName();
        if (kind.equals("UnresolvedFunction")) {
            found.add("function: " + name(node, "nameParts"));
        } else if (kind.equals("UnresolvedGenerator")) {
            found.add("function: " + name(node, "name"));
        } else if (kind.equals("UnresolvedTableValuedFunction")) {
            found.add("table function: " + name(node, "name"));
        } else if (kind.endsWith("ScriptTransformation")) {
            found.add("code: TRANSFORM");
        } else if (kind.endsWith("WithUnresolvedIdentifier")) {
            found.add("code: IDENTIFIER");
        }
    }

    /** Of another Spark, or one that is computed: what nobody takes for a function of Spark's own. */
    private static String name(Object node, String method) {
        try {
            Method named = node.getClass().getMethod(method, new Class[0]);
            Object name = named.invoke(node, new Object[0]);
            return name instanceof scala.collection.Iterable ? ((scala.collection.Iterable) name).mkString(".")
                : String.valueOf(name.getClass().getMethod("unquotedString", new Class[0]).invoke(name, new Object[0]));
        } catch (Exception error) {
            return "of no known name (" + error + ")";
        }
    }
}
