package org.sparklineage.overlay;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.Iterator;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
import org.apache.hadoop.util.ReflectionUtils;

/**
 * A file system over another: what is written goes to a layer in the scratch place, what is read comes from there or, as the universe shows it,
 * from the real one, which nothing is ever written to. What is deleted is marked as gone. As Linux' overlayfs, but that a directory of the lower
 * layer that is renamed is copied.
 *
 * Under the scheme `replayed-ID-file` it is the same view of `file`, for who looks at the result from outside of the job.
 */
public class Overlay extends FileSystem {
    static final String OUTSIDE = "replayed-";
    static final String LOWER = "spark.lineage.lower.";
    private static final String MARK = ".gone";

    private static final Object LOCK = new Object();
    private String id;
    private Universe universe;
    private FileSystem lower;
    private RawLocalFileSystem upper;
    private URI uri;
    private String scheme;
    private String authority;
    private String layer;
    private String gone;
    private Path workingDirectory;

    public void initialize(URI name, Configuration conf) throws IOException {
        super.initialize(name, conf);
        setConf(conf);
        id = null;
        scheme = name.getScheme();
        if (scheme.startsWith(OUTSIDE)) {
            int end = scheme.indexOf('-', OUTSIDE.length());
            id = scheme.substring(OUTSIDE.length(), end);
            scheme = scheme.substring(end + 1);
        }
        universe = Universe.of(conf, id);
        if (universe == null) {
            throw new IOException("there is no replay here: " + Universe.VARIABLE + " names no file");
        }
        Class chosen = Laid.chosen();
        authority = name.getAuthority();
        uri = URI.create(name.getScheme() + "://" + (authority == null ? "/" : authority));
        lower = below(scheme, authority, conf, chosen);
        upper = new RawLocalFileSystem();
        upper.initialize(URI.create("file:///"), conf);
        String under = "/" + scheme + "/" + (authority == null || authority.length() == 0 ? "_" : authority.replace('/', '_'));
        layer = universe.scratch.getPath() + "/written" + under;
        gone = universe.scratch.getPath() + "/deleted" + under;
        if (scheme.equals("file")) {
            String there = universe.workingDirectory == null ? System.getProperty("user.dir") : universe.workingDirectory;
            workingDirectory = ours(there);
        } else {
            workingDirectory = ours(lower.getWorkingDirectory().toUri().getPath());
        }
    }

    /** `chosen`: what the job would have got there, where it named a class of its own. */
    private static FileSystem below(String scheme, String authority, Configuration conf, Class chosen) throws IOException {
        URI real = URI.create(scheme + "://" + (authority == null || authority.length() == 0 ? "/" : authority));
        if (scheme.equals("file")) {
            FileSystem local = made(LocalFileSystem.class, real, conf);
            local.setVerifyChecksum(false); // a file that does not fit its checksum would be moved away
            return local;
        }
        Configuration plain = new Configuration(conf);
        String own = chosen == null ? plain.get(LOWER + scheme + ".impl") : chosen.getName();
        if (own == null) { // as Hadoop has it by itself
            Configuration defaults = new Configuration(false);
            defaults.addResource("core-default.xml");
            own = defaults.get("fs." + scheme + ".impl");
        }
        if (own == null) {
            plain.unset("fs." + scheme + ".impl");
        } else {
            plain.set("fs." + scheme + ".impl", own);
        }
        plain.unset("fs." + scheme + ".impl.disable.cache");
        return made(chosen == null ? Laid.below(scheme, plain) : chosen, real, plain);
    }

    private static FileSystem made(Class type, URI real, Configuration conf) throws IOException {
        FileSystem found = (FileSystem) ReflectionUtils.newInstance(type, conf);
        found.initialize(real, conf);
        return found;
    }

    public String getScheme() {
        return uri == null ? "file" : uri.getScheme();
    }

    public URI getUri() {
        return uri;
    }

    public Path getWorkingDirectory() {
        return workingDirectory;
    }

    public void setWorkingDirectory(Path path) {
        workingDirectory = makeQualified(path);
    }

    public Path getHomeDirectory() {
        return ours(lower.getHomeDirectory().toUri().getPath());
    }

    /** The file that the path means, for who needs one on the local disk. */
    File file(Path path) {
        String name = name(path);
        File above = new File(layer + name);
        return above.exists() || !scheme.equals("file") ? above : new File(under(name).toUri().getPath());
    }

    /** The path, without what would lead out of the layer: above the root there is nothing. */
    private String name(Path path) {
        checkPath(path);
        String name = makeQualified(path).toUri().getPath();
        while (name.equals("/..") || name.startsWith("/../")) {
            name = name.length() == 3 ? "/" : name.substring(3);
        }
        if (name.endsWith("/..") || name.indexOf("/../") >= 0) {
            throw new IllegalArgumentException("spark-lineage replay: " + path + " is no plain path");
        }
        return name;
    }

