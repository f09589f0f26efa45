package org.sparklineage.bridge;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What becomes of literal values: kept, hashed or dropped. Where patterns of datasets or columns are given, that is decided
 * for each document when its datasets and columns are known: it is written once, and again when one of them matches.
 *
 * Used by the worker's thread alone.
 */
final class Literals {
    static final String DROPPED = "(redacted)";
    private static final Pattern CALL_SITE = Pattern.compile("[\\w.$<>]+ at [^\\s']*:\\d+");
    private static final Pattern STREAM = Pattern.compile("(?s)(?:[^\n]*\n)?id = [-0-9a-f]+\nrunId = [-0-9a-f]+\nbatch = \\w+");
    private static final Pattern FRAME = Pattern.compile("[\\w.$<>/]+\\([\\w.$ ]*(?::\\d+)?\\)|[\\w.$<>]+ at [^\\s']*:\\d+|[^\\s'\"]+:\\d+");
    private static final Pattern PLAIN_WORD = Pattern.compile("[A-Za-z_][\\w.\\-/:$]*|");
    private final boolean keep;
    private final Mac hash;
    private final Pattern[] datasets;
    private final Pattern[] columns;
    private final HashMap knownColumns = new HashMap();
    private boolean all;
    private boolean some;
    private boolean datasetSeen;
    private boolean columnSeen;
    private int taken;

    Literals(Map options) {
        String policy = policy(options);
        this.keep = policy.equals("keep");
        this.hash = policy.equals("hash") ? mac(text(options, "redact_literals_secret")) : null;
        this.datasets = globs(text(options, "redact_literals_datasets"));
        this.columns = globs(text(options, "redact_literals_columns"));
        begin();
    }

    /** Not given is `keep`; what is none of the policies is refused: a misspelt one must not mean that all is kept. */
    private static String policy(Map options) {
        Object given = options.get("redact_literals");
        String policy = given == null ? "keep" : given.toString().trim().toLowerCase(java.util.Locale.ROOT);
        if (!policy.equals("keep") && !policy.equals("hash") && !policy.equals("drop")) {
            throw new IllegalArgumentException("spark.lineage.redact.literals is '" + given + "'; set it to keep, hash or drop");
        }
        return policy;
    }

    private static String text(Map options, String name) {
        Object value = options.get(name);
        return value == null ? "" : value.toString();
    }

    private static Mac mac(String secret) {
        try {
            Mac result = Mac.getInstance("HmacSHA256");
            result.init(new SecretKeySpec((secret.length() == 0 ? "spark-lineage" : secret).getBytes("UTF-8"), "HmacSHA256"));
            return result;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Comma separated globs, whose case does not count: Spark's names have none. Null where there are none. */
    private static Pattern[] globs(String text) {
        if (text.trim().length() == 0) {
            return null;
        }
        String[] parts = text.split(",");
        Pattern[] result = new Pattern[parts.length];
        for (int i = 0; i < parts.length; i++) {
            result[i] = Pattern.compile(Globs.pattern(parts[i].trim()), Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE);
        }
        return result;
    }

    private static boolean matches(Pattern[] patterns, String text) {
        for (int i = 0; patterns != null && text != null && i < patterns.length; i++) {
            if (patterns[i].matcher(text).matches()) {
                return true;
            }
        }
        return false;
    }

    /** A new document. */
    void begin() {
        all = !keep && datasets == null && columns == null;
        some = all;
        datasetSeen = false;
        columnSeen = false;
        taken = 0;
    }

    /** Something that is written before the document it goes into: what that touches is not known yet, so nothing stays. */
    void early() {
        begin();
        all = !keep;
        some = all;
    }

    /** Whether the document has to be written again, as something in it matched. From then on literals are taken out. */
    boolean again(boolean unsure) {
        if (all || some || keep || !datasetSeen && !columnSeen && !unsure) {
            return false;
        }
        all = datasetSeen || unsure;
        some = true;
        taken = 0;
        return true;
    }

    /** A dataset of this document, by any of its names. */
    void dataset(String name) {
        if (!datasetSeen && datasets != null && name != null) {
            String bare = name.startsWith("file:") ? "/" + name.substring(5).replaceFirst("^/+", "") : name;
            datasetSeen = matches(datasets, name) || matches(datasets, bare);
        }
    }

    /** Whether the column's literals are to be taken out. */
    boolean column(String name) {
        if (columns == null) {
            return false;
        }
        Boolean known = (Boolean) knownColumns.get(name);
        if (known == null) {
            known = Boolean.valueOf(matches(columns, name));
            if (knownColumns.size() > 10000) {
                knownColumns.clear();
            }
            knownColumns.put(name, known);
        }
        columnSeen |= known.booleanValue();
        return known.booleanValue();
    }

    /** Whether texts, which say nothing of columns, lose their literals. */
    boolean inTexts() {
        return some;
    }

    boolean everywhere() {
        return all;
    }

    boolean byColumn() {
        return columns != null;
    }

    int taken() {
        return taken;
    }

    /** What stands for a value. */
    String value(String value) {
        taken++;
        return hash == null ? DROPPED : hashed(value);
    }

    /** As value, as a literal in SQL; `literal` may have its quotes. */
    String quoted(String literal) {
        taken++;
        if (hash == null) {
            return "'?'";
        }
        boolean quotes = literal.length() > 1 && (literal.charAt(0) == '\'' || literal.charAt(0) == '"');
        return "'" + hashed(quotes ? literal.substring(1, literal.length() - 1) : literal) + "'";
    }

    private String hashed(String value) {
        try {
            byte[] digest = hash.doFinal(value.getBytes("UTF-8"));
            StringBuilder text = new StringBuilder("hmac:");
            for (int i = 0; i < 8; i++) {
                text.append(Character.forDigit((digest[i] >> 4) & 15, 16)).append(Character.forDigit(digest[i] & 15, 16));
            }
            return text.toString();
        } catch (java.io.UnsupportedEncodingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** SQL text: a statement, a view's definition. Dropped as a whole when it is not understood. */
    String sql(String text) {
        if (!some || text == null) {
            return text;
        }
        String result = SqlText.redact(text, this);
        return result == null ? value(text) : result;
    }

    /** The text of an option, a comment or another argument: one word is taken for a name, the rest is read as SQL. */
    String argument(String text) {
        return !some || text == null || PLAIN_WORD.matcher(text).matches() ? text : sql(text);
    }

    /** A description: Spark's own are kept, what somebody wrote is taken out. */
    String description(String text) {
        if (!some || text == null || CALL_SITE.matcher(text).matches() || STREAM.matcher(text).matches()) {
            return text;
        }
        return value(text);
    }

    /** The call site: lines of a stack trace are kept. */
    String callSite(String text) {
        if (!some || text == null) {
            return text;
        }
        String[] lines = text.split("\n");
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < lines.length; i++) {
            String line = lines[i].trim();
            out.append(i == 0 ? "" : "\n").append(FRAME.matcher(line).matches() ? line : value(line));
        }
        return out.toString();
    }

    /** A failure: its condition and state are kept, the message may hold any value. */
    String failure(Throwable failure, String message) {
        if (!some) {
            return message;
        }
        Throwable cause = failure;
        String condition = null;
        for (int i = 0; cause != null && i < 20; i++) {
            String own = Reflect.text(Reflect.tryCall(cause, "getCondition"));
            condition = own == null ? condition : own;
            cause = cause.getCause() == cause ? null : cause.getCause();
        }
        return (condition == null ? "" : "[" + condition + "] ") + value(message == null ? "" : message);
    }
}
