package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.ExperimentalMethods;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.expressions.aggregate.Count;
import org.apache.spark.sql.catalyst.expressions.aggregate.Sum;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.plans.logical.CollectMetrics;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Subquery;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.internal.SQLConf$;
import org.apache.spark.sql.types.DataTypes;

/**
 * Sums the hashes of the rows that a write to a Delta table gives to its files, in the same pass: a rule of the session's optimizer
 * puts Spark's own `CollectMetrics` on top of the query that Delta writes. Only Spark's classes reach the executors. The rows that are
 * written are those of the query; whatever goes wrong here leaves the plan as it was.
 */
final class Inline extends Rule {
    static final String NAME = "spark_lineage_rows";
    private static final String WRITE = "org.apache.spark.sql.delta.files.TransactionalWrite";
    private static final String ID = "spark.sql.execution.id";
    private static final String ROOT = "spark.sql.execution.root.id";

    private final SparkContext context;
    private final Reasons reasons;

    Inline(SparkContext context, Reasons reasons) {
        this.context = context;
        this.reasons = reasons;
    }

    /** Puts it behind the rules that the session has. */
    void into(ExperimentalMethods methods) {
        List rules = Reflect.list(methods.extraOptimizations());
        rules.add(this);
        methods.extraOptimizations_$eq(seq(rules));
    }

    void outOf(ExperimentalMethods methods) {
        List rules = Reflect.list(methods.extraOptimizations());
        rules.remove(this);
        methods.extraOptimizations_$eq(seq(rules));
    }

    public TreeNode apply(TreeNode plan) {
        try {
            return isWhole(plan) && isWritten() ? summed((LogicalPlan) plan) : plan;
        } catch (Exception e) {
            reasons.add("checksums in the same pass: " + e);
        } catch (LinkageError e) {
            reasons.add("checksums in the same pass: " + e);
        }
        return plan;
    }

    public String ruleName() {
        return "spark-lineage";
    }

    /** Whether the query that is optimized in this thread is the one whose rows Delta writes. */
    private boolean isWritten() {
        String id = context.getLocalProperty(ID);
        if (id == null || id.equals(context.getLocalProperty(ROOT))) {
            return false;
        }
        StackTraceElement[] calls = new Throwable().getStackTrace();
        for (int i = 0; i < calls.length; i++) {
            if (calls[i].getClassName().startsWith(WRITE)) {
                return true;
            }
        }
        return false;
    }

    /** Whether it is a whole query, not yet summed. The optimizer calls itself for each subquery, and has to be given one back. */
    private static boolean isWhole(TreeNode plan) {
        if (plan instanceof Project && ((Project) plan).child() instanceof CollectMetrics) {
            return !((CollectMetrics) ((Project) plan).child()).name().startsWith(NAME);
        }
        return !(plan instanceof Subquery);
    }

    private LogicalPlan summed(LogicalPlan plan) throws Exception {
        List output = Reflect.list(plan.output());
        String classes = output.isEmpty() || plan.isStreaming() ? null : RowHash.classes(output);
        if (classes == null || isCut(output)) {
            return plan;
        }
        ArrayList columns = new ArrayList(output);
        ArrayList metrics = new ArrayList();
        metrics.add(named(new Count(seq(one(new Literal(Integer.valueOf(1), DataTypes.IntegerType)))).toAggregateExpression(), "rows"));
        for (int lane = 0; lane < RowHash.LANE_COUNT; lane++) {
            Alias hash = named(RowHash.of(output, lane), NAME + lane);
            columns.add(hash);
            metrics.add(named(wrapping(hash.toAttribute()), "sum" + lane));
        }
        LogicalPlan hashed = new Project(seq(columns), plan);
        return new Project(seq(output), new CollectMetrics(NAME + " " + classes, seq(metrics), hashed, 0L));
    }

    /** Whether files get the milliseconds of a timestamp alone. */
    private static boolean isCut(List output) {
        String as = SQLConf$.MODULE$.get().getConfString("spark.sql.parquet.outputTimestampType", "INT96");
        for (int i = 0; i < output.size() && as.equalsIgnoreCase("TIMESTAMP_MILLIS"); i++) {
            if (((Expression) output.get(i)).dataType().catalogString().indexOf("timestamp") >= 0) {
                return true;
            }
        }
        return false;
    }

    /** A sum of bigints that overflows as Java's does, whatever ANSI mode says. */
    private static Expression wrapping(Expression value) throws Exception {
        Object legacy = Class.forName("org.apache.spark.sql.catalyst.expressions.EvalMode$").getField("MODULE$").get(null);
        Object mode = Reflect.call(legacy, "LEGACY");
        java.lang.reflect.Constructor[] all = Sum.class.getConstructors();
        for (int i = 0; i < all.length; i++) {
            Class[] types = all[i].getParameterTypes();
            if (types.length == 2) {
                Object given = types[1].isInstance(mode) ? mode
                    : types[1].getConstructors()[0].newInstance(new Object[] {mode, Boolean.FALSE}); // Spark 4.1
                return ((Sum) all[i].newInstance(new Object[] {value, given})).toAggregateExpression();
            }
        }
        throw new NoSuchMethodException("Sum with a mode");
    }

    private static Alias named(Expression value, String name) {
        return new Alias(value, name, NamedExpression$.MODULE$.newExprId(), seq(new ArrayList()), scala.Option.apply(null), seq(new ArrayList()));
    }

    /** What was summed in a write that has ended: `{"classes", "rows", "checksum"}`; null where nothing was. */
    static Json observed(QueryExecution execution) {
        if (execution == null || Plans.executed(execution) == null) {
            return null;
        }
        Object all = Reflect.tryCall(execution, "observedMetrics");
        if (!(all instanceof scala.collection.Map)) {
            return null;
        }
        scala.collection.Iterator entries = ((scala.collection.Map) all).iterator();
        while (entries.hasNext()) {
            scala.Tuple2 entry = (scala.Tuple2) entries.next();
            String name = String.valueOf(entry._1());
            if (name.startsWith(NAME + " ")) {
                Row row = (Row) entry._2();
                Json told = new Json().open('{').field("classes", name.substring(NAME.length() + 1)).field("rows", row.getLong(0));
                return told.field("checksum", hex(row, 1) + hex(row, 2)).close('}');
            }
        }
        return null;
    }

    private static String hex(Row row, int at) {
        String digits = Long.toHexString(row.isNullAt(at) ? 0L : row.getLong(at));
        return "0000000000000000".substring(digits.length()) + digits;
    }

    static scala.collection.immutable.Seq seq(List items) {
        return scala.collection.immutable.ArraySeq$.MODULE$.unsafeWrapArray(items.toArray());
    }

    private static List one(Object item) {
        ArrayList list = new ArrayList();
        list.add(item);
        return list;
    }
}
