package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;

/**
 * The values of one row that is known to be in a plan's result, as far down as they are those of columns: they tell the group that the row is of
 * without a query.
 */
final class Known {
    /** What may stand between: it changes no value of a row. */
    private static final List KEEPS = java.util.Arrays.asList(new Object[] {"Sort", "Repartition", "RepartitionByExpression", "LocalLimit", "GlobalLimit"});

    /** By id of an attribute its literal, or the field of a key that it is equal to. */
    private final Map values = new HashMap();
    private final List fields;

    /** The aggregate's child, narrowed to the group. */
    LogicalPlan group;
    /** The child itself, and what narrows it; null where all of it is one group. */
    LogicalPlan child;
    Expression condition;
    /** Whether it is one of no groups, which has its row also of no rows. */
    boolean isGlobal;

    private Known(List fields) {
        this.fields = fields;
    }

    /** Null where the group is not known so. */
    static Known group(LogicalPlan normal) {
        return group(normal, new ArrayList());
    }

    /** The same of many rows: `fields` are those of their keys. */
    static Known group(LogicalPlan normal, List fields) {
        Known known = new Known(fields);
        LogicalPlan node = normal;
        while (true) {
            if (node instanceof Filter) {
                known.note(((Filter) node).condition());
                node = ((Filter) node).child();
            } else if (node instanceof Project) {
                known.through(Trees.list(((Project) node).projectList()));
                node = ((Project) node).child();
            } else if (node instanceof Aggregate) {
                known.isGlobal = ((Aggregate) node).groupingExpressions().isEmpty();
                known.group = known.narrowed((Aggregate) node);
                return known.group == null ? null : known;
            } else if (KEEPS.contains(node.getClass().getSimpleName())) {
                node = (LogicalPlan) Trees.list(node.children()).get(0);
            } else {
                return null;
            }
        }
    }

    private void note(Expression condition) {
        List parts = Tracer.conjuncts(condition);
        for (int i = 0; i < parts.size(); i++) {
            if (parts.get(i) instanceof EqualNullSafe) {
                EqualNullSafe same = (EqualNullSafe) parts.get(i);
                if (same.left() instanceof Attribute && same.right() instanceof Attribute && isField((Attribute) same.right())
                    && same.right().dataType().sameType(same.left().dataType())) {
                    values.put(((Attribute) same.left()).exprId(), same.right());
                } else if (same.left() instanceof Attribute && same.right().foldable() && same.right().dataType().sameType(same.left().dataType())) {
                    Object value = same.right() instanceof Literal ? ((Literal) same.right()).value() : same.right().eval(InternalRow.empty());
                    values.put(((Attribute) same.left()).exprId(), new Literal(value, same.left().dataType()));
                }
            }
        }
    }

    private boolean isField(Attribute attribute) {
        for (int i = 0; i < fields.size(); i++) {
            if (((Attribute) fields.get(i)).exprId().equals(attribute.exprId())) {
                return true;
            }
        }
        return false;
    }

    private void through(List columns) {
        for (int i = 0; i < columns.size(); i++) {
            if (columns.get(i) instanceof Alias && ((Alias) columns.get(i)).child() instanceof Attribute) {
                Alias alias = (Alias) columns.get(i);
                Object value = values.get(alias.exprId());
                if (value != null) {
                    values.put(((Attribute) alias.child()).exprId(), value);
                }
            }
        }
    }

    private LogicalPlan narrowed(Aggregate node) {
        List grouping = Trees.list(node.groupingExpressions());
        List output = Trees.list(node.aggregateExpressions());
        child = node.child();
        for (int i = 0; i < grouping.size(); i++) {
            Expression group = (Expression) grouping.get(i);
            Expression value = Block.isSession(group) ? null : value(group, output);
            if (value == null) {
                return null;
            }
            Expression same = Trees.same(group, Trees.unsigned(value));
            condition = condition == null ? same : new And(condition, same);
        }
        return condition == null ? child : new Filter(condition, child);
    }

    private Expression value(Expression group, List output) {
        for (int i = 0; i < output.size(); i++) {
            Object column = output.get(i);
            Expression value = null;
            if (column instanceof Attribute && ((Attribute) column).semanticEquals(group)) {
                value = (Expression) values.get(((Attribute) column).exprId());
            } else if (column instanceof Alias && ((Alias) column).child().semanticEquals(group)) {
                value = (Expression) values.get(((Alias) column).exprId());
            }
            if (value != null && value.dataType().sameType(group.dataType())) {
                return value;
            }
        }
        return null;
    }
}
