package programs;

import org.apache.spark.sql.SparkSession;

/** A Java application as any other: writes a Delta table, copies it, and throws when it is told to. */
public class CopyIds {
    public static void main(String[] arguments) {
        SparkSession spark = SparkSession.builder().appName("copy_ids").getOrCreate();
        spark.range(10L).write().format("delta").save(arguments[0] + "/ids");
        spark.read().format("delta").load(arguments[0] + "/ids").write().format("delta").save(arguments[0] + "/copy");
        if (arguments.length > 1) {
            throw new IllegalStateException(arguments[1]);
        }
        spark.stop();
    }
}
