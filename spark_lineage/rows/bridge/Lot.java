package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.HashSet;
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
import org.apache.spark.sql.catalyst.expressions.EqualTo;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.InSet;
import org.apache.spark.sql.catalyst.expressions.IsNotNull;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.RowOrdering;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.LeftAnti$;
import org.apache.spark.sql.catalyst.plans.LeftSemi$;
import org.apache.spark.sql.catalyst.plans.logical.Distinct;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.JoinHint;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * Follows many rows of a plan at once to rows of its leaves, each to its own: what {@link Tracer} does of rows together. Every row that is meant has a
 * number, and all that is found carries the numbers of the rows that it was found for. A block is asked for all of them at once.
 */
public final class Lot extends Finding {
    private static final String TARGET = "target";
    private static final String TAG = "__lineage_tag";

    private final int most;
    private final boolean fixed;
    /** By leaf all of whose rows decide, and by reason: the numbers of the rows that it decides about for that. */
    private final Map wholes = new TreeMap();
    /** By what was on the way: the numbers of the rows that it was met for. */
    private final Map kinds = new LinkedHashMap();
    private final LinkedHashSet given = new LinkedHashSet();
    private final LinkedHashSet lost = new LinkedHashSet();
    private boolean trusted;
    private boolean deterministic;
    private boolean chooses;
    /** Whether the plan, read again, gives the very same rows. */
    private boolean repeats;
    private LogicalPlan wanted;
    /** Whether rows of the plan are asked for, and not of the groups that the values name. */
    private boolean ofPlan;
    private final LinkedHashSet several = new LinkedHashSet();

    /** `most`, `fixed`: as the Tracer has them. */
    public Lot(Object session, int most, boolean fixed) {
        super(session);
        this.most = most;
        this.fixed = fixed;
    }

    /** `wanted`: a condition over the product of the plan and of the rows that are meant, which have their numbers before their columns. */
    public void follow(LogicalPlan wanted) throws Throwable {
        this.wanted = wanted;
        done();
    }

    void work() throws Exception {
        Join product = (Join) ((Filter) wanted).child();
        LogicalPlan normal = new Normal().of(product.left());
        java.util.Set tied = Ties.of(normal, asking);
        deterministic = Determinism.of(normal, tied);
        chooses = Determinism.chooses(normal, tied);
        trusted = fixed && deterministic;
        repeats = fixed && Determinism.ofAll(normal, tied);
        List columns = Trees.list(product.right().output());
        List fields = columns.subList(1, columns.size());
        Alias key = Trees.named(Block.struct(fields), "row");
        Alias tag = Trees.named((Attribute) columns.get(0), TAG);
        LogicalPlan keys = new Project(Trees.seq(Trees.with(Trees.one(tag), Trees.one(key))), product.right());
        Slot target = Slot.link(TARGET, key.toAttribute(), normal, fields, ((Filter) wanted).condition());
        LogicalPlan all = local(keys.output(), asking.collect(keys));
        Known known = trusted ? Known.group(new Filter(target.condition, normal), fields) : null;
        ofPlan = known == null;
        if (known == null) {
            follow(target, all);
            return;
        }
        // the values of the rows name their groups: what is above them need not be computed again
        List slots = Block.of(normal, new HashSet()).slots;
        for (int i = 0; i < slots.size(); i++) {
            decided((Slot) slots.get(i), numbers(all));
        }
        if (known.isGlobal) {
            given.addAll(numbers(all));
        }
        follow(Slot.link(TARGET, key.toAttribute(), known.child, fields, known.condition), all);
    }

    /** Notes what was met on the way to these rows, and of a whole that it decides about them. */
    private void decided(Slot slot, java.util.Collection tags) {
        if (slot.isLink()) {
            note(kinds, slot.kind, tags);
            return;
        }
        for (int i = 0; i < slot.leaves.size() && !tags.isEmpty(); i++) {
            Map reasons = (Map) wholes.get(slot.leaves.get(i));
            if (reasons == null) {
                reasons = new TreeMap();
                wholes.put(slot.leaves.get(i), reasons);
            }
            note(reasons, slot.kind, tags);
        }
    }

