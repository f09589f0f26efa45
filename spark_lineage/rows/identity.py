"""What a source row is known by: its file and its position there, its id where Delta tracks rows, else the hash of its content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from ..capture.java_sources import java_class
from ..errors import SnapshotError
from ..snapshot.kinds import columns_of
from ..snapshot.spark import row_hashes
from .bridge_sources import TRACER

PREFIX = "__lineage_leaf_"
"""Of the column with a leaf's identity; its number follows. Block.java knows it, too."""
_METADATA = {"file": "file_path", "position": "row_index", "row_id": "row_id"}
_TYPES = {"file": "string", "position": "bigint", "row_id": "bigint", "h0": "bigint", "h1": "bigint"}
"""The parts of an identity."""
PARTS = tuple(_TYPES)
"""Their names, in the order in which rows are shown."""
MEANT = "meant"
"""Of the field that says of a row whether it is one of those that are followed to what was made of them. Forward.java knows it, too."""


def identified(frame: DataFrame, number: int, meant: Column | None = None) -> DataFrame:
    """The rows of a leaf, each with a column more that says which it is: a struct of `file`, `position`, `row_id`, `h0`, `h1`, and of
    whether it is `meant` where that is asked."""
    told = _with_positions(frame)
    fields = _metadata_fields(told)
    known = {name: f"_metadata.{metadata}" for name, metadata in _METADATA.items() if metadata in fields}
    hashes: dict[str, Column] = {}
    if "position" not in known:  # equal rows are one then, in whatever files they are
        known.pop("file", None)
        hashes = _hashes(frame)
    if not hashes and meant is None:  # as one text, as every call of the JVM takes its time
        parts = ", ".join(f"'{name}', CAST({known.get(name, 'NULL')} AS {kind})" for name, kind in _TYPES.items())
        return told.select("*", F.expr(f"named_struct({parts}) AS {PREFIX}{number}"))
    named = [
        (F.expr(known[name]) if name in known else hashes.get(name, F.lit(None))).cast(kind).alias(name)
        for name, kind in _TYPES.items()
    ]
    if meant is not None:
        named.append(meant.cast("boolean").alias(MEANT))
    return told.select("*", F.struct(*named).alias(f"{PREFIX}{number}"))


def known_by(parts: Callable[[str], Column]) -> tuple[Column, Column]:
    """Two integers by which rows of one leaf are told apart, which need less room than their identities. `parts`: by name those of an identity.

    A file is its 64-bit hash: rows of two files that share it would be one where their positions are equal, too.
    """
    by_id, by_file = parts("row_id").isNotNull(), parts("position").isNotNull()
    one = F.coalesce(parts("row_id"), parts("position"), parts("h0"))
    return one, F.when(by_id, F.lit(0)).when(by_file, F.xxhash64(parts("file"))).otherwise(parts("h1")).cast("bigint")


def order_of(parts: Callable[[str], Column]) -> Column:
    """By which the first of many rows are told: no file's come before another's."""
    return F.xxhash64(*map(parts, PARTS))


MAX_LONG = (1 << 63) - 1
_SPARE = 64
"""So many rows more are looked at, so that of few, too, none is missed."""


def highest(rows: int, wanted: int) -> int:
    """Up to where in `order_of` the first rows are looked for, of so many: rather twice as many, so that as good as never one is missed."""
    return MAX_LONG if 2 * wanted + _SPARE >= rows else (2 * wanted + _SPARE) * (1 << 64) // rows - (1 << 63)


def _metadata_fields(frame: DataFrame) -> set[str]:
    """What Spark tells of a row beside its columns; nothing where a column of the rows themselves is called `_metadata`."""
    hidden = frame._jdf.queryExecution().analyzed().metadataOutput()
    for number in range(hidden.size()):
        column = hidden.apply(number)
        if column.name() == "_metadata" and "_metadata" not in map(str.lower, frame.columns):
            return set(column.dataType().fieldNames())
    return set()


def _hashes(frame: DataFrame) -> dict[str, Column]:
    """Nothing where a column has no canonical encoding: the rows can be shown, and not told apart later."""
    try:
        hashes = row_hashes(columns_of(frame.schema.jsonValue()))
    except SnapshotError:
        return {}
    return dict(zip(("h0", "h1"), hashes, strict=True))


def _with_positions(frame: DataFrame) -> DataFrame:
    """The same rows, where scans of Delta tables tell positions: see Leaves.java."""
    session = frame.sparkSession
    leaves = TRACER.new(session.sparkContext._gateway, "Leaves")
    return _of(session, leaves.withPositions(frame._jdf.queryExecution().analyzed()))


def in_session(frame: DataFrame, session: SparkSession) -> DataFrame:
    """The same rows, where what is asked of them is understood by the settings of another session."""
    return _of(session, frame._jdf.queryExecution().analyzed())


def _of(session: SparkSession, plan: Any) -> DataFrame:
    datasets = java_class(session.sparkContext._gateway, "org.apache.spark.sql.classic.Dataset")
    return DataFrame(datasets.ofRows(session._jsparkSession, plan), session)
