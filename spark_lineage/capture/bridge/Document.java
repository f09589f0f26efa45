package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;

/** Makes the document of one execution (docs/documents.md), on the worker's thread. */
final class Document {
    static final String RUN_TAG = "spark-lineage-run-";
    /** Of what this package asks of the session itself, for somebody who traces or replays in it: it is left out. own.py sets it. */
    static final String OWN_TAG = "spark-lineage-own";
    private static final java.util.regex.Pattern SESSION_TAG =
        java.util.regex.Pattern.compile("(?s)spark-session-[0-9a-f-]{36}(?:-thread-[0-9a-f-]{36})?(?:-(?:execution-root-id-\\d+|(.*)))?");
    /** Of a session that has none of its own it is the machine's, which the next machine need not share: it is always told. */
    private static final String TIME_ZONE = "spark.sql.session.timeZone";
    /** Delta keeps state in this setting; it would make the settings of each execution differ. */
    private static final String LAST_COMMIT = "spark.databricks.delta.lastCommitVersionInSession";
    private final SparkContext context;
    private final String runId;
    private final Redaction redaction;
    private final String caveat;
    private final boolean reads;
    private final int maxNodes;
    private final int maxBytes;
    private final long maxNanos;
    private final Pace pace;
    private long begun;
    /** Plan nodes looked at for the document. */
    private long walked;
    private final Executable executable;
    private final Origins origins = new Origins();
    /** Whether something of the document was given up: then not all of its datasets are known. */
    private boolean partial;
    volatile String commitsUnseen;

    Document(SparkContext context, Map options, Pace pace) {
        this.pace = pace;
        this.context = context;
        this.runId = (String) options.get("run_id");
        this.caveat = (String) options.get("caveat");
        this.reads = "true".equals(options.get("reads"));
        this.maxNodes = Integer.parseInt((String) options.get("max_nodes"));
        this.maxBytes = Integer.parseInt((String) options.get("max_bytes"));
        this.maxNanos = Long.parseLong((String) options.get("max_millis")) * 1000000L;
        this.redaction = Redaction.of(options);
        this.executable = new Executable(options, context.sparkUser(), redaction, pace);
    }

    /** The document as JSON, or null when the execution is not the user's. Never throws for what a plan holds. */
    String execution(Bridge.Finished one, Reasons reasons) {
        Literals literals = redaction.literals;
        literals.begin();
        String text = write(one, reasons);
        return text != null && literals.again(partial) ? write(one, reasons) : text;
    }

