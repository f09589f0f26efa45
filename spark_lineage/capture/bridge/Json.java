package org.sparklineage.bridge;

/**
 * A JSON text that can be taken back: remember {@link #mark()}, and after a failure {@link #reset(int)}, so that an
 * exception half way through an object never leaves half a JSON.
 *
 * Written for Janino: no generics, no lambdas, no annotations.
 */
final class Json {
    private final StringBuilder out;

    Json() {
        this.out = new StringBuilder(1024);
    }

    int mark() {
        return out.length();
    }

    void reset(int mark) {
        out.setLength(mark);
    }

    int length() {
        return out.length();
    }

    Json raw(String text) {
        out.append(text);
        return this;
    }

    Json raw(Json other) {
        out.append(other.out);
        return this;
    }

    Json open(char bracket) {
        out.append(bracket);
        return this;
    }

    /** Closes an object or list; a comma that {@link #comma()} left before it is taken away. */
    Json close(char bracket) {
        int last = out.length() - 1;
        if (last >= 0 && out.charAt(last) == ',') {
            out.setLength(last);
        }
        out.append(bracket);
        return this;
    }

    Json comma() {
        out.append(',');
        return this;
    }

    Json key(String name) {
        string(name);
        out.append(':');
        return this;
    }

    Json field(String name, String value) {
        key(name);
        string(value);
        return comma();
    }

    Json field(String name, long value) {
        key(name);
        out.append(value);
        return comma();
    }

    Json field(String name, boolean value) {
        key(name);
        out.append(value);
        return comma();
    }

    Json number(long value) {
        out.append(value);
        return this;
    }

    Json string(String value) {
        if (value == null) {
            out.append("null");
            return this;
        }
        out.append('"');
        int length = value.length();
        for (int i = 0; i < length; i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= 0x20 && !(c >= 0xD800 && c <= 0xDFFF) && c != 0x2028 && c != 0x2029) {
                out.append(c);
            } else {
                unicode(c, i, value, length);
            }
        }
        out.append('"');
        return this;
    }

    /** Escapes a control character; a surrogate without its other half, which no UTF-8 text can hold, becomes a question mark. */
    private void unicode(char c, int i, String value, int length) {
        if (c == '\n') {
            out.append("\\n");
        } else if (c == '\t') {
            out.append("\\t");
        } else if (isLoneSurrogate(c, i, value, length)) {
            out.append('?');
        } else {
            String hex = Integer.toHexString(c);
            out.append("\\u");
            for (int pad = hex.length(); pad < 4; pad++) {
                out.append('0');
            }
            out.append(hex);
        }
    }

    private static boolean isLoneSurrogate(char c, int i, String value, int length) {
        if (c >= 0xD800 && c <= 0xDBFF) {
            return i + 1 >= length || value.charAt(i + 1) < 0xDC00 || value.charAt(i + 1) > 0xDFFF;
        }
        return c >= 0xDC00 && c <= 0xDFFF && (i == 0 || value.charAt(i - 1) < 0xD800 || value.charAt(i - 1) > 0xDBFF);
    }

    public String toString() {
        return out.toString();
    }
}
