package org.sparklineage.rows;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.storage.StorageLevel;

/** Asks a session for the rows of plans. These are no executions of the session: nobody is told of them. */
final class Asking {
    /** Either of them is enough for Spark to do so below a Generate (GeneratorNestedColumnAliasing). */
    private static final String[] PRUNING = {"spark.sql.optimizer.nestedSchemaPruning.enabled", "spark.sql.optimizer.expression.nestedPruning.enabled"};
    private static final String EXCLUDED = "spark.sql.optimizer.excludedRules";
    private static final String COLUMN_PRUNING = "org.apache.spark.sql.catalyst.optimizer.ColumnPruning";

    private final Object session;
    private final List kept = new ArrayList();
    private final List executed = new ArrayList();
    private int queries;

    Asking(Object session) {
        this.session = session;
    }

    /** Makes the session, and its settings, those of this thread. */
    void inSession() throws Exception {
        Class type = Class.forName("org.apache.spark.sql.classic.SparkSession$");
        Method set = type.getMethod("setActiveSession", new Class[] {Class.forName("org.apache.spark.sql.SparkSession")});
        set.invoke(type.getField("MODULE$").get(null), new Object[] {session});
    }

    InternalRow[] collect(LogicalPlan plan) throws Exception {
        queries++;
        Object frame = frame(plan);
        Object execution = frame.getClass().getMethod("queryExecution", new Class[0]).invoke(frame, new Object[0]);
        Object physical = execution.getClass().getMethod("executedPlan", new Class[0]).invoke(execution, new Object[0]);
        executed.add(physical);
        return (InternalRow[]) withSettings(new Collecting((SparkPlan) physical));
    }

    /** The rows of a plan; null where they are larger than what may come to the driver (`spark.driver.maxResultSize`). */
    InternalRow[] some(LogicalPlan plan) throws Exception {
        try {
            return collect(plan);
        } catch (Exception e) {
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                if (String.valueOf(cause.getMessage()).indexOf("spark.driver.maxResultSize") >= 0) {
                    executed.remove(executed.size() - 1); // what it read is read again, and counts then
                    return null;
                }
            }
            throw e;
        }
    }

    /** With the session's settings on the executors, too. */
    private Object withSettings(scala.Function0 body) throws Exception {
        Class type = Class.forName("org.apache.spark.sql.execution.SQLExecution$");
        Method[] methods = type.getMethods();
        for (int i = 0; i < methods.length; i++) {
            if (methods[i].getName().equals("withSQLConfPropagated") && methods[i].getParameterTypes().length == 2) {
                try {
                    return methods[i].invoke(type.getField("MODULE$").get(null), new Object[] {session, body});
                } catch (java.lang.reflect.InvocationTargetException e) {
                    if (e.getCause() instanceof Error) {
                        throw (Error) e.getCause();
                    }
                    throw (Exception) e.getCause();
                }
            }
        }
        return body.apply();
    }

    private static final class Collecting extends scala.runtime.AbstractFunction0 {
        private final SparkPlan plan;

        Collecting(SparkPlan plan) {
            this.plan = plan;
        }

        public Object apply() {
            return plan.executeCollect();
        }
    }

    Object frame(LogicalPlan plan) throws Exception {
        plan.setAnalyzed();
        if (!Trees.has(plan, "Generate")) {
            return ofRows(plan);
        }
        // pruning nested columns reorders what is below a Generate, which then leaves out what it was told by position: the wrong columns
        for (int i = 0; i < PRUNING.length; i++) {
            set(PRUNING[i], "false");
        }
        Object frame = ofRows(plan);
        if (!Trees.lacks(optimized(frame))) {
            return frame;
        }
        // so does pruning any, where what is exploded becomes a simpler expression that needs fewer of them: not pruned at all, then
        String others = ((org.apache.spark.sql.SparkSession) session).conf().get(EXCLUDED, "");
        set(EXCLUDED, others.length() == 0 ? COLUMN_PRUNING : others + "," + COLUMN_PRUNING);
        return ofRows(plan);
    }

    private void set(String key, String value) {
        ((org.apache.spark.sql.SparkSession) session).conf().set(key, value);
    }

    private static LogicalPlan optimized(Object frame) throws Exception {
        Object execution = frame.getClass().getMethod("queryExecution", new Class[0]).invoke(frame, new Object[0]);
        return (LogicalPlan) execution.getClass().getMethod("optimizedPlan", new Class[0]).invoke(execution, new Object[0]);
    }

    private Object ofRows(LogicalPlan plan) throws Exception {
        Class type = Class.forName("org.apache.spark.sql.classic.Dataset$");
        Method make = type.getMethod("ofRows", new Class[] {Class.forName("org.apache.spark.sql.classic.SparkSession"), LogicalPlan.class});
        return make.invoke(type.getField("MODULE$").get(null), new Object[] {session, plan});
    }

    /**
     * What is asked several times is computed once, until `close`. On disk: while rows are put into memory, theirs is not given back to the query that
     * reads them (`unroll memory`, org.apache.spark.storage.memory.MemoryStore), which fails where it needs some. Returns what is to be asked instead.
     */
    LogicalPlan keep(LogicalPlan plan) throws Exception {
        Flat flat = new Flat(plan);
        Object frame = frame(flat.kept);
        Class[] types = {StorageLevel.class};
        frame.getClass().getMethod("persist", types).invoke(frame, new Object[] {StorageLevel.DISK_ONLY()});
        kept.add(frame);
        return flat.plan;
    }

    void ran(Object frame) throws Exception {
        queries++;
        Object execution = frame.getClass().getMethod("queryExecution", new Class[0]).invoke(frame, new Object[0]);
        executed.add(execution.getClass().getMethod("executedPlan", new Class[0]).invoke(execution, new Object[0]));
    }

    /** The physical plans of which the rows were collected. */
    List executed() {
        return executed;
    }

    int queries() {
        return queries;
    }

    void close() throws Exception {
        for (int i = 0; i < kept.size(); i++) {
            kept.get(i).getClass().getMethod("unpersist", new Class[0]).invoke(kept.get(i), new Object[0]);
        }
        kept.clear();
    }
}
