"""Processes that do small things and are killed at random moments, an ingester that is too: each execution is in the tables once.

The seed is printed, and SPARK_LINEAGE_SOAK_SEED repeats a run's actions and kills (not their timing).
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
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
    """The generous grace is for busy machines: how long a document takes is measured elsewhere.

    A kill takes the action that runs, and the one that a program begins after it when the first was one that fails on purpose: its
    error is suppressed whatever it is. What ended is looked up one by one in `compare`.
    """
    soak, _ = run(
        tmp_path, spark_settings, seed=88852, executions=40, processes=2, life_seconds=(4.0, 9.0), ingester_seconds=(2.0, 6.0)
    )  # fmt: skip
    findings = compare(soak, grace_ms=5_000.0)
    assert findings.wrong == [], f"seed {soak.seed}, {findings.figures}"
    killed = sum(bool(life.killed) for life in soak.lives)
    assert findings.figures["executions"] >= 40 - 2 * killed - findings.figures["ended_and_missing"]


@pytest.mark.soak
def test_ten_thousand(spark_settings: dict[str, str], tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    soak, seconds = run(
        tmp_path, spark_settings, seed, executions=10_000, processes=4, life_seconds=(15.0, 90.0), ingester_seconds=(3.0, 30.0)
    )  # fmt: skip
    findings = compare(soak, grace_ms=50.0)
    measured = heaps(soak)
    # A single look tells little: without lineage, too, the heap goes up and down by 8 % from one hundred actions to the next.
    warm, last = (statistics.median(one["heap"] for one in some) for some in (measured[1:4], measured[-3:]))
    retained = measured[-1]["retained"][:7]
    figures = {
        "seed": soak.seed,
        "seconds": round(seconds, 1),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **findings.figures,
        "heap_after_warm_up_mb": round(warm / 1e6, 1),
        "heap_at_the_end_mb": round(last / 1e6, 1),
        "heap_ratio": round(last / warm, 3),
        "heaps_mb": [round(one["heap"] / 1e6, 1) for one in measured],
        "retained_at_the_end": retained,
        "wrong": findings.wrong[:50],
    }
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    assert findings.wrong == [], f"seed {soak.seed}"
    assert last <= 1.05 * warm
    assert retained == [0] * 7
