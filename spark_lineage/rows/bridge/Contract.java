package org.sparklineage.rows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.trees.TreeNodeTag;

/**
 * Which rows a row is made of that a Python function over whole rows gives, as the function's author declared it (capture/declared.py): those with the
 * same values in some columns, which it passes on.
 */
final class Contract {
    /** PlanReader.java puts it there. */
    private static final TreeNodeTag DECLARED = new TreeNodeTag("org.sparklineage.declared");

    private static final List NODES = java.util.Arrays.asList(new Object[] {
        "MapInPandas", "MapInArrow", "PythonMapInArrow", "FlatMapGroupsInPandas", "FlatMapGroupsInArrow",
    });

    /** The columns as the function gives them, and as it takes them. */
    final List given = new ArrayList();
    final List taken = new ArrayList();

    private Contract() {
    }

    /** Null where nothing was declared, or what does not fit. */
    static Contract of(LogicalPlan node) {
        if (!NODES.contains(node.getClass().getSimpleName())) {
            return null;
        }
        List children = Trees.list(node.children());
        JsonNode names = declared(Trees.list(node.expressions()));
        if (names == null || !names.isArray() || names.size() == 0 || children.size() != 1) {
            return null;
        }
        Contract contract = new Contract();
        for (int i = 0; i < names.size(); i++) {
            String name = ((JsonNode) names.get(i)).asText();
            Attribute gives = named(Trees.list(node.output()), name);
            Attribute takes = named(Trees.list(((LogicalPlan) children.get(0)).output()), name);
            if (gives == null || takes == null || !gives.dataType().sameType(takes.dataType())) {
                return null;
            }
            contract.given.add(gives);
            contract.taken.add(takes);
        }
        return contract;
    }

    /** Null where no column has the name, or several that are not the same. */
    private static Attribute named(List columns, String name) {
        Attribute found = null;
        for (int i = 0; i < columns.size(); i++) {
            Attribute column = (Attribute) columns.get(i);
            if (column.name().equalsIgnoreCase(name)) {
                if (found != null && !found.exprId().equals(column.exprId())) {
                    return null;
                }
                found = column;
            }
        }
        return found;
    }

    private static JsonNode declared(List expressions) {
        for (int i = 0; i < expressions.size(); i++) {
            Expression expression = (Expression) expressions.get(i);
            if (expression.getClass().getSimpleName().startsWith("PythonUD")) {
                return declared(expression);
            }
        }
        return null;
    }

    private static JsonNode declared(Expression call) {
        try {
            Object text = call.getTagValue(DECLARED).isDefined() ? call.getTagValue(DECLARED).get() : null;
            return text == null ? null : (JsonNode) new ObjectMapper().readTree((String) text).get("rows");
        } catch (java.io.IOException e) {
            return null; // a text of no form known here
        }
    }
}
