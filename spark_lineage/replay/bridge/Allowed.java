package org.sparklineage.replay;

import java.io.ObjectInputFilter;

/**
 * Which classes a stored plan may be made of: Spark's, Scala's and Java's own data. It keeps accidents out, and classes
 * that have no business in a plan. It is no defence against who can sign: Spark's expressions can call any method.
 */
final class Allowed implements ObjectInputFilter {
    private static final String[] PREFIXES = new String[] {"org.apache.spark.sql.", "org.apache.spark.ml.", "org.apache.spark.mllib.",
        "org.apache.spark.unsafe.types.", "org.apache.spark.util.", "org.apache.spark.resource.", "org.apache.spark.api.python.Simple",
        "io.delta.", "scala.", "java.lang.", "java.math.", "java.time.", "java.net.URI", "java.util.", "org.sparklineage."};
    private static final String[] NEVER = new String[] {"java.lang.ProcessBuilder", "java.lang.Runtime", "java.util.logging.",
        "java.util.jar.", "java.util.zip.", "scala.sys.", "scala.tools."};
    private final String[] more;
    private String refused;

    /** `more`: prefixes of further classes, for instance of a library whose functions the plan calls. */
    Allowed(String[] more) {
        this.more = more;
    }

    public Status checkInput(FilterInfo info) {
        Class type = info.serialClass();
        while (type != null && type.isArray()) {
            type = type.getComponentType();
        }
        if (type == null || type.isPrimitive() || allows(type.getName())) {
            return Status.UNDECIDED;
        }
        refused = type.getName();
        return Status.REJECTED;
    }

    boolean allows(String name) {
        return starts(name, more) || starts(name, PREFIXES) && !starts(name, NEVER);
    }

    /** The class that was refused last, null when none was. */
    String refused() {
        return refused;
    }

    private static boolean starts(String name, String[] prefixes) {
        for (int i = 0; i < prefixes.length; i++) {
            if (name.startsWith(prefixes[i])) {
                return true;
            }
        }
        return false;
    }
}
