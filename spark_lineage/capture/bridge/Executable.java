package org.sparklineage.bridge;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.View;
import scala.Product;

/**
 * An execution's plan in a form that another process can run: of a query the analyzed plan, of a write the plan of its
 * rows, of MERGE, UPDATE and DELETE the plan of the rows they start from and their conditions and assignments.
 * docs/executables.md says what is kept.
 */
final class Executable {
    private static final int FORMAT = 1;
    private final String policy;
    private final int maxBytes;
    private final long maxNanos;
    private final String user;
    private final Redaction redaction;
    private final Pace pace;

    Executable(Map options, String user, Redaction redaction, Pace pace) {
        this.pace = pace;
        this.policy = policy(options);
        this.maxBytes = Integer.parseInt((String) options.get("executables_max_bytes"));
        this.maxNanos = Long.parseLong((String) options.get("max_millis")) * 1000000L;
        this.user = user;
        this.redaction = redaction;
    }

    private static String policy(Map options) {
        String policy = String.valueOf(options.get("executables")).trim().toLowerCase(java.util.Locale.ROOT);
        if (!policy.equals("off") && !policy.equals("writes") && !policy.equals("all")) {
            throw new IllegalArgumentException("executables is '" + policy + "'; set it to off, writes or all");
        }
        return policy;
    }

    /**
     * Adds the field `executable` where the policy wants one; why there is none goes into `incomplete`. Never throws. A plan
     * holds its literals, so there is none in a document that is written without them.
     * `begun`: when the work on the document began: its plans share the time.
     */
    void write(Json out, Bridge.Finished one, LogicalPlan analyzed, boolean isWrite, boolean hurried, long begun, List incomplete) {
        if (analyzed == null || policy.equals("off") || !policy.equals("all") && !isWrite && !isMultiInsert(analyzed)) {
            return;
        }
        int mark = out.mark();
        try {
            Faults.point("executable");
            ArrayList plans = new ArrayList();
            LinkedHashMap arguments = new LinkedHashMap();
            ArrayList commands = new ArrayList();
            take(analyzed, plans, arguments, commands);
            Object ofBatch = one.batch == null ? null : ofFunction(one, plans, arguments, commands);
            if (plans.isEmpty()) {
                return;
            }
            String refused = redaction.literals.inTexts() ? "literals are redacted" : hurried ? "left out under load"
                : one.batch != null && one.batch.batches > 1L ? "it stands for several micro-batches" : null;
            if (refused == null) {
                write(out, one, plans, arguments, commands, ofBatch, new Budget(0, 0, maxNanos, begun, pace));
                return;
            }
            incomplete.add("executable: " + refused);
        } catch (PlanStream.Left e) {
            incomplete.add("executable: " + e.getMessage());
        } catch (Budget.Over e) {
            incomplete.add("executable: " + e.getMessage());
        } catch (java.io.NotSerializableException e) {
            incomplete.add("executable: it holds a " + e.getMessage() + ", which cannot be stored");
        } catch (StackOverflowError e) {
            incomplete.add("executable: plan too deep");
        } catch (Exception e) {
            incomplete.add("executable: " + Reflect.cut(e.toString(), 500));
        }
        out.reset(mark);
    }

