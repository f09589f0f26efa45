package org.sparklineage.bridge;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/**
 * Where Delta's hooks are missing or failed: looks in the logs of the tables that an execution wrote to for commits of its
 * operation within its time. Exactly as many as it must have made are taken, marked inferred; else the versions stay
 * unknown, and why. On the worker's thread, with bounds.
 */
final class LogSearch {
    private static final int LISTED = 50000;
    private static final int READ = 100;
    /** File systems and drivers do not have the same clock. */
    private static final long SLACK_MILLIS = 5000L;

    private final Configuration configuration;
    private final long from;
    private final long until;
    /** Why the commits of a table are not known. */
    final List reasons = new ArrayList();
    final List found = new ArrayList();

    LogSearch(Configuration configuration, long from, long until) {
        this.configuration = configuration;
        this.from = from;
        this.until = until;
    }

    /** `targets` as Targets has them; `mayBeNone`: a command that commits nothing where nothing matched. */
    void search(LogicalPlan command, List targets, boolean mayBeNone) {
        LinkedHashMap counts = new LinkedHashMap();
        for (int i = 0; i < targets.size(); i++) {
            Integer known = (Integer) counts.get(targets.get(i));
            counts.put(targets.get(i), Integer.valueOf(known == null ? 1 : known.intValue() + 1));
        }
        Iterator entries = counts.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            try {
                one((String) entry.getKey(), operation(command), ((Integer) entry.getValue()).intValue(), mayBeNone);
            } catch (IOException e) {
                reasons.add("the log could not be read: " + e.getMessage());
            } catch (RuntimeException e) {
                reasons.add("the log could not be read: " + e);
            }
        }
    }

    private void one(String table, String operation, int count, boolean mayBeNone) throws IOException {
        ArrayList fitting = new ArrayList();
        List versions = versions(table);
        for (int i = 0; i < versions.size(); i++) {
            long version = ((Long) versions.get(i)).longValue();
            JsonNode info = DeltaLogFile.commitInfo(configuration, table, version);
            if (info != null && fits(info, operation)) {
                fitting.add(commit(table, version, info));
            }
        }
        boolean vacuumed = operation.equals("VACUUM") && fitting.size() == 2 * count;
        if (fitting.size() == count || vacuumed) {
            found.addAll(fitting);
        } else if (!fitting.isEmpty() || !mayBeNone) {
            reasons.add(fitting.size() + " commits in the log fit where " + count + " was made");
        }
    }

    private boolean fits(JsonNode info, String operation) {
        JsonNode time = info.get("timestamp");
        String told = DeltaLogFile.text(info.get("operation"));
        if (time == null || told == null || time.asLong() < from || time.asLong() > until) {
            return false;
        }
        return operation.length() == 0 ? !told.equals("OPTIMIZE") : told.indexOf(operation) >= 0;
    }

    private static DeltaCommit commit(String table, long version, JsonNode info) {
        DeltaCommit commit = new DeltaCommit();
        commit.path = table;
        commit.version = version;
        JsonNode read = info.get("readVersion");
        commit.versionBefore = read == null ? version - 1L : read.asLong();
        commit.timestampMillis = info.get("timestamp").asLong();
        commit.inferred = true;
        DeltaLogFile.complete(commit, info);
        return commit;
    }

    /** The versions whose log files were written about that time, in order. */
    private List versions(String table) throws IOException {
        java.util.TreeSet result = new java.util.TreeSet();
        Path folder = new Path(table, "_delta_log");
        RemoteIterator files;
        try {
            files = folder.getFileSystem(configuration).listStatusIterator(folder);
        } catch (java.io.FileNotFoundException e) {
            return new ArrayList();
        }
        for (int i = 0; files.hasNext(); i++) {
            if (i > LISTED) {
                throw new IOException("more than " + LISTED + " files in " + folder);
            }
            FileStatus file = (FileStatus) files.next();
            String name = file.getPath().getName();
            long time = file.getModificationTime();
            if (name.length() == 25 && name.endsWith(".json") && time >= from - SLACK_MILLIS && time <= until + SLACK_MILLIS) {
                result.add(Long.valueOf(name.substring(0, 20)));
            }
        }
        if (result.size() > READ) {
            throw new IOException("more than " + READ + " commits at that time");
        }
        return new ArrayList(result);
    }

    /** A part of what Delta calls the command in its log; empty where it may be anything. */
    private static String operation(LogicalPlan command) {
        String kind = Reflect.simpleName(command);
        if (kind.equals("AppendData") || kind.startsWith("Overwrite") || kind.equals("SaveIntoDataSourceCommand")
            || kind.equals("DeltaDynamicPartitionOverwriteCommand") || kind.equals("Union")) {
            return "WRITE";
        }
        String[] known = new String[] {"CreateTableAsSelect", "TABLE AS SELECT", "MergeIntoCommand", "MERGE", "UpdateCommand", "UPDATE",
            "DeleteCommand", "DELETE", "OptimizeTableCommand", "OPTIMIZE", "VacuumTableCommand", "VACUUM", "RestoreTableCommand",
            "RESTORE"};
        for (int i = 0; i < known.length; i += 2) {
            if (kind.equals(known[i])) {
                return known[i + 1];
            }
        }
        return "";
    }
}
