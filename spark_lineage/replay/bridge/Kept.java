package org.sparklineage.replay;

import java.io.Serializable;

/** What stands in a stored plan for something else, as spark_lineage/capture/bridge/Kept.java wrote it: same name, fields, number. */
final class Kept implements Serializable {
    private static final long serialVersionUID = 1L;
    final String kind;
    final String name;
    final Object[] parts;

    Kept(String kind, String name, Object[] parts) {
        this.kind = kind;
        this.name = name;
        this.parts = parts;
    }
}
