package org.sparklineage.bridge;

import java.io.StringReader;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.HashSet;
import java.util.function.BiFunction;

/**
 * A class that implements Delta's observer interface, made at run time from the interface itself, since Delta is not there
 * when the bridge is compiled. Not a java.lang.reflect.Proxy: that wraps Delta's checked exceptions, such as an
 * AnalysisException, on their way to the user.
 */
final class Observer {
    private static Class madeFor;
    private static Constructor made;

    private Observer() {
    }

    /**
     * The constructor, whose argument is told ("starting", null), for which it gives a token, (token, transaction),
     * ("over", token) and ("committed", null). It must not throw.
     */
    static synchronized Constructor constructor(Class observed) throws Exception {
        if (madeFor != observed) {
            org.codehaus.janino.SimpleCompiler compiler = new org.codehaus.janino.SimpleCompiler();
            compiler.setParentClassLoader(observed.getClassLoader());
            compiler.cook("spark-lineage-observer.java", new StringReader(source(observed)));
            Class type = compiler.getClassLoader().loadClass("org.sparklineage.observer.Observer");
            made = type.getConstructor(new Class[] {BiFunction.class});
            madeFor = observed;
        }
        return made;
    }

    private static String source(Class observed) {
        StringBuilder out = new StringBuilder("package org.sparklineage.observer;\npublic final class Observer implements ");
        out.append(observed.getName()).append(" {\n  private final java.util.function.BiFunction hooks;\n");
        out.append("  public Observer(java.util.function.BiFunction hooks) { this.hooks = hooks; }\n");
        HashSet seen = new HashSet();
        Method[] methods = observed.getMethods();
        for (int i = 0; i < methods.length; i++) {
            if (!Modifier.isStatic(methods[i].getModifiers()) && seen.add(methods[i].getName() + methods[i].getParameterTypes().length)) {
                method(out, methods[i]);
            }
        }
        return out.append("}\n").toString();
    }

    private static void method(StringBuilder out, Method method) {
        String result = method.getReturnType().getName();
        out.append("  public ").append(result).append(' ').append(method.getName()).append('(');
        Class[] parameters = method.getParameterTypes();
        for (int i = 0; i < parameters.length; i++) {
            out.append(i == 0 ? "" : ", ").append(parameters[i].getName()).append(" a").append(i);
        }
        out.append(") { ").append(body(method.getName(), result)).append(" }\n");
    }

    private static String body(String name, String result) {
        if (name.equals("startingTransaction")) {
            return "Object token = hooks.apply(\"starting\", null); try { Object made = a0.apply(); hooks.apply(token, made); return ("
                + result + ") made; } finally { hooks.apply(\"over\", token); }";
        }
        if (name.equals("preparingCommit")) {
            return "return a0.apply();";
        }
        if (name.equals("transactionCommitted")) {
            return "hooks.apply(\"committed\", null);";
        }
        if (name.equals("createChild")) {
            return "return this;";
        }
        if (result.equals("scala.Option")) {
            return "return scala.Option.apply(null);";
        }
        return result.equals("void") ? "" : "return null;";
    }
}
