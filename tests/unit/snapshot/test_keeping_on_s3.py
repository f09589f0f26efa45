"""Tables and archives on an object store: moto's, over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.archive import archive
from spark_lineage.snapshot.availability import availability
from spark_lineage.snapshot.retention import retention
from spark_lineage.store.tables import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from s3_server import Bucket, in_environment, s3_server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server, in_environment({**server, "AWS_ALLOW_HTTP": "true"}):
        yield Bucket("some täble")


def test_a_table_and_its_archive(bucket: Bucket, tmp_path: Path) -> None:
    place, store = bucket.uri, Store.open(tmp_path / "store", create=True)
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
