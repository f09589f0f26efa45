package org.sparklineage.overlay;

import java.io.IOException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import org.apache.spark.sql.execution.datasources.DataSource;
import org.apache.spark.sql.internal.SQLConf;
import scala.Option;

/**
 * Refuses what a job of a replay would write where no overlay lies: databases and topics; with --strict whatever is not known to go through Hadoop's
 * file systems. The commands are told by the names of Spark's own classes, which are the same in 4.0 and 4.1.
 */
final class Outside {
    private static final boolean STRICT = System.getenv("SPARK_LINEAGE_STRICT") != null;
    private static final List V2 = Arrays.asList(new Object[] {"AppendData", "OverwriteByExpression", "OverwritePartitionsDynamic", "ReplaceData",
        "WriteDelta", "DeleteFromTable"});

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
        if (name.equals("CreateDataSourceTableAsSelectCommand")) { // asks the provider to write, without a command of its own
            return provider(called(called(plan, "table"), "provider"));
        }
        if (name.equals("InsertIntoDataSourceCommand")) {
            return className(called(called(plan, "logicalRelation"), "relation"));
        }
        if (name.equals("InsertIntoHadoopFsRelationCommand")) {
            return className(called(plan, "fileFormat"));
        }
        if (V2.contains(name)) {
            return className(called(called(plan, "table"), "table"));
        }
        return null;
    }

    /** The class that a table's provider stands for; the provider as it is called where Spark knows of none, and can write nothing. */
    private static String provider(Object option) {
        if (!(option instanceof Option) || ((Option) option).isEmpty()) {
            return null;
        }
        String called = String.valueOf(((Option) option).get());
        try {
            return DataSource.lookupDataSource(called, SQLConf.get()).getName();
        } catch (Throwable error) {
            return called;
        }
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
