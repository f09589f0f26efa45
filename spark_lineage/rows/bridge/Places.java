package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.XxHash64;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.types.DataTypes;

/**
 * What a row of a leaf is known by, made small: it goes through every join on the way. The path of its file, of a hundred characters or so, becomes a
 * hash, of which the paths are known here; what is null of every row is left out.
 */
final class Places {
    private static final long SEED = 42L;
    /** The name of the field that becomes a hash. */
    private static final String FILE = "file";

    private Places() {
    }

    /** `leaf`: the projection that makes the identity `id` of rows. The same where it is made otherwise. */
    static Expression small(LogicalPlan leaf, Attribute id) {
        Expression made = leaf instanceof Project ? made(Trees.list(((Project) leaf).projectList())) : null;
        if (!(made instanceof CreateNamedStruct)) {
            return id;
        }
        CreateNamedStruct struct = (CreateNamedStruct) made;
        List values = Trees.list(struct.valExprs());
        List names = Trees.list(struct.names());
        ArrayList parts = new ArrayList();
        for (int i = 0; i < values.size(); i++) {
            if (isNone((Expression) values.get(i))) {
                continue;
            }
            Expression value = new GetStructField(id, i, scala.Option.apply(null));
            parts.add(Trees.literal(names.get(i).toString()));
            parts.add(names.get(i).toString().equals(FILE) ? new If(new IsNull(value), Trees.none(DataTypes.LongType), hash(value)) : value);
        }
        return parts.isEmpty() ? (Expression) id : new CreateNamedStruct(Trees.seq(parts));
    }

    private static Expression made(List columns) {
        Object last = columns.isEmpty() ? null : columns.get(columns.size() - 1);
        return last instanceof Alias ? ((Alias) last).child() : null;
    }

    private static boolean isNone(Expression value) {
        if (value instanceof Alias) {
            return isNone(((Alias) value).child());
        }
        return value instanceof Cast ? isNone(((Cast) value).child()) : value instanceof Literal && ((Literal) value).value() == null;
    }

    private static Expression hash(Expression value) {
        return new XxHash64(Trees.seq(Trees.one(value)), SEED);
    }

    /** By hash the paths of the files that a leaf reads, as `_metadata.file_path` tells them; Spark lists them encoded, Delta as they are. */
    static Map files(List leaves) throws Exception {
        HashMap found = new HashMap();
        for (int i = 0; i < leaves.size(); i++) {
            collect((LogicalPlan) leaves.get(i), found);
        }
        return found;
    }

    private static void collect(LogicalPlan node, Map found) throws Exception {
        if (node instanceof LogicalRelation && ((LogicalRelation) node).relation() instanceof HadoopFsRelation) {
            String[] paths = ((HadoopFsRelation) ((LogicalRelation) node).relation()).location().inputFiles();
            for (int i = 0; i < paths.length; i++) {
                note(paths[i], found);
                try {
                    note(new Path(new java.net.URI(paths[i])).toString(), found);
                } catch (java.net.URISyntaxException e) {
                    continue; // as it is
                }
            }
        }
        List children = Trees.list(node.children());
        for (int i = 0; i < children.size(); i++) {
            collect((LogicalPlan) children.get(i), found);
        }
    }

    private static void note(String path, Map found) {
        Object other = found.put(hash(Trees.literal(path)).eval(null), path);
        if (other != null && !other.equals(path)) {
            throw new IllegalStateException("the files " + other + " and " + path + " have the same hash: their rows cannot be told apart");
        }
    }
}
