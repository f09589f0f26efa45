package org.sparklineage.rows;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.objects.Invoke;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Expand;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Generate;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Union;
import org.apache.spark.sql.catalyst.plans.logical.Window;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.ObjectType;

/** Whether a plan gives the same rows each time, as far as it can be seen. `tied`: see {@link Ties}. */
final class Determinism {
    private static final List CHOOSES = java.util.Arrays.asList(new Object[] {"GlobalLimit", "LocalLimit", "Offset", "Tail", "Sample"});
    /** Of somebody's own, which may give anything. */
    private static final List FUNCTIONS = java.util.Arrays.asList(new Object[] {"ScalaUDF", "PythonUDF", "HiveSimpleUDF", "HiveGenericUDF", "HiveGenericUDTF",
        "ApplyFunctionExpression", "PythonUDTF", "PythonUDTFCall"});

    /** They give what they find first: all of their group went in, whichever it was. */
    private static final List ORDERED = java.util.Arrays.asList(new Object[] {"First", "Last", "CollectList", "CollectSet", "ListAgg", "MaxBy", "MinBy", "Mode",
        "ApproximatePercentile", "HistogramNumeric", "ApproxTopK", "ApproxTopKAccumulate", "ApproxTopKCombine", "KllSketchAggBigint", "KllSketchAggFloat",
        "KllSketchAggDouble", "HllSketchAgg", "HllUnionAgg", "ThetaSketchAgg", "ThetaUnionAgg", "PythonUDAF", "ScalaAggregator", "ScalaUDAF", "TypedScalaUDAF", "HiveUDAFFunction", "V2Aggregator", "SimpleTypedAggregateExpression",
        "ComplexTypedAggregateExpression"});

    /** Over functions of Scala or Java. */
    private static final List TYPED = java.util.Arrays.asList(new Object[] {"TypedFilter", "AppendColumns", "AppendColumnsWithObject", "CoGroup"});

    private static final List ABOVE = java.util.Arrays.asList(new Object[] {"GlobalLimit", "LocalLimit", "Sort", "Project"});

    private Determinism() {
    }

    /** Limits above all else do not count: they choose among rows, they do not change them. */
    static boolean of(LogicalPlan plan, Set tied) {
        LogicalPlan below = below(plan);
        for (LogicalPlan node = plan; node != below; node = (LogicalPlan) Trees.list(node.children()).get(0)) {
            if (node instanceof Project && !isPlain(node)) {
                return false;
            }
        }
        return plan.deterministic() && isFixed(below, tied);
    }

    private static LogicalPlan below(LogicalPlan plan) {
        LogicalPlan node = plan;
        while (ABOVE.contains(node.getClass().getSimpleName())) {
            node = (LogicalPlan) Trees.list(node.children()).get(0);
        }
        return node;
    }

    /**
     * Whether which rows go into a row of the plan may be others each time: by a random value, a choice without an order, or a value that depends on
     * the order of rows, or is of a function of somebody's own, and decides further up.
     */
    static boolean chooses(LogicalPlan plan, Set tied) {
        LogicalPlan below = below(plan);
        for (LogicalPlan node = plan; node != below; node = (LogicalPlan) Trees.list(node.children()).get(0)) {
            List expressions = Trees.list(node.expressions());
            for (int i = 0; i < expressions.size() && node instanceof Project; i++) {
                if (isRandom((Expression) expressions.get(i))) {
                    return true;
                }
            }
        }
        return chooses(below, new HashSet(), tied);
    }

    /** `ordered`: the attributes whose values depend on the order of rows or are somebody's own, which it adds to. */
    private static boolean chooses(LogicalPlan node, HashSet ordered, Set tied) {
        if (choosesAmong(node)) {
            return true;
        }
        List below = Trees.with(Trees.list(node.children()), Trees.subqueries(node));
        for (int i = 0; i < below.size(); i++) {
            if (chooses((LogicalPlan) below.get(i), ordered, tied)) {
                return true;
            }
        }
        if (node instanceof Generate && Block.isOfPython(((Generate) node).generator())) {
            return false; // all rows below it are named, whatever it makes of them
        }
        List expressions = Trees.list(node.expressions());
        for (int i = 0; i < expressions.size(); i++) {
            Expression expression = (Expression) expressions.get(i);
            boolean isOrdered = isOrdered(expression, ordered) || tied.contains(node) && Ties.isByPlace(expression);
            if (isRandom(expression) || isOrdered && (node instanceof Filter || node instanceof Join)) {
                return true;
            }
            if (isOrdered && expression instanceof Alias) {
                ordered.add(((Alias) expression).exprId());
            }
        }
        if (node instanceof Generate && anyOrdered(expressions, ordered)) {
            note(Trees.list(((Generate) node).generatorOutput()), ordered);
        }
        if (node instanceof Union || node instanceof Expand) {
            byPosition(node, ordered);
        }
        if (node instanceof Aggregate && anyOrdered(Trees.list(((Aggregate) node).groupingExpressions()), ordered)) {
            return true;
        }
        return node instanceof Window && anyOrdered(Trees.with(Trees.list(((Window) node).partitionSpec()), Trees.list(((Window) node).orderSpec())), ordered);
    }

