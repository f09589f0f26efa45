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
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.Product;

/**
 * Writes logical plans as docs/documents.md describes: generic over the node classes, so that a node nobody thought of
 * is written too. Each node once, children before parents. Reads plain data only: nothing lazy that does I/O.
 */
final class PlanWriter {
    private static final String LEFT_OUT = "LeftOut";
    private static final int LIST_LIMIT = 20000;
    /** Nodes whose output follows from their fields and children. */
    private static final Set DERIVED = new HashSet();

    static {
        String[] derived = new String[] {"Project", "Filter", "Aggregate", "Sort", "GlobalLimit", "LocalLimit", "Distinct",
            "Deduplicate", "Repartition", "RepartitionByExpression", "SubqueryAlias", "WithCTE", "ResolvedHint", "Join"};
        for (int i = 0; i < derived.length; i++) {
            DERIVED.add(derived[i]);
        }
    }

    private final Budget budget;
    private final Redaction redaction;
    private final IdentityHashMap ids = new IdentityHashMap();
    private final IdentityHashMap shapes = new IdentityHashMap();
    private final Json nodes = new Json();
    private final Origins origins;
    /** What stands in the place of a plan that a leaf was checkpointed from, by the plan's number. */
    private final LinkedHashMap places = new LinkedHashMap();
    private final Literals literals;
    private final Branches branches;
    private final Columns columns;
    private final ExpressionWriter expressions;
    private int nextId;

    /** `firstId`: the number of the first node. */
    PlanWriter(Budget budget, Redaction redaction, Origins origins, int firstId) {
        this(budget, redaction, origins, null, firstId);
    }

    /** `branches`: how a branch of a union numbers its columns; null for a whole plan. */
    PlanWriter(Budget budget, Redaction redaction, Origins origins, Branches branches, int firstId) {
        this.origins = origins;
        this.nextId = firstId;
        this.budget = budget;
        this.redaction = redaction;
        this.literals = redaction.literals;
        this.branches = branches;
        this.columns = new Columns(branches);
        this.expressions = new ExpressionWriter(this, columns, budget, redaction);
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

    /** A plan that was checkpointed, for the documents of those that read it. Throws Budget.Over. */
    Origins.Origin origin(LogicalPlan root) {
        int id = plan(root);
        return new Origins.Origin(id, nodes.toString(), columns.attributes, places);
    }

    private String finish(int root) {
        Json out = new Json();
        Json before = new Json();
        if (branches == null) {  // a branch is compared, and its leaf has the number
            origins.embed(before, columns.attributes, places);
        }
        budget.bytes(nodes.length() + before.length());
        out.open('{').field("root", root);
        columns.write(out);
        out.key("nodes").open('[').raw(before).raw(nodes).close(']').close('}');
        return out.toString();
    }

    /** A plan's id: it is written if it is not yet. */
    int plan(LogicalPlan plan) {
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
        Set shared = written == null ? null : Branches.shared(children, shapes, budget);
        int copies = 0;
        for (int i = 0; i < children.size(); i++) {
            LogicalPlan child = (LogicalPlan) children.get(i);
            boolean compared = written != null && !ids.containsKey(child) && shared.contains(shapes.get(child));
            String key = compared ? Branches.key(child, budget, redaction, origins) : null;
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

    /** An expression that stands in no plan: of a column of that name. Throws Budget.Over. */
    void expression(Json out, String column, Expression expression) {
        expressions.write(out, column, expression);
    }

    /** Characters written so far. */
    int length() {
        return nodes.length();
    }

    private void output(Json node, LogicalPlan plan) {
        int mark = node.mark();
        try {
            List output = Reflect.list(plan.output());
            node.key("output").open('[');
            for (int i = 0; i < output.size(); i++) {
                columns.define(((Attribute) output.get(i)).exprId());
                node.number(columns.attribute((Attribute) output.get(i))).comma();
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
                if (isChild(value, children) || ExpressionWriter.QUIET.contains(name) && !(value instanceof Enum) && !isMode(value)) {
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
        if (plan instanceof LocalRelation && handed((LocalRelation) plan)) {
            node.key("handed").raw("true").comma();
        }
        origin(node, plan);
        node.close('}').comma();
    }

    /** Whether the program gave the rows (createDataFrame, toDF), and no text of a query holds them as VALUES does. */
    private static boolean handed(LocalRelation rows) {
        return !rows.isStreaming() && !rows.data().isEmpty() && rows.origin().sqlText().isEmpty();
    }

    /** What a checkpointed frame was made from. */
    private void origin(Json node, LogicalPlan plan) {
        int origin = origins.of(plan);
        if (origin > 0) {
            Json place = new Json();
            place.open('{').key("class").string(LEFT_OUT).comma().field("id", origin).key("children").raw("[]").comma();
            output(place, plan);
            places.put(Integer.valueOf(origin), place.close('}').toString());
            node.key("origin").open('{').key("plan").number(origin).close('}').comma();
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

    static void rethrowOver(RuntimeException e) {
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
    void value(Json out, Object wrapped, int depth) {
        Object value = Reflect.unwrap(wrapped);
        if (value == null) {
            out.raw("null");
        } else if (value instanceof Expression) {
            expressions.write(out, (Expression) value);
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
            columns.schema(out.open('{').key("schema"), (StructType) value);
            out.close('}');
        } else if (value instanceof DataType) {
            out.open('{').key("type").string(columns.type((DataType) value)).close('}');
        } else if (value instanceof scala.collection.Map) {
            map(out, (scala.collection.Map) value);
        } else if (value instanceof java.util.Map) {
            javaMap(out, (java.util.Map) value);
        } else if (value instanceof scala.collection.Iterable) {
            list(out, Reflect.list(value), depth);
        } else if (value instanceof ExprId) {
            out.number(columns.number((ExprId) value));
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
        if (values.size() > LIST_LIMIT) {
            redaction.cuts.add("values of a list beyond the first " + LIST_LIMIT);
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
            columns.schema(out, plan.schema());
            out.comma();
        } catch (RuntimeException e) {
            out.reset(mark);
        }
    }
}
