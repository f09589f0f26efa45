package org.sparklineage.bridge;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/** What went wrong or was given up, counted by its text; the first of all is logged once. */
final class Reasons {
    private static final int LIMIT = 100;
    private final LinkedHashMap counts = new LinkedHashMap();
    private boolean logged;

    synchronized void add(String reason) {
        Long known = (Long) counts.get(reason);
        if (known != null || counts.size() < LIMIT) {
            counts.put(reason, Long.valueOf(known == null ? 1L : known.longValue() + 1L));
        }
        if (!logged) {
            logged = true;
            org.slf4j.LoggerFactory.getLogger("spark-lineage").warn(
                "lineage of this application is incomplete: " + reason + "; the job is not affected (spark-lineage doctor explains)");
        }
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
