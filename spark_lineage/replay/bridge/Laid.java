package org.sparklineage.overlay;

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;

/** What Hadoop makes in the place of a file system that was chosen, by a configuration of the job's own or by none: called from where `Weaving` put it. */
public final class Laid {
    /** While the overlay itself asks for the file system below it. */
    private static final ThreadLocal BELOW = new ThreadLocal();
    /** What was chosen before the overlay took its place, for the one that is made next in this thread. */
    private static final ThreadLocal CHOSEN = new ThreadLocal();

    private Laid() {}

    public static Class fileSystem(Class found, String scheme) {
        if (found == null || BELOW.get() != null || scheme.startsWith(Overlay.OUTSIDE)) {
            return found;
        }
        CHOSEN.remove();
        if (found == LocalOverlay.class || found == Overlay.class) {
            return found;
        }
        if (scheme.equals("file")) {
            return LocalOverlay.class;
        }
        CHOSEN.set(found);
        return Overlay.class;
    }

    public static Class context(Class found, URI uri) {
        String scheme = uri == null ? null : uri.getScheme();
        return scheme == null || scheme.startsWith(Overlay.OUTSIDE) ? found : OverlayContext.class;
    }

    /** The class that was chosen for the file system which is being made, where it was not the overlay; asked once. */
    static Class chosen() {
        Class found = (Class) CHOSEN.get();
        CHOSEN.remove();
        return found;
    }

    /** The class of the file system below the overlay. */
    static Class below(String scheme, Configuration conf) throws IOException {
        BELOW.set(Boolean.TRUE);
        try {
            return FileSystem.getFileSystemClass(scheme, conf);
        } finally {
            BELOW.remove();
        }
    }

    /** Whether a configuration that names the real file system, and one that names none, are given the overlay in this JVM. */
    static boolean isWoven() throws IOException {
        Configuration bare = new Configuration(false);
        boolean ofNone = FileSystem.getFileSystemClass("file", bare) == LocalOverlay.class;
        bare.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem");
        bare.set("fs.AbstractFileSystem.file.impl", "org.apache.hadoop.fs.local.LocalFs");
        return ofNone && FileSystem.getFileSystemClass("file", bare) == LocalOverlay.class
            && org.apache.hadoop.fs.AbstractFileSystem.createFileSystem(URI.create("file:///"), bare) instanceof OverlayContext;
    }
}
