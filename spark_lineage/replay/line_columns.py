"""Lines of CSV and JSON, compared by the columns that were written into them.

A line is taken apart, and put together again from its columns. Where that does not give the same line, its text counts beside its columns, so that nothing
that differs is lost by how it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.errors import PySparkException
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import DataType, StringType, StructField, StructType, TimestampNTZType, TimestampType

from ..lineage.naming import DatasetKey
from ..store.tables import Store, literal
from .comparing import Term, difference
from .judging import declared_in
from .verdict import Changed, Difference, Values

_OF_READERS = ("header", "mode", "columnnameofcorruptrecord", "encoding", "charset")
"""Options that bear on files or on what cannot be read, and on no line that a writer made."""


@dataclass(frozen=True)
class Lines:
    """How rows become lines: `csv` or `json`, with the options of the writer."""

    source: str
    options: Mapping[str, str]

    def leaves_out(self, columns: Sequence[str]) -> bool:
        """Whether there may be rows of which no line is left."""
        return self.source == "csv" and len(columns) == 1

    def of(self, values: Sequence[SparkColumn], names: Sequence[str]) -> SparkColumn:
        """The line of a row; null where the writer leaves none: of CSV with one column whose text is empty."""
        row, options = F.struct(*(value.alias(name) for value, name in zip(values, names, strict=True))), dict(self.options)
        if self.source == "json":
            return F.to_json(row, options)
        if len(values) > 1:
            return F.to_csv(row, options)
        one = F.lit(1)  # to_csv gives null of such a row, and says that it never does: Spark fails over it
        more, two = (F.to_csv(F.struct(value.alias("c0"), one.alias("c1")), options) for value in (values[0], one))
        added = F.length(two) - F.length(F.to_csv(F.struct(one.alias("c0")), options))
        return F.nullif(F.substring(more, F.lit(1), F.length(more) - added), F.lit(""))

    def parted(self, frame: DataFrame, schema: StructType, rest: str) -> DataFrame:
        """The columns of lines, and in the column `rest` those lines that their columns do not give again. Raises PySparkException for types that
        lines do not have."""
        options = {name: value for name, value in self.options.items() if name.lower() not in _OF_READERS}
        if self.source == "csv":
            types = ", ".join(f"`{field.name.replace('`', '``')}` {field.dataType.simpleString()}" for field in schema)
            row = F.from_csv("value", types, options)
        else:
            row = F.from_json("value", schema, options)
        parsed = frame.select("value", row.alias("row"))
        line = F.col("value")
        again = self.of([F.col("row").getField(name) for name in schema.names], schema.names)
        return parsed.select("row.*", F.when(F.coalesce(again, F.lit("")) != line, line).alias(rest))

    def difference(
        self,
        recorded: Sequence[Term],
        replayed: Sequence[Term],
        schema: StructType,
        volatile: Sequence[str],
        tolerance: float,
        sample: int,
    ) -> Difference | None:
        """How lines differ in the columns of a schema; None where that is not in these, or does not tell all of it."""
        declared = declared_in(volatile, schema)
        rest = "line"
        while rest.lower() in {name.lower() for name in schema.names}:
            rest += "_"
        told = StructType([_told(field) for field in schema])
        try:
            then, now = (
                [Term(self.parted(term.frame, told, rest), term.sign) for term in side] for side in (recorded, replayed)
            )
        except PySparkException:
            return None
        found = difference(then, now, now[0].frame.schema, declared, tolerance, sample)
        if rest in found.differing or not (found.missing or found.unexpected or found.within or declared):
            return None
        return _without(found, rest)


def other_counts(then: int, now: int) -> str:
    """Why lines that are the same are of other rows."""
    return f"{then} rows were written then, and {now} now: a null leaves no line in CSV of one column"


def without_headers(then: DataFrame, now: DataFrame, names: Sequence[str]) -> tuple[DataFrame, DataFrame]:
    """The lines of two folders of CSV of which no plan says whether they have headers, without these: a folder has them where each of its files has one
    line that names the columns. As they are where only one of the folders has: then there are lines that the other has not."""
    partitions = {name.lower() for name in then.columns[1:]}
    written = [name for name in names if name.lower() not in partitions]
    if not written:
        return then, now
    header = F.col("value").rlike(_header(written))
    for frame in (then, now):
        files = frame.groupBy("_metadata.file_path").agg(F.count_if(header).alias("n"))
        told = files.agg(F.count_if(F.col("n") == 1).alias("one"), F.count("n").alias("all")).first()
        if told is None or not told["one"] or told["one"] < told["all"]:
            return then, now
    return then.where(~header), now.where(~header)


def _header(names: Sequence[str]) -> str:
    """What the line matches that names columns, by whatever they are parted; they may be in quotes."""
    first, *others = [f'"?{re.escape(name)}"?' for name in names]
    parted = "(.{1,8}?)" + r"\1".join(others) if others else ""
    return f"^{first}{parted}\\r?$"


def recorded_schema(store: Store, execution_id: str, key: DatasetKey) -> StructType | None:
    """The columns that an execution wrote there, as they are recorded. None where they are not, or are of types that this Spark does not know."""
    condition = f"execution_id = {literal(execution_id)} and namespace = {literal(key[0])} and name = {literal(key[1])}"
    hashes = store.arrow("outputs", ["schema_hash"], condition).column(0).to_pylist()
    known = next((str(one) for one in hashes if one), None)
    if known is None:
        return None
    found = store.arrow("schemas", ["fields"], f"schema_hash = {literal(known)}").column(0).to_pylist()
    schema, above = StructType(), None
    for field in sorted(found[0] if found else (), key=lambda field: field["ordinal"]):
        if above is None or not field["path"].startswith(f"{above}."):
            above = field["path"]
            try:
                schema = schema.add(above, DataType.fromDDL(field["data_type"]))
            except PySparkException:
                return None
    return schema if len(schema) else None


def _told(field: StructField) -> StructField:
    """Points in time by their text: how it is written depends on the time zone of the session that wrote it."""
    return StructField(field.name, StringType()) if isinstance(field.dataType, (TimestampType, TimestampNTZType)) else field


def _without(found: Difference, rest: str) -> Difference:
    """Where no line is in `rest`."""
    changed = [side for one in found.sample_changed for side in (one.recorded, one.replayed)]
    if any(row[-1] is not None for row in (*changed, *found.sample_missing, *found.sample_unexpected)):
        return found

    def cut(rows: Sequence[Values]) -> tuple[Values, ...]:
        return tuple(row[:-1] for row in rows)

    return replace(
        found, columns=found.columns[:-1], sample_missing=cut(found.sample_missing), sample_unexpected=cut(found.sample_unexpected),
        sample_changed=tuple(Changed(recorded=one.recorded[:-1], replayed=one.replayed[:-1], columns=one.columns) for one in found.sample_changed),
    )  # fmt: skip
