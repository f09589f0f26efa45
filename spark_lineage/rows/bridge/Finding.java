package org.sparklineage.rows;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

/** Work that finds rows of leaves. */
public abstract class Finding extends Deep {
    /** By leaf: what was found of it, plans with the columns tag and row. The same may be there more than once. */
    private final Map found = new TreeMap();

    Finding(Object session) {
        super(session);
    }

    final void keep(int leaf, LogicalPlan rows) {
        List known = (List) found.get(Integer.valueOf(leaf));
        if (known == null) {
            known = new ArrayList();
            found.put(Integer.valueOf(leaf), known);
        }
        known.add(rows);
    }

    /** The leaves of which rows were found, in order. */
    public final List leaves() {
        return new ArrayList(found.keySet());
    }

    /** Frames with the columns tag and row: together what was found of a leaf. */
    public final List frames(int leaf) throws Exception {
        List plans = (List) found.get(Integer.valueOf(leaf));
        ArrayList frames = new ArrayList();
        for (int i = 0; i < plans.size(); i++) {
            frames.add(asking.frame((LogicalPlan) plans.get(i)));
        }
        return frames;
    }

    /** Whether all that was found of a leaf is here; else a frame is a query. */
    public final boolean isLocal(int leaf) {
        List plans = (List) found.get(Integer.valueOf(leaf));
        for (int i = 0; i < plans.size(); i++) {
            if (!(plans.get(i) instanceof LocalRelation)) {
                return false;
            }
        }
        return true;
    }
}
