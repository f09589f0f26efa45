package org.sparklineage.bridge;

import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;

/**
 * The plans of a query execution, as far as they were made while it ran. Spark's own methods would make one that is missing
 * here and now; and where one had failed they would throw the user's exception once more, with our thread's frames put into
 * its stack trace under the user's eyes.
 */
final class Plans {
    private Plans() {
    }

    /** Null where there is none. */
    static LogicalPlan analyzed(QueryExecution execution) {
        return (LogicalPlan) made(execution, "lazyAnalyzed", "analyzed");
    }

    static LogicalPlan optimized(QueryExecution execution) {
        return (LogicalPlan) made(execution, "lazyOptimizedPlan", "optimizedPlan");
    }

    /** The physical plan. */
    static Object executed(QueryExecution execution) {
        return made(execution, "lazyExecutedPlan", "executedPlan");
    }

    /** Spark 4 keeps each in a `LazyTry`; of another Spark it is asked as anybody would. */
    private static Object made(QueryExecution execution, String field, String method) {
        Object lazy = execution == null ? null : Reflect.field(execution, field);
        if (lazy == null) {
            return Reflect.tryCall(execution, method);
        }
        Object made = Reflect.field(lazy, "tryT");
        return made instanceof scala.util.Success ? ((scala.util.Success) made).value() : null;
    }
}
