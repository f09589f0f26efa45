"""The queries of TPC-H and TPC-DS: the documents of them, and the edges that each means.

    python tests/plans/tpc.py capture                    documents of all queries anew, with Spark
    python tests/plans/tpc.py capture tpch_q01           of these
    python tests/plans/tpc.py edges                      edges of all queries anew, from the documents that are there

``tpc/<name>.json.gz`` is the document of the query, saved over empty tables; ``tpc/<name>.edges`` are its edges in the form of
`lines.py`. The first line of those says where they come from: ``# reviewed``, they were derived from the text of the query, or
``# recorded``, they are what the resolver said. What the resolver says otherwise than before is only recorded.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from plans.capture import HERE, captured, stable  # noqa: E402
from plans.cases import Case  # noqa: E402
from plans.lines import described  # noqa: E402
from plans.session import ROOT, start  # noqa: E402
from spark_lineage.capture.attach import Attachment, attach  # noqa: E402
from spark_lineage.lineage.resolve import RunContext, records_of_execution  # noqa: E402
from spark_lineage.model import Records  # noqa: E402
from spark_lineage.plan.document import ExecutionDocument, read  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FOLDER = HERE / "tpc"
BENCHMARKS = ("tpch", "tpcds")
QUERIES = {
    f"{benchmark}_{path.stem}": path
    for benchmark in BENCHMARKS
    for path in sorted((ROOT / "benchmarks" / benchmark).glob("q*.sql"), key=lambda path: (len(path.stem), path.stem))
}
REVIEWED, RECORDED = "# reviewed", "# recorded"
SMALL = {
    # over empty tables, making code takes many times longer than running it
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
}
DIVIDES = ("tpcds_q90",)
"""They divide by a count of rows, and there are none."""


def main(command: str, *names: str) -> int:
    if command == "edges":
        for name in names or QUERIES:
            keep_edges(name, edges(resolved((FOLDER / f"{name}.json.gz").read_bytes())))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        spark = start(root / "warehouse")
        attachment = attach(
            spark, store=str(root / "lineage"), ingest="none", executables="off", strict=True, plan_max_seconds=60
        )
        assert attachment is not None
        prepare(spark)
        for name in names or QUERIES:
            packed = compressed(stable(document(name, spark, attachment, root), root))
            (FOLDER / f"{name}.json.gz").write_bytes(packed)
            print(name, len(packed), flush=True)
        spark.stop()
    return 0


def prepare(spark: SparkSession) -> None:
    """A database for each benchmark, its tables empty."""
    for key, value in SMALL.items():
        spark.conf.set(key, value)
    for benchmark in BENCHMARKS:
        spark.sql(f"CREATE DATABASE {benchmark}")
        spark.catalog.setCurrentDatabase(benchmark)
        for table in (ROOT / "benchmarks" / benchmark / "tables.sql").read_text(encoding="utf-8").split(";"):
            spark.sql(f"{table} USING delta")


def document(name: str, spark: SparkSession, attachment: Attachment, root: Path) -> dict[str, Any]:
    """The document of a query that is saved to files. What scans and writes came upon is left out: edges come from the plan alone."""
    spark.catalog.setCurrentDatabase(name.partition("_")[0])
    spark.conf.set("spark.sql.ansi.enabled", name not in DIVIDES)
    found = captured(spark, attachment, Case(lambda spark, root: save(spark, name, root)), root)
    return {**found, "scans": [], "writes": []}


def save(spark: SparkSession, name: str, root: str) -> None:
    """Columns that a query gives the same name are told apart by their position: no file can hold them otherwise."""
    rows = spark.sql(QUERIES[name].read_text(encoding="utf-8"))
    names = [column.lower() for column in rows.columns]
    if len(set(names)) < len(names):
        rows = rows.toDF(*(f"{column}_{at}" if names.count(column) > 1 else column for at, column in enumerate(names, 1)))
    rows.write.mode("overwrite").parquet(f"{root}/out")


def compressed(document: str) -> bytes:
    """The same bytes for the same document."""
    return gzip.compress(json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False).encode(), 9, mtime=0)


def resolved(data: bytes) -> Records:
    found = read(data)
    assert isinstance(found, ExecutionDocument)
    return records_of_execution(found, RunContext(job_name="job"))


def edges(records: Records) -> tuple[str, ...]:
    """Each line once: several filters may use one column, each with an edge of its own."""
    return tuple(dict.fromkeys(described(records)["edges"]))


def golden(name: str) -> tuple[str, tuple[str, ...]]:
    """Where the edges of a query come from, and the edges."""
    head, *lines = (FOLDER / f"{name}.edges").read_text(encoding="utf-8").splitlines()
    return head, tuple(lines)


def keep_edges(name: str, found: tuple[str, ...]) -> None:
    """Writes the edges of a query; those that are there already keep their first line."""
    target = FOLDER / f"{name}.edges"
    head, before = golden(name) if target.exists() else (RECORDED, ())
    if found != before:
        head = RECORDED
        print(name, "recorded", flush=True)
    target.write_text("\n".join((head, *found)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
