"""The SQL of the views over the lineage tables, in the subset that DuckDB and Spark share (pure text).

Each function takes `prefix`, what stands before a table's name (``"lineage."`` or nothing), and returns a query.

**Current lineage** of a dataset at a time: the edges of all successful executions that wrote it since, and including,
its last full overwrite at or before that time. An append, a merge or a partial overwrite leaves rows of earlier writers
in place, so their edges still hold; a full overwrite leaves none. Delta versions decide what came later where both are
known and of one table, else the end of the execution does.
"""

from __future__ import annotations

FULL_OVERWRITES = ("overwrite", "create", "replace")
"""Values of `outputs.write_mode` after which nothing of what was there is left."""

EDGE_COLUMNS = (
    "edge_id", "target_namespace", "target_name", "target_column", "source_kind", "source_namespace", "source_name",
    "source_column", "edge_type", "subtype", "masking", "expression", "steps", "certainty", "order_only",
)  # fmt: skip
"""What makes a column edge, whichever lineage it is of."""


def current_writes(prefix: str = "", at: str | None = None) -> str:
    """The writes that made a dataset what it is at a time (`at`: an SQL expression; None: now).

    Columns: namespace, name, table_id, delta_version, event_time, write_mode, execution_id, run_id, job_name, lineage_id.
    """
    until = "" if at is None else f"AND o.event_time <= {at}"
    modes = ", ".join(f"'{mode}'" for mode in FULL_OVERWRITES)
    return f"""
WITH writes AS (
  SELECT o.namespace, o.name, o.table_id, o.delta_version, o.event_time, o.write_mode,
         o.execution_id, o.run_id, o.job_name, e.lineage_id
  FROM {prefix}outputs o JOIN {prefix}executions e ON e.execution_id = o.execution_id
  WHERE e.status = 'succeeded' {until}
), overwrites AS (
  SELECT namespace, name, table_id, delta_version, event_time, ROW_NUMBER() OVER (
    PARTITION BY namespace, name ORDER BY event_time DESC, COALESCE(delta_version, -1) DESC, execution_id
  ) AS recency
  FROM writes WHERE write_mode IN ({modes})
)
SELECT w.namespace, w.name, w.table_id, w.delta_version, w.event_time, w.write_mode,
       w.execution_id, w.run_id, w.job_name, w.lineage_id
FROM writes w LEFT JOIN (SELECT * FROM overwrites WHERE recency = 1) s ON s.namespace = w.namespace AND s.name = w.name
WHERE CASE
  WHEN s.name IS NULL THEN TRUE
  WHEN s.table_id = w.table_id AND s.delta_version IS NOT NULL AND w.delta_version IS NOT NULL
    THEN w.delta_version >= s.delta_version
  ELSE w.event_time >= s.event_time
END""".strip()


def column_lineage_at(prefix: str = "", at: str | None = None) -> str:
    """Each column edge that holds at a time, once, with `first_seen_at`, `last_written_at` and a `lineage_id` it is of."""
    columns = ", ".join(f"c.{column}" for column in EDGE_COLUMNS)
    return f"""
SELECT {columns},
       MAX(w.lineage_id) AS lineage_id, MIN(c.first_seen_at) AS first_seen_at, MAX(w.event_time) AS last_written_at
FROM ({current_writes(prefix, at)}) w
JOIN {prefix}column_lineage c
  ON c.lineage_id = w.lineage_id AND c.target_namespace = w.namespace AND c.target_name = w.name
GROUP BY {columns}""".strip()


def dataset_lineage_at(prefix: str = "", at: str | None = None) -> str:
    """Each dataset edge that holds at a time, once a certainty, with `last_written_at`."""
    return f"""
SELECT d.target_namespace, d.target_name, d.source_namespace, d.source_name, d.certainty,
       MAX(w.event_time) AS last_written_at
FROM ({current_writes(prefix, at)}) w
JOIN {prefix}dataset_lineage d
  ON d.lineage_id = w.lineage_id AND d.target_namespace = w.namespace AND d.target_name = w.name
GROUP BY d.target_namespace, d.target_name, d.source_namespace, d.source_name, d.certainty""".strip()


def table_lineage(prefix: str = "") -> str:
    """One row for each dataset that each execution read into each dataset it wrote.

    A read that nothing was written from has no target, a write that nothing was read for has no source. A dataset edge
    of an execution whose reads were not seen as such (a trained model, inferred) has no read version.
    """
    return f"""
WITH reads AS (
  SELECT execution_id, namespace, name, MAX(alias) AS alias, MAX(delta_version) AS delta_version
  FROM {prefix}inputs GROUP BY execution_id, namespace, name
), writes AS (
  SELECT execution_id, namespace, name, MAX(alias) AS alias, MAX(delta_version) AS delta_version, MAX(write_mode) AS write_mode
  FROM {prefix}outputs GROUP BY execution_id, namespace, name
), edges AS (
  SELECT DISTINCT e.execution_id, d.source_namespace, d.source_name, d.target_namespace, d.target_name, d.certainty
  FROM {prefix}executions e JOIN {prefix}dataset_lineage d ON d.lineage_id = e.lineage_id
), rows_of_executions AS (
  SELECT * FROM edges
  UNION ALL
  SELECT r.execution_id, r.namespace, r.name, CAST(NULL AS STRING), CAST(NULL AS STRING), 'plan'
  FROM reads r LEFT JOIN edges d ON d.execution_id = r.execution_id AND d.source_namespace = r.namespace
    AND d.source_name = r.name WHERE d.execution_id IS NULL
  UNION ALL
  SELECT w.execution_id, CAST(NULL AS STRING), CAST(NULL AS STRING), w.namespace, w.name, 'plan'
  FROM writes w LEFT JOIN edges d ON d.execution_id = w.execution_id AND d.target_namespace = w.namespace
    AND d.target_name = w.name WHERE d.execution_id IS NULL
)
SELECT e.execution_id, e.run_id, e.job_name, e.operation, e.status, e.ended_at AS event_time, e.event_date,
       x.source_namespace, x.source_name, r.alias AS source_alias, r.delta_version AS source_version,
       x.target_namespace, x.target_name, w.alias AS target_alias, w.delta_version AS target_version,
       w.write_mode, x.certainty
FROM rows_of_executions x JOIN {prefix}executions e ON e.execution_id = x.execution_id
LEFT JOIN reads r ON r.execution_id = x.execution_id AND r.namespace = x.source_namespace AND r.name = x.source_name
LEFT JOIN writes w ON w.execution_id = x.execution_id AND w.namespace = x.target_namespace
  AND w.name = x.target_name""".strip()


