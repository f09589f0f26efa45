package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.EqualTo;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.MapEntries;
import org.apache.spark.sql.catalyst.expressions.MapSort;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.RowOrdering;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateFunction;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Expand;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Generate;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Union;
import org.apache.spark.sql.catalyst.plans.logical.Window;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;

/**
 * A plan in normal form, rewritten so that its rows carry where they come from: every row as often as before and in the same order, with more
 * columns. It ends at leaves, and at links, behind which another block begins: below an aggregate, say, whose rows carry the values that they are
 * grouped by. (Perm: Glavic and Alonso 2009; blocks instead of joins with the aggregate's input keep the rows as many as they were.)
 */
final class Block {
    /** How the column of a leaf's identity is called; the leaf's number follows. */
    static final String LEAF = "__lineage_leaf_";

    LogicalPlan plan;
    final List slots = new ArrayList();
    /** What was passed without a link because it decides nothing. */
    final List passed = new ArrayList();
    private final Set used;
    private final boolean deciding;

    private Block(Set used, boolean deciding) {
        this.used = used;
        this.deciding = deciding;
    }

    static Block of(LogicalPlan normal, Set used) {
        return of(normal, used, false);
    }

    /**
     * `used`: the ids of the attributes that the whole plan looks at, of which the values are told. `deciding`: of groups the rows that decided
     * their minimum, and the like, are meant, where there is such a function; and of ranks the row alone.
     */
    static Block of(LogicalPlan normal, Set used, boolean deciding) {
        Block block = new Block(used, deciding);
        Part part = block.part(normal);
        block.plan = part.plan;
        block.slots.addAll(part.slots);
        return block;
    }

    /** A plan that carries the columns of the slots behind its own. */
    private static final class Part {
        final LogicalPlan plan;
        final List slots;

        Part(LogicalPlan plan, List slots) {
            this.plan = plan;
            this.slots = slots;
        }

        List columns() {
            ArrayList result = new ArrayList();
            for (int i = 0; i < slots.size(); i++) {
                result.add(((Slot) slots.get(i)).column);
            }
            return result;
        }
    }

    private Part part(LogicalPlan node) {
        Part part = partOf(node);
        List inner = Trees.subqueries(node);
        for (int i = 0; i < inner.size(); i++) {
            part = decided(part, Trees.list(node.output()), (LogicalPlan) inner.get(i), "a scalar subquery reads it", null);
        }
        return part;
    }

    private Part partOf(LogicalPlan node) {
        if (node instanceof Project) {
            return project((Project) node);
        }
        if (node instanceof Join) {
            return join((Join) node);
        }
        if (node instanceof Union) {
            return union((Union) node);
        }
        if (node instanceof Aggregate) {
            return aggregate((Aggregate) node);
        }
        if (node instanceof Window) {
            return window((Window) node);
        }
        if (node instanceof Expand) {
            return expand((Expand) node);
        }
        String name = node.getClass().getSimpleName();
        boolean opaque = node instanceof Generate && isOfPython(((Generate) node).generator());
        if (node instanceof Filter || node instanceof Generate && !opaque || THROUGH.contains(name)) {
            Part below = part((LogicalPlan) Trees.list(node.children()).get(0));
            return new Part(Trees.withChild(node, below.plan), below.slots);
        }
        List children = Trees.list(node.children());
        if (name.equals("UnionLoop")) {
            return decided(new Part(node, new ArrayList()), Trees.list(node.output()), node, "a recursion reads it", null);
        }
        Contract contract = Contract.of(node);
        if (contract != null) {
            return declared(node, (LogicalPlan) children.get(0), contract);
        }
        return children.isEmpty() ? new Part(node, new ArrayList()) : opaque(node, children);
    }

    /** What changes no row, and takes none away that another one depends on. */
    private static final List THROUGH = java.util.Arrays.asList(new Object[] {
        "Sort", "Repartition", "RepartitionByExpression", "RebalancePartitions", "SubqueryAlias", "ResolvedHint", "LocalLimit", "GlobalLimit",
        "Tail", "LimitAll", "Sample", "ReturnAnswer", "CollectMetrics", "EventTimeWatermark", "WithWindowDefinition", "Subquery",
    });

