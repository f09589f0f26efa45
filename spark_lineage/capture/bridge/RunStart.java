package org.sparklineage.bridge;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkContext;

/** The run_start document of an application without Python: what capture/attach.py writes, as far as a JVM knows it. */
final class RunStart {
    private static final Pattern UUID = Pattern.compile("(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}");
    private static final Pattern LABEL = Pattern.compile("\\{([^}]*)\\}");
    private final SparkContext context;
    private final Options options;
    private final Redaction redaction;
    private final Program program = new Program();
    final String runId;
    final String jobName;

    RunStart(SparkContext context, Options options, Redaction redaction, String runId) {
        this.context = context;
        this.options = options;
        this.redaction = redaction;
        this.runId = runId;
        this.jobName = jobName();
    }

    private String jobName() {
        String given = options.text("job.name");
        if (given.length() > 0) {
            return given;
        }
        String name = context.appName();
        if (name != null && name.startsWith("SparkSQL::")) {
            return "SparkSQL";  // spark-sql puts the machine's name behind it
        }
        boolean own = name != null && name.length() > 0 && !options.shippedList("shell_names").contains(name) && !name.endsWith(".py");
        return own ? name : stem(program.name);
    }

    /** A file's name without its folder and suffix; of a class its simple name. */
    private static String stem(String name) {
        boolean file = name.indexOf('/') >= 0 || name.endsWith(".py") || name.endsWith(".jar");
        String last = name.substring(name.lastIndexOf('/') + 1);
        return file && last.lastIndexOf('.') > 0 ? last.substring(0, last.lastIndexOf('.')) : last.substring(last.lastIndexOf('.') + 1);
    }

    /** Whether the options let this job be recorded. */
    boolean isAllowed() {
        List allow = options.list("jobs.allow");
        return !matches(options.list("jobs.deny")) && (allow.isEmpty() || matches(allow));
    }

    private boolean matches(List globs) {
        for (int i = 0; i < globs.size(); i++) {
            if (Pattern.matches(Globs.pattern((String) globs.get(i)), jobName)) {
                return true;
            }
        }
        return false;
    }

    String json() {
        Map labels = labels();
        String[] parent = parent(labels);
        Json out = new Json();
        out.open('{').field("run_id", runId).field("time_ms", System.currentTimeMillis()).field("application", true);
        out.field("application_id", context.applicationId()).field("attempt", Reflect.text(context.applicationAttemptId()));
        out.field("job_namespace", options.text("job.namespace")).field("job_name", jobName);
        out.field("parent_run_id", parent[0]).field("parent_job_name", parent[1]);
        String root = options.spark("spark.openlineage.rootParentRunId");
        out.field("root_run_id", root != null ? root : parent[0] != null ? parent[0] : runId);
        out.field("user_name", context.sparkUser()).field("host", Program.host());
        out.field("pid", java.lang.management.ManagementFactory.getRuntimeMXBean().getPid());
        out.field("spark_version", context.version()).field("tool_version", options.shipped.getProperty("tool_version"));
        out.field("working_directory", System.getProperty("user.dir"));
        out.field("entry_point", program.name).key("arguments");
        texts(out, redaction.arguments(program.arguments));
        out.comma().key("spark_confs");
        map(out, confs());
        out.comma().key("parameters").open('{').close('}').comma().key("labels");
        map(out, labels);
        out.comma().key("limits").open('{').key("datasets_allow");
        texts(out, options.list("datasets.allow"));
        out.comma().key("datasets_deny");
        texts(out, options.list("datasets.deny"));
        out.comma().key("masking_functions");
        texts(out, options.list("masking.functions"));
        out.comma().field("executables_store", place(options.text("executables.store")));
        return out.close('}').close('}').toString();
    }

    /** A location as another process can use it, whose working directory is another one. */
    private static String place(String location) {
        boolean whole = location.length() == 0 || location.startsWith("file:") || location.indexOf("://") >= 0;
        return whole ? location : new java.io.File(location).getAbsolutePath();
    }

