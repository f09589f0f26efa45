package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.IsNotNull;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.plans.ExistenceJoin;
import org.apache.spark.sql.catalyst.plans.JoinType;
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
import org.apache.spark.sql.types.BooleanType$;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * Goes from rows of leaves that are meant to the rows of the plan that they contributed to: {@link Tracer} the other way round. From the blocks next to
 * the leaves upwards: the values by which a link knows the rows that were found below are conditions on the block above it.
 */
public final class Forward extends Deep {
    /** The field of a leaf's identity that says of a row whether it is meant. */
    private static final String MEANT = "meant";

    private final int most;
    /** The numbers of the leaves that have rows which are meant. */
    private final HashSet meant = new HashSet();
    private final LinkedHashSet wholes = new LinkedHashSet();
    private final LinkedHashSet kinds = new LinkedHashSet();
    /** By plan: its rows that were found, null where there can be none. */
    private final IdentityHashMap known = new IdentityHashMap();
    private boolean deterministic;
    private LogicalPlan given;
    private LogicalPlan found;
    private boolean isLocal;

    /** Up to `most` keys of a link, and rows that are found, come to the driver; with more, or where these are too large, the block above is joined with the plan that gives them. */
    public Forward(Object session, int most) {
        super(session);
        this.most = most;
    }

    /** Looks for the rows of a plan that rows contributed to which say so. Throws what Spark throws. */
    public void follow(LogicalPlan given) throws Throwable {
        this.given = given;
        done();
    }

    void work() throws Exception {
        LogicalPlan normal = new Normal().of(given);
        deterministic = Determinism.ofAll(normal, Ties.of(normal, asking));
        ArrayList identities = new ArrayList();
        Block.collectIdentities(normal, identities);
        for (int i = 0; i < identities.size(); i++) {
            Attribute identity = (Attribute) identities.get(i);
            if (((StructType) identity.dataType()).getFieldIndex(MEANT).isDefined()) {
                meant.add(Integer.valueOf(Block.numberOf(identity)));
            }
        }
        LogicalPlan rows = rows(normal);
        InternalRow[] some = rows == null ? new InternalRow[0] : first(rows, most + 1);
        isLocal = some != null && some.length <= most;
        if (!isLocal) {
            rows = asking.keep(rows);
        }
        found = !isLocal ? rows : some.length == 0 ? null : local(rows, copies(some));
    }

    private static LogicalPlan local(LogicalPlan plan, List rows) {
        return new LocalRelation(Trees.seq(Trees.list(plan.output())), Trees.seq(rows), false, scala.Option.apply(null));
    }

    private static List copies(InternalRow[] rows) {
        ArrayList copied = new ArrayList();
        for (int i = 0; i < rows.length; i++) {
            copied.add(rows[i].copy());
        }
        return copied;
    }

    private LogicalPlan rows(LogicalPlan plan) throws Exception {
        if (!known.containsKey(plan)) {
            ArrayList leaves = new ArrayList();
            Block.collectLeaves(plan, leaves);
            known.put(plan, isMeant(leaves) ? rowsOf(plan) : null);
        }
        return (LogicalPlan) known.get(plan);
    }

    private boolean isMeant(List leaves) {
        for (int i = 0; i < leaves.size(); i++) {
            if (meant.contains(leaves.get(i))) {
                return true;
            }
        }
        return false;
    }

    /** How a row can have come from a row that is meant: it meets a condition, and where there are keys one of these, too. */
    private static final class Way {
        final Expression condition;
        final LogicalPlan keys;
        final Expression match;

        Way(Expression condition, LogicalPlan keys, Expression match) {
            this.condition = condition;
            this.keys = keys;
            this.match = match;
        }
    }

    private LogicalPlan rowsOf(LogicalPlan plan) throws Exception {
        Block block = Block.of(plan, new HashSet());
        ArrayList ways = new ArrayList();
        for (int i = 0; i < block.slots.size(); i++) {
            Way way = way((Slot) block.slots.get(i));
            if (way != null) {
                ways.add(way);
            }
        }
        if (ways.isEmpty()) {
            return null;
        }
        return new Project(Trees.seq(Trees.list(plan.output())), ways.size() == 1 ? along((Way) ways.get(0), block.plan) : along(ways, block.plan));
    }

    private static LogicalPlan along(Way way, LogicalPlan plan) {
        LogicalPlan rows = new Filter(way.condition, plan);
        return way.keys == null ? rows : joined(rows, way, LeftSemi$.MODULE$);
    }

    private static LogicalPlan along(List ways, LogicalPlan plan) {
        LogicalPlan rows = plan;
        Expression any = null;
        for (int i = 0; i < ways.size(); i++) {
            Way way = (Way) ways.get(i);
            Expression condition = way.condition;
            if (way.keys != null) {
                Attribute exists = Trees.named(Trees.none(BooleanType$.MODULE$), "__lineage_exists_" + i).toAttribute().withNullability(false);
                rows = joined(rows, way, new ExistenceJoin(exists));
                condition = new And(condition, exists);
            }
            any = any == null ? condition : new Or(any, condition);
        }
        return new Filter(any, rows);
    }

