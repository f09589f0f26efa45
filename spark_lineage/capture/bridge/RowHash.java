package org.sparklineage.bridge;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.BitwiseXor;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNotNull;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.XxHash64;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;

/**
 * The two hashes of a row as expressions, as docs/checksum.md specifies them (snapshot/spark.py is the same in Python). Of rows of
 * plain values and structs; arrays, maps and what has no encoding are left to who reads the files.
 */
final class RowHash {
    private static final long[] LANES = {0x243F6A8885A308D3L, 0x13198A2E03707344L};
    static final int LANE_COUNT = 2;
    private static final long SEED = 42L;

    private RowHash() {
    }

    /** One column, or a field of a struct: its name, its class, where its value is. */
    private static final class Part {
        final String name;
        final String kind;
        final DataType type;
        final boolean nullable;
        final Expression value;

        Part(String name, DataType type, boolean nullable, Expression value) {
            this.name = name;
            this.kind = kind(type);
            this.type = type;
            this.nullable = nullable;
            this.value = value;
        }
    }

    /** Of the columns in a lane; null where one of them has no hash here, or two have one name. */
    static Expression of(List attributes, int lane) {
        ArrayList parts = parts(attributes);
        return parts == null ? null : struct(parts, lane);
    }

    /** Names and classes of the columns, hashed: as `classes_hash` in snapshot/kinds.py. Null as above. */
    static String classes(List attributes) throws Exception {
        ArrayList parts = parts(attributes);
        if (parts == null) {
            return null;
        }
        StringBuffer text = new StringBuffer();
        describe(parts, text);
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.toString().getBytes(StandardCharsets.UTF_8));
        return hex(Arrays.copyOf(digest, 16));
    }

    private static void describe(List parts, StringBuffer text) {
        for (int i = 0; i < parts.size(); i++) {
            Part part = (Part) parts.get(i);
            text.append(part.name.getBytes(StandardCharsets.UTF_8).length).append(':').append(part.name).append(part.kind);
            if (part.type instanceof StructType) {
                text.append('(');
                describe(fields(part.type, part.value), text);
                text.append(')');
            }
            text.append('\n');
        }
    }

    private static ArrayList parts(List attributes) {
        ArrayList parts = new ArrayList();
        for (int i = 0; i < attributes.size(); i++) {
            Attribute one = (Attribute) attributes.get(i);
            parts.add(new Part(one.name(), one.dataType(), one.nullable(), one));
        }
        return sorted(parts) ? parts : null;
    }

    private static ArrayList fields(DataType type, Expression value) {
        StructField[] fields = ((StructType) type).fields();
        ArrayList parts = new ArrayList();
        for (int i = 0; i < fields.length; i++) {
            Expression field = new GetStructField(value, i, scala.Option.apply(fields[i].name()));
            parts.add(new Part(fields[i].name(), fields[i].dataType(), fields[i].nullable(), field));
        }
        return sorted(parts) ? parts : null;
    }

    /** By the bytes of their names; false where this cannot tell their hash. */
    private static boolean sorted(ArrayList parts) {
        Collections.sort(parts, new Comparator() {
            public int compare(Object one, Object other) {
                return unsigned(((Part) one).name).compareTo(unsigned(((Part) other).name));
            }
        });
        for (int i = 0; i < parts.size(); i++) {
            Part part = (Part) parts.get(i);
            if (part.kind == null || i > 0 && part.name.equals(((Part) parts.get(i - 1)).name)) {
                return false;
            }
            if (part.type instanceof StructType && fields(part.type, part.value) == null) {
                return false;
            }
        }
        return true;
    }

    /** Compares as the UTF-8 bytes do: one character a byte. */
    private static String unsigned(String name) {
        return new String(name.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    private static Expression struct(List parts, int lane) {
        long always = LANES[lane];
        ArrayList missing = new ArrayList();
        ArrayList hashed = new ArrayList();
        for (int i = 0; i < parts.size(); i++) {
            Part part = (Part) parts.get(i);
            long key = key(part.kind + " " + part.name, lane);
            if (part.nullable) {
                missing.add(new If(new IsNull(part.value), number(0L), number(key)));
            } else {
                always ^= key;
            }
            hashed.add(value(part, lane));
        }
        Expression mask = number(always);
        for (int i = 0; i < missing.size(); i++) {
            mask = new BitwiseXor(mask, (Expression) missing.get(i));
        }
        hashed.add(0, mask);
        return new XxHash64(Inline.seq(hashed), SEED);
    }

    private static Expression value(Part part, int lane) {
        if (part.type instanceof StructType) {
            Expression inner = struct(fields(part.type, part.value), lane);
            return new If(new IsNotNull(part.value), inner, new Literal(null, DataTypes.LongType));
        }
        if (part.kind.equals("integer") && !(part.type instanceof LongType)) {
            return cast(part.value, DataTypes.LongType);
        }
        if (part.type instanceof FloatType) {
            return cast(part.value, DataTypes.DoubleType);
        }
        return part.kind.equals("string") && !part.type.equals(DataTypes.StringType) ? cast(part.value, DataTypes.StringType) : part.value;
    }

    private static Expression cast(Expression value, DataType type) {
        return new Cast(value, type, scala.Option.apply(null));
    }

    private static String kind(DataType type) {
        if (type instanceof ByteType || type instanceof ShortType || type instanceof IntegerType || type instanceof LongType) {
            return "integer";
        }
        if (type instanceof FloatType || type instanceof DoubleType) {
            return "floating";
        }
        if (type instanceof DecimalType) {
            DecimalType decimal = (DecimalType) type;
            return "decimal(" + (decimal.precision() <= 18 ? 18 : 38) + "," + decimal.scale() + ")";
        }
        return type instanceof BooleanType ? "boolean"
            : type instanceof DateType ? "date"
            : type instanceof TimestampType ? "timestamp"
            : type instanceof TimestampNTZType ? "timestamp_ntz"
            : type instanceof StringType ? "string"
            : type instanceof BinaryType ? "binary"
            : type instanceof StructType ? "struct" : null;
    }

    private static long key(String text, int lane) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            long result = 0L;
            for (int i = 7; i >= 0; i--) {
                result = result << 8 | digest[8 * lane + i] & 0xFFL;
            }
            return result;
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Expression number(long value) {
        return new Literal(Long.valueOf(value), DataTypes.LongType);
    }

    private static String hex(byte[] bytes) {
        String digits = new BigInteger(1, bytes).toString(16);
        StringBuffer text = new StringBuffer();
        for (int i = digits.length(); i < 2 * bytes.length; i++) {
            text.append('0');
        }
        return text.append(digits).toString();
    }
}
