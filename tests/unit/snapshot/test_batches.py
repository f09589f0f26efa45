"""Batches of bounded size, whatever the width of the rows and however they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_lineage.snapshot import batches
from spark_lineage.snapshot.batches import BYTES, ROWS, bounded, sliced


def written(place: Path, table: pa.Table, **options: Any) -> pq.ParquetFile:
    pq.write_table(table, place, **options)
    return pq.ParquetFile(place)


def wide(rows: int) -> pa.Array:
    """Texts of 32 KiB, of which a file has four in a dictionary."""
    return pa.array([str(row % 4) * (32 << 10) for row in range(rows)])


def test_texts_that_repeat_are_read_in_bounded_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "f.parquet", pa.table({"id": list(range(4_000)), "s": wide(4_000)}))
    assert file.metadata.serialized_size < (tmp_path / "f.parquet").stat().st_size < 1 << 20
    monkeypatch.setattr(batches, "sliced", lambda batch: iter([batch]))  # what the reader gives, before it is cut
    read = list(bounded(file, ["id", "s"]))
    assert max(batch.nbytes for batch in read) <= BYTES
    assert pa.chunked_array([batch.column(0) for batch in read]).to_pylist() == list(range(4_000))


def test_the_footer_is_the_limit_of_what_comes_after_narrow_rows(tmp_path: Path) -> None:
    texts = pa.array(["x"] * 100_000 + [f"{row}" * (64 << 10) for row in range(1_000, 1_400)])
    file = written(tmp_path / "f.parquet", pa.table({"s": texts}), use_dictionary=False, row_group_size=100_000)
    read = list(bounded(file, ["s"]))
    assert max(batch.nbytes for batch in read) <= BYTES
    assert sum(batch.num_rows for batch in read) == 100_400


def test_narrow_rows_are_read_by_65536(tmp_path: Path) -> None:
    file = written(tmp_path / "f.parquet", pa.table({"id": list(range(500_000))}))
    rows = [batch.num_rows for batch in bounded(file, ["id"])]
    assert (max(rows), sum(rows), len(rows) < 20) == (ROWS, 500_000, True)
    rows = [batch.num_rows for batch in bounded(pq.ParquetFile(tmp_path / "f.parquet"), [])]
    assert (max(rows), sum(rows)) == (ROWS, 500_000)


def test_empty_files(tmp_path: Path) -> None:
    file = written(tmp_path / "f.parquet", pa.table({"id": pa.array([], pa.int64())}))
    assert sum(batch.num_rows for batch in bounded(file, ["id"])) == 0


@pytest.mark.parametrize("kind", ["plain", "view", "dictionary", "list"])
def test_slices(kind: str) -> None:
    texts = wide(3_000)
    column = {
        "plain": texts,
        "view": texts.cast(pa.string_view()),
        "dictionary": texts.dictionary_encode(),
        "list": pa.ListArray.from_arrays(pa.array(range(0, 3_001, 3), pa.int32()), texts),
    }[kind]
    parts = list(sliced(pa.record_batch({"s": column})))
    assert sum(part.num_rows for part in parts) == len(column)
    assert 96 << 20 <= len(parts) * BYTES <= 256 << 20
    assert pa.chunked_array([part.column(0) for part in parts]).slice(700, 1).to_pylist() == column.slice(700, 1).to_pylist()


def test_slices_end_at_one_row() -> None:
    assert [part.num_rows for part in sliced(pa.record_batch({"s": pa.array(["x" * (BYTES + 1)] * 2)}))] == [1, 1]
    assert max(part.num_rows for part in sliced(pa.record_batch({"id": list(range(ROWS + 1))}))) <= ROWS
