package org.sparklineage.bridge;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.Iterator;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Reads what a Delta log says of one commit. Does I/O: on the worker's thread alone, one small file at a time. */
final class DeltaLogFile {
    private static final int LINE_LIMIT = 4000000;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private DeltaLogFile() {
    }

    static Path of(String table, long version) {
        String number = String.valueOf(version);
        StringBuilder name = new StringBuilder();
        for (int i = number.length(); i < 20; i++) {
            name.append('0');
        }
        return new Path(new Path(table, "_delta_log"), name.append(number).append(".json").toString());
    }

    /** The commitInfo of a version as JSON, null where there is no such file or it says nothing. Throws IOException. */
    static JsonNode commitInfo(Configuration configuration, String table, long version) throws IOException {
        Path file = of(table, version);
        FileSystem system = file.getFileSystem(configuration);
        BufferedReader reader;
        try {
            reader = new BufferedReader(new InputStreamReader(system.open(file), "UTF-8"));
        } catch (FileNotFoundException e) {
            return null;
        }
        try {
            for (int i = 0; i < 3; i++) {
                String line = reader.readLine();
                if (line == null || line.length() > LINE_LIMIT) {
                    return null;
                }
                JsonNode info = MAPPER.readTree(line).get("commitInfo");
                if (info != null) {
                    return info;
                }
            }
            return null;
        } finally {
            reader.close();
        }
    }

    /** Puts into a commit what its commitInfo says and its transaction did not; not the parameters, which hold literals. */
    static void complete(DeltaCommit commit, JsonNode info) {
        commit.operation = text(info.get("operation"));
        entries(info.get("operationMetrics"), commit.metrics);
    }

    static String text(JsonNode value) {
        return value == null || value.isNull() ? null : value.asText();
    }

    private static void entries(JsonNode object, Map into) {
        if (object == null || !object.isObject()) {
            return;
        }
        Iterator names = object.fieldNames();
        while (names.hasNext()) {
            String name = (String) names.next();
            String value = text(object.get(name));
            if (value != null && !into.containsKey(name)) {
                into.put(name, value);
            }
        }
    }
}
