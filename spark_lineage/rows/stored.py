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
    """The source rows of the rows of a version that are in its sample, by their key; of the newest version that has one by default.

    Of a table that was dropped and made again under its name: of the one whose sample was taken last.
    """
    kept = [one for one in samples(store, key) if one.reason is None]
    if version is not None:
        kept = [one for one in kept if one.delta_version == version]
    elif kept:
        newest = max(one.delta_version for one in kept if one.table_id == kept[-1].table_id)
        kept = [one for one in kept if one.delta_version == newest and one.table_id == kept[-1].table_id]
    if not kept:
        return ()
    condition = of_sample(kept[-1])
    if target_key is not None:
        condition += f" and target_key = {target_key}"
    rows = records_of(TABLES["row_lineage"], store.arrow("row_lineage", filter=condition))
    return tuple(sorted(rows, key=_order))


def of_sample(sample: RowSample) -> str:
    """The condition on `row_lineage` that a row is of a sample. Rows of others are those of one that is being taken, or was cut short."""
    taken = "sample_id is null" if sample.sample_id is None else f"sample_id = {literal(sample.sample_id)}"
    return f"{of_version(sample)} and {taken}"


def of_version(sample: RowSample) -> str:
    """The condition that a row is of any sample of that version. Rows that were stored by schema version 8 tell no table's id."""
    return (
        f"execution_id = {literal(sample.execution_id)} and target_namespace = {literal(sample.namespace)} and "
        f"target_name = {literal(sample.name)} and (table_id is null or table_id = {literal(sample.table_id)}) and "
        f"target_version = {sample.delta_version}"
    )


def _order(row: RowLineage) -> tuple[int, bytes, str, str, int, bytes]:
    return (
        row.target_key or 0, row.target_row, row.source_name or "", row.source_file or "", row.source_position or 0, row.source_fingerprint or b"",
    )  # fmt: skip
