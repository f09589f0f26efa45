package org.sparklineage.bridge;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;

/** One application's folder in the inbox: writes documents under a hidden name, then renames. */
final class Inbox {
    static final int ALL = 0;
    /** Over the bound: writes alone, without their plans, up to a tenth more. */
    static final int WRITES = 1;
    static final int NONE = 2;
    private static final long LOOK_NANOS = 5000000000L;

    private final String folder;
    private final boolean local;
    private final boolean group;
    private final FileSystem remote;
    private final long maxBytes;
    private long bytes;
    private long looked;

    /** `folder` is a local path or a URI that Hadoop's FileSystem knows; `group`: its files are for the group too. */
    Inbox(String folder, long maxBytes, boolean group, Configuration hadoop) throws IOException {
        this.folder = folder;
        this.maxBytes = maxBytes;
        this.group = group;
        this.local = folder.indexOf("://") < 0;
        if (local) {
            this.remote = null;
            makeFolder();
        } else {
            this.remote = new Path(folder).getFileSystem(hadoop);
            makeRemote(new Path(folder));
        }
    }

    /** The folder and those above it that are missing, with rights like a local one's. One that is there keeps those it has. */
    private void makeRemote(Path path) throws IOException {
        if (remote.exists(path)) {
            return;
        }
        if (path.getParent() != null) {
            makeRemote(path.getParent());
        }
        remote.mkdirs(path, new FsPermission((short) 0700));
        share(path, (short) 0770);
    }

    /** For the group too, where that was asked for, whatever the umask is. */
    private void share(Path path, short rights) throws IOException {
        if (!group) {
            return;
        }
        try {
            remote.setPermission(path, new FsPermission(rights));
        } catch (UnsupportedOperationException e) {
            // A file system without such rights.
        }
    }

    /** What there is room for: ALL, WRITES or NONE. The folder is looked at again when it seems full: it is swept meanwhile. */
    int room() {
        if (bytes > maxBytes && (looked == 0L || System.nanoTime() - looked > LOOK_NANOS)) {
            looked = System.nanoTime();
            bytes = size(bytes);
        }
        return bytes <= maxBytes ? ALL : bytes <= maxBytes + maxBytes / 10L ? WRITES : NONE;
    }

    private long size(long known) {
        long result = 0L;
        if (local) {
            File[] files = new File(folder).listFiles();
            for (int i = 0; files != null && i < files.length; i++) {
                result += files[i].length();
            }
            return result;
        }
        try {
            FileStatus[] files = remote.listStatus(new Path(folder));
            for (int i = 0; i < files.length; i++) {
                result += files[i].getLen();
            }
            return result;
        } catch (IOException e) {
            return known;
        }
    }

    /** Writes a document and returns its compressed size. */
    long write(long sequence, String kind, String text) throws IOException {
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
            return Rights.create(hidden, group);
        } catch (java.nio.file.NoSuchFileException e) {
            makeFolder();
            return Rights.create(hidden, group);
        }
    }

    private void makeFolder() throws IOException {
        File directory = new File(folder);
        if (!directory.isDirectory()) {
            Rights.folders(directory, group);
        }
    }

    private long writeRemote(String name, String text) throws IOException {
        Path hidden = new Path(folder, "." + name);
        compress(create(hidden), text);
        share(hidden, (short) 0660);
        long size = remote.getFileStatus(hidden).getLen();
        if (!remote.rename(hidden, new Path(folder, name))) {
            throw new IOException("cannot rename " + hidden);
        }
        bytes += size;
        return size;
    }

    private OutputStream create(Path path) throws IOException {
        int buffer = remote.getConf().getInt("io.file.buffer.size", 4096);
        return remote.create(path, new FsPermission((short) 0600), true, buffer, remote.getDefaultReplication(path),
            remote.getDefaultBlockSize(path), null);
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
