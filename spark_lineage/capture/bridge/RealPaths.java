package org.sparklineage.bridge;

import java.io.File;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where the local paths of one document really are: symbolic links followed, on the worker's thread, for a bounded number of
 * paths. Kept for one document only, since a link may be set anew at any time.
 */
final class RealPaths {
    private static final int LIMIT = 200;
    private static final long MAX_NANOS = 200L * 1000000L;
    private final LinkedHashMap folders = new LinkedHashMap();
    private final long started = System.nanoTime();
    private boolean any;

    /** Notes a path, as it is about to be written. Not a glob's part, nor one beyond the bound. */
    void saw(String location) {
        String path = local(location);
        if (path == null || folders.containsKey(path) || folders.size() >= LIMIT || System.nanoTime() - started > MAX_NANOS) {
            return;
        }
        folders.put(path, null);
        try {
            File existing = new File(path);
            for (int i = 0; i < 3 && existing != null && !existing.exists(); i++) {
                existing = existing.getParentFile();
            }
            if (existing == null || existing.getParent() == null) {
                return;
            }
            String plain = existing.toPath().normalize().toString();
            String real = existing.toPath().toRealPath(new java.nio.file.LinkOption[0]).toString();
            if (!real.equals(plain)) {
                folders.put(existing.getPath(), real);
                any = true;
            }
        } catch (Exception e) {
            // Not there any more, or not to be looked at: it keeps its name.
        }
    }

    /** The real path of a file below a link that was seen; any other as it is. */
    String follow(String location) {
        if (!any) {
            return location;
        }
        String path = local(location);
        for (int cut = path == null ? 0 : path.length(); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
            Object real = folders.get(path.substring(0, cut));
            if (real != null) {
                return "file:" + real + path.substring(cut);
            }
        }
        return location;
    }

    /** The path of a local location with one slash at the front; null for anything else. */
    static String local(String location) {
        if (location == null) {
            return null;
        }
        String path = location.startsWith("file:") ? location.substring(5) : location;
        int slashes = 0;
        while (slashes < path.length() && path.charAt(slashes) == '/') {
            slashes++;
        }
        if (slashes == 0 || slashes == 2 && path.length() != location.length()) {
            return null;
        }
        return path.substring(slashes - 1);
    }

    /** As `real_paths`: the paths that differ. Left out when none does. */
    void write(Json out) {
        if (!any) {
            return;
        }
        out.key("real_paths").open('{');
        Iterator entries = folders.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            if (entry.getValue() != null) {
                out.field((String) entry.getKey(), (String) entry.getValue());
            }
        }
        out.close('}').comma();
    }
}
