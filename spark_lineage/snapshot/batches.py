"""Batches of bounded size, whatever the width of the rows: 65,536 of them at most, in about 32 MiB."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pat

from .arrow import without_views

ROWS = 1 << 16
BYTES = 32 << 20
_FIRST = 256
_GROWTH = 4


def bounded(parquet: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """All rows of a file with these columns.

    A text that repeats is in the file once, in a dictionary, so its footer does not tell what rows take in memory: the first batches are
    small, and each has as many rows as what was read so far leaves room for. What the footer tells is the limit.
    """
    most = _most(parquet.metadata)
    rows = min(_FIRST, most) if columns else most
    for batch in parquet.iter_batches(batch_size=rows, columns=columns):
        if batch.num_rows:
            width = max(1, _size(batch) // batch.num_rows)
            rows = max(1, min(most, rows * _GROWTH, BYTES // 2 // width))
            parquet.reader.set_batch_size(rows)  # the reader asks for it before each batch
        yield from sliced(batch)


def sliced(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows of a batch, a bounded number at a time."""
    if batch.num_rows <= 1 or (batch.num_rows <= ROWS and _size(batch) <= BYTES):
        yield batch
        return
    half = batch.num_rows // 2
    yield from sliced(batch.slice(0, half))
    yield from sliced(batch.slice(half))


def _most(metadata: pq.FileMetaData) -> int:
    """So many rows take `BYTES` where the rows are the widest, as the footer has it."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    width = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1.0)
    return max(1, min(ROWS, int(BYTES / max(width, 1))))


def _size(batch: pa.RecordBatch) -> int:
    """The bytes of these rows once they are no views and no dictionaries, whose slices share what they show."""
    return sum(_width(column) for column in without_views(batch).columns)


def _width(column: pa.Array) -> int:
    if not pat.is_dictionary(column.type):
        return int(column.nbytes)
    values = column.dictionary
    if not (pat.is_string(values.type) or pat.is_binary(values.type) or pat.is_large_string(values.type) or pat.is_large_binary(values.type)):  # fmt: skip
        return 16 * len(column)
    lengths = pc.binary_length(values).cast(pa.int64()).take(column.indices)
    return 8 * len(column) + (pc.sum(lengths).as_py() or 0)
