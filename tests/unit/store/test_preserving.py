"""Files without versions are kept as they were read, or the reason why not is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.model import Preserved
from spark_lineage.store import preserving
from spark_lineage.store.listing import ListedFile, fingerprint_of, listing_of
from spark_lineage.store.preserving import Preserver, Preserving, files_of
from spark_lineage.store.rows import records_of
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store

from .made import input_


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "lineage", create=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "in put"
    for name, text in (
        ("a.csv", "1"),
        ("day=1/b.csv", "2"),
        ("day=1/c ü.csv", "2"),
        ("_SUCCESS", ""),
        (".a.csv.crc", "x"),
        ("d.csv", ""),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def read(place: Path) -> str:
    """The fingerprint that capture would have recorded now."""
    return fingerprint_of(
        ListedFile(str(path), path.stat().st_size, path.stat().st_mtime_ns // 1_000_000)
        for path in place.rglob("*.csv")
        if path.stat().st_size
    )


def run(
    store: Store, place: Path, fingerprint: str | None, most_bytes: int = 1000, **values: Any
) -> tuple[list[Preserved], list[str]]:
    told: list[str] = []
    preserver = Preserver(Preserving(("*",), most_bytes), lambda _: True, told.append)
    preserver.preserve(store, [input_("x", str(place), fingerprint=fingerprint, delta_version=None, **values)])
    rows = records_of(TABLES["preserved"], store.arrow("preserved"))
    return sorted(rows, key=lambda row: row.created_at), told


def folder(store: Store) -> Path:
    return Path(store.location) / preserving.FOLDER


def copies(store: Store) -> list[Path]:
    return sorted(path for path in folder(store).rglob("*") if path.is_file() and path.suffix != ".json")


def test_a_folder_is_kept_as_it_was_read(store: Store, place: Path) -> None:
    fingerprint = read(place)
    (row,), told = run(store, place, fingerprint)
    assert (row.files, row.bytes, row.reason, row.fingerprint, told) == (3, 3, None, fingerprint, [])
    assert len(copies(store)) == 2, "two files of one content are one"
    shutil.rmtree(place)
    kept = {
        Path(file.path).name: (folder(store) / file.sha256[:2] / file.sha256).read_text()
        for file in files_of(Path(str(row.manifest)))
    }
    assert kept == {"a.csv": "1", "b.csv": "2", "c ü.csv": "2"}
    assert folder(store).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in copies(store)} == {0o600}


def test_one_file(store: Store, place: Path) -> None:
    file = place / "a.csv"
    fingerprint = fingerprint_of([ListedFile(str(file), 1, file.stat().st_mtime_ns // 1_000_000)])
    (row,), _ = run(store, file, fingerprint)
    assert (row.files, row.reason) == (1, None)


def test_again_and_with_more(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(store, place, read(place))
    assert len(run(store, place, read(place))[0]) == 1
    (place / "e.csv").write_text("new")
    copied = []
    copy = Preserver._copy
    monkeypatch.setattr(Preserver, "_copy", lambda self, file, until: copied.append(file.path) or copy(self, file, until))
    rows, _ = run(store, place, read(place))
    assert [row.files for row in rows] == [3, 4]
    assert copied == [str(place / "e.csv")]


def test_what_has_changed_since(store: Store, place: Path) -> None:
    fingerprint = read(place)
    os.utime(place / "a.csv", (1, 1))
    (row,), told = run(store, place, fingerprint)
    assert (row.manifest, row.reason) == (None, preserving.CHANGED)
    assert len(told) == 1
    assert copies(store) == []


def test_what_changes_while_it_is_copied(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Preserver._copy

    def slowly(self: Preserver, file: ListedFile, until: float) -> str:
        named = copy(self, file, until)
        (place / "a.csv").write_text("other")
        return named

    monkeypatch.setattr(Preserver, "_copy", slowly)
    (row,), _ = run(store, place, read(place))
    assert (row.manifest, row.reason) == (None, preserving.CHANGED)
    assert not (folder(store) / "manifests").exists()


def test_what_is_gone(store: Store, place: Path) -> None:
    fingerprint = read(place)
    shutil.rmtree(place)
    assert run(store, place, fingerprint)[0][0].reason == preserving.CHANGED


def test_no_more_than_is_allowed(store: Store, place: Path) -> None:
    (row,), _ = run(store, place, read(place), most_bytes=2)
    assert "3 new bytes go beyond snapshots.preserve.max.bytes (2 are left)" in str(row.reason)
    assert copies(store) == []


def with_time_for(
    chunks: int, monkeypatch: pytest.MonkeyPatch, store: Store, place: Path, told: str, most_bytes: int = 10_000
) -> list[Preserved]:
    """The rows of a dataset once it was read again, in a batch with time for so many chunks of files."""
    clock = iter(range(10_000))
    with monkeypatch.context() as patched:
        patched.setattr(preserving, "SECONDS", chunks + 0.5)
        patched.setattr(preserving.time, "monotonic", lambda: next(clock))
        return run(store, place, told, most_bytes=most_bytes)[0]


def test_many_files_get_through_in_several_batches(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        (place / f"{number}.csv").write_text(f"content {number}")
    copied = []
    copy = Preserver._copy
    monkeypatch.setattr(Preserver, "_copy", lambda self, file, until: copied.append(file.path) or copy(self, file, until))
    told = read(place)
    for reasons in (1, 2):
        assert [row.reason for row in with_time_for(4, monkeypatch, store, place, told)] == [preserving.NO_TIME] * reasons
    row = with_time_for(4, monkeypatch, store, place, told)[-1]
    assert (row.reason, row.files) == (None, 9)
    assert len(copied) == 9 + 2, "only the file that there was no time for is begun again"
    kept = files_of(Path(str(row.manifest)))
    for file in kept:
        assert (folder(store) / file.sha256[:2] / file.sha256).read_bytes() == Path(file.path).read_bytes()
    assert {path.name for path in copies(store)} == {file.sha256 for file in kept}
    assert not any((folder(store) / "begun").iterdir())


def test_one_large_file_gets_through_in_several_batches(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "_CHUNK", 1)
    file = place / "a.csv"
    file.write_text("0123456789")
    told = read(place)
    with_time_for(4, monkeypatch, store, place, told)
    (part,) = copies(store)
    assert part.read_text() == "0123"
    assert with_time_for(7, monkeypatch, store, place, told)[-1].reason == preserving.NO_TIME
    (part,) = copies(store)
    assert (part.read_text(), part.stat().st_mode & 0o777) == ("0123456", 0o600)
    row = with_time_for(100, monkeypatch, store, place, told, most_bytes=12)[-1]
    assert row.files == 3
    assert {(folder(store) / one.sha256[:2] / one.sha256).read_text() for one in files_of(Path(str(row.manifest)))} == {
        "0123456789",
        "2",
    }
    assert len(copies(store)) == 2


def test_what_was_begun_of_a_file_that_has_changed_goes(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "_CHUNK", 1)
    (place / "a.csv").write_text("0123456789")
    with_time_for(4, monkeypatch, store, place, read(place))
    (place / "a.csv").write_text("9876543210!")
    with_time_for(4, monkeypatch, store, place, read(place))
    (part,) = copies(store)
    assert part.read_text() == "9876"


def test_more_files_than_are_preserved(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "MOST_FILES", 2)
    (row,), _ = run(store, place, read(place))
    assert (row.reason, copies(store)) == ("it has more than 20,000 files", [])


def test_a_file_that_is_rewritten_before_it_is_copied(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Preserver._copy

    def late(self: Preserver, file: ListedFile, until: float) -> str:
        Path(file.path).write_text("x")
        os.utime(file.path, (1, 1))
        return copy(self, file, until)

    monkeypatch.setattr(Preserver, "_copy", late)
    assert run(store, place, read(place))[0][0].reason == preserving.CHANGED
    assert copies(store) == []


def test_no_longer_than_is_allowed(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "SECONDS", -1.0)
    (row,), _ = run(store, place, read(place))
    assert (row.reason, copies(store)) == (preserving.NO_TIME, [])
    monkeypatch.undo()
    rows, _ = run(store, place, read(place))
    assert [row.reason for row in rows] == [preserving.NO_TIME, None], "tried again when it is read again"


@pytest.mark.parametrize(
    ("fingerprint", "namespace", "reason"),
    [("partitions:00", "file", preserving.A_PART), ("listing:00", "s3://bucket", preserving.NOT_LOCAL)],
)
def test_what_is_not_done(store: Store, place: Path, fingerprint: str, namespace: str, reason: str) -> None:
    (row,), _ = run(store, place, fingerprint, namespace=namespace)
    assert row.reason == reason


def test_what_is_no_listing_is_no_matter(store: Store, place: Path) -> None:
    for fingerprint in (None, "snapshot:1"):
        assert run(store, place, fingerprint) == ([], [])


def test_a_disk_that_is_full_stops_nothing(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Preserver, "_copy", full)
    (row,), told = run(store, place, read(place))
    assert "No space left on device" in str(row.reason)
    assert len(told) == 1


def test_a_folder_that_is_read_through_and_through(place: Path) -> None:
    (place / "deeper").mkdir()
    (place / "deeper" / "f.csv").write_text("x")
    found = listing_of(str(place), read(place))
    assert found is not None
    assert len(found) == 4
