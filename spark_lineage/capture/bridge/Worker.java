package org.sparklineage.bridge;

import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.spark.SparkContext;

/**
 * The bridge's own thread: takes finished executions from a bounded queue, makes documents, writes them. It numbers the
 * documents as it writes them; a number whose document could not be written is a gap that the reader sees.
 */
final class Worker implements Runnable {
    private static final long PROMPT_MILLIS = 50L;
    private static final long STACK_BYTES = 512L * 1024L * 1024L;
    /** So long a document in the making is waited for once all else is given up. */
    private static final long LAST_MILLIS = 1000L;

    private final LinkedBlockingQueue queue = new LinkedBlockingQueue();
    private final Document documentWriter;
    private final Periods periods;
    private final Inbox inbox;
    private final String runId;
    private final Thread thread;
    final Reasons reasons = new Reasons();
    final Load load;
    private final Pace pace = new Pace();
    /** Held while a number is given out and its document written. */
    private final ReentrantLock writing = new ReentrantLock();
    private long nextSequence;
    /** After the end document nothing is written any more, not even by a thread that hung until then. */
    private boolean closed;
    /** Executions given up before they had a number: their numbers are left out, so that the reader sees the gap. */
    private final AtomicLong given = new AtomicLong();
    private volatile boolean stopped;
    /** What waits or is being written. Counted down after the writing: between queue and writer nothing is out of sight. */
    private final AtomicLong pending = new AtomicLong();
    volatile long documents;
    volatile long workNanos;
    volatile long bytes;
    volatile long delayMillis;
    volatile long longestDelayMillis;
    /** Documents that came later than PROMPT_MILLIS after the end of their execution. */
    volatile long late;

