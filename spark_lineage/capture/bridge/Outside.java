package org.sparklineage.bridge;

/** A Delta commit that no SQL execution made, with the job tags of its thread, which tell its run. */
final class Outside {
    final DeltaCommit commit;
    final String tags;

    Outside(DeltaCommit commit, String tags) {
        this.commit = commit;
        this.tags = tags == null ? "" : tags;
    }

    /** The run in whose job(...) the thread was, null outside of any. */
    String run() {
        String[] all = tags.split(",");
        for (int i = 0; i < all.length; i++) {
            if (all[i].startsWith(Document.RUN_TAG)) {
                return all[i].substring(Document.RUN_TAG.length());
            }
        }
        return null;
    }
}
