package org.sparklineage.bridge;

import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkContext;

/**
 * The bridge's own thread: takes finished executions from a bounded queue, makes documents, writes them. It numbers the
 * documents as it writes them; a number whose document could not be written is a gap that the reader sees.
 */
final class Worker implements Runnable {
    private static final long STACK_BYTES = 512L * 1024L * 1024L;

    private final LinkedBlockingQueue queue = new LinkedBlockingQueue();
    private final Document documentWriter;
    private final Inbox inbox;
    private final String runId;
    private final int queueMax;
    private final Thread thread;
    final Reasons reasons = new Reasons();
    private long nextSequence;
    /** Executions given up before they had a number: their numbers are left out, so that the reader sees the gap. */
    private final java.util.concurrent.atomic.AtomicLong given = new java.util.concurrent.atomic.AtomicLong();
    private volatile boolean stopped;
    /** What waits or is being written. Counted down after the writing: between queue and writer nothing is out of sight. */
    private final java.util.concurrent.atomic.AtomicLong pending = new java.util.concurrent.atomic.AtomicLong();
    volatile long documents;
    volatile long workNanos;
    volatile long bytes;
    volatile long delayMillis;

    Worker(SparkContext context, Map options) throws Exception {
        this.runId = (String) options.get("run_id");
        this.queueMax = Integer.parseInt((String) options.get("queue_max"));
        this.inbox = new Inbox((String) options.get("folder"), Long.parseLong((String) options.get("inbox_max_bytes")),
            context.hadoopConfiguration());
        this.documentWriter = new Document(context, options);
        this.thread = new Thread(null, this, "spark-lineage", STACK_BYTES);
        this.thread.setDaemon(true);
        this.thread.setContextClassLoader(Thread.currentThread().getContextClassLoader());
    }

    void start() {
        thread.start();
    }

    /** Why Delta's commits are not heard, null when they are. */
    void commitsUnseen(String reason) {
        documentWriter.commitsUnseen = reason;
    }

    /** On the listener thread. Beyond twice the bound everything is given up, beyond the bound what writes nothing. */
    void offer(Bridge.Finished one) {
        int waiting = queue.size();
        if (waiting > 2 * queueMax || waiting > queueMax && !mayWrite(one)) {
            reasons.add("more executions waiting than queue.max (" + queueMax + ")");
            given.incrementAndGet();
            return;
        }
        put(one);
    }

    private void put(Object item) {
        pending.incrementAndGet();
        queue.offer(item);
    }

    private static boolean mayWrite(Bridge.Finished one) {
        String name = Reflect.text(one.end.executionName());
        return name == null || one.commits != null && !one.commits.isEmpty() || name.equals("command")
            || name.equals("append") || name.equals("create") || name.startsWith("overwrite") || name.startsWith("replace");
    }

    void offerText(String kind, String json) {
        put(new String[] {kind, json});
    }

    public void run() {
        while (!stopped || !queue.isEmpty()) {
            Object next = null;
            try {
                next = queue.poll(500L, TimeUnit.MILLISECONDS);
                if (next != null) {
                    handle(next);
                }
            } catch (InterruptedException e) {
                return;
            } catch (Throwable e) {
                reasons.add("bridge: " + e);
            } finally {
                if (next != null) {
                    pending.decrementAndGet();
                }
            }
        }
    }

    private void handle(Object next) throws Exception {
        long begin = System.nanoTime();
        if (next instanceof String[]) {
            String[] note = (String[]) next;
            write(note[0], note[1]);
        } else {
            Bridge.Finished one = (Bridge.Finished) next;
            String text = document(one);
            if (text != null) {
                write("execution", text);
                delayMillis += System.currentTimeMillis() - one.end.time();
            }
        }
        workNanos += System.nanoTime() - begin;
    }

    /** Its text, null when it is not the user's. One that cannot be made leaves a gap in the numbers. */
    private String document(Bridge.Finished one) {
        try {
            Faults.point("document");
            return documentWriter.execution(one, queue.size(), queueMax, reasons);
        } catch (Throwable e) {
            reasons.add("a document could not be made: " + e);
            given.incrementAndGet();
            return null;
        }
    }

    /** `json` is an object without the fields that only the writer knows; they are put in front. */
    private void write(String kind, String json) {
        nextSequence += given.getAndSet(0L);
        long sequence = nextSequence++;
        try {
            Faults.point("write");
            bytes += inbox.write(sequence, kind, head(kind, sequence) + json.substring(1));
            documents++;
        } catch (Exception e) {
            reasons.add("a document could not be written: " + e.getMessage());
        }
    }

    private String head(String kind, long sequence) {
        Json out = new Json();
        out.open('{').field("format", 1L).field("kind", kind).field("application_run_id", runId).field("sequence", sequence);
        return out.toString();
    }

    /** Before the thread starts: the start document, whose failure the caller must see. */
    void writeNow(String kind, String json) throws Exception {
        bytes += inbox.write(nextSequence, kind, head(kind, nextSequence) + json.substring(1));
        nextSequence++;
        documents++;
    }

    /** Waits until the queue is empty; the number of the last document, -1 when the time was not enough. */
    long drain(long timeoutMillis) {
        long deadline = System.currentTimeMillis() + timeoutMillis;
        while (pending.get() > 0L) {
            if (System.currentTimeMillis() >= deadline || !thread.isAlive()) {
                return -1L;
            }
            pause(2L);
        }
        return nextSequence - 1L;
    }

    /** Writes what waits, then the end document. Waits for it at most the time given; the thread goes on by itself. */
    void end(String error, boolean application, long timeoutMillis) {
        if (drain(timeoutMillis) < 0L) {
            reasons.add("the end came before " + queue.size() + " executions were written");
        }
        Json out = new Json();
        out.open('{').field("run_id", runId).field("time_ms", System.currentTimeMillis()).field("application", application);
        out.field("status", error == null ? "succeeded" : "failed").field("error", error);
        out.field("last_sequence", nextSequence + given.get() - 1L).key("dropped");
        reasons.write(out);
        out.close('}');
        put(new String[] {"run_end", out.toString()});
        stopped = true;
        drain(Math.max(1000L, timeoutMillis));
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
