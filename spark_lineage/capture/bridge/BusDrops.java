package org.sparklineage.bridge;

import java.util.Map;
import org.apache.spark.SparkContext;

/**
 * Events that Spark's listener bus dropped before we heard them, because our queue was full. Spark counts them by queue;
 * how many executions were among them is known by the ends that came without their starts, and is one at the least.
 */
final class BusDrops {
    static final String REASON = "events dropped by Spark's listener bus (spark.scheduler.listenerbus.eventqueue.sparkLineage.capacity)";
    private final SparkContext context;
    private final String metric;
    private long told;
    private long unmatched;

    BusDrops(SparkContext context, String queue) {
        this.context = context;
        this.metric = "queue." + queue + ".numDroppedEvents";
        this.told = dropped();
    }

    /** An end came without its start. Before anything was dropped that is one that began before we listened. */
    synchronized void unmatched() {
        unmatched++;
    }

    /** Tells the worker what was dropped since it was last told. `open` knows the starts without an end. */
    synchronized void count(Worker worker, Open open) {
        long now = dropped();
        if (now > told) {
            worker.reasons.add(REASON, now - told);
            long executions = Math.max(1L, unmatched);
            for (long i = 0; i < executions; i++) {
                worker.giveUp("executions lost with dropped events, at the least");
            }
            told = now;
        }
        unmatched = 0L;
    }

    private long dropped() {
        Object registry = Reflect.tryCall(Reflect.tryCall(context.listenerBus(), "metrics"), "metricRegistry");
        Object counters = Reflect.tryCall(registry, "getCounters");
        Object counter = counters instanceof Map ? ((Map) counters).get(metric) : null;
        Object count = Reflect.tryCall(counter, "getCount");
        return count instanceof Number ? ((Number) count).longValue() : 0L;
    }
}
