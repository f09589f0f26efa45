"""Where files are gone, and a checksum of them is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql.types import LongType, StructType, TimestampType
from replay.lakes import Lake
from store.made import snapshot

from spark_lineage.errors import SnapshotError
from spark_lineage.replay.outputs import Written
from spark_lineage.replay.written_files import ZONED, of_kept_checksum


@pytest.mark.parametrize(("folders", "columns"), [(["`Day`"], {"day"}), (["id"], set()), ([], set())])
def test_times_in_the_names_of_folders(tmp_path: Path, empty_store: Path, folders: list[str], columns: set[str]) -> None:
    """Their checksum is of one time zone, which is not kept: another checksum does not say that they differ."""
    store, schema = Lake(tmp_path, empty_store).store, StructType().add("id", LongType()).add("day", TimestampType())
    kept = snapshot(
        "/out", 0, table_id=None, delta_version=None, fingerprint="listing:x", schema=schema.json(), checksum="0" * 32
    )
    store.append("snapshots", [kept], None)
    one = Written(
        namespace="file", name="/out", fingerprint="listing:x", mode="overwrite", command={"partitionColumns": folders}
    )
    expected = of_kept_checksum(store, one, "/out", SnapshotError("gone"))
    assert (expected.recorded, expected.volatile) == (None, dict.fromkeys(columns, ZONED))
