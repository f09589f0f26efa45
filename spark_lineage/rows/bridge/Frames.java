package org.sparklineage.rows;

import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GreaterThan;
import org.apache.spark.sql.catalyst.expressions.IsNotNull;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.LessThan;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.SizeBasedWindowFunction;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.expressions.SpecifiedWindowFrame;
import org.apache.spark.sql.catalyst.expressions.WindowExpression;
import org.apache.spark.sql.catalyst.plans.logical.Window;

/**
 * Which rows of its partition a row's window functions look at: those up to it in the window's order, those from it on, or all. Rows that are equal in
 * that order always belong to it. Narrower frames are widened to one of these: a row in between would have another value if its own frame were cut.
 */
final class Frames {
    private static final int ALL = 0;
    private static final int UP_TO = -1;
    private static final int FROM = 1;

    private Frames() {
    }

    private static int side(Window node) {
        List functions = Trees.list(node.windowExpressions());
        boolean upTo = true;
        boolean from = true;
        for (int i = 0; i < functions.size(); i++) {
            SpecifiedWindowFrame frame = frame((Expression) functions.get(i));
            upTo = upTo && frame != null && sign(frame.upper()) <= 0;
            from = from && frame != null && sign(frame.lower()) >= 0 && sign(frame.lower()) != UNKNOWN;
        }
        return upTo ? UP_TO : from ? FROM : ALL;
    }

    /** Whether only the rows on one side of a row count for it. */
    static boolean areOneSided(Window node) {
        return !Trees.list(node.orderSpec()).isEmpty() && side(node) != ALL;
    }

    /** Of a function that looks at no more; null where it does, or where that is not known. */
    private static SpecifiedWindowFrame frame(Expression expression) {
        if (expression instanceof WindowExpression) {
            WindowExpression window = (WindowExpression) expression;
            return window.windowFunction() instanceof SizeBasedWindowFunction || !(window.windowSpec().frameSpecification() instanceof SpecifiedWindowFrame)
                ? null : (SpecifiedWindowFrame) window.windowSpec().frameSpecification();
        }
        List children = Trees.list(expression.children());
        return children.size() == 1 ? frame((Expression) children.get(0)) : null;
    }

    private static final int UNKNOWN = 9;

    private static int sign(Expression bound) {
        String name = bound.getClass().getSimpleName();
        if (name.equals("CurrentRow$")) {
            return 0;
        }
        if (name.equals("UnboundedPreceding$")) {
            return -1;
        }
        if (name.equals("UnboundedFollowing$") || !bound.foldable()) {
            return UNKNOWN;
        }
        Object value = bound.eval(InternalRow.empty());
        return value instanceof Number ? Double.compare(((Number) value).doubleValue(), 0.0) : UNKNOWN;
    }

    /** That a row is on the side of the one whose values in the window's order are `keys`, or equal to it there. */
    static Expression condition(Window node, List keys) {
        return condition(Trees.list(node.orderSpec()), keys, 0, side(node) == UP_TO);
    }

    private static Expression condition(List orders, List keys, int at, boolean upTo) {
        SortOrder order = (SortOrder) orders.get(at);
        Expression key = (Expression) keys.get(at);
        Expression value = Trees.unsigned(order.child());
        Expression same = new EqualNullSafe(value, key);
        Expression rest = at + 1 == orders.size() ? same : new And(same, condition(orders, keys, at + 1, upTo));
        boolean ascending = order.direction().toString().equals("Ascending");
        boolean nullsFirst = order.nullOrdering().toString().equals("NullsFirst");
        Expression smaller = ascending == upTo ? (Expression) new LessThan(value, key) : new GreaterThan(value, key);
        Expression byNull = nullsFirst == upTo ? new And(new IsNull(order.child()), new IsNotNull(key))
            : new And(new IsNotNull(order.child()), new IsNull(key));
        return new Or(new Or(smaller, byNull), rest);
    }
}
