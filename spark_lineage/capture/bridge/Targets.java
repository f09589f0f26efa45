package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.catalog.SessionCatalog;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.execution.QueryExecution;
import scala.Option;
import scala.Product;

/** Which Delta tables a command writes to, by path: to look for its commits in their logs. On the worker's thread. */
final class Targets {
    private static final String DELTA = "org.apache.spark.sql.delta.";
    private final QueryExecution execution;
    /** Once for each write that goes there. */
    final List paths = new ArrayList();

    Targets(QueryExecution execution) {
        this.execution = execution;
    }

    void add(LogicalPlan command) {
        String kind = Reflect.simpleName(command);
        if (kind.equals("Union")) {
            List children = Reflect.list(command.children());
            for (int i = 0; i < children.size(); i++) {
                add((LogicalPlan) children.get(i));
            }
        } else if (kind.equals("SaveIntoDataSourceCommand")) {
            option(command);
        } else if (command instanceof Product) {
            String path = null;
            Product product = (Product) command;
            for (int i = 0; i < product.productArity() && path == null; i++) {
                path = of(Reflect.unwrap(product.productElement(i)));
            }
            keep(path);
        }
    }

    private void keep(String path) {
        if (path != null) {
            paths.add(path);
        }
    }

    private void option(LogicalPlan command) {
        Object source = Reflect.tryCall(command, "dataSource");
        Object options = Reflect.tryCall(command, "options");
        if (source != null && source.getClass().getName().startsWith(DELTA) && options instanceof scala.collection.Map) {
            keep(Reflect.text(((scala.collection.Map) options).get("path")));
        }
    }

    /** The path of a table that a command names in one of its arguments, null for anything else. */
    private String of(Object value) {
        if (value == null) {
            return null;
        }
        if (value.getClass().getName().startsWith(DELTA)) {
            Object path = Reflect.tryCall(value, "path");
            Object found = path instanceof Path ? path : Reflect.tryCall(value, "dataPath");
            return found instanceof Path ? found.toString() : null;
        }
        if (value instanceof CatalogTable) {
            return Reflect.text(((CatalogTable) value).storage().locationUri());
        }
        String kind = Reflect.simpleName(value);
        if (kind.equals("DataSourceV2Relation") || kind.equals("ResolvedTable")) {
            return of(Reflect.tryCall(value, "table"));
        }
        Object name = kind.equals("ResolvedIdentifier") ? Reflect.tryCall(value, "identifier") : null;
        return name instanceof Identifier ? location((Identifier) name) : null;
    }

    /** Where the catalog has the table that was made. */
    private String location(Identifier name) {
        try {
            SessionCatalog catalog = (SessionCatalog) Reflect.call(Reflect.call(execution.sparkSession(), "sessionState"), "catalog");
            String[] schema = name.namespace();
            Option database = schema.length == 0 ? Option.empty() : Option.apply(schema[schema.length - 1]);
            return catalog.getTableMetadata(new TableIdentifier(name.name(), database)).location().toString();
        } catch (Exception e) {
            return null;
        }
    }
}
