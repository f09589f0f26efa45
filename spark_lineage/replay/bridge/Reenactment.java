package org.sparklineage.replay;

import java.io.InvalidObjectException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.ArrayTransform;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.EvalMode;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Literal$;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.expressions.NamedLambdaVariable;
import org.apache.spark.sql.catalyst.expressions.Not;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.TransformValues;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.JoinType;
import org.apache.spark.sql.catalyst.plans.LeftAnti$;
import org.apache.spark.sql.catalyst.plans.LeftOuter$;
import org.apache.spark.sql.catalyst.plans.LeftSemi$;
import org.apache.spark.sql.catalyst.plans.logical.DeltaMergeAction;
import org.apache.spark.sql.catalyst.plans.logical.DeltaMergeIntoClause;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.JoinHint;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Union;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;

/**
 * An UPDATE, DELETE or MERGE of a Delta table as a query: over the target as it was and the source, it gives the rows that the command made
 * (`changed`), or all that the table has after it. (Reenactment: Arab, Gawlick, Krishnaswamy, Radhakrishnan and Glavic 2018.) A union of a query for
 * each clause, so that a condition on the rows can be moved down to the scans.
 */
final class Reenactment {
    private static final String THERE = "__lineage_there";

    private final LogicalPlan target;
    private final List names = new ArrayList();
    private final List types = new ArrayList();
    private final ArrayList parts = new ArrayList();

    private Reenactment(LogicalPlan target) {
        this.target = target;
    }

    /** `rows`: the plan that is kept with the command; `arguments`: what it has of expressions and other plans, by name. */
    static LogicalPlan of(String command, LogicalPlan rows, Map arguments, boolean changed) throws Exception {
        if (command.equals("UpdateCommand")) {
            return update(rows, arguments, changed);
        }
        if (command.equals("DeleteCommand")) {
            Reenactment made = new Reenactment(rows);
            made.like(list(rows.output()), null);
            made.keep(changed ? none(rows) : new Filter(not(option(arguments, "condition")), rows));
            return made.union();
        }
        if (command.equals("MergeIntoCommand")) {
            return merge(rows, arguments, changed);
        }
        throw new InvalidObjectException("what " + command + " makes of a table's rows is not known");
    }

    private static LogicalPlan update(LogicalPlan rows, Map arguments, boolean changed) throws Exception {
        List values = list(arguments.get("updateExpressions"));
        Expression condition = option(arguments, "condition");
        Reenactment made = new Reenactment(rows);
        made.like(list(rows.output()), values);
        made.add(values, new Filter(condition, rows));
        if (!changed) {
            made.keep(new Filter(not(condition), rows));
        }
        return made.union();
    }

    private static LogicalPlan merge(LogicalPlan source, Map arguments, boolean changed) throws Exception {
        LogicalPlan target = (LogicalPlan) arguments.get("target");
        Expression on = (Expression) arguments.get("condition");
        List matched = list(arguments.get("matchedClauses"));
        List missing = list(arguments.get("notMatchedClauses"));
        List alone = list(arguments.get("notMatchedBySourceClauses"));
        Reenactment made = new Reenactment(target);
        made.like(list(target.output()), null);
        made.evolved(matched);
        made.evolved(missing);
        made.evolved(alone);
        made.clauses(matched, join(target, source, Inner$.MODULE$, on));
        made.clauses(missing, without(source, target, on));
        LogicalPlan unmatched = without(target, source, on);
        made.clauses(alone, unmatched);
        if (!changed && alone.isEmpty()) {
            made.keep(join(target, source, LeftAnti$.MODULE$, new And(on, any(matched))));
        } else if (!changed) {
            made.keep(new Filter(not(any(alone)), unmatched));
            LogicalPlan untouched = join(target, source, LeftAnti$.MODULE$, new And(on, any(matched)));
            made.keep(join(untouched, source, LeftSemi$.MODULE$, on));
        }
        return made.union();
    }

    /** The columns of the table after the command: those of the target, of the types of these values. */
    private void like(List output, List values) {
        for (int i = 0; i < output.size(); i++) {
            names.add(((Attribute) output.get(i)).name());
            types.add(((Expression) (values == null ? output : values).get(i)).dataType());
        }
    }

