package org.sparklineage.rows;

/** Work in a session, on a thread with room for deep plans. */
public abstract class Deep implements Runnable {
    private static final long STACK_BYTES = 512L * 1024L * 1024L;

    final Asking asking;
    private Throwable failure;

    Deep(Object session) {
        this.asking = new Asking(session);
    }

    abstract void work() throws Exception;

    /** Throws what the work throws. */
    final void done() throws Throwable {
        Thread thread = new Thread(null, this, "spark-lineage-trace", STACK_BYTES);
        thread.setContextClassLoader(Thread.currentThread().getContextClassLoader());
        thread.start();
        thread.join();
        if (failure != null) {
            throw failure;
        }
    }

    public final void run() {
        try {
            asking.inSession();
            work();
        } catch (java.lang.reflect.InvocationTargetException e) {
            failure = e.getCause();
        } catch (Throwable e) {
            failure = e;
        }
    }

    public final int queries() {
        return asking.queries();
    }

    /** Lets go of what was kept; frames are of no use afterwards. */
    public final void close() throws Exception {
        asking.close();
    }
}
