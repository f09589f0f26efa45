package org.sparklineage.bridge;

/** Fault points for tests, as spark_lineage/faults.py in Python: the system property spark.lineage.fault names one. */
final class Faults {
    private Faults() {
    }

    /** Throws when the property says `raise:NAME`; does nothing otherwise. */
    static void point(String name) {
        String fault = System.getProperty("spark.lineage.fault");
        if (fault != null && fault.equals("raise:" + name)) {
            throw new IllegalStateException("fault injected at " + name);
        }
    }
}
