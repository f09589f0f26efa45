package org.sparklineage.bridge;

import java.io.File;
import java.lang.reflect.Field;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerApplicationEnd;

/**
 * The way in for applications that are not Python: `spark.jars` with our jar, and
 * `spark.extraListeners=org.sparklineage.bridge.LineageListener`. Spark makes it while the SparkContext is being made, just
 * before the first event; it sets up a {@link Bridge} on a queue of its own there and then, so that nothing is missed.
 *
 * It writes documents only: there is no Python here to ingest them. What goes wrong is one warning; the application goes on.
 */
public final class LineageListener extends SparkListener {
    private static volatile LineageListener current;

    private SparkContext context;
    private Bridge bridge;
    /** Whether the rows that are written are summed. */
    boolean sums;
    private String runId;
    private String jobName;
    private String inbox;
    private String folder;

    /** Called by Spark. Never throws: Spark would not start. */
    public LineageListener(SparkConf conf) {
        org.slf4j.Logger log = org.slf4j.LoggerFactory.getLogger("spark-lineage");
        try {
            Faults.point("attach");
            Options options = new Options(conf, System.getenv());
            if (options.flag("enabled") && start(options)) {
                current = this;
                log.info("lineage of this application is written to " + folder);
            }
        } catch (Throwable e) {
            log.warn("lineage is not recorded for this application: " + e + " (the job is not affected)");
        }
    }

    /** The listener that records this application, null where there is none. For Python, which attaches to it then. */
    public static LineageListener of(SparkContext context) {
        LineageListener found = current;
        return found != null && found.context == context && !found.bridge.isEnded() ? found : null;
    }

    private boolean start(Options options) throws Exception {
        context = beingMade();
        Redaction redaction = redaction(options);
        Launch launch = new Launch(options);
        RunStart start = new RunStart(context, options, redaction, launch.runId(newRunId()));
        if (!start.isAllowed()) {
            return false;
        }
        runId = start.runId;
        jobName = start.jobName;
        inbox = inbox(options);
        folder = inbox + "/" + runId;
        Map forBridge = options.forBridge();
        forBridge.put("run_id", runId);
        forBridge.put("folder", folder);
        forBridge.put("caveat", caveat(options));
        redaction.put(forBridge);
        bridge = new Bridge(context, forBridge);
        try {
            bridge.start(start.json());
            sums = options.flag("snapshots.inline");
            if (sums || bridge.keys.isOn()) {
                Sessions.extend(context.conf());
            }
            launch.tell(folder, inbox, options.text("store"));
        } catch (Exception e) {
            bridge.stop(0L);
            throw e;
        }
        return true;
    }

    /**
     * The SparkContext that is making us. It is not active yet, nor complete; configuration, identity and listener bus, which
     * is all that a bridge needs to begin with, are there. Spark keeps it in a private field, to refuse a second one.
     */
    private static SparkContext beingMade() throws Exception {
        Field[] fields = SparkContext$.class.getDeclaredFields();
        for (int i = 0; i < fields.length; i++) {
            if (fields[i].getName().endsWith("contextBeingConstructed")) {
                fields[i].setAccessible(true);
                Object found = Reflect.unwrap(fields[i].get(SparkContext$.MODULE$));
                if (found instanceof SparkContext) {
                    return (SparkContext) found;
                }
            }
        }
        throw new IllegalStateException("this Spark does not tell which SparkContext is being made");
    }

    private static Redaction redaction(Options options) {
        java.util.List patterns = options.list("redact");
        String sparks = options.spark("spark.redaction.regex");
        if (sparks != null) {
            patterns.add(sparks);
        }
        java.util.Properties shipped = options.shipped;
        return new Redaction(Redaction.keys(shipped.getProperty("redact.keys"), patterns), shipped.getProperty("redact.text"),
            shipped.getProperty("redact.urls"));
    }

    private static String caveat(Options options) {
        java.util.List known = options.shippedList("known_spark");
        String version = org.apache.spark.package$.MODULE$.SPARK_VERSION();
        for (int i = 0; i < known.size(); i++) {
            if (version.startsWith((String) known.get(i))) {
                return "";
            }
        }
        return "Spark " + version + " is not known to this release";
    }

    /** The inbox in force: as config.py works it out, absolute where it is local. */
    private static String inbox(Options options) {
        String given = options.text("inbox");
        if (given.length() == 0) {
            String store = options.text("store");
            given = store.indexOf("://") >= 0 && !store.startsWith("file:") ? "./lineage-inbox" : store + "/inbox";
        }
        while (given.endsWith("/") && given.length() > 1) {
            given = given.substring(0, given.length() - 1);
        }
        if (given.startsWith("file:")) {
            given = given.substring(5).replaceFirst("^/*", "/");
        }
        if (given.indexOf("://") >= 0) {
            return given;
        }
        if (given.equals("~") || given.startsWith("~/")) {
            given = System.getProperty("user.home") + given.substring(1);
        }
        return new File(given).toPath().toAbsolutePath().normalize().toString();
    }

    /** A UUIDv7 (RFC 9562): 48 bits of epoch milliseconds, then random bits; text of it sorts by time. */
    static String newRunId() {
        java.util.UUID random = java.util.UUID.randomUUID();
        long high = System.currentTimeMillis() << 16 | 0x7000L | random.getMostSignificantBits() & 0xFFFL;
        return new java.util.UUID(high, random.getLeastSignificantBits()).toString();
    }

    /** Lets go of the SparkContext: the bridge hears the end on its own queue. */
    public void onApplicationEnd(SparkListenerApplicationEnd event) {
        if (current == this) {
            current = null;
        }
    }

    public Bridge bridge() {
        return bridge;
    }

    public String runId() {
        return runId;
    }

    public String jobName() {
        return jobName;
    }

    public String inbox() {
        return inbox;
    }

    public String folder() {
        return folder;
    }
}
