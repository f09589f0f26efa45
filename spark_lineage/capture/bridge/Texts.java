package org.sparklineage.bridge;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Looks for secrets in the values that a plan holds: literals, and the rows of local data. */
final class Texts {
    private final Redaction redaction;
    private final Budget budget;

    Texts(Redaction redaction, Budget budget) {
        this.redaction = redaction;
        this.budget = budget;
    }

    /** Whether a value of this type is or holds a text that looks like a secret. Throws Budget.Over when the time is spent. */
    boolean secret(Object value, DataType type) {
        if (value == null) {
            return false;
        }
        if (type instanceof StringType) {
            String text = value.toString();
            return !text.equals(redaction.text(text));
        }
        if (value instanceof InternalRow && type instanceof StructType) {
            return row((InternalRow) value, ((StructType) type).fields());
        }
        if (value instanceof ArrayData && type instanceof ArrayType) {
            return array((ArrayData) value, ((ArrayType) type).elementType());
        }
        if (value instanceof MapData && type instanceof MapType) {
            MapType map = (MapType) type;
            return array(((MapData) value).keyArray(), map.keyType()) || array(((MapData) value).valueArray(), map.valueType());
        }
        return false;
    }

    private boolean row(InternalRow row, StructField[] fields) {
        budget.step();
        for (int i = 0; i < fields.length; i++) {
            DataType type = fields[i].dataType();
            if (holds(type) && !row.isNullAt(i) && secret(row.get(i, type), type)) {
                return true;
            }
        }
        return false;
    }

    private boolean array(ArrayData array, DataType type) {
        budget.step();
        int count = holds(type) ? array.numElements() : 0;
        for (int i = 0; i < count; i++) {
            if (!array.isNullAt(i) && secret(array.get(i, type), type)) {
                return true;
            }
        }
        return false;
    }

    /** Whether a value of this type can be or hold a text. */
    private static boolean holds(DataType type) {
        return type instanceof StringType || type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
    }
}
