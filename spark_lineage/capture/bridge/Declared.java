package org.sparklineage.bridge;

import java.nio.charset.Charset;
import java.util.HashMap;
import java.util.Map;

/**
 * What the author of a Python function declared of its lineage (capture/declared.py): a text in the function's own attributes,
 * which are in the pickled command as they are; or, for a function that workers import and whose command has its name alone,
 * what Python told the bridge.
 *
 * A command begins with the function, and cloudpickle names what sets a function's state (SETTER) for the first time where that of
 * the first function begins: with its attributes, ours before the others. A text anywhere else is of another function, which the first
 * one calls or holds, and counts only if it has the name that Spark knows this function by. Of a class the name is there too; before
 * its attributes come the classes that it extends.
 */
final class Declared {
    private static final Charset LATIN = Charset.forName("ISO-8859-1");
    private static final String BEGIN = "<spark-lineage ";
    private static final String ATTRIBUTE = "__SPARK_LINEAGE__";
    private static final String SETTER = "_function_setstate";
    /** Bytes at the most from the setter's name to our attribute: a few opcodes, and the head of a frame. */
    private static final int NEAR = 40;
    private static final String PICKLER = "cloudpickle";
    /** Bytes of a command that are looked at: a longer one is a broadcast, in which there is nothing to see anyway. */
    private static final int LONGEST_COMMAND = 1 << 20;
    private static final int LONGEST_TEXT = 1 << 16;
    private static final int MOST = 10000;
    /** The texts of functions that workers import, by module and name. */
    private static final Map TEXTS = new HashMap();

    private Declared() {
    }

    static void add(String module, String name, String text) {
        synchronized (TEXTS) {
            if (TEXTS.size() < MOST || TEXTS.containsKey(module + ":" + name)) {
                TEXTS.put(module + ":" + name, content(text, 0));
            }
        }
    }

    /** What was declared of a PythonFunction that Spark calls by this name; null for nothing. */
    static String of(Object function, String name) {
        try {
            Object bytes = Reflect.tryCall(Reflect.tryCall(function, "command"), "unsafeArray");
            if (!(bytes instanceof byte[]) || ((byte[]) bytes).length > LONGEST_COMMAND) {
                return null;
            }
            return in(new String((byte[]) bytes, LATIN), name);
        } catch (RuntimeException e) {
            return null;
        }
    }

    /** As of, in a command, a character for each byte. */
    static String in(String command, String name) {
        int module = begin(command);
        if (module < 0) {
            return null;
        }
        int called = after(command, module);
        if (called < 0 || after(command, called) < 0) {
            return null;
        }
        String from = text(command, module);
        String what = text(command, called);
        if (from.endsWith(PICKLER) && what.equals("_make_function")) {
            int state = command.indexOf(SETTER);
            int own = state < 0 ? -1 : command.indexOf(ATTRIBUTE, state);
            return inside(command, name, own >= 0 && own - state - SETTER.length() <= NEAR);
        }
        if (from.endsWith(PICKLER) && what.equals("_make_skeleton_class")) {
            String itself = className(command, called);
            String first = content(command, command.indexOf(BEGIN));
            return inside(command, name, itself != null && first != null && first.startsWith(named(itself)));
        }
        synchronized (TEXTS) {
            return (String) TEXTS.get(utf8(from) + ":" + utf8(what));
        }
    }

    /** The text in a function or class that is in the command whole: the first one where that is its own. */
    private static String inside(String command, String name, boolean own) {
        int at = command.indexOf(BEGIN);
        if (own) {
            return content(command, at);
        }
        while (at >= 0 && !"<lambda>".equals(name)) {
            String found = content(command, at);
            if (found != null && found.startsWith(named(name))) {
                return found;
            }
            at = command.indexOf(BEGIN, at + BEGIN.length());
        }
        return null;
    }

    private static String named(String name) {
        return "{\"name\":\"" + name + "\",";
    }

    /** The name of a class that is made: the text behind the module and the name of its own class. Null where it is not there. */
    private static String className(String command, int making) {
        int module = making + 2 + command.charAt(making + 1) + 4;
        int type = isText(command, module) ? after(command, module) : -1;
        int name = type < 0 ? -1 : type + 2 + command.charAt(type + 1) + 3;
        return name > 0 && isText(command, name) ? text(command, name) : null;
    }

    /** What a text at this place holds, by the length that it says itself. */
    private static String content(String text, int at) {
        int end = text.indexOf('>', at);
        if (at < 0 || !text.startsWith(BEGIN, at) || end < 0 || end > at + BEGIN.length() + 6) {
            return null;
        }
        try {
            int length = Integer.parseInt(text.substring(at + BEGIN.length(), end));
            boolean whole = length > 0 && length <= LONGEST_TEXT && end + 1 + length <= text.length();
            return whole ? text.substring(end + 1, end + 1 + length) : null;
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** Where the first text of a pickle is: behind its protocol and the frame; -1 where it begins with anything else. */
    private static int begin(String pickle) {
        int at = pickle.length() > 2 && pickle.charAt(0) == 0x80 ? 2 : -1;
        if (at > 0 && pickle.length() > 11 && pickle.charAt(at) == 0x95) {
            at += 9;
        }
        return at > 0 && isText(pickle, at) ? at : -1;
    }

    /** Where the text after the one at this place is, or the end of the two. */
    private static int after(String pickle, int at) {
        int next = at + 2 + pickle.charAt(at + 1) + 1;
        boolean memoized = next < pickle.length() && pickle.charAt(next - 1) == 0x94;
        return memoized && (isText(pickle, next) || pickle.charAt(next) == 0x93) ? next : -1;
    }

    private static boolean isText(String pickle, int at) {
        return at + 1 < pickle.length() && pickle.charAt(at) == 0x8c && at + 2 + pickle.charAt(at + 1) <= pickle.length();
    }

    private static String text(String pickle, int at) {
        return pickle.substring(at + 2, at + 2 + pickle.charAt(at + 1));
    }

    private static String utf8(String bytes) {
        return new String(bytes.getBytes(LATIN), Charset.forName("UTF-8"));
    }
}
