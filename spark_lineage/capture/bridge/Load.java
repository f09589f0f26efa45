package org.sparklineage.bridge;

/**
 * How much waits for the worker, and what is given up for it, in this order: plans of reads, plans of writes (targets and
 * versions stay), reads, and last the headers of writes. Plans go by what they weigh too, since they are what weighs.
 */
final class Load {
    static final int NOTHING = 0;
    static final int PLAN = 1;
    static final int ALL = 2;
    /** So few are not weighed: the walk would cost the listener thread more than it saves. */
    private static final int UNWEIGHED = 8;

    private final int countMax;
    private final long bytesMax;
    private int count;
    private long bytes;
    private int highestCount;
    private long highestBytes;

    /** `bytesMax` 0: a sixteenth of the heap. */
    Load(int countMax, long bytesMax) {
        this.countMax = countMax;
        this.bytesMax = bytesMax > 0L ? bytesMax : Math.max(8L << 20, Runtime.getRuntime().maxMemory() / 16L);
    }

    long bytesMax() {
        return bytesMax;
    }

    /** What an execution that comes now has to give up. */
    synchronized int cut(boolean writes) {
        double waiting = (double) count / countMax;
        if (waiting > 2.0 || waiting > 1.0 && !writes) {
            return ALL;
        }
        double fill = Math.max(waiting, (double) bytes / bytesMax);
        return fill > 0.75 || fill > 0.5 && !writes ? PLAN : NOTHING;
    }

    synchronized boolean isWeighed() {
        return count >= UNWEIGHED;
    }

    synchronized void add(long weight) {
        count++;
        bytes += weight;
        highestCount = Math.max(highestCount, count);
        highestBytes = Math.max(highestBytes, bytes);
    }

    synchronized void remove(long weight) {
        count--;
        bytes -= weight;
    }

    synchronized int count() {
        return count;
    }

    synchronized long bytes() {
        return bytes;
    }

    synchronized int highestCount() {
        return highestCount;
    }

    synchronized long highestBytes() {
        return highestBytes;
    }
}
