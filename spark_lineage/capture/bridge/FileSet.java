package org.sparklineage.bridge;

import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What a commit did to the set of a Delta table's files, in one line of text: a SHA-256 over the sorted lines "add TAB path TAB size TAB
 * deletion vector" and "remove TAB path TAB deletion vector", with paths as the log has them and the vector's unique id (nothing where
 * there is none). Computed from the actions in memory, on the committing thread: of a commit with more than LIMIT there is none.
 */
final class FileSet {
    static final int LIMIT = 10000;

    private FileSet() {
    }

    /** `commit:...`; null where Delta does not tell the actions, or too many. */
    static String of(Object committed) {
        Object told = Reflect.tryCall(committed, "committedActions");
        if (!(told instanceof scala.collection.Seq) || ((scala.collection.Seq) told).size() > LIMIT) {
            return null;
        }
        List actions = Reflect.list(told);
        ArrayList lines = new ArrayList();
        for (int i = 0; i < actions.size(); i++) {
            Object one = actions.get(i);
            String kind = Reflect.simpleName(one);
            boolean added = kind.equals("AddFile");
            if (!added && !kind.equals("RemoveFile")) {
                continue;
            }
            Object vector = Reflect.tryCall(Reflect.tryCall(one, "deletionVector"), "uniqueId");
            StringBuilder line = new StringBuilder(added ? "add\t" : "remove\t").append(Reflect.tryCall(one, "path")).append('\t');
            if (added) {
                line.append(Reflect.tryCall(one, "size")).append('\t');
            }
            lines.add(line.append(vector == null ? "" : vector).append('\n').toString());
        }
        Collections.sort(lines);
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (int i = 0; i < lines.size(); i++) {
                digest.update(((String) lines.get(i)).getBytes("UTF-8"));
            }
            return "commit:" + Listing.hex(digest.digest(), 16);
        } catch (Exception e) {
            return null;
        }
    }
}
