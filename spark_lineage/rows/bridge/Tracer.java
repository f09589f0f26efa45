package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.In;
import org.apache.spark.sql.catalyst.expressions.IsNotNull;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.RowOrdering;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.LeftSemi$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Distinct;
import org.apache.spark.sql.catalyst.plans.logical.Expand;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.JoinHint;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Repartition;
import org.apache.spark.sql.catalyst.plans.logical.Union;
import org.apache.spark.sql.types.StructType;

/**
 * Goes from rows that a plan gives back to rows of its leaves, block by block: what the first block's rows carry tells which rows of the blocks
 * behind its links are meant. Every block is one query, to which the values are conditions that Catalyst moves down to the scans.
 */
public final class Tracer extends Finding {
    private static final String TARGET = "target";
    /** How the column is called that tells the keys of a link apart. */
    private static final String TAG = "__lineage_tag";

    private final int most;
    private final Map wholes = new TreeMap();
    private final LinkedHashSet kinds = new LinkedHashSet();
    private final java.util.HashSet used = new java.util.HashSet();
    /** By plan behind a link: the keys that it was asked for. */
    private final java.util.IdentityHashMap asked = new java.util.IdentityHashMap();
    private final boolean fixed;
    private final boolean deciding;
    private boolean trusted;
    private boolean deterministic;
    private boolean chooses;
    /** Whether the plan, read again, gives the very same rows. */
    private boolean repeats;
    private int targets;
    private int missing;
    private int lost;
    private LogicalPlan given;
    private boolean atTarget;
    private int matched;

    /**
     * Up to `most` rows of a block come to the driver; with more the next is joined with it where they are. `fixed`: what is read are the very rows
     * that were read then, so that a deterministic plan gives the same ones again, and need not be asked for what follows from them. `deciding`: of
     * groups only the rows are meant that decided (see Deciding.java).
     */
    public Tracer(Object session, int most, boolean fixed, boolean deciding) {
        super(session);
        this.most = most;
        this.fixed = fixed;
        this.deciding = deciding;
    }

    /**
     * Follows rows of a plan. `given`: a condition over the product of the plan and of the rows that are meant, which have a column before theirs.
     * On a thread with room for deep plans, in whose session the plan's settings are. Throws what Spark throws.
     */
    public void follow(LogicalPlan given) throws Throwable {
        this.given = given;
        done();
    }

