package org.sparklineage.bridge;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.OuterReference;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Product;

/** Writes the expressions of a plan's nodes, generic over their classes. A subquery's plan goes to the plan's writer. */
final class ExpressionWriter {
    private static final int SQL_LIMIT = 2000;
    private static final String PACKAGE = "org.apache.spark.sql.catalyst.expressions.";
    /** Arguments that say how to evaluate, not what. */
    static final Set QUIET = new HashSet();

    static {
        String[] quiet = new String[] {"timeZoneId", "evalMode", "ansiEnabled", "failOnError", "resultId", "evalContext",
            "mode", "legacyErrorPattern", "inputEncoders", "outputEncoder", "nullOnOverflow", "resolver", "origin", "pythonEval"};
        for (int i = 0; i < quiet.length; i++) {
            QUIET.add(quiet[i]);
        }
    }

    private final PlanWriter plans;
    private final Columns columns;
    private final Budget budget;
    private final Redaction redaction;
    private final Literals literals;
    private final HashMap commons = new HashMap();
    private boolean redacting;
    private Object lastFunction;
    private String lastName;
    private String lastDeclared;

    ExpressionWriter(PlanWriter plans, Columns columns, Budget budget, Redaction redaction) {
        this.plans = plans;
        this.columns = columns;
        this.budget = budget;
        this.redaction = redaction;
        this.literals = redaction.literals;
    }

    /** An expression as a field holds it: its tree, and its SQL where that says more. Throws Budget.Over. */
    void write(Json out, Expression expression) {
        boolean before = redacting;
        redacting = Blank.isIn(expression, literals);
        try {
            withSql(out, expression);
        } finally {
            redacting = before;
        }
    }

    /** As write, of an expression that a column of that name is made with. */
    void write(Json out, String column, Expression expression) {
        boolean before = redacting;
        redacting = literals.column(column) && literals.inTexts() || Blank.isIn(expression, literals);
        try {
            withSql(out, expression);
        } finally {
            redacting = before;
        }
    }

    private void withSql(Json out, Expression expression) {
        out.open('{').key("expr");
        int before = out.mark();
        expression(out, expression);
        int size = out.mark() - before;
        Expression named = expression instanceof Alias ? ((Alias) expression).child() : expression;
        if (!(named instanceof Attribute) && size < 20000) {
            int mark = out.mark();
            try {
                String sql = redacting ? Blank.without(named, literals, columns.madeNames) : Blank.named(named, columns.madeNames);
                out.comma().key("sql").string(Reflect.cut(redaction.text(sql), SQL_LIMIT));
            } catch (RuntimeException e) {
                out.reset(mark);
            } catch (LinkageError e) {
                out.reset(mark);
            }
        }
        out.close('}');
    }

    private void expression(Json out, Expression expression) {
        budget.bytes(plans.length() + out.length());
        budget.step();
        if (expression instanceof AttributeReference) {
            out.open('{').key("a").number(columns.attribute((Attribute) expression)).close('}');
        } else if (expression instanceof Literal) {
            literal(out, (Literal) expression);
        } else if (expression instanceof Alias) {
            Alias alias = (Alias) expression;
            columns.given(alias, redacting ? literals : null);
            out.open('{').field("as", columns.number(alias.exprId())).field("n", columns.name(alias.name())).key("c").open('[');
            expression(out, alias.child());
            out.close(']').close('}');
        } else {
            general(out, expression);
        }
    }

    private void literal(Json out, Literal literal) {
        Object value = literal.value();
        String text = value == null ? null : redacting ? literals.value(literal.toString()) : redaction.text(columns.name(literal.toString()));
        out.open('{').key("l").string(Reflect.cut(text, 200));
        out.comma().key("t").string(columns.type(literal.dataType())).close('}');
    }

    private void general(Json out, Expression expression) {
        String name = expression.getClass().getName();
        boolean clause = name.startsWith("org.apache.spark.sql.catalyst.plans.logical.DeltaMerge");
        out.open('{').key("e").string(name.startsWith(PACKAGE) ? Reflect.simpleName(expression) : name).comma();
        List children = Reflect.list(expression.children());
        if (expression instanceof OuterReference) {
            children = java.util.Collections.singletonList(((OuterReference) expression).e());
        } else if (name.endsWith(".OuterScopeReference")) {  // Spark 4.1 has it
            Object outer = Reflect.tryCall(expression, "e");
            children = outer instanceof Expression ? java.util.Collections.singletonList(outer) : children;
        }
        if (!clause && !children.isEmpty()) {
            out.key("c").open('[');
            for (int i = 0; i < children.size(); i++) {
                expression(out, (Expression) children.get(i));
                out.comma();
            }
            out.close(']').comma();
        }
        if (expression instanceof Product) {
            parameters(out, expression, children, clause);
        }
        out.close('}');
    }

