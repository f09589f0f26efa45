"""A folder with tables and jobs, recorded and traced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spark_lineage
from spark_lineage.capture.attach import attach, detach
from spark_lineage.ingest import ingest
from spark_lineage.rows.witness import Hop


@dataclass(frozen=True)
class Shop:
    """A folder of its own with Delta tables, and what is recorded of jobs that read them."""

    spark: Any
    root: Path

    def table(self, name: str) -> str:
        return f"delta.`{self.root}/{name}`"

    def make(self, name: str, query: str) -> None:
        self.spark.sql(f"CREATE TABLE {self.table(name)} USING delta AS {query}")

    @contextmanager
    def recorded(self, **options: Any) -> Iterator[None]:
        attachment = attach(self.spark, inbox=str(self.root / "inbox"), ingest="none", strict=True, job_name="shop", **options)
        assert attachment is not None
        try:
            yield
            assert attachment.flush(120)
        finally:
            detach(self.spark)
        ingest(str(self.root / "inbox"), str(self.root / "store"), executables_key=os.environ["SPARK_LINEAGE_EXECUTABLES_KEY"])

    def trace(self, name: str, where: str = "true", **more: Any) -> Hop:
        (hop,) = spark_lineage.open(self.root / "store").trace(
            str(self.root / name), where=where, spark=self.spark, limit=100, **more
        )
        return hop
