"""A driver as far as the inbox is concerned: writes documents as the bridge does, temporary name first, then renamed.

The times in the documents are the test's own: `BEGIN_MS` and one second for each number.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

BEGIN_MS = 1_750_000_000_000
_SQL = "org.apache.spark.sql."
_SOURCE = {"path": "file:/data/source", "table_id": "id of /data/source", "version_at_analysis": 3, "time_travel": False}
SCAN = {
    "class": _SQL + "execution.FileSourceScanExec",
    "format": "delta",
    "path": "file:/data/source",
    "delta_version": 4,
    "output": [1, 2],
}


def run_id(number: int) -> str:
    """The id of the nth application run, in the form of a UUIDv7."""
    return f"01976000-0000-7000-8000-{number:012d}"


class Driver:
    """One application run. Each method writes one document and gives its path."""

    def __init__(self, inbox: Path, run: str, job_name: str = "daily_sales", begin_ms: int = BEGIN_MS) -> None:
        self.folder = inbox / run
        self.run = run
        self.job_name = job_name
        self.sequence = 0
        self._begin_ms = begin_ms
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self, **fields: Any) -> Path:
        return self.write("run_start", {"application": True, "job_name": self.job_name, "job_namespace": "default", **fields})

    def start_job(self, run: str, job_name: str) -> Path:
        return self.write("run_start", {"application": False, "run_id": run, "job_name": job_name, "parent_run_id": self.run})

    def execution(self, table: str = "/data/sales", **fields: Any) -> Path:
        """An execution that appended to the Delta table at `table`."""
        time_ms = self._time_ms()
        commit = {
            "path": f"file:{table}",
            "table_id": f"id of {table}",
            "version": self.sequence,
            "version_before": self.sequence - 1,
        }
        commit |= {"operation": "WRITE", "metrics": {"numOutputRows": "7"}, "timestamp_ms": time_ms, "basis": "exact"}
        content = {
            "sql_id": self.sequence, "name": "append", "description": "save at job.py:12", "call_site": "save at job.py:12",
            "tags": [], "job_group": None, "started_ms": time_ms - 200, "ended_ms": time_ms, "status": "succeeded",
            "error_class": None, "error_message": None, "confs": {"spark.sql.shuffle.partitions": str(self.sequence % 3)},
            "catalog": {"catalog": "spark_catalog", "database": "default"}, "analyzed": _plan_of_a_save(table), "nested": [], "scans": [SCAN],
            "writes": [], "commits": [commit], "incomplete": [],
        }  # fmt: skip
        return self.write("execution", content | fields)

    def end(self, status: str = "succeeded", **fields: Any) -> Path:
        return self.write(
            "run_end", {"application": True, "status": status, "error": None, "last_sequence": self.sequence - 1, **fields}
        )

    def end_job(self, run: str, status: str = "succeeded") -> Path:
        return self.write("run_end", {"application": False, "run_id": run, "status": status, "error": None})

    def skip(self, count: int = 1) -> None:
        """Gives out numbers whose documents never come."""
        self.sequence += count

    def exit(self, **content: Any) -> Path:
        path = self.folder / "exit.json"
        self.folder.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    def write(self, kind: str, content: dict[str, Any]) -> Path:
        heading = {"format": 1, "kind": kind, "application_run_id": self.run, "run_id": self.run}
        document = heading | {"sequence": self.sequence, "time_ms": self._time_ms()} | content
        return self.write_bytes(kind, gzip.compress(json.dumps(document).encode(), mtime=0))

    def write_bytes(self, kind: str, data: bytes) -> Path:
        """The next document, whatever its bytes."""
        self.folder.mkdir(exist_ok=True)
        target = self.folder / f"{self.sequence:08d}.{kind}.json.gz"
        temporary = self.folder / f".{target.name}.{os.getpid()}"
        temporary.write_bytes(data)
        temporary.rename(target)
        self.sequence += 1
        return target

    def _time_ms(self) -> int:
        return self._begin_ms + 1000 * self.sequence


def _plan_of_a_save(table: str) -> dict[str, Any]:
    """``spark.read.format("delta").load("/data/source").write.format("delta").mode("append").save(table)``."""
    relation = {"class": "HadoopFsRelation", "format": "delta", "paths": [_SOURCE["path"]], "options": {}, "delta": _SOURCE}
    leaf = {
        "id": 0, "class": _SQL + "execution.datasources.LogicalRelation", "children": [], "output": [1, 2],
        "fields": {"relation": {"relation": relation}},
    }  # fmt: skip
    save = {
        "id": 1, "class": _SQL + "execution.datasources.SaveIntoDataSourceCommand", "children": [],
        "fields": {
            "query": {"plan": 0}, "dataSource": {"object": "org.apache.spark.sql.delta.sources.DeltaDataSource"},
            "options": {"map": {"path": f"file:{table}"}}, "mode": "Append",
        },
    }  # fmt: skip
    return {"root": 1, "attributes": {"1": ["id", "bigint", True], "2": ["amount", "double", True]}, "nodes": [leaf, save]}
