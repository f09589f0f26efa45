package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.ExperimentalMethods;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.LessThan;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.expressions.XxHash64;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.SubqueryAlias;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import org.apache.spark.sql.types.DataTypes;

/**
 * Gives rows that are written to Delta tables a column more, with the key of those that a sample is to be taken of (`rows.column`): a rule of the
 * session's optimizer, which puts a projection on top of the query of a command before that is run. The program's own frames stay as they are. Where a
 * column more could make the write fail, it is left out, and why is told; whatever goes wrong here leaves the command as it was.
 */
final class KeyColumn extends Rule {
    /** How reasons begin that tell why it is left out. */
    static final String REASON = "rows.column: ";
    private static final String MARK = "spark_lineage_samples:";
    private static final List COMMANDS = Arrays.asList(new Object[] {
        "SaveIntoDataSourceCommand", "CreateTableAsSelect", "ReplaceTableAsSelect", "AppendData", "OverwriteByExpression", "OverwritePartitionsDynamic",
        "DeltaDynamicPartitionOverwriteCommand",
    });
    /** Names that are safe in every table; Delta has some for itself. */
    private static final java.util.regex.Pattern NAME = 
        java.util.regex.Pattern.compile("(?i)(?!_change_|_commit_|_metadata$)[A-Z_][A-Z0-9_]{0,99}");
    private static final long SEED = 42L;
    private static final int LIMIT = 1000;
    /** Ids of the columns that were added: a command hands its rows to another one. Shared, since a session may have two such rules. */
    private static final Recent ADDED = new Recent();

    private final SparkContext context;
    private final Reasons reasons;
    private final String column;
    private Shares shares;
    /** By id of the root execution: what became of its writes. */
    private final LinkedHashMap told = new Recent();
    private final HashSet logged = new HashSet();
    private volatile boolean stopped;

    KeyColumn(SparkContext context, Map options, Reasons reasons) {
        this.context = context;
        this.reasons = reasons;
        String name = String.valueOf(options.get("rows_column")).trim();
        if (name.length() > 0 && !NAME.matcher(name).matches()) {
            reasons.add(REASON + "'" + name + "' cannot be the name of a column: take letters, digits and _");
            name = "";
        }
        this.column = name;
        if (isOn()) {
            try {
                shares = new Shares(options);
            } catch (IllegalArgumentException e) {
                reasons.add(REASON + e.getMessage());
            }
        }
    }

    boolean isOn() {
        return column.length() > 0;
    }

    /** From now on rows are written as they are, also in sessions that still have the rule. */
    void stop() {
        stopped = true;
    }

    /** Puts it behind the rules that the session has. */
    void into(ExperimentalMethods methods) {
        List rules = Reflect.list(methods.extraOptimizations());
        rules.add(this);
        methods.extraOptimizations_$eq(Inline.seq(rules));
    }

    void outOf(ExperimentalMethods methods) {
        List rules = Reflect.list(methods.extraOptimizations());
        rules.remove(this);
        methods.extraOptimizations_$eq(Inline.seq(rules));
    }

    public String ruleName() {
        return "spark-lineage-keys";
    }

    public TreeNode apply(TreeNode plan) {
        if (stopped || !isOn() || shares == null || !COMMANDS.contains(Reflect.simpleName(plan))) {
            return plan;
        }
        try {
            return told((LogicalPlan) plan);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            reasons.add(REASON + Reflect.cut(e.toString(), 300));
        } catch (LinkageError e) {
            reasons.add(REASON + e);
        }
        return plan;
    }

    private LogicalPlan told(LogicalPlan command) throws Exception {
        LogicalPlan query = query(command);
        if (query == null || query.isStreaming() || isTold(query)) {
            return command;
        }
        Target target = Target.of(session(), command);
        double share = target == null ? 0.0 : shares.of(target.spellings());
        if (share <= 0.0) {
            return command;
        }
        List output = Reflect.list(query.output());
        List key = key(output);
        String refused = has(output, column) ? "the rows have a column " + column + " already"
            : key.isEmpty() ? "the rows have no column whose values can be hashed" : target.refuses(column);
        if (refused != null) {
            leave(target, refused);
            return command;
        }
        Expression hash = new XxHash64(Inline.seq(key), SEED);
        Literal bound = new Literal(Long.valueOf(Shares.bound(share)), DataTypes.LongType);
        Expression value = new If(new LessThan(hash, bound), hash, new Literal(null, DataTypes.LongType));
        Alias added = new Alias(value, column, NamedExpression$.MODULE$.newExprId(), Inline.seq(new ArrayList()), scala.Option.apply(null), Inline.seq(new ArrayList()));
        ArrayList columns = new ArrayList(output);
        columns.add(added);
        LogicalPlan result = withQuery(command, new Project(Inline.seq(columns), query));
        synchronized (ADDED) {
            ADDED.put(added.exprId(), Boolean.TRUE);
        }
        note(new Told(target.path, column, share, key, null));
        return result;
    }

    private void leave(Target target, String why) {
        note(new Told(target.path, null, 0.0, new ArrayList(), target.name() + " is written without " + column + ": " + why));
        boolean isNews;
        synchronized (logged) {
            isNews = logged.size() < LIMIT && logged.add(target.name());
        }
        if (isNews) {
            org.slf4j.LoggerFactory.getLogger("spark-lineage").warn(
                target.name() + " is written without the column " + column + ": " + why + " (the job is not affected)");
        }
    }

    private void note(Told one) {
        String id = context.getLocalProperty("spark.sql.execution.root.id");
        id = id == null ? context.getLocalProperty("spark.sql.execution.id") : id;
        if (id == null) {
            return;
        }
        synchronized (told) {
            List known = (List) told.get(id);
            if (known == null) {
                known = new ArrayList();
                told.put(id, known);
            }
            if (known.size() < LIMIT) {
                known.add(one);
            }
        }
    }

