package org.sparklineage.bridge;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;

/** Makes files and folders for their owner alone, or for the group too, whatever the umask of the process is. */
final class Rights {
    private Rights() {
    }

    /** A new file, over what was there. */
    static OutputStream create(File file, boolean group) throws IOException {
        HashSet how = new HashSet();
        how.add(StandardOpenOption.CREATE);
        how.add(StandardOpenOption.WRITE);
        how.add(StandardOpenOption.TRUNCATE_EXISTING);
        java.nio.file.Path path = file.toPath();
        try {
            OutputStream out = Channels.newOutputStream(Files.newByteChannel(path, how, attributes("rw-------")));
            if (group) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw----"));
            }
            return out;
        } catch (UnsupportedOperationException e) {
            // A file system without such rights.
            return Files.newOutputStream(path, new OpenOption[0]);
        }
    }

    /** The folder and those above it that are missing. */
    static void folders(File folder, boolean group) throws IOException {
        File parent = folder.getParentFile();
        if (parent != null && !parent.isDirectory()) {
            folders(parent, group);
        }
        java.nio.file.Path path = folder.toPath();
        try {
            Files.createDirectory(path, attributes("rwx------"));
            if (group) {
                openToGroup(path);
            }
        } catch (java.nio.file.FileAlreadyExistsException e) {
            if (!folder.isDirectory()) {
                throw new IOException("the folder " + folder + " cannot be made");
            }
        } catch (UnsupportedOperationException e) {
            Files.createDirectories(path, new FileAttribute[0]);
        }
    }

    /** The bit that gives what is made in the folder its group is kept where it is, which the portable way would take away. */
    private static void openToGroup(java.nio.file.Path path) throws IOException {
        LinkOption[] follow = new LinkOption[0];
        try {
            int mode = ((Integer) Files.getAttribute(path, "unix:mode", follow)).intValue();
            Files.setAttribute(path, "unix:mode", Integer.valueOf((mode & 07777) | 070), follow);
        } catch (UnsupportedOperationException e) {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxrwx---"));
        }
    }

    private static FileAttribute[] attributes(String rights) {
        return new FileAttribute[] {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(rights))};
    }
}
