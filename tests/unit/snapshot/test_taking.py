"""Checksums of the versions of a Delta table: what is read for each, and what a second look finds."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delta_tables import leave_out
from deltalake import DeltaTable, write_deltalake

from spark_lineage.errors import SnapshotError
from spark_lineage.model import Observed
from spark_lineage.snapshot.arrow import sums_of
from spark_lineage.snapshot.delta import batches_of, identity_of, is_delta, version_of
from spark_lineage.snapshot.kinds import classes_hash, columns_of, layout_hash, schema_hash
from spark_lineage.snapshot.policy import Wanted
from spark_lineage.snapshot.taking import kept, snapshots, take, verify
from spark_lineage.store.tables import Store


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "some table")


def rows(first: int, last: int, **more: Any) -> pa.Table:
    numbers = list(range(first, last))
    return pa.table({"id": numbers, "name": [None if n % 3 == 0 else f"n{n}" for n in numbers], **more})


def expected(table: pa.Table, location: str) -> str:
    return sums_of(table.to_batches(), columns_of(version_of(location).schema)).checksum


def test_an_append_costs_its_own_files(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    first = take(store, place)
    write_deltalake(place, rows(10, 15), mode="append")
    second = take(store, place)
    assert (first.method, first.files_read, first.row_count) == ("scan", 1, 10)
    assert (second.method, second.files, second.files_read, second.row_count) == ("incremental", 2, 1, 15)
    assert second.checksum == expected(rows(0, 15), place)
    assert take(store, place) == second, "known: not taken again"
    assert [one.delta_version for one in snapshots(store)] == [0, 1]
    assert take(store, place, version=0) == first
    assert version_of(place, 0).committed_at == first.committed_at != second.committed_at


def test_whatever_is_done_to_the_table(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    write_deltalake(place, rows(10, 20), mode="append")
    before = take(store, place)
    DeltaTable(place).optimize.compact()
    compacted = take(store, place)
    assert (compacted.checksum, compacted.row_count) == (before.checksum, before.row_count)
    DeltaTable(place).delete("id = 3")
    deleted = take(store, place)
    assert deleted.checksum == expected(pa.concat_tables([rows(0, 3), rows(4, 20)]), place)
    DeltaTable(place).update(updates={"name": "'x'"}, predicate="id = 4")
    assert take(store, place).checksum not in (before.checksum, deleted.checksum)
    write_deltalake(place, rows(0, 20), mode="overwrite")
    overwritten = take(store, place)
    assert overwritten.checksum == before.checksum
    assert take(store, place, version=1).checksum == before.checksum


def test_a_column_added_later_leaves_the_old_files_sums(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    first = take(store, place)
    write_deltalake(place, rows(10, 12, extra=pa.array([1.5, None])), mode="append", schema_mode="merge")
    second = take(store, place)
    assert (second.files_read, second.schema_hash == first.schema_hash) == (1, False)
    whole = pa.concat_tables([rows(0, 10), rows(10, 12, extra=pa.array([1.5, None]))], promote_options="default")
    assert second.checksum == expected(whole, place)


def test_partitions_and_their_nulls(store: Store, place: str) -> None:
    days = [dt.date(2024, 1, 1), None, dt.date(2024, 1, 2), None]
    table = pa.table({"id": [1, 2, 3, 4], "day": pa.array(days, pa.date32()), "what ever": ["a/b", "", None, "ü %"]})
    write_deltalake(place, table, partition_by=["day", "what ever"])
    # Delta keeps an empty text of a partition as null
    stored = table.set_column(2, "what ever", pa.array(["a/b", None, None, "ü %"]))
    assert take(store, place).checksum == expected(stored, place)


def test_no_rows_and_no_files(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 0))
    empty = take(store, place)
    assert (empty.row_count, empty.checksum, empty.files_read) == (0, "0" * 32, empty.files)


def test_the_version_of_a_time(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    between = version_of(place).committed_at
    assert between is not None
    write_deltalake(place, rows(10, 20), mode="append")
    assert take(store, place, at=between + dt.timedelta(milliseconds=1)).row_count == 10


def test_dropped_and_made_again_is_another_table(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    first = take(store, place)
    shutil.rmtree(place)
    write_deltalake(place, rows(0, 11))
    second = take(store, place)
    assert (second.row_count, second.files_read) == (11, 1)
    assert second.table_id != first.table_id
    held = verify(store, first, place)
    assert not held.holds
    assert "dropped and created again" in str(held.reason)


def test_what_a_second_look_finds(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    write_deltalake(place, rows(10, 20), mode="append")
    recorded = take(store, place)
    assert verify(store, recorded, place).holds

    one, other = sorted(path for path in Path(place).glob("*.parquet"))
    content = pq.read_table(one)
    pq.write_table(content.set_column(0, "id", pa.array([n + 1 for n in content["id"].to_pylist()])), one)
    held = verify(store, recorded, place)
    assert (held.holds, held.changed, held.lost) == (False, (one.name,), ())
    assert held.rows == 20

    other.unlink()
    held = verify(store, recorded, place)
    assert (held.holds, held.changed, held.lost) == (False, (one.name,), (other.name,))
    assert "delta.deletedFileRetentionDuration" in str(held.reason)


def test_a_version_that_is_gone(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    write_deltalake(place, rows(0, 5), mode="overwrite")
    DeltaTable(place).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(SnapshotError, match=r"version 0 cannot be read any more.*delta\.deletedFileRetentionDuration"):
        take(store, place, version=0)
    assert snapshots(store) == []


@pytest.mark.parametrize(("version", "said"), [(7, "has no version 7: the newest is 0")])
def test_a_version_that_never_was(store: Store, place: str, version: int, said: str) -> None:
    write_deltalake(place, rows(0, 10))
    with pytest.raises(SnapshotError, match=said):
        take(store, place, version=version)


def test_no_table_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="is no Delta table"):
        take(store, str(tmp_path / "nothing"))


def test_what_is_no_parquet_is_told(store: Store, place: str) -> None:
    write_deltalake(place, rows(0, 10))
    (file,) = Path(place).glob("*.parquet")
    file.write_bytes(b"PAR1 not at all PAR1")
    with pytest.raises(SnapshotError, match=f"{file.name} of .* cannot be read"):
        take(store, place)


def test_a_column_of_the_same_name_that_was_added_again() -> None:
    """Column mapping tells it from the one that was dropped: old files have no values of it. (tests/spark has it by Spark.)"""

    def schema(stored: str) -> str:
        return f'{{"type":"struct","fields":[{{"name":"c","type":"string","nullable":true,"metadata":{{"delta.columnMapping.physicalName":"{stored}"}}}}]}}'

    one, other = columns_of(schema("col-1")), columns_of(schema("col-2"))
    assert schema_hash(one) == schema_hash(other)
    assert layout_hash(one) != layout_hash(other)


def dropping(place: Path, values: list[str]) -> str:
    """A table with column mapping: version 0 has a column that version 1 drops and version 2, a RESTORE, brings back."""
    log = place / "_delta_log"
    log.mkdir(parents=True)
    struct = pa.StructArray.from_arrays([pa.array([1, 2, 3], pa.int64()), pa.array(values)], ["s-x", "s-y"])
    pq.write_table(
        pa.table({"c-id": pa.array([1, 2, 3], pa.int64()), "c-b": pa.array(values), "c-s": struct}), place / "f.parquet"
    )

    def field(name: str, kind: Any, number: int, stored: str) -> dict[str, Any]:
        mapping = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": stored}
        return {"name": name, "type": kind, "nullable": True, "metadata": mapping}

    def metadata(fields: list[dict[str, Any]]) -> dict[str, Any]:
        configuration = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "5"}
        schema = json.dumps({"type": "struct", "fields": fields})
        return {"metaData": {"id": f"id of {place.name}", "format": {"provider": "parquet", "options": {}}, "schemaString": schema, "partitionColumns": [], "configuration": configuration, "createdTime": 0}}  # fmt: skip

    x, y = field("x", "long", 4, "s-x"), field("y", "string", 5, "s-y")
    whole = [
        field("id", "long", 1, "c-id"),
        field("b", "string", 2, "c-b"),
        field("s", {"type": "struct", "fields": [x, y]}, 3, "c-s"),
    ]
    less = [whole[0], field("s", {"type": "struct", "fields": [x]}, 3, "c-s")]
    add = {"add": {"path": "f.parquet", "partitionValues": {}, "size": (place / "f.parquet").stat().st_size, "modificationTime": 0, "dataChange": True}}  # fmt: skip
    protocol = {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}
    for version, actions in enumerate(([protocol, metadata(whole), add], [metadata(less)], [metadata(whole)])):
        (log / f"{version:020d}.json").write_text(
            "".join(json.dumps(one) + "\n" for one in ({"commitInfo": {"timestamp": version}}, *actions))
        )
    return str(place)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_column_that_was_dropped_and_comes_back_counts_again(order: tuple[int, ...], store: Store, tmp_path: Path) -> None:
    """A sum without it is not that of a version that has it, though the file is the same; nor is that of a field of a struct."""
    taken = {}
    for name, values in (("one", ["x", "y", "z"]), ("other", ["quite", "other", "values"])):
        place = dropping(tmp_path / name, values)
        taken[name] = {version: take(store, place, version) for version in order}
        assert taken[name][0].checksum == taken[name][2].checksum != taken[name][1].checksum
        assert all(verify(store, one, place).holds for one in taken[name].values())
        assert taken[name][order[-1]].files_read == int(order[-1] == 1), "the same columns are not read twice"
    assert taken["one"][0].checksum != taken["other"][0].checksum
    assert taken["one"][1].checksum == taken["other"][1].checksum


def test_a_folder_that_was_copied_goes_its_own_way(store: Store, place: str, tmp_path: Path) -> None:
    """Its table has the same id, and other versions under the same numbers."""
    write_deltalake(place, rows(0, 3))
    take(store, place)
    copy = str(tmp_path / "copy")
    shutil.copytree(place, copy)
    for folder, more in ((place, rows(3, 9)), (copy, rows(7, 8))):
        write_deltalake(folder, more, mode="append")
        take(store, folder)
    more = rows(8, 9)
    write_deltalake(copy, more, mode="append")
    columns = version_of(copy).columns
    sums = sums_of(more.to_batches(), columns)
    later = take(store, copy, observed=Observed(sums.rows, sums.checksum, classes_hash(columns)))
    assert later.checksum == expected(pa.concat_tables([rows(0, 3), rows(7, 9)]), copy)
    assert (later.method, later.files_read) == ("inline", 0), "from its own version before"
    assert verify(store, later, copy).holds
    wanted = [Wanted("file", folder, str(later.table_id), 1) for folder in (place, copy)]
    assert len({one.identity for one in wanted}) == 2


def test_the_newest_of_a_table_that_was_created_again(store: Store, place: str) -> None:
    for number in range(3):
        write_deltalake(place, rows(0, 2 + number), mode="append")
    take(store, place)
    shutil.rmtree(place)
    write_deltalake(place, rows(0, 2))
    again = take(store, place)
    found, location = kept(store, place, None)
    assert (found, location) == (again, place)
    assert verify(store, found, location).holds


@pytest.mark.parametrize(
    "name", ["a b", "a#b", "what?", "o'clock", "Müller ß", "run[1]", "50%", "a:b", 'a"b', "a{b}|c^d`e<f>", "日本"]
)
def test_folders_of_any_name(store: Store, tmp_path: Path, name: str) -> None:
    write_deltalake(tmp_path / "plain", rows(0, 3))
    write_deltalake(tmp_path / "plain", rows(3, 5), mode="append")
    recorded = take(store, str(tmp_path / "plain"))
    place = str(tmp_path / name)
    shutil.copytree(tmp_path / "plain", place)
    assert (is_delta(place), identity_of(place), identity_of(place, 0)) == (
        True,
        (recorded.table_id, 1),
        (recorded.table_id, 0),
    )
    assert take(store, place).checksum == recorded.checksum
    assert verify(store, take(store, place, version=0), place).holds


@pytest.mark.parametrize("name", ["per%41cent", "per%2541cent", "a\\b"])
def test_a_folder_that_delta_rs_takes_for_another(store: Store, tmp_path: Path, name: str) -> None:
    write_deltalake(tmp_path / "perAcent", rows(0, 3))
    shutil.copytree(tmp_path / "perAcent", tmp_path / name)
    DeltaTable(tmp_path / "perAcent").delete("id = 1")
    assert is_delta(str(tmp_path / name))
    assert identity_of(str(tmp_path / name)) is None
    with pytest.raises(SnapshotError, match=r"takes .* in a name for another character, so for another folder; rename it"):
        take(store, str(tmp_path / name))


def test_rows_that_deletion_vectors_leave_out(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "some täble#?"
    write_deltalake(place, rows(0, 100, p=["x y%"] * 50 + ["ü"] * 50), partition_by=["p"])
    leave_out(place, 1, 3, 40)
    taken = take(store, str(place))
    left = [n for n in range(100) if n % 50 not in (1, 3, 40)]
    assert taken.checksum == expected(rows(0, 100, p=["x y%"] * 50 + ["ü"] * 50).take(left), str(place))
    named = hashlib.sha256(np.array([1, 3, 40], "<i8").tobytes()).hexdigest()[:32]
    assert {file.deletion_vector for file in version_of(str(place)).files} == {named}, "it is stored"
    held = [file.kept for file in version_of(str(place)).files if file.kept is not None]
    assert max(len(kept.buffers()[1]) for kept in held) < 50, "a bit each"


def test_wide_rows_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    """A text that repeats is in the file once, and has its width in memory for each row."""
    place, wide = tmp_path / "table", pa.table({"id": range(1000), "text": ["x" * (1 << 16)] * 1000})
    write_deltalake(place, wide)
    leave_out(place, 0, 1, 500, 999)
    table = version_of(str(place))
    batches = list(batches_of(table, table.files[0]))
    assert max(batch.nbytes for batch in batches) <= 33 << 20
    assert [row for batch in batches for row in batch.column("id").to_pylist()] == [*range(2, 500), *range(501, 999)]
