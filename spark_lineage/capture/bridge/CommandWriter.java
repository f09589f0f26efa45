package org.sparklineage.bridge;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import scala.Product;

/** Describes the command that took a stored plan's rows: its class, and what it was told of the target and of the way to write. */
final class CommandWriter {
    private static final int LIMIT = 100;
    private static final java.util.regex.Pattern KEEP_STATE =
        java.util.regex.Pattern.compile("Aggregate|Distinct|Dedup.*|.*Limit.*|.*State.*|.*MapGroups.*|CoGroup.*");

    private CommandWriter() {
    }

    /** `{"class", "<argument>": ...}`; null for a query. */
    static void write(Json out, LogicalPlan command, Redaction redaction) {
        if (command == null) {
            out.raw("null");
            return;
        }
        out.open('{').field("class", Reflect.simpleName(command));
        if (Reflect.simpleName(command).startsWith("WriteToMicroBatch")) {
            out.field("stateful", isStateful(command));
        }
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

    /** Whether rows of a micro-batch depend on those of earlier ones: what Spark keeps a state for. */
    private static boolean isStateful(LogicalPlan plan) {
        List children = Reflect.list(plan.children());
        int streams = 0;
        boolean stateful = false;
        for (int i = 0; i < children.size(); i++) {
            LogicalPlan child = (LogicalPlan) children.get(i);
            streams += child.isStreaming() ? 1 : 0;
            stateful |= isStateful(child);
        }
        String name = Reflect.simpleName(plan);
        boolean keeps = name.equals("Join") ? streams > 1 : streams > 0 && KEEP_STATE.matcher(name).matches();
        return stateful || keeps;
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
