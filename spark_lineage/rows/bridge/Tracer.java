package org.sparklineage.rows;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.In;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.logical.Distinct;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.JoinHint;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Goes from rows that a plan gives back to rows of its leaves, block by block: what the first block's rows carry tells which rows of the blocks
 * behind its links are meant. Every block is one query, to which the values are conditions that Catalyst moves down to the scans.
 */
public final class Tracer {
    /** A column of the plan that tells several targets apart: a long. */
    public static final String TAG = "__lineage_tag";

    private final Object session;
    private final int most;
    /** By leaf: what was found of it, plans with the columns tag and row. */
    private final Map found = new TreeMap();
    private final Map wholes = new TreeMap();
    private final LinkedHashSet kinds = new LinkedHashSet();
    private final java.util.HashSet used = new java.util.HashSet();
    private final List kept = new ArrayList();
    private int queries;
    private final boolean fixed;
    private boolean trusted;
    private boolean reproduced;

    /**
     * Up to `most` rows of a block come to the driver; with more the next is joined with it where they are. `fixed`: what is read are the very rows
     * that were read then, so that a deterministic plan gives the same ones again, and need not be asked for what follows from them.
     */
    public Tracer(Object session, int most, boolean fixed) {
        this.session = session;
        this.most = most;
        this.fixed = fixed;
    }

    /**
     * Follows rows of a plan. `given`: a condition over the product of the plan and of the rows that are meant, which have a long that tells them
     * apart as their first column.
     */
    public void follow(LogicalPlan given) throws Exception {
        Join product = (Join) ((Filter) given).child();
        LogicalPlan normal = new Normal().of(product.left());
        look(normal);
        trusted = fixed && Determinism.of(normal);
        List columns = Trees.list(product.right().output());
        List fields = columns.subList(1, columns.size());
        Alias key = Trees.named(Block.struct(fields), "__lineage_target");
        Alias tag = Trees.named((Attribute) columns.get(0), TAG);
        InternalRow[] rows = collect(new Project(Trees.seq(Trees.with(Trees.one(tag), Trees.one(key))), product.right()));
        Slot target = Slot.link("target", key.toAttribute(), normal, fields, ((Filter) given).condition());
        LogicalPlan keys = local(rows, 1, target);
        if (keys != null) {
            link(target, keys);
        }
    }

    /** Notes which attributes the nodes above the leaves refer to, and those that the plan gives. */
    private void look(LogicalPlan normal) {
        note(Trees.list(normal.output()));
        lookInto(normal);
    }

    private void lookInto(LogicalPlan node) {
        if (!Block.isLeaf(node)) {
            note(Trees.list(node.references()));
        }
        if (node instanceof org.apache.spark.sql.catalyst.plans.logical.Union) {
            note(Trees.list(((LogicalPlan) Trees.list(node.children()).get(0)).output()));
        }
        List children = Trees.list(node.children());
        for (int i = 0; i < children.size(); i++) {
            lookInto((LogicalPlan) children.get(i));
        }
    }

    private void note(List attributes) {
        for (int i = 0; i < attributes.size(); i++) {
            used.add(((Attribute) attributes.get(i)).exprId());
        }
    }

    private void step(Block block, LogicalPlan plan, Expression tag) throws Exception {
        wholes.putAll(block.wholes);
        Alias tagged = Trees.named(tag, TAG);
        ArrayList columns = new ArrayList(Trees.one(tagged));
        for (int i = 0; i < block.slots.size(); i++) {
            columns.add(((Slot) block.slots.get(i)).column);
        }
        LogicalPlan carried = new Project(Trees.seq(columns), plan);
        InternalRow[] rows = collect(new LocalLimit(Trees.literal(Integer.valueOf(most + 1)), carried));
        reproduced = reproduced || rows.length > 0;
        if (rows.length > most) {
            keep(carried);
        }
        for (int i = 0; i < block.slots.size(); i++) {
            Slot slot = (Slot) block.slots.get(i);
            LogicalPlan told = rows.length > most ? distinct(carried, tagged.toAttribute(), slot) : local(rows, i + 1, slot);
            if (told == null) {
                continue;
            }
            if (slot.isLeaf()) {
                keep(slot.leaf, told);
            } else {
                kinds.add(slot.kind);
                link(slot, told);
            }
        }
    }

