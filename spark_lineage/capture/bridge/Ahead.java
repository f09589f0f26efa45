package org.sparklineage.bridge;

import java.util.Iterator;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListenerEvent;

/**
 * Looks ahead in our queue of Spark's listener bus. An application that is stopped in the middle of its work is announced as over
 * before what runs has ended, and may even begin something: that comes behind the announcement, when it is too late to write it down.
 */
final class Ahead {
    private static final long PAUSE_MILLIS = 5L;
    private final LinkedBlockingQueue events;
    /**
     * True once the queue takes no more events: all that there are stand in it then. The bus has a mark of its own, set earlier;
     * who posts an event asks for that one and puts the event into one queue after the other.
     */
    private final AtomicBoolean stopped;
    private int seen;
    /** The queue as it stood when it was last looked at; from `at` on it was not given yet. */
    private Object[] copied = new Object[0];
    private int at;

    /** `queue` is the name of the queue. Where this Spark keeps it otherwise nothing is seen ahead. */
    Ahead(SparkContext context, String queue) {
        LinkedBlockingQueue found = null;
        AtomicBoolean flag = null;
        Object queues = Reflect.field(context.listenerBus(), "queues");
        Iterator all = queues instanceof List ? ((List) queues).iterator() : java.util.Collections.EMPTY_LIST.iterator();
        while (all.hasNext()) {
            Object one = all.next();
            if (queue.equals(Reflect.tryCall(one, "name"))) {
                Object kept = Reflect.field(one, "eventQueue");
                found = kept instanceof LinkedBlockingQueue ? (LinkedBlockingQueue) kept : null;
                Object mark = Reflect.field(one, "stopped");
                flag = mark instanceof AtomicBoolean ? (AtomicBoolean) mark : null;
            }
        }
        events = found;
        stopped = flag;
    }

    /**
     * The next event that was not seen yet; null when there is none. They stay in the queue. All are copied at once: each step of an
     * iterator locks the queue, and Spark's own threads wait for that lock.
     */
    SparkListenerEvent next() {
        if (at == copied.length && events != null) {
            copied = events.toArray();
            at = Math.min(seen, copied.length);
        }
        if (at == copied.length) {
            return null;
        }
        seen++;
        Object event = copied[at++];
        return event instanceof SparkListenerEvent ? (SparkListenerEvent) event : null;
    }

    /** Whether there is another one, or one comes before the queue stops or a pause later; at most until the deadline. */
    boolean waits(long deadlineMillis) {
        boolean last = false;
        while (events != null && stopped != null) {
            if (events.size() > seen) {
                return true;
            }
            if (last || System.currentTimeMillis() >= deadlineMillis) {
                return false;
            }
            last = stopped.get();
            try {
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return false;
    }
}