def databricks_table_lineage(prefix: str = "") -> str:
    """`table_lineage` in the columns of Databricks' ``system.access.table_lineage``.

    https://docs.databricks.com/aws/en/admin/system-tables/lineage. What belongs to an account there is null here; the
    entity is the job, `statement_id` and `event_id` the execution. `entity_metadata` is left out.
    """
    return f"""
{_event_columns()},
       {_side("source")},
       {_side("target")},
       u.user_name AS created_by, t.event_time, t.event_date, t.execution_id AS event_id, t.execution_id AS statement_id
FROM ({table_lineage(prefix)}) t LEFT JOIN {prefix}runs u ON u.run_id = t.run_id
LEFT JOIN {_places(prefix)} sp ON sp.namespace = t.source_namespace AND sp.name = t.source_name
LEFT JOIN {_places(prefix)} tp ON tp.namespace = t.target_namespace AND tp.name = t.target_name
WHERE t.status = 'succeeded'""".strip()


def databricks_column_lineage(prefix: str = "") -> str:
    """Column edges of executions in the columns of Databricks' ``system.access.column_lineage``.

    As there: only edges that have a source column, and only of values (`DIRECT`), not of filters or joins.
    """
    return f"""
{_event_columns()},
       {_side("source")}, c.source_column AS source_column_name,
       {_side("target")}, c.target_column AS target_column_name,
       u.user_name AS created_by, t.event_time, t.event_date, t.execution_id AS event_id, t.execution_id AS statement_id
FROM ({table_lineage(prefix)}) t
JOIN {prefix}executions e ON e.execution_id = t.execution_id
JOIN (
  SELECT DISTINCT lineage_id, source_namespace, source_name, source_column, target_namespace, target_name, target_column
  FROM {prefix}column_lineage WHERE source_kind = 'column' AND edge_type = 'DIRECT'
) c ON c.lineage_id = e.lineage_id AND c.source_namespace = t.source_namespace AND c.source_name = t.source_name
  AND c.target_namespace = t.target_namespace AND c.target_name = t.target_name
LEFT JOIN {prefix}runs u ON u.run_id = t.run_id
LEFT JOIN {_places(prefix)} sp ON sp.namespace = t.source_namespace AND sp.name = t.source_name
LEFT JOIN {_places(prefix)} tp ON tp.namespace = t.target_namespace AND tp.name = t.target_name
WHERE t.status = 'succeeded'""".strip()


def views(prefix: str = "") -> dict[str, str]:
    """Name and query of every view; `column_lineage_at` and `dataset_lineage_at` take a time and are made apart."""
    return {
        "column_lineage_current": column_lineage_at(prefix),
        "dataset_lineage_current": dataset_lineage_at(prefix),
        "table_lineage": table_lineage(prefix),
        "databricks_table_lineage": databricks_table_lineage(prefix),
        "databricks_column_lineage": databricks_column_lineage(prefix),
    }


def _event_columns() -> str:
    nothing = "CAST(NULL AS STRING)"
    return f"""SELECT {nothing} AS account_id, {nothing} AS metastore_id, {nothing} AS workspace_id,
       'JOB' AS entity_type, t.job_name AS entity_id, t.run_id AS entity_run_id"""


def _side(side: str) -> str:
    """The columns of the source or the target: a catalog name of one to three parts, or a path."""
    alias = f"t.{side}_alias"
    is_name = f"{alias} NOT LIKE '%/%' AND {alias} NOT LIKE '%:%'"
    parts = f"LENGTH({alias}) - LENGTH(REPLACE({alias}, '.', ''))"
    return f"""CASE WHEN {is_name} THEN {alias} END AS {side}_table_full_name,
       CASE WHEN {is_name} AND {parts} = 2 THEN SPLIT_PART({alias}, '.', 1) END AS {side}_table_catalog,
       CASE WHEN {is_name} AND {parts} > 0 THEN SPLIT_PART({alias}, '.', -2) END AS {side}_table_schema,
       CASE WHEN {is_name} THEN SPLIT_PART({alias}, '.', -1) END AS {side}_table_name,
       COALESCE({side[0]}p.location, t.{side}_name) AS {side}_path,
       CASE WHEN t.{side}_name IS NULL THEN NULL WHEN {is_name} THEN 'TABLE' ELSE 'PATH' END AS {side}_type"""


def _places(prefix: str) -> str:
    return f"(SELECT namespace, name, MAX(location) AS location FROM {prefix}datasets GROUP BY namespace, name)"
