package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry$;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunction;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser$;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Function1;
import scala.runtime.AbstractPartialFunction;

/**
 * What a Delta table puts itself into the columns that a write does not give: values of generated columns, defaults,
 * identities. Its schema says so. Only Delta's own writing knows them: they are in no plan of an INSERT.
 */
final class Filled {
    private static final String GENERATED = "delta.generationExpression";
    private static final String DEFAULT = "CURRENT_DEFAULT";
    private static final String IDENTITY = "delta.identity.start";
    private static final int TEXT_LIMIT = 4000;

    /** Column -> the text of its expression. */
    private final LinkedHashMap generated = new LinkedHashMap();
    private final LinkedHashMap defaults = new LinkedHashMap();
    private final ArrayList identity = new ArrayList();

    private Filled() {
    }

    /** Null for a table that has none: nearly all. On the committing thread: looks at what the schema holds, and parses nothing. */
    static Filled of(StructType schema) {
        Filled found = null;
        StructField[] fields = schema.fields();
        for (int i = 0; i < fields.length; i++) {
            Metadata metadata = fields[i].metadata();
            if (metadata == Metadata.empty()) {
                continue;
            }
            boolean identity = metadata.contains(IDENTITY);
            String generated = identity ? null : text(metadata, GENERATED);
            String preset = identity || generated != null ? null : text(metadata, DEFAULT);
            if (identity || generated != null || preset != null) {
                found = found == null ? new Filled() : found;
                found.add(fields[i].name(), identity, generated, preset);
            }
        }
        return found;
    }

    /** Null where there is none: anybody may put anything of that name into a column's metadata. */
    private static String text(Metadata metadata, String key) {
        try {
            return metadata.contains(key) ? metadata.getString(key) : null;
        } catch (ClassCastException e) {
            return null;
        }
    }

    private void add(String column, boolean isIdentity, String expression, String preset) {
        if (isIdentity) {
            identity.add(column);
        } else if (expression != null) {
            generated.put(column, expression);
        } else {
            defaults.put(column, preset);
        }
    }

    /** About how many bytes it keeps in memory. */
    long weight() {
        long weight = 300L;
        Iterator texts = generated.values().iterator();
        while (texts.hasNext()) {
            weight += 200L + 2L * ((String) texts.next()).length();
        }
        return weight + 200L * (defaults.size() + identity.size());
    }

    /** On the worker's thread, into the object of a commit. */
    void write(Json out, Redaction redaction) {
        expressions(out, "generated", generated, redaction);
        expressions(out, "defaults", defaults, redaction);
        if (!identity.isEmpty()) {
            out.key("identity").open('[');
            for (int i = 0; i < identity.size(); i++) {
                out.string((String) identity.get(i)).comma();
            }
            out.close(']').comma();
        }
    }

    private static void expressions(Json out, String key, Map texts, Redaction redaction) {
        if (texts.isEmpty()) {
            return;
        }
        PlanWriter writer = new PlanWriter(new Budget(1, 1 << 20, 1000000000L, System.nanoTime(), new Pace()), redaction, new Origins(), 1);
        out.key(key).open('{');
        Iterator entries = texts.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            out.key((String) entry.getKey());
            expression(out, (String) entry.getKey(), (String) entry.getValue(), writer, redaction);
            out.comma();
        }
        out.close('}').comma();
    }

    /** One that cannot be parsed here is told by its text alone. */
    private static void expression(Json out, String column, String text, PlanWriter writer, Redaction redaction) {
        int mark = out.mark();
        try {
            Expression parsed = CatalystSqlParser$.MODULE$.parseExpression(text);
            writer.expression(out, column, (Expression) parsed.transform(new BuiltIn()));
        } catch (Exception e) {
            out.reset(mark);
            out.open('{').field("sql", Reflect.cut(redaction.sql(text), TEXT_LIMIT)).close('}');
        } catch (LinkageError e) {
            out.reset(mark);
            out.open('{').close('}');
        }
    }

    /** Puts the expressions of Spark's own functions where the parser has only their names. */
    private static final class BuiltIn extends AbstractPartialFunction {
        public boolean isDefinedAt(Object value) {
            return value instanceof UnresolvedFunction;
        }

        public Object applyOrElse(Object value, Function1 otherwise) {
            if (!(value instanceof UnresolvedFunction)) {
                return otherwise.apply(value);
            }
            UnresolvedFunction function = (UnresolvedFunction) value;
            List parts = Reflect.list(function.nameParts());
            try {
                FunctionIdentifier name = new FunctionIdentifier((String) parts.get(parts.size() - 1));
                return FunctionRegistry$.MODULE$.builtin().lookupFunction(name, function.arguments());
            } catch (Exception e) {
                return value;
            }
        }
    }
}