    private void parameters(Json out, Expression expression, List children, boolean clause) {
        Product product = (Product) expression;
        int start = out.mark();
        out.key("p").open('{');
        int empty = out.mark();
        LogicalPlan plan = null;
        for (int i = 0; i < product.productArity(); i++) {
            Object value = Reflect.unwrap(product.productElement(i));
            String name = product.productElementName(i);
            if (value instanceof LogicalPlan) {
                plan = (LogicalPlan) value;
            } else if (clause || keeps(name, value, children)) {
                parameter(out, name, value);
            }
        }
        function(out, expression);
        structure(out, expression);
        if (out.mark() == empty) {
            out.reset(start);
        } else {
            out.close('}').comma();
        }
        if (plan != null) {
            out.key("plan").number(plans.plan(plan)).comma();
        }
    }

    private static boolean keeps(String name, Object value, List children) {
        if (value == null || value instanceof Expression || QUIET.contains(name)) {
            return false;
        }
        if (value instanceof scala.collection.Seq && !(value instanceof DataType)) {  // a StructType is both
            List list = Reflect.list(value);
            return !list.isEmpty() && !(Reflect.unwrap(list.get(0)) instanceof Expression) && !(list.get(0) instanceof scala.Tuple2)
                && list.get(0) instanceof String;
        }
        return value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof DataType
            || value instanceof ExprId || value instanceof Enum;
    }

    private void parameter(Json out, String name, Object value) {
        int mark = out.mark();
        try {
            out.key(name);
            plans.value(out, value instanceof String ? columns.name((String) value) : value, 0);
            out.comma();
        } catch (RuntimeException e) {
            PlanWriter.rethrowOver(e);
            out.reset(mark);
        }
    }

    /** The names of fields, as the schema spells them: of the one that is taken, of all of a struct that is made. */
    private void structure(Json out, Expression expression) {
        String name = Reflect.simpleName(expression);
        if (name.equals("CommonExpressionDef") || name.equals("CommonExpressionRef")) {
            common(out, expression);
            return;
        }
        boolean made = name.equals("CreateNamedStruct") || name.equals("UpdateFields") || name.equals("ArraysZip")
            || name.equals("Inline");
        if (!made && !name.equals("GetStructField") && !name.equals("GetArrayStructFields")) {
            return;
        }
        int mark = out.mark();
        try {
            if (made) {
                out.key("fields").open('[');
                StructField[] fields = struct(expression.dataType()).fields();
                for (int i = 0; i < fields.length; i++) {
                    out.string(columns.name(fields[i].name())).comma();
                }
                out.close(']').comma();
            } else {
                int ordinal = ((Number) Reflect.call(expression, "ordinal")).intValue();
                DataType from = ((Expression) expression.children().head()).dataType();
                out.field("field", columns.name(struct(from).fields()[ordinal].name()));
            }
        } catch (Exception e) {
            out.reset(mark);
        }
    }

    /** What an expression is computed from once and used twice: numbered as they come. */
    private void common(Json out, Expression expression) {
        Object id = Reflect.tryCall(expression, "id");
        if (id != null) {
            Integer known = (Integer) commons.get(id);
            if (known == null) {
                known = Integer.valueOf(commons.size());
                commons.put(id, known);
            }
            out.field("common", known.longValue());
        }
    }

    private static StructType struct(DataType type) {
        return (StructType) (type instanceof ArrayType ? ((ArrayType) type).elementType() : type);
    }

    /** As Declared.of, which looks through all that is sent to the workers: once for a function that is used for many columns. */
    private String declared(Object function, String name) {
        if (function == null || function != lastFunction || !String.valueOf(name).equals(lastName)) {
            lastDeclared = Declared.of(function, name);
            lastFunction = function;
            lastName = String.valueOf(name);
        }
        return lastDeclared;
    }

    /**
     * The class of a Scala function: it tells Spark ML's own from a user's. What was declared of a Python function. The name of a
     * SQL function.
     */
    private void function(Json out, Expression expression) {
        String kind = Reflect.simpleName(expression);
        if (kind.equals("ScalaUDF")) {
            Object function = Reflect.tryCall(expression, "function");
            if (function != null) {
                out.field("function", function.getClass().getName());
            }
        } else if (kind.startsWith("PythonUD")) {
            String name = Reflect.text(Reflect.tryCall(expression, "name"));
            String declared = declared(Reflect.tryCall(expression, "func"), name);
            if (declared != null) {
                out.field("declared", declared);
            }
        } else if (kind.equals("SQLScalarFunction")) {
            Object name = Reflect.tryCall(Reflect.tryCall(expression, "function"), "name");
            out.field("name", Reflect.text(Reflect.tryCall(name, "funcName")));
        }
    }
}
