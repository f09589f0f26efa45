package org.sparklineage.rows;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/**
 * A column that tells of each row of a block where it comes from. Of a leaf: which of its rows. Of a link: by which values (a struct) the rows of
 * another plan are known that it comes from. Of a whole: that all rows of some leaves decide about it, where the column is not null.
 */
final class Slot {
    /** The number of the leaf, -1 of a link. */
    final int leaf;
    final Attribute column;
    /** Of a link: the plan whose rows are meant, and for each field of the struct an attribute by which `condition` refers to it. */
    final LogicalPlan child;
    final List fields;
    /** Over the child's output and the fields; null where all rows are meant. */
    final Expression condition;
    final String kind;
    /** Of a whole: the numbers of the leaves; `kind` is the reason. */
    final List leaves;

    private Slot(int leaf, Attribute column, LogicalPlan child, List fields, Expression condition, String kind, List leaves) {
        this.leaf = leaf;
        this.column = column.withNullability(true); // above an outer join it is null of some rows, whatever it was below
        this.child = child;
        this.fields = fields;
        this.condition = condition;
        this.kind = kind;
        this.leaves = leaves;
    }

    static Slot leaf(int number, Attribute column) {
        return new Slot(number, column, null, null, null, "leaf", null);
    }

    static Slot link(String kind, Attribute column, LogicalPlan child, List fields, Expression condition) {
        return new Slot(-1, column, child, fields, condition, kind, null);
    }

    static Slot whole(List leaves, String why, Attribute column) {
        return new Slot(-1, column, null, null, null, why, leaves);
    }

    /** The same, where its column has another id. */
    Slot in(Attribute other) {
        return new Slot(leaf, other, child, fields, condition, kind, leaves);
    }

    boolean isLeaf() {
        return leaf >= 0;
    }

    boolean isLink() {
        return child != null;
    }
}
