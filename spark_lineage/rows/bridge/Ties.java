package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GreaterThan;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.expressions.SpecifiedWindowFrame;
import org.apache.spark.sql.catalyst.expressions.WindowExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.Count;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Window;

/**
 * Windows of a plan that number rows, or look so many rows back or ahead, in an order that holds some of the rows equal: which of those comes first is
 * another one each time. Whether there are such rows is asked; where that fails it is taken for granted.
 */
final class Ties {
    private static final List BY_PLACE = java.util.Arrays.asList(new Object[] {"RowNumber", "NTile", "Lag", "Lead", "NthValue"});
    /** Equal for rows that are equal in the order, though Spark gives them a frame of rows. */
    private static final List BY_PEERS = java.util.Arrays.asList(new Object[] {"Rank", "DenseRank", "PercentRank", "CumeDist"});

    private Ties() {
    }

    static Set of(LogicalPlan plan, Asking asking) throws Exception {
        Set found = Collections.newSetFromMap(new IdentityHashMap());
        look(plan, asking, found);
        return found;
    }

    private static void look(LogicalPlan node, Asking asking, Set found) throws Exception {
        if (node instanceof Window && anyByPlace(Trees.list(((Window) node).windowExpressions())) && hasEqualRows((Window) node, asking)) {
            found.add(node);
        }
        List below = Trees.with(Trees.list(node.children()), Trees.subqueries(node));
        for (int i = 0; i < below.size(); i++) {
            look((LogicalPlan) below.get(i), asking, found);
        }
    }

    private static boolean anyByPlace(List expressions) {
        for (int i = 0; i < expressions.size(); i++) {
            if (isByPlace((Expression) expressions.get(i))) {
                return true;
            }
        }
        return false;
    }

    /** Whether a value depends on where a row stands among those that are equal to it in the window's order. */
    static boolean isByPlace(Expression expression) {
        if (!(expression instanceof WindowExpression)) {
            return anyByPlace(Trees.list(expression.children()));
        }
        WindowExpression window = (WindowExpression) expression;
        String name = window.windowFunction().getClass().getSimpleName();
        if (BY_PLACE.contains(name) || BY_PEERS.contains(name) || !(window.windowSpec().frameSpecification() instanceof SpecifiedWindowFrame)) {
            return BY_PLACE.contains(name);
        }
        SpecifiedWindowFrame frame = (SpecifiedWindowFrame) window.windowSpec().frameSpecification();
        boolean isWhole = is(frame.lower(), "UnboundedPreceding$") && is(frame.upper(), "UnboundedFollowing$");
        return is(frame.frameType(), "RowFrame$") && !isWhole;
    }

    private static boolean is(Object value, String name) {
        return value.getClass().getSimpleName().equals(name);
    }

    /** Whether two rows of a partition are equal in the window's order. */
    private static boolean hasEqualRows(Window node, Asking asking) throws Exception {
        ArrayList keys = new ArrayList(Trees.list(node.partitionSpec()));
        List orders = Trees.list(node.orderSpec());
        for (int i = 0; i < orders.size(); i++) {
            keys.add(((SortOrder) orders.get(i)).child());
        }
        Alias count = Trees.named(new Count(Trees.seq(Trees.one(Trees.literal(Long.valueOf(1L))))).toAggregateExpression(), "__lineage_equal");
        Expression one = Trees.literal(Integer.valueOf(1));
        LogicalPlan groups = grouped(keys, count, node.child());
        LogicalPlan equal = new Filter(new GreaterThan(count.toAttribute(), Trees.literal(Long.valueOf(1L))), groups);
        try {
            return asking.collect(new GlobalLimit(one, new LocalLimit(one, equal))).length > 0;
        } catch (Exception e) { // a file that is gone, a value that cannot be computed: what is asked next may not need it
            return true;
        }
    }

    /** Later versions of Spark give an aggregate more to say. */
    private static LogicalPlan grouped(List keys, Alias count, LogicalPlan child) throws Exception {
        java.lang.reflect.Constructor make = Aggregate.class.getConstructors()[0];
        Object[] arguments = new Object[make.getParameterTypes().length];
        java.util.Arrays.fill(arguments, scala.Option.apply(null));
        arguments[0] = Trees.seq(keys);
        arguments[1] = Trees.seq(Trees.one(count));
        arguments[2] = child;
        return (LogicalPlan) make.newInstance(arguments);
    }
}
