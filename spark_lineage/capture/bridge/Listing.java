package org.sparklineage.bridge;

import java.security.MessageDigest;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.execution.ScanFileListing;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.datasources.FilePartition;
import org.apache.spark.sql.execution.datasources.PartitionedFile;

/**
 * The files that a scan read, as the plan kept them when it ran: nothing is listed again. The fingerprint is a SHA-256 over the
 * sorted lines "path TAB size TAB modification time"; empty files are left out, since Spark does not read them.
 */
final class Listing {
    static final int LIMIT = 200000;
    private final TreeMap files = new TreeMap();
    private long bytes;
    private boolean over;
    private final RealPaths links;

    /** `links` are those of the document: through whatever links a file is read, it is the same file. */
    Listing(RealPaths links) {
        this.links = links;
    }

    /** Several parts of one file count once. */
    void add(String given, long size, long modified) {
        String path = links == null ? given : links.follow(given);
        if (size <= 0L || files.containsKey(path)) {
            return;
        }
        if (files.size() >= LIMIT) {
            over = true;
            return;
        }
        files.put(path, size + "\t" + modified);
        bytes += size;
    }

    private void add(PartitionedFile[] parts) {
        for (int i = 0; i < parts.length && !over; i++) {
            add(parts[i].toPath().toString(), parts[i].fileSize(), parts[i].modificationTime());
        }
    }

    int size() {
        return files.size();
    }

    long bytes() {
        return bytes;
    }

    /** `listing:...` of the whole dataset, `partitions:...` where a part of it was read; null when there are none or too many. */
    String fingerprint(boolean whole) {
        if (over || files.isEmpty()) {
            return null;
        }
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            Iterator entries = files.entrySet().iterator();
            while (entries.hasNext()) {
                Map.Entry entry = (Map.Entry) entries.next();
                digest.update((entry.getKey() + "\t" + entry.getValue() + "\n").getBytes("UTF-8"));
            }
            return (whole ? "listing:" : "partitions:") + hex(digest.digest(), 16);
        } catch (Exception e) {
            return null;
        }
    }

    /** What a FileSourceScanExec read, of an index that is not Delta's. */
    static String ofFileScan(SparkPlan plan, Object index, RealPaths links) {
        boolean filtered = !Reflect.list(Reflect.tryCall(plan, "partitionFilters")).isEmpty();
        Object selected = Reflect.field(plan, "dynamicallySelectedPartitions");
        if (selected == null) {
            selected = Reflect.field(plan, "selectedPartitions");
        }
        if (!(selected instanceof ScanFileListing)) {
            return filtered ? null : ofIndex(index, links).fingerprint(true);
        }
        ScanFileListing scanned = (ScanFileListing) selected;
        if (scanned.totalNumberOfFiles() > LIMIT) {
            return null;
        }
        Listing listing = new Listing(links);
        listing.add(scanned.toPartitionArray());
        boolean ofCatalog = Reflect.unwrap(Reflect.tryCall(plan, "tableIdentifier")) != null;
        return listing.fingerprint(!filtered || !ofCatalog && listing.size() == ofIndex(index, links).size());
    }

    /** What a BatchScanExec of files read; empty when it did not run. */
    static Listing ofBatchScan(SparkPlan plan, RealPaths links) {
        Listing listing = new Listing(links);
        Object filtered = Reflect.field(plan, "filteredPartitions");
        listing.addPartitions(Reflect.list(filtered == null ? Reflect.field(plan, "inputPartitions") : filtered));
        return listing;
    }

    /** Partitions of a scan, or groups of them; in Spark 4.1 some are Options. */
    private void addPartitions(List partitions) {
        for (int i = 0; i < partitions.size() && !over; i++) {
            Object one = Reflect.unwrap(partitions.get(i));
            if (one instanceof FilePartition) {
                add(((FilePartition) one).files());
            } else if (one instanceof scala.collection.Iterable) {
                addPartitions(Reflect.list(one));
            }
        }
    }

    /** What an index holds in memory; nothing for one that would have to ask a catalog. */
    static Listing ofIndex(Object index, RealPaths links) {
        Listing listing = new Listing(links);
        List all = Reflect.list(Reflect.tryCall(index, "allFiles"));
        for (int i = 0; i < all.size() && !listing.over; i++) {
            FileStatus file = (FileStatus) all.get(i);
            listing.add(file.getPath().toString(), file.getLen(), file.getModificationTime());
        }
        return listing;
    }

    static String hex(byte[] bytes, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(Character.forDigit((bytes[i] >> 4) & 15, 16)).append(Character.forDigit(bytes[i] & 15, 16));
        }
        return text.toString();
    }
}
