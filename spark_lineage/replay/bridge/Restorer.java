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
    private Object[] read;
    private Throwable failure;

    /** `leaves`: a plan for each number. `moment`: see Moment. `classes`: prefixes of classes allowed beyond Spark's. */
    public Restorer(Object session, byte[] blob, List leaves, Map moment, List classes, String pythonExecutable, String pythonVersion,
            Map environment, Object accumulator) {
        this.session = session;
        this.blob = blob;
        this.leaves = new Rebinding((LogicalPlan[]) leaves.toArray(new LogicalPlan[0]));
        this.moment = new Moment(moment);
        this.python = new PlanReader.Python(pythonExecutable, pythonVersion, environment, (CollectionAccumulator) accumulator);
        this.allowed = new Allowed((String[]) classes.toArray(new String[0]));
    }

    /** The frames of the plans, in order; on a thread with room for deep plans. Throws what reading throws. */
    public Object[] frames() throws Throwable {
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
            read = frames(plans());
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

    private Object[] plans() throws Exception {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        PlanReader reader = new PlanReader(new InflaterInputStream(new ByteArrayInputStream(blob)), loader, allowed, leaves, moment, python);
        try {
            return (Object[]) ((Object[]) reader.readObject())[0];
        } catch (java.io.InvalidClassException e) {
            String refused = allowed.refused();
            throw refused == null ? e : new java.io.InvalidClassException("the class " + refused + " is not one that plans are made of");
        } finally {
            reader.close();
        }
    }

    private Object[] frames(Object[] plans) throws Exception {
        Class type = Class.forName("org.apache.spark.sql.classic.Dataset$");
        Object companion = type.getField("MODULE$").get(null);
        Method make = type.getMethod("ofRows", new Class[] {Class.forName("org.apache.spark.sql.classic.SparkSession"), LogicalPlan.class});
        Object[] frames = new Object[plans.length];
        for (int i = 0; i < frames.length; i++) {
            LogicalPlan plan = (LogicalPlan) plans[i];
            plan.setAnalyzed();
            frames[i] = make.invoke(companion, new Object[] {session, plan});
        }
        return frames;
    }
}
