package org.sparklineage.bridge;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.types.TimestampType$;

/**
 * The instant that current_timestamp and its like stood for. Spark's optimizer takes it once a plan: it is found as a
 * literal of the optimized plan that lies within the time of the optimization, or, where it went into something else
 * (a date, a folded sum), is known to lie within that time. Nothing is optimized for this: only what was is looked at.
 */
final class Clock {
    private final Bridge.Finished one;
    private long fromMillis = -1L;
    private long toMillis = -1L;
    private long micros = -1L;

    Clock(Bridge.Finished one) {
        this.one = one;
    }

    /** `"clock": {"instant_us", "basis": "exact" or "bounded", "from_ms", "to_ms"}` */
    void write(Json out) {
        lookAll(false);
        if (micros < 0L) {
            lookAll(true);
            if (micros >= 0L && hasOthers()) { // what was written was optimized after that, and has folded its own instant
                micros = -1L;
                toMillis = one.end.time();
            }
        }
        if (fromMillis < 0L) {
            fromMillis = one.start.time();
            toMillis = one.end.time();
        }
        out.key("clock").open('{').field("instant_us", micros < 0L ? fromMillis * 1000L : micros);
        out.field("basis", micros < 0L ? "bounded" : "exact").field("from_ms", fromMillis).field("to_ms", toMillis).close('}').comma();
    }

    /**
     * `handedOn`: those that hand the analyzed query on (a write into a table, which Delta then optimizes and runs in an execution of its own): the instant that
     * their own optimizer took is not the one that was written. They come last.
     */
    private void lookAll(boolean handedOn) {
        for (int i = 0; micros < 0L && one.nested != null && i < one.nested.size(); i++) {
            QueryExecution execution = ((Bridge.Finished) one.nested.get(i)).end.qe();
            if (handsOn(execution) == handedOn) {
                look(execution);
            }
        }
        if (micros < 0L && handsOn(one.end.qe()) == handedOn) {
            look(one.end.qe());
        }
    }

    /** Whether an execution ran in this one that does not hand its query on: that which wrote. */
    private boolean hasOthers() {
        for (int i = 0; one.nested != null && i < one.nested.size(); i++) {
            QueryExecution execution = ((Bridge.Finished) one.nested.get(i)).end.qe();
            if (execution != null && !handsOn(execution)) {
                return true;
            }
        }
        return false;
    }

    private static boolean handsOn(QueryExecution execution) {
        LogicalPlan plan = execution == null ? null : Plans.analyzed(execution);
        String name = plan == null ? "" : Reflect.simpleName(plan);
        return "AppendData".equals(name) || "OverwriteByExpression".equals(name) || "OverwritePartitionsDynamic".equals(name);
    }

    private void look(QueryExecution execution) {
        if (execution == null) {
            return;
        }
        Object phase = Reflect.unwrap(execution.tracker().phases().get("optimization"));
        if (phase == null) {
            return;
        }
        long from = Reflect.number(Reflect.tryCall(phase, "startTimeMs")).longValue();
        long to = Reflect.number(Reflect.tryCall(phase, "endTimeMs")).longValue();
        LogicalPlan plan = Plans.optimized(execution);
        if (plan == null) {
            return;
        }
        if (fromMillis < 0L || Reflect.list(plan.children()).isEmpty()) {
            fromMillis = from;
            toMillis = to;
        }
        find(plan, from * 1000L, to * 1000L + 999L);
    }

    private void find(LogicalPlan plan, long from, long to) {
        List expressions = Reflect.list(plan.expressions());
        for (int i = 0; i < expressions.size() && micros < 0L; i++) {
            find((Expression) expressions.get(i), from, to);
        }
        List children = Reflect.list(plan.children());
        for (int i = 0; i < children.size() && micros < 0L; i++) {
            find((LogicalPlan) children.get(i), from, to);
        }
        List inner = Reflect.list(plan.innerChildren());
        for (int i = 0; i < inner.size() && micros < 0L; i++) {
            if (inner.get(i) instanceof LogicalPlan) {
                find((LogicalPlan) inner.get(i), from, to);
            }
        }
    }

    private void find(Expression expression, long from, long to) {
        if (expression instanceof Literal && expression.dataType() == TimestampType$.MODULE$) {
            Long value = Reflect.number(((Literal) expression).value());
            if (value != null && value.longValue() >= from && value.longValue() <= to) {
                micros = value.longValue();
                fromMillis = from / 1000L;
                toMillis = to / 1000L;
            }
            return;
        }
        List children = Reflect.list(expression.children());
        for (int i = 0; i < children.size() && micros < 0L; i++) {
            find((Expression) children.get(i), from, to);
        }
    }
}