    /** MERGE may add columns, and fields of structs: its actions are of the table after it. */
    private void evolved(List clauses) {
        for (int i = 0; i < clauses.size(); i++) {
            List actions = list(((DeltaMergeIntoClause) clauses.get(i)).actions());
            for (int j = 0; j < actions.size(); j++) {
                DeltaMergeAction action = (DeltaMergeAction) actions.get(j);
                int at = at(name(action));
                if (at < 0) {
                    names.add(name(action));
                    types.add(action.expr().dataType());
                } else if (isLater(action.expr().dataType(), (DataType) types.get(at))) {
                    types.set(at, action.expr().dataType());
                }
            }
        }
    }

    /** A clause for rows that the source lacks may know of a new field by its name alone: its type, which is none, is not that of the table. */
    private static boolean isLater(DataType type, DataType other) {
        return widened(new Literal(null, other), type) != null || widened(new Literal(null, type), other) == null;
    }

    private static String name(DeltaMergeAction action) {
        return String.valueOf(list(action.targetColNameParts()).get(0));
    }

    private int at(String name) {
        for (int i = 0; i < names.size(); i++) {
            if (((String) names.get(i)).equalsIgnoreCase(name)) {
                return i;
            }
        }
        return -1;
    }

    /** For each clause the rows that it is the first for; those that it deletes are left out. */
    private void clauses(List clauses, LogicalPlan rows) throws Exception {
        LogicalPlan left = rows;
        for (int i = 0; i < clauses.size(); i++) {
            DeltaMergeIntoClause clause = (DeltaMergeIntoClause) clauses.get(i);
            Expression condition = condition(clause);
            List actions = list(clause.actions());
            if (!actions.isEmpty()) {
                Expression[] values = new Expression[names.size()];
                for (int j = 0; j < actions.size(); j++) {
                    DeltaMergeAction action = (DeltaMergeAction) actions.get(j);
                    values[at(name(action))] = action.expr();
                }
                add(java.util.Arrays.asList(values), new Filter(condition, left));
            }
            left = new Filter(not(condition), left);
        }
    }

    /** Rows of the target as they were. */
    private void keep(LogicalPlan rows) throws Exception {
        add(list(target.output()), rows);
    }

    /** Values beyond the end, and those that are null, are NULL. */
    private void add(List values, LogicalPlan rows) throws Exception {
        ArrayList columns = new ArrayList();
        for (int i = 0; i < names.size(); i++) {
            DataType type = (DataType) types.get(i);
            Expression value = i < values.size() && values.get(i) != null ? (Expression) values.get(i) : (Expression) new Literal(null, type);
            Expression widened = widened(value, type);
            if (widened == null) {
                throw new InvalidObjectException("the command changed the type of column " + names.get(i) + ", and what that makes of rows is not known");
            }
            value = widened;
            columns.add(alias(value, (String) names.get(i)));
        }
        parts.add(new Project(seq(columns), rows));
    }

    /** A value as a later type of its column has it: fields that structs were given since are NULL, also within arrays and maps; null where there is
     * no such thing. */
    private static Expression widened(Expression value, DataType type) {
        DataType given = value.dataType();
        if (given.sameType(type)) {
            return value;
        }
        if (given instanceof StructType && type instanceof StructType) {
            return struct(value, (StructType) given, (StructType) type);
        }
        if (given instanceof ArrayType && type instanceof ArrayType) {
            NamedLambdaVariable one = variable("one", ((ArrayType) given).elementType(), ((ArrayType) given).containsNull());
            Expression made = widened(one, ((ArrayType) type).elementType());
            return made == null ? null : new ArrayTransform(value, function(made, new Expression[] {one}));
        }
        if (given instanceof MapType && type instanceof MapType && ((MapType) given).keyType().sameType(((MapType) type).keyType())) {
            NamedLambdaVariable key = variable("key", ((MapType) given).keyType(), false);
            NamedLambdaVariable one = variable("one", ((MapType) given).valueType(), ((MapType) given).valueContainsNull());
            Expression made = widened(one, ((MapType) type).valueType());
            return made == null ? null : new TransformValues(value, function(made, new Expression[] {key, one}));
        }
        Cast cast = new Cast(value, type, Option.apply(SQLConf.get().sessionLocalTimeZone()), EvalMode.ANSI());
        return cast.checkInputDataTypes().isSuccess() ? cast : null;
    }

