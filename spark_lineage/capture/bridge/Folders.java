package org.sparklineage.bridge;

import java.util.HashSet;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * Which of the paths of one read are folders though they are called like files (`orders_2024.parquet`): those that the index, as it
 * is in memory, has files below. Only where there are several paths, since several files of one folder would be taken for it.
 */
final class Folders {
    private static final int LISTED_LIMIT = 10000;
    private static final int DEPTH_LIMIT = 16;

    private Folders() {
    }

    /** Writes `folders`; nothing where there are none. */
    static void write(Json out, Object index, List roots, Redaction redaction) {
        HashSet found = among(index, roots);
        if (found.isEmpty()) {
            return;
        }
        out.key("folders").open('[');
        for (int i = 0; i < roots.size() && i < Redaction.PATHS_MAX; i++) {
            if (found.contains(roots.get(i))) {
                out.string(redaction.path(roots.get(i))).comma();
            }
        }
        out.close(']').comma();
    }

    private static HashSet among(Object index, List roots) {
        HashSet found = new HashSet();
        HashSet asked = new HashSet();
        for (int i = 0; roots.size() > 1 && i < roots.size(); i++) {
            if (roots.get(i) instanceof Path && likeAFile(((Path) roots.get(i)).getName())) {
                asked.add(roots.get(i));
            }
        }
        Object listed = asked.isEmpty() ? null : Reflect.tryCall(index, "leafDirToChildrenFiles");
        if (!(listed instanceof scala.collection.Map)) {
            return found;
        }
        scala.collection.Iterator folders = ((scala.collection.Map) listed).keysIterator();
        for (int i = 0; i < LISTED_LIMIT && found.size() < asked.size() && folders.hasNext(); i++) {
            Object folder = folders.next();
            for (int depth = 0; depth < DEPTH_LIMIT && folder instanceof Path; depth++) {
                if (asked.contains(folder)) {
                    found.add(folder);
                }
                folder = ((Path) folder).getParent();
            }
        }
        return found;
    }

    /** As the ingester takes a name for that of a file. */
    private static boolean likeAFile(String name) {
        return name.indexOf('.') >= 0 || name.startsWith("part-");
    }
}
