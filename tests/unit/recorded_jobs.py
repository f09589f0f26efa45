"""Jobs written straight into a store's tables, as ingestion would: for tests of asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from spark_lineage.model import ColumnEdge, Dataset, DatasetEdge, Execution, Input, Output, Run, Schema, SchemaField
from spark_lineage.store.tables import Store

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""


@dataclass
class Recorder:
    """Writes runs of one execution each. Hours count from `MIDNIGHT`."""

    store: Store
    executions: int = 0
    versions: dict[str, int] = field(default_factory=dict)

    def dataset(self, name: str, columns: Sequence[str] = (), aliases: Sequence[str] = (), **values: Any) -> None:
        schema = Schema(
            schema_hash=f"schema of {name}",
            fields=tuple(SchemaField(path=path, data_type="int", nullable=True, ordinal=n) for n, path in enumerate(columns)),
        )
        seen = {"first_seen_at": MIDNIGHT, "last_seen_at": MIDNIGHT, "format": "delta", "location": f"file:{name}"}
        hashed = schema.schema_hash if columns else None
        made = Dataset(
            **{"namespace": "file", "name": name, "aliases": tuple(aliases), "schema_hash": hashed, **seen, **values}
        )
        self.store.append("schemas", [schema] if columns else [], None)
        self.store.upsert("datasets", [made], None)

    def job(
        self,
        job_name: str,
        hour: float,
        target: str,
        edges: Sequence[tuple[str, str | None, str]] = (),
        mode: str = "overwrite",
        inferred: Sequence[str] = (),
        status: str = "succeeded",
        edge_values: Mapping[str, Any] = MappingProxyType({}),
        **execution_values: Any,
    ) -> str:
        """One run that writes `target`; `edges` are (source dataset#column, target column, subtype), with `edge_values` besides.
        The run's id."""
        number = self.executions = self.executions + 1
        run_id = f"0195{number:04x}-0000-7000-8000-000000000000"
        execution_id, lineage_id = f"{run_id}:0", f"lineage {job_name} {len(edges)} {'+'.join(sorted(str(e) for e in edges))}"
        started, ended = MIDNIGHT + timedelta(hours=hour), MIDNIGHT + timedelta(hours=hour, minutes=5)
        shared: dict[str, Any] = {
            "execution_id": execution_id,
            "run_id": run_id,
            "job_name": job_name,
            "event_date": ended.date(),
        }
        sources = sorted({source.split("#")[0] for source, _, _ in edges} | set(inferred))
        version = self.versions.get(target, -1)
        self.versions[target] = version + 1
        run_status = "succeeded" if status == "succeeded" else "failed"
        self.store.upsert(
            "runs",
            [
                Run(
                    run_id=run_id,
                    job_name=job_name,
                    started_at=started,
                    ended_at=ended,
                    status=run_status,
                    user_name="ana",
                    host="h1",
                )
            ],
            None,
        )
        self.store.append("dataset_lineage", [_between(lineage_id, target, s, s in inferred) for s in sources], None)
        told = [replace(_edge(lineage_id, n, target, *edge), **edge_values) for n, edge in enumerate(edges)]
        self.store.append("column_lineage", told, None)
        self.store.append(
            "inputs",
            [
                Input(
                    **shared,
                    event_time=ended,
                    namespace="file",
                    name=source,
                    delta_version=self.versions.get(source),
                    rows_read=7,
                )
                for source in sources
            ],
            None,
        )
        written = {"delta_version": version + 1, "delta_version_before": version} if status == "succeeded" else {}
        self.store.append(
            "outputs",
            [Output(**shared, event_time=ended, namespace="file", name=target, write_mode=mode, rows_written=7, **written)],
            None,
        )
        values = {"operation": "command", "sequence": 1, "sql_id": 0, "rows_written": 7, **execution_values}
        self.store.append(
            "executions",
            [Execution(**shared, status=status, started_at=started, ended_at=ended, lineage_id=lineage_id, **values)],
            None,
        )
        return run_id


def churn(store: Store) -> Recorder:
    """Two days of three jobs: a raw file, features made of it, a model's predictions, and a mart."""
    recorder = Recorder(store)
    recorder.dataset("/lake/raw/user_behavior.csv", ("user_id", "event_type", "at"), format="csv")
    recorder.dataset(
        "/lake/user_activity_features", ("user_id", "purchases"), ("spark_catalog.default.user_activity_features",)
    )
    recorder.dataset("/lake/churn_predictions", ("user_id", "score"), ("spark_catalog.default.churn_predictions",))
    recorder.dataset("/lake/marts/revenue", ("nation", "total"))
    recorder.dataset("/other/revenue", ("nation",))
    raw, features, predictions = "/lake/raw/user_behavior.csv", "/lake/user_activity_features", "/lake/churn_predictions"
    for day in (0, 24):
        recorder.job(
            "features", day + 1, features,
            [(f"{raw}#user_id", "user_id", "IDENTITY"), (f"{raw}#at", "purchases", "AGGREGATION"), (f"{raw}#event_type", None, "FILTER")],
        )  # fmt: skip
        recorder.job("churn", day + 2, predictions, [(f"{features}#user_id", "user_id", "IDENTITY")], inferred=[features])
        recorder.job("marts", day + 3, "/lake/marts/revenue", [(f"{predictions}#score", "total", "AGGREGATION")], mode="append")
    return recorder


def _between(lineage_id: str, target: str, source: str, inferred: bool) -> DatasetEdge:
    return DatasetEdge(
        lineage_id=lineage_id,
        target_namespace="file",
        target_name=target,
        source_namespace="file",
        source_name=source,
        certainty="inferred" if inferred else "plan",
    )


def _edge(lineage_id: str, number: int, target: str, source: str, column: str | None, subtype: Any) -> ColumnEdge:
    source_name, _, source_column = source.partition("#")
    direct = subtype in ("IDENTITY", "TRANSFORMATION", "AGGREGATION")
    return ColumnEdge(
        lineage_id=lineage_id,
        edge_id=f"{lineage_id} {number}",
        target_namespace="file",
        target_name=target,
        target_column=column,
        source_namespace="file",
        source_name=source_name,
        source_column=source_column,
        edge_type="DIRECT" if direct else "INDIRECT",
        subtype=subtype,
        expression=f"count({source_column})" if subtype == "AGGREGATION" else source_column,
        first_seen_at=MIDNIGHT,
    )