    private Map confs() {
        TreeMap result = new TreeMap();
        List prefixes = options.shippedList("confs_that_matter");
        scala.Tuple2[] all = context.getConf().getAll();
        for (int i = 0; i < all.length; i++) {
            String key = (String) all[i]._1();
            for (int j = 0; j < prefixes.size(); j++) {
                if (key.startsWith((String) prefixes.get(j))) {
                    result.put(key, redaction.value(key, (String) all[i]._2()));
                }
            }
        }
        return result;
    }

    /** What the orchestrator says of itself (capture/orchestrators.py), and over it the labels that were given. */
    private Map labels() {
        TreeMap result = new TreeMap();
        List known = options.shippedList("orchestrator_labels");
        for (int i = 0; i < known.size(); i++) {
            String[] pair = ((String) known.get(i)).split("=");
            String value = pair[1].startsWith("spark.") ? options.spark(pair[1]) : options.variable(pair[1]);
            if (value != null && value.length() > 0) {
                result.put(pair[0], redaction.value(pair[0], value));
            }
        }
        String run = Pipes.runId(options.variable("DAGSTER_PIPES_CONTEXT"));
        if (run != null) {
            result.put("dagster.run_id", run);
        }
        List given = options.list("labels");
        for (int i = 0; i < given.size(); i++) {
            String label = (String) given.get(i);
            int mark = label.indexOf('=');
            String key = (mark < 0 ? label : label.substring(0, mark)).trim();
            result.put(key, redaction.value(key, mark < 0 ? "" : label.substring(mark + 1).trim()));
        }
        return result;
    }

    /** Run id and job name of the parent, each null where it is not known. */
    private String[] parent(Map labels) {
        String text = options.text("parent");
        if (text.length() == 0) {
            text = options.variable("OPENLINEAGE_PARENT_ID");
        }
        int slash = text == null ? -1 : text.lastIndexOf('/');
        if (slash >= 0 && slash + 1 < text.length()) {
            return new String[] {text.substring(slash + 1), text.substring(0, slash)};
        }
        String run = options.spark("spark.openlineage.parentRunId");
        String job = options.spark("spark.openlineage.parentJobName");
        String namespace = options.spark("spark.openlineage.parentJobNamespace");
        if (run != null || job != null) {
            return new String[] {run, job == null || namespace == null ? job : namespace + "/" + job};
        }
        return new String[] {parentRun(labels), parentJob(labels)};
    }

    private String parentRun(Map labels) {
        List candidates = options.shippedList("orchestrator_runs");
        for (int i = 0; i < candidates.size(); i++) {
            String value = (String) labels.get(candidates.get(i));
            if (value != null && UUID.matcher(value).matches()) {
                return value;
            }
        }
        return null;
    }

    /** The first template whose labels are all there. */
    private String parentJob(Map labels) {
        List templates = options.shippedList("orchestrator_jobs");
        for (int i = 0; i < templates.size(); i++) {
            Matcher matcher = LABEL.matcher((String) templates.get(i));
            StringBuffer result = new StringBuffer();
            boolean whole = true;
            while (matcher.find()) {
                String value = (String) labels.get(matcher.group(1));
                whole = whole && value != null;
                matcher.appendReplacement(result, Matcher.quoteReplacement(String.valueOf(value)));
            }
            if (whole) {
                return matcher.appendTail(result).toString();
            }
        }
        return null;
    }

    private static void texts(Json out, List texts) {
        out.open('[');
        for (int i = 0; i < texts.size(); i++) {
            out.string((String) texts.get(i)).comma();
        }
        out.close(']');
    }

    private static void map(Json out, Map values) {
        out.open('{');
        java.util.Iterator entries = values.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            out.field((String) entry.getKey(), (String) entry.getValue());
        }
        out.close('}');
    }
}
