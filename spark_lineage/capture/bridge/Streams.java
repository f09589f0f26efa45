package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/**
 * The streams of the application, as the listener hears them. Spark ends a micro-batch's execution first and tells its offsets
 * after, so a batch is held until then: one a stream, at most. Only references are moved here.
 */
final class Streams {
    private static final String EVENT = "org.apache.spark.sql.streaming.StreamingQueryListener$Query";
    private static final int RUNS_LIMIT = 1000;

    private final Worker worker;
    private final LinkedHashMap held = new LinkedHashMap();

    Streams(Worker worker) {
        this.worker = worker;
    }

    static boolean isEvent(SparkListenerEvent event) {
        return event.getClass().getName().startsWith(EVENT);
    }

    /** Hears that a batch is done, or that a query is over. */
    synchronized void hear(SparkListenerEvent event) {
        String kind = event.getClass().getName();
        if (kind.endsWith("$QueryProgressEvent")) {
            Object progress = Reflect.tryCall(event, "progress");
            Bridge.Finished one = (Bridge.Finished) held.remove(String.valueOf(Reflect.tryCall(progress, "runId")));
            if (one != null) {
                Long batchId = Reflect.number(Reflect.tryCall(progress, "batchId"));
                if (batchId != null && batchId.longValue() == one.batch.batchId) {
                    one.batch.tell(progress);
                }
                worker.offer(one);
            }
        } else if (kind.endsWith("$QueryTerminatedEvent")) {
            String run = String.valueOf(Reflect.tryCall(event, "runId"));
            release(run);
            worker.offerEnd(new Over(run));
        }
    }

    /** Whether a root execution is taken care of here: a batch, which waits for its offsets, or a stream's own query. */
    synchronized boolean takes(Bridge.Finished one) {
        String description = one.start.description();
        if (!isBatch(description)) {
            return false;
        }
        // A batch's own execution has no name. What has one and is no command is run by Spark or Delta for the stream, on its
        // thread: snapshots of the source's log, the files of a batch, statistics.
        String name = Reflect.text(one.end.executionName());
        if (name != null) {
            return !Noise.isWriteName(name);
        }
        Batch batch = Batch.of(description, one.start.time());
        if (batch == null) {
            return false;
        }
        one.batch = batch;
        release(batch.runId);
        if (failed(one)) {
            return false;
        }
        if (held.size() >= RUNS_LIMIT) {
            release((String) held.keySet().iterator().next());
        }
        held.put(batch.runId, one);
        return true;
    }

    /** Whether it describes a micro-batch, as Spark writes it. */
    static boolean isBatch(String description) {
        return description != null && description.indexOf("\nrunId = ") >= 0 && description.indexOf("\nbatch = ") >= 0;
    }

    static boolean failed(Bridge.Finished one) {
        String message = Reflect.text(one.end.errorMessage());
        return message != null && message.length() > 0;
    }

    private void release(String run) {
        Bridge.Finished one = (Bridge.Finished) held.remove(run);
        if (one != null) {
            worker.offer(one);
        }
    }

    /** Gives everything to the worker. A batch whose offsets are still to be told is waited for, for at most the time given. */
    void settle(long timeoutMillis) {
        long deadline = System.currentTimeMillis() + timeoutMillis;
        while (isHolding() && System.currentTimeMillis() < deadline) {
            try {
                Thread.sleep(5L);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        List runs = new ArrayList();
        synchronized (this) {
            Iterator keys = held.keySet().iterator();
            while (keys.hasNext()) {
                runs.add(keys.next());
            }
            for (int i = 0; i < runs.size(); i++) {
                release((String) runs.get(i));
            }
        }
        worker.offerEnd(new Over(null));
    }

    private synchronized boolean isHolding() {
        return !held.isEmpty();
    }

    /** The temporary view that a stream to memory makes of its sink. */
    static boolean isSinkView(LogicalPlan plan) {
        Object shown = Reflect.tryCall(plan, "plan");
        return shown != null && Reflect.simpleName(plan).equals("CreateViewCommand") && Reflect.simpleName(shown).equals("MemoryPlan");
    }

    /** Tells the worker that a query is over (null: that everything is wanted), behind its batches in the queue. */
    static final class Over {
        final String runId;

        Over(String runId) {
            this.runId = runId;
        }
    }
}
