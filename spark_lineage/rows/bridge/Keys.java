package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.EqualTo;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.RowOrdering;

/**
 * What of the rows behind a link its condition looks at: as columns, of which `match` is the condition. What is held equal to something made of the
 * link's fields is one column whatever it is computed of: fewer distinct ones than the columns that it is made of have.
 */
final class Keys {
    /** Aliases over the child's output. */
    final List columns = new ArrayList();
    /** Of each column what of the fields it is equal to, or null. */
    final List equals = new ArrayList();
    /** Of each column whether nulls are equal there. */
    final List nullSafe = new ArrayList();
    /** Over the columns and the fields. */
    Expression match;
    private int parts;

    Keys(Expression condition, List fields, List output) {
        List conditions = condition == null ? new ArrayList() : Tracer.conjuncts(condition);
        ArrayList others = new ArrayList();
        for (int i = 0; i < conditions.size(); i++) {
            Expression part = (Expression) conditions.get(i);
            boolean isNullSafe = part instanceof EqualNullSafe;
            boolean isEqual = isNullSafe || part instanceof EqualTo;
            Expression left = isEqual ? (Expression) part.children().apply(0) : null;
            Expression right = isEqual ? (Expression) part.children().apply(1) : null;
            if (isEqual && isOf(left, output, fields) && isOf(right, fields, output)) {
                add(equality(isNullSafe, column(left, right, isNullSafe), right));
            } else if (isEqual && isOf(right, output, fields) && isOf(left, fields, output)) {
                add(equality(isNullSafe, column(right, left, isNullSafe), left));
            } else {
                others.add(part);
            }
        }
        rest(others, output);
    }

    private void rest(List others, List output) {
        ArrayList attributes = new ArrayList();
        ArrayList named = new ArrayList();
        for (int i = 0; i < others.size(); i++) {
            List referred = Trees.referred((Expression) others.get(i), output);
            for (int j = 0; j < referred.size(); j++) {
                if (!attributes.contains(referred.get(j))) {
                    attributes.add(referred.get(j));
                    named.add(column((Expression) referred.get(j), null, false));
                }
            }
        }
        for (int i = 0; i < others.size(); i++) {
            add(Replacing.attributes((Expression) others.get(i), attributes, named));
        }
    }

    private static boolean isOf(Expression expression, List some, List others) {
        return expression.deterministic() && !Trees.referred(expression, some).isEmpty() && Trees.referred(expression, others).isEmpty();
    }

    private Attribute column(Expression value, Expression equal, boolean isNullSafe) {
        Alias alias = Trees.named(value, "__lineage_of_" + columns.size());
        columns.add(alias);
        equals.add(equal);
        nullSafe.add(Boolean.valueOf(isNullSafe));
        return alias.toAttribute();
    }

    private static Expression equality(boolean isNullSafe, Expression left, Expression right) {
        return isNullSafe ? (Expression) new EqualNullSafe(left, right) : new EqualTo(left, right);
    }

    private void add(Expression part) {
        match = match == null ? part : new And(match, part);
        parts++;
    }

    Attribute attribute(int at) {
        return ((Alias) columns.get(at)).toAttribute();
    }

    /** Whether that a row has one of the values of the one column is all that the condition says. */
    boolean isOneNullSafe() {
        return columns.size() == 1 && parts == 1 && ((Boolean) nullSafe.get(0)).booleanValue();
    }

    /** Whether equal ones can be told once. */
    boolean areComparable() {
        for (int i = 0; i < columns.size(); i++) {
            if (!RowOrdering.isOrderable(attribute(i).dataType())) {
                return false;
            }
        }
        return true;
    }
}
