package org.sparklineage.bridge;

import java.util.HashSet;
import java.util.Set;

/** Commands that read no rows and change no table, view or database: they are left out. By name, for all versions. */
final class Quiet {
    private static final Set KINDS = new HashSet();

    static {
        String[] kinds = new String[] {"SetCommand", "ResetCommand", "SetCatalogAndNamespace", "SetNamespaceCommand", "SetCatalogCommand",
            "CreateVariable", "DropVariable", "ExplainCommand", "StreamingExplainCommand", "AddJarsCommand", "AddFilesCommand",
            "AddArchivesCommand", "ListJarsCommand", "ListFilesCommand", "ListArchivesCommand", "RefreshTable", "RefreshTableCommand",
            "RefreshResource", "RefreshFunction", "RefreshFunctionCommand", "ClearCacheCommand", "UncacheTable", "DescribeRelation",
            "ExternalCommandExecutor", "NoopCommand"};
        for (int i = 0; i < kinds.length; i++) {
            KINDS.add(kinds[i]);
        }
    }

    private Quiet() {
    }

    /** Whether a command of this class tells, sets or forgets something of the session and nothing else. */
    static boolean is(String kind) {
        return KINDS.contains(kind) || kind.startsWith("Show") || kind.startsWith("Describe") || kind.startsWith("GetMetadata");
    }
}
