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
        return !reads || DeltaOwn.isRoot(one, plan) || infersSchema(one, plan) || readsNothing(one, plan);
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
        return one.start.callers().indexOf("SparkSession.sql(") >= 0;
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

    /** The names that Spark gives to executions of commands. */
    static boolean isWriteName(String name) {
        return name != null && (name.equals("command") || name.startsWith("multi") || name.equals("append") || name.equals("create")
            || name.startsWith("overwrite") || name.startsWith("replace"));
    }

    static boolean writes(String kind) {
        return kind.equals("AppendData") || kind.startsWith("Overwrite") || kind.endsWith("TableAsSelect")
            || kind.startsWith("WriteToMicroBatch") || kind.endsWith("Command");
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
