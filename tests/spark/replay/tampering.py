"""What was recorded in this session, and hands that change what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.cli import main
from spark_lineage.ingest import ingest
from spark_lineage.replay.verdict import Replayed
from spark_lineage.store.preserving import Preserving
from spark_lineage.store.tables import Store


@dataclass(frozen=True)
class Recorded:
    """A folder with tables, and the lineage of what made them."""

    spark: Any
    root: Path

    @property
    def store(self) -> str:
        return str(self.root / "store")

    def execution(self, name: str, version: int | None = 0) -> str:
        (found,) = self.executions(name, version)
        return found

    def executions(self, name: str, version: int | None = 0) -> set[str]:
        rows = Store.open(self.store).arrow("outputs", ["execution_id", "name", "delta_version"]).to_pylist()
        return {row["execution_id"] for row in rows if row["name"].endswith(f"/{name}") and row["delta_version"] == version}

    def replay(self, name: str, version: int | None = 0, **more: Any) -> Replayed:
        (one,) = spark_lineage.open(self.store).replay(self.execution(name, version), spark=self.spark, **more)
        return one

    def ask(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["replay", *arguments, "--store", self.store])
        return done.exit_code, done.output


def recorded_of(
    spark: Any, root: Path, job: str, write: Callable[[Any, Path], None], preserve: Preserving | None = None
) -> Recorded:
    """What `write` does, recorded; the options name the store and the key by the environment."""
    attachment = attach(spark, inbox=str(root / "inbox"), ingest="none", strict=True, job_name=job)
    assert attachment is not None
    write(spark, root)
    assert attachment.flush(60)
    detach(spark)
    report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"), preserve=preserve)
    assert report.quarantined == 0
    return Recorded(spark, root)


def tamper(spark: Any, table: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Changes the one data file of version 0 by hand, as nobody should."""
    log = table / "_delta_log" / f"{0:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    (add,) = (action["add"] for action in actions if "add" in action)
    file = table / add["path"]
    pq.write_table(change(pq.read_table(file)), file)
    add["size"] = file.stat().st_size
    del add["stats"]
    log.write_text("\n".join(map(json.dumps, actions)) + "\n")
    forget(spark, table)


def forget(spark: Any, table: Path) -> None:
    """What Spark and Hadoop know of a table's files from before."""
    for checksum in (*(table / "_delta_log").glob("*.crc"), *(table / "_delta_log").glob(".*.crc"), *table.glob(".*.crc")):
        checksum.unlink(missing_ok=True)
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def shaken(column: str, by: float, rows: int = 1) -> Callable[[pa.Table], pa.Table]:
    """With other values of a column of numbers in its first rows."""

    def change(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(column)
        values = [value if number >= rows else value * by for number, value in enumerate(table.column(at).to_pylist())]
        return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))

    return change


def vacuum(recorded: Recorded, name: str, column: str = "d") -> None:
    place = f"delta.`{recorded.root}/{name}`"
    recorded.spark.sql(f"UPDATE {place} SET {column} = 1")
    recorded.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    recorded.spark.conf.set("spark.databricks.delta.vacuum.logging.enabled", "true")
    try:
        recorded.spark.sql(f"VACUUM {place} RETAIN 0 HOURS")
    finally:
        recorded.spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
        recorded.spark.conf.unset("spark.databricks.delta.vacuum.logging.enabled")
