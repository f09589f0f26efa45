package org.sparklineage.bridge;

import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** The columns of a plan that is being written: their numbers, names and types, each once. */
final class Columns {
    final LinkedHashMap attributes = new LinkedHashMap();
    /** Names that Spark made of expressions, and what stands for them without the literals. */
    final HashMap madeNames = new HashMap();
    private final Branches branches;

    /** `branches`: how a branch of a union numbers its columns; null for a whole plan. */
    Columns(Branches branches) {
        this.branches = branches;
    }

    /** All of them, by number: name, type, nullable. */
    void write(Json out) {
        out.key("attributes").open('{');
        Iterator entries = attributes.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry entry = (Map.Entry) entries.next();
            out.key(entry.getKey().toString()).raw((String) entry.getValue()).comma();
        }
        out.close('}').comma();
    }

    void schema(Json out, StructType schema) {
        StructField[] fields = schema.fields();
        out.open('[');
        for (int i = 0; i < fields.length; i++) {
            out.open('[').string(name(fields[i].name())).comma().string(type(fields[i].dataType())).comma();
            out.raw(fields[i].nullable() ? "true" : "false").close(']').comma();
        }
        out.close(']');
    }

    void define(ExprId id) {
        if (branches != null) {
            branches.define(id.id());
        }
    }

    long number(ExprId id) {
        return branches == null ? id.id() : branches.number(id.id());
    }

    /** A column's name as it is written. */
    String name(String name) {
        String made = (String) madeNames.get(name);
        return made == null ? name : made;
    }

    /** A type's text, with the names of its fields as they are written. */
    String type(DataType type) {
        return (madeNames.isEmpty() ? type : renamed(type)).catalogString();
    }

    private DataType renamed(DataType type) {
        if (type instanceof ArrayType) {
            return new ArrayType(renamed(((ArrayType) type).elementType()), ((ArrayType) type).containsNull());
        }
        if (type instanceof MapType) {
            MapType map = (MapType) type;
            return new MapType(renamed(map.keyType()), renamed(map.valueType()), map.valueContainsNull());
        }
        if (!(type instanceof StructType)) {
            return type;
        }
        StructField[] fields = ((StructType) type).fields();
        StructField[] result = new StructField[fields.length];
        for (int i = 0; i < fields.length; i++) {
            result[i] = new StructField(name(fields[i].name()), renamed(fields[i].dataType()), fields[i].nullable(), fields[i].metadata());
        }
        return new StructType(result);
    }

    long attribute(Attribute attribute) {
        long id = number(attribute.exprId());
        Long key = Long.valueOf(id);
        if (!attributes.containsKey(key)) {
            Json text = new Json();
            text.open('[').string(name(attribute.name())).comma().string(type(attribute.dataType())).comma();
            text.raw(attribute.nullable() ? "true" : "false").close(']');
            attributes.put(key, text.toString());
        }
        return id;
    }

    /** What an alias gives: the types of computed columns are known from it alone. `literals` where they are to be kept out, else null. */
    void given(Alias alias, Literals literals) {
        define(alias.exprId());
        String made = literals == null && madeNames.isEmpty() ? null : Blank.madeName(alias, literals, madeNames);
        if (made != null) {
            madeNames.put(alias.name(), made);
        }
        try {
            attribute(alias.toAttribute());
        } catch (RuntimeException e) {
            attributes.remove(Long.valueOf(number(alias.exprId())));
        }
    }
}