    /**
     * A micro-batch's plan is followed by those of the writes of the function that `foreachBatch` was given. Returns the first of these, over whose
     * leaves the batch may be (as an RDD); null where there is none.
     */
    private static Object ofFunction(Bridge.Finished one, List plans, Map arguments, List commands) {
        int own = plans.size();
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            Bridge.Finished inner = (Bridge.Finished) one.nested.get(i);
            LogicalPlan plan = inner.end.qe() == null ? null : Plans.analyzed(inner.end.qe());
            if (plan != null && Noise.writes(Reflect.simpleName(plan)) && !Reflect.simpleName(plan).startsWith("WriteToMicroBatch")) {
                take(plan, plans, arguments, commands);
            }
        }
        return plans.size() > own ? plans.get(own) : null;
    }

    /** The plans to be run, with the commands they are for; nothing for a command without rows (ALTER, OPTIMIZE). */
    private static void take(LogicalPlan plan, List plans, Map arguments, List commands) {
        String name = Reflect.simpleName(plan);
        Object query = Reflect.tryCall(plan, "query");
        if (query instanceof LogicalPlan) {
            add((LogicalPlan) query, plan, plans, commands);
        } else if (name.startsWith("Merge") || name.startsWith("Update") || name.startsWith("Delete")) {
            changes(plan, plans, arguments, commands);
        } else if (isMultiInsert(plan)) {
            List children = Reflect.list(plan.children());
            for (int i = 0; i < children.size(); i++) {
                take((LogicalPlan) children.get(i), plans, arguments, commands);
            }
        } else if (!(plan instanceof Command)) {
            add(plan, null, plans, commands);
        }
    }

    private static boolean isMultiInsert(LogicalPlan plan) {
        List children = Reflect.list(Reflect.simpleName(plan).equals("Union") ? plan.children() : null);
        return !children.isEmpty() && (children.get(0) instanceof Command || Noise.writes(Reflect.simpleName(children.get(0))));
    }

    private static void add(LogicalPlan rows, LogicalPlan command, List plans, List commands) {
        plans.add(rows);
        commands.add(command);
    }

    /**
     * MERGE: the source; UPDATE and DELETE: the target. With what the command has of expressions and other plans, by name; of another plan than the
     * first with its number before the name.
     */
    private static void changes(LogicalPlan command, List plans, Map arguments, List commands) {
        Object rows = first(command, new String[] {"source", "sourceTable", "target", "table", "child"});
        if (rows == null || !(command instanceof Product)) {
            return;
        }
        add((LogicalPlan) rows, command, plans, commands);
        Product product = (Product) command;
        String part = plans.size() == 1 ? "" : plans.size() - 1 + ".";
        for (int i = 0; i < product.productArity(); i++) {
            Object value = product.productElement(i);
            if (value != rows && isOfThePlan(value)) {
                arguments.put(part + product.productElementName(i), value);
            }
        }
    }

    private static Object first(LogicalPlan command, String[] names) {
        for (int i = 0; i < names.length; i++) {
            Object value = Reflect.tryCall(command, names[i]);
            if (value instanceof LogicalPlan) {
                return value;
            }
        }
        return null;
    }

    private static boolean isOfThePlan(Object value) {
        Object plain = Reflect.unwrap(value);
        if (plain instanceof Expression || plain instanceof LogicalPlan) {
            return true;
        }
        List items = Reflect.list(plain);
        return !items.isEmpty() && (items.get(0) instanceof Expression || Reflect.unwrap(items.get(0)) instanceof Expression);
    }

    /**
     * The RDD that a function of `foreachBatch` was given, by its columns, which are those of the micro-batch's plan; null where no leaf has them. Frames
     * that the function made of RDDs itself are others.
     */
    private static Object batch(PlanStream stream, LogicalPlan plan) {
        for (int i = stream.ofFunction; i < stream.leaves.size(); i++) {
            LogicalPlan leaf = (LogicalPlan) stream.leaves.get(i);
            if (isRdd(leaf) && ids(leaf).equals(ids(plan))) {
                return Reflect.tryCall(leaf, "rdd");
            }
        }
        return null;
    }

    private static boolean isRdd(LogicalPlan leaf) {
        return Reflect.simpleName(leaf).equals("LogicalRDD");
    }

    private static List ids(LogicalPlan plan) {
        ArrayList found = new ArrayList();
        List output = Reflect.list(plan.output());
        for (int i = 0; i < output.size(); i++) {
            found.add(Long.valueOf(((Attribute) output.get(i)).exprId().id()));
        }
        return found;
    }

    private void write(Json out, Bridge.Finished one, List plans, Map arguments, List commands, Object ofFunction, Budget budget) throws IOException {
        Bounded bytes = new Bounded(maxBytes);
        Deflater deflater = new Deflater(Deflater.BEST_SPEED);
        PlanStream stream;
        redaction.cuts.clear();
        try {
            stream = new PlanStream(new DeflaterOutputStream(bytes, deflater, 8192), budget, redaction, ofFunction);
            stream.writeObject(new Object[] {plans.toArray(), arguments});
            stream.close();
        } finally {
            deflater.end();
        }
        out.key("executable").open('{').field("format", (long) FORMAT);
        out.field("spark_version", org.apache.spark.package$.MODULE$.SPARK_VERSION());
        out.field("blob", Base64.getEncoder().encodeToString(bytes.toByteArray()));
        out.key("leaves").open('[');
        Object batch = batch(stream, (LogicalPlan) plans.get(0));
        for (int i = 0; i < stream.leaves.size(); i++) {
            LogicalPlan leaf = (LogicalPlan) stream.leaves.get(i);
            boolean inner = i >= stream.ofFunction;
            Leaf.write(out, leaf, inner && (batch == null || !isRdd(leaf) || Reflect.tryCall(leaf, "rdd") == batch), redaction);
            out.comma();
        }
        if (!redaction.cuts.isEmpty()) {
            throw new PlanStream.Left(redaction.cuts.iterator().next() + " are not told");
        }
        out.close(']').comma().key("views").open('[');
        for (int i = 0; i < stream.views.size(); i++) {
            view(out, (View) stream.views.get(i));
        }
        out.close(']').comma().key("commands").open('[');
        for (int i = 0; i < commands.size(); i++) {
            CommandWriter.write(out, (LogicalPlan) commands.get(i), redaction);
            out.comma();
        }
        out.close(']').comma();
        if (stream.asksTheClock) {
            new Clock(one).write(out);
        }
        if (stream.asksTheUser) {
            out.field("user", user);
        }
        out.close('}').comma();
    }

    /** A view's definition; `sql` is null for one that was made from a DataFrame. */
    private void view(Json out, View view) {
        CatalogTable table = view.desc();
        out.open('{').field("name", table.identifier().unquotedString()).field("temporary", view.isTempView());
        out.field("sql", redaction.text(Reflect.text(table.viewText()))).close('}').comma();
    }

    /** Bytes up to a bound. */
    private static final class Bounded extends ByteArrayOutputStream {
        private final int max;

        Bounded(int max) {
            this.max = max;
        }

        public synchronized void write(int value) {
            check(1);
            super.write(value);
        }

        public synchronized void write(byte[] bytes, int from, int length) {
            check(length);
            super.write(bytes, from, length);
        }

        private void check(int more) {
            if (count + more > max) {
                throw new Budget.Over("over its byte budget (" + max + ")");
            }
        }
    }
}
