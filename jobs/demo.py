"""The demo: unchanged Spark jobs on real input, run round by round under spark-lineage, then asked about.

    make demo                         or, in the virtual environment: python jobs/demo.py [--home demo] [--rounds 2]

Each round is three spark-submits: features from an event log, a churn model and its predictions, revenue marts over TPC-H.
The input of round k depends on k alone, and k counts on from the rounds that the folder holds, so a later `make demo` adds
to what is there: events of one more week, changed orders, the next version of the model.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
JOBS = ROOT / "jobs"
TPCH_TABLES = ("region", "nation", "customer", "orders", "lineitem", "supplier", "part", "partsupp")
FIRST_ROUND_DAYS, LATER_ROUND_DAYS = 60, 7
FIRST_ROUND_EVENTS, LATER_ROUND_EVENTS = 100_000, 12_000
PROGRAMS = Path(sys.executable).parent

console = Console(highlight=False)


class StepError(Exception):
    """A step ended badly; the message names its log."""


@dataclass(frozen=True)
class Step:
    """A program that the demo runs: its title, its command, and whether it is a Spark job."""

    name: str
    command: list[str]
    spark: bool = False


@dataclass(frozen=True)
class Home:
    """Where the demo keeps things. Everything is below one folder that may be thrown away."""

    path: Path
    scale: str

    @property
    def store(self) -> Path:
        return self.path / "lineage"

    @property
    def tpch(self) -> Path:
        return self.path / "data" / "tpch"

    @property
    def events(self) -> Path:
        return self.path / "data" / "user_behavior"

    @property
    def order_changes(self) -> Path:
        return self.path / "data" / "order_changes"

    def table(self, name: str) -> Path:
        return self.path / "tables" / name

    def logs(self, number: int) -> Path:
        return self.path / "logs" / f"round_{number:03d}"

    def finished_rounds(self) -> int:
        return len(list((self.path / "logs").glob("round_*/finished")))


def main() -> int:
    arguments = parse_arguments()
    home = Home(arguments.home.resolve(), arguments.scale)
    home.path.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        with only_one(home):
            first = home.finished_rounds() + 1
            for number in range(first, first + arguments.rounds):
                run_round(home, number, of=first + arguments.rounds - 1, lineage=arguments.lineage)
            if arguments.lineage:
                answers(home)
    except StepError as failure:
        console.print(f"demo: {failure}", style="bold red", soft_wrap=True)
        return 1
    console.print(f"\n[bold]The whole took {time.monotonic() - started:.0f} s.[/bold]")
    if arguments.lineage:
        console.print(
            f"Ask more: . .venv/environment; export SPARK_LINEAGE_STORE={relative(home.store)}; spark-lineage --help",
            soft_wrap=True,
        )
    return 0


def run_round(home: Home, number: int, *, of: int, lineage: bool) -> None:
    """Makes the input that is missing, runs the jobs, and marks the round as finished."""
    console.print(f"[bold]Round {number} of {of}[/bold]")
    steps = [*input_steps(home, number), *job_steps(home, number)]
    for step in steps:
        run(step, home, number, lineage=lineage and step.spark)
    (home.logs(number) / "finished").touch()


def input_steps(home: Home, number: int) -> Iterator[Step]:
    """What makes the input of this round and, where files have gone missing since, of the rounds before."""
    if any(not (home.tpch / f"{table}.parquet").exists() for table in TPCH_TABLES):
        generator = str(PROGRAMS / "tpchgen-cli")
        output = ["--output-dir", str(home.tpch), "--overwrite", "--no-progress"]
        yield Step("tpchgen-cli", [generator, "parquet", "--scale-factor", home.scale, *output])
    for one in range(1, number + 1):
        if not (home.events / f"until_{last_day(one)}.csv").exists():
            days, events = (FIRST_ROUND_DAYS, FIRST_ROUND_EVENTS) if one == 1 else (LATER_ROUND_DAYS, LATER_ROUND_EVENTS)
            which = ["--day", str(day_number(one)), "--days", str(days), "--events", str(events)]
            yield script("make_user_behavior", "--output", str(home.events), *which)
        if one > 1 and not (home.order_changes / "lineitem" / f"round={one}" / "changes.parquet").exists():
            which = ["--tpch", str(home.tpch), "--round", str(one)]
            yield script("make_order_changes", "--output", str(home.order_changes), *which)


def job_steps(home: Home, number: int) -> Iterator[Step]:
    features, models = home.table("user_activity_features"), home.path / "models" / "churn_prediction_model"
    yield spark_job(
        "user_activity_features", "--events", str(home.events), "--output", str(features), "--as-of", str(last_day(number))
    )
    yield spark_job(
        "churn_model",
        "--features", str(features), "--models", str(models), "--predictions", str(home.table("churn_predictions")),
    )  # fmt: skip
    changes = ["--changes", str(home.order_changes), "--round", str(number)] if number > 1 else []
    yield spark_job("sales_marts", "--tpch", str(home.tpch), "--tables", str(home.table("sales")), *changes)


def day_number(number: int) -> int:
    """The last day that round `number` knows of; day 1 is 2026-01-01."""
    return FIRST_ROUND_DAYS + LATER_ROUND_DAYS * (number - 1)


def last_day(number: int) -> date:
    return date(2026, 1, 1) + timedelta(days=day_number(number) - 1)


def script(name: str, *arguments: str) -> Step:
    return Step(name, [sys.executable, str(JOBS / f"{name}.py"), *arguments])


def spark_job(name: str, *arguments: str) -> Step:
    settings = ["--properties-file", str(ROOT / "conf" / "spark-local.conf"), *delta_jars()]
    return Step(name, [str(PROGRAMS / "spark-submit"), *settings, str(JOBS / f"{name}.py"), *arguments], spark=True)


def delta_jars() -> list[str]:
    """Those that set-up has fetched; in an environment made by hand, Spark resolves them at each start."""
    jars = Path(sys.prefix) / "jars"
    if any(jars.glob("delta-spark*.jar")):
        return ["--driver-class-path", f"{jars}/*"]
    coordinate = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "delta_jars.py"), "--coordinate"], capture_output=True, text=True, check=True
    )
    return ["--packages", coordinate.stdout.strip()]


def run(step: Step, home: Home, number: int, *, lineage: bool) -> None:
    """Runs one step, its output in a log of its own; raises StepError with the log's path and its last words."""
    log = home.logs(number) / f"{step.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*lineage_command(), "run", "--", *step.command] if lineage else step.command
    started = time.monotonic()
    with working(step.name), log.open("w", encoding="utf-8") as output:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment(home), cwd=home.path
            )
        except OSError as error:
            raise StepError(f"{step.name} could not be started: {error}; `make setup` installs what the demo needs") from error
    if done.returncode != 0:
        raise StepError(f"{step.name} failed (exit code {done.returncode}); its log is {log}\n{last_words(log)}")
    console.print(f"  {step.name:24} {time.monotonic() - started:5.1f} s   {said(log)}".rstrip(), markup=False, soft_wrap=True)


