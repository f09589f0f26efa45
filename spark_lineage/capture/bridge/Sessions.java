package org.sparklineage.bridge;

import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * What the listener has Spark do in every session of its application, one of `newSession()` or of a server's client as well: sum the
 * rows that it writes to Delta tables, and give them a column with their keys. Made by Spark, of `spark.sql.extensions`.
 */
public final class Sessions extends AbstractFunction1 {
    private static final String KEY = "spark.sql.extensions";

    /** Before the first session is made. */
    static void extend(SparkConf conf) {
        String others = conf.get(KEY, "");
        conf.set(KEY, others.length() == 0 ? Sessions.class.getName() : others + "," + Sessions.class.getName());
    }

    public Object apply(Object extensions) {
        ((SparkSessionExtensions) extensions).injectPreCBORule(new Telling());
        ((SparkSessionExtensions) extensions).injectPreCBORule(new Summing());
        return BoxedUnit.UNIT;
    }

    /** The rule for a session. After the application's end, or where there is no listener, one that does nothing. */
    static final class Summing extends AbstractFunction1 {
        public Object apply(Object session) {
            LineageListener listener = LineageListener.of(((SparkSession) session).sparkContext());
            return listener == null || !listener.sums ? (Object) new Nothing()
                : new Inline(((SparkSession) session).sparkContext(), listener.bridge().reasons());
        }
    }

    /** The same of the column. */
    static final class Telling extends AbstractFunction1 {
        public Object apply(Object session) {
            LineageListener listener = LineageListener.of(((SparkSession) session).sparkContext());
            return listener == null ? (Object) new Nothing() : listener.bridge().keys;
        }
    }

    /** A rule that leaves plans as they are. */
    static final class Nothing extends Rule {
        public TreeNode apply(TreeNode plan) {
            return plan;
        }
    }
}
