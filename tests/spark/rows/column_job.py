"""Jobs that know nothing of it, whose rows get a column with the keys of those that are chosen; and what is recorded of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from spark_lineage.capture.attach import attach, detach
from spark_lineage.config import load
from spark_lineage.ingest import ingest
from spark_lineage.model import Output, RowSample
from spark_lineage.rows.due import due
from spark_lineage.rows.sampling import Limits, take_samples
from spark_lineage.sample_marks import bound_of
from spark_lineage.store.rows import records_of
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store

SHARE = 0.3


@dataclass
class Written:
    """A folder with what a job wrote, and what is recorded of it."""

    spark: Any
    root: Path
    outputs: dict[tuple[str, int], Output] = field(default_factory=dict)
    reasons: dict[tuple[str, int], str] = field(default_factory=dict)
    samples: dict[tuple[str, int], RowSample] = field(default_factory=dict)

    def read(self, name: str, version: int | None = None) -> Any:
        reader = self.spark.read.format("delta")
        return (reader if version is None else reader.option("versionAsOf", version)).load(str(self.root / name))

    def told(self, name: str, version: int = 0) -> tuple[str | None, str]:
        return self.outputs[name, version].sample_column, self.reasons[name, version]


@contextmanager
def recorded(spark: Any, root: Path, job: Callable[[Any, str], None], sampled: str = "*") -> Iterator[Written]:
    """What a job wrote to a folder that has two tables already; `sampled`: a glob of names, of which samples are taken."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        ids = spark.range(0, 100, 1, 2).selectExpr("id", "id % 4 AS p", "'n' || id AS name")
        ids.write.format("delta").save(f"{root}/ids")
        ids.where("id < 10").write.format("delta").save(f"{root}/there")
        attachment = attach(
            spark, inbox=str(root / "inbox"), ingest="none", strict=True, rows_column="_lineage", rows_sample=SHARE,
            rows_datasets="*/none=0, */wished=1", rows_key="id",
        )  # fmt: skip
        assert attachment is not None
        job(spark, str(root))
        assert attachment.flush(60)
        warnings = list(attachment.bridge.warnings())
        detach(spark)
        assert warnings == []
        ids.limit(1).write.format("delta").save(f"{root}/after")
        report = ingest(str(root / "inbox"), str(root / "store"), executables_key=str(root / "key"))
        assert report.quarantined == 0
        store = Store.open(str(root / "store"))
        result = Written(spark, root)
        executions = store.arrow("executions", ["execution_id", "incomplete_reasons", "completeness"]).to_pylist()
        assert {row["completeness"] for row in executions} == {"complete"}
        reasons = {row["execution_id"]: "; ".join(row["incomplete_reasons"] or ()) for row in executions}
        for one in records_of(TABLES["outputs"], store.arrow("outputs")):
            key = (Path(one.name).name, -1 if one.delta_version is None else one.delta_version)
            result.outputs[key] = one
            result.reasons[key] = reasons[one.execution_id]
        found = [one for one in due(store, load(store=str(root / "store"))) if fnmatch(Path(one.name).name, sampled)]
        for sample in take_samples(spark, store, found, Limits(key=str(root / "key"))):
            result.samples[Path(sample.name).name, sample.delta_version] = sample
        yield result


def keys(rows: Any) -> Any:
    """The column, as it is to be."""
    return F.when(F.xxhash64("id") < F.lit(bound_of(SHARE)), F.xxhash64("id")).eqNullSafe(F.col("_lineage"))
