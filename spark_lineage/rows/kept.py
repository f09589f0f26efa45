"""What is kept of sampled rows: the table `row_lineage`, written some hundred thousand rows at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from ..store.schemas import TABLES
from ..store.tables import Store
from .lots import Here, InSpark
from .witness import Completeness, Source

if TYPE_CHECKING:
    from .due import Due

AT_ONCE = 200_000
"""So many rows are in the driver's memory, and then in a file."""
_SCHEMA = TABLES["row_lineage"].arrow


class Keeping:
    """Takes what was found of rows, by their number, and appends it to the table; what is left when it is closed."""

    def __init__(
        self, store: Store, one: Due, sample_id: str, fraction: float, hashes: Sequence[bytes], keys: Sequence[int]
    ) -> None:
        self._store = store
        self._always = {
            "execution_id": one.execution_id, "target_namespace": one.namespace, "target_name": one.name, "target_version": one.version,
            "table_id": one.table_id, "sample_id": sample_id,
            "sample_fraction": fraction, "event_date": one.event_date,
        }  # fmt: skip
        self._hashes, self._keys = pa.array(hashes, pa.binary()), pa.array(keys, pa.int64())
        self._waiting: list[pa.Table] = []
        self._single: list[dict[str, Any]] = []
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._write()

    def found(
        self,
        source: Source,
        rows: Here | InSpark,
        counts: Mapping[int, int],
        labels: Mapping[int, Completeness],
        times: Callable[[pa.Table], pa.Array],
    ) -> None:
        """Rows of a source; `counts` says how many of each number there are in them, `times` how often each is there, of those that are known
        by their content."""
        part: list[int] = []
        for tag in sorted(counts):
            if part and sum(counts[one] for one in part) + counts[tag] > AT_ONCE:
                self._add(source, rows, part, labels, times)
                part = []
            part.append(tag)
        if part:
            self._add(source, rows, part, labels, times)

    def whole(self, source: Source, tag: int, completeness: Completeness) -> None:
        """All rows of a source decide."""
        self._single.append(
            {
                "tag": tag, "completeness": completeness, "source_namespace": source.namespace, "source_name": source.name,
                "source_version": source.version, "source_row_kind": "whole",
            }
        )  # fmt: skip

    def nothing(self, tag: int, completeness: Completeness) -> None:
        """No row of a source is known of it."""
        self._single.append({"tag": tag, "completeness": completeness})

    def _add(
        self,
        source: Source,
        rows: Here | InSpark,
        tags: list[int],
        labels: Mapping[int, Completeness],
        times: Callable[[pa.Table], pa.Array],
    ) -> None:
        table = rows.between(tags[0], tags[-1])
        table = table.filter(pc.is_in(table.column("tag"), pa.array(tags, pa.int64())))
        kind = table.column("kind")
        by_file, by_id, by_content = (pc.equal(kind, name) for name in ("file_row", "row_id", "fingerprint"))
        nothing = pa.scalar(None, pa.int64())
        columns = {
            "tag": table.column("tag"),
            "source_row_kind": kind,
            "source_file": pc.if_else(by_file, table.column("file"), pa.scalar(None, pa.string())),
            "source_position": pc.if_else(
                by_id, table.column("row_id"), pc.if_else(by_file, table.column("position"), nothing)
            ),
            "source_fingerprint": _fingerprints(table, by_content),
            "multiplicity": times(table) if pc.any(by_content).as_py() else pa.nulls(table.num_rows, pa.int64()),
            "source_rows": table.column("n"),
            "completeness": pa.array([labels[tag] for tag in table.column("tag").to_pylist()], pa.string()),
        }
        more = {"source_namespace": source.namespace, "source_name": source.name, "source_version": source.version}
        self._waiting.append(self._table(pa.table(columns), more))
        if sum(one.num_rows for one in self._waiting) >= AT_ONCE:
            self._write()

    def _table(self, table: pa.Table, more: Mapping[str, Any]) -> pa.Table:
        """In the columns of `row_lineage`; what a column is not told of is null."""
        tags = table.column("tag")
        always = {**self._always, **more}
        columns = []
        for field in _SCHEMA:
            if field.name == "target_row":
                column = self._hashes.take(tags.combine_chunks())
            elif field.name == "target_key":
                column = self._keys.take(tags.combine_chunks())
            elif field.name in always:
                column = pa.array([always[field.name]], field.type).take(pa.array([0] * table.num_rows, pa.int64()))
            elif field.name in table.column_names:
                column = table.column(field.name).cast(field.type)
            else:
                column = pa.nulls(table.num_rows, field.type)
            columns.append(column)
        return pa.Table.from_arrays(columns, schema=_SCHEMA)

    def _write(self) -> None:
        if self._single:
            names = ("tag", "completeness", "source_namespace", "source_name", "source_version", "source_row_kind")
            types = {"tag": pa.int64(), "source_version": pa.int64()}
            arrays = {name: pa.array([one.get(name) for one in self._single], types.get(name, pa.string())) for name in names}
            self._waiting.append(self._table(pa.table(arrays), {}))
            self._single = []
        if not self._waiting:
            return
        order = [(name, "ascending") for name in ("target_key", "target_row", "source_name", "source_file", "source_position")]
        rows = pa.concat_tables(self._waiting).sort_by(order)
        self._waiting = []
        self.rows += self._store.append_arrow("row_lineage", rows, None)


def _fingerprints(table: pa.Table, by_content: pa.ChunkedArray) -> pa.Array:
    """The two hashes as 16 bytes, of those rows that are known by them."""
    rows = zip(by_content.to_pylist(), table.column("h0").to_pylist(), table.column("h1").to_pylist(), strict=True)
    return pa.array([struct.pack(">qq", one, two) if known else None for known, one, two in rows], pa.binary())
