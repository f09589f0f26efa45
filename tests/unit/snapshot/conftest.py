"""What tests of checksums have in common."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spark_lineage.store.tables import Store


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Store:
    """Lineage tables of the test's own."""
    shutil.copytree(empty_store, tmp_path / "store")
    return Store.open(tmp_path / "store")
