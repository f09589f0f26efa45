"""What is needed to run an execution's plan again: its leaves bound to what was really scanned. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from ..model import ExecutableBlob, ExecutableLeaf, ExecutableView, Execution, LeafKind, PlanExecutable, VersionBasis
from ..plan.document import ExecutionDocument, Scan
from ..plan.executable import Executable, Leaf
from ..plan.values import CatalogTable, DeltaTable, FileRelation
from .datasets import DatasetRef, Naming
from .naming import split
from .real_paths import real_path_of
from .streams import last_version

REASON = "executable: "
"""How reasons begin that tell why an execution cannot be run again; they say nothing against its lineage."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_THIS_PROCESS = ("LogicalRDD", "ExternalRDD", "InMemoryRelation")
_OF_A_BATCH = ("LogicalRDD", "ExternalRDD")
"""As what `foreachBatch` hands its batch to a function."""
_PATHS = ("path", "paths")


def executable_of(document: ExecutionDocument, execution: Execution) -> tuple[PlanExecutable, ExecutableBlob] | None:
    """The executable and its plan, not signed yet; None where the document has none."""
    kept = document.executable
    if kept is None:
        return None
    blob = ExecutableBlob(executable_id=hashlib.sha256(kept.blob).hexdigest(), blob=kept.blob)
    instant = None if kept.instant_us is None else _EPOCH + timedelta(microseconds=kept.instant_us)
    executable = PlanExecutable(
        execution_id=execution.execution_id,
        run_id=execution.run_id,
        executable_id=blob.executable_id,
        spark_version=kept.spark_version,
        commands=kept.commands,
        leaves=tuple(_leaf(number, leaf, document) for number, leaf in enumerate(kept.leaves)),
        views=_views(kept),
        session_confs_id=execution.session_confs_id,
        current_catalog=document.current_catalog,
        current_namespace=document.current_namespace or None,
        user_name=kept.user,
        instant=instant,
        instant_basis=None if instant is None else "exact" if kept.instant_exact else "bounded",
        event_date=execution.event_date,
    )
    return executable, blob


def reads_what(document: ExecutionDocument) -> tuple[DatasetRef, ...]:
    """The datasets that the leaves of a document's executable read, named as any other, with the paths as the job spells them."""
    naming = Naming(document.current_database)
    leaves = document.executable.leaves if document.executable else ()
    return tuple(dataset for leaf in leaves for dataset in _datasets(leaf, naming, real_path_of(document)))


def _datasets(leaf: Leaf, naming: Naming, real: Callable[[str], str]) -> tuple[DatasetRef, ...]:
    parts = tuple(filter(None, (leaf.catalog, *leaf.name)))
    options = {key.lower(): value for key, value in (leaf.options or {}).items()}
    paths = leaf.paths if leaf.delta_path is None else (leaf.delta_path,)
    delta = None if leaf.delta_path is None else DeltaTable(real(leaf.delta_path))
    if not paths and _kind(leaf) != "jdbc":
        return (naming.of_name(parts),) if parts else ()
    relation = FileRelation(leaf.class_name, leaf.format, tuple(map(real, paths)), options, delta=delta)
    datasets = naming.of_files(relation, CatalogTable(parts) if parts else None)
    spelt = {split(path)[1]: split(real(path))[1] for path in paths}
    return tuple(one.also_called(given for given, at in spelt.items() if _is_in(at, one.key[1])) for one in datasets)


def _is_in(name: str, folder: str) -> bool:
    return f"{name}/".startswith(f"{folder.rstrip('/')}/")


def _leaf(number: int, leaf: Leaf, document: ExecutionDocument) -> ExecutableLeaf:
    kind = _kind(leaf)
    version, basis = _version(leaf, document) if kind in ("delta", "delta_files") else (None, None)
    location = leaf.delta_path or (leaf.paths[0] if leaf.paths else None)
    name = ".".join(filter(None, (leaf.catalog, *leaf.name))) or None
    options = {key: value for key, value in (leaf.options or {}).items() if key.lower() not in _PATHS}
    return ExecutableLeaf(
        number=number,
        kind=kind,
        location=location,
        name=name,
        format=leaf.format,
        paths=leaf.paths if leaf.files is None else leaf.files,
        options=options or None,
        columns=leaf.columns,
        schema=leaf.schema,
        table_id=leaf.table_id or _scanned_table(leaf, document.scans),
        delta_version=version,
        version_basis=basis or "exact",
    )


def _kind(leaf: Leaf) -> LeafKind:
    if leaf.class_name in _OF_THIS_PROCESS:
        return "batch" if leaf.inner and leaf.class_name in _OF_A_BATCH else "rows"
    if leaf.delta_path is not None:
        return "delta" if leaf.files is None else "delta_files"
    if leaf.format == "jdbc":
        return "jdbc"
    if leaf.paths and leaf.format and leaf.schema:
        return "files"
    return "table" if leaf.name else "unknown"


def _version(leaf: Leaf, document: ExecutionDocument) -> tuple[int | None, VersionBasis]:
    """The version that was scanned. Where nothing was (an answer from the log, say), what is most likely, as inferred.

    A micro-batch scans files of the versions up to that of its offsets; its snapshot is that of the stream's start.
    """
    if leaf.files is not None and leaf.delta_path is not None:
        last = last_version(document.stream, split(leaf.delta_path)[1])
        if last is not None:
            return last, "exact"
    own = _scans_of(leaf, document.scans)
    if len(own) == 1:
        return own.pop(), "exact"
    if leaf.time_travel and leaf.version_at_analysis is not None:
        return leaf.version_at_analysis, "exact"
    of_place = {
        scan.delta_version for scan in document.scans if scan.delta_version is not None and leaf.delta_path in scan.paths
    }
    if len(of_place) == 1:
        return of_place.pop(), "exact"
    before = {commit.version_before for commit in document.commits if commit.path == leaf.delta_path}
    if len(before) == 1 and (version := before.pop()) is not None and version >= 0:
        return version, "inferred"
    return leaf.version_at_analysis, "inferred"


def _scans_of(leaf: Leaf, scans: Sequence[Scan]) -> set[int]:
    """The versions that scans read which give this very leaf's columns."""
    mine = set(leaf.output)
    return {scan.delta_version for scan in scans if scan.delta_version is not None and mine & set(scan.output)}


def _scanned_table(leaf: Leaf, scans: Sequence[Scan]) -> str | None:
    return next((scan.table_id for scan in scans if scan.table_id and leaf.delta_path in scan.paths), None)


def _views(kept: Executable) -> tuple[ExecutableView, ...]:
    views = {view.name: ExecutableView(name=view.name, temporary=view.temporary, sql=view.sql) for view in kept.views}
    return tuple(views.values())
