package org.sparklineage.bridge;

import java.io.File;

/**
 * The files of a local folder that an execution wrote, listed on the worker's thread right after it: the fingerprint that a later
 * read of the whole folder has. Given up where it cannot be told to be the state that this execution left: a file is newer than
 * its end, or there are fewer than it wrote. Other file systems are not asked: a listing there costs requests.
 */
final class OutputListing {
    private static final int MAX_FILES = 20000;
    private static final long MAX_NANOS = 500L * 1000000L;
    private static final int MAX_DEPTH = 16;
    private final Listing listing;
    private final long endedMs;
    private final long started = System.nanoTime();
    private int seen;
    private boolean given;

    private OutputListing(long endedMs, RealPaths links) {
        this.listing = new Listing(links);
        this.endedMs = endedMs;
    }

    /** `path` as Spark wrote to, `written` the number of files that it says it wrote. Null when there is nothing sure to tell. */
    static String fingerprint(Object path, long endedMs, Long written, RealPaths links) {
        String text = path == null ? "" : path.toString();
        if (!text.startsWith("file:/") || written == null || written.longValue() <= 0L || endedMs <= 0L) {
            return null;
        }
        try {
            String plain = RealPaths.local(text);
            OutputListing output = new OutputListing(endedMs, links);
            output.walk(new File(plain), plain, 0);
            return output.given || output.seen < written.longValue() ? null : output.listing.fingerprint(true);
        } catch (RuntimeException e) {
            return null;
        }
    }

    private void walk(File folder, String path, int depth) {
        File[] entries = folder.listFiles();
        if (entries == null || depth > MAX_DEPTH) {
            given = true;
            return;
        }
        for (int i = 0; i < entries.length && !given; i++) {
            String name = entries[i].getName();
            if (name.startsWith(".") || name.startsWith("_") && name.indexOf('=') < 0) {
                continue;
            }
            if (entries[i].isDirectory()) {
                walk(entries[i], path + "/" + name, depth + 1);
            } else {
                file(entries[i], path + "/" + name);
            }
        }
    }

    private void file(File file, String path) {
        long modified = file.lastModified();
        seen++;
        given = modified > endedMs || seen > MAX_FILES || System.nanoTime() - started > MAX_NANOS;
        listing.add("file:" + path, file.length(), modified);
    }
}
