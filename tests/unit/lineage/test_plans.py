"""Every captured document under tests/plans, against what its query means."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.lineage.dispatch import HANDLERS
from spark_lineage.lineage.nodes.commands import OPERATIONS
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import RunReads
from spark_lineage.plan.document import ExecutionDocument, read

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))

from plans.cases import CASES  # noqa: E402
from plans.lines import described  # noqa: E402

PLANS = TESTS / "plans"

NOT_CAPTURED = {
    # Spark runs these in other set-ups than one session with Delta: Hive, R, typed datasets, state stores, DataSourceV2 streams.
    "AppendColumns", "AppendColumnsWithObject", "CoGroup", "CreateHiveTableAsSelectCommand", "DataSourceV2ScanRelation",
    "FlatMapGroupsWithState", "HiveTableRelation", "InsertIntoHiveTable", "MapElements", "MapGroups", "MapPartitions",
    "MapPartitionsInR", "ScriptTransformation", "SerializeFromObject", "ReplaceData", "TransformWithState", "WriteDelta", "UnresolvedCatalogRelation",
    "ExternalRDD", "FlatMapGroupsInR", "FlatMapGroupsInRWithArrow", "InsertIntoHiveDirCommand", "LoadDataCommand",
    "MapPartitionsInRWithArrow", "MemoryPlan", "MergeRows", "PythonWorkerLogs", "TransformWithStateInPandas",
    "TypedFilter", "UpdateEventTimeWatermarkColumn", "DeleteFromTable",
    # What procedures of other catalogs give, and what they are called.
    "MultiResult", "ResolvedNonPersistentFunc", "ResolvedPathBasedNonDeltaTable", "ResolvedPersistentFunc", "ResolvedProcedure",
    # Only in plans that are not analyzed yet, or are optimized already.
    "ArrowEvalPython", "BatchEvalPython", "InMemoryRelation", "InsertIntoDataSourceCommand", "InsertIntoStatement", "ResolvedHint", "ReturnAnswer",
    "Subquery", "UnresolvedHint", "LimitAll", "UnresolvedIdentifier", "UnresolvedSubqueryColumnAliases", "WithWindowDefinition",
    # The child's rows as they are.
    "Tail",
    # Names and definitions.
    "AddColumns", "AlterColumns", "CommentOnTable", "DescribeDeltaDetailCommand", "DescribeDeltaHistoryCommand", "DropColumns",
    "ShowDeltaTableColumnsCommand", "UnsetTableProperties",
    "AddPartitions", "AlterTableAddColumnsCommand", "AlterViewAsCommand", "AnalyzeTableCommand", "CacheTable", "CacheTableAsSelect",
    "CreateDataSourceTableCommand", "CreateDatabaseCommand", "CreateNamespace", "CreateTable", "CreateTableCommand", "CreateTempViewUsing",
    "CreateView", "DescribeRelation", "DescribeTableCommand", "DropTable", "DropTableCommand", "DropTempViewCommand", "DropView", "RefreshTable",
    "ReplaceTable", "ResolvedPersistentView", "ResolvedTempView", "SetCatalogAndNamespace", "SetCommand",
    "ShowTablesCommand", "TruncateTable", "TruncateTableCommand", "UncacheTable", "VacuumTableCommand",
    # The same; each of them is typed in a real session by tests/spark/capture/command_cases.py or is a variant of one that is.
    "AlterTableAddConstraint", "InsertIntoDataSourceDirCommand", "AlterTableAddPartitionCommand", "AlterTableChangeColumnCommand", "AlterTableClusterBy",
    "AlterTableDropConstraint", "AlterTableDropFeature", "AlterTableDropPartitionCommand", "AlterTableRenameCommand",
    "AlterTableRenamePartitionCommand", "AlterTableSetLocationCommand", "AlterTableSetPropertiesCommand",
    "AlterTableSetPropertiesDeltaCommand", "AlterTableUnsetPropertiesCommand", "AnalyzeColumnCommand", "AnalyzePartitionCommand",
    "AnalyzeTablesCommand", "CreateTableLikeCommand", "DeltaGenerateCommand", "DeltaReorgTableCommand", "DropDatabaseCommand",
    "DropNamespace", "DropPartitions", "RecoverPartitions", "RenameColumn", "RepairTable", "RepairTableCommand", "SetVariable",
    # Delta's own command takes its place.
    "OverwritePartitionsDynamic",
}  # fmt: skip
"""Handlers that no captured document exercises. A new handler comes with a case, not with a line here."""


@pytest.mark.parametrize("name", CASES)
def test_a_captured_plan_has_the_lineage_that_its_query_means(name: str) -> None:
    expected = json.loads((PLANS / name / "expected.json").read_text(encoding="utf-8"))
    expected.pop("note", None)
    reads = _run(expected.pop("run", {"datasets": [], "models": []}))
    found = described(records_of_execution(_document(name), RunContext(job_name="job", reads=lambda: reads)))
    assert {key: found[key] for key in expected} == expected
    assert found["incomplete"] == expected.get("incomplete", [])


def test_a_stream_to_a_path_tells_the_format_of_its_sink() -> None:
    records = records_of_execution(_document("stream"), RunContext(job_name="job"))
    assert {dataset.name: dataset.format for dataset in records.datasets}["/data/streamed"] == "delta"


def test_every_folder_is_a_case_and_every_case_a_folder() -> None:
    folders = {path.parent.name for path in PLANS.glob("*/plan.json")}
    assert folders == set(CASES)


def test_every_handler_is_exercised_by_a_captured_plan() -> None:
    met = {kind for name in CASES for kind in _kinds(_document(name))}
    definitions = set(OPERATIONS)  # they change no value, whatever they hold
    assert set(HANDLERS) - met - definitions == NOT_CAPTURED - definitions


def _document(name: str) -> ExecutionDocument:
    document = read((PLANS / name / "plan.json").read_bytes())
    assert isinstance(document, ExecutionDocument)
    return document


def _kinds(document: ExecutionDocument) -> set[str]:
    plans = [document.analyzed, *(nested.analyzed for nested in document.nested)]
    return {node.kind for plan in plans if plan is not None for node in plan.nodes.values()}


def _run(known: dict[str, list[str]]) -> RunReads:
    """What the run did before; `trained` names the captured trainings."""
    trained = [records_of_execution(_document(name), RunContext()) for name in known.get("trained", ())]
    return RunReads(
        datasets=_keys(known["datasets"]),
        models=_keys(known["models"]),
        trained=tuple(edge for one in trained for edge in one.column_lineage),
        trained_on=frozenset((one.namespace, one.name) for records in trained for one in records.inputs),
    )


def _keys(names: list[str]) -> Any:
    return frozenset(("file", name) for name in names)
