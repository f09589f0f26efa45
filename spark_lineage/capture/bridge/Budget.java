package org.sparklineage.bridge;

/** The node, byte and time budget of one document's plans. */
final class Budget {
    final int maxNodes;
    final int maxBytes;
    final long maxNanos;
    private final long started = System.nanoTime();
    private int nodes;

    Budget(int maxNodes, int maxBytes, long maxNanos) {
        this.maxNodes = maxNodes;
        this.maxBytes = maxBytes;
        this.maxNanos = maxNanos;
    }

    /** Counts a plan node. Throws Over when there are too many, or it takes too long. */
    void node() {
        nodes++;
        if (nodes > maxNodes) {
            throw new Over("plan over the node budget (" + maxNodes + ")");
        }
        time();
    }

    void bytes(int length) {
        if (length > maxBytes) {
            throw new Over("plan over the byte budget (" + maxBytes + ")");
        }
    }

    void time() {
        if (System.nanoTime() - started > maxNanos) {
            throw new Over("plan over the time budget (" + maxNanos / 1000000L + " ms)");
        }
    }

    /** The budget is spent; the message is recorded as the reason. */
    static final class Over extends RuntimeException {
        Over(String reason) {
            super(reason, null, false, false);
        }
    }
}
