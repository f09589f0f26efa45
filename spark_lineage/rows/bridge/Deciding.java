package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.RowOrdering;
import org.apache.spark.sql.catalyst.expressions.WindowExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateFunction;
import org.apache.spark.sql.catalyst.expressions.aggregate.Max;
import org.apache.spark.sql.catalyst.expressions.aggregate.Min;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Window;

/**
 * Of an aggregate the functions whose value is one row's (min, max, first, last, max_by, min_by), and by which condition the rows of a group are known
 * that have it: all of those that are equal there. Over these rows alone each of these functions has its value, but `first` and `last` beside others: a row that decided
 * one of these may stand before.
 */
final class Deciding {
    private static final List OF_ONE = java.util.Arrays.asList(new Object[] {"Min", "Max", "First", "Last"});
    private static final List BY = java.util.Arrays.asList(new Object[] {"MinBy", "MaxBy"});
    private static final List RANKS = java.util.Arrays.asList(new Object[] {"RowNumber", "Rank", "DenseRank"});

    /** Columns of the aggregate: what its functions gave. */
    final List results = new ArrayList();
    /** For each of these an attribute by which `condition` refers to it. */
    final List fields = new ArrayList();
    /** Over the aggregate's child and the fields. */
    Expression condition;
    /** Whether there are functions of all rows as well: a sum, a count. */
    boolean others;

    private Deciding() {
    }

    /** Null where no function of it is of that kind. */
    static Deciding of(Aggregate node) {
        Deciding found = new Deciding();
        List columns = Trees.list(node.aggregateExpressions());
        for (int i = 0; i < columns.size(); i++) {
            found.look((Expression) columns.get(i));
        }
        return found.condition == null ? null : found;
    }

    private void look(Expression expression) {
        if (expression instanceof AggregateExpression) {
            add((AggregateExpression) expression);
            return;
        }
        List children = Trees.list(expression.children());
        for (int i = 0; i < children.size(); i++) {
            look((Expression) children.get(i));
        }
    }

    private void add(AggregateExpression called) {
        AggregateFunction function = called.aggregateFunction();
        String name = function.getClass().getSimpleName();
        List arguments = Trees.list(function.children());
        boolean by = BY.contains(name);
        Expression value = arguments.isEmpty() ? null : (Expression) arguments.get(0);
        if (!by && !OF_ONE.contains(name) || !isComparable(value) || by && !isComparable((Expression) arguments.get(1))) {
            others = true;
            return;
        }
        Attribute result = result(called);
        Expression decides = Trees.same(value, result);
        if (by) { // rows without a value to go by do not count, unless there are no others
            Expression order = (Expression) arguments.get(1);
            AggregateFunction best = name.equals("MaxBy") ? (AggregateFunction) new Max(order) : new Min(order);
            Attribute at = result(new AggregateExpression(best, called.mode(), false, called.filter(), NamedExpression$.MODULE$.newExprId()));
            decides = new And(Trees.same(order, at), new Or(new IsNull(at), decides));
        }
        if (called.filter().isDefined()) { // without a row that counts, any row of the group gives the null
            decides = new Or(new And((Expression) called.filter().get(), decides), new IsNull(result));
        }
        condition = condition == null ? decides : new Or(condition, decides);
    }

    private static boolean isComparable(Expression value) {
        return value.deterministic() && RowOrdering.isOrderable(value.dataType());
    }

    private Attribute result(Expression value) {
        Alias column = Trees.named(value, "__lineage_result_" + results.size());
        AttributeReference field = Block.field("d" + results.size(), value.dataType(), true);
        results.add(column);
        fields.add(field);
        return field;
    }

    /** Whether all functions only count where a row stands: with fewer rows before it, it stands further ahead. */
    static boolean areRanks(Window node) {
        List functions = Trees.list(node.windowExpressions());
        for (int i = 0; i < functions.size(); i++) {
            Expression function = (Expression) functions.get(i);
            while (function instanceof Alias) {
                function = ((Alias) function).child();
            }
            if (!(function instanceof WindowExpression)
                || !RANKS.contains(((WindowExpression) function).windowFunction().getClass().getSimpleName())) {
                return false;
            }
        }
        return true;
    }
}
