"""The documents of TPC-H and TPC-DS under tests/plans/tpc, captured anew: what Spark and the bridge say today has the edges kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.capture.attach import Attachment, attach, detach

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from plans import tpc


@pytest.fixture
def attached(spark: Any, tmp_path: Path) -> Iterator[tuple[Any, Attachment]]:
    """A session of its own over databases of its own, with everything else that the process has left alone."""
    detach(spark)
    attachment = attach(
        spark, store=str(tmp_path / "lineage"), ingest="none", executables="off", strict=True, plan_max_seconds=60
    )
    assert attachment is not None
    session = spark.newSession()
    tpc.prepare(session)
    yield session, attachment
    detach(spark)
    for benchmark in tpc.BENCHMARKS:
        spark.sql(f"DROP DATABASE {benchmark} CASCADE")


@pytest.mark.soak
def test_what_is_captured_today_has_the_edges_kept(attached: tuple[Any, Attachment], tmp_path: Path) -> None:
    session, attachment = attached
    differ = {}
    for name in tpc.QUERIES:
        found = tpc.edges(tpc.resolved(json.dumps(tpc.document(name, session, attachment, tmp_path)).encode()))
        _, kept = tpc.golden(name)
        if found != kept:
            differ[name] = sorted(set(found) ^ set(kept))
    assert differ == {}
