package org.sparklineage.bridge;

import java.util.List;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;

/** Tells what the user did from what Spark and Delta do for themselves. docs/capture.md lists the rules. */
final class Noise {
    private Noise() {
    }

    /** Whether a nested execution is Delta's own: snapshots, statistics, file filtering. Cheap: for the listener thread. */
    static boolean isDeltaOwn(Bridge.Finished one) {
        String name = Reflect.text(one.end.executionName());
        if (name != null && name.equals("deltaTransactionalWrite")) {
            return false;
        }
        return startsLikeDelta(one.start.description());
    }

    private static boolean startsLikeDelta(String description) {
        return description != null && (description.startsWith("Delta: ") || description.startsWith("Cache Delta")
            || description.startsWith("Delta checkpoint") || description.indexOf("\nDelta: ") >= 0);
    }

    /** Whether a root execution is not the user's. `plan` is its analyzed plan. */
    static boolean isRootNoise(Bridge.Finished one, LogicalPlan plan, boolean reads) {
        if (Reflect.simpleName(plan).equals("CommandResult")) {
            return true;
        }
        if (isCommand(plan)) {
            return collectsAResult(one) || Streams.isSinkView(plan);
        }
        if (!reads || startsLikeDelta(one.start.description())) {
            return true;
        }
        return readsOnlyDeltaLog(plan) || infersSchema(one, plan);
    }

    private static boolean isCommand(LogicalPlan plan) {
        if (plan instanceof Command || writes(Reflect.simpleName(plan))) {
            return true;
        }
        List children = Reflect.list(plan.children());
        return Reflect.simpleName(plan).equals("Union") && !children.isEmpty() && isCommand((LogicalPlan) children.get(0));
    }

    /**
     * A command runs once, in a query execution of its own whose mode is not ALL; the one with mode ALL is the frame that
     * `spark.sql` gave, whose collect() posts the same plan again. A stream's batch has mode ALL too, and no name.
     */
    private static boolean collectsAResult(Bridge.Finished one) {
        return Reflect.text(one.end.executionName()) != null && "ALL".equals(String.valueOf(Reflect.tryCall(one.end.qe(), "mode")));
    }

    static boolean writes(String kind) {
        return kind.equals("AppendData") || kind.startsWith("Overwrite") || kind.endsWith("TableAsSelect")
            || kind.startsWith("WriteToMicroBatch") || kind.endsWith("Command");
    }

    /** Delta's own queries read its log and nothing else. */
    private static boolean readsOnlyDeltaLog(LogicalPlan plan) {
        List leaves = Reflect.list(plan.collectLeaves());
        boolean log = false;
        for (int i = 0; i < leaves.size() && i < 1000; i++) {
            Object leaf = leaves.get(i);
            if (leaf instanceof LogicalRelation) {
                if (!index((LogicalRelation) leaf).equals("DeltaLogFileIndex")) {
                    return false;
                }
                log = true;
            } else if (Reflect.simpleName(leaf).equals("DataSourceV2Relation")) {
                return false;
            }
        }
        return log;
    }

    private static String index(LogicalRelation relation) {
        Object source = relation.relation();
        return source instanceof HadoopFsRelation ? Reflect.simpleName(((HadoopFsRelation) source).location()) : "";
    }

    /** Inference for a path in SQL (csv.`/x`): DataSource reads the files as text and says by an option of its own that no path is a glob. */
    private static boolean namesItsFiles(LogicalPlan plan) {
        List leaves = Reflect.list(plan.collectLeaves());
        if (leaves.size() != 1 || !(leaves.get(0) instanceof LogicalRelation)) {
            return false;
        }
        Object source = ((LogicalRelation) leaves.get(0)).relation();
        return source instanceof HadoopFsRelation && Reflect.simpleName(((HadoopFsRelation) source).fileFormat()).equals("TextFileFormat")
            && "false".equals(Reflect.text(((HadoopFsRelation) source).options().get("__globpaths__")));
    }

    /** CSV and JSON schema inference: the files read as text by DataSource's own code, called from a reader's load. */
    private static boolean infersSchema(Bridge.Finished one, LogicalPlan plan) {
        if (namesItsFiles(plan)) {
            return true;
        }
        String site = one.start.details();
        if (site == null || site.indexOf("DataFrameReader.") < 0) {
            return false;
        }
        String first = site.indexOf('\n') < 0 ? site : site.substring(0, site.indexOf('\n'));
        return first.indexOf("DataFrameReader.") >= 0;
    }
}
