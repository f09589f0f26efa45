package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.List;

/** What is known of a stream's micro-batch beside its execution: the stream, the offsets of its sources, its sink. */
final class Batch {
    final String queryId;
    final String runId;
    final long batchId;
    String name;
    /** The sources in the stream's order; empty until Spark has told of the batch, and for one that failed. */
    List sources = new ArrayList();
    String sink;
    long sinkRows = -1L;
    /** Of a period: its first batch, how many there were, and when the first began. */
    long firstBatchId;
    long batches = 1L;
    long startedMillis;
    /** Scans and writes of the period's earlier batches, as JSON, each followed by a comma. */
    final Json scans = new Json();
    final Json writes = new Json();
    /** Whether they lost a literal. */
    boolean redacted;

    Batch(String queryId, String runId, long batchId, long startedMillis) {
        this.queryId = queryId;
        this.runId = runId;
        this.batchId = batchId;
        this.firstBatchId = batchId;
        this.startedMillis = startedMillis;
    }

    /** The batch that a description of Spark's tells of (`<name>`, `id = `, `runId = `, `batch = ` on lines), null for any other. */
    static Batch of(String description, long startedMillis) {
        String run = line(description, "\nrunId = ");
        String query = line(description, "\nid = ");
        String batch = line(description, "\nbatch = ");
        if (run == null || query == null || batch == null) {
            return null;
        }
        try {
            Batch result = new Batch(query, run, Long.parseLong(batch), startedMillis);
            int end = description.indexOf("\nid = ");
            result.name = end > 0 ? description.substring(0, end) : null;
            return result;
        } catch (NumberFormatException e) {
            return null;
        }
    }

    private static String line(String text, String key) {
        int at = text == null ? -1 : text.indexOf(key);
        if (at < 0) {
            return null;
        }
        int end = text.indexOf('\n', at + 1);
        return text.substring(at + key.length(), end < 0 ? text.length() : end).trim();
    }

    /** Takes what Spark tells of the batch when it is done. `progress` is a StreamingQueryProgress. */
    void tell(Object progress) {
        Object[] told = (Object[]) Reflect.tryCall(progress, "sources");
        for (int i = 0; told != null && i < told.length; i++) {
            Long rows = Reflect.number(Reflect.tryCall(told[i], "numInputRows"));
            sources.add(new Source(Reflect.text(Reflect.tryCall(told[i], "description")), Reflect.text(Reflect.tryCall(told[i], "startOffset")),
                Reflect.text(Reflect.tryCall(told[i], "endOffset")), rows == null ? -1L : rows.longValue()));
        }
        Object toldSink = Reflect.tryCall(progress, "sink");
        sink = Reflect.text(Reflect.tryCall(toldSink, "description"));
        Long rows = Reflect.number(Reflect.tryCall(toldSink, "numOutputRows"));
        sinkRows = rows == null ? -1L : rows.longValue();
        String named = Reflect.text(Reflect.tryCall(progress, "name"));
        name = named == null ? name : named;
    }

    /** Makes this batch stand for an earlier one of its stream too. */
    void follow(Batch earlier) {
        firstBatchId = earlier.firstBatchId;
        batches += earlier.batches;
        redacted |= earlier.redacted;
        startedMillis = earlier.startedMillis;
        sinkRows = sum(earlier.sinkRows, sinkRows);
        for (int i = 0; i < sources.size() && i < earlier.sources.size(); i++) {
            Source mine = (Source) sources.get(i);
            Source before = (Source) earlier.sources.get(i);
            sources.set(i, new Source(mine.description, before.from, mine.to, sum(before.rows, mine.rows)));
        }
        if (sources.isEmpty()) {
            sources = earlier.sources;
        }
    }

    private static long sum(long before, long now) {
        return before < 0L ? now : now < 0L ? before : before + now;
    }

    /** The `stream` object of a document. */
    void write(Json out, Redaction redaction) {
        out.key("stream").open('{').field("query_id", queryId).field("run_id", runId).field("name", redaction.text(name));
        out.field("batch_id", batchId).field("first_batch_id", firstBatchId).field("batches", batches);
        out.field("started_ms", startedMillis).key("sources").open('[');
        for (int i = 0; i < sources.size() && i < 1000; i++) {
            Source source = (Source) sources.get(i);
            out.open('{').field("description", Reflect.cut(redaction.text(source.description), 2000));
            out.field("from", Reflect.cut(source.from, 100000)).field("to", Reflect.cut(source.to, 100000));
            count(out, source.rows);
            out.close('}').comma();
        }
        out.close(']').comma().key("sink").open('{').field("description", Reflect.cut(redaction.text(sink), 2000));
        count(out, sinkRows);
        out.close('}').close('}').comma();
    }

    private static void count(Json out, long rows) {
        if (rows >= 0L) {
            out.field("rows", rows);
        }
    }

    /** One source: how far it was read before, and how far after. Offsets are JSON texts, null for none. */
    static final class Source {
        final String description;
        final String from;
        final String to;
        final long rows;

        Source(String description, String from, String to, long rows) {
            this.description = description;
            this.from = from;
            this.to = to;
            this.rows = rows;
        }
    }
}
