"""Which rows of a dataset are followed forward: as a leaf of a plan says it of each of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import StructType

from ..errors import QueryError, TraceError
from ..lineage.naming import DatasetKey
from ..snapshot.spark import quoted
from ..snapshot.with_spark import first_line_of_spark
from .equality import equal, is_comparable
from .identity import MEANT, PREFIX, identified
from .lifetimes import Lifetime, Log
from .local import collected, local_frame
from .places import telling
from .readings import Reading
from .tracing import source_row
from .witness import SourceRow

Sample = tuple[tuple[SourceRow, ...], int]
"""Some of the rows that are meant, and how many there are."""
_KNOWN = "__lineage_known_"
_numbers = count()


@dataclass(frozen=True, kw_only=True)
class Meant:
    """Rows of a dataset that are followed: those that meet a condition, in whichever version was read (or in `version` alone); or known
    rows of one version of a table, and of those in which they lie."""

    key: DatasetKey
    alias: str | None
    location: str | None
    depth: int
    condition: str = ""
    version: int | None = None
    table_id: str | None = None
    rows: tuple[Row, ...] = ()
    schema: StructType | None = None
    lifetime: Lifetime | None = None
    log: Log | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    left: str | None = None
    """What is to be said of rows that are not among them."""

    @property
    def name(self) -> str:
        return self.alias or self.key[1]

    def is_read_by(self, reading: Reading) -> bool:
        if self.lifetime is None:
            return self.version is None or reading.version == self.version
        of_it = reading.table_id is None or reading.table_id == self.table_id
        return of_it and (reading.version is None or self.lifetime.holds(reading.version))

    def said(self, rows: DataFrame, number: int, version: int | None) -> DataFrame:
        """A leaf's rows, `identified`, which say whether they are meant. Raises QueryError where the condition cannot be asked of them."""
        if self.lifetime is None:
            return identified(rows, number, self._condition(rows))
        assert self.schema is not None
        assert self.log is not None
        assert version is not None
        known, same = self._known(rows, version)
        files = self.log.files(version, self.lifetime.carriers)
        told, in_file, more = telling(rows, "_metadata.file_path", files, self.log.files(version))
        there = F.col(f"{_KNOWN}there") & in_file
        return identified(told.join(F.broadcast(known), same, "left"), number, there).drop(*known.columns, *more)

    def _known(self, rows: DataFrame, version: int) -> tuple[DataFrame, Column]:
        """The values of the known rows, each once, and that a row is equal to them in the columns that both have."""
        assert self.schema is not None
        types = {one.name: one.dataType for one in self.schema if is_comparable(one.dataType)}
        columns = [one.name for one in rows.schema if types.get(one.name) == one.dataType]
        if not columns:
            raise TraceError(f"version {version} of {self.name} has no column by which the rows could be known again")
        values = {repr(one): one for one in ([row[name] for name in columns] for row in self.rows)}
        schema, same = StructType(), F.lit(True)
        for at, name in enumerate(columns):
            schema = schema.add(f"{_KNOWN}{at}", types[name])
            same = same & equal(F.col(quoted(name)), types[name], F.col(f"{_KNOWN}{at}"), types[name], near=False)
        return local_frame(rows.sparkSession, list(values.values()), schema).select(
            "*", F.lit(True).alias(f"{_KNOWN}there")
        ), same

    def _condition(self, rows: DataFrame) -> Column:
        try:
            plan: Any = rows.where(self.condition)._jdf.queryExecution().analyzed()
        except (PySparkException, Py4JJavaError) as error:
            raise QueryError(
                f"the condition {self.condition!r} cannot be asked of {self.name}: {first_line_of_spark(error)}"
            ) from error
        if not plan.deterministic():
            raise QueryError(f"the condition {self.condition!r} does not mean the same rows each time it is asked")
        return F.expr(self.condition)


def sampled(said: DataFrame, number: int, limit: int) -> Sample:
    """Some of the rows that are meant, and how many there are."""
    identity = f"{PREFIX}{number}"
    rows = said.where(f"{identity}.{MEANT}")
    found = collected(rows.limit(limit + 1))
    count = len(found) if len(found) <= limit else rows.count()
    shown = (source_row(row[identity], {k: v for k, v in row.asDict().items() if k != identity}) for row in found[:limit])
    return tuple(shown), count
