"""Frames of whose rows, wherever they are written, a sample of source rows is kept: asked for by the program.

Nothing is sampled in the job: the frame that is given back carries what is asked for in its plan (``sample_marks.py``), and
`spark-lineage rows take --due` takes the sample from what was written (docs/row-provenance.md).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..sample_marks import Sample, alias_of, bound_of, is_hashed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger("spark_lineage")


def track(frame: DataFrame, rows: Sample = Sample(), key: Sequence[str] = ()) -> DataFrame:  # noqa: B008 (it is frozen)
    """The same frame; of the rows that are written of it a sample is kept with the source rows that made them.

    `key`: columns whose values choose the rows, so that the same rows are chosen each time; by default those that the query groups by at its top, or
    else all. They are columns of what is written. Never raises for what it is given: what cannot be done is logged, and the frame given back as it is.

        spark_lineage.track(totals, rows=spark_lineage.Sample(fraction=0.01), key=["customer"]).write.save("tables/totals")
    """
    try:
        names = (key,) if isinstance(key, str) else tuple(key)
        absent = [name for name in names if name.lower() not in {known.lower() for known in frame.columns}]
        if absent:
            raise ValueError(f"the frame has no column {', '.join(absent)}")
        alias = alias_of(replace(rows, key=names))
        return _qualified(frame, frame.alias(alias)) if rows.column is None else _with_column(frame, rows, names).alias(alias)
    except Exception as error:
        log.warning("no sample of rows will be kept: %s (the job is not affected)", error)
        return frame


def _qualified(frame: DataFrame, marked: DataFrame) -> DataFrame:
    """The marked frame, its columns called as before with the names of tables and aliases in front of theirs."""
    plan: Any = getattr(frame, "_jdf", None)
    if plan is None:  # of Spark Connect
        return marked
    attributes = plan.queryExecution().analyzed().output()
    if all(attributes.apply(number).qualifier().isEmpty() for number in range(attributes.size())):
        return marked
    from pyspark.sql import DataFrame

    jvm: Any = frame.sparkSession._jvm
    of_marked = marked._jdf.queryExecution().analyzed()
    project = jvm.org.apache.spark.sql.catalyst.plans.logical.Project(attributes, of_marked)
    session = frame.sparkSession
    return DataFrame(jvm.org.apache.spark.sql.classic.Dataset.ofRows(session._jsparkSession, project), session)


def _with_column(frame: DataFrame, rows: Sample, names: tuple[str, ...]) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812 (its usual name)

    assert rows.column is not None
    if rows.column.lower() in {known.lower() for known in frame.columns}:
        raise ValueError(f"the frame has a column {rows.column} already")
    plain = [field.name for field in frame.schema if is_hashed(field.dataType.simpleString())]
    quoted = [f"`{name.replace('`', '``')}`" for name in names or plain]
    hashed = F.xxhash64(*quoted)
    return frame.withColumn(rows.column, F.when(hashed < F.lit(bound_of(rows.fraction)), hashed))
