"""How long one document takes from bytes to records: wide plans, deep plans, plans that are not understood.

    python benchmarks/resolving.py [--repeats 5]

Medians, in one process; no JVM and no store. The plans are made here, in the shape that the bridge writes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from typing import Any

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import ExecutionDocument, read

Plan = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"{'plan':<58}{'gzip KB':>9}{'read s':>9}{'resolve s':>11}{'edges':>9}")
    for title, nodes in PLANS.items():
        data = document(nodes)
        reads, resolves, edges = measured(data, repeats)
        print(f"{title:<58}{len(data) / 1024:>9.0f}{reads:>9.2f}{resolves:>11.2f}{edges:>9,}")


def measured(data: bytes, repeats: int) -> tuple[float, float, int]:
    """Median seconds to read and to resolve a document, and its column edges."""
    reads, resolves, edges = [], [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        execution = read(data)
        middle = time.perf_counter()
        assert isinstance(execution, ExecutionDocument)
        edges = len(records_of_execution(execution, RunContext()).column_lineage)
        reads.append(middle - start)
        resolves.append(time.perf_counter() - middle)
    return statistics.median(reads), statistics.median(resolves), edges


def document(nodes: Plan) -> bytes:
    attributes = {str(item): [f"c{item}", "int", True] for node in nodes for item in node.get("output") or ()}
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


PLANS: dict[str, Plan] = {
    "20 columns x 5 selects": selects(20, 5),
    "300 columns x 10 selects": selects(300, 10),
    "1,000 columns x 10 selects": selects(1_000, 10),
    "5,000 filters, one on the other": filters(5_000),
    "5,000 unions, one on the other": unions(5_000),
    "100 joins of 10 columns each": joins(100, 10),
    "a node of unknown kind over 100 columns": unknown(100),
    "a node of unknown kind over 300 columns": unknown(300),
}

if __name__ == "__main__":
    main()
