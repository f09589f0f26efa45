package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.types.StructField;
import scala.Function1;
import scala.Product;
import scala.runtime.AbstractPartialFunction;

/**
 * Has scans of Delta tables tell the position of a row in its file. Delta tells it only of tables that have deletion vectors or row tracking
 * (`DeltaParquetFileFormat.metadataSchemaFields`, SPARK-47731), but its reader can of all: it is given a protocol that has them.
 */
public final class Leaves extends AbstractPartialFunction {
    private static final String DELTA = "org.apache.spark.sql.delta.";
    private static final int READER = 3;
    private static final int WRITER = 7;

    public static LogicalPlan withPositions(LogicalPlan plan) {
        if (plan instanceof Project) { // it pads values of CHAR(n); a tree takes no other child that is equal, and two of Delta's formats are
            return new Project(((Project) plan).projectList(), withPositions(((Project) plan).child()));
        }
        return (LogicalPlan) plan.transformUp(new Leaves());
    }

    public boolean isDefinedAt(Object node) {
        return node instanceof LogicalRelation && ((LogicalRelation) node).relation() instanceof HadoopFsRelation
            && ((HadoopFsRelation) ((LogicalRelation) node).relation()).fileFormat().getClass().getName().equals(DELTA + "DeltaParquetFileFormat");
    }

    public Object applyOrElse(Object node, Function1 otherwise) {
        if (!isDefinedAt(node)) {
            return otherwise.apply(node);
        }
        LogicalRelation leaf = (LogicalRelation) node;
        HadoopFsRelation files = (HadoopFsRelation) leaf.relation();
        try {
            Object format = files.fileFormat();
            if (tellsPositions(files.fileFormat())) {
                return leaf;
            }
            Object[] parts = parts((Product) format);
            parts[0] = protocol(parts[0]);
            HadoopFsRelation other = new HadoopFsRelation(files.location(), files.partitionSchema(), files.dataSchema(), files.bucketSpec(),
                (org.apache.spark.sql.execution.datasources.FileFormat) format.getClass().getConstructors()[0].newInstance(parts),
                files.options(), files.sparkSession());
            Object[] arguments = parts(leaf);
            arguments[0] = other;
            return leaf.makeCopy(arguments);
        } catch (Exception e) {
            return leaf;
        } catch (LinkageError e) {
            return leaf;
        }
    }

    private static Object[] parts(Product product) {
        List result = new ArrayList();
        scala.collection.Iterator all = product.productIterator();
        while (all.hasNext()) {
            result.add(all.next());
        }
        return result.toArray();
    }

    private static boolean tellsPositions(org.apache.spark.sql.execution.datasources.FileFormat format) {
        List fields = Trees.list(format.metadataSchemaFields());
        for (int i = 0; i < fields.size(); i++) {
            if (((StructField) fields.get(i)).name().equals("row_index")) {
                return true;
            }
        }
        return false;
    }

    /** What a table has, and deletion vectors. */
    private static Object protocol(Object known) throws Exception {
        Object companion = Class.forName(DELTA + "actions.Protocol$").getField("MODULE$").get(null);
        Object feature = Class.forName(DELTA + "DeletionVectorsTableFeature$").getField("MODULE$").get(null);
        Object plain = companion.getClass().getMethod("apply", new Class[] {int.class, int.class})
            .invoke(companion, new Object[] {Integer.valueOf(READER), Integer.valueOf(WRITER)});
        Object more = plain.getClass().getMethod("withFeature", new Class[] {Class.forName(DELTA + "TableFeature")}).invoke(plain, new Object[] {feature});
        return more.getClass().getMethod("merge", new Class[] {scala.collection.immutable.Seq.class}).invoke(more, new Object[] {Trees.seq(Trees.one(known))});
    }
}
