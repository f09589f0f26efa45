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
    private static final int OVER_MAX = 2000;
    static final String NESTED_CUT = "more than " + NESTED_MAX + " nested executions";
    private final Worker worker;
    private final LinkedHashMap starts = new LinkedHashMap();
    private final HashMap nested = new HashMap();
    private final HashMap nestedBytes = new HashMap();
    /**
     * Who stands in for a root that is over: a thread that was started within an execution (of a pool, say) names it as the
     * root of all that it does later. The first of those that run at a time is taken for the root of the others.
     */
    private final LinkedHashMap standIns = new LinkedHashMap();
    /** Executions of their own that ended lately, and the highest number below which every one has. */
    private final LinkedHashMap over = new LinkedHashMap();
    private long allOverTo = Long.MIN_VALUE;
    private long bytes;

    Open(Worker worker) {
        this.worker = worker;
    }

    synchronized void started(Started start) {
        if (allOverTo == Long.MIN_VALUE) {
            allOverTo = (start.root() == null ? start.executionId() : start.root().longValue()) - 1L;
        }
        Long named = start.root();
        if (named != null && isOver(named)) {
            Long first = (Long) standIns.get(named);
            if (first != null && starts.containsKey(first)) {
                start.belongsTo(first);
            } else {
                start.belongsTo(null);
                standIns.put(named, Long.valueOf(start.executionId()));
                if (standIns.size() > ROOTS_MAX) {
                    Iterator eldest = standIns.keySet().iterator();
                    eldest.next();
                    eldest.remove();
                }
            }
        }
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
            if (start.root() == null) {
                over.put(id, Boolean.TRUE);
                if (over.size() > OVER_MAX) {
                    Long eldest = (Long) over.keySet().iterator().next();
                    over.remove(eldest);
                    allOverTo = Math.max(allOverTo, eldest.longValue());
                }
            }
        }
        return start;
    }

    synchronized boolean isOpen(Long id) {
        return starts.containsKey(id);
    }

    /** Whether a root has ended. One that has not begun, as far as was heard, has not: Spark plans a query before it says so. */
    private boolean isOver(Long root) {
        return !starts.containsKey(root) && (over.containsKey(root) || root.longValue() <= allOverTo);
    }

    /**
     * Keeps a nested execution for its root; false where the root is over. Its plans are left to the garbage
     * collector when those of one root weigh much.
     */
    synchronized boolean keepNested(Long root, Bridge.Finished one) {
        Started outer = (Started) starts.get(root);
        if (outer == null) {
            return !isOver(root);
        }
        if (DeltaOwn.isNested(one, outer)) {
            return true;
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
            outer.nestedCut = true;
            worker.reasons.add(NESTED_CUT);
            return true;
        }
        list.add(one);
        Long known = (Long) nestedBytes.get(root);
        long weight = (known == null ? 0L : known.longValue()) + (list.size() < 8 ? 0L : Weight.of(one.end.qe()));
        nestedBytes.put(root, Long.valueOf(weight));
        if (weight > worker.load.bytesMax() / 4L) {
            one.end.loosen();
            worker.reasons.add("nested executions whose plans weigh too much");
        }
        return true;
    }

    synchronized List takeNested(Long root) {
        nestedBytes.remove(root);
        return (List) nested.remove(root);
    }

    synchronized int starts() {
        return starts.size();
    }

    /** Those that are no part of another one. */
    synchronized int roots() {
        int count = 0;
        Iterator all = starts.values().iterator();
        while (all.hasNext()) {
            count += ((Started) all.next()).root() == null ? 1 : 0;
        }
        return count;
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
        standIns.clear();
        bytes = 0L;
    }
}
