"""Every test, the long ones included, with new random examples; writes benchmarks/results/soak.json.

    make soak                                           all suites
    make soak ARGS="--suite unit --suite 'rows long'"   some of them; the others keep the results that they had
    python scripts/soak.py [--suite NAME ...] [-- pytest arguments]

The exit code is 0 when every suite that was run passed. The summary is written after each suite, so that what takes hours can be
done in parts: it says of each on what machine and commit it was, how many tests it had, how they ended, and which took longest.
`spark 4.0` is the Spark tests but the long ones on the oldest Spark that is supported, in an environment of its own
(`make setup SPARK=4.0`), with the Delta built for it.
"""

from __future__ import annotations

import argparse
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
OLDEST_SPARK = "4.0"
SLOWEST = 20
TWO = ("--numprocesses=2", "--dist=loadfile")
"""As `make test` has it. What is long has the machine for itself."""
APART = {
    "rows": "tests/spark/rows",
    "sufficiency": "tests/spark/rows/test_sufficiency.py",
    "forward": "tests/spark/rows/test_forward.py",
    "lots": "tests/spark/rows/test_lots.py",
    "rows tpch": "tests/spark/rows/test_tpch.py",
    "rows tpcds": "tests/spark/rows/test_tpcds.py",
    "replay": "tests/spark/replay",
    "jobs": "tests/spark/replay/test_jobs.py",
    "jobs elsewhere": "tests/spark/replay/test_jobs_elsewhere.py",
    "reenactment": "tests/spark/replay/test_reenactment.py",
    "replaying tpch": "tests/spark/replay/test_replaying_tpch.py",
    "perturbation": "tests/spark/lineage/test_perturbation.py",
    "tpc": "tests/spark/replay/test_tpc.py",
    "ten thousand": "tests/spark/soak/test_exactly_once.py",
}
"""What takes hours: its long tests are a suite of their own, and are not run again with the folder around them."""


def _long(path: str) -> list[str]:
    """The long tests of a path but those that are another suite's."""
    others = [other for other in APART.values() if other.startswith(f"{path}/")]
    return [path, "-m", "soak", *(f"--ignore={other}" for other in others)]


SUITES: dict[str, list[str]] = {
    "unit": ["tests/unit"],
    "spark": ["tests/spark", "-m", "not soak", *TWO],
    "spark long": _long("tests/spark"),
    **{f"{name} long": _long(path) for name, path in APART.items()},
    f"spark {OLDEST_SPARK}": ["tests/spark", "-m", "not soak", *TWO],
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Every test, the long ones included.")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="only this one; may be repeated")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, behind --")
    arguments = parser.parse_args()
    codes = []
    for name in arguments.suite or SUITES:
        variables = environment(OLDEST_SPARK) if name.endswith(OLDEST_SPARK) else dict(os.environ)
        started = datetime.now(UTC)
        failures = Path(tempfile.gettempdir()) / f"soak-{name.replace(' ', '-')}-{started:%Y%m%dT%H%M%S}.txt"
        print(f"soak: {name}, from {started:%H:%M} UTC; failures go to {failures} at once", flush=True)
        variables["SPARK_LINEAGE_FAILURES"] = str(failures)
        code, found = run([*SUITES[name], *arguments.pytest], variables)
        codes.append(code)
        keep(name, {"started_at": started.isoformat(timespec="seconds"), **where(), **found})
    print(f"summary in {SUMMARY.relative_to(ROOT)}")
    return int(any(codes))  # a suite that a signal killed has a negative one


def keep(name: str, found: dict[str, object]) -> None:
    """Puts the result of a suite into the summary, in the suites' order."""
    known = json.loads(SUMMARY.read_text(encoding="utf-8"))["suites"] if SUMMARY.exists() else {}
    known[name] = found
    summary = {"suites": {suite: known[suite] for suite in SUITES if suite in known}}
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def environment(spark: str) -> dict[str, str]:
    """The variables of a second environment with this Spark; it is made where it is missing."""
    subprocess.run(["scripts/setup.sh", "tests"], cwd=ROOT, env={**os.environ, "SPARK": spark}, check=True)
    shown = subprocess.run(["sh", "-c", f". .venv-{spark}/environment && env -0"], cwd=ROOT, capture_output=True, check=True)
    return dict(line.split("=", 1) for line in shown.stdout.decode().split("\0") if line)


def run(arguments: list[str], variables: dict[str, str]) -> tuple[int, dict[str, object]]:
    """(exit code, summary) of one suite in a pytest process of its own: one JVM for the tests that share a session."""
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "report.xml"
        command = ["python", "-m", "pytest", "-q", "--hypothesis-profile=soak", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=variables).returncode
        if not report.exists():
            return code, {"exit_code": code, "tests": 0}
        suite = next(ElementTree.parse(report).iter("testsuite"))
    cases = sorted(suite.iter("testcase"), key=lambda case: -float(case.get("time", 0)))
    slowest = {f"{case.get('classname')}.{case.get('name')}": round(float(case.get("time", 0)), 1) for case in cases[:SLOWEST]}
    counts = {what: int(suite.get(what, 0)) for what in ("tests", "failures", "errors", "skipped")}
    versions = {"pyspark": spark_version(variables)}
    return code, {
        "exit_code": code,
        **versions,
        **counts,
        "seconds": round(float(suite.get("time", 0)), 1),
        "slowest_seconds": slowest,
    }


def spark_version(variables: dict[str, str]) -> str:
    command = ["python", "-c", "from importlib.metadata import version; print(version('pyspark'))"]
    return subprocess.run(command, env=variables, capture_output=True, text=True).stdout.strip()


def where() -> dict[str, object]:
    return {
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain", "--", ".", ":!benchmarks/results")),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "delta-spark": version("delta-spark"),
        "deltalake": version("deltalake"),
    }


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