    private static LogicalPlan joined(LogicalPlan rows, Way way, JoinType type) {
        return new Join(rows, way.keys, type, scala.Option.apply(way.match), JoinHint.NONE());
    }

    /** Null where no row can have come this way. */
    private Way way(Slot slot) throws Exception {
        if (slot.isLeaf()) {
            return meant.contains(Integer.valueOf(slot.leaf)) ? new Way(saysSo(slot.column), null, null) : null;
        }
        if (slot.isLink()) {
            LogicalPlan below = rows(slot.child);
            Way way = below == null ? null : link(slot, below);
            if (way != null) {
                kinds.add(slot.kind);
            }
            return way;
        }
        if (!isMeant(slot.leaves)) {
            return null;
        }
        wholes.add(slot.kind);
        return new Way(new IsNotNull(slot.column), null, null);
    }

    private static Expression saysSo(Attribute column) {
        StructType identity = (StructType) ((StructType) column.dataType()).apply(0).dataType();
        return field(field(column, 0), identity.fieldIndex(MEANT));
    }

    private static Expression field(Expression struct, int at) {
        return new GetStructField(struct, at, scala.Option.apply(null));
    }

    private Way link(Slot slot, LogicalPlan below) throws Exception {
        Expression there = new IsNotNull(slot.column);
        ArrayList values = new ArrayList();
        for (int i = 0; i < slot.fields.size(); i++) {
            values.add(field(slot.column, i));
        }
        Keys keys = new Keys(slot.condition, slot.fields, Trees.list(slot.child.output()));
        if (keys.columns.isEmpty()) {
            Expression condition = slot.condition == null ? there : new And(there, Replacing.attributes(slot.condition, slot.fields, values));
            LogicalPlan any = new Project(Trees.seq(Trees.one(Trees.named(Trees.literal(Boolean.TRUE), "any"))), below);
            return asking.collect(limited(any, 1)).length == 0 ? null : new Way(condition, null, null);
        }
        LogicalPlan projected = new Project(Trees.seq(keys.columns), below);
        LogicalPlan distinct = keys.areComparable() ? new Distinct(projected) : projected;
        InternalRow[] rows = first(distinct, most + 1);
        if (rows != null && rows.length == 0) {
            return null;
        }
        Expression match = Replacing.attributes(keys.match, slot.fields, values);
        if (rows == null || rows.length > most) {
            return new Way(there, distinct, match);
        }
        List copied = copies(rows);
        Expression narrowed = there;
        for (int i = 0; i < keys.columns.size(); i++) {
            Expression other = (Expression) keys.equals.get(i);
            if (other != null) {
                Attribute key = keys.attribute(i);
                ArrayList literals = new ArrayList(new LinkedHashSet(literals(copied, i, key.dataType())));
                boolean isNullSafe = ((Boolean) keys.nullSafe.get(i)).booleanValue();
                narrowed = new And(narrowed, Tracer.isOneOf(Replacing.attributes(other, slot.fields, values), literals, isNullSafe));
            }
        }
        if (keys.isOneNullSafe()) {
            return new Way(narrowed, null, null);
        }
        return new Way(narrowed, local(distinct, copied), match);
    }

    private static List literals(List rows, int at, DataType type) {
        ArrayList result = new ArrayList();
        for (int i = 0; i < rows.size(); i++) {
            result.add(new Literal(((InternalRow) rows.get(i)).get(at, type), type));
        }
        return result;
    }

    /** Null where they are too large to come here. */
    private InternalRow[] first(LogicalPlan plan, int rows) throws Exception {
        return asking.some(limited(plan, rows));
    }

    private static LogicalPlan limited(LogicalPlan plan, int rows) {
        Expression bound = Trees.literal(Integer.valueOf(rows));
        return new Project(Trees.seq(Trees.list(plan.output())), new GlobalLimit(bound, new LocalLimit(bound, plan)));
    }

    /** A frame of the rows that were found, with the plan's columns; null where there are none. Of no use after `close`. */
    public Object frame() throws Exception {
        return found == null ? null : asking.frame(found);
    }

    /** How many were found, -1 where these are too many to be here. */
    public int count() {
        return found == null ? 0 : isLocal ? ((LocalRelation) found).data().size() : -1;
    }

    /** Why all rows of a leaf that has meant ones decide, where they do. */
    public List wholes() {
        return new ArrayList(wholes);
    }

    /** What was on the way, as `Tracer.kinds`. */
    public List kinds() {
        return new ArrayList(kinds);
    }

    /** Whether the plan gives the same rows each time, as far as it can be seen. */
    public boolean isDeterministic() {
        return deterministic;
    }
}
