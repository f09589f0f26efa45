package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;

/** Gets the commits of an execution ready for its document, on the worker's thread. */
final class CommitList {
    private CommitList() {
    }

    /** Whether a commit was made of which nothing is known. */
    static boolean isShort(List heard) {
        return heard != null && heard.contains(DeltaCommit.UNHEARD);
    }

    /**
     * The commits of an execution: as they were heard, and where Delta does not tell (`unseen` is why) or one was not heard, as
     * the tables' logs have them. What stays unknown is said in `incomplete`.
     */
    static List of(Bridge.Finished one, LogicalPlan plan, String unseen, List incomplete, Configuration configuration) {
        List heard = ready(one.commits, configuration);
        boolean search = unseen != null && !unseen.startsWith("no Delta") || isShort(one.commits);
        if (!search || plan == null || !Noise.isCommand(plan)) {
            return heard;
        }
        String why = unseen != null ? unseen : "a commit was not heard";
        LogSearch log = new LogSearch(configuration, one.start.time(), one.end.time());
        boolean named = search(log, plan, one, one.end.qe());
        for (int i = 0; !named && one.nested != null && i < one.nested.size(); i++) {
            Bridge.Finished inner = (Bridge.Finished) one.nested.get(i);
            LogicalPlan nested = inner.end.qe() == null ? null : Plans.analyzed(inner.end.qe());
            named = nested != null && Noise.isCommand(nested) && search(log, nested, one, inner.end.qe());
        }
        if (!named && plan.getClass().getName().indexOf(".delta.") >= 0) {
            log.reasons.add("its plan names no table to look in");
        }
        for (int i = 0; i < log.reasons.size(); i++) {
            incomplete.add("versions written are not known: " + why + "; " + log.reasons.get(i));
        }
        for (int i = 0; i < heard.size(); i++) {
            DeltaCommit commit = (DeltaCommit) heard.get(i);
            if (!contains(log.found, commit)) {
                log.found.add(commit);
            }
        }
        return log.found;
    }

    /** Whether the command names a table to search. */
    private static boolean search(LogSearch log, LogicalPlan plan, Bridge.Finished one, QueryExecution execution) {
        Targets targets = new Targets(execution);
        targets.add(plan);
        String kind = Reflect.simpleName(plan);
        String error = Reflect.text(one.end.errorMessage());
        if (error != null && error.length() > 0) {
            log.reasons.add("it failed, and what the log has from that time may be another's");
            return true;
        }
        boolean must = kind.equals("AppendData") || kind.startsWith("Overwrite") || kind.endsWith("TableAsSelect") || kind.equals("Union");
        log.search(plan, targets.paths, !must);
        return !targets.paths.isEmpty();
    }

    private static boolean contains(List commits, DeltaCommit commit) {
        for (int i = 0; i < commits.size(); i++) {
            DeltaCommit other = (DeltaCommit) commits.get(i);
            if (other.version == commit.version && new Path(other.path).toUri().getPath().equals(new Path(commit.path).toUri().getPath())) {
                other.inferred = false;
                return true;
            }
        }
        return false;
    }

    /**
     * The commits table by table, each table's by version: an observer hears a commit after its post-commit hooks, and so
     * after the commit of an automatic compaction. What a transaction did not say of itself (RESTORE, CLONE, CONVERT) is
     * read from its own log file.
     */
    static List ready(List heard, Configuration configuration) {
        LinkedHashMap tables = new LinkedHashMap();
        for (int i = 0; heard != null && i < heard.size(); i++) {
            DeltaCommit commit = (DeltaCommit) heard.get(i);
            if (commit == DeltaCommit.UNHEARD) {
                continue;
            }
            complete(commit, configuration);
            List list = (List) tables.get(commit.path);
            if (list == null) {
                list = new ArrayList();
                tables.put(commit.path, list);
            }
            list.add(commit);
        }
        ArrayList result = new ArrayList();
        Iterator lists = tables.values().iterator();
        while (lists.hasNext()) {
            List list = (List) lists.next();
            Collections.sort(list, new ByVersion());
            result.addAll(list);
        }
        return result;
    }

    /** How many columns the narrowest query gives that is written: the tables fill in the rest. The largest number for none. */
    static int given(Bridge.Finished one, LogicalPlan plan) {
        int least = given(plan);
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            least = Math.min(least, given(Plans.analyzed(((Bridge.Finished) one.nested.get(i)).end.qe())));
        }
        return least;
    }

    private static int given(LogicalPlan plan) {
        if (plan == null || !Noise.isCommand(plan) && !Reflect.simpleName(plan).equals("Union")) {
            return Integer.MAX_VALUE;
        }
        int least = Integer.MAX_VALUE;
        List children = Reflect.simpleName(plan).equals("Union") ? Reflect.list(plan.children()) : java.util.Collections.EMPTY_LIST;
        for (int i = 0; i < children.size(); i++) {
            least = Math.min(least, query((LogicalPlan) children.get(i)));
        }
        return Math.min(least, query(plan));
    }

    private static int query(LogicalPlan plan) {
        Object query = Reflect.simpleName(plan).equals("WriteToMicroBatchDataSourceV1") ? plan : Reflect.tryCall(plan, "query");
        return query instanceof LogicalPlan ? ((LogicalPlan) query).output().size() : Integer.MAX_VALUE;
    }

    private static void complete(DeltaCommit commit, Configuration configuration) {
        if (commit.operation != null || commit.version < 0L) {
            return;
        }
        try {
            com.fasterxml.jackson.databind.JsonNode info = DeltaLogFile.commitInfo(configuration, commit.path, commit.version);
            if (info != null) {
                DeltaLogFile.complete(commit, info);
            }
        } catch (Exception e) {
            // The version is known all the same; what the log would have added is left out.
            return;
        }
    }

    private static final class ByVersion implements Comparator {
        public int compare(Object left, Object right) {
            return Long.compare(((DeltaCommit) left).version, ((DeltaCommit) right).version);
        }
    }
}
