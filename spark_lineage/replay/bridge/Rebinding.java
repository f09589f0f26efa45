package org.sparklineage.replay;

import java.io.IOException;
import java.io.InvalidObjectException;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.EvalMode;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.KnownNotNull;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.Some;

/** Gives a stored plan's leaves their rows again: a projection that calls the columns of a given plan by the stored ids. */
final class Rebinding {
    private final LogicalPlan[] given;

    /** One plan for each number of a leaf; null where none was given. */
    Rebinding(LogicalPlan[] given) {
        this.given = given;
    }

    LogicalPlan leaf(int number, Object[] output) throws IOException {
        if (number >= given.length || given[number] == null) {
            throw new InvalidObjectException("nothing was given for leaf " + number);
        }
        List columns = list(given[number].output());
        ArrayList projected = new ArrayList();
        for (int i = 0; i < output.length; i++) {
            AttributeReference wanted = (AttributeReference) output[i];
            projected.add(new Alias(value(find(columns, wanted, number), wanted), wanted.name(), wanted.exprId(), wanted.qualifier(),
                new Some(wanted.metadata()), nothing()));
        }
        return new Project(seq(projected), given[number]);
    }

    private static Attribute find(List columns, AttributeReference wanted, int number) throws IOException {
        Attribute similar = null;
        StringBuilder names = new StringBuilder();
        for (int i = 0; i < columns.size(); i++) {
            Attribute column = (Attribute) columns.get(i);
            if (column.name().equals(wanted.name())) {
                return column;
            }
            if (column.name().equalsIgnoreCase(wanted.name())) {
                similar = column;
            }
            names.append(i == 0 ? "" : ", ").append(column.name());
        }
        if (similar == null) {
            throw new InvalidObjectException("leaf " + number + " has no column " + wanted.name() + ", which the plan reads; it has " + names);
        }
        return similar;
    }

    private static Expression value(Attribute column, AttributeReference wanted) {
        Expression value = column;
        if (column.dataType() instanceof StructType && wanted.dataType() instanceof StructType && !column.dataType().sameType(wanted.dataType())) {
            value = fields(column, (StructType) column.dataType(), (StructType) wanted.dataType());
        }
        if (!value.dataType().sameType(wanted.dataType())) {
            value = new Cast(column, wanted.dataType(), Option.apply(SQLConf.get().sessionLocalTimeZone()), EvalMode.ANSI());
        }
        return value.nullable() && !wanted.nullable() ? new KnownNotNull(value) : value;
    }

    /** Those fields of a struct that the plan knows: of `_metadata` there may be more by now. As it is, where one is missing. */
    private static Expression fields(Attribute column, StructType there, StructType wanted) {
        ArrayList parts = new ArrayList();
        for (int i = 0; i < wanted.length(); i++) {
            String name = wanted.fieldNames()[i];
            Option at = there.getFieldIndex(name);
            if (at.isEmpty()) {
                return column;
            }
            parts.add(new Literal(UTF8String.fromString(name), DataTypes.StringType));
            parts.add(new GetStructField(column, ((Integer) at.get()).intValue(), new Some(name)));
        }
        return new CreateNamedStruct(seq(parts));
    }

    static List list(Object iterable) {
        ArrayList result = new ArrayList();
        scala.collection.Iterator iterator = ((scala.collection.Iterable) iterable).iterator();
        while (iterator.hasNext()) {
            result.add(iterator.next());
        }
        return result;
    }

    static scala.collection.immutable.Seq seq(List items) {
        return scala.jdk.javaapi.CollectionConverters.asScala(items).toList();
    }

    private static scala.collection.immutable.Seq nothing() {
        return seq(new ArrayList());
    }
}
