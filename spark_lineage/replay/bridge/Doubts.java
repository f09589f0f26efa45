package org.sparklineage.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.RowFrame$;
import org.apache.spark.sql.catalyst.expressions.SpecifiedWindowFrame;
import org.apache.spark.sql.catalyst.expressions.UnboundedFollowing$;
import org.apache.spark.sql.catalyst.expressions.UnboundedPreceding$;
import org.apache.spark.sql.catalyst.expressions.WindowExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;

/**
 * What in a plan need not give the same each time it is run over the same rows: texts "kind: name", where the kind is `random`, `order` (of rows, which
 * Spark does not promise), `function` (of somebody's own), `float` (sums depend on the order in which they are added up) or `ties`.
 */
public final class Doubts {
    private static final List ORDER = Arrays.asList(new Object[] {"First", "Last", "CollectList", "CollectSet", "ListAgg", "MaxBy", "MinBy", "Mode",
        "MonotonicallyIncreasingID", "SparkPartitionID", "ApproximatePercentile", "AnyValue", "HistogramNumeric", "ApproxTopK", "ApproxTopKAccumulate",
        "ApproxTopKCombine", "HllSketchAgg", "HllUnionAgg", "ThetaSketchAgg", "ThetaUnionAgg"});
    private static final String SKETCH = "Kll(SketchAgg|SketchMerge|MergeAgg)(Bigint|Float|Double)";
    private static final List FILES = Arrays.asList(new Object[] {"InputFileName", "InputFileBlockStart", "InputFileBlockLength"});
    private static final List FUNCTIONS = Arrays.asList(new Object[] {"PythonUDF", "PythonUDAF", "PythonUDTF", "ScalaUDF", "ScalaAggregator", "ScalaUDAF",
        "TypedScalaUDAF", "HiveSimpleUDF", "HiveGenericUDF", "HiveGenericUDTF", "HiveUDAFFunction", "ApplyFunctionExpression", "V2Aggregator",
        "StaticInvoke", "Invoke", "CallMethodViaReflection"});
    private static final List NODES = Arrays.asList(new Object[] {"MapPartitions", "MapElements", "MapGroups", "TypedFilter", "FlatMapGroupsInPandas",
        "FlatMapGroupsInArrow", "FlatMapCoGroupsInPandas", "FlatMapCoGroupsInArrow", "MapInPandas", "MapInArrow", "PythonMapInArrow", "ScriptTransformation",
        "AppendColumns", "CoGroup", "FlatMapGroupsInR", "MapPartitionsInR"});
    private static final List SUMS = Arrays.asList(new Object[] {"Sum", "Average", "StddevSamp", "StddevPop", "VarianceSamp", "VariancePop", "Corr",
        "CovSample", "CovPopulation", "Skewness", "Kurtosis", "TrySum", "TryAverage", "RegrSlope", "RegrIntercept", "RegrSXY", "RegrR2", "RegrReplacement",
        "CentralMomentAgg", "Product", "RegrSXX", "RegrSYY", "RegrAvgX", "RegrAvgY"});
    private static final List MOMENTS = Arrays.asList(new Object[] {"now", "today", "yesterday", "tomorrow"});
    private static final List PASS = Arrays.asList(new Object[] {"Project", "SubqueryAlias", "LocalLimit", "GlobalLimit", "View"});
    private static final List RANKS = Arrays.asList(new Object[] {"RowNumber", "NTile", "Lag", "Lead", "NthValue"});

    private final LinkedHashSet found = new LinkedHashSet();

    /** In the order of how likely they are to be the cause. */
    public List of(LogicalPlan plan) {
        walk(plan);
        ArrayList sorted = new ArrayList();
        String[] kinds = new String[] {"random", "order", "function", "float", "ties"};
        Object[] all = found.toArray();
        for (int i = 0; i < kinds.length; i++) {
            for (int j = 0; j < all.length; j++) {
                if (((String) all[j]).startsWith(kinds[i] + ": ")) {
                    sorted.add(all[j]);
                }
            }
        }
        return sorted;
    }

    private void walk(LogicalPlan node) {
        String name = node.getClass().getSimpleName();
        if (name.equals("GlobalLimit") || name.equals("Tail") || name.equals("Offset")) {
            Sort sort = sortBelow(node);
            found.add(sort == null ? "order: " + name.replace("Global", "").toUpperCase(java.util.Locale.ROOT) + " without an order"
                : "ties: LIMIT over an order in which rows may be equal");
        } else if (name.equals("Sample")) {
            found.add("order: a sample, which depends on how rows are divided into partitions");
        } else if (name.equals("Deduplicate") || name.equals("DeduplicateWithinWatermark")) {
            found.add("order: dropDuplicates, which keeps any one of the rows with the same key");
        } else if (NODES.contains(name)) {
            found.add("function: " + name);
        } else if (name.equals("Distinct") || node instanceof Aggregate) {
            byCollation(name.equals("Distinct") ? Rebinding.list(node.output()) : Rebinding.list(((Aggregate) node).groupingExpressions()));
        }
        List expressions = Rebinding.list(node.expressions());
        for (int i = 0; i < expressions.size(); i++) {
            walk((Expression) expressions.get(i));
        }
        List children = Rebinding.list(node.children());
        for (int i = 0; i < children.size(); i++) {
            walk((LogicalPlan) children.get(i));
        }
        List inner = Rebinding.list(node.innerChildren());
        for (int i = 0; i < inner.size(); i++) {
            if (inner.get(i) instanceof LogicalPlan) {
                walk((LogicalPlan) inner.get(i));
            }
        }
    }

