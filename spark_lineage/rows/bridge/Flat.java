package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNotNull;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Rows that are kept, with each part of a source row's identity in a column of its own: Spark's cache compresses columns, a file's name that is the same in
 * many rows among them, and leaves structs as they are (`PassThrough`, org.apache.spark.sql.execution.columnar).
 */
final class Flat {
    private static final String IDENTITY = "id";

    /** What is kept, and the same rows with the columns of the plan, from it. */
    final LogicalPlan kept;
    final LogicalPlan plan;

    Flat(LogicalPlan rows) {
        ArrayList columns = new ArrayList();
        ArrayList again = new ArrayList();
        List output = Trees.list(rows.output());
        for (int i = 0; i < output.size(); i++) {
            Attribute column = (Attribute) output.get(i);
            if (!isOfLeaf(column)) {
                columns.add(column);
                again.add(column);
                continue;
            }
            Alias there = Trees.named(new IsNotNull(column), "there");
            columns.add(there);
            Expression struct = apart(column, true, columns);
            Expression value = new If(there.toAttribute(), struct, Trees.none(column.dataType()));
            again.add(new Alias(value, column.name(), column.exprId(), column.qualifier(), scala.Option.apply(null), Trees.seq(new ArrayList())));
        }
        kept = new Project(Trees.seq(columns), rows);
        plan = new Project(Trees.seq(again), kept);
    }

    private static boolean isOfLeaf(Attribute column) {
        return column.name().startsWith(Block.LEAF) && Arrays.asList(((StructType) column.dataType()).fieldNames()).contains(IDENTITY);
    }

    /** Adds the fields to the columns. Returns the struct made of these again. */
    private static Expression apart(Expression struct, boolean deeper, List columns) {
        StructField[] fields = ((StructType) struct.dataType()).fields();
        ArrayList parts = new ArrayList();
        for (int i = 0; i < fields.length; i++) {
            Expression value = new GetStructField(struct, i, scala.Option.apply(null));
            parts.add(Trees.literal(fields[i].name()));
            if (deeper && fields[i].name().equals(IDENTITY)) {
                parts.add(apart(value, false, columns));
                continue;
            }
            Alias column = Trees.named(value, fields[i].name());
            columns.add(column);
            parts.add(column.toAttribute());
        }
        return new CreateNamedStruct(Trees.seq(parts));
    }
}
