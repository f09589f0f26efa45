"""An attached session over documents alone, in a fresh inbox, for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture

from spark_lineage.capture.attach import attach, detach


@pytest.fixture
def capture(spark: Any, tmp_path: Path) -> Iterator[Capture]:
    (tmp_path / "data").mkdir()
    attachment = attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    assert attachment is not None
    yield Capture(spark, attachment, tmp_path / "inbox", tmp_path / "data")
    detach(spark)