    private Part project(Project node) {
        int leaf = leafOf(node.child());
        if (leaf >= 0) {
            Alias alias = Trees.named(identity(node), LEAF + leaf);
            List columns = Trees.with(Trees.list(node.projectList()), Trees.one(alias));
            return new Part(new Project(Trees.seq(columns), node.child()), Trees.one(Slot.leaf(leaf, alias.toAttribute())));
        }
        Part below = part(node.child());
        return new Part(new Project(Trees.seq(Trees.with(Trees.list(node.projectList()), below.columns())), below.plan), below.slots);
    }

    /** Of a leaf's row: what it is known by, and the values that the plan reads of it. */
    private Expression identity(Project leaf) {
        ArrayList values = new ArrayList();
        List columns = Trees.list(leaf.projectList());
        for (int i = 0; i < columns.size(); i++) {
            NamedExpression column = (NamedExpression) columns.get(i);
            if (used.contains(column.exprId())) {
                values.add(Trees.literal(column.name()));
                values.add(column instanceof Alias ? ((Alias) column).child() : (Expression) column);
            }
        }
        ArrayList parts = new ArrayList();
        parts.add(Trees.literal("id"));
        parts.add(idOf(leaf.child()));
        if (!values.isEmpty()) {
            parts.add(Trees.literal("read"));
            parts.add(new CreateNamedStruct(Trees.seq(values)));
        }
        return new CreateNamedStruct(Trees.seq(parts));
    }

    /** Whether it is the projection over a leaf's rows and their identity. */
    static boolean isLeaf(LogicalPlan node) {
        return node instanceof Project && leafOf(((Project) node).child()) >= 0;
    }

    /** Throws IllegalStateException where rows of a leaf would be passed over without a word: its identity is not where a leaf is known by it. */
    static void check(LogicalPlan node) {
        if (isLeaf(node)) {
            return;
        }
        List output = Trees.list(node.output());
        for (int i = 0; i < output.size(); i++) {
            String name = ((Attribute) output.get(i)).name();
            if (name.startsWith(LEAF)) {
                throw new IllegalStateException("rows of a source are not told apart in " + node.getClass().getSimpleName() + " (" + name + ")");
            }
        }
        List below = Trees.with(Trees.list(node.children()), Trees.subqueries(node));
        for (int i = 0; i < below.size(); i++) {
            check((LogicalPlan) below.get(i));
        }
    }

    private static int leafOf(LogicalPlan plan) {
        Attribute id = idOf(plan);
        return id == null ? -1 : numberOf(id);
    }

    static int numberOf(Attribute identity) {
        return Integer.parseInt(identity.name().substring(LEAF.length()));
    }

    private static Attribute idOf(LogicalPlan plan) {
        List output = Trees.list(plan.output());
        Attribute last = output.isEmpty() ? null : (Attribute) output.get(output.size() - 1);
        return last != null && last.name().startsWith(LEAF) ? last : null;
    }

    private Part join(Join node) {
        String kind = node.joinType().toString();
        Part left = part(node.left());
        if (kind.equals("LeftSemi")) {
            Alias key;
            List used = node.condition().isDefined() ? Trees.referred((Expression) node.condition().get(), Trees.list(node.left().output()))
                : new ArrayList();
            ArrayList fields = new ArrayList();
            ArrayList values = new ArrayList();
            Expression condition = node.condition().isDefined() ? (Expression) node.condition().get() : null;
            for (int i = 0; i < used.size(); i++) {
                Attribute attribute = (Attribute) used.get(i);
                AttributeReference field = field("k" + i, attribute.dataType(), attribute.nullable());
                fields.add(field);
                values.add(attribute);
            }
            condition = condition == null ? null : Trees.unsignedIn(Replacing.attributes(condition, used, fields));
            key = Trees.named(struct(values), "__lineage_semi");
            LogicalPlan joined = Trees.withChildren(node, pair(left.plan, node.right()));
            List columns = Trees.with(Trees.with(Trees.list(node.output()), left.columns()), Trees.one(key));
            Slot link = Slot.link("semi join", key.toAttribute(), node.right(), fields, condition);
            return new Part(new Project(Trees.seq(columns), joined), Trees.with(left.slots, Trees.one(link)));
        }
        if (kind.equals("LeftAnti") || kind.startsWith("ExistenceJoin")) {
            String why = kind.equals("LeftAnti") ? "no row of it may match" : "whether a row of it matches decides";
            Part joined = new Part(Trees.withChildren(node, pair(left.plan, node.right())), left.slots);
            return decided(joined, Trees.list(node.output()), node.right(), why, null);
        }
        return outer(node, kind, left, part(node.right()));
    }

