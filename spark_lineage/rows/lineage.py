"""`spark_lineage.open(path)`: the questions to the lineage tables, what reads datasets, and what asks Spark for their rows.

Spark is imported when a row is traced: nothing else needs it.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Literal, overload

from ..config import load
from ..errors import QueryError
from ..replay.lineage import Lineage as Replays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from ..model import RowLineage, RowSample
    from .witness import ForwardHop, Hop


class Lineage(Replays):
    """What is recorded in one store, what the datasets themselves hold, and which rows made which."""

    @overload
    def trace(
        self, dataset: str, *, where: str, version: int | None = None, forward: Literal[False] = False, depth: int = 1,
        rows: int = 10, limit: int = 20, deciding: bool = False, spark: SparkSession | None = None,
    ) -> tuple[Hop, ...]: ...  # fmt: skip

    @overload
    def trace(
        self, dataset: str, *, where: str, version: int | None = None, forward: Literal[True], history: bool = False,
        executions: int = 50, depth: int = 1, limit: int = 20, spark: SparkSession | None = None,
    ) -> tuple[ForwardHop, ...]: ...  # fmt: skip

    def trace(
        self,
        dataset: str,
        *,
        where: str,
        version: int | None = None,
        forward: bool = False,
        history: bool = False,
        executions: int = 50,
        depth: int = 1,
        rows: int = 10,
        limit: int = 20,
        deciding: bool = False,
        spark: SparkSession | None = None,
    ) -> tuple[Hop, ...] | tuple[ForwardHop, ...]:
        """The source rows that made rows of a Delta table, hop by hop, or `forward` the rows that were made of rows of a dataset: as
        `spark-lineage trace`, in this session or the active one.

        `deciding`: of a group with a min, max, first or last only the rows that decided it, of a rank the row alone: `completeness` is `deciding` then.
        Raises `NotFound` where no row fits, `QueryError` for a condition that cannot be asked, `TraceError` where rows cannot be traced. What ends on
        the way is told in its hop.
        """
        from ..capture.own import unrecorded
        from ..replay.session import session
        from .forward import trace_forward
        from .hops import Options, trace_table

        if min(depth, rows, limit, executions) < 1:
            raise QueryError("depth, rows, limit and executions are numbers of at least 1")
        settings = load(store=self._location)
        options = Options(
            depth=depth, rows=rows, limit=limit, deciding=deciding, history=history, executions=executions, executables=settings.executables_store,
            key=settings.executables_key,
        )  # fmt: skip
        with unrecorded():
            if forward:
                return tuple(trace_forward(spark or session(), self._store(), dataset, where, version, options))
            return tuple(trace_table(spark or session(), self._store(), dataset, where, version, options))

    def take_rows(
        self, *, since: str | None = None, limit: int | None = None, retry: bool = False, spark: SparkSession | None = None
    ) -> tuple[RowSample, ...]:
        """Takes the samples of rows that `rows.sample` or `track` ask for and that are not there: as `spark-lineage rows take --due`, with the
        options of that, in this session or the active one. A program that is attached waits with `flush()` for its own writes to be in the tables
        first; what is asked of Spark here is not recorded as something that it did.

        `reason` of a sample says why there is none. Raises `QueryError` where `since` is no time, `StoreError`.
        """
        from ..capture.own import unrecorded
        from ..query.moment import beginning
        from ..replay.session import session
        from .due import due
        from .sampling import Limits, take_samples

        if limit is not None and limit < 1:
            raise QueryError("limit is a number of at least 1")
        settings, store = load(store=self._location), self._store()
        wanted = due(store, settings, retry, None if since is None else beginning(since), limit)
        limits = Limits(settings.executables_store, settings.executables_key)
        with unrecorded():
            return tuple(take_samples(spark or session(), store, wanted, limits)) if wanted else ()

    def row_lineage(self, dataset: str, *, version: int | None = None, key: int | None = None) -> tuple[RowLineage, ...]:
        """The source rows that are kept of the rows in the sample of a version, by default of the newest that has one; `key`: only of rows with this
        `target_key`. Empty where none is kept. Raises `NotFound` and `Ambiguous`."""
        from ..snapshot.taking import place_of
        from .stored import row_lineage

        store = self._store()
        return row_lineage(store, place_of(store, dataset)[0], version, key)

    def row_values(self, rows: Sequence[RowLineage], *, spark: SparkSession | None = None) -> tuple[dict[str, Any] | None, ...]:
        """The values of kept source rows, all columns of what was read then; None of what cannot be read any more, and of a `whole`. Why it
        cannot is logged as a warning."""
        from ..capture.own import unrecorded
        from ..replay.session import session
        from .resolving import known, resolve

        settings = load(store=self._location)
        with unrecorded():
            found = resolve(
                spark or session(), self._store(), rows, executables=settings.executables_store, key=settings.executables_key
            )
        for why in found.failed:
            logging.getLogger(__name__).warning("%s", why)
        return tuple(found.values.get(known(row)) for row in rows)


def open(location: str | os.PathLike[str] | None = None) -> Lineage:
    """The lineage in a store: a folder or an object store URI; None is the store that the configuration names.

    >>> import spark_lineage
    >>> lineage = spark_lineage.open("./lineage")                               # doctest: +SKIP
    >>> lineage.diff("lake/orders@12", "lake/orders@15", key=["id"]).equal       # doctest: +SKIP
    False
    >>> lineage.trace("lake/daily_sales", where="total < 0")[0].witness.sources  # doctest: +SKIP

    Raises `StoreNotFound`, `SchemaVersionError`, `StoreError`, and `ConfigError` where the configuration cannot be read.
    """
    return Lineage(os.fspath(location) if location is not None else str(load().store))