    /** Follows what a link means. `keys`: distinct pairs of a number and a key. */
    private void follow(Slot link, LogicalPlan keys) throws Exception {
        if (keys instanceof LocalRelation && ((LocalRelation) keys).data().isEmpty()) {
            return;
        }
        Block block = Block.of(link.child, new HashSet());
        LogicalPlan narrowed = narrowed(block.plan, link, keys);
        LogicalPlan met = met(narrowed, link, keys);
        if (!trusted && link.condition != null && link.kind.endsWith("aggregate")) {
            lost.addAll(numbers(unmet(narrowed, link, keys)));
        }
        Alias tagged = Trees.named((Attribute) Trees.list(met.output()).get(0), TAG);
        ArrayList columns = new ArrayList(Trees.one(tagged));
        for (int i = 0; i < block.slots.size(); i++) {
            columns.add(((Slot) block.slots.get(i)).column);
        }
        step(link, block, new Project(Trees.seq(columns), met), keys);
    }

    /** Of the rows of a block: for which numbers they are, and where they come from. */
    private void step(Slot link, Block block, LogicalPlan found, LogicalPlan keys) throws Exception {
        boolean isTarget = link.kind.equals(TARGET);
        boolean isScan = Block.isScan(block.slots, block.plan) && (link.condition == null || hasEquality(link));
        LogicalPlan carried = repeats && isScan ? found : asking.keep(found);
        Expression bound = Trees.literal(Integer.valueOf(most + 1));
        InternalRow[] rows = asking.some(new Project(carried.output(), new GlobalLimit(bound, new LocalLimit(bound, carried))));
        boolean many = rows == null || rows.length > most;
        if (isTarget) {
            LinkedHashSet once = new LinkedHashSet();
            given.addAll(many ? numbers(carried) : numbers(rows));
            for (int i = 0; ofPlan && !many && i < rows.length; i++) {
                Long number = Long.valueOf(rows[i].getLong(0));
                if (!once.add(number)) {
                    several.add(number);
                }
            }
            if (ofPlan && many) {
                several.addAll(given);
            }
        } else if (trusted && (rows == null || !many) && link.condition != null && link.kind.endsWith("aggregate")) { // each of these groups has rows
            LinkedHashSet without = numbers(keys);
            without.removeAll(rows == null ? numbers(carried) : numbers(rows));
            lost.addAll(without);
        }
        for (int i = 0; i < block.slots.size(); i++) {
            Slot slot = (Slot) block.slots.get(i);
            LogicalPlan told = many ? several(carried, slot) : local(slot, rows, i + 1);
            if (slot.isLeaf()) {
                keep(slot.leaf, told);
            } else if (slot.isLink()) {
                decided(slot, numbers(told));
                follow(slot, many && RowOrdering.isOrderable(slot.column.dataType()) ? new Distinct(told) : told);
            } else {
                decided(slot, numbers(told));
            }
        }
    }

    private static void note(Map map, Object key, java.util.Collection tags) {
        LinkedHashSet known = (LinkedHashSet) map.get(key);
        if (known == null) {
            known = new LinkedHashSet();
            map.put(key, known);
        }
        known.addAll(tags);
    }

    /** The rows of the plan that the keys mean, each for each number once where its equalities tell it; the number before their columns. */
    private static LogicalPlan met(LogicalPlan plan, Slot link, LogicalPlan keys) {
        if (link.condition == null) {
            return tagged(plan, new Distinct(keyed(keys, new ArrayList())), null);
        }
        List equalities = new ArrayList();
        boolean others = false;
        List parts = Tracer.conjuncts(link.condition);
        for (int i = 0; i < parts.size(); i++) {
            if (link.kind.equals(TARGET) || isEquality((Expression) parts.get(i), link.fields)) {
                equalities.add(parts.get(i));
            } else {
                others = true;
            }
        }
        Expression equal = all(equalities);
        if (!others) {
            return tagged(plan, keyed(keys, link.fields), equal);
        }
        // many keys of a number may mean one row, which is one all the same
        List fields = new ArrayList();
        List fresh = new ArrayList();
        for (int i = 0; i < link.fields.size(); i++) {
            Attribute field = (Attribute) link.fields.get(i);
            fields.add(equal != null && equal.references().contains(field) ? field : null);
            fresh.add(Trees.named(Trees.none(field.dataType()), field.name()).toAttribute().withNullability(true));
        }
        LogicalPlan rows = tagged(plan, new Distinct(keyed(keys, fields)), equal);
        LogicalPlan each = keyed(keys, fresh);
        Expression same = new EqualTo((Attribute) Trees.list(rows.output()).get(0), (Attribute) Trees.list(each.output()).get(0));
        Expression condition = new And(same, Replacing.attributes(link.condition, link.fields, fresh));
        return new Join(rows, each, LeftSemi$.MODULE$, scala.Option.apply(condition), JoinHint.NONE());
    }