    /** Where a side may be missing that with fewer rows could have others, all of it decides that it is. */
    private Part outer(Join node, String kind, Part left, Part right) {
        // of a correlated scalar subquery without an aggregate over all Spark makes a LeftSingle: a left join that fails where two rows match
        boolean rightMissing = (kind.equals("LeftOuter") || kind.equals("LeftSingle") || kind.equals("FullOuter")) && !isMonotone(node.right());
        boolean leftMissing = (kind.equals("RightOuter") || kind.equals("FullOuter")) && !isMonotone(node.left());
        Alias leftThere = Trees.named(Trees.literal(Boolean.TRUE), "__lineage_left");
        Alias rightThere = Trees.named(Trees.literal(Boolean.TRUE), "__lineage_right");
        LogicalPlan joined = Trees.withChildren(node, pair(
            leftMissing ? marked(left, node.left(), leftThere) : left.plan, rightMissing ? marked(right, node.right(), rightThere) : right.plan));
        Part result = new Part(joined, Trees.with(left.slots, right.slots));
        List output = Trees.list(node.output());
        if (leftMissing) {
            List columns = rightMissing ? Trees.with(output, Trees.one(rightThere.toAttribute())) : output;
            result = decided(result, columns, node.left(), PADDED, leftThere.toAttribute().withNullability(true));
        }
        return rightMissing ? decided(result, output, node.right(), PADDED, rightThere.toAttribute().withNullability(true)) : result;
    }

    private static final String PADDED = "no row of what is made of it may match";

    private static LogicalPlan marked(Part part, LogicalPlan node, Alias there) {
        return new Project(Trees.seq(Trees.with(Trees.with(Trees.list(node.output()), part.columns()), Trees.one(there))), part.plan);
    }

    /** With a column that says that all rows of a plan's leaves decide: of each row, or of those that lack `unless`. */
    private static Part decided(Part part, List output, LogicalPlan by, String why, Expression unless) {
        ArrayList leaves = new ArrayList();
        collectLeaves(by, leaves);
        if (leaves.isEmpty()) {
            return part;
        }
        Expression yes = struct(new ArrayList());
        Alias decides = Trees.named(unless == null ? yes : new If(new IsNull(unless), yes, Trees.none(yes.dataType())), "__lineage_whole");
        List columns = Trees.with(Trees.with(output, part.columns()), Trees.one(decides));
        return new Part(new Project(Trees.seq(columns), part.plan), Trees.with(part.slots, Trees.one(Slot.whole(leaves, why, decides.toAttribute()))));
    }

    private static final List ADDS = java.util.Arrays.asList(new Object[] {
        "Project", "Filter", "Union", "Expand", "Generate", "Sort", "Repartition", "RepartitionByExpression", "RebalancePartitions", "SubqueryAlias",
        "ResolvedHint", "CollectMetrics", "EventTimeWatermark",
    });

    /** Whether fewer rows of its leaves never make others of the rows that it gives. */
    private static boolean isMonotone(LogicalPlan node) {
        if (isLeaf(node)) {
            return true;
        }
        String joined = node instanceof Join ? ((Join) node).joinType().toString() : "";
        boolean adds = ADDS.contains(node.getClass().getSimpleName()) || joined.equals("Inner") || joined.equals("Cross") || joined.equals("LeftSemi");
        List children = Trees.list(node.children());
        boolean ofPython = node instanceof Generate && isOfPython(((Generate) node).generator());
        boolean monotone = (adds && !ofPython || children.isEmpty()) && Trees.subqueries(node).isEmpty();
        for (int i = 0; i < children.size(); i++) {
            monotone = monotone && isMonotone((LogicalPlan) children.get(i));
        }
        return monotone;
    }

