package org.sparklineage.replay;

import java.io.ByteArrayInputStream;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;
import java.util.zip.InflaterInputStream;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.util.CollectionAccumulator;

/** Makes frames of a stored plan. */
public final class Restorer implements Runnable {
    private static final long STACK_BYTES = 512L * 1024L * 1024L;
    private final byte[] blob;
    private final Object session;
    private final Rebinding leaves;
    private final Moment moment;
    private final PlanReader.Python python;
    private final Allowed allowed;
    private final String command;
    private final int part;
    private final boolean changed;
    private Object read;
    private Throwable failure;

    /**
     * `leaves`: a plan for each number. `moment`: see Moment. `classes`: prefixes of classes allowed beyond Spark's. `part`: the number of the
     * plan that is meant. `command`: the class of the command that is to be reenacted, null where the rows that it was given are meant; `changed`: see
     * Reenactment.
     */
    public Restorer(Object session, byte[] blob, List leaves, Map moment, List classes, String pythonExecutable, String pythonVersion,
            Map environment, Object accumulator, int part, String command, boolean changed) {
        this.session = session;
        this.blob = blob;
        this.leaves = new Rebinding((LogicalPlan[]) leaves.toArray(new LogicalPlan[0]));
        this.moment = new Moment(moment);
        this.python = new PlanReader.Python(pythonExecutable, pythonVersion, environment, (CollectionAccumulator) accumulator);
        this.command = command;
        this.part = part;
        this.changed = changed;
        this.allowed = new Allowed((String[]) classes.toArray(new String[0]));
    }

    /** The frame of the plan, null where there are fewer; on a thread with room for deep plans. Throws what reading throws. */
    public Object frame() throws Throwable {
        Thread thread = new Thread(null, this, "spark-lineage-restore", STACK_BYTES);
        thread.setContextClassLoader(Thread.currentThread().getContextClassLoader());
        thread.start();
        thread.join();
        if (failure != null) {
            throw failure;
        }
        return read;
    }

    public void run() {
        try {
            activate();
            read = frame(plan());
        } catch (Throwable e) {
            failure = e;
        }
    }

    /** Expressions look at the active session's settings while they are built. */
    private void activate() throws Exception {
        Class type = Class.forName("org.apache.spark.sql.classic.SparkSession$");
        Method set = type.getMethod("setActiveSession", new Class[] {Class.forName("org.apache.spark.sql.SparkSession")});
        set.invoke(type.getField("MODULE$").get(null), new Object[] {session});
    }

    private LogicalPlan plan() throws Exception {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        PlanReader reader = new PlanReader(new InflaterInputStream(new ByteArrayInputStream(blob)), loader, allowed, leaves, moment, python);
        try {
            Object[] kept = (Object[]) reader.readObject();
            Object[] plans = (Object[]) kept[0];
            if (part >= plans.length) {
                return null;
            }
            LogicalPlan plan = (LogicalPlan) plans[part];
            return command == null ? withoutWatermarks(plan) : Reenactment.of(command, plan, ofPart((Map) kept[1]), changed);
        } catch (java.io.InvalidClassException e) {
            String refused = allowed.refused();
            throw refused == null ? e : new java.io.InvalidClassException("the class " + refused + " is not one that plans are made of");
        } finally {
            reader.close();
        }
    }

    /** What the analyzer does of a query that is no stream: a watermark means nothing there, and cannot be planned. */
    private static LogicalPlan withoutWatermarks(LogicalPlan plan) {
        return plan == null ? null : org.apache.spark.sql.catalyst.analysis.EliminateEventTimeWatermark$.MODULE$.apply(plan);
    }

    /** The arguments of a plan's command; those of other plans than the first have its number before their names. */
    private Map ofPart(Map arguments) {
        if (part == 0) {
            return arguments;
        }
        java.util.HashMap own = new java.util.HashMap();
        Object[] names = arguments.keySet().toArray();
        for (int i = 0; i < names.length; i++) {
            String name = (String) names[i];
            if (name.startsWith(part + ".")) {
                own.put(name.substring(name.indexOf('.') + 1), arguments.get(name));
            }
        }
        return own;
    }

    private Object frame(LogicalPlan plan) throws Exception {
        if (plan == null) {
            return null;
        }
        Class type = Class.forName("org.apache.spark.sql.classic.Dataset$");
        Method make = type.getMethod("ofRows", new Class[] {Class.forName("org.apache.spark.sql.classic.SparkSession"), LogicalPlan.class});
        plan.setAnalyzed();
        return make.invoke(type.getField("MODULE$").get(null), new Object[] {session, plan});
    }
}
