package org.sparklineage.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import scala.Function1;
import scala.Product;
import scala.collection.Iterator;
import scala.runtime.AbstractPartialFunction;

/** Puts what the time, the user and their like were where a plan asks for them; `asked` has the names of what it asked for and is not known. */
public final class Then extends AbstractPartialFunction {
    private static final List ALL = Arrays.asList(new Object[] {"CurrentTimestamp", "Now", "CurrentDate", "LocalTimestamp", "CurrentTime",
        "CurrentUser", "CurrentCatalog", "CurrentDatabase"});
    private final Moment moment;
    private final LinkedHashSet asked = new LinkedHashSet();

    /** `given`: see Moment. */
    public Then(Map given) {
        this.moment = new Moment(given);
    }

    public Object of(LogicalPlan plan) {
        return plan.transformAllExpressions(this);
    }

    public List asked() {
        return new ArrayList(asked);
    }

    public boolean isDefinedAt(Object expression) {
        return literal(expression) != null;
    }

    public Object applyOrElse(Object expression, Function1 otherwise) {
        Object literal = literal(expression);
        return literal == null ? otherwise.apply(expression) : literal;
    }

    private Object literal(Object expression) {
        String name = expression.getClass().getSimpleName();
        if (!ALL.contains(name)) {
            return null;
        }
        ArrayList arguments = new ArrayList();
        Iterator each = ((Product) expression).productIterator();
        while (each.hasNext()) {
            arguments.add(each.next());
        }
        Object literal = null;
        try {
            literal = moment.literal(expression.getClass().getName(), arguments.toArray());
        } catch (Exception unknown) {
            literal = null;
        }
        if (literal == null) {
            asked.add(name);
        }
        return literal;
    }
}
