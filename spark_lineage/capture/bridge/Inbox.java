package org.sparklineage.bridge;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** One application's folder in the inbox: writes documents under a hidden name, then renames. */
final class Inbox {
    private final String folder;
    private final boolean local;
    private final FileSystem remote;
    private final long maxBytes;
    private long bytes;

    /** `folder` is a local path or a URI that Hadoop's FileSystem knows. */
    Inbox(String folder, long maxBytes, Configuration hadoop) throws IOException {
        this.folder = folder;
        this.maxBytes = maxBytes;
        this.local = folder.indexOf("://") < 0;
        if (local) {
            this.remote = null;
            File directory = new File(folder);
            if (!directory.isDirectory() && !directory.mkdirs()) {
                throw new IOException("the folder " + folder + " cannot be made");
            }
        } else {
            this.remote = new Path(folder).getFileSystem(hadoop);
            this.remote.mkdirs(new Path(folder));
        }
    }

    /** Writes a document and returns its compressed size. Throws IOException when the folder is over its bound. */
    long write(long sequence, String kind, String text) throws IOException {
        if (bytes > maxBytes) {
            throw new IOException("this application's folder in the inbox is over its bound of " + maxBytes + " bytes");
        }
        String name = number(sequence) + "." + kind + ".json.gz";
        return local ? writeLocal(name, text) : writeRemote(name, text);
    }

    private long writeLocal(String name, String text) throws IOException {
        File hidden = new File(folder, "." + name);
        try {
            compress(open(hidden), text);
            long size = hidden.length();
            if (!hidden.renameTo(new File(folder, name))) {
                throw new IOException("cannot rename " + hidden);
            }
            bytes += size;
            return size;
        } catch (IOException e) {
            hidden.delete();
            throw e;
        }
    }

    /** Makes the folder again when somebody removed it: what comes after is not lost with what was there. */
    private OutputStream open(File hidden) throws IOException {
        try {
            return new java.io.FileOutputStream(hidden);
        } catch (java.io.FileNotFoundException e) {
            new File(folder).mkdirs();
            return new java.io.FileOutputStream(hidden);
        }
    }

    private long writeRemote(String name, String text) throws IOException {
        Path hidden = new Path(folder, "." + name);
        compress(remote.create(hidden, true), text);
        long size = remote.getFileStatus(hidden).getLen();
        if (!remote.rename(hidden, new Path(folder, name))) {
            throw new IOException("cannot rename " + hidden);
        }
        bytes += size;
        return size;
    }

    private static void compress(OutputStream out, String text) throws IOException {
        try {
            Gzip gzip = new Gzip(out);
            gzip.write(text.getBytes("UTF-8"));
            gzip.close();
        } finally {
            out.close();
        }
    }

    private static String number(long sequence) {
        String digits = String.valueOf(sequence);
        StringBuilder padded = new StringBuilder();
        for (int i = digits.length(); i < 8; i++) {
            padded.append('0');
        }
        return padded.append(digits).toString();
    }

    /** Fast compression: documents are short-lived, the driver's CPU is the user's. */
    private static final class Gzip extends GZIPOutputStream {
        Gzip(OutputStream out) throws IOException {
            super(out, 65536);
            this.def.setLevel(Deflater.BEST_SPEED);
        }
    }
}
