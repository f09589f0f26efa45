package org.sparklineage.bridge;

import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.trees.TreeNode;

/** Finds the SQL text that an execution's plan was parsed from. */
final class Statements {
    private static final int NODES = 50;

    private Statements() {
    }

    /**
     * The text that the root was parsed from. Analysis makes some commands anew (CREATE TABLE, CREATE VIEW), and they lose it:
     * then that of a node below, where that is the text of a command and not of a query that was put into one by the
     * DataFrame API. Null where there is none.
     */
    static String of(LogicalPlan plan) {
        String own = text(plan);
        if (own != null) {
            return own;
        }
        String below = below(plan, new int[] {NODES});
        return below != null && isDefinition(below) ? below : null;
    }

    private static String below(LogicalPlan plan, int[] left) {
        List children = Reflect.list(plan.children());
        children.addAll(Reflect.list(plan.innerChildren()));
        children.addAll(Reflect.list(plan.expressions()));
        for (int i = 0; i < children.size() && left[0]-- > 0; i++) {
            Object child = children.get(i);
            String text = text(child);
            if (text == null && child instanceof LogicalPlan) {
                text = below((LogicalPlan) child, left);
            }
            if (text != null) {
                return text;
            }
        }
        return null;
    }

    private static String text(Object node) {
        return node instanceof TreeNode ? Reflect.text(Reflect.tryCall(Reflect.tryCall(node, "origin"), "sqlText")) : null;
    }

    private static boolean isDefinition(String text) {
        String start = text.trim().toUpperCase(Locale.ROOT);
        return start.startsWith("CREATE ") || start.startsWith("REPLACE ") || start.startsWith("ALTER ") || start.startsWith("CACHE ");
    }
}
