from __future__ import annotations

from spark_lineage.lineage.schema import DEEPEST, schema_of
from spark_lineage.plan.values import Field


def paths(*fields: Field) -> list[tuple[str, str]]:
    schema = schema_of(fields)
    assert schema is not None
    assert [row.ordinal for row in schema.fields] == list(range(len(schema.fields)))
    return [(row.path, row.data_type) for row in schema.fields]


def test_nested_fields_follow_their_column_by_dotted_path() -> None:
    assert paths(Field("id", "bigint"), Field("at", "struct<city:string,spot:struct<x:decimal(3,1),y:double>>")) == [
        ("id", "bigint"),
        ("at", "struct<city:string,spot:struct<x:decimal(3,1),y:double>>"),
        ("at.city", "string"),
        ("at.spot", "struct<x:decimal(3,1),y:double>"),
        ("at.spot.x", "decimal(3,1)"),
        ("at.spot.y", "double"),
    ]


def test_structs_in_arrays_and_maps() -> None:
    assert paths(Field("a", "array<struct<x:int>>"), Field("m", "map<string,struct<y:int>>"), Field("p", "array<int>")) == [
        ("a", "array<struct<x:int>>"),
        ("a.element.x", "int"),
        ("m", "map<string,struct<y:int>>"),
        ("m.value.y", "int"),
        ("p", "array<int>"),
    ]


def test_a_type_that_cannot_be_read_is_one_row() -> None:
    assert paths(Field("a", "struct<broken")) == [("a", "struct<broken")]


def test_a_type_of_any_depth_ends() -> None:
    assert len(paths(Field("a", "struct<b:" * 500 + "int" + ">" * 500))) == DEEPEST + 1


def test_a_schema_is_named_by_names_types_and_nullability() -> None:
    one = schema_of([Field("a", "int", True)])
    assert one == schema_of([Field("a", "int", True)])
    others = [
        [Field("a", "int", False)],
        [Field("a", "bigint", True)],
        [Field("b", "int", True)],
        [Field("a", "int"), Field("a", "int")],
    ]
    assert one is not None
    assert all(schema.schema_hash != one.schema_hash for other in others if (schema := schema_of(other)))
    assert schema_of([]) is None
