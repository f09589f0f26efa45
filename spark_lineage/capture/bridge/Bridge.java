package org.sparklineage.bridge;

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
    private static final String QUEUE = "sparkLineage";
    /** So long the end of an application waits at most until Spark's listener bus takes no more events. */
    private static final long LAST_ENDS_MILLIS = 2000L;

    private final SparkContext context;
    private final Worker worker;
    private final Commits commits;
    private final Open open;
    private final BusDrops drops;
    private final Streams streams;
    private long listenerNanos;
    private long listenerEvents;
    private final long stopMillis;
    private volatile boolean ended;
    private volatile String failure;
    private Inline inline;
    private org.apache.spark.sql.ExperimentalMethods summing;
    final KeyColumn keys;
    private org.apache.spark.sql.ExperimentalMethods telling;

    /** `options` has text values; the names are in capture/attach.py. Throws when the inbox cannot be written. */
    public Bridge(SparkContext context, Map options) throws Exception {
        this.context = context;
        this.stopMillis = Long.parseLong((String) options.get("stop_millis"));
        this.worker = new Worker(context, options);
        this.commits = new Commits(context, worker);
        this.open = new Open(worker);
        this.drops = new BusDrops(context, QUEUE);
        this.streams = new Streams(worker);
        this.keys = new KeyColumn(context, options, worker.reasons);
    }

    /** Starts listening, on a queue of its own. Returns a warning, or null. */
    public String start(String runStart) throws Exception {
        worker.writeNow("run_start", runStart);
        worker.start();
        String warning = commits.install(Thread.currentThread().getContextClassLoader());
        worker.commitsUnseen(commits.isInstalled() ? null : warning);
        context.listenerBus().addToQueue(this, QUEUE);
        return warning;
    }

    public void onOtherEvent(SparkListenerEvent event) {
        if (ended) {
            return;
        }
        if (event instanceof SparkListenerSQLExecutionStart || event instanceof SparkListenerSQLExecutionEnd || Streams.isEvent(event)) {
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
        } else if (Streams.isEvent(event)) {
            streams.hear(event);
        } else {
            finished((SparkListenerSQLExecutionEnd) event);
        }
    }

    private void count(long begin) {
        listenerNanos += System.nanoTime() - begin;
        listenerEvents++;
    }

    private void started(SparkListenerSQLExecutionStart event) {
        open.started(new Started(event));
    }

    private void finished(SparkListenerSQLExecutionEnd event) {
        Long id = Long.valueOf(event.executionId());
        Started start = open.ended(id);
        if (start == null) {
            drops.unmatched();
            return;
        }
        if (event.qe() == null) {
            return;
        }
        start.hear(event.qe());
        Finished one = new Finished(start, new Ended(event));
        if (Document.isOwn(start)) { // of this package's own, and no part of what it ran in
            open.takeNested(id);
            keys.take(id.longValue());
            commits.take(id.longValue());
            return;
        }
        if (start.root() != null && open.keepNested(start.root(), one)) {
            return;
        }
        one.nested = open.takeNested(id);
        one.keys = keys.take(id.longValue());
        Long named = start.namedRoot();
        one.commits = named == null || named.equals(id) ? commits.take(id.longValue()) : commits.takeEnded(named.longValue(), open);
        if (!streams.takes(one)) {
            worker.offer(one);
        }
    }

    public void onApplicationEnd(SparkListenerApplicationEnd event) {
        if (!ended) {
            hearWhatStillRuns();
            ended = true;
            Long exitCode = Reflect.number(Reflect.tryCall(event, "exitCode"));
            String error = failure;
            if (error == null && exitCode != null && exitCode.longValue() != 0L) {
                error = "exit code " + exitCode;
            }
            end(error, stopMillis);
        }
    }

    /**
     * What runs when the application is stopped ends a little later, and its end is in the queue behind this one. Spark stops its
     * bus soon, and waits for us only then: this takes it no time. What has not ended by then is counted: its document is missing.
     */
    private void hearWhatStillRuns() {
        try {
            Ahead ahead = new Ahead(context, QUEUE);
            long deadline = System.currentTimeMillis() + Math.min(LAST_ENDS_MILLIS, stopMillis / 2L);
            while (ahead.waits(deadline)) {
                SparkListenerEvent event = ahead.next();
                if (event != null) {
                    onOtherEvent(event);
                }
            }
        } catch (RuntimeException e) {
            worker.reasons.add("events behind the end of the application: " + e);
        }
        for (int left = open.roots(); left > 0; left--) {
            worker.giveUp("executions that had begun and not ended when the application did");
        }
    }

    /** From now on the rows that this session writes to Delta tables are summed as they are written. */
    public void sumRows(org.apache.spark.sql.ExperimentalMethods methods) {
        if (inline != null) {
            inline.outOf(summing);
        }
        inline = new Inline(context, reasons());
        inline.into(methods);
        summing = methods;
    }

    /** From now on the rows that this session writes to Delta tables have the column of `rows.column`, where it is set. */
    public void tellKeys(org.apache.spark.sql.ExperimentalMethods methods) {
        if (telling != null) {
            keys.outOf(telling);
        }
        keys.into(methods);
        telling = methods;
    }

    Reasons reasons() {
        return worker.reasons;
    }

    /** Takes a run_start or run_end document that Python made for a job(...) in the application. */
    public void note(String kind, String json) {
        if (!ended) {
            worker.offerText(kind, json);
        }
    }

    /** What Python declares of the lineage of a function that workers import, in a text of its own form. */
    public void declare(String module, String name, String text) {
        Declared.add(module, name, text);
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
        if (!ended) {
            streams.settle(Math.min(2000L, timeoutMillis));
        }
        drops.count(worker, open);
        return worker.drain(deadline - System.currentTimeMillis());
    }

    /** Stops listening (detach): what was heard is written, then an end document. */
    public void stop(long timeoutMillis) {
        long deadline = System.currentTimeMillis() + timeoutMillis;
        if (!ended) {
            try {
                context.listenerBus().waitUntilEmpty(Math.max(1L, timeoutMillis));
            } catch (Exception e) {
                worker.reasons.add("events that were not heard before the end");
            }
        }
        try {
            context.listenerBus().removeListener(this);
        } catch (RuntimeException e) {
            worker.reasons.add("removing the listener: " + e);
        }
        if (!ended) {
            ended = true;
            end(null, Math.max(1L, deadline - System.currentTimeMillis()));
        }
    }

    private void end(String error, long timeoutMillis) {
        commits.uninstall();
        if (inline != null) {
            inline.outOf(summing);
        }
        keys.stop();
        if (telling != null) {
            keys.outOf(telling);
        }
        streams.settle(0L);
        drops.count(worker, open);
        worker.end(error, true, timeoutMillis);
        open.clear();
    }

    public boolean isEnded() {
        return ended;
    }

    public String[] warnings() {
        return worker.reasons.texts();
    }

    /**
     * Figures for benchmarks: events heard, nanoseconds on the listener thread, documents, nanoseconds in the worker, bytes,
     * milliseconds from the ends of executions to their documents (sum, longest), documents later than 50 ms.
     */
    public long[] figures() {
        return new long[] {listenerEvents, listenerNanos, worker.documents, worker.workNanos, worker.bytes, worker.delayMillis,
            worker.longestDelayMillis, worker.late};
    }

    /** What is kept in memory: executions open, nested ones that wait, runs with commits, reasons, waiting, their bytes. */
    public long[] retained() {
        return new long[] {open.starts(), open.nested(), commits.size(), worker.reasons.size(), worker.load.count(), worker.load.bytes(),
            open.bytes(), worker.load.highestCount(), worker.load.highestBytes()};
    }

    /** A finished execution with what belongs to it. */
    static final class Finished {
        final Started start;
        final Ended end;
        List nested;
        List commits;
        /** What became of `rows.column` in its writes; null where nothing did. */
        List keys;
        /** Of a stream's micro-batch; null for anything else. */
        Batch batch;

        /** What of it was given up (Load), and how much it keeps in memory while it waits. */
        int cut;
        long weight;

        Finished(Started start, Ended end) {
            this.start = start;
            this.end = end;
        }

        /** What it keeps without its plans. */
        long lightWeight() {
            long result = 1000L + start.weight();
            for (int i = 0; commits != null && i < commits.size(); i++) {
                result += ((DeltaCommit) commits.get(i)).weight();
            }
            return result + 500L * (nested == null ? 0 : nested.size());
        }

        long planWeight() {
            long result = Weight.of(end.qe());
            for (int i = 0; nested != null && i < nested.size(); i++) {
                result += Weight.of(((Finished) nested.get(i)).end.qe());
            }
            return result;
        }

        /** Keeps what is still there of the plans, for as long as the document is made. */
        void hold() {
            end.hold();
            for (int i = 0; nested != null && i < nested.size(); i++) {
                ((Finished) nested.get(i)).end.hold();
            }
        }

        /** Leaves the plans to the garbage collector. */
        void loosen() {
            end.loosen();
            for (int i = 0; nested != null && i < nested.size(); i++) {
                ((Finished) nested.get(i)).end.loosen();
            }
        }
    }
}
