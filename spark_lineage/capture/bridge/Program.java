package org.sparklineage.bridge;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileReader;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** What this JVM was started with: the class or file that a person would name, its arguments, who runs it and where. */
final class Program {
    private static final String SUBMIT = "org.apache.spark.deploy.SparkSubmit";
    /** Runs a driver inside a standalone cluster: what follows are the worker, the application's jar, its class, its arguments. */
    private static final String WRAPPER = "org.apache.spark.deploy.worker.DriverWrapper";
    /** Options of spark-submit that take no value. */
    private static final String FLAGS = " --verbose -v --supervise --help -h --version --usage-error --remote-only ";

    final String name;
    final List arguments;

    Program() {
        String[] words = words();
        String main = mainOnStack();
        int first = first(words);
        ArrayList given = new ArrayList();
        for (int i = first + 1; first >= 0 && i < words.length; i++) {
            given.add(words[i]);
        }
        this.arguments = given;
        if (main != null) {
            this.name = main;
        } else {
            this.name = first >= 0 ? words[first] : System.getProperty("sun.java.command", "java").split(" ")[0];
        }
    }

    /** The class whose main() is running in this thread, spark-submit's own left out; null where there is none. */
    private static String mainOnStack() {
        StackTraceElement[] frames = Thread.currentThread().getStackTrace();
        for (int i = frames.length - 1; i >= 0; i--) {
            String type = frames[i].getClassName();
            if (frames[i].getMethodName().equals("main") && !type.endsWith("$") && !type.startsWith("org.apache.spark.deploy.")) {
                return type;
            }
        }
        return null;
    }

    private static String[] words() {
        try {
            byte[] line = Files.readAllBytes(new File("/proc/self/cmdline").toPath());
            return new String(line, "UTF-8").split("\0");
        } catch (IOException e) {
            return javaCommand();
        }
    }

    /** What the JVM says of itself; words with blanks are not told apart. */
    private static String[] javaCommand() {
        return System.getProperty("sun.java.command", "").split(" ");
    }

    /** Where the application's file stands on the command line, -1 where that is not known: what follows are its arguments. */
    private static int first(String[] words) {
        int i = 0;
        while (i < words.length && !words[i].equals(WRAPPER)) {
            i++;
        }
        if (i + 3 < words.length) {
            return i + 3;
        }
        i = 0;
        while (i < words.length && !words[i].equals(SUBMIT)) {
            i++;
        }
        for (i = i + 1; i < words.length; i++) {
            if (!words[i].startsWith("-")) {
                return i;
            }
            if (FLAGS.indexOf(" " + words[i] + " ") < 0 && words[i].indexOf('=') < 0) {
                i++;
            }
        }
        return -1;
    }

    /** As Python's socket.gethostname(): no name server is asked. */
    static String host() {
        try {
            BufferedReader in = new BufferedReader(new FileReader("/proc/sys/kernel/hostname"));
            try {
                return in.readLine().trim();
            } finally {
                in.close();
            }
        } catch (Exception e) {
            try {
                return java.net.InetAddress.getLocalHost().getHostName();
            } catch (Exception unknown) {
                return null;
            }
        }
    }
}