    private String write(Bridge.Finished one, Reasons reasons) {
        begun = System.nanoTime();
        walked = 0L;
        QueryExecution execution = one.end.qe();
        LogicalPlan analyzed = execution == null ? null : Plans.analyzed(execution);
        RealPaths realPaths = new RealPaths();
        redaction.seen = realPaths;
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            origin((Bridge.Finished) one.nested.get(i), reasons);
        }
        origin(one, reasons);
        if (execution != null && (analyzed == null || Noise.isRootNoise(one, analyzed, reads))) {
            return null;
        }
        ArrayList incomplete = new ArrayList();
        if (caveat.length() > 0) {
            incomplete.add(caveat);
        }
        boolean isWrite = analyzed == null || Noise.writes(Reflect.simpleName(analyzed));
        if (one.start.nestedCut) {
            incomplete.add(Open.NESTED_CUT);
        }
        boolean header = one.cut == Load.PLAN;
        if (header || analyzed == null) {
            String reason = analyzed == null ? "plan and scans given up, memory was short" : "plan left out under load";
            incomplete.add(reason);
            reasons.add((isWrite ? "writes: " : "reads: ") + reason);
        }
        redaction.cuts.clear();
        Json out = new Json();
        out.open('{');
        head(out, one);
        if (one.batch != null) {
            one.batch.write(out, redaction);
        }
        out.key("analyzed").raw(analyzed == null ? "null" : plan(analyzed, header, incomplete, reasons)).comma();
        nested(out, one, header, incomplete, reasons);
        observed(out, one);
        if (origins.leftOut) {
            incomplete.add("plans of earlier checkpoints left out");
            origins.leftOut = false;
        }
        physical(out, one, incomplete, reasons);
        commits(out, CommitList.of(one, analyzed, commitsUnseen, incomplete, context.hadoopConfiguration()), CommitList.given(one, analyzed));
        realPaths.write(out);
        incomplete.addAll(redaction.cuts);
        partial = !incomplete.isEmpty();
        executable.write(out, one, analyzed, isWrite, header, begun, incomplete);
        KeyColumn.write(out, one.keys, redaction, incomplete);
        if (redaction.literals.taken() > 0 || one.batch != null && one.batch.redacted) {
            incomplete.add("literals are redacted: it cannot be run again");
        }
        out.key("incomplete");
        texts(out, incomplete);
        out.comma().key("cost").open('{').field("walk_us", (System.nanoTime() - begun) / 1000L).field("walked", walked).close('}').comma();
        return out.close('}').toString();
    }

    private void origin(Bridge.Finished one, Reasons reasons) {
        LogicalPlan plan = Origins.isCheckpoint(one) && one.end.qe() != null ? Plans.analyzed(one.end.qe()) : null;
        try {
            if (plan != null) {
                origins.note(one.start.executionId(), plan, new Budget(maxNodes, maxBytes, maxNanos, begun, pace), redaction);
            }
        } catch (RuntimeException e) {
            reasons.add("a checkpoint's plan: " + (e instanceof Budget.Over ? e.getMessage() : thrown(e)));
        } catch (StackOverflowError e) {
            reasons.add("a checkpoint's plan: too deep");
        }
    }

    private void head(Json out, Bridge.Finished one) {
        Started start = one.start;
        ArrayList tags = new ArrayList();
        out.field("run_id", tags(start, tags)).field("time_ms", one.end.time()).field("sql_id", start.executionId());
        out.field("name", Reflect.text(one.end.executionName()));
        out.field("description", Reflect.cut(redaction.text(redaction.literals.description(start.description())), 2000));
        out.field("call_site", redaction.literals.callSite(firstLines(start.details(), 3))).field("statement", statement(one.end.qe()));
        out.key("tags");
        texts(out, tags);
        out.comma().field("job_group", redaction.text(Reflect.text(Reflect.tryCall(start, "jobGroupId"))));
        out.field("started_ms", start.time()).field("ended_ms", one.end.time());
        failure(out, one);
        confs(out, start);
        catalog(out, one.start.names(), one.start.isLate());
    }

    static boolean isOwn(Started start) {
        return Reflect.list(start.jobTags()).contains(OWN_TAG);
    }

    /** The run in whose job(...) the execution was started: our own tag, which is kept out of `tags`. */
    private String tags(Started start, List others) {
        String run = runId;
        List tags = Reflect.list(Reflect.tryCall(start, "jobTags"));
        for (int i = 0; i < tags.size(); i++) {
            String tag = String.valueOf(tags.get(i));
            if (tag.startsWith(RUN_TAG)) {
                run = tag.substring(RUN_TAG.length());
            } else {
                String own = userTag(tag);
                if (own != null) {
                    others.add(redaction.text(own));
                }
            }
        }
        return run;
    }

    /** The tag as the user set it: Spark puts the session and the thread before it, and has one tag of its own for the session. */
    private static String userTag(String tag) {
        java.util.regex.Matcher ofSession = SESSION_TAG.matcher(tag);
        return ofSession.matches() ? ofSession.group(1) : tag;
    }

    /** The SQL text that the plan was parsed from, null for a plan made by the DataFrame API. */
    private String statement(QueryExecution execution) {
        String text = execution == null ? null : Statements.of(Plans.analyzed(execution));
        return text == null ? null : Reflect.cut(redaction.sql(text), 10000);
    }

    private static String firstLines(String text, int count) {
        int cut = -1;
        for (int i = 0; text != null && i < count; i++) {
            int next = text.indexOf('\n', cut + 1);
            if (next < 0) {
                return text;
            }
            cut = next;
        }
        return text == null ? null : text.substring(0, cut);
    }

    private void failure(Json out, Bridge.Finished one) {
        Object failure = Reflect.unwrap(one.end.executionFailure());
        String message = Reflect.text(one.end.errorMessage());
        boolean failed = failure != null || message != null && message.length() > 0;
        out.field("status", failed ? "failed" : "succeeded");
        if (failure instanceof Throwable) {
            out.field("error_class", failure.getClass().getName());
            message = message((Throwable) failure);
        }
        if (failed) {
            message = redaction.literals.failure(failure instanceof Throwable ? (Throwable) failure : null, message);
            out.field("error_message", Reflect.cut(redaction.text(message), 4000));
        }
    }

    /** The message, and that of the first cause: Spark wraps what went wrong in a task. */
    private static String message(Throwable failure) {
        Throwable cause = failure;
        for (int i = 0; i < 20 && cause.getCause() != null && cause.getCause() != cause; i++) {
            cause = cause.getCause();
        }
        return cause == failure ? failure.getMessage() : Reflect.cut(failure.getMessage(), 2000) + "\ncaused by: " + cause.getMessage();
    }

    private void confs(Json out, Started start) {
        out.key("confs").open('{');
        scala.Tuple2[] all = context.getConf().getAll();
        Map modified = modified(start);
        for (int i = 0; i < all.length; i++) {
            String key = (String) all[i]._1();
            if ((key.startsWith("spark.sql.") || key.startsWith("spark.databricks.")) && !modified.containsKey(key)) {
                out.field(key, Reflect.cut(redaction.setting(key, (String) all[i]._2()), 500));
            }
        }
        java.util.Iterator entries = modified.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            String key = (String) entry.getKey();
            String value = (String) entry.getValue();
            out.field(key, Reflect.cut(key.startsWith("spark.") ? redaction.setting(key, value) : redaction.value(key, value), 500));
        }
        if (!modified.containsKey(TIME_ZONE) && !context.getConf().contains(TIME_ZONE)) {
            out.field(TIME_ZONE, java.util.TimeZone.getDefault().getID());
        }
        out.close('}').comma();
    }

    private static Map modified(Started start) {
        java.util.TreeMap result = new java.util.TreeMap();
        Object configs = Reflect.tryCall(start, "modifiedConfigs");
        if (configs instanceof scala.collection.Map) {
            scala.collection.Iterator entries = ((scala.collection.Map) configs).iterator();
            while (entries.hasNext()) {
                scala.Tuple2 entry = (scala.Tuple2) entries.next();
                if (!entry._1().equals(LAST_COMMIT)) {
                    result.put(String.valueOf(entry._1()), String.valueOf(entry._2()));
                }
            }
        }
        return result;
    }

    private static void catalog(Json out, String[] names, boolean late) {
        if (names == null) {
            return;
        }
        out.key("catalog").open('{').field("catalog", names[0]);
        out.field("database", names.length == 1 ? null : names[names.length - 1]).key("namespace").open('[');
        for (int i = 1; i < names.length; i++) {
            out.string(names[i]).comma();
        }
        out.close(']').comma();
        if (late) {
            out.field("late", true);
        }
        out.close('}').comma();
    }

    private String plan(LogicalPlan plan, boolean header, List incomplete, Reasons reasons) {
        if (!header) {
            Budget budget = new Budget(maxNodes, maxBytes, maxNanos, begun, pace);
            try {
                Faults.point("plan");
                return new PlanWriter(budget, redaction, origins, 1).write(plan);
            } catch (Budget.Over e) {
                incomplete.add(e.getMessage());
                reasons.add(e.getMessage());
            } catch (StackOverflowError e) {
                incomplete.add("plan too deep");
                reasons.add("plan too deep");
            } catch (RuntimeException e) {
                incomplete.add("plan: " + thrown(e));
                reasons.add("plan: " + thrown(e));
            } finally {
                walked += budget.walked();
            }
        }
        try {
            return new PlanWriter(new Budget(10, maxBytes, maxNanos, System.nanoTime(), new Pace()), redaction, origins, 1)
                .writeHeader(plan);
        } catch (RuntimeException e) {
            incomplete.add("plan header: " + thrown(e));
            return "null";
        }
    }

    private String thrown(Throwable e) {
        return redaction.literals.inTexts() ? e.getClass().getName() : e.toString();
    }

    private void nested(Json out, Bridge.Finished one, boolean header, List incomplete, Reasons reasons) {
        out.key("nested").open('[');
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            Bridge.Finished inner = (Bridge.Finished) one.nested.get(i);
            if (inner.end.qe() == null) {
                incomplete.add("a nested plan was given up, memory was short");
                continue;
            }
            LogicalPlan plan = Plans.analyzed(inner.end.qe());
            String name = Reflect.text(inner.end.executionName());
            if (plan != null && Noise.writes(Reflect.simpleName(plan)) && !"deltaTransactionalWrite".equals(name)
                && !Reflect.simpleName(plan).startsWith("WriteToMicroBatch")) {
                out.open('{').field("sql_id", inner.end.executionId()).field("name", name);
                out.key("analyzed").raw(plan(plan, header, incomplete, reasons)).close('}').comma();
            }
        }
        out.close(']').comma();
    }

    /** Checksums of the rows of writes inside, taken in the same pass. */
    private void observed(Json out, Bridge.Finished one) {
        Json told = new Json();
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            Json found = Inline.observed(((Bridge.Finished) one.nested.get(i)).end.qe());
            if (found != null) {
                told.raw(found).comma();
            }
        }
        if (told.length() > 0) {
            out.key("observed").open('[').raw(told).close(']').comma();
        }
    }

    private void physical(Json out, Bridge.Finished one, List incomplete, Reasons reasons) {
        ScanReader reader = scanned(one, incomplete, reasons);
        out.key("scans").open('[').raw(one.batch == null ? new Json() : one.batch.scans).raw(reader.scans).close(']').comma();
        out.key("writes").open('[').raw(one.batch == null ? new Json() : one.batch.writes).raw(reader.writes).close(']').comma();
    }

    /**
     * As `scanned`, of a batch that has no document of its own: with a time budget of its own, and without its literals, where
     * any are to be taken out, since the document that it goes into is not known yet.
     */
    ScanReader scannedAlone(Bridge.Finished one, Reasons reasons) {
        begun = System.nanoTime();
        redaction.literals.early();
        redaction.seen = new RealPaths();
        ScanReader reader = scanned(one, new ArrayList(), reasons);
        one.batch.redacted |= redaction.literals.taken() > 0;
        return reader;
    }

    /** What the physical plans of an execution and of those inside it read and wrote. */
    private ScanReader scanned(Bridge.Finished one, List incomplete, Reasons reasons) {
        ScanReader reader = new ScanReader(redaction, new Budget(maxNodes * 4, maxBytes, maxNanos, begun, new Pace()));
        try {
            Faults.point("scans");
            reader.endedMs = one.end.time();
            boolean counted = !"rdd".equals(Reflect.text(one.end.executionName()));
            reader.read(one.end.executionId(), one.end.qe(), counted);
            for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
                Bridge.Finished inner = (Bridge.Finished) one.nested.get(i);
                reader.read(inner.end.executionId(), inner.end.qe(), true);
            }
        } catch (RuntimeException e) {
            String reason = "physical plan: " + (e instanceof Budget.Over ? e.getMessage() : thrown(e));
            incomplete.add(reason);
            reasons.add(reason);
        }
        return reader;
    }

    private void commits(Json out, List commits, int given) {
        out.key("commits").open('[');
        for (int i = 0; i < commits.size(); i++) {
            ((DeltaCommit) commits.get(i)).write(out, redaction, given);
        }
        out.close(']').comma();
    }

    /** The document of a commit that no SQL execution made: all that there is to know of it. */
    String outside(Outside one) {
        redaction.literals.early();
        redaction.seen = new RealPaths();
        Json out = new Json();
        String run = one.run();
        long time = one.commit.timestampMillis;
        out.open('{').field("run_id", run == null ? runId : run).field("time_ms", time).field("name", (String) null);
        out.field("started_ms", time).field("ended_ms", time).field("status", "succeeded");
        commits(out, CommitList.ready(java.util.Collections.singletonList(one.commit), context.hadoopConfiguration()), Integer.MAX_VALUE);
        out.key("incomplete").raw("[]").comma();
        return out.close('}').toString();
    }

    private static void texts(Json out, List texts) {
        out.open('[');
        for (int i = 0; i < texts.size(); i++) {
            out.string((String) texts.get(i)).comma();
        }
        out.close(']');
    }
}