    /** Of the rows of a block those that may be meant, by conditions that Catalyst moves down: values of the keys one by one. */
    private static LogicalPlan narrowed(LogicalPlan plan, Slot link, LogicalPlan keys) {
        if (!(keys instanceof LocalRelation) || link.condition == null) {
            return plan;
        }
        LogicalPlan result = plan;
        List rows = Trees.list(((LocalRelation) keys).data());
        List equalities = Tracer.conjuncts(link.condition);
        for (int i = 0; i < equalities.size(); i++) {
            List sides = equalities.get(i) instanceof EqualNullSafe ? Trees.list(((Expression) equalities.get(i)).children()) : null;
            int at = sides != null && sides.get(1) instanceof Attribute ? at(link.fields, (Attribute) sides.get(1)) : -1;
            if (at >= 0 && Trees.referred((Expression) sides.get(0), link.fields).isEmpty()) {
                result = new Filter(among((Expression) sides.get(0), ((Attribute) sides.get(1)).dataType(), rows, at, link.fields.size()), result);
            }
        }
        return result;
    }

    private static Expression among(Expression value, DataType type, List rows, int at, int size) {
        HashSet values = new HashSet();
        boolean isNull = false;
        for (int i = 0; i < rows.size(); i++) {
            Object one = ((InternalRow) rows.get(i)).getStruct(1, size).get(at, type);
            isNull = isNull || one == null;
            if (one != null) {
                values.add(one);
            }
        }
        Expression in = new InSet(value, scala.jdk.javaapi.CollectionConverters.asScala(values).toSet());
        return isNull ? (Expression) new Or(new IsNull(value), in) : in;
    }

    /** Of the keys those that mean no row. */
    private static LogicalPlan unmet(LogicalPlan plan, Slot link, LogicalPlan keys) {
        return new Join(keyed(keys, link.fields), plan, LeftAnti$.MODULE$, scala.Option.apply(link.condition), JoinHint.NONE());
    }

    /** The product of the keys and a plan, whose columns come behind the number. */
    private static LogicalPlan tagged(LogicalPlan plan, LogicalPlan keys, Expression condition) {
        LogicalPlan joined = new Join(plan, keys, Inner$.MODULE$, scala.Option.apply(condition), JoinHint.NONE());
        List columns = Trees.with(Trees.one(Trees.list(keys.output()).get(0)), Trees.list(plan.output()));
        return new Project(Trees.seq(columns), joined);
    }

    /** The numbers, and the values of those fields for which there is an attribute: columns with these ids. */
    private static LogicalPlan keyed(LogicalPlan keys, List attributes) {
        List output = Trees.list(keys.output());
        ArrayList columns = new ArrayList(Trees.one(Trees.named((Attribute) output.get(0), TAG)));
        for (int i = 0; i < attributes.size(); i++) {
            if (attributes.get(i) != null) {
                AttributeReference field = (AttributeReference) attributes.get(i);
                Expression value = new GetStructField((Attribute) output.get(1), i, scala.Option.apply(null));
                columns.add(new Alias(value, field.name(), field.exprId(), Trees.seq(new ArrayList()), scala.Option.apply(null), Trees.seq(new ArrayList())));
            }
        }
        return new Project(Trees.seq(columns), keys);
    }

    private static int at(List attributes, Attribute one) {
        for (int i = 0; i < attributes.size(); i++) {
            if (((Attribute) attributes.get(i)).exprId().equals(one.exprId())) {
                return i;
            }
        }
        return -1;
    }

    /** Whether it says that something of the row is a field of the key: a join finds such rows by their hash. */
    private static boolean isEquality(Expression part, List fields) {
        if (!(part instanceof EqualNullSafe || part instanceof EqualTo)) {
            return false;
        }
        List sides = Trees.list(part.children());
        boolean left = Trees.referred((Expression) sides.get(0), fields).isEmpty();
        boolean right = Trees.referred((Expression) sides.get(1), fields).isEmpty();
        Expression key = (Expression) sides.get(left ? 1 : 0);
        return left != right && Trees.list(key.references()).size() == Trees.referred(key, fields).size();
    }

