package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;

/** Which columns of an analyzed plan are what its topmost aggregate groups by: they name a row. */
public final class Groups {
    private static final List KEEPS = java.util.Arrays.asList(new Object[] {"Filter", "Sort", "GlobalLimit", "LocalLimit", "Offset", "SubqueryAlias",
        "View", "WithCTE", "Repartition", "RepartitionByExpression", "RebalancePartitions", "ResolvedHint", "CollectMetrics", "UnresolvedHint"});

    /** Their positions in the plan's output; none where there is no such aggregate, or one of them is not in the output. */
    public List positions(LogicalPlan plan) {
        ArrayList wanted = new ArrayList(Trees.list(plan.output()));
        ArrayList attributes = new ArrayList(wanted);
        LogicalPlan node = plan;
        while (!(node instanceof Aggregate)) {
            List children = Trees.list(node.children());
            if (node instanceof Project) {
                through(Trees.list(((Project) node).projectList()), attributes);
            } else if (!KEEPS.contains(node.getClass().getSimpleName()) || children.isEmpty()) {
                return new ArrayList();
            }
            node = (LogicalPlan) children.get(children.size() - 1); // of WithCTE the query is behind its definitions
        }
        return of((Aggregate) node, attributes);
    }

    /** Each attribute as that of the child; null where it is made here. */
    private static void through(List columns, List attributes) {
        for (int i = 0; i < attributes.size(); i++) {
            Attribute known = (Attribute) attributes.get(i);
            Attribute below = null;
            for (int j = 0; j < columns.size() && known != null; j++) {
                NamedExpression column = (NamedExpression) columns.get(j);
                if (column.exprId().equals(known.exprId())) {
                    Expression made = column instanceof Alias ? ((Alias) column).child() : (Expression) column;
                    below = made instanceof Attribute ? (Attribute) made : null;
                }
            }
            attributes.set(i, below);
        }
    }

    private static List of(Aggregate node, List attributes) {
        ArrayList positions = new ArrayList();
        List grouping = Trees.list(node.groupingExpressions());
        List made = Trees.list(node.aggregateExpressions());
        for (int i = 0; i < grouping.size(); i++) {
            int at = -1;
            for (int j = 0; j < made.size() && at < 0; j++) {
                Expression value = made.get(j) instanceof Alias ? ((Alias) made.get(j)).child() : (Expression) made.get(j);
                at = value.semanticEquals((Expression) grouping.get(i)) ? at(attributes, (NamedExpression) made.get(j)) : -1;
            }
            if (at < 0) {
                return new ArrayList();
            }
            positions.add(Integer.valueOf(at));
        }
        return positions;
    }

    private static int at(List attributes, NamedExpression one) {
        for (int i = 0; i < attributes.size(); i++) {
            if (attributes.get(i) != null && ((Attribute) attributes.get(i)).exprId().equals(one.exprId())) {
                return i;
            }
        }
        return -1;
    }
}
