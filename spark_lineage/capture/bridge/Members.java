package org.sparklineage.bridge;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Methods and fields by class and name, looked up once: Java copies all members of a class for each look. What is remembered
 * of a class goes when the class goes.
 */
final class Members extends ClassValue {
    private static final Object NONE = new Object();
    private static final Members METHODS = new Members();
    private static final Members FIELDS = new Members();

    private Members() {
    }

    protected Object computeValue(Class type) {
        return new ConcurrentHashMap();
    }

    /** The public method without arguments; null where there is none. */
    static Method method(Class type, String name) {
        ConcurrentHashMap known = (ConcurrentHashMap) METHODS.get(type);
        Object found = known.get(name);
        if (found == null) {
            try {
                Method method = type.getMethod(name, new Class[0]);
                method.setAccessible(true);
                found = method;
            } catch (NoSuchMethodException e) {
                found = NONE;
            }
            known.put(name, found);
        }
        return found == NONE ? null : (Method) found;
    }

    /** The field of that name in the class or one above it, which may have the class before it as Scala puts it; null where there is none. */
    static Field field(Class type, String name) {
        ConcurrentHashMap known = (ConcurrentHashMap) FIELDS.get(type);
        Object found = known.get(name);
        if (found == null) {
            found = declared(type, name);
            known.put(name, found);
        }
        return found == NONE ? null : (Field) found;
    }

    private static Object declared(Class type, String name) {
        for (Class holder = type; holder != null && holder != Object.class; holder = holder.getSuperclass()) {
            Field[] fields = holder.getDeclaredFields();
            for (int i = 0; i < fields.length; i++) {
                if (fields[i].getName().equals(name) || fields[i].getName().endsWith("$$" + name)) {
                    fields[i].setAccessible(true);
                    return fields[i];
                }
            }
        }
        return NONE;
    }
}