    /** A function of Python that gives rows may look at all that it was given. */
    static boolean isOfPython(Object generator) {
        return generator.getClass().getSimpleName().indexOf("Python") >= 0;
    }

    private static List pair(Object first, Object second) {
        return Trees.with(Trees.one(first), Trees.one(second));
    }

    private Part union(Union node) {
        List children = Trees.list(node.children());
        ArrayList parts = new ArrayList();
        ArrayList all = new ArrayList();
        for (int i = 0; i < children.size(); i++) {
            Part part = part((LogicalPlan) children.get(i));
            parts.add(part);
            all.addAll(part.slots);
        }
        ArrayList plans = new ArrayList();
        for (int i = 0; i < parts.size(); i++) {
            Part part = (Part) parts.get(i);
            ArrayList projected = new ArrayList(Trees.list(((LogicalPlan) children.get(i)).output()));
            for (int j = 0; j < all.size(); j++) {
                Slot slot = (Slot) all.get(j);
                Alias alias = Trees.named(part.slots.contains(slot) ? (Expression) slot.column : Trees.none(slot.column.dataType()), slot.column.name());
                projected.add(alias);
            }
            plans.add(new Project(Trees.seq(projected), part.plan));
        }
        LogicalPlan made = Trees.withChildren(node, plans);
        List output = Trees.list(made.output());
        ArrayList slots = new ArrayList();
        for (int j = 0; j < all.size(); j++) {
            slots.add(((Slot) all.get(j)).in((Attribute) output.get(output.size() - all.size() + j)));
        }
        return new Part(made, slots);
    }

    private Part aggregate(Aggregate node) {
        List grouping = Trees.list(node.groupingExpressions());
        ArrayList keys = new ArrayList();
        ArrayList attributes = new ArrayList();
        ArrayList fields = new ArrayList();
        Expression condition = null;
        boolean sessions = false;
        boolean maps = false;
        for (int i = 0; i < grouping.size(); i++) {
            Expression group = comparable((Expression) grouping.get(i));
            if (group == null) {
                maps = true;
                continue;
            }
            if (isSession(group)) {
                sessions = true; // a session is known only when it has ended: its rows carry their own windows
                continue;
            }
            Alias key = Trees.named(group, "__lineage_key_" + i);
            AttributeReference field = field("k" + i, group.dataType(), true);
            keys.add(key);
            attributes.add(key.toAttribute());
            fields.add(field);
            Expression same = Trees.same(group, field);
            condition = condition == null ? same : new And(condition, same);
        }
        String kind = sessions ? "session window" : maps ? "groups by maps"
            : isFiltered(Trees.list(node.aggregateExpressions())) ? "filtered aggregate" : "aggregate";
        Deciding decides = deciding && !sessions && !maps ? Deciding.of(node) : null;
        if (decides != null) {
            kind = (decides.others ? "partly deciding" : "deciding") + (condition == null ? " of all" : " aggregate");
            for (int i = 0; i < decides.results.size(); i++) {
                keys.add(decides.results.get(i));
                attributes.add(((Alias) decides.results.get(i)).toAttribute());
                fields.add(decides.fields.get(i));
            }
            condition = condition == null ? decides.condition : new And(condition, decides.condition);
        }
        LogicalPlan keyed = Trees.with(node, new int[] {1}, new Object[] {Trees.seq(Trees.with(Trees.list(node.aggregateExpressions()), keys))});
        if (sessions) { // Spark would move conditions on a session below it, where each row has a window of its own
            keyed = new LocalLimit(Trees.literal(Integer.valueOf(Integer.MAX_VALUE)), keyed);
        }
        Alias key = Trees.named(struct(attributes), "__lineage_group");
        Slot link = Slot.link(kind, key.toAttribute(), node.child(), fields, condition);
        return new Part(new Project(Trees.seq(Trees.with(Trees.list(node.output()), Trees.one(key))), keyed), Trees.one(link));
    }

