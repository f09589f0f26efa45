"""Processes that do small things and are killed at random moments, an ingester that is too: each execution is in the tables once.

The seed is printed, and SPARK_LINEAGE_SOAK_SEED repeats a run's actions and kills (not their timing).
"""

from __future__ import annotations

import json
import os
import platform
import random
from pathlib import Path
from typing import Any

import pytest
from soaking import ROOT, Soak, compare, heaps

RESULTS = ROOT / "benchmarks" / "results" / "capture_soak.json"


def run(folder: Path, settings: dict[str, str], seed: int, **figures: Any) -> tuple[Soak, float]:
    seed = int(os.environ.get("SPARK_LINEAGE_SOAK_SEED", seed))
    print(f"seed {seed}")
    soak = Soak(folder=folder, seed=seed, settings=settings, **figures)
    return soak, soak.run()


def test_a_selection(spark_settings: dict[str, str], tmp_path: Path) -> None:
    """The generous grace is for busy machines: how long a document takes is measured elsewhere."""
    soak, _ = run(
        tmp_path, spark_settings, seed=88852, executions=60, processes=2, life_seconds=(4.0, 9.0), ingester_seconds=(2.0, 6.0)
    )  # fmt: skip
    findings = compare(soak, grace_ms=5_000.0)
    assert findings.wrong == [], f"seed {soak.seed}, {findings.figures}"
    assert (
        findings.figures["executions"]
        >= 60 - sum(bool(life.killed) for life in soak.lives) - findings.figures["ended_and_missing"]
    )


@pytest.mark.soak
def test_ten_thousand(spark_settings: dict[str, str], tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    soak, seconds = run(
        tmp_path, spark_settings, seed, executions=10_000, processes=4, life_seconds=(15.0, 90.0), ingester_seconds=(3.0, 30.0)
    )  # fmt: skip
    findings = compare(soak, grace_ms=50.0)
    measured = heaps(soak)
    warm, last = measured[1], measured[-1]
    figures = {
        "seed": soak.seed,
        "seconds": round(seconds, 1),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **findings.figures,
        "heap_after_warm_up_mb": round(warm["heap"] / 1e6, 1),
        "heap_at_the_end_mb": round(last["heap"] / 1e6, 1),
        "heap_ratio": round(last["heap"] / warm["heap"], 3),
        "retained_at_the_end": last["retained"][:7],
        "wrong": findings.wrong[:50],
    }
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    assert findings.wrong == [], f"seed {soak.seed}"
    assert last["heap"] <= 1.05 * warm["heap"]
    assert last["retained"][:7] == [0] * 7
