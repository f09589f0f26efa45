package org.sparklineage.bridge;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStream;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.InflaterInputStream;

/** The run that Dagster Pipes tells in DAGSTER_PIPES_CONTEXT: Base64 of zlib of JSON, or of the name of a file with JSON. */
final class Pipes {
    private static final Pattern RUN = Pattern.compile("\"run_id\"\\s*:\\s*\"([0-9a-fA-F-]{36})\"");
    private static final Pattern PATH = Pattern.compile("\"path\"\\s*:\\s*\"([^\"\\\\]+)\"");
    private static final int LIMIT = 1 << 20;

    private Pipes() {
    }

    /** The id of Dagster's run, null where there is none to be found. */
    static String runId(String context) {
        if (context == null) {
            return null;
        }
        try {
            String text = text(new InflaterInputStream(new ByteArrayInputStream(Base64.getDecoder().decode(context.trim()))));
            Matcher path = PATH.matcher(text);
            Matcher run = RUN.matcher(text);
            if (run.find()) {
                return run.group(1);
            }
            if (!path.find() || new File(path.group(1)).length() > LIMIT) {
                return null;
            }
            run = RUN.matcher(text(new java.io.FileInputStream(path.group(1))));
            return run.find() ? run.group(1) : null;
        } catch (Exception e) {
            return null;
        }
    }

    private static String text(InputStream in) throws java.io.IOException {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] buffer = new byte[8192];
            int count = in.read(buffer);
            while (count >= 0 && out.size() < LIMIT) {
                out.write(buffer, 0, count);
                count = in.read(buffer);
            }
            return out.toString("UTF-8");
        } finally {
            in.close();
        }
    }
}
