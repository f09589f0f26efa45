package org.sparklineage.bridge;

import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.apache.spark.SparkContext;

/**
 * Ties Delta commits to the executions that made them, by Delta's own thread-local TransactionExecutionObserver: it is
 * told of a commit on the committing thread, whose local properties name the execution. All by reflection; where this
 * Delta has no such hook, `installed` is false and each write says that its version is not known.
 *
 * Each transaction gets an observer of its own, so that nested ones (auto-compaction) cannot be confused.
 */
final class Commits {
    private static final int LIMIT = 10000;
    private static final String OBSERVER = "org.apache.spark.sql.delta.TransactionExecutionObserver";

    /** Null once uninstalled: threads that outlive the SparkContext keep what their observers refer to. */
    private volatile SparkContext context;
    private final LinkedHashMap byRoot = new LinkedHashMap();
    private Object module;
    private Method setter;
    private ThreadLocal before;
    private ThreadLocal ours;
    private Constructor constructor;
    private boolean installed;
    /** As the context: it leads to it. */
    private volatile Worker worker;

    Commits(SparkContext context, Worker worker) {
        this.context = context;
        this.worker = worker;
    }

    /** Hooks into Delta. Returns null, or the reason why it could not. */
    String install(ClassLoader loader) {
        try {
            Faults.point("commits");
            constructor = Observer.constructor(Class.forName(OBSERVER, true, loader));
            Class moduleClass = Class.forName(OBSERVER + "$", true, loader);
            module = moduleClass.getField("MODULE$").get(null);
            before = (ThreadLocal) moduleClass.getMethod("threadObserver", new Class[0]).invoke(module, new Object[0]);
            setter = findSetter(moduleClass);
            ours = new Observers(this);
            ours.get();
            setter.invoke(module, new Object[] {ours});
            installed = true;
            return null;
        } catch (ClassNotFoundException e) {
            return "no Delta on the class path";
        } catch (Throwable e) {
            return "this Delta has no transaction observer: " + e;
        }
    }

    void uninstall() {
        Worker worker = this.worker;
        context = null;
        this.worker = null;
        synchronized (byRoot) {
            byRoot.clear();
        }
        if (installed) {
            installed = false;
            try {
                if (module.getClass().getMethod("threadObserver", new Class[0]).invoke(module, new Object[0]) == ours) {
                    setter.invoke(module, new Object[] {before});
                }
            } catch (Exception e) {
                worker.reasons.add("Delta's observer was not put back: " + e);
            }
        }
    }

    boolean isInstalled() {
        return installed;
    }

    private static Method findSetter(Class moduleClass) throws NoSuchMethodException {
        Method[] methods = moduleClass.getMethods();
        for (int i = 0; i < methods.length; i++) {
            if (methods[i].getName().endsWith("_setter_$threadObserver_$eq")) {
                return methods[i];
            }
        }
        throw new NoSuchMethodException("setter of threadObserver");
    }

    private Object observer(Handler handler) {
        try {
            return constructor.newInstance(new Object[] {handler});
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    ThreadLocal threadLocal() {
        return ours;
    }

    /** Called on the committing thread. Never throws. */
    void committed(Object transaction) {
        SparkContext context = this.context;
        Worker worker = this.worker;
        if (context == null || worker == null) {
            return;
        }
        String key = null;
        try {
            String id = context.getLocalProperty("spark.sql.execution.id");
            String root = context.getLocalProperty("spark.sql.execution.root.id");
            key = root != null ? root : id;
            Faults.point("commit");
            DeltaCommit commit = DeltaCommit.of(transaction, id, key);
            if (key == null) {
                worker.offerCommit(new Outside(commit, context.getLocalProperty("spark.job.tags")));
            } else {
                keep(key, commit);
            }
        } catch (Throwable e) {
            if (key == null) {
                worker.reasons.add("a commit outside of any execution was not understood");
            } else {
                keep(key, DeltaCommit.UNHEARD);
            }
        }
    }

    private void keep(String root, DeltaCommit commit) {
        synchronized (byRoot) {
            List list = (List) byRoot.get(root);
            if (list == null) {
                list = new ArrayList();
                byRoot.put(root, list);
                if (byRoot.size() > LIMIT) {
                    Iterator eldest = byRoot.keySet().iterator();
                    eldest.next();
                    eldest.remove();
                }
            }
            if (list.size() < LIMIT) {
                list.add(commit);
            }
        }
    }

    /** How many root executions have commits that were not taken. */
    int size() {
        synchronized (byRoot) {
            return byRoot.size();
        }
    }

    /** The commits of a root execution (DeltaCommit); they are forgotten here. */
    List take(long root) {
        synchronized (byRoot) {
            List list = (List) byRoot.remove(String.valueOf(root));
            return list == null ? new ArrayList() : list;
        }
    }

    /** As take, of an execution that names a root which is over: those of others that do so too, and still run, stay. */
    List takeEnded(long root, Open open) {
        ArrayList ended = new ArrayList();
        synchronized (byRoot) {
            List list = take(root);
            for (int i = 0; i < list.size(); i++) {
                DeltaCommit commit = (DeltaCommit) list.get(i);
                if (commit.sqlId != null && open.isOpen(Long.valueOf(commit.sqlId))) {
                    keep(String.valueOf(root), commit);
                } else {
                    ended.add(commit);
                }
            }
        }
        return ended;
    }

    /** Gives each thread the observer that starts transactions. */
    private static final class Observers extends ThreadLocal {
        private final Commits commits;

        Observers(Commits commits) {
            this.commits = commits;
        }

        protected Object initialValue() {
            return commits.observer(new Handler(commits));
        }
    }

    /** One observer's ear: the root one hands a fresh one to each transaction; that one reports its transaction's commit. */
    private static final class Handler implements BiFunction {
        private final Commits commits;
        private Object transaction;

        Handler(Commits commits) {
            this.commits = commits;
        }

        public Object apply(Object what, Object value) {
            if (what instanceof Object[]) {
                ((Handler) ((Object[]) what)[1]).transaction = value;
            } else if (what.equals("starting")) {
                return start();
            } else if (what.equals("over")) {
                commits.threadLocal().set(((Object[]) value)[0]);
            } else if (what.equals("committed")) {
                commits.committed(transaction);
            }
            return null;
        }

        private Object start() {
            ThreadLocal local = commits.threadLocal();
            Handler fresh = new Handler(commits);
            Object[] token = new Object[] {local.get(), fresh};
            local.set(commits.observer(fresh));
            return token;
        }
    }
}
