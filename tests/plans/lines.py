"""Records as short lines of text, for people to write and to read.

    total <- orders.amount DIRECT AGGREGATION
    * <- orders.status INDIRECT FILTER          on every column
    one <- literal DIRECT IDENTITY              no source
    totals.total <- ...                         where an execution writes to several datasets
    b <- returned.a DIRECT TRANSFORMATION opaque    not told by the plan: declared, inferred, opaque
    * <- orders.amount INDIRECT SORT order only     decides about the order alone
    prediction <- price.* DIRECT TRANSFORMATION inferred    from the dataset as a whole: a trained model

A dataset is told by the last part of its name.
"""

from __future__ import annotations

import json
from typing import Any

from spark_lineage.model import ColumnEdge, Input, Output, Records


def described(records: Records) -> dict[str, Any]:
    """What expected.json may hold of a document."""
    execution = records.executions[0]
    several = len({(edge.target_namespace, edge.target_name) for edge in records.column_lineage}) > 1
    return {
        "operation": execution.operation,
        "edges": sorted(_edge(edge, several) for edge in records.column_lineage),
        "datasets": sorted(
            f"{short(edge.target_name)} <- {short(edge.source_name)} {edge.certainty}" for edge in records.dataset_lineage
        ),
        "inputs": sorted(_input(one) for one in records.inputs),
        "outputs": [_output(one) for one in records.outputs],
        "offsets": {
            **{f"in {short(one.name)}": json.loads(one.offsets) for one in records.inputs if one.offsets},
            **{f"out {short(one.name)}": json.loads(one.offsets) for one in records.outputs if one.offsets},
        },
        "stream": None if execution.stream_query_id is None else [execution.stream_name, execution.batch_id, execution.batches],
        "aliases": {short(one.name): list(one.aliases) for one in records.datasets if one.aliases},
        "incomplete": list(execution.incomplete_reasons),
    }


def short(name: str) -> str:
    return name.rpartition("/")[2]


def _edge(edge: ColumnEdge, several: bool) -> str:
    target = edge.target_column or "*"
    target = f"{short(edge.target_name)}.{target}" if several else target
    source = (
        f"{short(edge.source_name or '')}.{edge.source_column or '*'}" if edge.source_kind == "column" else edge.source_kind
    )
    marks = (
        edge.certainty if edge.certainty != "plan" else "",
        "masked" if edge.masking else "",
        "order only" if edge.order_only else "",
    )
    return " ".join((f"{target} <- {source} {edge.edge_type} {edge.subtype}", *filter(None, marks)))


def _input(one: Input) -> str:
    version = f"version {one.delta_version}" if one.delta_version is not None else "listing" if one.fingerprint else "unknown"
    if one.fingerprint and not one.fingerprint.startswith("listing:"):
        version = one.fingerprint
    return f"{short(one.name)} {version} {one.version_basis}"


def _output(one: Output) -> str:
    version = one.fingerprint or "no version" if one.delta_version is None else f"version {one.delta_version}"
    return f"{short(one.name)} {one.write_mode} {version} rows {one.rows_written}"
