package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/** What went wrong or was given up, counted by its text; the first of all is logged once. */
final class Reasons {
    private static final int LIMIT = 100;
    private static final int LENGTH = 500;
    private static final String OTHER = "other reasons";
    private final LinkedHashMap counts = new LinkedHashMap();
    private boolean logged;

    void add(String reason) {
        add(reason, 1L);
    }

    synchronized void add(String text, long times) {
        String reason = Reflect.cut(text, LENGTH);
        if (!counts.containsKey(reason) && counts.size() >= LIMIT) {
            reason = OTHER;
        }
        Long known = (Long) counts.get(reason);
        counts.put(reason, Long.valueOf(known == null ? times : known.longValue() + times));
        if (!logged) {
            logged = true;
            org.slf4j.LoggerFactory.getLogger("spark-lineage").warn(
                "lineage of this application is incomplete: " + reason + "; the job is not affected (spark-lineage doctor explains)");
        }
    }

    synchronized int size() {
        return counts.size();
    }

    synchronized String[] texts() {
        ArrayList result = new ArrayList();
        Iterator entries = counts.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            result.add(entry.getKey() + " (" + entry.getValue() + ")");
        }
        return (String[]) result.toArray(new String[0]);
    }

    synchronized void write(Json out) {
        out.open('{');
        Iterator entries = counts.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            out.field((String) entry.getKey(), ((Long) entry.getValue()).longValue());
        }
        out.close('}');
    }
}
