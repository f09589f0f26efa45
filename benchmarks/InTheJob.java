package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GreaterThanOrEqual;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.ScalaUDF;
import org.apache.spark.sql.catalyst.expressions.XxHash64;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.types.DataTypes;

/**
 * A plan that remembers, as it is run, of a share of its rows which rows of its leaves they are made of: below its topmost aggregate each row carries
 * the ids of the rows that it comes from, and a test in generated code by the hash of its group gives those of few groups to a bounded reservoir.
 */
public final class InTheJob {
    private static final List ABOVE = java.util.Arrays.asList(new Object[] {"Filter", "Sort", "GlobalLimit", "LocalLimit", "Project"});

    /** Null where there is nothing to sample by: an aggregate without groups is one row, of which it is known before whether it is chosen. */
    public static LogicalPlan of(LogicalPlan analyzed, long bound, Object reservoir) throws Exception {
        LogicalPlan normal = new Normal().of(analyzed);
        LogicalPlan made = in(normal, normal, bound, reservoir);
        return made == null ? null : (LogicalPlan) new Project(normal.output(), made);
    }

    private static LogicalPlan in(LogicalPlan node, LogicalPlan root, long bound, Object reservoir) throws Exception {
        if (node instanceof Aggregate) {
            Aggregate aggregate = (Aggregate) node;
            List keys = Trees.list(aggregate.groupingExpressions());
            return keys.isEmpty() ? null : Trees.withChild(node, sampled(aggregate.child(), keys, bound, reservoir));
        }
        List children = Trees.list(node.children());
        if (!isAbove(node) || node instanceof Filter && !groups(node)) {
            return sampled(node, Trees.list(node.output()), bound, reservoir);
        }
        LogicalPlan below = in((LogicalPlan) children.get(0), root, bound, reservoir);
        return below == null ? null : Trees.withChild(node, below);
    }

    private static boolean isAbove(LogicalPlan node) {
        return ABOVE.contains(node.getClass().getSimpleName()) && !Block.isLeaf(node);
    }

    /** Whether there is an aggregate below: nothing is moved down through the test, and conditions of joins must be. */
    private static boolean groups(LogicalPlan node) {
        LogicalPlan below = node;
        while (isAbove(below)) {
            below = (LogicalPlan) Trees.list(below.children()).get(0);
        }
        return below instanceof Aggregate;
    }

    private static LogicalPlan sampled(LogicalPlan node, List keys, long bound, Object reservoir) throws Exception {
        Block block = Block.of(node, new HashSet());
        Expression hash = new XxHash64(Trees.seq(keys), 42L);
        ArrayList parts = new ArrayList();
        parts.add(Trees.literal("hash"));
        parts.add(hash);
        for (int i = 0; i < block.slots.size(); i++) {
            parts.add(Trees.literal("s" + i));
            parts.add(((Slot) block.slots.get(i)).column);
        }
        Object[] given = {reservoir, DataTypes.BooleanType, Trees.seq(Trees.one(new CreateNamedStruct(Trees.seq(parts)))), Trees.seq(new ArrayList()),
            scala.Option.apply(null), scala.Option.apply("remembered"), Boolean.FALSE, Boolean.FALSE};
        Expression remembered = (Expression) ScalaUDF.class.getConstructors()[0].newInstance(given);
        Expression kept = new Or(new GreaterThanOrEqual(hash, Trees.literal(Long.valueOf(bound))), remembered);
        return new Project(Trees.seq(Trees.list(node.output())), new Filter(kept, block.plan));
    }

    public static Reservoir reservoir(org.apache.spark.SparkContext context) {
        Remembered accumulator = new Remembered();
        context.register(accumulator);
        return new Reservoir(accumulator);
    }

    /** Called of the rows of chosen groups alone. */
    public static final class Reservoir extends scala.runtime.AbstractFunction1 implements java.io.Serializable {
        public final Remembered accumulator;

        public Reservoir(Remembered accumulator) {
            this.accumulator = accumulator;
        }

        public Object apply(Object row) {
            accumulator.add(row);
            return Boolean.TRUE;
        }

        public long groups() {
            return accumulator.rows.size();
        }

        public long rows() {
            return accumulator.count;
        }
    }

    /** By group so many rows at most, and so many groups. */
    public static final class Remembered extends org.apache.spark.util.AccumulatorV2 {
        private static final int ROWS = 1000;
        private static final int GROUPS = 10000;
        public final Map rows = new HashMap();
        public long count;

        public boolean isZero() {
            return count == 0;
        }

        public org.apache.spark.util.AccumulatorV2 copy() {
            Remembered other = new Remembered();
            other.merge(this);
            return other;
        }

        public void reset() {
            rows.clear();
            count = 0;
        }

        public void add(Object row) {
            keep(Long.valueOf(((org.apache.spark.sql.Row) row).getLong(0)), row);
            count++;
        }

        private void keep(Object group, Object row) {
            List known = (List) rows.get(group);
            if (known == null && rows.size() < GROUPS) {
                known = new ArrayList();
                rows.put(group, known);
            }
            if (known != null && known.size() < ROWS) {
                known.add(row);
            }
        }

        public void merge(org.apache.spark.util.AccumulatorV2 other) {
            java.util.Iterator groups = ((Remembered) other).rows.entrySet().iterator();
            while (groups.hasNext()) {
                Map.Entry group = (Map.Entry) groups.next();
                List some = (List) group.getValue();
                for (int i = 0; i < some.size(); i++) {
                    keep(group.getKey(), some.get(i));
                }
            }
            count += ((Remembered) other).count;
        }

        public Object value() {
            return rows;
        }
    }
}
