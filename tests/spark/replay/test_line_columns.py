"""Lines of CSV and JSON by the columns that were written into them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql.types import StringType, StructField, StructType

from spark_lineage.replay import job_outputs
from spark_lineage.replay.comparing import Term
from spark_lineage.replay.job_outputs import Comparing
from spark_lineage.replay.line_columns import Lines
from spark_lineage.replay.replaying import Options
from spark_lineage.replay.verdict import Difference
from spark_lineage.replay.written import Expected

SCHEMA = "id BIGINT, name STRING, total DOUBLE, loaded_at TIMESTAMP"


def differing(
    spark: Any, source: str, options: dict[str, str], then: list[str], now: list[str], *volatile: str, schema: str = SCHEMA
) -> Difference | None:
    recorded, replayed = ([Term(spark.createDataFrame([(line,) for line in lines], "value STRING"))] for lines in (then, now))
    return Lines(source, options).difference(
        recorded, replayed, cast("StructType", StructType.fromDDL(schema)), volatile, 1e-9, 5
    )


def test_columns_are_told_and_left_out(spark: Any) -> None:
    then = ["1,a,0.3,2020-01-01T00:00:00.000Z", '2,"b,c",2.0,2020-01-01T00:00:00.000Z']
    now = ["1,a,0.30000000000000004,2026-01-01T09:30:00.000+05:45", '2,"b,c",2.0,2026-01-01T00:00:00.000Z']
    found = differing(spark, "csv", {"header": "true"}, then, now)
    assert found is not None
    assert (found.changed, found.differing) == (2, ("total", "loaded_at"))
    assert found.columns == ("id", "name", "total", "loaded_at")
    assert len(found.sample_changed[0].recorded) == 4
    found = differing(spark, "csv", {"header": "true"}, then, now, "LOADED_AT")
    assert found is not None
    assert (found.missing, found.unexpected, found.within, found.differing) == (0, 0, 1, ("total",))


def test_of_json(spark: Any) -> None:
    then = ['{"id":1,"total":0.3,"loaded_at":"2020-01-01T00:00:00.000Z"}', '{"id":2,"name":"b"}']
    now = ['{"id":1,"total":0.30000000000000004,"loaded_at":"2026-01-01T00:00:00.000Z"}', '{"id":2,"name":"b"}']
    found = differing(spark, "json", {}, then, now, "loaded_at")
    assert found is not None
    assert (found.missing, found.unexpected, found.within) == (0, 0, 1)
    nested = "id BIGINT, `in` STRUCT<`a b`: DOUBLE>"
    lines = [f'{{"id":1,"in":{{"a b":{value}}}}}' for value in (0.3, 0.1 + 0.2)]
    found = differing(spark, "json", {}, lines[:1], lines[1:], schema=nested)
    assert found is not None
    assert (found.within, found.differing) == (1, ("in",))


@pytest.mark.soak
def test_what_columns_do_not_tell_is_not_lost(spark: Any) -> None:
    """A separator that is not known, a column that the schema has not, text that is no number: the lines as a whole are compared then."""
    end = "2020-01-01T00:00:00.000Z"
    for then, now in (
        (f"1;a;2.0;{end}", f"1;b;2.0;{end}"),
        (f"1,a,2.0,{end},x", f"1,a,2.0,{end},y"),
        (f"?,a,2.0,{end}", f"!,a,2.0,{end}"),
    ):
        assert differing(spark, "csv", {}, [then], [now], "loaded_at") is None, (then, now)
    found = differing(spark, "csv", {"sep": ";"}, [f"1;a;2.0;{end}"], [f"1;b;2.0;{end}"], "loaded_at")
    assert found is not None
    assert found.differing == ("name",)
    assert differing(spark, "json", {}, ['{"id":1,"x":2}'], ['{"id":1,"x":3}'], "loaded_at") is None
    header = "id,name,total,loaded_at"  # of files whose plan is not kept: nothing says that it is one
    found = differing(spark, "csv", {}, [header, f"1,a,2.0,{end}"], [header, "1,a,2.0,2026-01-01T00:00:00.000Z"], "loaded_at")
    assert found is not None
    assert (found.missing, found.unexpected) == (0, 0)


def test_of_lines_as_a_whole_no_column_is_left_out(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not one that is called as that of lines is. Nothing is recorded of what was written here."""
    monkeypatch.setattr(job_outputs, "recorded_schema", lambda *asked: None)
    lines = StructType([StructField("value", StringType())])
    recorded, replayed = ([Term(spark.createDataFrame([(line,)], lines))] for line in ("k;1", "k;2"))
    expected = Expected(lines, (), "rows", whole=True, lines=Lines("csv", {}))
    mine = SimpleNamespace(_options=Options(volatile=("value",)), _store=None)
    pair = SimpleNamespace(past=SimpleNamespace(execution_id="e"), written=SimpleNamespace(key=("file", "/lines")))
    found, declared = Comparing._difference(cast("Any", mine), cast("Any", pair), expected, recorded, replayed, {})
    assert (found.missing, found.unexpected, declared) == (1, 1, ())


def test_rows_that_leave_no_line_are_counted() -> None:
    """Of a job that is run again, where both wrote all that is there."""
    expected = Expected(StructType(), (), "rows", whole=True, lines=Lines("csv", {}))

    def counts(columns: list[str], mode: str = "overwrite") -> tuple[int, int] | None:
        sides = {side: SimpleNamespace(rows=rows, mode=mode) for side, rows in (("written", 2), ("other", 6))}
        return Comparing._counts(
            cast("Any", None), cast("Any", SimpleNamespace(**sides)), expected, {"outputColumnNames": columns}
        )

    assert counts(["a"]) == (2, 6)
    assert counts(["a", "b"]) is None
    assert counts(["a"], "append") is None
