package org.sparklineage.bridge;

import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.OuterReference;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Product;

/**
 * Writes logical plans as docs/documents.md describes: generic over the node classes, so that a node nobody thought of
 * is written too. Each node once, children before parents. Reads plain data only: nothing lazy that does I/O.
 */
final class PlanWriter {
    private static final int SQL_LIMIT = 2000;
    private static final int LIST_LIMIT = 20000;
    private static final String EXPRESSIONS = "org.apache.spark.sql.catalyst.expressions.";
    /** Arguments that say how to evaluate, not what. */
    private static final Set QUIET = new HashSet();
    /** Nodes whose output follows from their fields and children. */
    private static final Set DERIVED = new HashSet();

    static {
        String[] quiet = new String[] {"timeZoneId", "evalMode", "ansiEnabled", "failOnError", "resultId", "evalContext",
            "mode", "legacyErrorPattern", "inputEncoders", "outputEncoder", "nullOnOverflow", "resolver", "origin", "pythonEval"};
        for (int i = 0; i < quiet.length; i++) {
            QUIET.add(quiet[i]);
        }
        String[] derived = new String[] {"Project", "Filter", "Aggregate", "Sort", "GlobalLimit", "LocalLimit", "Distinct",
            "Deduplicate", "Repartition", "RepartitionByExpression", "SubqueryAlias", "WithCTE", "ResolvedHint", "Join"};
        for (int i = 0; i < derived.length; i++) {
            DERIVED.add(derived[i]);
        }
    }

    private final Budget budget;
    private final Redaction redaction;
    private final IdentityHashMap ids = new IdentityHashMap();
    private final LinkedHashMap attributes = new LinkedHashMap();
    private final Json nodes = new Json();
    private final Origins origins = new Origins();
    private final Literals literals;
    /** Names that Spark made of expressions, and what stands for them without the literals. */
    private final HashMap madeNames = new HashMap();
    private final Branches branches;
    private boolean redacting;
    private int nextId = 1;

    PlanWriter(Budget budget, Redaction redaction) {
        this(budget, redaction, null);
    }

    /** `branches`: how a branch of a union numbers its columns; null for a whole plan. */
    PlanWriter(Budget budget, Redaction redaction, Branches branches) {
        this.budget = budget;
        this.redaction = redaction;
        this.literals = redaction.literals;
        this.branches = branches;
    }

    /** The whole plan as one JSON object. Throws Budget.Over. */
    String write(LogicalPlan root) {
        return finish(plan(root));
    }

    /** The root node alone: where it writes to, not what. For when the whole plan is over the budget. */
    String writeHeader(LogicalPlan root) {
        List children = Reflect.list(root.children());
        for (int i = 0; i < children.size(); i++) {
            ids.put(children.get(i), Integer.valueOf(0));
        }
        List inner = Reflect.list(root.innerChildren());
        for (int i = 0; i < inner.size(); i++) {
            ids.put(inner.get(i), Integer.valueOf(0));
        }
        return finish(plan(root));
    }