    /** Maps are grouped whatever the order of their entries; null of those inside of other values, which cannot be compared so. */
    private static Expression comparable(Expression group) {
        if (!(group.dataType() instanceof MapType)) {
            return RowOrdering.isOrderable(group.dataType()) ? group : null;
        }
        Expression entries = new MapEntries(new MapSort(group));
        return RowOrdering.isOrderable(entries.dataType()) ? entries : null;
    }

    static boolean isSession(Expression group) {
        return group instanceof Attribute && ((Attribute) group).metadata().contains("spark.sessionWindow");
    }

    /** Whether some rows of a group may not count: those that FILTER leaves out, and of PIVOT those of values that it does not name. */
    private static boolean isFiltered(List expressions) {
        for (int i = 0; i < expressions.size(); i++) {
            Expression expression = (Expression) expressions.get(i);
            boolean filtered = expression instanceof AggregateExpression && ((AggregateExpression) expression).filter().isDefined()
                || expression.getClass().getSimpleName().equals("PivotFirst");
            if (filtered || expression instanceof AggregateFunction && takesOneValue(Trees.list(expression.children()))
                || isFiltered(Trees.list(expression.children()))) {
                return true;
            }
        }
        return false;
    }

    /** As PIVOT of texts, dates and the like gives a function the rows of one value alone (PivotTransformer): IF(g &lt;=&gt; 'a', x, NULL). */
    private static boolean takesOneValue(List arguments) {
        for (int i = 0; i < arguments.size(); i++) {
            if (arguments.get(i) instanceof If) {
                If one = (If) arguments.get(i);
                boolean isNull = one.falseValue().foldable() && one.falseValue().eval(InternalRow.empty()) == null;
                if (isNull && (one.predicate() instanceof EqualNullSafe || one.predicate() instanceof EqualTo)) {
                    return true;
                }
            }
        }
        return false;
    }

    private Part window(Window node) {
        Part below = part(node.child());
        if (deciding && Deciding.areRanks(node)) {
            passed.add("rank");
            List columns = Trees.with(Trees.list(node.output()), below.columns());
            return new Part(new Project(Trees.seq(columns), Trees.withChild(node, below.plan)), below.slots);
        }
        List partition = Trees.list(node.partitionSpec());
        ArrayList fields = new ArrayList();
        Expression condition = null;
        for (int i = 0; i < partition.size(); i++) {
            Expression by = (Expression) partition.get(i);
            AttributeReference field = field("k" + i, by.dataType(), true);
            fields.add(field);
            Expression same = Trees.same(by, field);
            condition = condition == null ? same : new And(condition, same);
        }
        List known = partition;
        if (Frames.areOneSided(node)) {
            List orders = Trees.list(node.orderSpec());
            ArrayList keys = new ArrayList();
            known = new ArrayList(partition);
            for (int i = 0; i < orders.size(); i++) {
                Expression by = ((SortOrder) orders.get(i)).child();
                AttributeReference field = field("o" + i, by.dataType(), true);
                fields.add(field);
                keys.add(field);
                known.add(by);
            }
            Expression side = Frames.condition(node, keys);
            condition = condition == null ? side : new And(condition, side);
        }
        LogicalPlan made = Trees.withChild(node, below.plan);
        Alias key = Trees.named(struct(known), "__lineage_window");
        List columns = Trees.with(Trees.with(Trees.list(node.output()), below.columns()), Trees.one(key));
        Slot link = Slot.link("window", key.toAttribute(), node.child(), fields, condition);
        return new Part(new Project(Trees.seq(columns), made), Trees.with(below.slots, Trees.one(link)));
    }

