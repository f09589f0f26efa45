"""Which version each leaf of an executable is bound to, and how it is read again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import ExecutableLeaf
from spark_lineage.plan.document import Commit, ExecutionDocument, Scan
from spark_lineage.plan.executable import Executable, Leaf

ORDERS = Leaf(
    class_name="LogicalRelation",
    output=(1, 2),
    columns=("id", "amount"),
    format="delta",
    delta_path="/orders",
    version_at_analysis=3,
)


def document(*leaves: Leaf, **values: Any) -> ExecutionDocument:
    made = {
        "application_run_id": "run",
        "run_id": "run",
        "sequence": 1,
        "time_ms": 1_767_225_600_000,
        "sql_id": 7,
        "name": "command",
    }
    executable = Executable(blob=b"plan", spark_version="4.1.4", leaves=leaves, commands=(None,))
    return ExecutionDocument(**{**made, "executable": executable, **values})


def leaf_of(*leaves: Leaf, number: int = 0, **values: Any) -> ExecutableLeaf:
    [executable] = records_of_execution(document(*leaves, **values), RunContext()).plan_executables
    return executable.leaves[number]


def scan(version: int, *output: int, path: str = "/orders") -> Scan:
    return Scan(class_name="FileSourceScanExec", format="delta", paths=(path,), delta_version=version, output=output)


def test_the_version_that_was_scanned_and_not_the_one_of_the_analysis() -> None:
    leaf = leaf_of(ORDERS, scans=(scan(5, 2),))
    assert (leaf.kind, leaf.delta_version, leaf.version_basis) == ("delta", 5, "exact")


def test_one_table_at_two_versions() -> None:
    older = replace(ORDERS, output=(8, 9))
    scans = (scan(5, 1), scan(4, 8))
    assert [leaf_of(ORDERS, older, number=number, scans=scans).delta_version for number in (0, 1)] == [5, 4]


@pytest.mark.parametrize(
    ("values", "version", "basis"),
    [
        ({"scans": (scan(6, 77),)}, 6, "exact"),
        ({}, 3, "inferred"),
        ({"commits": (Commit(path="/orders", version=9, version_before=8),)}, 8, "inferred"),
    ],
)
def test_where_no_scan_has_its_columns(values: dict[str, Any], version: int, basis: str) -> None:
    leaf = leaf_of(ORDERS, **values)
    assert (leaf.delta_version, leaf.version_basis) == (version, basis)


def test_a_version_that_was_asked_for_is_exact() -> None:
    leaf = leaf_of(replace(ORDERS, time_travel=True))
    assert (leaf.delta_version, leaf.version_basis) == (3, "exact")


@pytest.mark.parametrize(
    ("leaf", "kind"),
    [
        (Leaf(class_name="LogicalRelation", format="csv", paths=("/a",), schema="{}"), "files"),
        (Leaf(class_name="LogicalRelation", format="jdbc"), "jdbc"),
        (Leaf(class_name="DataSourceV2Relation", name=("db", "t"), catalog="cat"), "table"),
        (Leaf(class_name="LogicalRDD", columns=("id",)), "rows"),
        (Leaf(class_name="LogicalRDD", columns=("id",), inner=True), "batch"),
        (Leaf(class_name="InMemoryRelation", columns=("id",), inner=True), "rows"),
        (replace(ORDERS, files=("part-1.parquet",)), "delta_files"),
        (replace(ORDERS, files=()), "delta_files"),
        (Leaf(class_name="LogicalRelation"), "unknown"),
    ],
)
def test_how_it_is_read_again(leaf: Leaf, kind: str) -> None:
    assert leaf_of(leaf).kind == kind


def test_the_files_that_a_micro_batch_read_are_told() -> None:
    leaf = leaf_of(replace(ORDERS, paths=("/orders",), files=("part-1.parquet",)), scans=(scan(5, 1),))
    assert (leaf.paths, leaf.delta_version, leaf.version_basis) == (("part-1.parquet",), 5, "exact")
    assert leaf_of(replace(ORDERS, paths=("/orders",), files=())).paths == ()


def test_why_there_is_none_says_nothing_against_the_lineage() -> None:
    [execution] = records_of_execution(
        document(executable=None, incomplete=("executable: too large",)), RunContext()
    ).executions
    assert execution.incomplete_reasons == ("executable: too large",)
    assert execution.completeness == "complete"


FILES = replace(ORDERS, format="parquet", delta_path=None, paths=("file:/data/raw/dt=1", "file:/data/raw/dt=2"))
JDBC = Leaf(class_name="LogicalRelation", format="jdbc", options={"url": "jdbc:postgresql://db/shop", "dbtable": "Orders"})
TABLE = replace(ORDERS, delta_path="file:/data/warehouse/orders", catalog="spark_catalog", name=("default", "orders"))


@pytest.mark.parametrize(
    ("leaf", "limits"),
    [
        (replace(ORDERS, delta_path="file:/orders"), {"datasets_deny": ("/ord*",)}),
        (TABLE, {"datasets_deny": ("/data/warehouse/orders",)}),
        (TABLE, {"datasets_deny": ("default.orders",)}),
        (TABLE, {"datasets_deny": ("file:/data/warehouse/*",)}),
        (TABLE, {"datasets_allow": ("/other/*",)}),
        (FILES, {"datasets_deny": ("/data/raw",)}),
        (replace(FILES, paths=("file:/a", "file:/b")), {"datasets_allow": ("/a",)}),
        (JDBC, {"datasets_deny": ("shop.public.orders",)}),
        (replace(TABLE, delta_path="file:/link/orders"), {"datasets_deny": ("/link/orders",)}),
        (replace(TABLE, delta_path="file:/link/orders"), {"datasets_deny": ("/data/orders",)}),
    ],
)
def test_one_that_reads_what_is_not_to_be_recorded_is_left_out(leaf: Leaf, limits: dict[str, Any]) -> None:
    """Also where the plan was left out, so that the leaf alone tells."""
    read = document(leaf, real_paths={"/link": "/data"})
    records = records_of_execution(read, RunContext(**limits))
    assert records.plan_executables == records.executable_blobs == ()
    assert records.executions[0].incomplete_reasons == ("executable: it reads or writes a dataset that is not recorded",)


@pytest.mark.parametrize(
    ("leaf", "limits"),
    [
        (TABLE, {"datasets_allow": ("/data/*",)}),
        (TABLE, {"datasets_allow": ("default.orders",)}),
        (TABLE, {"datasets_deny": ("/data/warehouse/order",)}),
        (FILES, {"datasets_allow": ("/data/raw",)}),
        (JDBC, {"datasets_allow": ("shop.public.*",)}),
        (replace(TABLE, delta_path="file:/link/orders"), {"datasets_allow": ("/data/*",)}),
        (replace(TABLE, delta_path="file:/link/orders"), {"datasets_allow": ("/link/*",)}),
        (Leaf(class_name="LogicalRDD"), {"datasets_allow": ("/data/*",)}),
    ],
)
def test_one_that_reads_what_is_to_be_recorded_is_kept(leaf: Leaf, limits: dict[str, Any]) -> None:
    read = document(leaf, real_paths={"/link": "/data"})
    assert len(records_of_execution(read, RunContext(**limits)).plan_executables) == 1
