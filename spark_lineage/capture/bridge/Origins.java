package org.sparklineage.bridge;

import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/**
 * The plans that were checkpointed. Spark forgets them: the checkpointed frame is an RDD without parents. But its columns keep
 * their expression ids, and the checkpoint itself is an execution, whose plan is remembered here, the latest ones only: as
 * text, since the plan itself would keep the job's RDDs, and the blocks of the checkpoints before, from being freed. On the
 * worker alone.
 */
final class Origins {
    private static final int LIMIT = 64;
    private static final int CHARACTERS_MAX = 8 << 20;
    /** Texts that go into one document. */
    private static final int EMBEDDED_MAX = 1 << 18;

    /** The root of the latest plan by the columns that it gives. */
    private final LinkedHashMap roots = new LinkedHashMap();
    private final LinkedHashMap known = new LinkedHashMap();
    private long characters;
    /** Whether a plan was left out of a document; who asks sets it back. */
    boolean leftOut;
    /** Their nodes are numbered on from the last one's, so that they can stand beside each other in a document. */
    private int nextId = 1 << 24;

    static boolean isCheckpoint(Bridge.Finished one) {
        String name = Reflect.text(one.end.executionName());
        return name != null && (name.equals("checkpoint") || name.equals("localCheckpoint"));
    }

    /** Remembers a plan that an execution checkpointed; what it said of the same one before is forgotten. Throws Budget.Over. */
    void note(long execution, LogicalPlan plan, Budget budget, Redaction redaction) {
        String key = key(plan);
        if (key == null) {
            return;
        }
        Integer before = (Integer) roots.get(key);
        Origin same = (Origin) known.get(before);
        if (same != null && same.execution == execution) {
            before = same.before;
            roots.put(key, before);
        }
        PlanWriter writer = new PlanWriter(budget, redaction, this, nextId);
        Origin origin = writer.origin(plan);
        origin.execution = execution;
        origin.before = before;
        nextId = origin.root + 1;
        roots.remove(key);
        roots.put(key, Integer.valueOf(origin.root));
        known.put(Integer.valueOf(origin.root), origin);
        characters += origin.size();
        forget(LIMIT, CHARACTERS_MAX);
    }

    private void forget(int count, int limit) {
        while (known.size() > count || characters > limit) {
            Iterator eldest = known.values().iterator();
            characters -= ((Origin) eldest.next()).size();
            eldest.remove();
        }
        while (roots.size() > known.size()) {
            Iterator eldest = roots.keySet().iterator();
            eldest.next();
            eldest.remove();
        }
    }

    /** The number of the plan that a leaf's rows were checkpointed from, 0 for any other leaf. */
    int of(LogicalPlan leaf) {
        if (known.isEmpty() || !Reflect.simpleName(leaf).equals("LogicalRDD")) {
            return 0;
        }
        Object rdd = Reflect.tryCall(leaf, "rdd");
        if (!(rdd instanceof RDD) || Reflect.unwrap(Reflect.field(rdd, RDD.class, "checkpointData")) == null) {
            return 0;
        }
        Integer root = (Integer) roots.get(key(leaf));
        return root == null || !known.containsKey(root) ? 0 : root.intValue();
    }

    /**
     * Writes the nodes of these plans and of those that they were made from, and adds their columns to `attributes`. For one
     * that is forgotten, or too much, there is a node in its place that says so.
     */
    void embed(Json nodes, Map attributes, Map places) {
        Set seen = new HashSet();
        LinkedList waiting = new LinkedList(places.entrySet());
        int written = 0;
        while (!waiting.isEmpty()) {
            Map.Entry next = (Map.Entry) waiting.removeFirst();
            if (!seen.add(next.getKey())) {
                continue;
            }
            Origin origin = (Origin) known.get(next.getKey());
            if (origin == null || written > 0 && written + origin.size() > EMBEDDED_MAX) {
                nodes.raw((String) next.getValue()).comma();
                leftOut = true;
                continue;
            }
            written += origin.size();
            nodes.raw(origin.nodes);
            Iterator columns = origin.attributes.entrySet().iterator();
            while (columns.hasNext()) {
                Map.Entry column = (Map.Entry) columns.next();
                if (!attributes.containsKey(column.getKey())) {
                    attributes.put(column.getKey(), column.getValue());
                }
            }
            waiting.addAll(origin.places.entrySet());
        }
    }

    int size() {
        return known.size();
    }

    private static String key(LogicalPlan plan) {
        List output = Reflect.list(plan.output());
        StringBuilder ids = new StringBuilder();
        for (int i = 0; i < output.size(); i++) {
            ids.append(((Attribute) output.get(i)).exprId().id()).append(',');
        }
        return ids.length() == 0 ? null : ids.toString();
    }

    /** A plan as it is written, and by number what stands in the place of each plan that it was itself made from. */
    static final class Origin {
        final int root;
        /** With a comma behind each. */
        final String nodes;
        final Map attributes;
        final Map places;
        long execution;
        /** The one that had the same columns before it, null where there was none. */
        Integer before;

        Origin(int root, String nodes, Map attributes, Map places) {
            this.root = root;
            this.nodes = nodes;
            this.attributes = attributes;
            this.places = places;
        }

        int size() {
            return nodes.length() + 60 * attributes.size();
        }
    }
}
