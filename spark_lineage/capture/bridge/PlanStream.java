package org.sparklineage.bridge;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.api.python.SimplePythonFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.View;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import scala.Product;

/**
 * Writes plans so that another process can build them again. Every node and expression is written as its class and its
 * constructor's arguments, never as its fields: some have superclasses or caches that cannot be serialised (subqueries,
 * mapInPandas). Leaves that read are written as a number; what they are is in {@link #leaves}. Ids of expressions and of
 * common table expressions are numbered as they come, so that the same plan gives the same bytes in every process.
 */
final class PlanStream extends ObjectOutputStream {
    private final Budget budget;
    private final Texts texts;
    private final HashMap ids = new HashMap();
    private final HashMap ctes = new HashMap();
    /** The leaves, by number. */
    final List leaves = new ArrayList();
    /** The views on the way from the leaves. */
    final List views = new ArrayList();
    /** Whether something was there whose value is taken when the plan runs: current_timestamp and its like, current_user. */
    boolean asksTheClock;
    boolean asksTheUser;
    private final Object second;
    /** How Spark calls the function that comes next. */
    private String called;
    /** The number of the first leaf of the plan that was named as the second, and of those behind it. */
    int ofFunction = Integer.MAX_VALUE;

    PlanStream(OutputStream out, Budget budget, Redaction redaction, Object second) throws IOException {
        super(out);
        this.second = second;
        this.budget = budget;
        this.texts = new Texts(redaction, budget);
        enableReplaceObject(true);
    }

    /** Throws Left for what no other process could use, Budget.Over when the time is spent. */
    protected Object replaceObject(Object value) throws IOException {
        budget.time();
        if (value == second && second != null) {
            ofFunction = Math.min(ofFunction, leaves.size());
        }
        if (value instanceof TreeNode) {
            return node(value);
        }
        if (value instanceof ExprId) {
            return new Kept("id", null, new Object[] {number(ids, value)});
        }
        if (value instanceof SimplePythonFunction) {
            return python((SimplePythonFunction) value);
        }
        if (value instanceof CaseInsensitiveStringMap) {
            return new Kept("options", null, new Object[] {new HashMap(((CaseInsensitiveStringMap) value).asCaseSensitiveMap())});
        }
        if (value instanceof RDD || value instanceof Broadcast || value instanceof SparkContext || isSession(value)) {
            throw new Left("it holds a " + Reflect.simpleName(value) + ", which lives in this process only");
        }
        return value;
    }

    private static boolean isSession(Object value) {
        String name = value.getClass().getName();
        return name.endsWith(".SparkSession") || name.endsWith(".SQLContext");
    }

    private static Long number(HashMap numbers, Object key) {
        Long known = (Long) numbers.get(key);
        if (known == null) {
            known = Long.valueOf(numbers.size());
            numbers.put(key, known);
        }
        return known;
    }

    private Object node(Object node) throws IOException {
        if (!(node instanceof LogicalPlan) && !(node instanceof Expression)) {
            throw new Left("it holds a " + Reflect.simpleName(node) + ", which is neither a logical plan nor an expression");
        }
        if (node instanceof LogicalPlan && Leaf.is((LogicalPlan) node)) {
            leaves.add(node);
            Object[] output = Reflect.list(((LogicalPlan) node).output()).toArray();
            return new Kept("leaf", null, new Object[] {Long.valueOf(leaves.size() - 1), output});
        }
        notice(node);
        String name = node.getClass().getName();
        if (node instanceof LocalRelation && ((LogicalPlan) node).isStreaming()) {
            // a source of a stream that has nothing in this batch
            Object[] same = {((LocalRelation) node).output(), ((LocalRelation) node).data(), Boolean.FALSE, scala.Option.apply(null)};
            return new Kept("node", name, java.util.Arrays.copyOf(same, Math.min(same.length, ((Product) node).productArity())));
        }
        if (name.endsWith("$")) {
            return new Kept("object", name, new Object[0]);
        }
        if (!(node instanceof Product)) {
            throw new Left("it holds a " + Reflect.simpleName(node) + ", whose arguments cannot be told");
        }
        return new Kept("node", name, arguments((Product) node, Reflect.list(((TreeNode) node).otherCopyArgs())));
    }

    private Object[] arguments(Product node, List others) {
        if (Reflect.simpleName(node).startsWith("PythonUD")) {
            called = String.valueOf(node.productElement(0));
        }
        Object[] all = new Object[node.productArity() + others.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = i < node.productArity() ? node.productElement(i) : others.get(i - node.productArity());
            if (all[i] instanceof Long && i < node.productArity() && isCteId(Reflect.simpleName(node), node.productElementName(i))) {
                all[i] = new Kept("cte", null, new Object[] {number(ctes, all[i])});
            }
        }
        return all;
    }

    private static boolean isCteId(String node, String field) {
        return node.startsWith("CTERelation") && (field.equals("id") || field.equals("cteId"))
            || node.startsWith("UnionLoop") && (field.equals("id") || field.equals("loopId"));
    }

    private void notice(Object node) throws IOException {
        String name = Reflect.simpleName(node);
        if (node instanceof View) {
            views.add(node);
        } else if (name.equals("CurrentUser")) {
            asksTheUser = true;
        } else if (name.equals("Now") || name.startsWith("Current") || name.equals("LocalTimestamp")) {
            asksTheClock |= name.indexOf("Row") < 0;
        } else if (node instanceof Literal && texts.secret(((Literal) node).value(), ((Literal) node).dataType())) {
            throw new Left("one of its literals looks like a secret");
        } else if (node instanceof LocalRelation) {
            rows((LocalRelation) node);
        }
    }

    /** What the program gave as rows stands in the plan. */
    private void rows(LocalRelation local) throws Left {
        scala.collection.Iterator rows = local.data().iterator();
        while (rows.hasNext()) {
            if (texts.secret(rows.next(), local.schema())) {
                throw new Left("one of its rows looks like a secret");
            }
        }
    }

    private Kept python(SimplePythonFunction function) throws IOException {
        if (!function.broadcastVars().isEmpty()) {
            throw new Left("one of its Python functions uses a broadcast variable (or is too large to be sent without one)");
        }
        scala.collection.immutable.Seq command = function.command();
        byte[] bytes = new byte[command.size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = ((Byte) command.apply(i)).byteValue();
        }
        return new Kept("python", null, new Object[] {bytes, environment(function), new ArrayList(function.pythonIncludes()),
            function.pythonExec(), function.pythonVer(), Declared.of(function, called)});
    }

    /** Spark hands every `spark.executorEnv.*` to each function, and keys of services among them: only what bears on rows is kept. */
    private static HashMap environment(SimplePythonFunction function) {
        HashMap kept = new HashMap();
        Object seed = function.envVars().get("PYTHONHASHSEED");
        if (seed != null) {
            kept.put("PYTHONHASHSEED", seed);
        }
        return kept;
    }

    /** Why a plan is left out. */
    static final class Left extends IOException {
        Left(String reason) {
            super(reason);
        }
    }
}
