"""Every test, the long ones included, with new random examples; writes benchmarks/results/soak.json.

    make soak        or: python scripts/soak.py [pytest arguments]

The exit code is that of the worst suite. The summary says on what machine and commit it was, how many tests each suite
had, how they ended, and which took longest.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
SUMMARY = ROOT / "benchmarks" / "results" / "soak.json"
SUITES = {"unit": "tests/unit", "spark": "tests/spark"}
SLOWEST = 20


def main() -> int:
    started = datetime.now(UTC)
    suites, codes = {}, []
    for name, folder in SUITES.items():
        code, suites[name] = run(folder, sys.argv[1:])
        codes.append(code)
    summary = {"started_at": started.isoformat(timespec="seconds"), **where(), "suites": suites}
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(f"summary in {SUMMARY.relative_to(ROOT)}")
    return max(codes)


def run(folder: str, arguments: list[str]) -> tuple[int, dict[str, object]]:
    """(exit code, summary) of one suite in a pytest process of its own: one JVM for the tests that share a session."""
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            folder,
            "--hypothesis-profile=soak",
            f"--junitxml={report}",
            *arguments,
        ]
        code = subprocess.run(command, cwd=ROOT).returncode
        if not report.exists():
            return code, {"exit_code": code, "tests": 0}
        suite = next(ElementTree.parse(report).iter("testsuite"))
    cases = sorted(suite.iter("testcase"), key=lambda case: -float(case.get("time", 0)))
    slowest = {f"{case.get('classname')}.{case.get('name')}": round(float(case.get("time", 0)), 1) for case in cases[:SLOWEST]}
    counts = {what: int(suite.get(what, 0)) for what in ("tests", "failures", "errors", "skipped")}
    return code, {"exit_code": code, **counts, "seconds": round(float(suite.get("time", 0)), 1), "slowest_seconds": slowest}


def where() -> dict[str, object]:
    return {
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain")),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "pyspark": version("pyspark"),
        "delta-spark": version("delta-spark"),
        "deltalake": version("deltalake"),
    }


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
