package org.sparklineage.replay;

import java.io.IOException;
import java.io.InputStream;
import java.io.InvalidObjectException;
import java.io.ObjectInputStream;
import java.io.ObjectStreamClass;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.IdentityHashMap;
import java.util.Map;
import org.apache.spark.api.python.SimplePythonFunction;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.plans.logical.CTERelationDef;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import org.apache.spark.sql.catalyst.trees.TreeNodeTag;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.apache.spark.util.CollectionAccumulator;

/** Builds stored plans again: nodes by their constructors, leaves from the plans that are given, ids as fresh ones. */
final class PlanReader extends ObjectInputStream {
    /** On a call of a Python function the text in which its author declared its lineage (capture/declared.py). Contract.java knows it, too. */
    private static final TreeNodeTag DECLARED = new TreeNodeTag("org.sparklineage.declared");

    private static final String WRITER = "org.sparklineage.bridge.Kept";
    private final ClassLoader loader;
    private final Allowed allowed;
    private final Rebinding leaves;
    private final Moment moment;
    private final Python python;
    private final HashMap ids = new HashMap();
    private final HashMap ctes = new HashMap();
    /** By Python function what was declared of it. */
    private final IdentityHashMap declared = new IdentityHashMap();

    PlanReader(InputStream in, ClassLoader loader, Allowed allowed, Rebinding leaves, Moment moment, Python python) throws IOException {
        super(in);
        this.loader = loader;
        this.allowed = allowed;
        this.leaves = leaves;
        this.moment = moment;
        this.python = python;
        setObjectInputFilter(allowed);
        enableResolveObject(true);
    }

    protected Class resolveClass(ObjectStreamClass description) throws IOException, ClassNotFoundException {
        if (description.getName().equals(WRITER)) {
            return Kept.class;
        }
        try {
            return Class.forName(description.getName(), false, loader);
        } catch (ClassNotFoundException e) {
            return super.resolveClass(description);
        }
    }

    protected Object resolveObject(Object value) throws IOException {
        if (!(value instanceof Kept)) {
            return value;
        }
        Kept kept = (Kept) value;
        try {
            return build(kept);
        } catch (InvocationTargetException e) {
            throw problem("the node " + kept.name + " cannot be built again: " + e.getCause(), e.getCause());
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw problem(String.valueOf(e.getMessage()), e);
        }
    }

    private Object build(Kept kept) throws Exception {
        if (kept.kind.equals("node")) {
            Object literal = moment.literal(kept.name, kept.parts);
            return literal != null ? literal : tagged(construct(nodeClass(kept.name), kept.parts), kept.parts);
        }
        if (kept.kind.equals("object")) {
            return nodeClass(kept.name).getField("MODULE$").get(null);
        }
        if (kept.kind.equals("leaf")) {
            return leaves.leaf(((Long) kept.parts[0]).intValue(), (Object[]) kept.parts[1]);
        }
        if (kept.kind.equals("id")) {
            return fresh(ids, kept.parts[0], true);
        }
        if (kept.kind.equals("cte")) {
            return fresh(ctes, kept.parts[0], false);
        }
        if (kept.kind.equals("options")) {
            return new CaseInsensitiveStringMap((Map) kept.parts[0]);
        }
        if (kept.kind.equals("python")) {
            Object function = python.function(kept.parts);
            if (kept.parts.length > 5 && kept.parts[5] != null) {
                declared.put(function, kept.parts[5]);
            }
            return function;
        }
        throw new InvalidObjectException("this release does not know what a stored " + kept.kind + " is: install a later one");
    }

    private Object tagged(Object node, Object[] arguments) {
        for (int i = 0; i < arguments.length && !declared.isEmpty(); i++) {
            if (declared.containsKey(arguments[i])) {
                ((TreeNode) node).setTagValue(DECLARED, declared.get(arguments[i]));
            }
        }
        return node;
    }

    /** One of this session for each number, so that plans that are restored twice can be joined. */
    private static Object fresh(Map known, Object number, boolean expression) {
        Object found = known.get(number);
        if (found == null) {
            found = expression ? (Object) NamedExpression$.MODULE$.newExprId() : (Object) Long.valueOf(CTERelationDef.newId());
            known.put(number, found);
        }
        return found;
    }

    private Class nodeClass(String name) throws IOException {
        if (!allowed.allows(name)) {
            throw new InvalidObjectException("the class " + name + " may not be part of a stored plan");
        }
        try {
            Class type = Class.forName(name, true, loader);
            if (TreeNode.class.isAssignableFrom(type)) {
                return type;
            }
        } catch (ClassNotFoundException e) {
            throw new InvalidObjectException("the class " + name + " is not on this session's class path: add its jar");
        }
        throw new InvalidObjectException("the class " + name + " is no plan node and no expression");
    }

    /** By the first constructor that takes the arguments, as Spark's own copying of nodes does. */
    private static Object construct(Class type, Object[] arguments) throws Exception {
        Constructor[] constructors = type.getConstructors();
        for (int i = 0; i < constructors.length; i++) {
            if (takes(constructors[i].getParameterTypes(), arguments)) {
                return constructors[i].newInstance(arguments);
            }
        }
        throw new InvalidObjectException("the node " + type.getName() + " takes other arguments in this Spark");
    }

    private static boolean takes(Class[] types, Object[] arguments) {
        if (types.length != arguments.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            Class type = types[i].isPrimitive() ? boxed(types[i]) : types[i];
            if (arguments[i] == null ? types[i].isPrimitive() : !type.isInstance(arguments[i])) {
                return false;
            }
        }
        return true;
    }

    private static Class boxed(Class primitive) {
        return java.lang.invoke.MethodType.methodType(primitive).wrap().returnType();
    }

    private static IOException problem(String message, Throwable cause) {
        InvalidObjectException problem = new InvalidObjectException(message);
        problem.initCause(cause);
        return problem;
    }

    /** Makes Python functions that run in this session's Python. */
    static final class Python {
        private final String executable;
        private final String version;
        private final Map environment;
        private final CollectionAccumulator accumulator;

        /** `environment`: the variables that this session gives to its Python functions. */
        Python(String executable, String version, Map environment, CollectionAccumulator accumulator) {
            this.executable = executable;
            this.version = version;
            this.environment = environment;
            this.accumulator = accumulator;
        }

        /** `parts`: command, environment, includes, the Python it was made with, that one's version, and what its author declared of it, or null. */
        Object function(Object[] parts) throws IOException {
            if (!version.equals(parts[4])) {
                throw new InvalidObjectException("its Python functions were made by Python " + parts[4] + ", this session runs " + version
                    + ": start it with that one (PYSPARK_PYTHON)");
            }
            HashMap variables = new HashMap(environment);
            variables.putAll((Map) parts[1]);
            return new SimplePythonFunction((byte[]) parts[0], variables, new ArrayList((List) parts[2]), executable, version,
                new ArrayList(), accumulator);
        }
    }
}
