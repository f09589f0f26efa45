package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;

/**
 * Lets one document stand for the batches of a period, where `streams.record` asks for that. On the worker's thread. A batch
 * that failed, and one that did something else than those before it, begins anew.
 */
final class Periods {
    /** What differs from batch to batch in the text of a node: identity hashes, UUIDs, numbers. */
    private static final Pattern PASSING = Pattern.compile("@[0-9a-f]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+");
    private static final int NODES_LIMIT = 5000;
    private static final int BATCHES_LIMIT = 10000;
    private static final int BYTES_LIMIT = 8388608;

    private final long periodMillis;
    private final Worker worker;
    private final Document documents;
    private final HashMap open = new HashMap();

    /** `record` is `every` or a number of seconds. */
    Periods(String record, Worker worker, Document documents) {
        this.periodMillis = record == null || record.trim().equalsIgnoreCase("every") ? 0L : millis(record);
        this.worker = worker;
        this.documents = documents;
    }

    private static long millis(String record) {
        try {
            double seconds = Double.parseDouble(record.trim());
            if (seconds > 0.0 && seconds < 1e9) {
                return Math.max(1L, (long) (seconds * 1000.0));
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new IllegalArgumentException("spark.lineage.streams.record is " + record + "; set it to every, or to the seconds of a period");
    }

    /** Whether what came from the queue is kept for later, or was no execution at all. */
    boolean takes(Object next) throws Exception {
        if (next instanceof Streams.Over) {
            close(((Streams.Over) next).runId);
            return true;
        }
        if (periodMillis == 0L || !(next instanceof Bridge.Finished) || ((Bridge.Finished) next).batch == null) {
            return false;
        }
        Bridge.Finished one = (Bridge.Finished) next;
        one.hold();
        Period period = (Period) open.get(one.batch.runId);
        if (Streams.failed(one) || one.end.qe() == null) {
            close(one.batch.runId);
            return false;
        }
        String shape = shape(one);
        if (period != null && !period.shape.equals(shape)) {
            close(one.batch.runId);
            period = null;
        }
        if (period == null) {
            period = new Period(shape);
            open.put(one.batch.runId, period);
        } else {
            absorb(one, period.last);
        }
        period.last = one;
        if (one.batch.batches >= BATCHES_LIMIT || one.batch.scans.length() > BYTES_LIMIT) {
            close(one.batch.runId);
        }
        return true;
    }

    /** Closes the periods whose time is over. */
    void tick() throws Exception {
        if (open.isEmpty()) {
            return;
        }
        long now = System.currentTimeMillis();
        Iterator runs = new ArrayList(open.keySet()).iterator();
        while (runs.hasNext()) {
            String run = (String) runs.next();
            if (now - ((Period) open.get(run)).openedMillis >= periodMillis) {
                close(run);
            }
        }
    }

    /** Writes the period of a run, of every run for null. */
    private void close(String run) throws Exception {
        if (run == null) {
            Iterator runs = new ArrayList(open.keySet()).iterator();
            while (runs.hasNext()) {
                close((String) runs.next());
            }
            return;
        }
        Period period = (Period) open.remove(run);
        if (period != null) {
            worker.record(period.last);
        }
    }

    /** Lets `one` stand for the earlier batch too, of which only texts are kept. */
    private void absorb(Bridge.Finished one, Bridge.Finished earlier) {
        ScanReader read = documents.scannedAlone(earlier, worker.reasons);
        one.batch.follow(earlier.batch);
        one.batch.scans.raw(earlier.batch.scans).raw(read.scans);
        one.batch.writes.raw(earlier.batch.writes).raw(read.writes);
        List commits = new ArrayList();
        if (earlier.commits != null) {
            commits.addAll(earlier.commits);
        }
        if (one.commits != null) {
            commits.addAll(one.commits);
        }
        one.commits = commits;
    }

    /** What a batch does, without what differs from batch to batch: numbers, and what the leaves read. */
    private static String shape(Bridge.Finished one) {
        StringBuilder text = new StringBuilder();
        int[] nodes = new int[1];
        shape(Plans.analyzed(one.end.qe()), text, nodes);
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            QueryExecution inner = ((Bridge.Finished) one.nested.get(i)).end.qe();
            LogicalPlan plan = Plans.analyzed(inner);
            if (plan != null && Noise.writes(Reflect.simpleName(plan))) {
                Targets targets = new Targets(inner);
                targets.add(plan);
                shape(plan, text.append("\n-- ").append(targets.paths).append(Reflect.text(Reflect.tryCall(plan, "outputPath"))).append('\n'), nodes);
            }
        }
        return text.toString();
    }

    private static void shape(LogicalPlan plan, StringBuilder text, int[] nodes) {
        if (nodes[0]++ > NODES_LIMIT) {
            return;
        }
        List children = Reflect.list(plan.children());
        List inner = Reflect.list(plan.innerChildren());
        if (children.isEmpty() && inner.isEmpty()) {
            text.append(Reflect.simpleName(plan));
        } else {
            text.append(PASSING.matcher(plan.simpleString(1000)).replaceAll(""));
        }
        text.append('\n');
        for (int i = 0; i < children.size(); i++) {
            shape((LogicalPlan) children.get(i), text, nodes);
        }
        for (int i = 0; i < inner.size(); i++) {
            if (inner.get(i) instanceof LogicalPlan) {
                shape((LogicalPlan) inner.get(i), text, nodes);
            }
        }
    }

    /** The batches of one run since the last document: the last of them, with what it stands for. */
    private static final class Period {
        final String shape;
        final long openedMillis = System.currentTimeMillis();
        Bridge.Finished last;

        Period(String shape) {
            this.shape = shape;
        }
    }
}