    private Part expand(Expand node) {
        Part below = part(node.child());
        ArrayList projections = new ArrayList();
        List sets = Trees.list(node.projections());
        for (int i = 0; i < sets.size(); i++) {
            projections.add(Trees.seq(Trees.with(Trees.list(sets.get(i)), below.columns())));
        }
        ArrayList attributes = new ArrayList();
        ArrayList slots = new ArrayList();
        for (int i = 0; i < below.slots.size(); i++) {
            Slot slot = (Slot) below.slots.get(i);
            AttributeReference column = field(slot.column.name(), slot.column.dataType(), true);
            attributes.add(column);
            slots.add(slot.in(column));
        }
        LogicalPlan made = Trees.with(node, new int[] {0, 1, 2}, new Object[] {
            Trees.seq(projections), Trees.seq(Trees.with(Trees.list(node.output()), attributes)), below.plan});
        return new Part(made, slots);
    }

    /** A function of which its author declared by which columns the rows are known that a row is made of. */
    private Part declared(LogicalPlan node, LogicalPlan child, Contract contract) {
        ArrayList fields = new ArrayList();
        Expression condition = null;
        for (int i = 0; i < contract.taken.size(); i++) {
            Attribute taken = (Attribute) contract.taken.get(i);
            AttributeReference field = field("k" + i, taken.dataType(), true);
            fields.add(field);
            Expression same = Trees.same(taken, field);
            condition = condition == null ? same : new And(condition, same);
        }
        Alias key = Trees.named(struct(contract.given), "__lineage_declared");
        Slot link = Slot.link("declared function", key.toAttribute(), child, fields, condition);
        return new Part(new Project(Trees.seq(Trees.with(Trees.list(node.output()), Trees.one(key))), node), Trees.one(link));
    }

    /** A node of which nothing is known but what goes in and what comes out: all that goes in may be in each row. */
    private Part opaque(LogicalPlan node, List children) {
        ArrayList columns = new ArrayList(Trees.list(node.output()));
        ArrayList slots = new ArrayList();
        for (int i = 0; i < children.size(); i++) {
            Alias key = Trees.named(struct(new ArrayList()), "__lineage_all_" + i);
            columns.add(key);
            slots.add(Slot.link(node.nodeName(), key.toAttribute(), (LogicalPlan) children.get(i), new ArrayList(), null));
        }
        return new Part(new Project(Trees.seq(columns), node), slots);
    }

    static void collectLeaves(LogicalPlan plan, List leaves) {
        ArrayList identities = new ArrayList();
        collectIdentities(plan, identities);
        for (int i = 0; i < identities.size(); i++) {
            Integer leaf = Integer.valueOf(numberOf((Attribute) identities.get(i)));
            if (!leaves.contains(leaf)) {
                leaves.add(leaf);
            }
        }
    }

    /** The columns with the identities of a plan's leaves. */
    static void collectIdentities(LogicalPlan plan, List identities) {
        Attribute id = idOf(plan);
        if (id != null) {
            identities.add(id);
            return;
        }
        List below = Trees.with(Trees.list(plan.children()), Trees.subqueries(plan));
        for (int i = 0; i < below.size(); i++) {
            collectIdentities((LogicalPlan) below.get(i), identities);
        }
    }

    static AttributeReference field(String name, DataType type, boolean nullable) {
        return (AttributeReference) Trees.named(Trees.none(type), name).toAttribute().withNullability(nullable);
    }

    /** Whether a plan does no more than to read one leaf: doing that again takes less than keeping what was read. */
    static boolean isScan(List slots, LogicalPlan plan) {
        return slots.size() == 1 && ((Slot) slots.get(0)).isLeaf() && !Trees.has(plan, "Join") && !Trees.has(plan, "Generate");
    }

    /** Of attributes or other expressions; never without a field: a struct with none cannot be told from none. */
    static Expression struct(List values) {
        ArrayList parts = new ArrayList();
        for (int i = 0; i < values.size(); i++) {
            parts.add(Trees.literal("k" + i));
            parts.add(Trees.unsigned((Expression) values.get(i)));
        }
        if (values.isEmpty()) {
            parts.add(Trees.literal("any"));
            parts.add(Trees.literal(Boolean.TRUE));
        }
        return new CreateNamedStruct(Trees.seq(parts));
    }
}