    /** Nothing is written for a job that is not guarded. */
    private void check() throws IOException {
        if (id == null && !Guard.isRunning()) {
            throw new IOException("spark-lineage replay: the guard is not running in this application (spark.plugins): nothing is written");
        }
    }

    private Path ours(String name) {
        return new Path(uri.getScheme(), authority, name);
    }

    private Path over(String name) {
        return new Path("file", null, layer + name);
    }

    private Path under(String name) {
        String copy = universe.copied(scheme, authority, name);
        return copy == null ? new Path(scheme, authority, name) : new Path("file", null, copy);
    }

    private boolean isOver(String name) {
        return new File(layer + name).exists();
    }

    private boolean isGone(String name) {
        if (!new File(gone).exists()) {
            return false;
        }
        for (String at = name; at != null; at = Universe.parent(at)) {
            if (isMarked(at)) {
                return true;
            }
        }
        return false;
    }

    private boolean isMarked(String name) {
        return new File(gone + (name.equals("/") ? "" : name), MARK).exists();
    }

    private void mark(String name) throws IOException {
        File folder = new File(gone + name);
        folder.mkdirs();
        File mark = new File(folder, MARK);
        if (!mark.exists() && !mark.createNewFile() && !mark.exists()) {
            throw new IOException("the scratch place cannot be written: " + mark);
        }
    }

    /** What the real file system has there, as far as it is seen; null where that is nothing. */
    private FileStatus seen(String name) throws IOException {
        if (isGone(name)) {
            return null;
        }
        try {
            FileStatus status = fileSystemUnder(name).getFileStatus(under(name));
            return universe.shows(lower, scheme, authority, name, status) ? status : null;
        } catch (FileNotFoundException error) {
            return null;
        } catch (ParentNotDirectoryException error) {
            return null;
        }
    }

    private FileSystem fileSystemUnder(String name) {
        return universe.copied(scheme, authority, name) == null ? lower : upper;
    }

    private FileStatus named(FileStatus status, String name) {
        return new FileStatus(status.getLen(), status.isDirectory(), status.getReplication(), status.getBlockSize(), status.getModificationTime(),
            status.getAccessTime(), status.getPermission(), status.getOwner(), status.getGroup(), ours(name));
    }

    private FileStatus statusOrNull(String name) throws IOException {
        if (isOver(name)) {
            return named(upper.getFileStatus(over(name)), name);
        }
        FileStatus status = seen(name);
        return status == null ? null : named(status, name);
    }

    private FileStatus status(String name) throws IOException {
        FileStatus status = statusOrNull(name);
        if (status == null) {
            throw new FileNotFoundException("File " + ours(name) + " does not exist");
        }
        return status;
    }

    public FileStatus getFileStatus(Path path) throws IOException {
        return status(name(path));
    }

    public FileStatus[] listStatus(Path path) throws IOException {
        String name = name(path);
        FileStatus status = status(name);
        if (!status.isDirectory()) {
            return new FileStatus[] {status};
        }
        TreeMap found = new TreeMap();
        FileStatus real = seen(name);
        if (real != null && real.isDirectory()) {
            FileStatus[] children = fileSystemUnder(name).listStatus(real.getPath());
            for (int i = 0; i < children.length; i++) {
                String child = child(name, children[i].getPath().getName());
                if (!isMarked(child) && universe.shows(lower, scheme, authority, child, children[i])) {
                    found.put(child, named(children[i], child));
                }
            }
        }
        if (isOver(name)) {
            FileStatus[] children = upper.listStatus(over(name));
            for (int i = 0; i < children.length; i++) {
                String child = child(name, children[i].getPath().getName());
                found.put(child, named(children[i], child));
            }
        }
        FileStatus[] result = new FileStatus[found.size()];
        Iterator values = found.values().iterator();
        for (int i = 0; i < result.length; i++) {
            result[i] = (FileStatus) values.next();
        }
        return result;
    }

    private static String child(String name, String last) {
        return (name.equals("/") ? "" : name) + "/" + last;
    }

    public FSDataInputStream open(Path path, int bufferSize) throws IOException {
        String name = name(path);
        if (status(name).isDirectory()) {
            throw new FileNotFoundException(ours(name) + " is a directory");
        }
        return isOver(name) ? upper.open(over(name), bufferSize) : fileSystemUnder(name).open(under(name), bufferSize);
    }

