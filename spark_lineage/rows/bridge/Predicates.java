package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Exists;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.InSubquery;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Function1;
import scala.runtime.AbstractPartialFunction;

/**
 * Brings conditions with IN and EXISTS into the form that Spark's own optimizer has them in when it makes joins of them. What becomes of a null that IN
 * gives depends on it: below a NOT that is still there (`NOT (x NOT IN ...)`, `NOT (x IN ... OR y)`) the join takes it for true or false.
 */
final class Predicates extends AbstractPartialFunction {
    private static final int ROUNDS = 20;

    private final List rules;

    Predicates(List rules) {
        this.rules = rules;
    }

    public boolean isDefinedAt(Object node) {
        return node instanceof LogicalPlan && asks(Trees.list(((LogicalPlan) node).expressions()));
    }

    private static boolean asks(List expressions) {
        for (int i = 0; i < expressions.size(); i++) {
            Expression expression = (Expression) expressions.get(i);
            if (expression instanceof InSubquery || expression instanceof Exists || asks(Trees.list(expression.children()))) {
                return true;
            }
        }
        return false;
    }

    /** Only this node: what is below it stays as it is. */
    public Object applyOrElse(Object given, Function1 otherwise) {
        if (!isDefinedAt(given)) {
            return otherwise.apply(given);
        }
        LogicalPlan node = (LogicalPlan) given;
        List children = Trees.list(node.children());
        ArrayList empty = new ArrayList();
        for (int i = 0; i < children.size(); i++) {
            empty.add(new LocalRelation(((LogicalPlan) children.get(i)).output(), Trees.seq(new ArrayList()), false, scala.Option.apply(null)));
        }
        LogicalPlan result = Trees.withChildren(node, empty);
        for (int round = 0; round < ROUNDS; round++) {
            LogicalPlan before = result;
            for (int i = 0; i < rules.size(); i++) {
                result = (LogicalPlan) ((Rule) rules.get(i)).apply(result);
            }
            if (result.fastEquals(before)) {
                break;
            }
        }
        return Trees.withChildren(result, children);
    }
}
