package org.sparklineage.overlay;

import java.io.IOException;
import java.lang.reflect.Method;
import org.apache.spark.sql.catalyst.trees.TreeNode;

/**
 * Refuses what a job of a replay would write where no overlay lies: databases and topics; with --strict whatever is not known to go through Hadoop's
 * file systems. The commands are told by Catalyst's own classes: SaveIntoDataSourceCommand, V2WriteCommand and WriteToStream.
 */
final class Outside {
    private static final boolean STRICT = System.getenv("SPARK_LINEAGE_STRICT") != null;

    private Outside() {}

    static void check(TreeNode plan) throws IOException {
        String target = target(plan);
        if (target != null && isOutside(target)) {
            throw new IOException("the job writes to " + target + ", where what it writes cannot be put aside");
        }
        scala.collection.Iterator children = plan.children().iterator();
        while (children.hasNext()) {
            check((TreeNode) children.next());
        }
    }

    /** The class of what a command writes to; null of what is none of these commands. */
    private static String target(TreeNode plan) {
        String name = plan.getClass().getSimpleName();
        if (name.equals("SaveIntoDataSourceCommand")) {
            return className(called(plan, "dataSource"));
        }
        if (name.equals("WriteToStream")) {
            return className(called(plan, "sink"));
        }
        if (name.equals("AppendData") || name.equals("OverwriteByExpression") || name.equals("OverwritePartitionsDynamic")) {
            return className(called(called(plan, "table"), "table"));
        }
        return null;
    }

    private static String className(Object value) {
        return value == null ? null : value.getClass().getName();
    }

    /** What a method without arguments gives; null where there is none of that name. */
    private static Object called(Object value, String method) {
        if (value == null) {
            return null;
        }
        try {
            Method found = value.getClass().getMethod(method, new Class[0]);
            return found.invoke(value, new Object[0]);
        } catch (Exception error) { // of another Spark, or a relation that is not resolved yet: it is asked again
            return null;
        }
    }

    private static boolean isOutside(String target) {
        if (target.startsWith("org.apache.spark.sql.kafka010.") || target.indexOf(".jdbc.") >= 0) {
            return true;
        }
        return STRICT && !target.startsWith("org.apache.spark.sql.");
    }
}