    public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int bufferSize, short replication, long blockSize,
            Progressable progress) throws IOException {
        check();
        String name = name(path);
        synchronized (LOCK) {
            FileStatus there = statusOrNull(name);
            if (there != null && (there.isDirectory() || !overwrite)) {
                throw new FileAlreadyExistsException(ours(name) + (there.isDirectory() ? " is a directory" : " already exists"));
            }
            makeParents(name);
            return upper.create(over(name), permission, overwrite, bufferSize, replication, blockSize, progress);
        }
    }

    public FSDataOutputStream append(Path path, int bufferSize, Progressable progress) throws IOException {
        check();
        String name = name(path);
        copyUp(name);
        return upper.append(over(name), bufferSize, progress);
    }

    /** The directories above it in the layer. */
    private void makeParents(String name) throws IOException {
        String parent = Universe.parent(name);
        if (parent == null) {
            return;
        }
        for (String at = parent; at != null; at = Universe.parent(at)) {
            FileStatus there = statusOrNull(at);
            if (there != null && !there.isDirectory()) {
                throw new ParentNotDirectoryException(ours(at) + " is not a directory");
            }
            if (there != null) {
                break;
            }
        }
        upper.mkdirs(over(parent));
    }

    public boolean mkdirs(Path path, FsPermission permission) throws IOException {
        check();
        String name = name(path);
        FileStatus there = statusOrNull(name);
        if (there != null && !there.isDirectory()) {
            throw new FileAlreadyExistsException(ours(name) + " is a file");
        }
        if (there != null) {
            return true;
        }
        makeParents(name);
        return upper.mkdirs(over(name));
    }

    public boolean delete(Path path, boolean recursive) throws IOException {
        check();
        String name = name(path);
        FileStatus there = statusOrNull(name);
        if (there == null) {
            return false;
        }
        if (name.equals("/")) {
            throw new IOException("the root is not deleted");
        }
        if (there.isDirectory() && !recursive && listStatus(path).length > 0) {
            throw new PathIsNotEmptyDirectoryException(ours(name).toString());
        }
        if (seen(name) != null) {
            mark(name);
        }
        return !isOver(name) || upper.delete(over(name), true);
    }

    public boolean rename(Path source, Path target) throws IOException {
        check();
        synchronized (LOCK) {
            return renamed(source, target);
        }
    }

    private boolean renamed(Path source, Path target) throws IOException {
        String from = name(source);
        String to = name(target);
        FileStatus there = statusOrNull(from);
        if (there == null) {
            throw new FileNotFoundException("File " + ours(from) + " does not exist");
        }
        FileStatus before = statusOrNull(to);
        if (before != null && before.isDirectory()) {
            boolean ofFolder = there.isDirectory() && !from.equals(to) && (scheme.equals("file") || scheme.startsWith("s3"));
            if (ofFolder && listStatus(ours(to)).length == 0) {
                before = null; // as POSIX and S3A have it: a directory takes the place of an empty one
            } else if (ofFolder && !scheme.equals("file")) {
                return false; // S3A puts none within another
            } else {
                to = child(to, source.getName());
                before = statusOrNull(to);
            }
        }
        if (from.equals(to)) {
            return true;
        }
        if (to.startsWith(from + "/")) {
            return false;
        }
        if (before != null && (before.isDirectory() || there.isDirectory() || !scheme.equals("file"))) {
            return false; // of files the local file system alone puts one in the place of another
        }
        makeParents(to);
        copyUp(from);
        if (!upper.rename(over(from), over(to))) {
            return false;
        }
        if (seen(from) != null) {
            mark(from);
        }
        return true;
    }

    /** What the lower layer has of it is in the upper one, too. */
    private void copyUp(String name) throws IOException {
        FileStatus there = status(name);
        if (there.isDirectory()) {
            upper.mkdirs(over(name));
            FileStatus[] children = listStatus(ours(name));
            for (int i = 0; i < children.length; i++) {
                copyUp(children[i].getPath().toUri().getPath());
            }
        } else if (!isOver(name)) {
            makeParents(name);
            FileUtil.copy(fileSystemUnder(name), under(name), upper, over(name), false, true, getConf());
        }
    }

    public void setPermission(Path path, FsPermission permission) throws IOException {
        String name = name(path);
        if (isOver(name)) {
            upper.setPermission(over(name), permission);
        }
    }

    public void setTimes(Path path, long modified, long accessed) throws IOException {
        String name = name(path);
        if (isOver(name)) {
            upper.setTimes(over(name), modified, accessed);
        }
    }

    public void setOwner(Path path, String user, String group) {
    }

    public void close() throws IOException {
        super.close();
        upper.close();
        lower.close();
    }
}
