package org.sparklineage.bridge;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import scala.Product;

/** Describes the command that took a stored plan's rows: its class, and what it was told of the target and of the way to write. */
final class CommandWriter {
    private static final int LIMIT = 100;

    private CommandWriter() {
    }

    /** `{"class", "<argument>": ...}`; null for a query. */
    static void write(Json out, LogicalPlan command, Redaction redaction) {
        if (command == null) {
            out.raw("null");
            return;
        }
        out.open('{').field("class", Reflect.simpleName(command));
        Product product = (Product) command;
        for (int i = 0; i < product.productArity(); i++) {
            int mark = out.mark();
            try {
                argument(out, product.productElementName(i), Reflect.unwrap(product.productElement(i)), redaction);
            } catch (RuntimeException e) {
                out.reset(mark);
            }
        }
        out.close('}');
    }

    private static void argument(Json out, String name, Object value, Redaction redaction) {
        int mark = out.mark();
        Object table = value instanceof LogicalPlan ? Reflect.tryCall(value, "table") : null;
        if (name.equals("query") || value == null) {
            return;
        }
        if (value instanceof scala.collection.Map || value instanceof java.util.Map) {
            Json options = new Json();
            Leaf.options(options, value, redaction);
            out.raw(options.toString().replaceFirst("^\"options\"", java.util.regex.Matcher.quoteReplacement("\"" + name + "\"")));
        } else if (value instanceof Boolean) {
            out.field(name, ((Boolean) value).booleanValue());
        } else if (value instanceof Expression) {
            out.field(name, sql(value, redaction));
        } else if (value instanceof scala.collection.Seq) {
            list(out.key(name), Reflect.list(value), redaction);
        } else if (value instanceof String || value instanceof Enum || Reflect.simpleName(value).equals("SaveMode")) {
            out.field(name, redaction.text(value.toString()));
        } else if (!Sources.write(out.key(name), table == null ? value : table, redaction)) {
            out.reset(mark);
        } else {
            out.comma();
        }
    }

    private static void list(Json out, List values, Redaction redaction) {
        out.open('[');
        for (int i = 0; i < values.size() && i < LIMIT; i++) {
            out.string(sql(Reflect.unwrap(values.get(i)), redaction)).comma();
        }
        out.close(']').comma();
    }

    private static String sql(Object value, Redaction redaction) {
        Object text = value instanceof Expression ? Reflect.tryCall(value, "sql") : null;
        return Reflect.cut(redaction.text(String.valueOf(text == null ? value : text)), 2000);
    }
}
