package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.apache.spark.sql.execution.FileSourceScanLike;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanExec;
import org.apache.spark.sql.execution.adaptive.QueryStageExec;
import org.apache.spark.sql.execution.columnar.InMemoryTableScanExec;
import org.apache.spark.sql.execution.exchange.ReusedExchangeExec;
import org.apache.spark.util.AccumulatorV2;

/** How many rows the scans of files gave in plans that ran: those that were left after what Parquet's statistics, partitions and Delta's skip. */
public final class Reads {
    private final IdentityHashMap seen = new IdentityHashMap();
    private long rows;

    /** `plans`: physical ones, each counted once, whatever is reused in several. */
    public static long rows(List plans) {
        Reads reads = new Reads();
        for (int i = 0; i < plans.size(); i++) {
            reads.add((SparkPlan) plans.get(i));
        }
        return reads.rows;
    }

    private void add(SparkPlan plan) {
        if (seen.put(plan, plan) != null) {
            return;
        }
        if (plan instanceof FileSourceScanLike) {
            Object metric = plan.metrics().get("numOutputRows").get();
            rows += ((Long) ((AccumulatorV2) metric).value()).longValue();
        }
        List below = new ArrayList();
        if (plan instanceof AdaptiveSparkPlanExec) {
            below.add(((AdaptiveSparkPlanExec) plan).executedPlan());
        } else if (plan instanceof QueryStageExec) {
            below.add(((QueryStageExec) plan).plan());
        } else if (plan instanceof InMemoryTableScanExec) {
            below.add(((InMemoryTableScanExec) plan).relation().cachedPlan());
        } else if (!(plan instanceof ReusedExchangeExec)) { // what is used again was read where it was made
            below = Trees.list(plan.children());
        }
        below = Trees.with(below, Trees.list(plan.subqueries()));
        for (int i = 0; i < below.size(); i++) {
            add((SparkPlan) below.get(i));
        }
    }
}
