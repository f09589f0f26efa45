package org.sparklineage.rows;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/** Whether a plan gives the same rows each time, as far as it can be seen. */
final class Determinism {
    private static final List CHOOSES = java.util.Arrays.asList(new Object[] {"GlobalLimit", "LocalLimit", "Offset", "Tail", "Sample"});
    private static final List ANYTHING = java.util.Arrays.asList(new Object[] {"ScalaUDF", "PythonUDF", "PythonUDAF", "ScalaAggregator", "First", "Last",
        "CollectList", "CollectSet", "ListAgg", "MaxBy", "MinBy", "Mode", "ApproximatePercentile", "ScalaUDAF", "TypedScalaUDAF", "HiveSimpleUDF",
        "HiveGenericUDF", "HiveGenericUDTF", "HiveUDAFFunction", "ApplyFunctionExpression", "V2Aggregator", "PythonUDTF", "PythonUDTFCall"});

    private static final List ABOVE = java.util.Arrays.asList(new Object[] {"GlobalLimit", "LocalLimit", "Sort", "Project"});

    private Determinism() {
    }

    /** Limits above all else do not count: they choose among rows, they do not change them. */
    static boolean of(LogicalPlan plan) {
        LogicalPlan node = plan;
        while (ABOVE.contains(node.getClass().getSimpleName())) {
            node = (LogicalPlan) Trees.list(node.children()).get(0);
        }
        return plan.deterministic() && isFixed(node);
    }

    /** The same, where limits above all else count, too: which rows they chose is not known. */
    static boolean ofAll(LogicalPlan plan) {
        return plan.deterministic() && isFixed(plan);
    }

    private static boolean isFixed(LogicalPlan node) {
        String name = node.getClass().getSimpleName();
        if (CHOOSES.contains(name) || name.endsWith("InPandas") || name.endsWith("InArrow") || name.startsWith("Map") || name.startsWith("Flat")) {
            return false;
        }
        List expressions = Trees.list(node.expressions());
        for (int i = 0; i < expressions.size(); i++) {
            if (!isPlain((Expression) expressions.get(i))) {
                return false;
            }
        }
        List below = Trees.with(Trees.list(node.children()), Trees.subqueries(node));
        for (int i = 0; i < below.size(); i++) {
            if (!isFixed((LogicalPlan) below.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isPlain(Expression expression) {
        if (ANYTHING.contains(expression.getClass().getSimpleName())) {
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