    /** By the names of the fields, all of which the later type has. */
    private static Expression struct(Expression value, StructType given, StructType type) {
        ArrayList fields = new ArrayList();
        int found = 0;
        for (int i = 0; i < type.fields().length; i++) {
            StructField field = type.fields()[i];
            int at = at(given, field.name());
            Expression made = new Literal(null, field.dataType());
            if (at >= 0) {
                found++;
                made = widened(new GetStructField(value, at, Option.apply(given.fields()[at].name())), field.dataType());
            }
            if (made == null) {
                return null;
            }
            fields.add(literal(UTF8String.fromString(field.name())));
            fields.add(made);
        }
        Expression all = new CreateNamedStruct(seq(fields));
        return found < given.fields().length ? null : new If(new IsNull(value), new Literal(null, all.dataType()), all);
    }

    private static int at(StructType type, String name) {
        for (int i = 0; i < type.fields().length; i++) {
            if (type.fields()[i].name().equalsIgnoreCase(name)) {
                return i;
            }
        }
        return -1;
    }

    private static NamedLambdaVariable variable(String name, DataType type, boolean nullable) {
        return new NamedLambdaVariable(name, type, nullable, NamedExpression$.MODULE$.newExprId(), new AtomicReference());
    }

    private static Expression function(Expression made, Expression[] variables) {
        return new LambdaFunction(made, seq(java.util.Arrays.asList(variables)), false);
    }

    private LogicalPlan union() throws Exception {
        if (parts.isEmpty()) {
            keep(none(target));
        }
        return parts.size() == 1 ? (LogicalPlan) parts.get(0) : new Union(seq(parts), false, false);
    }

    private static LogicalPlan none(LogicalPlan rows) {
        return new Filter(literal(Boolean.FALSE), rows);
    }

    private static LogicalPlan join(LogicalPlan left, LogicalPlan right, JoinType type, Expression on) {
        return new Join(left, right, type, Option.apply(on), JoinHint.NONE());
    }

    /** The rows for which the other side has none. An outer join, and not an anti join: a row makes its own without all of the other side. */
    private static LogicalPlan without(LogicalPlan rows, LogicalPlan other, Expression on) {
        Alias there = alias(literal(Boolean.TRUE), THERE);
        ArrayList columns = new ArrayList(list(other.output()));
        columns.add(there);
        Attribute told = there.toAttribute().withNullability(true);
        return new Filter(new IsNull(told), join(rows, new Project(seq(columns), other), LeftOuter$.MODULE$, on));
    }

    private static Expression any(List clauses) {
        Expression any = literal(Boolean.FALSE);
        for (int i = 0; i < clauses.size(); i++) {
            any = new Or(any, condition((DeltaMergeIntoClause) clauses.get(i)));
        }
        return any;
    }

    private static Expression condition(DeltaMergeIntoClause clause) {
        return clause.condition().isDefined() ? (Expression) clause.condition().get() : literal(Boolean.TRUE);
    }

    /** True where there is no condition. */
    private static Expression option(Map arguments, String name) {
        Object value = arguments.get(name);
        if (value instanceof Option) {
            return ((Option) value).isDefined() ? (Expression) ((Option) value).get() : literal(Boolean.TRUE);
        }
        return value == null ? literal(Boolean.TRUE) : (Expression) value;
    }

    /** That it does not hold: false or unknown. */
    private static Expression not(Expression condition) {
        return new Not(new EqualNullSafe(condition, literal(Boolean.TRUE)));
    }

    private static Expression literal(Object value) {
        return Literal$.MODULE$.apply(value);
    }

    private static Alias alias(Expression value, String name) {
        return new Alias(value, name, NamedExpression$.MODULE$.newExprId(), seq(new ArrayList()), Option.apply(null), seq(new ArrayList()));
    }

    private static List list(Object iterable) {
        return iterable == null ? new ArrayList() : Rebinding.list(iterable);
    }

    private static scala.collection.immutable.Seq seq(List items) {
        return Rebinding.seq(items);
    }
}
