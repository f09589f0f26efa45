package org.sparklineage.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.spark.SparkConf;

/**
 * The options in force where no Python is: spark.lineage.* of the Spark configuration, then SPARK_LINEAGE_* of the
 * environment, then the default. Names, kinds and defaults are Python's: the jar holds them as a resource that
 * capture/jar.py makes of config.py and its neighbours.
 */
final class Options {
    private static final String RESOURCE = "lineage.properties";
    final Properties shipped = new Properties();
    private final SparkConf conf;
    private final Map environment;

    Options(SparkConf conf, Map environment) throws IOException {
        this.conf = conf;
        this.environment = environment;
        InputStream in = Options.class.getResourceAsStream(RESOURCE);
        if (in == null) {
            throw new IOException("the jar of spark-lineage holds no " + RESOURCE + "; make it again with `spark-lineage jar`");
        }
        try {
            shipped.load(new java.io.InputStreamReader(in, "UTF-8"));
        } finally {
            in.close();
        }
    }

    /** A setting of Spark, null where it is not set. */
    String spark(String key) {
        return conf.get(key, null);
    }

    /** A variable of the environment, null where it is not set or empty. */
    String variable(String name) {
        String value = (String) environment.get(name);
        return value == null || value.length() == 0 ? null : value;
    }

    String text(String option) {
        String value = conf.get("spark.lineage." + option, null);
        if (value == null) {
            value = (String) environment.get("SPARK_LINEAGE_" + option.replace('.', '_').toUpperCase(java.util.Locale.ROOT));
        }
        return value != null ? value : shipped.getProperty("default." + option, "");
    }

    boolean flag(String option) {
        String value = text(option).trim().toLowerCase(java.util.Locale.ROOT);
        if (value.equals("true") || value.equals("1") || value.equals("yes")) {
            return true;
        }
        if (value.equals("false") || value.equals("0") || value.equals("no")) {
            return false;
        }
        throw wrong(option);
    }

    /** The parts of a comma separated list. */
    List list(String option) {
        return split(text(option), ",");
    }

    /** What is shipped under this name, a list separated by blanks. */
    List shippedList(String name) {
        return split(shipped.getProperty(name, ""), " ");
    }

    private static List split(String text, String separator) {
        ArrayList result = new ArrayList();
        String[] parts = text.split(separator);
        for (int i = 0; i < parts.length; i++) {
            if (parts[i].trim().length() > 0) {
                result.add(parts[i].trim());
            }
        }
        return result;
    }

    /** What the bridge is told, by its own names: `bridge.<name>=<kind> <option>` of what is shipped. */
    Map forBridge() {
        HashMap result = new HashMap();
        java.util.Enumeration names = shipped.propertyNames();
        while (names.hasMoreElements()) {
            String name = (String) names.nextElement();
            if (name.startsWith("bridge.")) {
                String[] rule = shipped.getProperty(name).split(" ");
                result.put(name.substring(7), value(rule[0], rule[1]));
            }
        }
        return result;
    }

    /** As text, checked: a number is one, true and false are spelled so. */
    private String value(String kind, String option) {
        try {
            if (kind.equals("bool")) {
                return String.valueOf(flag(option));
            }
            if (kind.equals("int")) {
                return String.valueOf(Long.parseLong(text(option).trim()));
            }
            if (kind.equals("millis")) {
                return String.valueOf((long) (Double.parseDouble(text(option).trim()) * 1000.0));
            }
            return chosen(option);
        } catch (NumberFormatException e) {
            throw wrong(option);
        }
    }

    /** A text; where it has choices, one of them. */
    private String chosen(String option) {
        List choices = shippedList("choices." + option);
        String value = choices.isEmpty() ? text(option) : text(option).trim().toLowerCase(java.util.Locale.ROOT);
        if (!choices.isEmpty() && !choices.contains(value)) {
            throw wrong(option);
        }
        return value;
    }

    private IllegalArgumentException wrong(String option) {
        return new IllegalArgumentException("spark.lineage." + option + " is '" + text(option) + "'; set it to something like "
            + shipped.getProperty("default." + option));
    }
}