    /** The distinct ones of a slot's column, with their tags; null where there is none. */
    private static LogicalPlan local(InternalRow[] rows, int at, Slot slot) {
        int fields = ((StructType) slot.column.dataType()).size();
        LinkedHashSet distinct = new LinkedHashSet();
        for (int i = 0; i < rows.length; i++) {
            if (!rows[i].isNullAt(at)) {
                distinct.add(java.util.Arrays.asList(new Object[] {Long.valueOf(rows[i].getLong(0)), rows[i].getStruct(at, fields).copy()}));
            }
        }
        ArrayList made = new ArrayList();
        java.util.Iterator each = distinct.iterator();
        while (each.hasNext()) {
            made.add(InternalRow.fromSeq(Trees.seq((List) each.next())));
        }
        List output = new ArrayList();
        output.add(Trees.named(Trees.literal(Long.valueOf(0L)), TAG).toAttribute());
        output.add(Trees.named(Trees.none(slot.column.dataType()), "row").toAttribute());
        return made.isEmpty() ? null : (LogicalPlan) new LocalRelation(Trees.seq(output), Trees.seq(made), false, scala.Option.apply(null));
    }

    private static LogicalPlan distinct(LogicalPlan carried, Attribute tag, Slot slot) {
        ArrayList columns = new ArrayList();
        columns.add(Trees.named(tag, TAG));
        columns.add(Trees.named(slot.column, "row"));
        Expression there = new org.apache.spark.sql.catalyst.expressions.IsNotNull(slot.column);
        return new Distinct(new Project(Trees.seq(columns), new Filter(there, carried)));
    }

    private void link(Slot slot, LogicalPlan keys) throws Exception {
        Block block = Block.of(slot.child, used);
        wholes.putAll(block.wholes);
        Attribute tag = (Attribute) Trees.list(keys.output()).get(0);
        Attribute key = (Attribute) Trees.list(keys.output()).get(1);
        if (keys instanceof LocalRelation && ((LocalRelation) keys).data().size() == 1) {
            InternalRow row = (InternalRow) ((LocalRelation) keys).data().apply(0);
            Expression condition = slot.condition == null ? null : Replacing.attributes(slot.condition, slot.fields, literals(row, slot.fields));
            Expression tagged = Trees.literal(Long.valueOf(row.getLong(0)));
            LogicalPlan group = condition == null || !trusted ? null : Known.group(new Filter(condition, slot.child));
            if (group == null) {
                step(block, condition == null ? block.plan : new Filter(condition, block.plan), tagged);
            } else {
                for (int i = 0; i < block.slots.size(); i++) {
                    kinds.add(((Slot) block.slots.get(i)).kind);
                }
                Block below = Block.of(group, used);
                reproduced = reproduced || !(group instanceof Filter);
                step(below, below.plan, tagged);
            }
            return;
        }
        ArrayList columns = new ArrayList();
        columns.add(tag);
        for (int i = 0; i < slot.fields.size(); i++) {
            AttributeReference field = (AttributeReference) slot.fields.get(i);
            Expression value = new GetStructField(key, i, scala.Option.apply(null));
            columns.add(new Alias(value, field.name(), field.exprId(), Trees.seq(new ArrayList()), scala.Option.apply(null), Trees.seq(new ArrayList())));
        }
        LogicalPlan meant = new Project(Trees.seq(columns), keys);
        LogicalPlan narrowed = narrowed(block.plan, slot, keys);
        step(block, new Join(narrowed, meant, Inner$.MODULE$, scala.Option.apply(slot.condition), JoinHint.NONE()), tag);
    }

    /** Of the rows of the child those that may be meant, by conditions that can be moved down: values of keys one by one. */
    private static LogicalPlan narrowed(LogicalPlan plan, Slot slot, LogicalPlan keys) {
        LogicalPlan result = plan;
        if (!(keys instanceof LocalRelation) || slot.condition == null) {
            return result;
        }
        List rows = Trees.list(((LocalRelation) keys).data());
        List equalities = conjuncts(slot.condition);
        for (int i = 0; i < equalities.size(); i++) {
            if (!(equalities.get(i) instanceof EqualNullSafe)) {
                continue;
            }
            EqualNullSafe same = (EqualNullSafe) equalities.get(i);
            int at = at(slot.fields, same.right());
            if (at < 0) {
                continue;
            }
            LinkedHashSet values = new LinkedHashSet();
            boolean isNull = false;
            for (int j = 0; j < rows.size(); j++) {
                Literal value = literal((InternalRow) rows.get(j), slot.fields, at);
                isNull = isNull || value.value() == null;
                if (value.value() != null) {
                    values.add(value);
                }
            }
            Expression in = new In(same.left(), Trees.seq(new ArrayList(values)));
            result = new Filter(isNull ? (Expression) new Or(new IsNull(same.left()), in) : in, result);
        }
        return result;
    }

