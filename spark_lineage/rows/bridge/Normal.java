package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.plans.logical.DeduplicateWithinWatermark;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Function1;
import scala.runtime.AbstractPartialFunction;

/**
 * An analyzed plan in fewer kinds of nodes: by the rules with which Spark's own optimizer begins, views and CTEs are opened, set operations and
 * subqueries become joins, DISTINCT an aggregate. The rows are the same. What stays of subqueries are uncorrelated scalar ones.
 */
final class Normal extends AbstractPartialFunction {
    private static final String[] PACKAGES = {"org.apache.spark.sql.catalyst.optimizer.", "org.apache.spark.sql.catalyst.analysis."};
    private static final String[] RULES = {
        "EliminateResolvedHint", "EliminateSubqueryAliases", "EliminatePipeOperators", "EliminateView", "EliminateSQLFunctionNode",
        "InlineCTE", "ReplaceExpressions", "RewriteNonCorrelatedExists", "PullOutGroupingExpressions", "RewriteAsOfJoin",
        "EvalInlineTables", "ReplaceTranspose", "RewriteExceptAll", "RewriteIntersectAll", "ReplaceIntersectWithSemiJoin",
        "ReplaceExceptWithAntiJoin", "ReplaceDistinctWithAggregate", "ReplaceDeduplicateWithAggregate", "OptimizeOneRowRelationSubquery",
        "PullOutNestedDataOuterRefExpressions", "PullupCorrelatedPredicates", "RewritePredicateSubquery", "RewriteLateralSubquery",
        "RewriteCorrelatedScalarSubquery",
    };

    /** Subqueries are put into normal form where CTEs are opened already: theirs may be of the query around them. */
    private static final String BEFORE_SUBQUERIES = "ReplaceExpressions";
    /** Joins are made of conditions in this form. */
    private static final String BEFORE_PREDICATES = "RewritePredicateSubquery";
    private static final String[] OF_PREDICATES = {"BooleanSimplification", "SimplifyConditionals", "SimplifyBinaryComparison", "NotPropagation",
        "ReplaceNullWithFalseInPredicate"};

    private final List rules = new ArrayList();
    private final List ofPredicates = new ArrayList();
    private final Rule ofConstants;
    private int inner;
    private int predicates;

    Normal() throws Exception {
        ofConstants = rule("FoldablePropagation");
        for (int i = 0; i < RULES.length; i++) {
            Rule rule = rule(RULES[i]);
            if (RULES[i].equals(BEFORE_SUBQUERIES)) {
                inner = rules.size();
            }
            if (RULES[i].equals(BEFORE_PREDICATES)) {
                predicates = rules.size();
            }
            if (rule != null) {
                rules.add(rule);
            }
        }
        for (int i = 0; i < OF_PREDICATES.length; i++) {
            Rule rule = rule(OF_PREDICATES[i]);
            if (rule != null) {
                ofPredicates.add(rule);
            }
        }
    }

    /** Null where this Spark has no such rule. */
    private static Rule rule(String name) throws Exception {
        for (int i = 0; i < PACKAGES.length; i++) {
            try {
                if (name.equals("InlineCTE")) {
                    Class type = Class.forName(PACKAGES[i] + name);
                    return (Rule) type.getConstructors()[0].newInstance(new Object[] {Boolean.TRUE, Boolean.FALSE});
                }
                return (Rule) Class.forName(PACKAGES[i] + name + "$").getField("MODULE$").get(null);
            } catch (ClassNotFoundException e) {
                continue;
            }
        }
        return null;
    }

    LogicalPlan of(LogicalPlan plan) {
        LogicalPlan result = (LogicalPlan) plan.transformUp(new Within());
        for (int i = 0; i < rules.size(); i++) {
            if (i == inner) {
                result = (LogicalPlan) result.transformAllExpressions(this);
            }
            if (i == predicates) {
                result = (LogicalPlan) result.transformUp(new Predicates(ofPredicates));
            }
            result = i == predicates ? joined((Rule) rules.get(i), result) : (LogicalPlan) ((Rule) rules.get(i)).apply(result);
        }
        Block.check(result);
        return result;
    }

    /** A condition of a join with IN or EXISTS may name columns of one side alone. Spark has put constants in place of their names by then. */
    private LogicalPlan joined(Rule rule, LogicalPlan plan) {
        try {
            return (LogicalPlan) rule.apply(plan);
        } catch (Exception refused) {
            return (LogicalPlan) rule.apply(ofConstants.apply(plan));
        }
    }

    public boolean isDefinedAt(Object expression) {
        return expression instanceof SubqueryExpression;
    }

    /** A subquery over the normal form of its plan. */
    public Object applyOrElse(Object expression, Function1 otherwise) {
        if (!isDefinedAt(expression)) {
            return otherwise.apply(expression);
        }
        SubqueryExpression subquery = (SubqueryExpression) expression;
        return subquery.withNewPlan(of((LogicalPlan) subquery.plan()));
    }

    /**
     * Which rows a stream passed over because one with their key had come shortly before depends on when they came. Each of those that it gave is made of
     * itself alone.
     */
    private static final class Within extends AbstractPartialFunction {
        public boolean isDefinedAt(Object node) {
            return node instanceof DeduplicateWithinWatermark;
        }

        public Object applyOrElse(Object node, Function1 otherwise) {
            return isDefinedAt(node) ? ((DeduplicateWithinWatermark) node).child() : otherwise.apply(node);
        }
    }
}