@contextlib.contextmanager
def working(name: str) -> Iterator[None]:
    """A spinner on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield
        return
    with console.status(name):
        yield


def said(log: Path) -> str:
    """What the program printed itself, of a log that holds Spark's lines too."""
    own = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("model version")]
    return own[-1] if own else ""


def last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in lines if "Error" in line or "Exception" in line]
    return "\n".join(f"    {line[:300]}" for line in (telling or lines)[-6:])


def answers(home: Home) -> None:
    """Asks the lineage tables, by the commands that a person would type."""
    settle(home)
    ask(home, "What ran?", "runs")
    ask(home, "What feeds churn_predictions, back to the raw events?", "upstream", "churn_predictions")
    ask(home, "Where does one of its columns come from?", "upstream", "churn_predictions.purchases")
    ask(home, "What would be touched if event_type of the raw events changed?", "downstream", "user_behavior.event_type")
    ask(home, "What is revenue_by_nation made of?", "upstream", "revenue_by_nation.revenue")
    for job, run_id in newest_runs(home, 3):
        ask(home, f"What did {job} read and write, and in which versions?", "show", run_id)


def ask(home: Home, question: str, *command: str) -> None:
    console.print(f"\n[bold]{question}[/bold]\n[dim]$ spark-lineage {' '.join(command)}[/dim]", soft_wrap=True)
    done = subprocess.run([*lineage_command(), *command], env=environment(home), stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise StepError(
            f"spark-lineage {' '.join(command)} failed (exit code {done.returncode}); the tables are in {home.store}"
        )


def settle(home: Home) -> None:
    """A driver waits for its ingester only so long; whatever still lies in the inbox is brought in now."""
    done = subprocess.run([*lineage_command(), "ingest", "--json"], env=environment(home), capture_output=True, text=True)
    if done.returncode != 0:
        raise StepError(f"the inbox could not be brought in: {done.stderr.strip()}")
    quarantine = home.store / "inbox" / "quarantine"
    refused = sorted(quarantine.rglob("*.gz")) if quarantine.is_dir() else []
    if refused:
        console.print(
            f"{len(refused)} documents are in quarantine ({quarantine}); `spark-lineage doctor` says why", style="yellow"
        )


def newest_runs(home: Home, count: int) -> list[tuple[str, str]]:
    """(job name, run id) of the newest runs, the oldest of them first."""
    done = subprocess.run([*lineage_command(), "runs", "--json"], env=environment(home), capture_output=True, text=True)
    if done.returncode != 0:
        raise StepError(f"the runs could not be listed: {done.stderr.strip()}")
    return [(run["job_name"], run["run_id"]) for run in json.loads(done.stdout)[:count]][::-1]


def lineage_command() -> list[str]:
    installed = PROGRAMS / "spark-lineage"
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "spark_lineage.cli"]


def environment(home: Home) -> dict[str, str]:
    """The caller's, with our Python for Spark's workers, our programs first, and the demo's store."""
    chosen = {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LINEAGE_STORE": str(home.store),
        "PYTHONUNBUFFERED": "1",
    }
    if console.is_terminal:
        chosen["COLUMNS"] = str(console.width)
    # Another Spark's home would run the jobs on another Spark.
    kept = {key: value for key, value in os.environ.items() if key not in ("SPARK_HOME", "SPARK_CONF_DIR")}
    return kept | chosen


@contextlib.contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Two demos in one folder would write the same tables; the second is refused."""
    with (home.path / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StepError(f"another demo is running in {home.path}; wait for it, or choose another --home") from error
        yield


def relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the demo's jobs under spark-lineage and asks what they left.")
    parser.add_argument("--home", type=Path, default=ROOT / "demo", help="folder of the demo's data, tables and lineage")
    parser.add_argument("--rounds", type=int, default=2, help="how many rounds to add")
    parser.add_argument("--scale", default="0.1", help="TPC-H scale factor of a new folder")
    parser.add_argument("--without-lineage", dest="lineage", action="store_false", help="run the jobs bare, to compare")
    arguments = parser.parse_args()
    if arguments.rounds < 0:
        parser.error("--rounds cannot be negative")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        parser.error("no Java found; `make demo` installs one, or set JAVA_HOME to a Java 17 or 21")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