    private static int at(List fields, Expression attribute) {
        for (int i = 0; i < fields.size(); i++) {
            if (attribute instanceof Attribute && ((Attribute) fields.get(i)).exprId().equals(((Attribute) attribute).exprId())) {
                return i;
            }
        }
        return -1;
    }

    static List conjuncts(Expression condition) {
        if (condition instanceof And) {
            return Trees.with(conjuncts(((And) condition).left()), conjuncts(((And) condition).right()));
        }
        return Trees.one(condition);
    }

    private static List literals(InternalRow row, List fields) {
        ArrayList result = new ArrayList();
        for (int i = 0; i < fields.size(); i++) {
            result.add(literal(row, fields, i));
        }
        return result;
    }

    private static Literal literal(InternalRow row, List fields, int at) {
        Attribute field = (Attribute) fields.get(at);
        return new Literal(row.getStruct(1, fields.size()).get(at, field.dataType()), field.dataType());
    }

    private void keep(int leaf, LogicalPlan rows) {
        List known = (List) found.get(Integer.valueOf(leaf));
        if (known == null) {
            known = new ArrayList();
            found.put(Integer.valueOf(leaf), known);
        }
        known.add(rows);
    }

    /** What is asked several times is computed once, in memory and on disk, until `close`. */
    private void keep(LogicalPlan plan) throws Exception {
        Object frame = frame(plan);
        frame.getClass().getMethod("persist", new Class[0]).invoke(frame, new Object[0]);
        kept.add(frame);
    }

    /** Lets go of what was kept; frames are of no use afterwards. */
    public void close() throws Exception {
        for (int i = 0; i < kept.size(); i++) {
            kept.get(i).getClass().getMethod("unpersist", new Class[0]).invoke(kept.get(i), new Object[0]);
        }
        kept.clear();
    }

    private InternalRow[] collect(LogicalPlan plan) throws Exception {
        queries++;
        Object frame = frame(plan);
        Object execution = frame.getClass().getMethod("queryExecution", new Class[0]).invoke(frame, new Object[0]);
        Object physical = execution.getClass().getMethod("executedPlan", new Class[0]).invoke(execution, new Object[0]);
        return ((org.apache.spark.sql.execution.SparkPlan) physical).executeCollect();
    }

    private Object frame(LogicalPlan plan) throws Exception {
        plan.setAnalyzed();
        Class type = Class.forName("org.apache.spark.sql.classic.Dataset$");
        Method make = type.getMethod("ofRows", new Class[] {Class.forName("org.apache.spark.sql.classic.SparkSession"), LogicalPlan.class});
        return make.invoke(type.getField("MODULE$").get(null), new Object[] {session, plan});
    }

    /** The leaves of which rows were found, in order. */
    public List leaves() {
        return new ArrayList(found.keySet());
    }

    /** Frames with the columns tag and row: together what was found of a leaf. */
    public List frames(int leaf) throws Exception {
        List plans = (List) found.get(Integer.valueOf(leaf));
        ArrayList frames = new ArrayList();
        for (int i = 0; i < plans.size(); i++) {
            frames.add(frame((LogicalPlan) plans.get(i)));
        }
        return frames;
    }

    /** Whether all that was found of a leaf is here; else a frame is a query. */
    public boolean isLocal(int leaf) {
        List plans = (List) found.get(Integer.valueOf(leaf));
        for (int i = 0; i < plans.size(); i++) {
            if (!(plans.get(i) instanceof LocalRelation)) {
                return false;
            }
        }
        return true;
    }

    /** Leaves whose rows all decide, with the reason. */
    public Map wholes() {
        return new LinkedHashMap(wholes);
    }

    /** What was on the way: `aggregate`, `window`, `semi join`, and names of nodes of which nothing is known. */
    public List kinds() {
        return new ArrayList(kinds);
    }

    public int queries() {
        return queries;
    }

    /** Whether the plan gives the rows that were followed. */
    public boolean isReproduced() {
        return reproduced;
    }
}
