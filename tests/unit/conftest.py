from __future__ import annotations

from pathlib import Path

import pytest

from spark_lineage.store.tables import Store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lineage tables without a row, to be copied: making them takes longer than most tests."""
    location = tmp_path_factory.mktemp("empty") / "store"
    Store.open(location, create=True)
    return location
