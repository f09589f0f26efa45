package org.sparklineage.overlay;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The world as it stood when a run began, as a file of lines tells it: `word`, then its arguments, parted by tabs.
 *
 * Of a Delta table that the run is known to have met, the commits after the version that it met are hidden, or all of it where it was not there
 * yet; of what is known to be as it was, nothing is; of anything else, files that were modified later. Files are read by all processes of a job.
 */
final class Universe {
    static final String VARIABLE = "SPARK_LINEAGE_UNIVERSE";
    static final String SETTING = "spark.lineage.universe";
    private static final Pattern COMMIT = Pattern.compile("\\.?(\\d{20})(?:\\.(\\d{20}))?\\..*");
    private static final Map KNOWN = new HashMap();

    final File scratch;
    final String workingDirectory;
    /** Of each line `conf`, `table`, `database`: its arguments. */
    final List confs = new ArrayList();
    final List tables = new ArrayList();
    final List databases = new ArrayList();
    private final long moment;
    /** By the place (scheme, authority, path): Rule. */
    private final Map rules = new HashMap();

    private Universe(File file) throws IOException {
        File scratch = null;
        String workingDirectory = null;
        long moment = Long.MAX_VALUE;
        BufferedReader lines = new BufferedReader(new InputStreamReader(new FileInputStream(file), "UTF-8"));
        try {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] parts = line.split("\t", -1);
                if (parts[0].equals("scratch")) {
                    scratch = new File(parts[1]);
                } else if (parts[0].equals("moment")) {
                    moment = Long.parseLong(parts[1]);
                } else if (parts[0].equals("working_directory")) {
                    workingDirectory = parts[1];
                } else if (parts[0].equals("conf")) {
                    confs.add(parts);
                } else if (parts[0].equals("table")) {
                    tables.add(parts);
                } else if (parts[0].equals("database")) {
                    databases.add(parts);
                } else if (parts.length > 1) {
                    rules.put(placed(parts[1]), new Rule(parts));
                }
            }
        } finally {
            lines.close();
        }
        if (scratch == null) {
            throw new IOException(file + " says of no scratch place");
        }
        this.scratch = scratch;
        this.workingDirectory = workingDirectory;
        this.moment = moment;
    }

    /** The universe of this process; of a session that looks into one, the one that its setting names. Null where there is none. */
    static Universe of(Configuration conf, String id) throws IOException {
        String name = id == null ? System.getenv(VARIABLE) : conf.get(SETTING + "." + id);
        if (name == null) {
            return null;
        }
        synchronized (KNOWN) {
            Universe found = (Universe) KNOWN.get(name);
            if (found == null) {
                found = new Universe(new File(name));
                KNOWN.put(name, found);
            }
            return found;
        }
    }

    /** A location as a key: scheme, authority and path, without a slash at its end. */
    static String placed(String location) {
        Path path = new Path(location);
        URI uri = path.toUri();
        String scheme = uri.getScheme() == null ? "file" : uri.getScheme();
        return placed(scheme, uri.getAuthority(), uri.getPath());
    }

    static String placed(String scheme, String authority, String path) {
        String ended = path.length() > 1 && path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
        return scheme + "://" + (authority == null ? "" : authority) + ended;
    }

    /** Where what the universe has of this path is to be read, where it is not in its own place: copies that were kept. */
    String copied(String scheme, String authority, String path) {
        for (String at = path; at != null; at = parent(at)) {
            Rule rule = (Rule) rules.get(placed(scheme, authority, at));
            if (rule != null) {
                return rule.copy == null ? null : rule.copy + path.substring(at.equals("/") ? 0 : at.length());
            }
        }
        return null;
    }

    /** Whether something that is there today was there then. `path` is the one in its own place, `status` may be of a copy. */
    boolean shows(FileSystem lower, String scheme, String authority, String path, FileStatus status) throws IOException {
        for (String at = path; at != null; at = parent(at)) {
            Rule rule = (Rule) rules.get(placed(scheme, authority, at));
            if (rule != null) {
                return rule.shows(path.substring(at.equals("/") ? 0 : at.length()));
            }
        }
        if (!status.isDirectory()) {
            return status.getModificationTime() <= moment;
        }
        if (status.getModificationTime() <= moment || path.equals("/")) {
            return true;
        }
        FileStatus[] children;
        try {
            children = lower.listStatus(status.getPath());
        } catch (FileNotFoundException error) {
            return false;
        } catch (IOException error) {
            return true;
        }
        for (int i = 0; i < children.length; i++) {
            String child = (path.equals("/") ? "" : path) + "/" + children[i].getPath().getName();
            if (shows(lower, scheme, authority, child, children[i])) {
                return true;
            }
        }
        return false;
    }

    /** Places with a scheme of their own, of all that is told of. */
    List places() {
        List found = new ArrayList();
        java.util.Iterator keys = rules.keySet().iterator();
        while (keys.hasNext()) {
            String key = (String) keys.next();
            if (!key.startsWith("file:")) {
                found.add(key);
            }
        }
        return found;
    }

    static String parent(String path) {
        if (path.equals("/") || path.length() == 0) {
            return null;
        }
        int at = path.lastIndexOf('/');
        return at <= 0 ? "/" : path.substring(0, at);
    }

    private static final class Rule {
        final String kind;
        final long version;
        final String copy;

        Rule(String[] parts) {
            kind = parts[0];
            version = kind.equals("delta") ? Long.parseLong(parts[2]) : -1;
            copy = kind.equals("copy") ? parts[2] : null;
        }

        /** `below`: the path below the place of this rule. */
        boolean shows(String below) {
            if (kind.equals("absent")) {
                return false;
            }
            if (!kind.equals("delta") || !below.startsWith("/_delta_log/")) {
                return true;
            }
            String name = below.substring("/_delta_log/".length());
            if (name.startsWith("_last_checkpoint") || name.startsWith("._last_checkpoint")) {
                return false;
            }
            if (name.startsWith("_commits") || name.startsWith("_staged_commits")) {
                return false;
            }
            Matcher matcher = COMMIT.matcher(name);
            if (!matcher.matches()) {
                return true;
            }
            String last = matcher.group(2) != null && name.endsWith(".compacted.json") ? matcher.group(2) : matcher.group(1);
            return Long.parseLong(last) <= version;
        }
    }
}
