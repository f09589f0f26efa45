"""How long one document takes from bytes to records: wide plans, deep plans, plans that are not understood.

    python benchmarks/resolving.py [--repeats 5] [--out benchmarks/results/resolving.json]

Each plan in a process of its own: medians of its seconds on a processor (what else the machine does is not in them), and the peak
of its memory above what the process has with everything imported. No JVM and no store. The plans are made here, in the shape
that the bridge writes. `columns` are those of the stored plan, and `KB` what they add to its row in Parquet.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Plan as PlanRecord
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read
from spark_lineage.store.rows import arrow_of
from spark_lineage.store.schemas import TABLES

Plan = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--one", choices=list(PLANS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(document(PLANS[arguments.one]()), arguments.repeats)))
        return
    print(f"{'plan':<58}{'gzip KB':>9}{'read s':>9}{'resolve s':>11}{'edges':>9}{'peak MB':>9}{'columns':>9}{'KB':>6}")
    figures = {}
    for title in PLANS:
        command = [sys.executable, __file__, "--repeats", str(arguments.repeats), "--one", title]
        one = figures[title] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"{title:<58}{one['gzip_kb']:>9.0f}{one['read_s']:>9.2f}{one['resolve_s']:>11.2f}{one['edges']:>9,}{one['peak_mb']:>9.0f}"
            f"{one['columns']:>9,}{one['columns_kb']:>6.0f}",
            flush=True,
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measured(data: bytes, repeats: int) -> dict[str, float]:
    """Median seconds to read and to resolve a document, its column edges, and the memory that took beyond what was there before."""
    reads, resolves, records = [], [], Records()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(repeats):
        start = time.process_time()
        execution = read(data)
        middle = time.process_time()
        assert isinstance(execution, ExecutionDocument)
        records = records_of_execution(execution, RunContext())
        reads.append(middle - start)
        resolves.append(time.process_time() - middle)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {
        "gzip_kb": round(len(data) / 1024, 1), "read_s": round(statistics.median(reads), 3), "resolve_s": round(statistics.median(resolves), 3),
        "edges": len(records.column_lineage), "peak_mb": round(peak, 1),
        "columns": len(records.plans[0].columns or ()), "columns_kb": round(bytes_of_columns(records.plans[0]) / 1024, 1),
    }  # fmt: skip


def bytes_of_columns(plan: PlanRecord) -> int:
    """What the columns add to the row of a plan."""
    sizes = []
    for one in (plan, replace(plan, columns=None)):
        written = io.BytesIO()
        pq.write_table(arrow_of(TABLES["plans"], [one]), written, compression="zstd")
        sizes.append(written.tell())
    return sizes[0] - sizes[1]


def document(nodes: Plan) -> bytes:
    attributes = {
        str(item): [f"c{item}", node.get("types", {}).get(item, "int"), True]
        for node in nodes
        for item in node.get("output") or ()
    }
    plan = {"root": nodes[-1]["id"], "attributes": attributes, "nodes": nodes}
    heading = {
        "format": 1,
        "kind": "execution",
        "application_run_id": "a",
        "run_id": "r",
        "sequence": 1,
        "time_ms": 1,
        "sql_id": 1,
    }
    return gzip.compress(json.dumps({**heading, "name": "command", "analyzed": plan}).encode())


def leaf(number: int, columns: range) -> dict[str, Any]:
    relation = {"relation": {"class": "HadoopFsRelation", "format": "csv", "paths": [f"/in{number}"]}}
    return node("LogicalRelation", number, output=list(columns), relation=relation)


def save(number: int, child: int, width: int) -> dict[str, Any]:
    names = [f"c{column}" for column in range(width)]
    return node(
        "InsertIntoHadoopFsRelationCommand",
        number,
        child,
        output=[],
        outputPath={"path": "/out"},
        mode="Append",
        outputColumnNames=names,
    )


def node(kind: str, number: int, *children: int, output: list[int] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "class": f"org.apache.spark.sql.catalyst.plans.logical.{kind}",
        "children": children,
        "output": output,
        "fields": fields,
    }


def selects(width: int, levels: int) -> Plan:
    """Each column of each level is the sum of two of the level below, so that each of the last has `levels` + 1 sources."""
    nodes = [leaf(0, range(width))]
    for level in range(1, levels + 1):
        first, below = level * width, (level - 1) * width
        items = [
            {
                "expr": {
                    "as": first + i,
                    "n": f"c{i}",
                    "c": [{"e": "Add", "c": [{"a": below + i}, {"a": below + (i + 1) % width}]}],
                },
                "sql": f"(c{i} + c{(i + 1) % width})",
            }
            for i in range(width)
        ]
        nodes.append(node("Project", level, level - 1, projectList=items))
    return [*nodes, save(levels + 1, levels, width)]


def filters(depth: int) -> Plan:
    conditions = (
        {"expr": {"e": "IsNotNull", "c": [{"a": number % 3}]}, "sql": f"c{number % 3} > {number}"} for number in range(depth)
    )
    below = [node("Filter", number, number - 1, condition=condition) for number, condition in enumerate(conditions, start=1)]
    return [leaf(0, range(3)), *below, save(depth + 1, depth, 3)]


def unions(count: int) -> Plan:
    return [
        leaf(0, range(3)),
        *(node("Union", number, number - 1, 0, output=[0, 1, 2]) for number in range(1, count + 1)),
        save(count + 1, count, 3),
    ]


def joins(count: int, width: int) -> Plan:
    nodes = [leaf(0, range(width))]
    for number in range(1, count + 1):
        first = number * width
        condition = {"expr": {"e": "EqualTo", "c": [{"a": 0}, {"a": first}]}, "sql": f"(c0 = c{first})"}
        nodes.append(leaf(2 * number - 1, range(first, first + width)))
        nodes.append(node("Join", 2 * number, 2 * number - 2, 2 * number - 1, joinType="Inner", condition=condition))
    return [*nodes, save(2 * count + 1, 2 * count, (count + 1) * width)]


def unknown(width: int) -> Plan:
    return [leaf(0, range(width)), node("Mystery", 1, 0, output=list(range(width, 2 * width))), save(2, 1, width)]


def branches(count: int, width: int) -> Plan:
    """One union of `count` branches, each a projection of its own over one leaf: what a doubling loop makes of a frame."""
    nodes, first = [leaf(0, range(width))], width
    for number in range(1, count + 1):
        items = [{"expr": {"as": first + i, "n": f"c{i}", "c": [{"a": i}]}, "sql": f"c{i}"} for i in range(width)]
        nodes.append(node("Project", number, 0, projectList=items))
        first += width
    output = list(range(first, first + width))
    nodes.append(node("Union", count + 1, *range(1, count + 1), output=output))
    return [*nodes, save(count + 2, count + 1, width)]


def structs(width: int, levels: int) -> Plan:
    """Structs of `width` fields that are taken apart and put together again, level by level."""
    row = ",".join(f"f{i}:int" for i in range(width))
    nodes = [leaf(0, range(1))]
    nodes[0]["types"] = {0: f"struct<{row}>"}
    for level in range(1, levels + 1):
        parts: list[Any] = []
        for i in range(width):
            taken = {"e": "GetStructField", "c": [{"a": level - 1}], "p": {"field": f"f{i}", "ordinal": i}}
            parts += [{"l": f"f{i}", "t": "string"}, taken]
        made = {"e": "CreateNamedStruct", "c": parts, "p": {"fields": [f"f{i}" for i in range(width)]}}
        nodes.append(node("Project", level, level - 1, projectList=[{"expr": {"as": level, "n": "c0", "c": [made]}}]))
    return [*nodes, save(levels + 1, levels, 1)]


PLANS: dict[str, Callable[[], Plan]] = {
    "20 columns x 5 selects": lambda: selects(20, 5),
    "300 columns x 10 selects": lambda: selects(300, 10),
    "1,000 columns x 10 selects": lambda: selects(1_000, 10),
    "10,000 columns": lambda: selects(10_000, 1),
    "a union of 1,024 branches of 10 columns": lambda: branches(1_024, 10),
    "a union of 2,048 branches of 10 columns": lambda: branches(2_048, 10),
    "5,000 filters, one on the other": lambda: filters(5_000),
    "5,000 unions, one on the other": lambda: unions(5_000),
    "100 joins of 10 columns each": lambda: joins(100, 10),
    "a struct of 1,000 fields x 5 selects": lambda: structs(1_000, 5),
    "a node of unknown kind over 100 columns": lambda: unknown(100),
    "a node of unknown kind over 300 columns": lambda: unknown(300),
}

if __name__ == "__main__":
    main()
