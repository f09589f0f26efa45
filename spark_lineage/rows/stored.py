"""What is kept of samples: which versions have one, and the source rows of their rows."""

from __future__ import annotations

from ..lineage.naming import DatasetKey
from ..model import RowLineage, RowSample
from ..store.rows import records_of
from ..store.schemas import TABLES
from ..store.tables import Store, literal


def samples(store: Store, key: DatasetKey | None = None) -> tuple[RowSample, ...]:
    """The samples that are kept, of a dataset or of all, in the order in which they were taken; and why a version has none."""
    condition = None if key is None else f"namespace = {literal(key[0])} and name = {literal(key[1])}"
    rows = records_of(TABLES["row_samples"], store.arrow("row_samples", filter=condition))
    return tuple(sorted(rows, key=lambda one: one.taken_at))


def row_lineage(
    store: Store, key: DatasetKey, version: int | None = None, target_key: int | None = None
) -> tuple[RowLineage, ...]:
    """The source rows of the rows of a version that are in its sample, by their key; of the newest version that has one by default."""
    condition = f"target_namespace = {literal(key[0])} and target_name = {literal(key[1])}"
    if version is None:
        version = max((one.delta_version for one in samples(store, key) if one.reason is None), default=-1)
    condition += f" and target_version = {version}"
    if target_key is not None:
        condition += f" and target_key = {target_key}"
    rows = records_of(TABLES["row_lineage"], store.arrow("row_lineage", filter=condition))
    return tuple(sorted(rows, key=_order))


def _order(row: RowLineage) -> tuple[int, bytes, str, str, int, bytes]:
    return (
        row.target_key or 0, row.target_row, row.source_name or "", row.source_file or "", row.source_position or 0, row.source_fingerprint or b"",
    )  # fmt: skip
