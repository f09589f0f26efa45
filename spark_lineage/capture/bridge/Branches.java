package org.sparklineage.bridge;

import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/**
 * The branches of a union. A frame that is unioned with itself in a loop gives one flat union whose branches are equal but
 * for the numbers of their columns, which Spark makes afresh: two branches are the same when their texts are, with the
 * columns that each defines numbered from one. A column of a query around the union keeps its number.
 */
final class Branches {
    private final HashMap numbers = new HashMap();

    /** A column that the branch defines. */
    void define(long id) {
        Long key = Long.valueOf(id);
        if (!numbers.containsKey(key)) {
            numbers.put(key, Long.valueOf(-1L - numbers.size()));
        }
    }

    /** The column's number within the branch, below zero; its own where the branch does not define it. */
    long number(long id) {
        Long known = (Long) numbers.get(Long.valueOf(id));
        return known == null ? id : known.longValue();
    }

    static boolean isUnionOfQueries(LogicalPlan plan, List children) {
        return children.size() > 1 && Reflect.simpleName(plan).equals("Union") && !Noise.writes(Reflect.simpleName(children.get(0)));
    }

    /**
     * The shapes of the branches that more than one of them has: the others need not be compared. Without this, a union whose
     * first branch is a union and so on would have each of its nodes compared once for each union above it. `shapes` keeps what
     * was found of a plan's nodes.
     */
    static Set shared(List branches, IdentityHashMap shapes, Budget budget) {
        HashSet seen = new HashSet();
        HashSet shared = new HashSet();
        for (int i = 0; i < branches.size(); i++) {
            Object shape = shape((LogicalPlan) branches.get(i), shapes, budget);
            if (!seen.add(shape)) {
                shared.add(shape);
            }
        }
        return shared;
    }

    /** The classes of a plan's nodes and how they hang together, as a number: equal for equal branches. Throws Budget.Over. */
    private static Long shape(LogicalPlan plan, IdentityHashMap shapes, Budget budget) {
        Long known = (Long) shapes.get(plan);
        if (known != null) {
            return known;
        }
        budget.look();
        List children = Reflect.list(plan.children());
        long shape = plan.getClass().getName().hashCode();
        for (int i = 0; i < children.size(); i++) {
            shape = shape * 1000003L + shape((LogicalPlan) children.get(i), shapes, budget).longValue();
        }
        Long found = Long.valueOf(shape * 31L + children.size());
        shapes.put(plan, found);
        return found;
    }

    /** What equal branches have in common; null where it cannot be told. Throws Budget.Over. */
    static String key(LogicalPlan branch, Budget budget, Redaction redaction, Origins origins) {
        String text = new PlanWriter(budget.withoutNodes(), redaction, origins, new Branches(), 1).write(branch);
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes("UTF-8"));
            return new java.math.BigInteger(digest).toString(36);
        } catch (Exception e) {
            return null;
        }
    }
}
