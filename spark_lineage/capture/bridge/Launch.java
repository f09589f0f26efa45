package org.sparklineage.bridge;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;

/** The side of the started command in `spark-lineage run`: takes the run id it gave, tells it where documents are written. */
final class Launch {
    private final String given;
    private final String report;

    Launch(Options options) {
        this.given = options.variable("SPARK_LINEAGE_RUN_ID");
        this.report = options.variable("SPARK_LINEAGE_LAUNCH_REPORT");
    }

    /** The run id that was given to the command, for the first application in it; `other` for the ones after that. */
    String runId(String other) throws IOException {
        if (given == null || report == null || !report.endsWith(".jsonl")) {
            return given != null && report == null ? given : other;
        }
        File claim = new File(report.substring(0, report.length() - 6) + ".claimed");
        try {
            return claim.createNewFile() ? given : other;
        } catch (IOException e) {
            return other;
        }
    }

    /** One line for the launcher, which notes how the command ended. Documents only: nobody is asked to ingest them. */
    void tell(String folder, String inbox, String store) throws IOException {
        if (report == null || !new File(report).isFile()) {
            return;
        }
        Json line = new Json();
        line.open('{').field("folder", folder).field("inbox", inbox).field("store", store).field("ingest", "none").close('}');
        FileOutputStream out = new FileOutputStream(report, true);
        try {
            out.write((line.toString() + "\n").getBytes("UTF-8"));
        } finally {
            out.close();
        }
    }
}
