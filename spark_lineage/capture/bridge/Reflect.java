package org.sparklineage.bridge;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import scala.Option;

/** Calls by name, for classes that another version of Spark or Delta may not have; and Scala collections as Java's. */
final class Reflect {
    private Reflect() {
    }

    /** The value of a public no-argument method. Throws what the method throws. */
    static Object call(Object target, String name) throws Exception {
        Method method = Members.method(target.getClass(), name);
        if (method == null) {
            throw new NoSuchMethodException(target.getClass().getName() + "." + name);
        }
        return invoke(method, target);
    }

    private static Object invoke(Method method, Object target) throws Exception {
        try {
            return method.invoke(target, new Object[0]);
        } catch (java.lang.reflect.InvocationTargetException e) {
            Throwable cause = e.getCause();
            if (cause instanceof Error) {
                throw (Error) cause;
            }
            throw (Exception) cause;
        }
    }

    /** As call, null where there is no such method or it fails. */
    static Object tryCall(Object target, String name) {
        if (target == null) {
            return null;
        }
        try {
            Method method = Members.method(target.getClass(), name);
            return method == null ? null : invoke(method, target);
        } catch (Exception e) {
            return null;
        } catch (LinkageError e) {
            return null;
        }
    }

    /**
     * The value of a field of the owner's class or of one above, private ones too; null where there is none. A lazy one
     * is not computed.
     */
    static Object field(Object owner, String name) {
        return owner == null ? null : field(owner, owner.getClass(), name);
    }

    /** As field, looked for in this class and those above it. */
    static Object field(Object owner, Class type, String name) {
        try {
            Field found = find(type, name);
            return found == null ? null : found.get(owner);
        } catch (Exception e) {
            return null;
        } catch (LinkageError e) {
            return null;
        }
    }

    /** The field of that name, which may have the class before it as Scala puts it; null where there is none. */
    static Field find(Class type, String name) {
        return Members.field(type, name);
    }

    /** As tryCall, of a method that is not public. */
    static Object hidden(Object target, String name) {
        Class holder = target == null ? null : target.getClass();
        while (holder != null && holder != Object.class) {
            try {
                Method method = holder.getDeclaredMethod(name, new Class[0]);
                method.setAccessible(true);
                return method.invoke(target, new Object[0]);
            } catch (NoSuchMethodException e) {
                holder = holder.getSuperclass();
            } catch (Exception e) {
                return null;
            } catch (LinkageError e) {
                return null;
            }
        }
        return null;
    }

    /** What an Option holds, or null; anything else as it is. */
    static Object unwrap(Object value) {
        if (value instanceof Option) {
            return ((Option) value).isDefined() ? ((Option) value).get() : null;
        }
        return value;
    }

    static Long number(Object value) {
        Object plain = unwrap(value);
        return plain instanceof Number ? Long.valueOf(((Number) plain).longValue()) : null;
    }

    static String text(Object value) {
        Object plain = unwrap(value);
        return plain == null ? null : plain.toString();
    }

    /** The elements of a Scala Iterable; empty for null and anything else. */
    static List list(Object iterable) {
        ArrayList result = new ArrayList();
        Object plain = unwrap(iterable);
        if (plain instanceof scala.collection.Iterable) {
            scala.collection.Iterator iterator = ((scala.collection.Iterable) plain).iterator();
            while (iterator.hasNext()) {
                result.add(iterator.next());
            }
        }
        return result;
    }

    static String simpleName(Object value) {
        String name = value.getClass().getName();
        if (name.endsWith("$")) {
            name = name.substring(0, name.length() - 1);
        }
        int cut = Math.max(name.lastIndexOf('.'), name.lastIndexOf('$'));
        return name.substring(cut + 1);
    }

    static String cut(String value, int limit) {
        if (value == null || value.length() <= limit) {
            return value;
        }
        return value.substring(0, limit) + "...";
    }
}
