package org.sparklineage.bridge;

import org.apache.spark.sql.connector.read.streaming.Offset;
import org.apache.spark.sql.connector.read.streaming.SparkDataStream;

/** Writes which source of a stream a leaf reads, and how far: what its batch's progress calls it by. */
final class StreamSources {
    private StreamSources() {
    }

    /** False if the value is none of a stream's source, an offset, a sink of files. */
    static boolean write(Json out, Object value, Redaction redaction) {
        if (value instanceof SparkDataStream) {
            out.open('{').key("stream").open('{').field("class", value.getClass().getName());
            int mark = out.mark();
            try {
                String description = value.toString();
                if (description.startsWith("FileStreamSource[") && description.endsWith("]")) {
                    // The folder that it watches: noted, for the links that lead there.
                    redaction.path(description.substring(17, description.length() - 1));
                }
                out.field("description", Reflect.cut(redaction.text(description), 2000));
            } catch (RuntimeException e) {
                out.reset(mark);
            }
            out.close('}').close('}');
        } else if (value instanceof Offset) {
            out.open('{').key("offset").string(Reflect.cut(Reflect.text(Reflect.tryCall(value, "json")), 100000)).close('}');
        } else if (Reflect.simpleName(value).equals("KafkaRelation")) {
            kafka(out, value, redaction);
        } else if (Reflect.simpleName(value).equals("FileStreamSink")) {
            fileSink(out, value, redaction);
        } else {
            return false;
        }
        return true;
    }

    /** A read of Kafka that is no stream: the relation itself tells only of its topics, the options of the broker too. */
    private static void kafka(Json out, Object relation, Redaction redaction) {
        out.open('{').key("relation").open('{').field("class", relation.getClass().getName()).field("format", "kafka");
        out.key("options").open('{');
        Object options = Reflect.field(relation, "sourceOptions");
        if (options instanceof scala.collection.Map) {
            scala.collection.Iterator entries = ((scala.collection.Map) options).iterator();
            while (entries.hasNext()) {
                scala.Tuple2 entry = (scala.Tuple2) entries.next();
                String key = String.valueOf(entry._1());
                out.field(key, Reflect.cut(redaction.value(key, Reflect.text(entry._2())), 4000));
            }
        }
        out.close('}').close('}').close('}');
    }

    /** As the table that it is, with what it does not tell itself: where it writes, in which format. */
    private static void fileSink(Json out, Object sink, Redaction redaction) {
        out.open('{').key("v2table").open('{').field("class", sink.getClass().getName()).key("properties").open('{');
        out.field("path", redaction.path(Reflect.field(sink, "path")));
        out.field("provider", Sources.format(Reflect.field(sink, "fileFormat")));
        out.close('}').close('}').close('}');
    }
}
