package org.sparklineage.bridge;

/** How much time there is: as much as a plan may take, until the application ends; then plans go, then what waits. */
final class Pace {
    static final String REASON = "plan left out, the application was ending";
    private volatile boolean ending;
    private volatile long hurriedFrom;
    private volatile boolean over;

    /** The application ends: plans are left out from `millis` from now on. */
    void end(long millis) {
        hurriedFrom = System.nanoTime() + millis * 1000000L;
        ending = true;
    }

    /** The time is up: whatever waits is given up. */
    void over() {
        over = true;
    }

    boolean isHurried() {
        return over || ending && System.nanoTime() - hurriedFrom > 0L;
    }

    boolean isOver() {
        return over;
    }
}
