package org.sparklineage.overlay;

import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * Comes before all that a job does with its SparkContext: what the universe sets is set, whatever the job's own configuration says, and a context
 * that would reach beyond the overlay is not begun.
 */
public class Guard implements SparkPlugin {
    static final String OVERLAY = "org.sparklineage.overlay.Overlay";
    static final String LOCAL = "org.sparklineage.overlay.LocalOverlay";
    static final String TABLES = "org.sparklineage.overlay.Tables";
    static final String CONTEXT = "org.sparklineage.overlay.OverlayContext";

    public DriverPlugin driverPlugin() {
        return new OfDriver();
    }

    public ExecutorPlugin executorPlugin() {
        return null;
    }

    public static class OfDriver implements DriverPlugin {
        public Map init(SparkContext context, PluginContext plugin) {
            try {
                guard(context);
            } catch (IOException error) {
                throw new IllegalStateException("spark-lineage replay: " + error.getMessage(), error);
            }
            return new HashMap();
        }
    }

    static void guard(SparkContext context) throws IOException {
        Universe universe = Universe.of(null, null);
        if (universe == null) {
            throw new IOException("there is no replay here: " + Universe.VARIABLE + " is not set");
        }
        SparkConf conf = context.conf();
        if (!context.master().startsWith("local")) {
            throw new IOException("the job sets its master to " + context.master() + ": executors on other machines would not see the overlay");
        }
        Iterator lines = universe.confs.iterator();
        while (lines.hasNext()) {
            String[] line = (String[]) lines.next();
            conf.set(line[1], line[2]);
            if (line[1].startsWith("spark.hadoop.")) {
                context.hadoopConfiguration().set(line[1].substring("spark.hadoop.".length()), line[2]);
            }
        }
        String extensions = conf.get("spark.sql.extensions", "");
        conf.set("spark.sql.extensions", extensions.length() == 0 ? TABLES : extensions + "," + TABLES);
        refuse(conf);
        overlay(conf, context.hadoopConfiguration());
        check(context.hadoopConfiguration());
    }

    /** Catalogs that are no folders of tables cannot be put aside. */
    private static void refuse(SparkConf conf) throws IOException {
        scala.Tuple2[] all = conf.getAll();
        for (int i = 0; i < all.length; i++) {
            String key = (String) all[i]._1();
            String value = (String) all[i]._2();
            boolean catalog = key.startsWith("spark.sql.catalog.") && key.indexOf('.', "spark.sql.catalog.".length()) < 0;
            if (catalog && !value.equals("org.apache.spark.sql.delta.catalog.DeltaCatalog")) {
                throw new IOException("the catalog " + key.substring("spark.sql.catalog.".length()) + " (" + value + ") cannot be put aside");
            }
            if (key.startsWith("spark.delta.logStore.") && value.indexOf("DynamoDB") >= 0) {
                conf.remove(key);
            }
        }
    }

    /** Each file system that the configuration names is laid over, too. */
    private static void overlay(SparkConf conf, Configuration hadoop) {
        List named = new ArrayList();
        Iterator entries = hadoop.iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            String key = (String) entry.getKey();
            if (key.startsWith("fs.") && key.endsWith(".impl") && key.length() > "fs.".length() + ".impl".length()) {
                named.add(key);
            }
        }
        for (int i = 0; i < named.size(); i++) {
            String key = (String) named.get(i);
            String value = hadoop.get(key);
            boolean ofContext = key.startsWith("fs.AbstractFileSystem.");
            String scheme = key.substring(ofContext ? "fs.AbstractFileSystem.".length() : "fs.".length(), key.length() - ".impl".length());
            String wanted = ofContext ? CONTEXT : scheme.equals("file") ? LOCAL : OVERLAY;
            if (wanted.equals(value) || scheme.indexOf('.') >= 0) {
                continue;
            }
            hadoop.set(key, wanted);
            conf.set("spark.hadoop." + key, wanted);
            if (!ofContext && !scheme.equals("file")) {
                hadoop.set(Overlay.LOWER + scheme + ".impl", value);
                conf.set("spark.hadoop." + Overlay.LOWER + scheme + ".impl", value);
            }
        }
    }

    private static void check(Configuration hadoop) throws IOException {
        FileSystem local = FileSystem.get(URI.create("file:///"), hadoop);
        if (!(local instanceof LocalOverlay)) {
            throw new IOException("the local file system is " + local.getClass().getName() + " and not the overlay: nothing is begun");
        }
    }
}