    /** What became of the writes of an execution; null where nothing did. */
    List take(long root) {
        synchronized (told) {
            return (List) told.remove(String.valueOf(root));
        }
    }

    /** The field of a document with the columns that were added, and in `incomplete` why others were not. */
    static void write(Json out, List told, Redaction redaction, List incomplete) {
        Json added = new Json();
        for (int i = 0; told != null && i < told.size(); i++) {
            Told one = (Told) told.get(i);
            if (one.column != null) {
                one.write(added, redaction);
            } else if (!incomplete.contains(REASON + redaction.text(one.why))) {
                incomplete.add(REASON + redaction.text(one.why));
            }
        }
        if (added.length() > 0) {
            out.key("sample_columns").open('[').raw(added).close(']').comma();
        }
    }

    /** That a column was added to what was written, or, where there is no column, why none was. */
    private static final class Told {
        private final String path;
        private final String column;
        private final double share;
        private final ArrayList key = new ArrayList();
        private final String why;

        Told(String path, String column, double share, List key, String why) {
            this.path = path;
            this.column = column;
            this.share = share;
            this.why = why;
            for (int i = 0; i < key.size(); i++) {
                this.key.add(((Attribute) key.get(i)).name());
            }
        }

        void write(Json out, Redaction redaction) {
            out.open('{').field("path", redaction.text(path)).field("column", column).field("fraction", String.valueOf(share)).key("key").open('[');
            for (int i = 0; i < key.size(); i++) {
                out.string((String) key.get(i)).comma();
            }
            out.close(']').comma().close('}').comma();
        }
    }

    private static Object session() throws Exception {
        Object companion = Class.forName("org.apache.spark.sql.classic.SparkSession$").getField("MODULE$").get(null);
        Object found = Reflect.unwrap(Reflect.call(companion, "getActiveSession"));
        if (found == null) {
            throw new IllegalStateException("no session is active");
        }
        return found;
    }

    /** The columns whose hash chooses the rows: the declared ones where all are there, else all that can be hashed. */
    private List key(List output) {
        ArrayList declared = new ArrayList();
        ArrayList all = new ArrayList();
        for (int i = 0; i < output.size(); i++) {
            String type = ((Attribute) output.get(i)).dataType().catalogString();
            if (type.indexOf("map<") < 0 && type.indexOf("variant") < 0) {
                all.add(output.get(i));
            }
        }
        for (int i = 0; i < shares.key.size(); i++) {
            Attribute found = find(all, (String) shares.key.get(i));
            if (found == null) {
                return all;
            }
            declared.add(found);
        }
        return declared.isEmpty() ? all : declared;
    }

    private static Attribute find(List attributes, String name) {
        for (int i = 0; i < attributes.size(); i++) {
            if (((Attribute) attributes.get(i)).name().equalsIgnoreCase(name)) {
                return (Attribute) attributes.get(i);
            }
        }
        return null;
    }

    private static boolean has(List attributes, String name) {
        return find(attributes, name) != null;
    }

    /** Whether nothing is to be added: the rows have the column of another command, which hands them on, or the program itself asks for a sample of them. */
    private static boolean isTold(LogicalPlan plan) {
        ArrayList left = new ArrayList();
        left.add(plan);
        while (!left.isEmpty()) {
            LogicalPlan one = (LogicalPlan) left.remove(left.size() - 1);
            if (one instanceof Project && isAdded((Project) one) || one instanceof SubqueryAlias && ((SubqueryAlias) one).alias().startsWith(MARK)) {
                return true;
            }
            left.addAll(Reflect.list(one.children()));
        }
        return false;
    }

    private static boolean isAdded(Project plan) {
        List list = Reflect.list(plan.projectList());
        Object last = list.isEmpty() ? null : list.get(list.size() - 1);
        synchronized (ADDED) {
            return last instanceof Alias && ADDED.containsKey(((Alias) last).exprId());
        }
    }

    /** The rows as they were analyzed, where these are the ones that the command runs. */
    private static LogicalPlan query(LogicalPlan command) {
        Object analyzed = isRunAnalyzed(command) ? Reflect.unwrap(Reflect.tryCall(command, "analyzedQuery")) : Reflect.tryCall(command, "query");
        return analyzed instanceof LogicalPlan ? (LogicalPlan) analyzed : null;
    }

    private static boolean isRunAnalyzed(LogicalPlan command) {
        String name = Reflect.simpleName(command);
        return name.equals("AppendData") || name.startsWith("Overwrite");
    }

    private static LogicalPlan withQuery(LogicalPlan command, LogicalPlan query) throws Exception {
        scala.Product parts = (scala.Product) command;
        Object[] arguments = new Object[parts.productArity()];
        boolean isRunAnalyzed = isRunAnalyzed(command);
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = parts.productElement(i);
            if (parts.productElementName(i).equals(isRunAnalyzed ? "analyzedQuery" : "query")) {
                arguments[i] = isRunAnalyzed ? (Object) scala.Option.apply(query) : query;
            }
        }
        LogicalPlan result = (LogicalPlan) ((TreeNode) command).makeCopy(arguments);
        if (result == null || query(result) != query) {
            throw new IllegalStateException(Reflect.simpleName(command) + " has its rows elsewhere");
        }
        return result;
    }

    /** A map that keeps what was put into it last. */
    private static final class Recent extends LinkedHashMap {
        protected boolean removeEldestEntry(Map.Entry eldest) {
            return size() > LIMIT;
        }
    }
}
