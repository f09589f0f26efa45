package org.sparklineage.bridge;

import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart;

/**
 * What is kept of a start event, under the event's own names: without the texts of the physical plan, which can be
 * megabytes and would be held for as long as the execution runs.
 */
final class Started {
    private static final int DETAILS_LIMIT = 8000;
    private static final int DESCRIPTION_LIMIT = 16000;
    private final long executionId;
    private final Long namedRoot;
    private Long root;
    /** Whether more executions ran inside of it than are kept. */
    boolean nestedCut;
    private final String description;
    private final String details;
    private final long time;
    private final scala.collection.immutable.Map modifiedConfigs;
    private final Object jobTags;
    private final Object jobGroupId;
    private String[] names;
    private boolean late;
    private boolean asked;

    Started(SparkListenerSQLExecutionStart event) {
        this.executionId = event.executionId();
        this.namedRoot = Reflect.number(event.rootExecutionId());
        this.root = namedRoot == null || namedRoot.longValue() == executionId ? null : namedRoot;
        this.description = Reflect.cut(event.description(), DESCRIPTION_LIMIT);
        this.details = Reflect.cut(event.details(), DETAILS_LIMIT);
        this.time = event.time();
        this.modifiedConfigs = event.modifiedConfigs();
        this.jobTags = Reflect.tryCall(event, "jobTags");
        this.jobGroupId = Reflect.tryCall(event, "jobGroupId");
        hear(org.apache.spark.sql.execution.SQLExecution.getQueryExecution(executionId));
    }

    /** Takes the current catalog and schema from the query execution, unless they are known. */
    void hear(org.apache.spark.sql.execution.QueryExecution execution) {
        if (names == null && execution != null) {
            names = Names.of(execution);
            late = asked;
        }
        asked = true;
    }

    /** Whether the names were asked for only when the execution had ended: a USE may have come between. */
    boolean isLate() {
        return late;
    }

    /** The catalog, then the parts of the schema's name, that were current when it began; null where they are not known. */
    String[] names() {
        return names;
    }

    public long executionId() {
        return executionId;
    }

    /** The execution that it is a part of, null for one of its own. */
    Long root() {
        return root;
    }

    /** As Spark names it: another one, or itself. */
    Long namedRoot() {
        return namedRoot;
    }

    /** Makes it a part of another execution than the one that Spark names, of none for null. */
    void belongsTo(Long other) {
        root = other;
    }

    public String description() {
        return description;
    }

    public String details() {
        return details;
    }

    /** The first two lines of the call site: the outermost call into Spark, and who made it. */
    String callers() {
        int first = details == null ? -1 : details.indexOf('\n');
        int second = first < 0 ? -1 : details.indexOf('\n', first + 1);
        return details == null ? "" : second < 0 ? details : details.substring(0, second);
    }

    public long time() {
        return time;
    }

    public scala.collection.immutable.Map modifiedConfigs() {
        return modifiedConfigs;
    }

    public Object jobTags() {
        return jobTags;
    }

    public Object jobGroupId() {
        return jobGroupId;
    }

    /** About how many bytes it keeps in memory; the settings are Spark's own, and shared. */
    long weight() {
        return 500L + 2L * (length(description) + length(details));
    }

    private static int length(String text) {
        return text == null ? 0 : text.length();
    }
}
