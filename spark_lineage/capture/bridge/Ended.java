package org.sparklineage.bridge;

import java.lang.ref.SoftReference;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd;

/**
 * What is kept of an end event, under the event's own names. Its query execution holds every plan of the execution and
 * what they refer to; {@link #loosen()} leaves it to the garbage collector, which takes it before memory runs out.
 */
final class Ended {
    private final long executionId;
    private final long time;
    private final scala.Option errorMessage;
    private final scala.Option executionName;
    private final scala.Option executionFailure;
    private QueryExecution execution;
    private SoftReference loose;

    Ended(SparkListenerSQLExecutionEnd event) {
        this.executionId = event.executionId();
        this.time = event.time();
        this.errorMessage = event.errorMessage();
        this.executionName = event.executionName();
        this.executionFailure = event.executionFailure();
        this.execution = event.qe();
    }

    public long executionId() {
        return executionId;
    }

    public long time() {
        return time;
    }

    public scala.Option errorMessage() {
        return errorMessage;
    }

    public scala.Option executionName() {
        return executionName;
    }

    public scala.Option executionFailure() {
        return executionFailure;
    }

    /** Null when memory was short and it was given up. */
    public QueryExecution qe() {
        return loose == null ? execution : (QueryExecution) loose.get();
    }

    /** From here on the query execution is kept only as long as there is memory. */
    void loosen() {
        if (loose == null) {
            loose = new SoftReference(execution);
            execution = null;
        }
    }

    /** For as long as the document is made, so that it does not go in the middle. */
    void hold() {
        if (loose != null) {
            execution = (QueryExecution) loose.get();
            loose = null;
        }
    }
}
