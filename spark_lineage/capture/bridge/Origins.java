package org.sparklineage.bridge;

import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/**
 * The plans that were checkpointed. Spark forgets them: the checkpointed frame is an RDD without parents. But its columns keep
 * their expression ids, and the checkpoint itself is an execution, whose plan is remembered here: the latest ones only.
 */
final class Origins {
    private static final int LIMIT = 64;
    private static final int DEPTH = 16;
    private static final LinkedHashMap KNOWN = new LinkedHashMap();
    private static final Origin NONE = new Origin(null, null);

    /** In the plan that is being written: where to go on from inside an origin, by key. */
    private final Map inside = new HashMap();

    /** On the listener's thread: moves a reference. */
    static void note(Bridge.Finished one) {
        String name = Reflect.text(one.end.executionName());
        if (name == null || !name.equals("checkpoint") && !name.equals("localCheckpoint")) {
            return;
        }
        LogicalPlan plan = one.end.qe().analyzed();
        String key = key(plan);
        if (key == null) {
            return;
        }
        synchronized (KNOWN) {
            KNOWN.put(key, new Origin(plan, (Origin) KNOWN.remove(key)));
            if (KNOWN.size() > LIMIT) {
                Iterator eldest = KNOWN.keySet().iterator();
                eldest.next();
                eldest.remove();
            }
        }
    }

    /**
     * The plan that a leaf's rows were checkpointed from, null for any other leaf. A frame checkpointed twice has the same ids
     * both times: inside of its origin the one before is meant, so what was asked for must be left again.
     */
    LogicalPlan enter(LogicalPlan leaf) {
        if (!isCheckpointed(leaf)) {
            return null;
        }
        String key = key(leaf);
        Origin origin = (Origin) inside.get(key);
        if (origin == null) {
            synchronized (KNOWN) {
                origin = (Origin) KNOWN.get(key);
            }
        }
        if (origin == null || origin.plan == null) {
            return null;
        }
        inside.put(key, origin.before == null ? NONE : origin.before);
        return origin.plan;
    }

    void leave(LogicalPlan leaf) {
        inside.remove(key(leaf));
    }

    private static boolean isCheckpointed(LogicalPlan leaf) {
        synchronized (KNOWN) {
            if (KNOWN.isEmpty() || !Reflect.simpleName(leaf).equals("LogicalRDD")) {
                return false;
            }
        }
        Object rdd = Reflect.tryCall(leaf, "rdd");
        return rdd instanceof RDD && Reflect.unwrap(Reflect.field(rdd, RDD.class, "checkpointData")) != null;
    }

    static void forget() {
        synchronized (KNOWN) {
            KNOWN.clear();
        }
    }

    private static String key(LogicalPlan plan) {
        List output = Reflect.list(plan.output());
        StringBuilder ids = new StringBuilder();
        for (int i = 0; i < output.size(); i++) {
            ids.append(((Attribute) output.get(i)).exprId().id()).append(',');
        }
        return ids.length() == 0 ? null : ids.toString();
    }

    /** A plan, and what its columns were checkpointed from before. */
    private static final class Origin {
        final LogicalPlan plan;
        final Origin before;

        Origin(LogicalPlan plan, Origin before) {
            this.plan = plan;
            this.before = before == null || depth(before) < DEPTH ? before : null;
        }

        private static int depth(Origin origin) {
            int depth = 0;
            for (Origin one = origin; one != null; one = one.before) {
                depth++;
            }
            return depth;
        }
    }
}