    private static boolean hasEquality(Slot link) {
        List parts = Tracer.conjuncts(link.condition);
        for (int i = 0; i < parts.size(); i++) {
            if (isEquality((Expression) parts.get(i), link.fields)) {
                return true;
            }
        }
        return false;
    }

    private static Expression all(List parts) {
        Expression result = null;
        for (int i = 0; i < parts.size(); i++) {
            result = result == null ? (Expression) parts.get(i) : new And(result, (Expression) parts.get(i));
        }
        return result;
    }

    /** The numbers and values of a slot, where it has one. */
    private static LogicalPlan several(LogicalPlan carried, Slot slot) {
        ArrayList columns = new ArrayList();
        columns.add(Trees.named((Attribute) Trees.list(carried.output()).get(0), TAG));
        columns.add(Trees.named(slot.column, "row"));
        return new Project(Trees.seq(columns), new Filter(new IsNotNull(slot.column), carried));
    }

    /** The same, each once, of rows that came here. */
    private static LogicalPlan local(Slot slot, InternalRow[] rows, int at) {
        int fields = ((StructType) slot.column.dataType()).size();
        LinkedHashSet distinct = new LinkedHashSet();
        for (int i = 0; i < rows.length; i++) {
            if (!rows[i].isNullAt(at)) {
                Object[] pair = {Long.valueOf(rows[i].getLong(0)), rows[i].getStruct(at, fields).copy()};
                distinct.add(java.util.Arrays.asList(pair));
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
        return new LocalRelation(Trees.seq(output), Trees.seq(made), false, scala.Option.apply(null));
    }

    private static LogicalPlan local(scala.collection.immutable.Seq output, InternalRow[] rows) {
        ArrayList made = new ArrayList();
        for (int i = 0; i < rows.length; i++) {
            made.add(rows[i].copy());
        }
        return new LocalRelation(output, Trees.seq(made), false, scala.Option.apply(null));
    }

    /** The different numbers in the first column. */
    private LinkedHashSet numbers(LogicalPlan plan) throws Exception {
        if (plan instanceof LocalRelation) {
            List rows = Trees.list(((LocalRelation) plan).data());
            return numbers((InternalRow[]) rows.toArray(new InternalRow[rows.size()]));
        }
        return numbers(asking.collect(new Distinct(new Project(Trees.seq(Trees.one(Trees.list(plan.output()).get(0))), plan))));
    }

    private static LinkedHashSet numbers(InternalRow[] rows) {
        LinkedHashSet tags = new LinkedHashSet();
        for (int i = 0; i < rows.length; i++) {
            tags.add(Long.valueOf(rows[i].getLong(0)));
        }
        return tags;
    }

    /** The leaves all of whose rows decide. */
    public List wholes() {
        return new ArrayList(wholes.keySet());
    }

    /** Why all rows of a leaf decide, of one row or another. */
    public List reasons(int leaf) {
        return new ArrayList(((Map) wholes.get(Integer.valueOf(leaf))).keySet());
    }

    /** Numbers, as text: py4j would ask for each. Those of the rows that a leaf decides about for this reason. */
    public String wholes(int leaf, String reason) {
        return text((LinkedHashSet) ((Map) wholes.get(Integer.valueOf(leaf))).get(reason));
    }

    public List kinds() {
        return new ArrayList(kinds.keySet());
    }

    public String kind(String name) {
        return text((LinkedHashSet) kinds.get(name));
    }

    /** Of the rows that the plan gives again. */
    public String given() {
        return text(given);
    }

    /** Of those that several rows of the plan are. */
    public String several() {
        return text(several);
    }

    /** Of those on whose way a group was not found again. */
    public String lost() {
        return text(lost);
    }

    private static String text(LinkedHashSet numbers) {
        StringBuilder text = new StringBuilder();
        java.util.Iterator each = numbers.iterator();
        while (each.hasNext()) {
            text.append(each.next()).append(' ');
        }
        return text.toString();
    }

    public boolean isDeterministic() {
        return deterministic;
    }

    public boolean chooses() {
        return chooses;
    }
}
