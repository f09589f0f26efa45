"""One call that gives DuckDB or Spark the lineage tables and the views over them."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from ..config import local_path
from . import views
from .schemas import STORE_INFO, TABLES
from .tables import Store, uri


def register_duckdb(connection: Any, location: str | os.PathLike[str]) -> None:
    """Tables, views and `column_lineage_at(time)` in a DuckDB connection, for as long as it lives.

    The tables are as of this call; call again to see what was written since. Of a local store DuckDB reads the columns
    and files that a query needs; tables of an object store are read into memory here. No extension is downloaded.
    Raises StoreError and its kinds.
    """
    store = Store.open(location)
    for table in (*TABLES, STORE_INFO):
        connection.register(table, _arrow_of(store, table))
    for name, query in views.views().items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")
    for name, build in _AT_A_TIME.items():
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {name}(at_time) AS TABLE {build('', 'at_time')}")


def register_spark(spark: Any, location: str | os.PathLike[str], schema: str | None = None) -> None:
    """Tables, views and `column_lineage_at(time)` in a Spark session that has Delta.

    Without `schema` as temporary views, for this session. With it as tables and views of that schema in the session's
    catalog, for everyone who uses the catalog (`column_lineage_at` stays of this session). They show what is there at
    the time of the query. Raises StoreError and its kinds.
    """
    store = Store.open(location)
    prefix = "" if schema is None else f"{schema}."
    if schema is not None:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in (*TABLES, STORE_INFO):
        place = uri(store.location, table)
        if schema is None:
            spark.read.format("delta").load(place).createOrReplaceTempView(table)
        else:
            spark.sql(f"CREATE TABLE IF NOT EXISTS {prefix}{table} USING DELTA LOCATION '{place}'")
    kind = "TEMPORARY VIEW" if schema is None else "VIEW"
    for name, query in views.views(prefix).items():
        spark.sql(f"CREATE OR REPLACE {kind} {prefix}{name} AS {query}")
    for name, build in _AT_A_TIME.items():
        spark.sql(
            f"CREATE OR REPLACE TEMPORARY FUNCTION {name}(at_time TIMESTAMP) RETURNS TABLE RETURN {build(prefix, 'at_time')}"
        )


def _arrow_of(store: Store, table: str) -> Any:
    """A dataset over the table's files, or its rows.

    Not deltalake's own dataset, which reads through Python from Arrow's threads: when one of these still reads ahead as
    the interpreter ends, the process aborts (measured: one in six, on a busy machine). Arrow's own file system does not.
    """
    handle = store.delta_table(table)
    if local_path(store.location) is None:
        return pa.table(handle.scan())
    return handle.to_pyarrow_dataset(filesystem=SubTreeFileSystem(uri(store.location, table), LocalFileSystem()))


_AT_A_TIME = {"column_lineage_at": views.column_lineage_at, "dataset_lineage_at": views.dataset_lineage_at}
