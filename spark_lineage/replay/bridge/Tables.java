package org.sparklineage.overlay;

import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.net.URI;
import java.util.Iterator;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.catalog.CatalogDatabase;
import org.apache.spark.sql.catalyst.catalog.CatalogStorageFormat;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.catalog.CatalogTableType;
import org.apache.spark.sql.catalyst.catalog.ExternalCatalog;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.Some;
import scala.runtime.AbstractFunction1;

/**
 * Fills the scratch catalog with the tables that the run met under a name, when the first session of the job is made: an extension, which the guard
 * adds to those of the job.
 */
public class Tables extends AbstractFunction1 {
    public Object apply(Object extensions) {
        ((SparkSessionExtensions) extensions).injectPostHocResolutionRule(new Filling());
        return null;
    }

    /** Called with the session before its first plan is analyzed. */
    static final class Filling extends AbstractFunction1 {
        public Object apply(Object session) {
            try {
                fill((SparkSession) session);
            } catch (Exception error) {
                throw new IllegalStateException("spark-lineage replay: the catalog cannot be filled: " + error, error);
            }
            return new Watching((SparkSession) session);
        }
    }

    /** Changes no plan, but looks at what the job has set, and where the plan writes, before anything of it is run. */
    static final class Watching extends org.apache.spark.sql.catalyst.rules.Rule {
        private final SparkSession session;

        Watching(SparkSession session) {
            this.session = session;
        }

        public org.apache.spark.sql.catalyst.trees.TreeNode apply(org.apache.spark.sql.catalyst.trees.TreeNode plan) {
            try {
                Guard.check(session.conf().getAll());
                Outside.check(plan);
            } catch (IOException error) {
                throw new IllegalStateException("spark-lineage replay: " + error.getMessage());
            }
            return plan;
        }
    }

    private static synchronized void fill(SparkSession session) throws Exception {
        Universe universe = Universe.of(null, null);
        org.apache.spark.sql.internal.SharedState shared = ((org.apache.spark.sql.classic.SparkSession) session).sharedState();
        String uris = shared.hadoopConf().get("hive.metastore.uris");
        if (uris != null && uris.trim().length() > 0) {
            throw new IOException("the job names the metastore " + uris + ", which cannot be put aside");
        }
        if (universe == null || universe.databases.isEmpty() && universe.tables.isEmpty()) {
            return;
        }
        ExternalCatalog catalog = shared.externalCatalog();
        Iterator databases = universe.databases.iterator();
        while (databases.hasNext()) {
            String[] line = (String[]) databases.next();
            if (!catalog.databaseExists(line[1])) {
                catalog.createDatabase((CatalogDatabase) made(CatalogDatabase.class, new Object[] {line[1], "", new URI(line[2]), empty()}), true);
            }
        }
        Iterator tables = universe.tables.iterator();
        while (tables.hasNext()) {
            String[] line = (String[]) tables.next();
            if (!catalog.tableExists(line[1], line[2])) {
                catalog.createTable(table(line), true);
            }
        }
        universe.databases.clear();
        universe.tables.clear();
    }

    /** `table`, database, name, location, provider, `managed` or `external`. */
    private static CatalogTable table(String[] line) throws Exception {
        CatalogStorageFormat none = CatalogStorageFormat.empty();
        Object[] parts = new Object[none.productArity()];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = none.productElement(i);
        }
        parts[0] = new Some(new URI(line[3]));
        Object storage = CatalogStorageFormat.class.getConstructors()[0].newInstance(parts);
        CatalogTableType type = line[5].equals("managed") ? CatalogTableType.MANAGED() : CatalogTableType.EXTERNAL();
        Object[] first = {new TableIdentifier(line[2], new Some(line[1])), type, storage, new StructType(), new Some(line[4])};
        return (CatalogTable) made(CatalogTable.class, first);
    }

    /** With the given first arguments of its constructor, and the defaults of the others. */
    private static Object made(Class type, Object[] first) throws Exception {
        Class companionType = Class.forName(type.getName() + "$", true, type.getClassLoader());
        Object companion = companionType.getField("MODULE$").get(null);
        Constructor constructor = type.getConstructors()[0];
        Object[] arguments = new Object[constructor.getParameterTypes().length];
        for (int i = 0; i < arguments.length; i++) {
            if (i < first.length) {
                arguments[i] = first[i];
            } else {
                Method method = companionType.getMethod("apply$default$" + (i + 1), new Class[0]);
                arguments[i] = method.invoke(companion, new Object[0]);
            }
        }
        return constructor.newInstance(arguments);
    }

    private static Object empty() {
        return scala.collection.immutable.Map$.MODULE$.empty();
    }
}
