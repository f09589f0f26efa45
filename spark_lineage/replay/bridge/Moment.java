package org.sparklineage.replay;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.TimestampNTZType$;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;

/** Puts the values that current_timestamp and its like took where the stored plan asks for them. */
final class Moment {
    private static final String EXPRESSIONS = "org.apache.spark.sql.catalyst.expressions.";
    private final Map given;

    /** `given` has texts: `instant_us`, `time_zone`, `user`, `catalog`, `schema`; what is not there stays as it is in the plan. */
    Moment(Map given) {
        this.given = given;
    }

    /** A literal for an expression of this class with these arguments, null where it is none of these. */
    Object literal(String className, Object[] arguments) throws Exception {
        if (!className.startsWith(EXPRESSIONS)) {
            return null;
        }
        String name = className.substring(EXPRESSIONS.length());
        if (name.equals("CurrentUser")) {
            return text("user");
        }
        if (name.equals("CurrentCatalog")) {
            return text("catalog");
        }
        if (name.equals("CurrentDatabase")) {
            return text("schema");
        }
        Object micros = given.get("instant_us");
        return micros == null ? null : time(name, Long.parseLong((String) micros), arguments);
    }

    private Object text(String key) {
        Object value = given.get(key);
        return value == null ? null : new Literal(UTF8String.fromString((String) value), DataTypes.StringType);
    }

    private Object time(String name, long micros, Object[] arguments) throws Exception {
        if (name.equals("CurrentTimestamp") || name.equals("Now")) {
            return new Literal(Long.valueOf(micros), DataTypes.TimestampType);
        }
        boolean date = name.equals("CurrentDate");
        if (!date && !name.equals("LocalTimestamp")) {
            if (name.equals("CurrentTime")) {
                throw new IllegalStateException("current_time() cannot be given the recorded time");
            }
            return null;
        }
        Instant instant = Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
        LocalDateTime local = LocalDateTime.ofInstant(instant, zone(arguments));
        if (date) {
            return new Literal(Integer.valueOf((int) local.toLocalDate().toEpochDay()), DataTypes.DateType);
        }
        long wall = ChronoUnit.MICROS.between(LocalDateTime.ofEpochSecond(0L, 0, ZoneOffset.UTC), local);
        return new Literal(Long.valueOf(wall), TimestampNTZType$.MODULE$);
    }

    private ZoneId zone(Object[] arguments) {
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i] instanceof Option && ((Option) arguments[i]).isDefined()) {
                return ZoneId.of(String.valueOf(((Option) arguments[i]).get()));
            }
        }
        Object zone = given.get("time_zone");
        return zone == null ? ZoneId.systemDefault() : ZoneId.of((String) zone);
    }
}
