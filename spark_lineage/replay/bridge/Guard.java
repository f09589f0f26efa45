package org.sparklineage.overlay;

import java.io.IOException;
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

    private static volatile boolean running;

    /** Whether it has looked at the application of this JVM. */
    public static boolean isRunning() {
        return running;
    }

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
        scala.Tuple2[] all = conf.getAll();
        for (int i = 0; i < all.length; i++) {
            refuse((String) all[i]._1(), (String) all[i]._2());
            if (((String) all[i]._1()).startsWith("spark.delta.logStore.") && ((String) all[i]._2()).indexOf("DynamoDB") >= 0) {
                conf.remove((String) all[i]._1());
            }
        }
        Configuration hadoop = context.hadoopConfiguration();
        overlay(conf, hadoop);
        if (!Laid.isWoven()) {
            throw new IOException("Hadoop's file systems are not watched in this JVM, as the replay starts them (JAVA_TOOL_OPTIONS): nothing is begun");
        }
        FileSystem.closeAll(); // those that were made before are forgotten
        running = true;
        check(hadoop, "file:///");
        Iterator places = universe.places().iterator();
        while (places.hasNext()) {
            check(hadoop, (String) places.next());
        }
    }

    /** Catalogs that are no folders of tables cannot be put aside. */
    static void refuse(String key, String value) throws IOException {
        boolean catalog = key.startsWith("spark.sql.catalog.") && key.indexOf('.', "spark.sql.catalog.".length()) < 0;
        if (catalog && !value.equals("org.apache.spark.sql.delta.catalog.DeltaCatalog")) {
            throw new IOException("the catalog " + key.substring("spark.sql.catalog.".length()) + " (" + value + ") cannot be put aside");
        }
    }

    /** What a running job may have set since: called with each of its plans, before anything of it is written. */
    static void check(scala.collection.immutable.Map settings) throws IOException {
        scala.collection.Iterator each = settings.iterator();
        while (each.hasNext()) {
            scala.Tuple2 one = (scala.Tuple2) each.next();
            refuse((String) one._1(), (String) one._2());
        }
    }

    private static boolean names(String key) {
        String plain = key.startsWith("spark.hadoop.") ? key.substring("spark.hadoop.".length()) : key;
        return plain.startsWith("fs.") && plain.endsWith(".impl") && plain.length() > "fs.".length() + ".impl".length() && scheme(plain).indexOf('.') < 0;
    }

    private static String scheme(String key) {
        int begin = key.startsWith("fs.AbstractFileSystem.") ? "fs.AbstractFileSystem.".length() : "fs.".length();
        return key.substring(begin, key.length() - ".impl".length());
    }

    /** Each file system that the configuration names is laid over, too. */
    private static void overlay(SparkConf conf, Configuration hadoop) {
        List named = new ArrayList();
        Iterator entries = hadoop.iterator();
        while (entries.hasNext()) {
            String key = (String) ((Map.Entry) entries.next()).getKey();
            if (names(key)) {
                named.add(key);
            }
        }
        Iterator services = java.util.ServiceLoader.load(FileSystem.class).iterator();
        while (services.hasNext()) {
            try {
                named.add("fs." + ((FileSystem) services.next()).getScheme() + ".impl");
            } catch (Throwable error) { // one that cannot be made, or has no name, cannot be used
                continue;
            }
        }
        for (int i = 0; i < named.size(); i++) {
            String key = (String) named.get(i);
            String value = hadoop.get(key);
            boolean ofContext = key.startsWith("fs.AbstractFileSystem.");
            boolean local = scheme(key).equals("file");
            String wanted = ofContext ? CONTEXT : local ? LOCAL : OVERLAY;
            if (wanted.equals(value)) {
                continue;
            }
            hadoop.set(key, wanted);
            conf.set("spark.hadoop." + key, wanted);
            if (!ofContext && !local && value != null) {
                hadoop.set(Overlay.LOWER + scheme(key) + ".impl", value);
                conf.set("spark.hadoop." + Overlay.LOWER + scheme(key) + ".impl", value);
            }
        }
    }

    /** Makes the file system of a place, which stays the one of its scheme and authority in this JVM. */
    private static void check(Configuration hadoop, String place) throws IOException {
        FileSystem found;
        try {
            found = FileSystem.get(new org.apache.hadoop.fs.Path(place).toUri(), hadoop);
        } catch (Exception error) {
            if (place.startsWith("file:")) {
                throw new IOException("the overlay cannot be made: " + error, error);
            }
            return; // one whose classes are not here, such as another spelling of a scheme: the job cannot make it either
        }
        if (!(found instanceof LocalOverlay) && !(found instanceof Overlay)) {
            throw new IOException("the file system of " + place + " is " + found.getClass().getName() + " and not the overlay: nothing is begun");
        }
    }
}
