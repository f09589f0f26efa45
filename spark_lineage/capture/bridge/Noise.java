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

    /**
     * Whether a root execution is left out, by what it cost nothing to learn: names, classes, leaves. `plan` is its analyzed plan.
     * docs/capture.md has a row for each rule.
     */
    static boolean isRootNoise(Bridge.Finished one, LogicalPlan plan, boolean reads) {
        String kind = Reflect.simpleName(plan);
        if (kind.equals("CommandResult")) {
            return true;
        }
        if (isCommand(plan)) {
            return collectsAResult(one) || Quiet.is(kind) || Streams.isSinkView(plan);
        }
        if (!reads || startsLikeDelta(one.start.description()) || startsInDelta(one)) {
            return true;
        }
        return readsOnlyDeltaLog(plan) || infersSchema(one, plan) || readsNothing(one, plan);
    }

    /**
     * Rows that are in the driver already: the result of a command that is looked at, a listing of the catalog. And what Spark and
     * Delta compute for themselves while they run a command: a script's IF, the listing of the files to convert.
     */
    private static boolean readsNothing(Bridge.Finished one, LogicalPlan plan) {
        List leaves = Reflect.list(plan.collectLeaves());
        boolean local = true;
        for (int i = 0; i < leaves.size() && i < 1000; i++) {
            String kind = Reflect.simpleName(leaves.get(i));
            boolean held = kind.equals("LocalRelation") || kind.equals("CommandResult");
            if (!held && !kind.equals("OneRowRelation") && !kind.equals("ExternalRDD") && !kind.equals("LogicalRDD")) {
                return false;
            }
            local &= held;
        }
        return (local || startsInSql(one)) && Reflect.list(Reflect.tryCall(plan, "subqueriesAll")).isEmpty();
    }

    /** `spark.sql(...)` runs commands; the query of a frame that it returns starts somewhere else. */
    private static boolean startsInSql(Bridge.Finished one) {
        return callers(one).indexOf("SparkSession.sql(") >= 0;
    }

    /** What was called, or what called it, is Delta's code: the history of a table, the statistics of files to convert. */
    private static boolean startsInDelta(Bridge.Finished one) {
        String callers = callers(one);
        return callers.indexOf("io.delta.") >= 0 || callers.indexOf(".sql.delta.") >= 0;
    }

    /** The first two lines of the call site: the outermost call into Spark, and who made it. */
    private static String callers(Bridge.Finished one) {
        String site = one.start.details();
        int first = site == null ? -1 : site.indexOf('\n');
        int second = first < 0 ? -1 : site.indexOf('\n', first + 1);
        return site == null ? "" : second < 0 ? site : site.substring(0, second);
    }

    static boolean isCommand(LogicalPlan plan) {
        if (plan instanceof Command || writes(Reflect.simpleName(plan))) {
            return true;
        }
        List children = Reflect.list(plan.children());
        return Reflect.simpleName(plan).equals("Union") && !children.isEmpty() && isCommand((LogicalPlan) children.get(0));
    }

    /**
     * A command runs once, in a query execution of its own whose mode is not ALL; the one with mode ALL is the frame that
     * `spark.sql` gave, whose collect() posts the same plan again. A stream's batch has mode ALL too, and no name; so has what
     * DeltaTable.create() runs, which is called `create delta table`.
     */
    private static boolean collectsAResult(Bridge.Finished one) {
        String name = Reflect.text(one.end.executionName());
        if (name == null || name.toLowerCase(java.util.Locale.ROOT).endsWith("table") || one.commits != null && !one.commits.isEmpty()) {
            return false;
        }
        return "ALL".equals(String.valueOf(Reflect.tryCall(one.end.qe(), "mode")));
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

    /** CSV, JSON and XML schema inference: the files read as text by DataSource's own code, called from a reader's load. */
    private static boolean infersSchema(Bridge.Finished one, LogicalPlan plan) {
        if (namesItsFiles(plan)) {
            return true;
        }
        String site = one.start.details();
        if (site == null) {
            return false;
        }
        String first = site.indexOf('\n') < 0 ? site : site.substring(0, site.indexOf('\n'));
        return first.indexOf("DataFrameReader.") >= 0;
    }
}
