"""Delta tables, and lineage of jobs that made them, without Spark."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from store.made import execution, input_, output

from spark_lineage.model import Dataset, ExecutableLeaf, PlanExecutable, Run
from spark_lineage.store.tables import Store

NOW = datetime.now(UTC)


class Lake:
    """Delta tables, and a store in which jobs that made them are recorded: each call of `job` is one execution in a run of its own, unless one is named."""

    def __init__(self, root: Path, empty_store: Path) -> None:
        self.root = root
        shutil.copytree(empty_store, root / "store")
        self.store = Store.open(root / "store")
        self._count = 0

    def place(self, name: str) -> str:
        return str(self.root / name)

    def table(self, name: str, mode: str = "append") -> tuple[str, int]:
        """A new version of a table: its id and the version."""
        write_deltalake(self.place(name), pa.table({"id": [1]}), mode=mode)  # type: ignore[call-overload]
        table = DeltaTable(self.place(name))
        return str(table.metadata().id), table.version()

    def job(
        self,
        name: str,
        *reads: str,
        mode: str = "append",
        run: str | None = None,
        plan: bool = True,
        leaf: str = "delta",
        minutes: int | None = None,
        **more: Any,
    ) -> str:
        """Writes a version of a table, having read the newest versions of others. `minutes`: when it ended, else after those before."""
        self._count += 1
        run = run or f"{self._count:08x}-run"
        number = self._count
        name_of = f"{run}:{number}"
        versions = {read: DeltaTable(self.place(read)) for read in reads}
        self.store.append(
            "inputs",
            [
                input_(name_of, self.place(read), run_id=run, table_id=str(table.metadata().id), delta_version=table.version())
                for read, table in versions.items()
            ],
            None,
        )
        table_id, version = self.table(name, "overwrite" if mode == "overwrite" else "append")
        written = {"table_id": table_id, "delta_version": version, "delta_version_before": version - 1, "write_mode": mode}
        self.store.append(
            "outputs",
            [output(name_of, self.place(name), minutes=minutes or number, run_id=run, rows_written=1, **written)],
            None,
        )
        for one in (name, *reads):
            dataset = Dataset(
                namespace="file",
                name=self.place(one),
                table_id=str(DeltaTable(self.place(one)).metadata().id),
                location=self.place(one),
                first_seen_at=NOW,
                last_seen_at=NOW,
            )
            self.store.upsert("datasets", [dataset], None)
        if plan:
            leaves = (ExecutableLeaf(number=0, kind=leaf),)  # type: ignore[arg-type]
            made = PlanExecutable(
                execution_id=name_of, run_id=run, executable_id="e", spark_version="4", leaves=leaves, event_date=NOW.date()
            )
            self.store.append("plan_executables", [made], None)
        self.store.upsert("runs", [Run(run_id=run, job_name=name, started_at=NOW + timedelta(seconds=number))], None)
        self.store.append(
            "executions", [replace(execution(name_of, number, run_id=run, sequence=number * 10, **more), ended_at=NOW)], None
        )
        return name_of