    Worker(SparkContext context, Map options) throws Exception {
        this.runId = (String) options.get("run_id");
        this.load = new Load(Integer.parseInt((String) options.get("queue_max")), Long.parseLong((String) options.get("queue_max_bytes")));
        this.inbox = new Inbox((String) options.get("folder"), Long.parseLong((String) options.get("inbox_max_bytes")),
            "group".equals(options.get("inbox_mode")), context.hadoopConfiguration());
        this.documentWriter = new Document(context, options, pace);
        this.periods = new Periods((String) options.get("streams_record"), this, documentWriter);
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

    /** On the listener thread. What the load asks for is given up here, before it is kept in memory. */
    void offer(Bridge.Finished one) {
        boolean writes = mayWrite(one);
        one.cut = load.cut(writes);
        if (one.cut == Load.ALL) {
            giveUp((writes ? "writes" : "reads") + " given up under load");
            return;
        }
        one.weight = one.lightWeight() + (one.cut == Load.NOTHING && load.isWeighed() ? one.planWeight() : 0L);
        if (one.cut == Load.PLAN) {
            one.loosen();
        }
        load.add(one.weight);
        put(one);
    }

    /** An execution that has no document: counted, and a number is left out for it. */
    void giveUp(String reason) {
        reasons.add(reason);
        given.incrementAndGet();
    }

    private void put(Object item) {
        pending.incrementAndGet();
        queue.offer(item);
    }

    static boolean mayWrite(Bridge.Finished one) {
        String name = Reflect.text(one.end.executionName());
        return name == null || one.commits != null && !one.commits.isEmpty() || Noise.isWriteName(name);
    }

    /** On the committing thread: a commit outside of any execution. */
    void offerCommit(Outside commit) {
        if (load.cut(true) == Load.ALL) {
            giveUp("writes given up under load");
        } else {
            put(commit);
        }
    }

    void offerText(String kind, String json) {
        put(new String[] {kind, json});
    }

    /** Behind everything that was offered before it. */
    void offerEnd(Streams.Over end) {
        put(end);
    }

    public void run() {
        while (!stopped || !queue.isEmpty()) {
            Object next = null;
            try {
                next = queue.poll(500L, TimeUnit.MILLISECONDS);
                if (next != null) {
                    handle(next);
                }
                periods.tick();
            } catch (InterruptedException e) {
                return;
            } catch (Throwable e) {
                if (next instanceof Bridge.Finished || next instanceof Outside) {
                    giveUp("bridge: " + e);
                } else {
                    reasons.add("bridge: " + e);
                }
            } finally {
                if (next != null) {
                    done(next);
                }
            }
        }
    }

    private void done(Object item) {
        if (item instanceof Bridge.Finished) {
            load.remove(((Bridge.Finished) item).weight);
        }
        pending.decrementAndGet();
    }

    private void handle(Object next) throws Exception {
        long begin = System.nanoTime();
        if (next instanceof End) {
            write("run_end", null, (End) next);
        } else if (next instanceof String[]) {
            String[] note = (String[]) next;
            write(note[0], note[1], null);
        } else if (next instanceof Outside) {
            write("execution", documentWriter.outside((Outside) next), null);
        } else if (!periods.takes(next)) {
            record((Bridge.Finished) next);
        }
        workNanos += System.nanoTime() - begin;
    }

    /** Writes the document of an execution, unless it is not the user's. */
    void record(Bridge.Finished one) throws Exception {
        String text = document(one);
        if (text != null) {
            write("execution", text, null);
            long delay = System.currentTimeMillis() - one.end.time();
            delayMillis += delay;
            longestDelayMillis = Math.max(longestDelayMillis, delay);
            late += delay > PROMPT_MILLIS ? 1L : 0L;
        }
    }

    /** Its text, null when it is not the user's. One that cannot be made leaves a gap in the numbers. */
    private String document(Bridge.Finished one) {
        boolean writes = mayWrite(one);
        try {
            if (pace.isOver()) {
                giveUp("not written before the end");
                return null;
            }
            int room = inbox.room();
            if (room == Inbox.NONE || room == Inbox.WRITES && !writes) {
                giveUp((writes ? "writes" : "reads") + " given up, the inbox is full (inbox.max.bytes)");
                return null;
            }
            Faults.point("document");
            one.hold();
            if (one.end.qe() == null && !writes) {
                giveUp("reads given up, memory was short");
                return null;
            }
            one.cut = Math.max(one.cut, room == Inbox.WRITES ? Load.PLAN : Load.NOTHING);
            return documentWriter.execution(one, reasons);
        } catch (Throwable e) {
            giveUp("a document could not be made: " + e);
            return null;
        }
    }

    /** `json` is an object without the fields that only the writer knows; they are put in front. */
    private void write(String kind, String json, End end) {
        writing.lock();
        try {
            if (closed) {
                return;
            }
            nextSequence += given.getAndSet(0L);
            long sequence = nextSequence++;
            closed = end != null;
            String body = end == null ? json : end.json(runId, sequence - 1L, reasons);
            Faults.point("write");
            bytes += inbox.write(sequence, kind, head(kind, sequence) + body.substring(1));
            documents++;
        } catch (Exception e) {
            reasons.add("a document could not be written: " + e.getMessage());
        } finally {
            writing.unlock();
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

    /**
     * Writes what waits, then the end document, within the time given: in its second half without plans; what is left then is
     * given up and counted.
     */
    void end(String error, boolean application, long timeoutMillis) {
        pace.end(timeoutMillis / 2L);
        if (drain(timeoutMillis) < 0L) {
            pace.over();
        }
        End end = new End(error, application);
        put(end);
        stopped = true;
        if (drain(LAST_MILLIS) < 0L) {
            endInsteadOfWorker(end);
        }
    }

    /** The thread hangs over a document: the run ends without it, unless it hangs in writing. */
    private void endInsteadOfWorker(End end) {
        java.util.ArrayList left = new java.util.ArrayList();
        queue.drainTo(left);
        try {
            if (!writing.tryLock(LAST_MILLIS, TimeUnit.MILLISECONDS)) {
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return;
        }
        try {
            giveUp("not written before the end");
            for (int i = 0; i < left.size(); i++) {
                if (left.get(i) instanceof Bridge.Finished) {
                    giveUp("not written before the end");
                }
                done(left.get(i));
            }
            write("run_end", null, end);
        } finally {
            writing.unlock();
        }
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The end document, whose text is made when it is written: it says what was given up until then. */
    private static final class End {
        private final String error;
        private final boolean application;

        End(String error, boolean application) {
            this.error = error;
            this.application = application;
        }

        String json(String runId, long lastSequence, Reasons reasons) {
            Json out = new Json();
            out.open('{').field("run_id", runId).field("time_ms", System.currentTimeMillis()).field("application", application);
            out.field("status", error == null ? "succeeded" : "failed").field("error", error);
            out.field("last_sequence", lastSequence).key("dropped");
            reasons.write(out);
            return out.close('}').toString();
        }
    }
}
