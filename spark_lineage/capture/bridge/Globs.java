package org.sparklineage.bridge;

/** Globs as Python's fnmatch has them: `*`, `?`, `[abc]`, `[!abc]`; case counts. */
final class Globs {
    private Globs() {
    }

    /** The glob as a regular expression for the whole text. */
    static String pattern(String glob) {
        StringBuilder out = new StringBuilder("(?s)");
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            int close = c == '[' ? glob.indexOf(']', i + 2) : -1;
            if (c == '*') {
                out.append(".*");
            } else if (c == '?') {
                out.append('.');
            } else if (close > 0) {
                String set = glob.substring(i + 1, close);
                boolean not = set.charAt(0) == '!';
                out.append(not ? "[^" : "[").append(escaped(not ? set.substring(1) : set)).append(']');
                i = close;
            } else {
                out.append(java.util.regex.Pattern.quote(String.valueOf(c)));
            }
        }
        return out.toString();
    }

    /** In a class of characters only the hyphen keeps its meaning. */
    private static String escaped(String set) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < set.length(); i++) {
            char c = set.charAt(i);
            if (c == '\\' || c == '[' || c == ']' || c == '^' || c == '&') {
                out.append('\\');
            }
            out.append(c);
        }
        return out.toString();
    }
}
