package org.sparklineage.bridge;

/** The node, byte and time budget of one document's plans. */
final class Budget {
    final int maxNodes;
    final int maxBytes;
    final long maxNanos;
    private final long started;
    private final Pace pace;
    /** Nodes looked at, for comparison too; shared by the budgets of one document's plan. */
    private final int[] walked;
    private int nodes;
    private int steps;

    /** `started`: when the work on the document began, by System.nanoTime: its plans share the time. */
    Budget(int maxNodes, int maxBytes, long maxNanos, long started, Pace pace) {
        this(maxNodes, maxBytes, maxNanos, started, pace, new int[1]);
    }

    private Budget(int maxNodes, int maxBytes, long maxNanos, long started, Pace pace, int[] walked) {
        this.maxNodes = maxNodes;
        this.maxBytes = maxBytes;
        this.maxNanos = maxNanos;
        this.started = started;
        this.pace = pace;
        this.walked = walked;
    }

    /** The same time, for a text that is compared and not kept: its nodes do not count. */
    Budget withoutNodes() {
        return new Budget(Integer.MAX_VALUE, maxBytes, maxNanos, started, pace, walked);
    }

    /** Counts a plan node. Throws Over when there are too many, or it takes too long. */
    void node() {
        nodes++;
        walked[0]++;
        if (nodes > maxNodes) {
            throw new Over("plan over the node budget (" + maxNodes + ")");
        }
        time();
    }

    /** A node that is looked at and not written. */
    void look() {
        walked[0]++;
        step();
    }

    int walked() {
        return walked[0];
    }

    /** For what is smaller than a node and may be many: looks at the clock now and then. */
    void step() {
        steps++;
        if ((steps & 255) == 0) {
            time();
        }
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
        if (pace.isHurried()) {
            throw new Over(Pace.REASON);
        }
    }

    /** The budget is spent; the message is recorded as the reason. */
    static final class Over extends RuntimeException {
        Over(String reason) {
            super(reason, null, false, false);
        }
    }
}