    /** The order over which a limit chooses, null where there is none. */
    private static Sort sortBelow(LogicalPlan limit) {
        LogicalPlan node = (LogicalPlan) Rebinding.list(limit.children()).get(0);
        while (PASS.contains(node.getClass().getSimpleName())) {
            node = (LogicalPlan) Rebinding.list(node.children()).get(0);
        }
        return node instanceof Sort && ((Sort) node).global() ? (Sort) node : null;
    }

    private void walk(Expression expression) {
        String name = expression.getClass().getSimpleName();
        if (FUNCTIONS.contains(name)) {
            if (!ofSpark(expression, name)) {
                found.add("function: " + text(expression));
            }
        } else if (name.equals("WindowExpression")) {
            byRows((WindowExpression) expression);
        } else if (ORDER.contains(name) || name.matches(SKETCH)) {
            found.add("order: " + pretty(expression));
        } else if (FILES.contains(name)) {
            found.add("order: " + pretty(expression) + ", which tells files");
        } else if (expression instanceof Attribute && ((Attribute) expression).name().equals("_metadata")) {
            found.add("order: _metadata, which tells files");
        } else if (name.equals("Max") || name.equals("Min")) {
            byCollation(Rebinding.list(expression.children()));
        } else if (expression instanceof Cast && isMoment((Cast) expression)) {
            found.add("random: '" + ((Cast) expression).child().eval(InternalRow.empty()) + "' as a time");
        } else if (RANKS.contains(name)) {
            found.add("ties: " + pretty(expression) + " over an order in which rows may be equal");
        } else if (SUMS.contains(name) && isFloat(expression)) {
            found.add("float: " + pretty(expression) + " of floats, which depends on the order in which they are added up");
        } else if (!(expression instanceof org.apache.spark.sql.catalyst.expressions.SubqueryExpression) && !selfDeterministic(expression)) {
            found.add("random: " + pretty(expression));
        }
        List children = Rebinding.list(expression.children());
        for (int i = 0; i < children.size(); i++) {
            walk((Expression) children.get(i));
        }
        if (expression instanceof org.apache.spark.sql.catalyst.expressions.SubqueryExpression) {
            walk((LogicalPlan) ((org.apache.spark.sql.catalyst.expressions.SubqueryExpression) expression).plan());
        }
    }

    /** Of texts that are equal in their collation any one stands for all. */
    private void byCollation(List expressions) {
        for (int i = 0; i < expressions.size(); i++) {
            DataType type = ((Expression) expressions.get(i)).dataType();
            if (type instanceof StringType && !((StringType) type).supportsBinaryEquality()) {
                found.add("order: texts that are equal in their collation, of which any one is told");
            }
        }
    }

    /** A text that stands for a time of the moment. */
    private static boolean isMoment(Cast cast) {
        if (!(cast.child().dataType() instanceof StringType) || !cast.child().foldable()
            || !(cast.dataType() instanceof TimestampType || cast.dataType() instanceof DateType || cast.dataType() instanceof TimestampNTZType)) {
            return false;
        }
        Object text = cast.child().eval(InternalRow.empty());
        return text != null && MOMENTS.contains(text.toString().trim().toLowerCase(java.util.Locale.ROOT));
    }

    /** An aggregate over some of the rows before or after a row: which these are is open where the order has equal ones. */
    private void byRows(WindowExpression window) {
        if (!(window.windowFunction() instanceof AggregateExpression) || !(window.windowSpec().frameSpecification() instanceof SpecifiedWindowFrame)) {
            return;
        }
        SpecifiedWindowFrame frame = (SpecifiedWindowFrame) window.windowSpec().frameSpecification();
        boolean all = frame.lower() instanceof UnboundedPreceding$ && frame.upper() instanceof UnboundedFollowing$;
        if (frame.frameType() instanceof RowFrame$ && !all) {
            found.add("ties: " + pretty(((AggregateExpression) window.windowFunction()).aggregateFunction())
                + " by rows over an order in which rows may be equal");
        }
    }

    /** Whether it is not its children that make it random. */
    private static boolean selfDeterministic(Expression expression) {
        if (expression.deterministic()) {
            return true;
        }
        List children = Rebinding.list(expression.children());
        for (int i = 0; i < children.size(); i++) {
            if (!((Expression) children.get(i)).deterministic()) {
                return true;
            }
        }
        return false;
    }

    /** Spark's own functions call its own static methods that way. */
    private static boolean ofSpark(Expression expression, String name) {
        if (!name.equals("StaticInvoke") && !name.equals("Invoke")) {
            return false;
        }
        return name.equals("Invoke") || ((StaticInvoke) expression).staticObject().getName().startsWith("org.apache.spark.");
    }

    private static boolean isFloat(Expression expression) {
        List children = Rebinding.list(expression.children());
        for (int i = 0; i < children.size(); i++) {
            DataType type = ((Expression) children.get(i)).dataType();
            if (type instanceof DoubleType || type instanceof FloatType) {
                return true;
            }
        }
        return false;
    }

    private static String pretty(Expression expression) {
        try {
            return expression.prettyName();
        } catch (RuntimeException e) {
            return expression.getClass().getSimpleName();
        }
    }

    private static String text(Expression expression) {
        String text = String.valueOf(expression);
        int end = text.indexOf('(');
        String name = end > 0 && end <= 100 ? text.substring(0, end) : expression.getClass().getSimpleName();
        return expression.getClass().getSimpleName() + " " + name;
    }
}