    /** Of what a union or an expansion gives: those columns that are so in one of its inputs or projections. */
    private static void byPosition(LogicalPlan node, HashSet ordered) {
        List output = Trees.list(node.output());
        List rows = node instanceof Expand ? Trees.list(((Expand) node).projections()) : Trees.list(node.children());
        for (int i = 0; i < rows.size(); i++) {
            List columns = Trees.list(node instanceof Expand ? rows.get(i) : ((LogicalPlan) rows.get(i)).output());
            for (int j = 0; j < output.size(); j++) {
                if (isOrdered((Expression) columns.get(j), ordered)) {
                    note(Trees.one(output.get(j)), ordered);
                }
            }
        }
    }

    private static void note(List attributes, HashSet ordered) {
        for (int i = 0; i < attributes.size(); i++) {
            ordered.add(((Attribute) attributes.get(i)).exprId());
        }
    }

    /** Whether it is a function of somebody's own, as Spark calls it: those of a catalog by their method (V2ScalarFunction's "magic" one). */
    private static boolean isOwn(Expression expression) {
        if (expression instanceof StaticInvoke) {
            return !isOfSpark(((StaticInvoke) expression).staticObject());
        }
        if (expression instanceof Invoke) {
            DataType type = ((Invoke) expression).targetObject().dataType();
            return type instanceof ObjectType && !isOfSpark(((ObjectType) type).cls());
        }
        return FUNCTIONS.contains(expression.getClass().getSimpleName());
    }

    private static boolean isOfSpark(Class type) {
        return type.getName().startsWith("org.apache.spark.") || type.getName().startsWith("java.") || type.getName().startsWith("scala.");
    }

    private static boolean anyOrdered(List expressions, HashSet ordered) {
        for (int i = 0; i < expressions.size(); i++) {
            if (isOrdered((Expression) expressions.get(i), ordered)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isOrdered(Expression expression, HashSet ordered) {
        String name = expression.getClass().getSimpleName();
        if (ORDERED.contains(name) || isOwn(expression)
            || expression instanceof Attribute && ordered.contains(((Attribute) expression).exprId())) {
            return true;
        }
        return anyOrdered(Trees.list(expression.children()), ordered);
    }

    private static boolean isRandom(Expression expression) {
        List children = Trees.list(expression.children());
        boolean below = false;
        for (int i = 0; i < children.size(); i++) {
            if (isRandom((Expression) children.get(i))) {
                return true;
            }
            below = below || !((Expression) children.get(i)).deterministic();
        }
        String name = expression.getClass().getSimpleName();
        return !expression.deterministic() && !below && !ORDERED.contains(name) && !name.startsWith("InputFile");
    }

    /** The same, where limits above all else count, too: which rows they chose is not known. */
    static boolean ofAll(LogicalPlan plan, Set tied) {
        return plan.deterministic() && isFixed(plan, tied);
    }

    /** Whether it takes some of the rows below it, and these are not all the same, as they are of EXISTS (RewriteNonCorrelatedExists). */
    private static boolean choosesAmong(LogicalPlan node) {
        if (!CHOOSES.contains(node.getClass().getSimpleName())) {
            return false;
        }
        LogicalPlan below = node;
        while (below.getClass().getSimpleName().endsWith("Limit")) {
            below = (LogicalPlan) Trees.list(below.children()).get(0);
        }
        List columns = below != node && below instanceof Project ? Trees.list(((Project) below).projectList()) : Trees.one(node);
        for (int i = 0; i < columns.size(); i++) {
            if (!(columns.get(i) instanceof Alias) || !((Alias) columns.get(i)).child().foldable()) {
                return true;
            }
        }
        return false;
    }

    private static boolean isFixed(LogicalPlan node, Set tied) {
        String name = node.getClass().getSimpleName();
        if (choosesAmong(node) || TYPED.contains(name) || name.equals("ScriptTransformation") || name.endsWith("InPandas") || name.endsWith("InArrow") || name.startsWith("Map") || name.startsWith("Flat")) {
            return false;
        }
        if (tied.contains(node) || !isPlain(node)) {
            return false;
        }
        List below = Trees.with(Trees.list(node.children()), Trees.subqueries(node));
        for (int i = 0; i < below.size(); i++) {
            if (!isFixed((LogicalPlan) below.get(i), tied)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isPlain(LogicalPlan node) {
        List expressions = Trees.list(node.expressions());
        for (int i = 0; i < expressions.size(); i++) {
            if (!isPlain((Expression) expressions.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isPlain(Expression expression) {
        String name = expression.getClass().getSimpleName();
        if (isOwn(expression) || ORDERED.contains(name)) {
            return false;
        }
        List children = Trees.list(expression.children());
        for (int i = 0; i < children.size(); i++) {
            if (!isPlain((Expression) children.get(i))) {
                return false;
            }
        }
        return true;
    }
}
