package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Takes secrets out before anything is written. The patterns come from Python (capture/redaction.py), so that both
 * sides redact alike: one for keys whose values are secret, one for secrets inside a text, group 1 of which is kept.
 */
final class Redaction {
    static final String REPLACEMENT = "*********(redacted)";
    /** Options by which sources are told what to read or write: names of datasets, some of them several with commas. */
    private static final List NAMES = java.util.Arrays.asList(new String[] {"url", "dbtable", "query", "table", "collection", "topic", "subscribe"});
    static final int PATHS_MAX = 1000;
    private final Pattern keys;
    private final Pattern text;
    private final Pattern urls;
    final Literals literals;
    /** Where the paths of a document are noted, while it is being written. */
    RealPaths seen;
    /** What was too long and cut, in the document that is being written. */
    final java.util.Set cuts = new java.util.TreeSet();

    /** Of secrets alone. */
    Redaction(String keyPattern, String textPattern, String urlPattern) {
        this(keyPattern, textPattern, urlPattern, new Literals(java.util.Collections.EMPTY_MAP));
    }

    Redaction(String keyPattern, String textPattern, String urlPattern, Literals literals) {
        this.literals = literals;
        this.keys = Pattern.compile(keyPattern);
        this.text = Pattern.compile(textPattern);
        this.urls = Pattern.compile(urlPattern);
    }

    /** The patterns that Python gave. */
    static Redaction of(Map options) {
        return new Redaction((String) options.get("redact_keys"), (String) options.get("redact_text"), (String) options.get("redact_urls"),
            new Literals(options));
    }

    /** The pattern of secret keys with these besides; one that begins with flags for the whole, as Spark's own does, keeps them. */
    static String keys(String pattern, List extra) {
        StringBuilder out = new StringBuilder(pattern);
        for (int i = 0; i < extra.size(); i++) {
            String one = ((String) extra.get(i)).replaceFirst("(?s)^\\(\\?([a-zA-Z]+)\\)(.*)$", "(?$1:$2)");
            Pattern.compile(one);
            out.append("|(?:").append(one).append(')');
        }
        return out.toString();
    }

    /** The roots of a relation, each as a text. */
    void paths(Json out, List paths) {
        for (int i = 0; i < paths.size() && i < PATHS_MAX; i++) {
            out.string(path(paths.get(i))).comma();
        }
        if (paths.size() > PATHS_MAX) {
            cuts.add("paths of a relation beyond the first " + PATHS_MAX);
        }
    }

    /** The patterns, as the bridge is given them. */
    void put(Map options) {
        options.put("redact_keys", keys.pattern());
        options.put("redact_text", text.pattern());
        options.put("redact_urls", urls.pattern());
    }

    /** Command line arguments: `--password x`, `--password=x` and `password=x` are all taken out. */
    List arguments(List arguments) {
        ArrayList result = new ArrayList();
        boolean secretNext = false;
        for (int i = 0; i < arguments.size(); i++) {
            String argument = (String) arguments.get(i);
            result.add(secretNext && !argument.startsWith("--") ? REPLACEMENT : text(argument));
            secretNext = argument.startsWith("-") && argument.indexOf('=') < 0 && keys.matcher(argument).find();
        }
        return result;
    }

    /** A path or location: the password of a URL goes, the rest names a dataset and must be the same wherever it stands. */
    String path(Object location) {
        String value = location == null ? null : location.toString();
        literals.dataset(value);
        if (seen != null && value != null) {
            seen.saw(value);
        }
        return value == null || value.indexOf("://") < 0 ? value : replace(urls, value);
    }

    String value(String key, String value) {
        if (value == null) {
            return null;
        }
        if (key.equalsIgnoreCase("path")) {
            return path(value);
        }
        if (NAMES.contains(key.toLowerCase(java.util.Locale.ROOT))) {
            named(value);
        }
        if (keys.matcher(key).find()) {
            return REPLACEMENT;
        }
        return key.equalsIgnoreCase("url") ? text(value) : literals.argument(text(value));
    }

    /** As value, of what is no text of a query: a setting of Spark's own, a figure. It keeps its numbers. */
    String setting(String key, String value) {
        return value == null ? null : keys.matcher(key).find() ? REPLACEMENT : text(value);
    }

    private void named(String value) {
        literals.dataset(value);
        String[] each = value.split(",");
        for (int i = 0; each.length > 1 && i < each.length; i++) {
            literals.dataset(each[i].trim());
        }
    }

    /** SQL text without secrets, and without literals where they are to be taken out. */
    String sql(String value) {
        return text(literals.sql(value));
    }

    String text(String value) {
        if (value == null || value.length() == 0) {
            return value;
        }
        String once = replace(text, value);
        return once.indexOf("://") < 0 ? once : replace(urls, once);
    }

    private static String replace(Pattern pattern, String value) {
        Matcher matcher = pattern.matcher(value);
        return matcher.find() ? matcher.replaceAll("$1" + Matcher.quoteReplacement(REPLACEMENT)) : value;
    }
}
