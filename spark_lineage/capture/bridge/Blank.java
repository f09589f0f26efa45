package org.sparklineage.bridge;

import java.lang.reflect.Method;
import java.util.Collections;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetArrayStructFields;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.In;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.types.StructField;
import scala.Function1;
import scala.runtime.AbstractPartialFunction;

/** Expressions without their literals: each is replaced by one that stands for it. */
final class Blank extends AbstractPartialFunction {
    private final Literals literals;
    private final Map madeNames;

    private Blank(Literals literals, Map madeNames) {
        this.literals = literals;
        this.madeNames = madeNames;
    }

    /** Its SQL, literals taken out where they are to be, in names that Spark made too. */
    static String sql(Expression expression, Literals literals, Map madeNames) {
        return isIn(expression, literals) ? without(expression, literals, madeNames) : expression.sql();
    }

    /** Its SQL, literals taken out of the names that Spark made of other expressions alone. Throws what `sql` throws. */
    static String named(Expression expression, Map madeNames) {
        return (madeNames.isEmpty() ? expression : (Expression) expression.transform(new Blank(null, madeNames))).sql();
    }

    /** Its SQL without literals; null where that cannot be told. */
    static String without(Expression expression, Literals literals, Map madeNames) {
        try {
            return ((Expression) expression.transform(new Blank(literals, madeNames))).sql();
        } catch (RuntimeException e) {
            return null;
        } catch (LinkageError e) {
            return null;
        }
    }

    /** Whether literals of this expression are taken out: everywhere, or because it names or makes such a column. */
    static boolean isIn(Expression expression, Literals literals) {
        return literals.everywhere() || literals.byColumn() && names(expression, literals) && literals.inTexts();
    }

    private static boolean names(Expression expression, Literals literals) {
        if (expression instanceof Attribute && literals.column(((Attribute) expression).name())) {
            return true;
        }
        if (expression instanceof Alias && literals.column(((Alias) expression).name())) {
            return true;
        }
        scala.collection.Iterator children = expression.children().iterator();
        while (children.hasNext()) {
            if (names((Expression) children.next(), literals)) {
                return true;
            }
        }
        return false;
    }

    /** The name that Spark made of an expression with literals in it, without them; null for any other name. */
    static String madeName(Alias alias, Literals literals, Map madeNames) {
        try {
            Expression child = alias.child();
            Expression blank = (Expression) child.transform(new Blank(literals, madeNames));
            if (blank == child || !alias.name().equals(pretty(child))) {
                return null;
            }
            return pretty(blank);
        } catch (Exception e) {
            return null;
        }
    }

    /** The name that Spark makes. Spark 4.1 added an argument, with the default that it has there. */
    private static String pretty(Expression expression) throws Exception {
        Object module = org.apache.spark.sql.catalyst.util.package$.MODULE$;
        Method[] methods = module.getClass().getMethods();
        for (int i = 0; i < methods.length; i++) {
            if (methods[i].getName().equals("toPrettySQL")) {
                Object more = methods[i].getParameterTypes().length > 1 ? Reflect.call(module, "toPrettySQL$default$2") : null;
                return (String) methods[i].invoke(module, more == null ? new Object[] {expression} : new Object[] {expression, more});
            }
        }
        return "";
    }

    public boolean isDefinedAt(Object value) {
        return literals != null && (isLiteral(value) || isVariable(value) || holdsValues(value)) || isMade(value) || isMadeKey(value) || field(value) != null;
    }

    private static boolean isLiteral(Object value) {
        return value instanceof Literal && ((Literal) value).value() != null;
    }

    public Object applyOrElse(Object value, Function1 otherwise) {
        if (literals != null && isLiteral(value)) {
            return marker(value.toString());
        }
        if (literals != null && isVariable(value)) {
            return marker(((Expression) value).sql());
        }
        if (literals != null && holdsValues(value)) {
            Expression child = (Expression) ((Expression) value).children().head();
            Object values = scala.jdk.javaapi.CollectionConverters.asScala(Collections.singletonList(marker(value.toString()))).toList();
            return new In(child, (scala.collection.immutable.Seq) values);
        }
        if (isMade(value)) {
            return ((Attribute) value).withName((String) madeNames.get(((Attribute) value).name()));
        }
        if (isMadeKey(value)) {
            return text((String) madeNames.get(value.toString()));
        }
        Object field = field(value);
        return field == null ? otherwise.apply(value) : field;
    }

    /** The taking of a field whose name was made, by the name that stands for it; null for anything else. */
    private Object field(Object value) {
        if (value instanceof GetStructField && !madeNames.isEmpty()) {
            GetStructField taken = (GetStructField) value;
            String name = (String) madeNames.get(Reflect.tryCall(taken, "extractFieldName"));
            return name == null ? null : new GetStructField(taken.child(), taken.ordinal(), scala.Option.apply(name));
        }
        if (value instanceof GetArrayStructFields && !madeNames.isEmpty()) {
            GetArrayStructFields taken = (GetArrayStructFields) value;
            StructField field = taken.field();
            String name = (String) madeNames.get(field.name());
            return name == null ? null : new GetArrayStructFields(taken.child(),
                new StructField(name, field.dataType(), field.nullable(), field.metadata()), taken.ordinal(), taken.numFields(), taken.containsNull());
        }
        return null;
    }

    private boolean isMade(Object value) {
        return value instanceof Attribute && madeNames.containsKey(((Attribute) value).name());
    }

    /** The name of a field as `struct(*)` gives it, a literal. */
    private boolean isMadeKey(Object value) {
        return value instanceof Literal && madeNames.containsKey(value.toString());
    }

    /** A variable's SQL has the value that it holds. */
    private static boolean isVariable(Object value) {
        return Reflect.simpleName(value).equals("VariableReference");
    }

    /** The expressions that hold values and not literals. */
    private static boolean holdsValues(Object value) {
        String name = Reflect.simpleName(value);
        return name.equals("InSet") || name.endsWith("LikeAll") || name.endsWith("LikeAny");
    }

    private Literal marker(String value) {
        String quoted = literals.quoted(value);
        return text(quoted.substring(1, quoted.length() - 1));
    }

    private static Literal text(String value) {
        return new Literal(org.apache.spark.unsafe.types.UTF8String.fromString(value), org.apache.spark.sql.types.StringType$.MODULE$);
    }
}