    void work() throws Exception {
        Join product = (Join) ((Filter) given).child();
        LogicalPlan normal = new Normal().of(product.left());
        look(normal);
        java.util.Set tied = Ties.of(normal, asking);
        deterministic = Determinism.of(normal, tied);
        chooses = Determinism.chooses(normal, tied);
        trusted = fixed && deterministic;
        repeats = fixed && Determinism.ofAll(normal, tied);
        List columns = Trees.list(product.right().output());
        List fields = columns.subList(1, columns.size());
        Alias key = Trees.named(Block.struct(fields), "__lineage_target");
        Alias tag = Trees.named((Attribute) columns.get(0), TAG);
        InternalRow[] rows = asking.collect(new Project(Trees.seq(Trees.with(Trees.one(tag), Trees.one(key))), product.right()));
        Slot target = Slot.link(TARGET, key.toAttribute(), normal, fields, ((Filter) given).condition());
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

    /** From above: a column that a node only passes on, or makes of others, is looked at where it is above. */
    private void lookInto(LogicalPlan node) {
        List children = Trees.list(node.children());
        if (node instanceof Project) {
            noteMade(Block.isLeaf(node) ? new ArrayList() : Trees.list(((Project) node).projectList()));
        } else if (node instanceof Aggregate) {
            noteAll(Trees.list(((Aggregate) node).groupingExpressions()));
            noteMade(Trees.list(((Aggregate) node).aggregateExpressions()));
        } else if (node instanceof Union || node instanceof Expand) {
            List output = Trees.list(node.output());
            List rows = node instanceof Expand ? Trees.list(((Expand) node).projections()) : children;
            for (int i = 0; i < rows.size(); i++) {
                List columns = Trees.list(node instanceof Expand ? rows.get(i) : ((LogicalPlan) rows.get(i)).output());
                for (int j = 0; j < output.size(); j++) {
                    if (used.contains(((Attribute) output.get(j)).exprId())) {
                        noteAll(Trees.one(columns.get(j)));
                    }
                }
            }
        } else {
            note(Trees.list(node.references()));
        }
        for (int i = 0; i < children.size(); i++) {
            lookInto((LogicalPlan) children.get(i));
        }
    }

    private void noteMade(List columns) {
        for (int i = 0; i < columns.size(); i++) {
            if (columns.get(i) instanceof Alias && used.contains(((Alias) columns.get(i)).exprId())) {
                note(Trees.list(((Alias) columns.get(i)).references()));
            }
        }
    }

    private void noteAll(List expressions) {
        for (int i = 0; i < expressions.size(); i++) {
            note(Trees.list(((Expression) expressions.get(i)).references()));
        }
    }

    private void note(List attributes) {
        for (int i = 0; i < attributes.size(); i++) {
            used.add(((Attribute) attributes.get(i)).exprId());
        }
    }

    /** Asks a block for what its rows carry. Returns the tags of the rows that there are, of which there may be `several`. */
    private LinkedHashSet step(Block block, LogicalPlan plan, Expression tag, boolean several) throws Exception {
        Alias tagged = Trees.named(tag, TAG);
        ArrayList columns = new ArrayList(Trees.one(tagged));
        for (int i = 0; i < block.slots.size(); i++) {
            columns.add(((Slot) block.slots.get(i)).column);
        }
        LogicalPlan carried = new Project(Trees.seq(columns), plan);
        // a limit above all else is looked for in one partition after the other; so it takes all at once
        Expression bound = Trees.literal(Integer.valueOf(most + 1));
        InternalRow[] rows = asking.some(new LocalLimit(bound, new Repartition(1, true, new LocalLimit(bound, carried))));
        boolean many = rows == null || rows.length > most;
        if (atTarget) {
            matched = many ? Integer.MAX_VALUE : rows.length;
            atTarget = false;
        }
        kinds.addAll(block.passed);
        LinkedHashSet tags = new LinkedHashSet();
        for (int i = 0; rows != null && i < rows.length; i++) {
            tags.add(Long.valueOf(rows[i].getLong(0)));
        }
        if (many && !(repeats && Block.isScan(block.slots, plan))) {
            carried = asking.keep(carried);
        }
        for (int i = 0; i < block.slots.size(); i++) {
            Slot slot = (Slot) block.slots.get(i);
            if (!slot.isLeaf() && !slot.isLink()) {
                decide(slot, many || isThere(rows, i + 1));
                continue;
            }
            LogicalPlan told = many ? several(carried, tagged.toAttribute(), slot) : local(rows, i + 1, slot);
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
        if (many && (several || rows == null)) {
            InternalRow[] met = asking.collect(new Distinct(new Project(Trees.seq(Trees.one(tagged.toAttribute())), carried)));
            for (int i = 0; i < met.length; i++) {
                tags.add(Long.valueOf(met[i].getLong(0)));
            }
        }
        return tags;
    }

    private void decide(Slot slot, boolean decides) {
        for (int i = 0; i < slot.leaves.size() && decides; i++) {
            TreeSet reasons = (TreeSet) wholes.get(slot.leaves.get(i));
            if (reasons == null) {
                reasons = new TreeSet();
                wholes.put(slot.leaves.get(i), reasons);
            }
            reasons.add(slot.kind);
        }
    }

    private static boolean isThere(InternalRow[] rows, int at) {
        for (int i = 0; i < rows.length; i++) {
            if (!rows[i].isNullAt(at)) {
                return true;
            }
        }
        return false;
    }

    /** The distinct ones of a slot's column, numbered; null where there is none. */
    private static LogicalPlan local(InternalRow[] rows, int at, Slot slot) {
        int fields = ((StructType) slot.column.dataType()).size();
        LinkedHashSet distinct = new LinkedHashSet();
        for (int i = 0; i < rows.length; i++) {
            if (!rows[i].isNullAt(at)) {
                distinct.add(rows[i].getStruct(at, fields).copy());
            }
        }
        ArrayList made = new ArrayList();
        java.util.Iterator each = distinct.iterator();
        while (each.hasNext()) {
            Object[] row = {Long.valueOf(made.size()), each.next()};
            made.add(InternalRow.fromSeq(Trees.seq(java.util.Arrays.asList(row))));
        }
        List output = new ArrayList();
        output.add(Trees.named(Trees.literal(Long.valueOf(0L)), TAG).toAttribute());
        output.add(Trees.named(Trees.none(slot.column.dataType()), "row").toAttribute());
        return made.isEmpty() ? null : (LogicalPlan) new LocalRelation(Trees.seq(output), Trees.seq(made), false, scala.Option.apply(null));
    }

    /** The rows of a slot's column that are too many to come here: of a link each once, of a leaf as often as they are met. */
    private static LogicalPlan several(LogicalPlan carried, Attribute tag, Slot slot) {
        ArrayList columns = new ArrayList();
        columns.add(Trees.named(tag, TAG));
        columns.add(Trees.named(slot.column, "row"));
        LogicalPlan told = new Project(Trees.seq(columns), new Filter(new IsNotNull(slot.column), carried));
        return slot.isLeaf() || !RowOrdering.isOrderable(slot.column.dataType()) ? told : (LogicalPlan) new Distinct(told);
    }

    /** Follows the rows that a link means. Each of its keys must be found again, but where a query of none has a row as well. */
    private void link(Slot slot, LogicalPlan all) throws Exception {
        LogicalPlan keys = unasked(slot, all);
        int size = keys instanceof LocalRelation ? ((LocalRelation) keys).data().size() : -1;
        if (size == 0) {
            return;
        }
        atTarget = slot.kind.equals(TARGET);
        LinkedHashSet tags = size == 1 ? one(slot, (InternalRow) ((LocalRelation) keys).data().apply(0)) : several(slot, keys);
        int without = tags == null || size < 0 ? 0 : size - tags.size();  // of more keys than come here each was a row
        if (slot.kind.equals(TARGET)) {
            targets += size;
            missing += without;
        } else if (slot.condition != null && slot.kind.endsWith("aggregate")) {
            lost += without;
        }
    }

    /** Those of the keys that this plan was not asked for yet. */
    private LogicalPlan unasked(Slot slot, LogicalPlan keys) {
        if (!(keys instanceof LocalRelation)) {
            return keys;
        }
        LinkedHashSet known = (LinkedHashSet) asked.get(slot.child);
        if (known == null) {
            known = new LinkedHashSet();
            asked.put(slot.child, known);
        }
        LocalRelation local = (LocalRelation) keys;
        List rows = Trees.list(local.data());
        ArrayList left = new ArrayList();
        for (int i = 0; i < rows.size(); i++) {
            Object key = ((InternalRow) rows.get(i)).getStruct(1, ((StructType) slot.column.dataType()).size());
            if (known.add(java.util.Arrays.asList(new Object[] {slot.kind, key}))) {
                left.add(InternalRow.fromSeq(Trees.seq(java.util.Arrays.asList(new Object[] {Long.valueOf(left.size()), key}))));
            }
        }
        return new LocalRelation(local.output(), Trees.seq(left), false, scala.Option.apply(null));
    }

    /** By one key: its values are conditions. */
    private LinkedHashSet one(Slot slot, InternalRow row) throws Exception {
        Block block = Block.of(slot.child, used, deciding);
        Expression zero = Trees.literal(Long.valueOf(0L));
        if (slot.condition == null) {
            return step(block, block.plan, zero, false);
        }
        Expression condition = Replacing.attributes(slot.condition, slot.fields, literals(row, slot.fields));
        Known known = trusted && !deciding ? Known.group(new Filter(condition, slot.child)) : null;
        if (known == null) {
            return step(block, new Filter(condition, block.plan), zero, false);
        }
        atTarget = false; // rows of the group come, and not of the plan
        for (int i = 0; i < block.slots.size(); i++) {
            Slot skipped = (Slot) block.slots.get(i);
            if (skipped.isLink()) {
                kinds.add(skipped.kind);
            } else {
                decide(skipped, true);
            }
        }
        Block below = Block.of(known.group, used, deciding);
        LinkedHashSet tags = step(below, below.plan, zero, false);
        if (known.isGlobal) {
            tags.add(Long.valueOf(0L));
        }
        return tags;
    }

    /** By several keys, or by more than came here: the plan is joined with them. */
    private LinkedHashSet several(Slot slot, LogicalPlan keys) throws Exception {
        Block block = Block.of(slot.child, used, deciding);
        List output = Trees.list(keys.output());
        Attribute tag = (Attribute) output.get(0);
        ArrayList columns = new ArrayList(Trees.one(tag));
        for (int i = 0; i < slot.fields.size(); i++) {
            AttributeReference field = (AttributeReference) slot.fields.get(i);
            Expression value = new GetStructField((Attribute) output.get(1), i, scala.Option.apply(null));
            columns.add(new Alias(value, field.name(), field.exprId(), Trees.seq(new ArrayList()), scala.Option.apply(null), Trees.seq(new ArrayList())));
        }
        LogicalPlan meant = new Project(Trees.seq(columns), keys);
        LogicalPlan narrowed = narrowed(block.plan, slot, keys);
        if (slot.kind.endsWith("aggregate") || slot.kind.equals(TARGET)) {
            LogicalPlan joined = new Join(narrowed, meant, Inner$.MODULE$, scala.Option.apply(slot.condition), JoinHint.NONE());
            return step(block, joined, tag, keys instanceof LocalRelation);
        }
        // a row may be meant by many keys: it is told once
        LogicalPlan any = new Join(narrowed, meant, LeftSemi$.MODULE$, scala.Option.apply(slot.condition), JoinHint.NONE());
        step(block, any, Trees.literal(Long.valueOf(0L)), false);
        return null;
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
            for (int j = 0; j < rows.size(); j++) {
                values.add(literal((InternalRow) rows.get(j), slot.fields, at));
            }
            result = new Filter(isOneOf(same.left(), new ArrayList(values), true), result);
        }
        return result;
    }

    /** Whether a value is one of some literals, null among them where nulls are equal. */
    static Expression isOneOf(Expression value, List literals, boolean isNullSafe) {
        ArrayList values = new ArrayList();
        boolean isNull = false;
        for (int i = 0; i < literals.size(); i++) {
            if (((Literal) literals.get(i)).value() == null) {
                isNull = isNullSafe;
            } else {
                values.add(literals.get(i));
            }
        }
        Expression in = new In(value, Trees.seq(values));
        return isNull ? (Expression) new Or(new IsNull(value), in) : in;
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

    /** Leaves whose rows all decide, with the reasons. */
    public Map wholes() {
        LinkedHashMap told = new LinkedHashMap();
        for (java.util.Iterator each = wholes.entrySet().iterator(); each.hasNext();) {
            Map.Entry one = (Map.Entry) each.next();
            told.put(one.getKey(), String.join("; ", (TreeSet) one.getValue()));
        }
        return told;
    }

    /** What was on the way: `aggregate`, `window`, `semi join`, and names of nodes of which nothing is known. */
    public List kinds() {
        return new ArrayList(kinds);
    }

    /** Notes that a frame of what was found was collected by the caller. */
    public void ran(Object frame) throws Exception {
        asking.ran(frame);
    }

    /** How many rows of files were read. */
    public long rowsRead() {
        return Reads.rows(asking.executed());
    }

    /** How many different rows were to be followed. */
    public int targets() {
        return targets;
    }

    /** How many rows of the plan these are, where it was asked for them. */
    public int matched() {
        return matched;
    }

    /** How many of these the plan does not give. */
    public int missing() {
        return missing;
    }

    /** How many groups on the way were not found again: a value that is not the same each time. */
    public int lost() {
        return lost;
    }

    /** Whether the plan gives the same rows each time, as far as it can be seen. */
    public boolean isDeterministic() {
        return deterministic;
    }

    /** Whether other rows may go into a row each time. */
    public boolean chooses() {
        return chooses;
    }
}
