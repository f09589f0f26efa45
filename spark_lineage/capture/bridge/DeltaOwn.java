package org.sparklineage.bridge;

import java.util.List;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;

/**
 * What Delta runs for itself: snapshots, statistics, checkpoints, the choice of files. It is told by the names that Delta gives
 * to executions and to its cached states, by plans and by call sites. Descriptions alone do not do: a user may write
 * whatever they like there, and with `setJobGroup` or in a thriftserver Delta's executions have the user's text.
 */
final class DeltaOwn {
    private static final String DESCRIBED = "Delta: ";

    private DeltaOwn() {
    }

    /** Whether a nested execution is Delta's own; `root` began it. Cheap: for the listener thread. */
    static boolean isNested(Bridge.Finished one, Started root) {
        String name = Reflect.text(one.end.executionName());
        if (isNamed(name)) {
            return true;
        }
        String description = one.start.description();
        if ("deltaTransactionalWrite".equals(name) || description == null || !description.startsWith(DESCRIBED)) {
            return false;
        }
        String before = String.valueOf(root.description());
        if (description.startsWith(DESCRIBED + before + ":")) {
            return true;
        }
        // The text of the root's user, as it is or with Delta's word behind it (" - scanning files ..." of a MERGE); or one that
        // a function of foreachBatch set: only there does code of the user's run inside an execution.
        return !description.startsWith(before) && !(Streams.isBatch(before) && Noise.isWriteName(name));
    }

    /** Whether a query that is no command, in an execution of its own, is Delta's: a snapshot, a checkpoint, a table's history. */
    static boolean isRoot(Bridge.Finished one, LogicalPlan plan) {
        return isNamed(Reflect.text(one.end.executionName())) || startsInDelta(one) || readsOnlyDeltaState(plan);
    }

    /** Names that Delta gives: states that it caches ("Cache Delta Table State #1 - path"), checkpoints. */
    private static boolean isNamed(String name) {
        return name != null && (name.startsWith("Cache Delta ") || name.startsWith("Delta checkpoint"));
    }

    /** What was called, or what called it, is Delta's code: the history of a table, the statistics of files to convert. */
    private static boolean startsInDelta(Bridge.Finished one) {
        String callers = one.start.callers();
        return callers.indexOf("io.delta.") >= 0 || callers.indexOf(".sql.delta.") >= 0;
    }

    /** Its leaves are files of a Delta log, or the states that Delta has cached of one. */
    private static boolean readsOnlyDeltaState(LogicalPlan plan) {
        List leaves = Reflect.list(plan.collectLeaves());
        boolean state = false;
        for (int i = 0; i < leaves.size() && i < 1000; i++) {
            Object leaf = leaves.get(i);
            String kind = Reflect.simpleName(leaf);
            if (leaf instanceof LogicalRelation) {
                if (!index((LogicalRelation) leaf).equals("DeltaLogFileIndex")) {
                    return false;
                }
                state = true;
            } else if (kind.equals("LogicalRDD") && isState(leaf)) {
                state = true;
            } else if (kind.equals("DataSourceV2Relation")) {
                return false;
            }
        }
        return state;
    }

    private static boolean isState(Object leaf) {
        String name = String.valueOf(Reflect.tryCall(Reflect.tryCall(leaf, "rdd"), "name"));
        return name.startsWith("Delta Table State ") || name.startsWith("Delta Source Snapshot ");
    }

    private static String index(LogicalRelation relation) {
        Object source = relation.relation();
        return source instanceof HadoopFsRelation ? Reflect.simpleName(((HadoopFsRelation) source).location()) : "";
    }
}
