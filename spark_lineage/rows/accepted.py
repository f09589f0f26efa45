"""One sample of a version is kept, however many are taken of it at once: rows are stored first, under the sample's id, and count once it is recorded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa

from ..model import RowSample
from ..store.rows import records_of
from ..store.schemas import TABLES
from ..store.tables import Store, literal
from .stored import of_sample, of_version

_APPLICATION = "spark-lineage/samples"
"""Transaction id under which samples are recorded."""


def recorded(store: Store, sample: RowSample) -> tuple[RowSample, ...]:
    """The samples that are recorded of its version, in the order in which they were taken."""
    rows = records_of(TABLES["row_samples"], store.arrow("row_samples", filter=_same(sample)))
    return tuple(sorted(rows, key=lambda one: one.taken_at))


def accept(store: Store, sample: RowSample, before: Collection[RowSample]) -> RowSample:
    """Records a sample whose rows are stored, or why none was taken. Where somebody else recorded one since `before`, that one is given instead,
    and the rows of this one are taken away. Raises StoreError."""
    known = {one.sample_id for one in before}

    def there(rows: pa.Table) -> bool:
        others: list[dict[str, Any]] = [row for row in rows.to_pylist() if row["sample_id"] not in known]
        return any(row["reason"] is None or sample.reason is not None for row in others)

    written = store.append_unless("row_samples", [sample], _APPLICATION, there, _same(sample))
    if written and sample.reason is None:
        _forget(store, f"{of_version(sample)} and (sample_id is null or sample_id <> {literal(str(sample.sample_id))})")
        return sample
    _forget(store, of_sample(sample))
    if written:
        return sample
    others = [one for one in recorded(store, sample) if one.sample_id not in known]
    return next((one for one in others if one.reason is None), others[-1])


def _same(sample: RowSample) -> str:
    return (
        f"namespace = {literal(sample.namespace)} and name = {literal(sample.name)} and table_id = {literal(sample.table_id)} "
        f"and delta_version = {sample.delta_version}"
    )


def _forget(store: Store, where: str) -> None:
    if store.arrow("row_lineage", ["target_version"], where).num_rows:
        store.remove("row_lineage", where)
