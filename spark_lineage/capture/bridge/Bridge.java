package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerApplicationEnd;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart;

/**
 * The ear in the driver: hears the start and end of every SQL execution, gathers what belongs to one root execution, and
 * hands it to the worker, which writes one document. On Spark's listener thread it only moves references.
 */
public final class Bridge extends SparkListener {
    private static final int STARTS_LIMIT = 100000;
    private static final int NESTED_LIMIT = 256;
    private static final int NESTED_ROOTS_LIMIT = 1000;

    private final SparkContext context;
    private final Worker worker;
    private final Commits commits;
    private final LinkedHashMap starts = new LinkedHashMap();
    private final HashMap nested = new HashMap();
    private long listenerNanos;
    private long listenerEvents;
    private long lostBefore;
    private volatile boolean ended;
    private volatile String failure;

    /** `options` has text values; the names are in capture/attach.py. Throws when the inbox cannot be written. */
    public Bridge(SparkContext context, Map options) throws Exception {
        this.context = context;
        this.commits = new Commits(context, Redaction.of(options));
        this.worker = new Worker(context, options);
    }

    /** Starts listening, on a queue of its own. Returns a warning, or null. */
    public String start(String runStart) throws Exception {
        worker.writeNow("run_start", runStart);
        worker.start();
        String warning = commits.install(Thread.currentThread().getContextClassLoader());
        worker.commitsUnseen(commits.isInstalled() ? null : warning);
        context.listenerBus().addToQueue(this, "sparkLineage");
        return warning;
    }

    public void onOtherEvent(SparkListenerEvent event) {
        if (ended) {
            return;
        }
        if (event instanceof SparkListenerSQLExecutionStart || event instanceof SparkListenerSQLExecutionEnd) {
            long begin = System.nanoTime();
            try {
                Faults.point("listener");
                hear(event);
            } catch (Throwable e) {
                worker.reasons.add("listener: " + e);
            }
            count(begin);
        }
    }

    private void hear(SparkListenerEvent event) {
        if (event instanceof SparkListenerSQLExecutionStart) {
            started((SparkListenerSQLExecutionStart) event);
        } else {
            finished((SparkListenerSQLExecutionEnd) event);
        }
    }

    private void count(long begin) {
        listenerNanos += System.nanoTime() - begin;
        listenerEvents++;
    }

    private void started(SparkListenerSQLExecutionStart event) {
        starts.put(Long.valueOf(event.executionId()), event);
        if (starts.size() > STARTS_LIMIT) {
            Iterator eldest = starts.keySet().iterator();
            eldest.next();
            eldest.remove();
        }
    }

    private void finished(SparkListenerSQLExecutionEnd end) {
        Long id = Long.valueOf(end.executionId());
        SparkListenerSQLExecutionStart start = (SparkListenerSQLExecutionStart) starts.remove(id);
        if (start == null || end.qe() == null) {
            return;
        }
        Object root = Reflect.unwrap(start.rootExecutionId());
        Finished one = new Finished(start, end);
        if (root instanceof Long && !root.equals(id)) {
            keepNested((Long) root, one);
            return;
        }
        one.nested = (List) nested.remove(id);
        one.commits = commits.take(id.longValue());
        one.commitsLost = commits.lost() > lostBefore;
        lostBefore = commits.lost();
        worker.offer(one);
    }

    private void keepNested(Long root, Finished one) {
        if (Noise.isDeltaOwn(one) || !starts.containsKey(root)) {
            return;
        }
        List list = (List) nested.get(root);
        if (list == null) {
            if (nested.size() >= NESTED_ROOTS_LIMIT) {
                // Ends that Spark's listener bus dropped never come: what waits for them must not pile up.
                nested.clear();
                worker.reasons.add("nested executions of ends that never came");
            }
            list = new ArrayList();
            nested.put(root, list);
        }
        if (list.size() < NESTED_LIMIT) {
            list.add(one);
        }
    }

    public void onApplicationEnd(SparkListenerApplicationEnd event) {
        if (!ended) {
            ended = true;
            Long exitCode = Reflect.number(Reflect.tryCall(event, "exitCode"));
            String error = failure;
            if (error == null && exitCode != null && exitCode.longValue() != 0L) {
                error = "exit code " + exitCode;
            }
            commits.uninstall();
            worker.end(error, true, 10000L);
        }
    }

    /** Takes a run_start or run_end document that Python made for a job(...) in the application. */
    public void note(String kind, String json) {
        if (!ended) {
            worker.offerText(kind, json);
        }
    }

    /** What Python knows of the end of the program: an uncaught exception. */
    public void failed(String error) {
        failure = error;
    }

    /**
     * Waits until everything that ended so far is on disk. Returns the number of the last document, -1 if the time was
     * not enough.
     */
    public long flush(long timeoutMillis) {
        long deadline = System.currentTimeMillis() + timeoutMillis;
        try {
            if (!ended) {
                context.listenerBus().waitUntilEmpty(timeoutMillis);
            }
        } catch (Exception e) {
            return -1L;
        }
        return worker.drain(deadline - System.currentTimeMillis());
    }

    /** Stops listening (detach): what was heard is written, then an end document. */
    public void stop(long timeoutMillis) {
        flush(timeoutMillis);
        try {
            context.listenerBus().removeListener(this);
        } catch (RuntimeException e) {
            worker.reasons.add("removing the listener: " + e);
        }
        if (!ended) {
            ended = true;
            commits.uninstall();
            worker.end(null, true, timeoutMillis);
        }
    }

    public boolean isEnded() {
        return ended;
    }

    public String[] warnings() {
        return worker.reasons.texts();
    }

    /**
     * Figures for benchmarks: events heard, nanoseconds on the listener thread, documents, nanoseconds in the worker, bytes,
     * milliseconds from the ends of executions to their documents.
     */
    public long[] figures() {
        return new long[] {listenerEvents, listenerNanos, worker.documents, worker.workNanos, worker.bytes, worker.delayMillis};
    }

    /** A finished execution with what belongs to it. */
    static final class Finished {
        final SparkListenerSQLExecutionStart start;
        final SparkListenerSQLExecutionEnd end;
        List nested;
        List commits;
        boolean commitsLost;

        Finished(SparkListenerSQLExecutionStart start, SparkListenerSQLExecutionEnd end) {
            this.start = start;
            this.end = end;
        }
    }
}
