package org.sparklineage.overlay;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;

/** The overlay as the local file system, which Hadoop wants to be of this class (`FileSystem.getLocal`). It keeps no checksum files. */
public class LocalOverlay extends LocalFileSystem {
    private final Overlay overlay;

    public LocalOverlay() {
        this(new Overlay());
    }

    private LocalOverlay(Overlay overlay) {
        super(overlay);
        this.overlay = overlay;
    }

    public void initialize(URI name, Configuration conf) throws IOException {
        super.initialize(name, conf);
        setVerifyChecksum(false);
        setWriteChecksum(false);
    }

    public File pathToFile(Path path) {
        return overlay.file(path);
    }

    public Path getWorkingDirectory() {
        return overlay.getWorkingDirectory();
    }
}
