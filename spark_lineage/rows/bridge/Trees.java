package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.BinaryComparison;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.In;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Literal$;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.optimizer.NormalizeNaNAndZero;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;

/** Small things about Catalyst's trees, and Scala's collections as Java's. */
final class Trees {
    private Trees() {
    }

    static Literal literal(Object value) {
        return Literal$.MODULE$.apply(value);
    }

    /** A null of that type. */
    static Literal none(DataType type) {
        return new Literal(null, type);
    }

    static List list(Object iterable) {
        ArrayList result = new ArrayList();
        scala.collection.Iterator iterator = ((scala.collection.Iterable) iterable).iterator();
        while (iterator.hasNext()) {
            result.add(iterator.next());
        }
        return result;
    }

    static scala.collection.immutable.Seq seq(List items) {
        return scala.jdk.javaapi.CollectionConverters.asScala(items).toList();
    }

    static List with(List some, List others) {
        ArrayList result = new ArrayList(some);
        result.addAll(others);
        return result;
    }

    static List one(Object item) {
        ArrayList result = new ArrayList();
        result.add(item);
        return result;
    }

    /** The node with other arguments at some places, whatever further ones this Spark's version of it has. */
    static LogicalPlan with(LogicalPlan node, int[] at, Object[] values) {
        List arguments = new ArrayList();
        scala.collection.Iterator parts = node.productIterator();
        while (parts.hasNext()) {
            arguments.add(parts.next());
        }
        Object[] all = arguments.toArray();
        for (int i = 0; i < at.length; i++) {
            all[at[i]] = values[i];
        }
        return (LogicalPlan) ((TreeNode) node).makeCopy(all);
    }

    static LogicalPlan withChildren(LogicalPlan node, List children) {
        return (LogicalPlan) ((TreeNode) node).withNewChildren(seq(children));
    }

    static LogicalPlan withChild(LogicalPlan node, LogicalPlan child) {
        return withChildren(node, one(child));
    }

    static Alias named(Expression value, String name) {
        return new Alias(value, name, NamedExpression$.MODULE$.newExprId(), seq(new ArrayList()), scala.Option.apply(null), seq(new ArrayList()));
    }

    /** That a value is that of a key, which is `unsigned`. */
    static Expression same(Expression value, Expression key) {
        return new EqualNullSafe(unsigned(value), key);
    }

    /**
     * A float whose zero has no sign, and which no scan is asked for: Parquet and ORC pass over files that have minus zero alone where zero is meant,
     * which Spark holds equal.
     */
    static Expression unsigned(Expression value) {
        return isFloat(value) && !(value instanceof NormalizeNaNAndZero) ? new NormalizeNaNAndZero(value) : value;
    }

    /** A condition of a join in which floats are so. */
    static Expression unsignedIn(Expression condition) {
        List children = list(condition.children());
        ArrayList made = new ArrayList();
        for (int i = 0; i < children.size(); i++) {
            Expression child = unsignedIn((Expression) children.get(i));
            made.add(condition instanceof BinaryComparison || condition instanceof In ? unsigned(child) : child);
        }
        return children.isEmpty() ? condition : (Expression) ((TreeNode) condition).withNewChildren(seq(made));
    }

    private static boolean isFloat(Expression value) {
        return value.dataType() instanceof DoubleType || value.dataType() instanceof FloatType;
    }

    /** The plans of subqueries in a node's own expressions. */
    static List subqueries(LogicalPlan node) {
        ArrayList found = new ArrayList();
        List expressions = list(node.expressions());
        for (int i = 0; i < expressions.size(); i++) {
            collect((Expression) expressions.get(i), found);
        }
        return found;
    }

    /** Whether an operator of this name is in a plan, its subqueries among it. */
    static boolean has(LogicalPlan plan, String name) {
        if (plan.nodeName().equals(name)) {
            return true;
        }
        List below = with(list(plan.children()), subqueries(plan));
        for (int i = 0; i < below.size(); i++) {
            if (has((LogicalPlan) below.get(i), name)) {
                return true;
            }
        }
        return false;
    }

    /** Whether a node asks for a column that its children do not give. */
    static boolean lacks(LogicalPlan plan) {
        if (plan.missingInput().nonEmpty()) {
            return true;
        }
        List below = with(list(plan.children()), subqueries(plan));
        for (int i = 0; i < below.size(); i++) {
            if (lacks((LogicalPlan) below.get(i))) {
                return true;
            }
        }
        return false;
    }

    private static void collect(Expression expression, List found) {
        if (expression instanceof SubqueryExpression) {
            found.add(((SubqueryExpression) expression).plan());
        }
        List children = list(expression.children());
        for (int i = 0; i < children.size(); i++) {
            collect((Expression) children.get(i), found);
        }
    }

    /** Those of the attributes that the expression refers to, in their order. */
    static List referred(Expression expression, List attributes) {
        ArrayList found = new ArrayList();
        for (int i = 0; i < attributes.size(); i++) {
            if (expression.references().contains((Attribute) attributes.get(i))) {
                found.add(attributes.get(i));
            }
        }
        return found;
    }
}
