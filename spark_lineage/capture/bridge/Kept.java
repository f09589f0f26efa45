package org.sparklineage.bridge;

import java.io.Serializable;

/**
 * What stands in a stored plan for something that cannot or should not be stored as it is. `kind` says what:
 * `node` (name: a class, parts: its constructor's arguments), `object` (name: a Scala object's class), `leaf` (parts:
 * number and output), `id` (an expression id's number), `cte` (the number of a common table expression), `python` (a
 * Python function's command and settings), `options` (a map of them).
 *
 * The class of the same name in spark_lineage/replay/bridge reads it: the fields and the number here are a format.
 */
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
