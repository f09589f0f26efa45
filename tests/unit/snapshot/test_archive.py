"""A version copied into an archive is the same version, whatever becomes of its table."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta_tables import actions_of, rows, table_of, vacuum, write_actions
from deltalake import DeltaTable, write_deltalake

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot import archive as module
from spark_lineage.snapshot.archive import archive
from spark_lineage.snapshot.recorded_versions import archives, recorded
from spark_lineage.snapshot.taking import snapshots, take
from spark_lineage.store.tables import Store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "some täble"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "the archive")


def content(place: Path | str, version: int | None = None) -> list[dict[str, Any]]:
    return sorted(pa.table(DeltaTable(place, version=version).scan()).to_pylist(), key=lambda row: row["id"])


def inodes(place: Path | str) -> set[int]:
    return {path.stat().st_ino for path in Path(place).rglob("*.parquet")}


def test_a_copy_outlives_its_table(store: Store, place: Path, folder: str) -> None:
    table_id = table_of(place, 3)
    expected = content(place, 1)
    made = archive(store, str(place), 1, folder)
    assert made.archive.location == f"{folder}/{table_id}/1"
    assert (made.copied_files, made.copied_bytes, made.shared_files) == (1, made.archive.bytes, 0)
    assert (made.verified, made.rows, made.archive.checksum) == ("checksum", 11, take(store, str(place), 1).checksum)
    vacuum(place)
    assert content(made.archive.location) == expected
    assert take(store, made.archive.location).checksum == made.archive.checksum
    (one,) = [one for one in recorded(store) if one.table_id == table_id and one.version == 1]
    assert (one.readable, one.archive, one.obtainable) == (False, made.archive.location, True)
    shutil.rmtree(place)
    assert content(made.archive.location) == expected
    shutil.rmtree(made.archive.location)
    assert archives(store) == ()


def test_partitions_with_strange_names(store: Store, place: Path, folder: str) -> None:
    table = pa.table({"id": [1, 2, 3, 4], "what ever": ["a/b", "x y", None, "ü %=#?"], "n": [1, 1, 2, 2]})
    write_deltalake(place, table, partition_by=["what ever", "n"])
    made = archive(store, str(place), 0, folder)
    assert content(made.archive.location) == content(place)
    assert DeltaTable(made.archive.location).metadata().partition_columns == ["what ever", "n"]
    assert str(DeltaTable(made.archive.location).metadata().id) != str(DeltaTable(place).metadata().id)


def test_versions_share_their_files(store: Store, place: Path, folder: str) -> None:
    for version in range(3):
        write_deltalake(place, rows(10 * version, 10 * version + 10), mode="append")
    first, second = archive(store, str(place), 0, folder), archive(store, str(place), 2, folder)
    assert (second.copied_files, second.shared_files, second.shared_bytes) == (2, 1, first.copied_bytes)
    assert inodes(first.archive.location) < inodes(second.archive.location)
    assert not inodes(second.archive.location) & inodes(place), (
        "the table's own files are copied: they may be changed where they lie"
    )
    expected = content(place)
    shutil.rmtree(first.archive.location)
    assert content(second.archive.location) == expected


def test_again_is_no_work(store: Store, place: Path, folder: str) -> None:
    table_of(place, 1)
    first = archive(store, str(place), 0, folder)
    before = inodes(folder)
    again = archive(store, str(place), 0, folder)
    assert (again.already_there, again.archive, again.copied_bytes) == (True, first.archive, 0)
    assert inodes(folder) == before
    assert store.arrow("archives").num_rows == 1


def test_killed_before_it_was_recorded(store: Store, place: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table_of(place, 1)

    class Killed(BaseException):
        pass

    append = Store.append

    def killed(self: Store, table: str, *rest: Any) -> int:
        if table == "archives":
            raise Killed
        return append(self, table, *rest)

    monkeypatch.setattr(Store, "append", killed)
    with pytest.raises(Killed):
        archive(store, str(place), 0, folder)
    monkeypatch.undo()
    made = archive(store, str(place), 0, folder)
    assert (made.already_there, made.archive.checksum) == (True, take(store, str(place), 0).checksum)
    assert [one.location for one in archives(store)] == [made.archive.location]


@pytest.mark.parametrize("step", ["fill", "verify", "finish"])
def test_cut_short_nothing_is_left(store: Store, place: Path, folder: str, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table_of(place, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module._Copy, step, full)
    with pytest.raises(SnapshotError, match=r"could not be copied .* No space left on device"):
        archive(store, str(place), 0, folder)
    assert [path for path in Path(folder).rglob("*") if path.is_file()] == []
    assert archives(store) == ()
    monkeypatch.undo()
    assert not archive(store, str(place), 0, folder).already_there


def test_what_a_killed_copy_left_is_no_copy(store: Store, place: Path, folder: str) -> None:
    import os

    table_id = table_of(place, 1)
    left = Path(folder) / table_id / ".0.abc.tmp"
    left.mkdir(parents=True)
    assert not archive(store, str(place), 0, folder).already_there
    assert left.exists(), "it may be being written"
    os.utime(left, (0, 0))
    shutil.rmtree(Path(folder) / table_id / "0")
    archive(store, str(place), 0, folder)
    assert not left.exists()


def test_two_at_once(store: Store, place: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table_of(place, 1)
    verify = module._Copy.verify

    def overtaken(copy: Any, taken: Any) -> Any:
        monkeypatch.setattr(module._Copy, "verify", verify)
        archive(store, str(place), 0, folder)
        return verify(copy, taken)

    monkeypatch.setattr(module._Copy, "verify", overtaken)
    assert archive(store, str(place), 0, folder).already_there
    assert store.arrow("archives").num_rows == 1
    assert [path.name for path in (Path(folder) / str(DeltaTable(place).metadata().id)).iterdir()] == ["0"]


def branched(place: Path, other: Path) -> str:
    """Two tables with one id, the first version, and a second version of their own each. The id."""
    table_id = table_of(place, 1)
    shutil.copytree(place, other)
    for one, first in ((place, 100), (other, 200)):
        write_deltalake(one, rows(first, first + 1), mode="append")
    assert str(DeltaTable(other).metadata().id) == table_id
    return table_id


def test_a_folder_that_was_copied_is_another_table(store: Store, place: Path, folder: str, tmp_path: Path) -> None:
    other = tmp_path / "dev"
    branched(place, other)
    made = archive(store, str(place), 1, folder)
    with pytest.raises(SnapshotError, match=r"other files than those of version 1 of .*/dev: .* Name another folder"):
        archive(store, str(other), 1, folder)
    write_deltalake(other, rows(0, 1), mode="overwrite")
    take(store, str(other), 1)
    found = {(one.name, one.version): one.archive for one in recorded(store)}
    assert found == {(str(place), 1): made.archive.location, (str(other), 1): None}
    theirs = archive(store, str(other), 1, str(tmp_path / "another"))
    assert 200 in [row["id"] for row in content(theirs.archive.location)]
    assert len({str(DeltaTable(one.archive.location).metadata().id) for one in (made, theirs)}) == 2, "two tables again"
    vacuum(other)
    with pytest.raises(SnapshotError, match="took files of it"):
        archive(store, str(other), 1, folder)
    assert archive(store, str(other), 1, str(tmp_path / "another")).archive == theirs.archive
    found = {(one.name, one.version): one.archive for one in recorded(store)}
    assert found == {(str(place), 1): made.archive.location, (str(other), 1): theirs.archive.location}


def test_a_version_that_both_tables_have_needs_one_copy(store: Store, place: Path, folder: str, tmp_path: Path) -> None:
    branched(place, tmp_path / "dev")
    first, second = archive(store, str(place), 0, folder), archive(store, str(tmp_path / "dev"), 0, folder)
    assert (second.already_there, second.archive.location) == (True, first.archive.location)
    assert {one.name: one.archive for one in recorded(store)} == {
        str(place): first.archive.location,
        str(tmp_path / "dev"): first.archive.location,
    }


def test_a_table_that_was_moved_keeps_its_copies(store: Store, place: Path, folder: str, tmp_path: Path) -> None:
    table_of(place, 2)
    made, moved = archive(store, str(place), 0, folder), tmp_path / "moved"
    place.rename(moved)
    take(store, str(moved), 0)
    assert {one.name: one.archive for one in recorded(store)} == {
        str(place): made.archive.location,
        str(moved): made.archive.location,
    }
    vacuum(moved)
    assert archive(store, str(moved), 0, folder).archive == made.archive


def test_a_moved_table_without_a_checksum_is_known_by_its_files(store: Store, place: Path, folder: str, tmp_path: Path) -> None:
    other, moved = tmp_path / "dev", tmp_path / "moved"
    branched(place, other)
    archive(store, str(place), 1, folder)
    place.rename(moved)
    for one in (moved, other):
        write_deltalake(one, rows(0, 1), mode="overwrite")
        vacuum(one)
    assert archive(store, str(moved), 1, folder).already_there
    with pytest.raises(SnapshotError, match="took files of it"):
        archive(store, str(other), 1, folder)


@pytest.mark.parametrize("table_id", ["..", ".", "a/b", "../x", "_delta_log", ""])
def test_an_id_that_is_no_name_for_a_folder(store: Store, place: Path, folder: str, table_id: str) -> None:
    table_of(place, 1)
    for action in (actions := actions_of(place, 0)):
        if "metaData" in action:
            action["metaData"]["id"] = table_id
    write_actions(place, 0, actions)
    with pytest.raises(SnapshotError, match="is no UUID and no name for a folder of the archive"):
        archive(store, str(place), 0, folder)
    assert not Path(folder).exists()


def test_a_copy_that_nobody_recorded_is_held_against_the_checksum(store: Store, place: Path, folder: str) -> None:
    import pyarrow.parquet as pq

    table_of(place, 1)
    made = archive(store, str(place), 0, folder)
    empty = Store.open(shutil.copytree(store.location, place.parent / "another store"))
    DeltaTable(f"{empty.location}/archives").delete()
    (file,) = Path(made.archive.location).glob("*.parquet")
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(SnapshotError, match=r"cannot be relied on for version 0 .* it has 9 rows .* Delete it and call again"):
        archive(empty, str(place), 0, folder)
    shutil.rmtree(made.archive.location)
    assert not archive(empty, str(place), 0, folder).already_there


def test_what_was_changed_since_it_was_recorded_is_refused(store: Store, place: Path, folder: str) -> None:
    import pyarrow.parquet as pq

    table_of(place, 1)
    take(store, str(place))
    (file,) = place.glob("*.parquet")
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(SnapshotError, match=r"it has 9 rows and checksum .* recorded are 10"):
        archive(store, str(place), 0, folder)
    assert [path for path in Path(folder).rglob("*") if path.is_file()] == []


def test_what_only_spark_can_take_is_compared_by_its_bytes(store: Store, place: Path, folder: str) -> None:
    import pyarrow.parquet as pq

    write_deltalake(place, pa.table({"day": [date(2024, 1, 1)]}))
    (file,) = place.glob("*.parquet")
    pq.write_table(pq.read_table(file).replace_schema_metadata({"org.apache.spark.legacyDateTime": ""}), file)
    made = archive(store, str(place), 0, folder)
    assert (made.verified, made.archive.checksum, snapshots(store)) == ("bytes", None, [])
    (copied,) = Path(made.archive.location).glob("*.parquet")
    assert copied.read_bytes() == (place / copied.name).read_bytes()


@pytest.mark.parametrize(
    ("version", "words"), [(7, "has no version 7"), (0, "the VACUUM of .* took files of it.*deletedFileRetentionDuration")]
)
def test_what_is_not_there(store: Store, place: Path, folder: str, version: int, words: str) -> None:
    table_of(place, 2)
    vacuum(place)
    with pytest.raises(SnapshotError, match=words):
        archive(store, str(place), version, folder)
    assert not Path(folder).exists()


def test_a_file_that_is_gone_in_secret(store: Store, place: Path, folder: str) -> None:
    table_of(place, 1)
    (file,) = place.glob("*.parquet")
    file.unlink()
    with pytest.raises(SnapshotError, match=f"could not be copied.*{file.name}"):
        archive(store, str(place), 0, folder)
    assert [path for path in Path(folder).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("path", ["file:///elsewhere/a.parquet", "../a.parquet", "%2E%2E/a.parquet"])
def test_files_outside_of_the_table(store: Store, place: Path, folder: str, path: str) -> None:
    table_of(place, 1)
    for action in (actions := actions_of(place, 0)):
        if "add" in action:
            action["add"]["path"] = path
    write_actions(place, 0, actions)
    with pytest.raises(SnapshotError, match=r"files of another table|outside of its folder"):
        archive(store, str(place), 0, folder)
    assert not Path(folder).exists()


def test_not_into_the_table_itself(store: Store, place: Path) -> None:
    table_of(place, 1)
    with pytest.raises(SnapshotError, match="VACUUM would take the copy"):
        archive(store, str(place), 0, str(place / "archive"))


def test_no_room(store: Store, place: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table_of(place, 1)
    usage = shutil.disk_usage(place)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(SnapshotError, match="has room for 10: name another folder"):
        archive(store, str(place), 0, folder)


def test_rights_are_those_of_the_table(store: Store, place: Path, folder: str) -> None:
    table_of(place, 1)
    (file,) = place.glob("*.parquet")
    file.chmod(0o600)
    place.chmod(0o700)
    made = Path(archive(store, str(place), 0, folder).archive.location)
    assert made.stat().st_mode & 0o777 == 0o700
    assert next(made.glob("*.parquet")).stat().st_mode & 0o777 == 0o600
