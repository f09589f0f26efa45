package org.sparklineage.overlay;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FileSystem;

/** The overlay for Hadoop's other interface, `FileContext`. */
public class OverlayContext extends DelegateToFileSystem {
    public OverlayContext(URI uri, Configuration conf) throws IOException, URISyntaxException {
        super(uri, FileSystem.get(uri, conf), conf, uri.getScheme(), false);
    }

    public int getUriDefaultPort() {
        return -1;
    }
}
