package org.sparklineage.bridge;

import java.util.ArrayList;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;
import scala.Product;

/**
 * About how much memory a waiting execution keeps: its operators and expressions are counted, up to a bound, over plain
 * fields alone. Nothing lazy is asked, as this runs on the listener thread.
 */
final class Weight {
    private static final int VISITS = 20000;
    /** An operator or expression, in the analyzed, optimized and physical plans together. */
    private static final long BYTES = 1000L;

    private Weight() {
    }

    static long of(QueryExecution execution) {
        if (execution == null) {
            return 0L;
        }
        ArrayList open = new ArrayList();
        open.add(execution.logical());
        int visits = 0;
        while (!open.isEmpty() && visits < VISITS) {
            visits++;
            expand(open.remove(open.size() - 1), open);
        }
        return visits * BYTES;
    }

    private static void expand(Object value, ArrayList open) {
        if (!(value instanceof Product)) {
            return;
        }
        Product product = (Product) value;
        for (int i = 0; i < product.productArity(); i++) {
            Object item = Reflect.unwrap(product.productElement(i));
            if (counts(item)) {
                open.add(item);
            } else if (item instanceof scala.collection.immutable.Seq && open.size() < VISITS) {
                scala.collection.Iterator items = ((scala.collection.immutable.Seq) item).iterator();
                while (items.hasNext() && open.size() < VISITS) {
                    Object one = items.next();
                    if (!counts(one)) {
                        break;
                    }
                    open.add(one);
                }
            }
        }
    }

    private static boolean counts(Object value) {
        return value instanceof LogicalPlan || value instanceof Expression;
    }
}
