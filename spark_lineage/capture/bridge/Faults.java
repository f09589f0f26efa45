package org.sparklineage.bridge;

/** Fault points for tests, as spark_lineage/faults.py in Python: the system property spark.lineage.fault names one. */
final class Faults {
    private static final String PROPERTY = "spark.lineage.fault";

    private Faults() {
    }

    /**
     * Throws when the property says `raise:NAME`, waits as long as it says `sleep:NAME`, and does nothing otherwise.
     */
    static void point(String name) {
        String fault = System.getProperty(PROPERTY);
        if (fault == null) {
            return;
        }
        if (fault.equals("raise:" + name)) {
            throw new IllegalStateException("fault injected at " + name);
        }
        while (("sleep:" + name).equals(System.getProperty(PROPERTY))) {
            try {
                Thread.sleep(5L);
            } catch (InterruptedException e) {
                return;
            }
        }
    }
}
