"""Tables and archives on an object store: moto's, over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot import archive as module
from spark_lineage.snapshot.archive import archive
from spark_lineage.snapshot.availability import availability
from spark_lineage.snapshot.delta import is_delta, only_rearranges, opened, sums_of_file, version_of
from spark_lineage.snapshot.diff import diff
from spark_lineage.snapshot.retention import retention
from spark_lineage.snapshot.taking import take, verify
from spark_lineage.store.tables import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from s3_server import Bucket, in_environment, s3_server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server, in_environment({**server, "AWS_ALLOW_HTTP": "true"}):
        yield Bucket("some täble")


def test_a_copy_that_is_not_the_version_does_not_stay(bucket: Bucket, store: Store) -> None:
    """The log comes last: what is in an archive with one was held against the checksum."""
    table, kept = Bucket("changed"), Bucket("changed kept")
    write_deltalake(table.uri, pa.table({"id": [1, 2]}))
    taken = take(store, table.uri)
    (file,) = (path for path in table.files() if path.endswith(".parquet"))
    good = table.get(file)
    write_deltalake(f"{table.uri} other", pa.table({"id": [1, 3]}))
    other = Bucket("changed other")
    table.put(file, other.get(next(path for path in other.files() if path.endswith(".parquet"))))
    for _ in range(2):
        with pytest.raises(SnapshotError, match="is not what it should be"):
            archive(store, table.uri, 0, kept.uri)
        assert kept.files() == []
    table.put(file, good)
    made = archive(store, table.uri, 0, kept.uri)
    assert (made.already_there, made.archive.checksum) == (False, taken.checksum)


@pytest.mark.parametrize("step", ["verify", "finish"])
def test_a_copy_that_was_killed_is_none(bucket: Bucket, store: Store, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Bucket(f"killed {step}")
    write_deltalake(table.uri, pa.table({"id": [1, 2]}))

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(module._Copy, step, killed)
    monkeypatch.setattr(module._Copy, "discard", lambda _: None)
    with pytest.raises(Killed):
        archive(store, table.uri, 0, f"{table.uri} kept")
    assert Bucket(f"killed {step} kept").files() != []
    monkeypatch.undo()
    assert not archive(store, table.uri, 0, f"{table.uri} kept").already_there


def test_a_log_that_tells_another_version_goes_first(bucket: Bucket, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Bucket("log")
    write_deltalake(table.uri, pa.table({"id": [1, 2]}))
    commit = module._commit
    monkeypatch.setattr(module, "_commit", lambda *rest: commit(*rest).replace(b'"size":', b'"size":1'))
    with pytest.raises(SnapshotError, match="does not tell what that of the table does"):
        archive(store, table.uri, 0, f"{table.uri} kept")
    assert Bucket("log kept").files() == []


def test_a_table_and_its_archive(bucket: Bucket, store: Store, tmp_path: Path) -> None:
    place = bucket.uri
    for version in range(3):
        write_deltalake(place, pa.table({"id": [version], "p": ["a/b ü"]}), mode="overwrite", partition_by=["p"])
    for deep in (False, True):
        assert [one.readable for one in availability(place, range(4), deep=deep).values()] == [True, True, True, False]
    made = archive(store, place, 1, f"{place} kept")
    assert (made.verified, made.copied_files, made.archive.location.startswith(f"{place} kept/")) == ("checksum", 1, True)
    assert archive(store, place, 1, f"{place} kept").already_there
    DeltaTable(place).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    for deep in (False, True):
        assert [one.readable for one in availability(place, range(3), deep=deep).values()] == [False, False, True]
    assert pa.table(DeltaTable(made.archive.location).scan()).to_pylist() == [{"id": 1, "p": "a/b ü"}]
    assert archive(store, place, 2, str(tmp_path / "kept")).verified == "checksum"
    assert retention(place, 50).version == DeltaTable(place).version()
    (lost,) = (path for path in bucket.files() if path.endswith(".parquet"))
    bucket.remove(lost)
    with pytest.raises(SnapshotError, match="could not be copied"):
        archive(store, place, 2, f"{place} kept")
    assert not DeltaTable.is_deltatable(f"{made.archive.location.removesuffix('1')}2")
    assert "nothing is at" in str(availability(f"{place} no", [0])[0].reason)


@pytest.mark.parametrize("scheme", ["s3a", "s3n"])
def test_as_spark_calls_it(bucket: Bucket, tmp_path: Path, scheme: str) -> None:
    """Datasets are recorded with the scheme that Spark read them with."""
    plain = f"{bucket.uri} by {scheme}"
    place, store = plain.replace("s3:", f"{scheme}:"), Store.open(tmp_path / "store", create=True)
    for version in range(2):
        write_deltalake(plain, pa.table({"id": [version], "p": ["a/b ü"]}), mode="append", partition_by=["p"])
    assert is_delta(place)
    taken = [take(store, place, version=version) for version in range(2)]
    assert [(one.row_count, one.files_read) for one in taken] == [(1, 1), (2, 1)]
    assert taken == [take(store, plain, version=version) for version in range(2)], "it is the same dataset"
    assert verify(store, taken[1], place).holds
    assert not only_rearranges(place, 1)
    for deep in (False, True):
        assert [one.readable for one in availability(place, range(3), deep=deep).values()] == [True, True, False]
    found = diff(None, f"{place}@0", place)
    assert (found.equal, found.only_here, found.only_there) == (False, 0, 1)
    assert archive(store, place, 1, f"{place} kept").verified == "checksum"


@pytest.mark.parametrize("name", ["a#b", "50% ü"])
def test_names_that_a_uri_would_cut(bucket: Bucket, tmp_path: Path, name: str) -> None:
    write_deltalake(tmp_path / "table", pa.table({"id": [1]}))
    Bucket(name).upload(tmp_path / "table")
    table = version_of(f"s3://lineage/{name}")
    assert sums_of_file(table, table.files[0]).rows == 1


def test_a_name_that_delta_rs_takes_for_another(bucket: Bucket) -> None:
    with pytest.raises(SnapshotError, match="takes %41 in a name for another character"):
        version_of("s3a://lineage/per%41cent")


@pytest.mark.parametrize(
    ("place", "key", "said"),
    [
        ("abfss://c@account.dfs.core.windows.net/a b", "", "AZURE_STORAGE_ACCOUNT_KEY is not set; set it"),
        ("wasbs://c@account.blob.core.windows.net/x", "", "AZURE_STORAGE_ACCOUNT_KEY is not set; set it"),
        ("abfss://c@account.dfs.core.windows.net/x", "no Base64!", "is no key of an account, which is Base64"),
        ("abfs://c/x", "a2V5", "takes places on Azure as abfss://CONTAINER@ACCOUNT"),
        ("wasbs://c@account.blob.core.windows.net/a b", "a2V5", None),
    ],
)
def test_azure_is_read_with_a_key_alone(monkeypatch: pytest.MonkeyPatch, place: str, key: str, said: str | None) -> None:
    """pyarrow would end the process of these tests where it looks for other credentials."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", key)
    if said is None:
        system, path = opened(place)
        assert (system.type_name, path) == ("abfs", "c/a b")
        return
    with pytest.raises(SnapshotError, match=f"{place} cannot be opened: .*{said}"):
        opened(place)
