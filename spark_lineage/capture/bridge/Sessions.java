package org.sparklineage.bridge;

import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * What the listener has Spark do in every session of its application, one of `newSession()` or of a server's client as well: sum the
 * rows that it writes to Delta tables. Made by Spark, of `spark.sql.extensions`.
 */
public final class Sessions extends AbstractFunction1 {
    private static final String KEY = "spark.sql.extensions";

    /** Before the first session is made. */
    static void extend(SparkConf conf) {
        String others = conf.get(KEY, "");
        conf.set(KEY, others.length() == 0 ? Sessions.class.getName() : others + "," + Sessions.class.getName());
    }

    public Object apply(Object extensions) {
        ((SparkSessionExtensions) extensions).injectPreCBORule(new Summing());
        return BoxedUnit.UNIT;
    }

    /** The rule for a session. After the application's end, or where there is no listener, one that nobody hears of. */
    static final class Summing extends AbstractFunction1 {
        public Object apply(Object session) {
            LineageListener listener = LineageListener.of(((SparkSession) session).sparkContext());
            return new Inline(((SparkSession) session).sparkContext(), listener == null ? new Reasons() : listener.bridge().reasons());
        }
    }
}
