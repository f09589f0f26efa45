package org.sparklineage.bridge;

import java.util.ArrayDeque;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;
import scala.Product;

/**
 * About how much memory a waiting execution keeps: its operators and expressions are counted from the root on, up to a bound,
 * over plain fields alone; what lies behind is guessed. Nothing lazy is asked, as this runs on the listener thread.
 */
final class Weight {
    private static final int VISITS = 500;
    /** What was not looked into stands for itself and a few below it. */
    private static final long UNSEEN = 4L;
    /** An operator or expression, in the analyzed, optimized and physical plans together. */
    private static final long BYTES = 1000L;

    private final ArrayDeque open = new ArrayDeque();
    private long unseen;

    private Weight() {
    }

    static long of(QueryExecution execution) {
        return execution == null ? 0L : new Weight().of(execution.logical());
    }

    private long of(LogicalPlan root) {
        open.add(root);
        int visits = 0;
        while (!open.isEmpty() && visits < VISITS) {
            visits++;
            expand(open.removeFirst());
        }
        return (visits + UNSEEN * (unseen + open.size())) * BYTES;
    }

    private void expand(Object value) {
        if (!(value instanceof Product)) {
            return;
        }
        Product product = (Product) value;
        for (int i = 0; i < product.productArity(); i++) {
            Object item = Reflect.unwrap(product.productElement(i));
            if (counts(item)) {
                open.add(item);
            } else if (item instanceof scala.collection.immutable.List || item instanceof scala.collection.immutable.IndexedSeq) {
                several((scala.collection.Seq) item);
            }
        }
    }

    private void several(scala.collection.Seq items) {
        scala.collection.Iterator iterator = items.iterator();
        int taken = 0;
        while (iterator.hasNext() && open.size() < VISITS) {
            Object one = iterator.next();
            if (!counts(one)) {
                return;
            }
            open.add(one);
            taken++;
        }
        if (iterator.hasNext() && counts(iterator.next())) {
            unseen += items.length() - taken;
        }
    }

    private static boolean counts(Object value) {
        return value instanceof LogicalPlan || value instanceof Expression;
    }
}
