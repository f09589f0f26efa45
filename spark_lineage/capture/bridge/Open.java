package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;

/**
 * What has begun and not ended: start events by execution, and the nested executions that ended before their root. Bounded
 * in number and bytes, since an end that Spark's listener bus dropped never comes.
 */
final class Open {
    private static final int STARTS_MAX = 100000;
    private static final int NESTED_MAX = 256;
    private static final int ROOTS_MAX = 1000;
    private final Worker worker;
    private final LinkedHashMap starts = new LinkedHashMap();
    private final HashMap nested = new HashMap();
    private final HashMap nestedBytes = new HashMap();
    private long bytes;

    Open(Worker worker) {
        this.worker = worker;
    }

    synchronized void started(Started start) {
        starts.put(Long.valueOf(start.executionId()), start);
        bytes += start.weight();
        while (starts.size() > STARTS_MAX || bytes > worker.load.bytesMax() && starts.size() > 1) {
            Iterator eldest = starts.values().iterator();
            bytes -= ((Started) eldest.next()).weight();
            eldest.remove();
            worker.giveUp("executions that began and did not end, forgotten");
        }
    }

    /** The start of an execution that ended; null where none was heard. */
    synchronized Started ended(Long id) {
        Started start = (Started) starts.remove(id);
        if (start != null) {
            bytes -= start.weight();
        }
        return start;
    }

    /** Keeps a nested execution for its root. Its plans are left to the garbage collector when those of one root weigh much. */
    synchronized void keepNested(Long root, Bridge.Finished one) {
        if (Noise.isDeltaOwn(one) || !starts.containsKey(root)) {
            return;
        }
        List list = (List) nested.get(root);
        if (list == null) {
            if (nested.size() >= ROOTS_MAX) {
                nested.clear();
                nestedBytes.clear();
                worker.reasons.add("nested executions of ends that never came");
            }
            list = new ArrayList();
            nested.put(root, list);
        }
        if (list.size() >= NESTED_MAX) {
            worker.reasons.add("more than " + NESTED_MAX + " nested executions");
            return;
        }
        list.add(one);
        Long known = (Long) nestedBytes.get(root);
        long weight = (known == null ? 0L : known.longValue()) + (list.size() < 8 ? 0L : Weight.of(one.end.qe()));
        nestedBytes.put(root, Long.valueOf(weight));
        if (weight > worker.load.bytesMax() / 4L) {
            one.end.loosen();
            worker.reasons.add("nested executions whose plans weigh too much");
        }
    }

    synchronized List takeNested(Long root) {
        nestedBytes.remove(root);
        return (List) nested.remove(root);
    }

    synchronized int starts() {
        return starts.size();
    }

    synchronized int nested() {
        return nested.size();
    }

    synchronized long bytes() {
        return bytes;
    }

    synchronized void clear() {
        starts.clear();
        nested.clear();
        nestedBytes.clear();
        bytes = 0L;
    }
}
