package org.sparklineage.rows;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import scala.Function1;
import scala.runtime.AbstractPartialFunction;

/** Puts expressions in the place of attributes. */
final class Replacing extends AbstractPartialFunction {
    private final List attributes;
    private final List values;

    private Replacing(List attributes, List values) {
        this.attributes = attributes;
        this.values = values;
    }

    static Expression attributes(Expression expression, List attributes, List values) {
        return (Expression) expression.transform(new Replacing(attributes, values));
    }

    public boolean isDefinedAt(Object expression) {
        return expression instanceof Attribute && at((Attribute) expression) >= 0;
    }

    public Object applyOrElse(Object expression, Function1 otherwise) {
        return isDefinedAt(expression) ? values.get(at((Attribute) expression)) : otherwise.apply(expression);
    }

    private int at(Attribute attribute) {
        for (int i = 0; i < attributes.size(); i++) {
            if (((Attribute) attributes.get(i)).exprId().equals(attribute.exprId())) {
                return i;
            }
        }
        return -1;
    }
}