    private String finish(int root) {
        Json out = new Json();
        out.open('{').field("root", root).key("attributes").open('{');
        Iterator entries = attributes.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            out.key(entry.getKey().toString()).raw((String) entry.getValue()).comma();
        }
        out.close('}').comma().key("nodes").open('[').raw(nodes).close(']').close('}');
        return out.toString();
    }

    private int plan(LogicalPlan plan) {
        Integer known = (Integer) ids.get(plan);
        if (known != null) {
            return known.intValue();
        }
        budget.node();
        List children = Reflect.list(plan.children());
        Json childIds = new Json();
        int copies = children(childIds, plan, children);
        Json node = new Json();
        node.open('{').key("class").string(plan.getClass().getName()).comma().key("children").open('[').raw(childIds).close(']').comma();
        if (copies > 0) {
            node.field("copies", copies);
        }
        if (!DERIVED.contains(Reflect.simpleName(plan))) {
            output(node, plan);
        }
        fields(node, plan, children);
        int id = nextId++;
        node.field("id", id).close('}');
        ids.put(plan, Integer.valueOf(id));
        nodes.raw(node).comma();
        budget.bytes(nodes.length());
        return id;
    }

    /** Writes the children and their ids. Equal branches of a union are one: gives how many were left out. */
    private int children(Json out, LogicalPlan plan, List children) {
        HashMap written = branches == null && Branches.isUnionOfQueries(plan, children) ? new HashMap() : null;
        int copies = 0;
        for (int i = 0; i < children.size(); i++) {
            LogicalPlan child = (LogicalPlan) children.get(i);
            String key = written == null || ids.containsKey(child) ? null : Branches.key(child, budget, redaction);
            if (key != null && written.containsKey(key)) {
                ids.put(child, written.get(key));
                copies++;
                continue;
            }
            int id = plan(child);
            if (key != null) {
                written.put(key, Integer.valueOf(id));
            }
            out.number(id).comma();
        }
        return copies;
    }

    private void output(Json node, LogicalPlan plan) {
        int mark = node.mark();
        try {
            List output = Reflect.list(plan.output());
            node.key("output").open('[');
            for (int i = 0; i < output.size(); i++) {
                define(((Attribute) output.get(i)).exprId());
                node.number(attribute((Attribute) output.get(i))).comma();
            }
            node.close(']').comma();
        } catch (RuntimeException e) {
            rethrowOver(e);
            node.reset(mark);
        }
    }

    private void fields(Json node, LogicalPlan plan, List children) {
        node.key("fields").open('{');
        if (plan instanceof Product) {
            Product product = (Product) plan;
            for (int i = 0; i < product.productArity(); i++) {
                String name = product.productElementName(i);
                Object value = Reflect.unwrap(product.productElement(i));
                if (isChild(value, children) || QUIET.contains(name) && !(value instanceof Enum) && !isMode(value)) {
                    continue;
                }
                if (name.equals("output") && children.isEmpty() || name.equals("data") || literals.everywhere() && isRange(plan, name)) {
                    continue;
                }
                int mark = node.mark();
                try {
                    node.key(name);
                    field(node, name, value);
                    node.comma();
                } catch (RuntimeException e) {
                    rethrowOver(e);
                    node.reset(mark);
                } catch (LinkageError e) {
                    node.reset(mark);
                }
            }
        }
        origin(node, plan);
        node.close('}').comma();
    }

    /** What a checkpointed frame was made from. */
    private void origin(Json node, LogicalPlan plan) {
        LogicalPlan origin = origins.enter(plan);
        if (origin != null) {
            node.key("origin").open('{').key("plan").number(plan(origin)).close('}').comma();
            origins.leave(plan);
        }
    }

    /** The values of partitions are data, and stand in plain maps. */
    private void field(Json node, String name, Object value) {
        if (literals.inTexts() && (name.toLowerCase(java.util.Locale.ROOT).indexOf("partition") >= 0 || name.startsWith("spec"))
            && !(value instanceof Expression) && !(value instanceof LogicalPlan) && holdsMaps(value)) {
            node.open('{').key("object").string("partition values").close('}');
        } else {
            value(node, value, 0);
        }
    }

    private static boolean holdsMaps(Object value) {
        if (value instanceof scala.collection.Map) {
            return true;
        }
        List list = value instanceof scala.collection.Seq ? Reflect.list(value) : java.util.Collections.EMPTY_LIST;
        return !list.isEmpty() && list.get(0) instanceof scala.collection.Map;
    }

    private static boolean isRange(LogicalPlan plan, String name) {
        return Reflect.simpleName(plan).equals("Range") && (name.equals("start") || name.equals("end") || name.equals("step"));
    }

    private static boolean isMode(Object value) {
        return value != null && value.getClass().getName().indexOf("SaveMode") >= 0;
    }

    private static void rethrowOver(RuntimeException e) {
        if (e instanceof Budget.Over) {
            throw e;
        }
    }

    private static boolean isChild(Object value, List children) {
        if (children.isEmpty()) {
            return false;
        }
        if (value instanceof LogicalPlan) {
            return contains(children, value);
        }
        if (value instanceof scala.collection.Seq) {
            List list = Reflect.list(value);
            return !list.isEmpty() && list.get(0) instanceof LogicalPlan && contains(children, list.get(0));
        }
        return false;
    }

    private static boolean contains(List list, Object value) {
        for (int i = 0; i < list.size(); i++) {
            if (list.get(i) == value) {
                return true;
            }
        }
        return false;
    }

    /** One value of a node's or an expression's arguments. */
    private void value(Json out, Object wrapped, int depth) {
        Object value = Reflect.unwrap(wrapped);
        if (value == null) {
            out.raw("null");
        } else if (value instanceof Expression) {
            topExpression(out, (Expression) value);
        } else if (value instanceof LogicalPlan) {
            LogicalPlan plan = (LogicalPlan) value;
            out.open('{').key("plan").number(plan(plan)).comma();
            schema(out, plan);
            out.close('}');
        } else if (value instanceof String) {
            out.string(Reflect.cut(literals.argument(redaction.text((String) value)), 4000));
        } else if (value instanceof Number || value instanceof Boolean) {
            String text = value.toString();
            out.raw(text.equals("NaN") || text.endsWith("Infinity") ? "null" : text);
        } else if (value instanceof Enum || value instanceof scala.Enumeration.Value) {
            out.string(value.toString());
        } else if (value instanceof StructType) {
            schema(out.open('{').key("schema"), (StructType) value);
            out.close('}');
        } else if (value instanceof DataType) {
            out.open('{').key("type").string(((DataType) value).catalogString()).close('}');
        } else if (value instanceof scala.collection.Map) {
            map(out, (scala.collection.Map) value);
        } else if (value instanceof java.util.Map) {
            javaMap(out, (java.util.Map) value);
        } else if (value instanceof scala.collection.Iterable) {
            list(out, Reflect.list(value), depth);
        } else if (value instanceof ExprId) {
            out.number(number((ExprId) value));
        } else if (!Sources.write(out, value, redaction)) {
            other(out, value, depth);
        }
    }

    private void other(Json out, Object value, int depth) {
        String name = value.getClass().getName();
        if (name.startsWith("org.apache.spark.sql.catalyst.plans.") && name.endsWith("$")) {
            out.string(Reflect.simpleName(value));
        } else if (value instanceof Product && depth < 3 && name.startsWith("org.apache.spark.sql.catalyst.")) {
            Product product = (Product) value;
            out.open('{').key("object").string(name).comma();
            for (int i = 0; i < product.productArity(); i++) {
                out.key(product.productElementName(i));
                value(out, product.productElement(i), depth + 1);
                out.comma();
            }
            out.close('}');
        } else {
            out.open('{').key("object").string(name).close('}');
        }
    }

    private void list(Json out, List values, int depth) {
        if (!values.isEmpty() && values.get(0) instanceof InternalRow) {
            out.open('{').key("object").string("rows").comma().field("size", values.size()).close('}');
            return;
        }
        out.open('[');
        for (int i = 0; i < values.size() && i < LIST_LIMIT; i++) {
            value(out, values.get(i), depth + 1);
            out.comma();
        }
        out.close(']');
    }

    private void map(Json out, scala.collection.Map map) {
        out.open('{').key("map").open('{');
        scala.collection.Iterator entries = map.iterator();
        while (entries.hasNext()) {
            scala.Tuple2 entry = (scala.Tuple2) entries.next();
            entry(out, entry._1(), entry._2());
        }
        out.close('}').close('}');
    }

    private void javaMap(Json out, java.util.Map map) {
        out.open('{').key("map").open('{');
        Iterator entries = map.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            entry(out, entry.getKey(), entry.getValue());
        }
        out.close('}').close('}');
    }

    private void entry(Json out, Object key, Object value) {
        String name = String.valueOf(key);
        out.field(name, Reflect.cut(redaction.value(name, Reflect.text(value)), 1000));
    }

    /** A plan's schema beside its id: what a command writes. */
    private void schema(Json out, LogicalPlan plan) {
        int mark = out.mark();
        try {
            out.key("schema");
            schema(out, plan.schema());
            out.comma();
        } catch (RuntimeException e) {
            out.reset(mark);
        }
    }

    private void schema(Json out, StructType schema) {
        StructField[] fields = schema.fields();
        out.open('[');
        for (int i = 0; i < fields.length; i++) {
            out.open('[').string(name(fields[i].name())).comma().string(fields[i].dataType().catalogString()).comma();
            out.raw(fields[i].nullable() ? "true" : "false").close(']').comma();
        }
        out.close(']');
    }

    private void define(ExprId id) {
        if (branches != null) {
            branches.define(id.id());
        }
    }

    private long number(ExprId id) {
        return branches == null ? id.id() : branches.number(id.id());
    }

    /** A column's name as it is written. */
    private String name(String name) {
        String made = (String) madeNames.get(name);
        return made == null ? name : made;
    }

    private long attribute(Attribute attribute) {
        long id = number(attribute.exprId());
        Long key = Long.valueOf(id);
        if (!attributes.containsKey(key)) {
            Json text = new Json();
            text.open('[').string(name(attribute.name())).comma().string(attribute.dataType().catalogString()).comma();
            text.raw(attribute.nullable() ? "true" : "false").close(']');
            attributes.put(key, text.toString());
        }
        return id;
    }

    /** What an alias gives: the types of computed columns are known from it alone. */
    private void given(Alias alias) {
        define(alias.exprId());
        String made = redacting ? Blank.madeName(alias, literals, madeNames) : null;
        if (made != null) {
            madeNames.put(alias.name(), made);
        }
        try {
            attribute(alias.toAttribute());
        } catch (RuntimeException e) {
            attributes.remove(Long.valueOf(number(alias.exprId())));
        }
    }

    private void topExpression(Json out, Expression expression) {
        boolean before = redacting;
        redacting = Blank.isIn(expression, literals);
        try {
            topExpression(out, expression, redacting);
        } finally {
            redacting = before;
        }
    }

    private void topExpression(Json out, Expression expression, boolean without) {
        out.open('{').key("expr");
        int before = out.mark();
        expression(out, expression);
        int size = out.mark() - before;
        Expression named = expression instanceof Alias ? ((Alias) expression).child() : expression;
        if (!(named instanceof Attribute) && size < 20000) {
            int mark = out.mark();
            try {
                String sql = without ? Blank.without(named, literals, madeNames) : named.sql();
                out.comma().key("sql").string(Reflect.cut(redaction.text(sql), SQL_LIMIT));
            } catch (RuntimeException e) {
                out.reset(mark);
            } catch (LinkageError e) {
                out.reset(mark);
            }
        }
        out.close('}');
    }

    private void expression(Json out, Expression expression) {
        budget.bytes(nodes.length() + out.length());
        budget.step();
        if (expression instanceof AttributeReference) {
            out.open('{').key("a").number(attribute((Attribute) expression)).close('}');
        } else if (expression instanceof Literal) {
            literal(out, (Literal) expression);
        } else if (expression instanceof Alias) {
            Alias alias = (Alias) expression;
            given(alias);
            out.open('{').field("as", number(alias.exprId())).field("n", name(alias.name())).key("c").open('[');
            expression(out, alias.child());
            out.close(']').close('}');
        } else {
            general(out, expression);
        }
    }

    private void literal(Json out, Literal literal) {
        Object value = literal.value();
        String text = value == null ? null : redacting ? literals.value(literal.toString()) : redaction.text(literal.toString());
        out.open('{').key("l").string(Reflect.cut(text, 200));
        out.comma().key("t").string(literal.dataType().catalogString()).close('}');
    }

    private void general(Json out, Expression expression) {
        String name = expression.getClass().getName();
        boolean clause = name.startsWith("org.apache.spark.sql.catalyst.plans.logical.DeltaMerge");
        out.open('{').key("e").string(name.startsWith(EXPRESSIONS) ? Reflect.simpleName(expression) : name).comma();
        List children = Reflect.list(expression.children());
        if (expression instanceof OuterReference) {
            children = java.util.Collections.singletonList(((OuterReference) expression).e());
        }
        if (!clause && !children.isEmpty()) {
            out.key("c").open('[');
            for (int i = 0; i < children.size(); i++) {
                expression(out, (Expression) children.get(i));
                out.comma();
            }
            out.close(']').comma();
        }
        if (expression instanceof Product) {
            parameters(out, expression, children, clause);
        }
        out.close('}');
    }

    private void parameters(Json out, Expression expression, List children, boolean clause) {
        Product product = (Product) expression;
        int start = out.mark();
        out.key("p").open('{');
        int empty = out.mark();
        LogicalPlan plan = null;
        for (int i = 0; i < product.productArity(); i++) {
            Object value = Reflect.unwrap(product.productElement(i));
            String name = product.productElementName(i);
            if (value instanceof LogicalPlan) {
                plan = (LogicalPlan) value;
            } else if (clause || keeps(name, value, children)) {
                parameter(out, name, value);
            }
        }
        function(out, expression);
        if (out.mark() == empty) {
            out.reset(start);
        } else {
            out.close('}').comma();
        }
        if (plan != null) {
            out.key("plan").number(plan(plan)).comma();
        }
    }

    private static boolean keeps(String name, Object value, List children) {
        if (value == null || value instanceof Expression || QUIET.contains(name)) {
            return false;
        }
        if (value instanceof scala.collection.Seq) {
            List list = Reflect.list(value);
            return !list.isEmpty() && !(Reflect.unwrap(list.get(0)) instanceof Expression) && !(list.get(0) instanceof scala.Tuple2)
                && list.get(0) instanceof String;
        }
        return value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof DataType
            || value instanceof ExprId || value instanceof Enum;
    }

    private void parameter(Json out, String name, Object value) {
        int mark = out.mark();
        try {
            out.key(name);
            value(out, value, 0);
            out.comma();
        } catch (RuntimeException e) {
            rethrowOver(e);
            out.reset(mark);
        }
    }

    /** The class of a Scala function: it tells Spark ML's own from a user's. */
    private void function(Json out, Expression expression) {
        if (Reflect.simpleName(expression).equals("ScalaUDF")) {
            Object function = Reflect.tryCall(expression, "function");
            if (function != null) {
                out.field("function", function.getClass().getName());
            }
        }
    }
}
