"""Jobs that are run again, unmodified, in the world as it was: in processes of their own, as people start them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from test_overlay import digest

import spark_lineage
from spark_lineage.store.tables import Store

PROGRAMS = Path(__file__).parents[1] / "programs"
ROOT = Path(__file__).parents[3]
KAFKA = os.environ.get("SPARK_LINEAGE_KAFKA", "")
"""As tests/spark/capture/test_kafka.py has it; no broker is needed here."""
TIMEOUT = 900
WRITTEN = ["totals", "history", "orders", "orders", "out", "csv", "streamed"]


class Lake:
    """A folder with tables, and the lineage of the jobs that ran on it."""

    def __init__(self, spark: Any, settings: dict[str, str], folder: Path, elsewhere: str | None = None) -> None:
        self.spark, self.settings, self.folder = spark, settings, folder
        self.path: Any = elsewhere or folder / "lake"
        (folder / "here").mkdir()
        shutil.copytree(PROGRAMS, folder / "programs")  # not in a work tree, whose commit would be taken
        rows = spark.sql("SELECT id, id % 3 AS customer, CAST(id AS DECIMAL(9,2)) AS amount FROM range(0, 30, 1, 2)")
        rows.write.format("delta").save(f"{self.path}/orders")
        rows.where("id < 20").write.format("delta").save(f"{self.path}/events")
        rows.write.parquet(f"{self.path}/raw")
        rows.selectExpr("CAST(id AS STRING)").write.text(f"{self.path}/lines")

    @property
    def store(self) -> str:
        return str(self.folder / "lineage")

    def submit(self, program: str, *arguments: str, conf: dict[str, str] | None = None) -> list[str]:
        settings = {**self.settings, **(conf or {})}
        flags = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
        return [
            str(Path(sys.executable).parent / "spark-submit"),
            *flags,
            str(self.folder / "programs" / program),
            str(self.path),
            *arguments,
        ]

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "spark_lineage.cli", "--store", self.store, *arguments]
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "SPARK_LINEAGE_EXECUTABLES_KEY": str(self.folder / "key"),
            "SPARK_LINEAGE_EXIT_WAIT_SECONDS": "120", **more,
        }  # fmt: skip
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder / "here", env=environment, text=True, **pipes)

    def cli(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def record(self, program: str, *arguments: str, conf: dict[str, str] | None = None, **more: str) -> str:
        done = self.cli("run", "--", *self.submit(program, *arguments, conf=conf), **more)
        assert done.returncode == 0, done.stderr[-3000:]
        return str(spark_lineage.open(self.store).runs()[0].run_id)

    def replay(self, run: str, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        """The exit code, the verdicts, and what was told. The lake is as it was."""
        before = self.files()
        done = self.cli("replay", run, "--job", "--json", "--scratch", str(self.scratch), *arguments)
        assert self.files() == before
        assert "--keep" in arguments or not list(self.scratch.iterdir())
        return done.returncode, json.loads(done.stdout) if done.stdout.startswith("[") else [], done.stderr

    def files(self) -> list[tuple[Any, ...]]:
        """Every file with what would tell that it was touched."""
        return list(digest(self.path))

    @property
    def scratch(self) -> Path:
        place = self.folder / "scratch"
        place.mkdir(exist_ok=True)
        return place

    def moves_on(self, *tables: str) -> None:
        """What others did since: rows appended, files compacted, a table written anew, files put beside others. `tables`: those that are there."""
        rows = self.spark.sql("SELECT id, id % 3 AS customer, CAST(1 AS DECIMAL(9,2)) AS amount FROM range(30, 60, 1, 2)")
        for table in tables or ("orders", "events", "streamed"):
            rows.write.format("delta").mode("append").save(f"{self.path}/{table}")
        if isinstance(self.path, Path):  # of files elsewhere those that were added are not told from those of then
            rows.write.mode("append").parquet(f"{self.path}/raw")
        self.spark.sql(f"OPTIMIZE delta.`{self.path}/orders`")
        if not tables:
            self.spark.sql(f"UPDATE delta.`{self.path}/history` SET total = 0")
        totals = rows.selectExpr("customer", "CAST(1 AS DECIMAL(19,2)) AS total")
        totals.write.format("delta").mode("overwrite").save(f"{self.path}/totals")


def told(verdicts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["name"].rsplit("/", 1)[-1], one["verdict"]) for one in verdicts]


@pytest.fixture(scope="module")
def lake(spark: Any, spark_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(spark, spark_settings, tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def begun(spark: Any, spark_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, str]:
    """A lake of its own, and the run of a job that wrote one table."""
    lake = Lake(spark, spark_settings, tmp_path_factory.mktemp("begun"))
    run = lake.record("nightly_job.py", "begun")
    lake.moves_on("orders", "events")
    return lake, run


@pytest.fixture(scope="module")
def nightly(lake: Lake) -> str:
    run = lake.record("nightly_job.py")
    lake.moves_on()
    return run


@pytest.mark.soak
def test_identical(nightly: str, lake: Lake) -> None:
    code, verdicts, err = lake.replay(nightly)
    assert (told(verdicts), code) == ([(name, "identical") for name in WRITTEN], 0), err[-3000:]
    rows = Store.open(lake.store).arrow("replays").to_pylist()
    assert {(row["replay_mode"], row["verdict"], row["run_id"]) for row in rows} == {("job", "identical", nightly)}
    assert len(rows) == len(WRITTEN)
    assert {(row["replayed_command"], row["trusted"], row["strict"]) for row in rows} == {(None, False, False)}
    assert None not in {row["code_sha256"] for row in rows}
    assert [row["replayed_sha256"] for row in rows] == [row["code_sha256"] for row in rows]
    runs = spark_lineage.open(lake.store).runs()
    assert [run.run_id for run in runs] == [nightly]  # the replay itself is no run


def test_nothing_real_is_touched(begun: tuple[Lake, str]) -> None:
    """By a job that tries every way to write, in the place of the recorded one: `replay` looks at each file before and after."""
    touched(*begun, {"totals", "to"})


@pytest.mark.soak
def test_nothing_real_is_touched_of_many_tables(nightly: str, lake: Lake) -> None:
    touched(lake, nightly, {*WRITTEN, "to"})


def touched(lake: Lake, run: str, written: set[str]) -> None:
    here = digest(lake.folder / "here")
    code, verdicts, err = lake.replay(run, "--", *lake.submit("touching_job.py"))
    assert "the job ended with exit code 0" in err, err[-3000:]
    assert code == 1, [err[-2000:], *((one["name"], one["verdict"], one["reason"]) for one in verdicts)]
    assert ("totals", "identical") in told(verdicts)
    assert {name for name, _ in told(verdicts)} > written
    assert digest(lake.folder / "here") == here


@pytest.mark.soak
def test_a_job_that_was_changed(nightly: str, lake: Lake) -> None:
    """The recipe: does the refactored job give the same on last week's inputs?"""
    command = lake.submit("nightly_job.py", "other", "more")
    before = {row["replay_id"] for row in Store.open(lake.store).arrow("replays", ["replay_id"]).to_pylist()}
    code, verdicts, err = lake.replay(nightly, "--", *command, "--password", "canary")
    found = {one["name"].rsplit("/", 1)[-1]: one for one in verdicts}
    assert code == 1, err[-3000:]
    totals = found["totals"]
    assert (totals["verdict"], totals["rows"]) == ("different", [3, 2])
    assert totals["difference"]["sample_changed"][0]["columns"] == ["total"]
    assert totals["difference"]["missing"] == 2
    assert next(cause.split(":")[0] for cause in found["history"]["causes"]) == "another input"
    assert found["out"]["verdict"] == "identical"
    assert (found["more"]["verdict"], found["more"]["reason"]) == ("different", "the job wrote it in the replay alone")
    rows = [row for row in Store.open(lake.store).arrow("replays").to_pylist() if row["replay_id"] not in before]
    assert [*found["out"]["replayed_command"][:-2]] == command
    assert {tuple((row["replayed_command"] or ())[:-2]) for row in rows} == {tuple(command)}, (
        "it is told from a replay of the recorded one"
    )
    assert "canary" not in str(rows)


@pytest.mark.soak
def test_a_job_that_fails(nightly: str, lake: Lake) -> None:
    code, verdicts, err = lake.replay(nightly, "--", *lake.submit("nightly_job.py", "fail"))
    assert code == 2
    assert {one["verdict"] for one in verdicts} == {"not_replayable"}
    assert "before it wrote anything" in verdicts[0]["reason"]
    assert "ValueError" in err


@pytest.mark.soak
def test_what_is_random_is_named(lake: Lake, nightly: str) -> None:
    run = lake.record("nightly_job.py", "random")
    code, verdicts, err = lake.replay(run)
    random = ["defaulted", "random", "stamped", "stamped_json"]
    assert told(verdicts) == [*((name, "identical") for name in WRITTEN), *((name, "different") for name in random)], err[
        -3000:
    ]
    assert code == 1
    left = "non-deterministic: loaded_at was left to its default, which is not the same each time"
    assert (verdicts[-4]["columns"], verdicts[-4]["causes"][0]) == (["loaded_at"], left)
    for one in verdicts[-3:]:
        assert [cause.partition(" (")[0] for cause in one["causes"]] == [
            "non-deterministic: rand",
            "non-deterministic: current_timestamp",
        ]
    assert [one["columns"] for one in verdicts[-3:]] == [["r", "loaded_at"], ["total", "loaded_at"], ["total", "loaded_at"]]
    code, verdicts, _ = lake.replay(run, "--volatile", "r", "--volatile", "loaded_at")
    assert (code, [one["verdict"] for one in verdicts[-4:]]) == (0, ["equivalent"] * 4), verdicts[-4:]
    for one in verdicts[-2:]:  # lines, by their columns
        assert one["columns"] == ["total", "loaded_at"]
        assert "rows differ by no more than the tolerance of floats (1e-09) in total" in one["reason"]


@pytest.mark.soak
def test_the_program_itself_was_changed(lake: Lake, nightly: str, tmp_path: Path) -> None:
    """It lies in no repository: nothing but its SHA-256 tells. A function that is not the same each time is named while the program is that of then."""
    command = lake.submit("nightly_job.py", "lying")
    program = tmp_path / "job.py"
    text = (PROGRAMS / "nightly_job.py").read_text()
    program.write_text(text)
    command[command.index(str(lake.folder / "programs" / "nightly_job.py"))] = str(program)
    done = lake.cli("run", "--", *command)
    assert done.returncode == 0, done.stderr[-3000:]
    run = str(spark_lineage.open(lake.store).runs()[0].run_id)
    code, verdicts, err = lake.replay(run)
    found = {one["name"].rsplit("/", 1)[-1]: one for one in verdicts}
    assert {name for name, one in found.items() if one["verdict"] != "identical"} == {"lying"}, err[-3000:]
    assert found["lying"]["causes"][0].startswith("non-deterministic: PythonUDF <lambda>"), found["lying"]["causes"]
    program.write_text(text.replace("* 2", "* 3"))
    code, verdicts, err = lake.replay(run)
    found = {one["name"].rsplit("/", 1)[-1]: one for one in verdicts}
    assert (code, found["out"]["verdict"], found["out"]["columns"]) == (1, "different", ["twice"]), err[-3000:]
    for name in ("out", "lying"):
        assert found[name]["causes"][0].startswith("changed code: "), found[name]["causes"]
        assert "has changed since" in found[name]["causes"][0]


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_from_outside(number: signal.Signals, nightly: str, lake: Lake) -> None:
    """Nothing is left: no process, no scratch place, no verdict."""
    before = len(Store.open(lake.store).arrow("replays").to_pylist())
    process = lake.start("replay", nightly, "--job", "--scratch", str(lake.scratch))
    deadline = time.monotonic() + 120
    while not any(log.stat().st_size for log in lake.scratch.glob("*/job.log")):  # its JVM has said something
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not list(lake.scratch.iterdir())
    assert len(Store.open(lake.store).arrow("replays").to_pylist()) == before
    left = subprocess.run(["pgrep", "-f", str(lake.scratch)], capture_output=True, text=True)
    assert left.stdout == ""


def test_what_cannot_be_begun(begun: tuple[Lake, str]) -> None:
    lake, run = begun

    def refused(*arguments: str) -> str:
        done = lake.cli("replay", *arguments)
        assert done.returncode == 2, done.stderr
        return done.stderr

    def refused_command(*command: str) -> str:
        return refused(run, "--job", "--json", "--scratch", str(lake.scratch), "--", *command)

    before = len(Store.open(lake.store).arrow("replays").to_pylist())
    assert "name the run" in refused(f"{run}:0", "--job")
    assert "the command sets spark.plugins to x" in refused_command("spark-submit", "--conf", "spark.plugins=x", "job.py")
    assert "the command sets spark.submit.deployMode to cluster" in refused_command("spark-submit", "--deploy-mode", "cluster")
    assert "'nothing-of-that-name' is no program" in refused_command("nothing-of-that-name", "job.py")
    assert "no run whose id begins with" in refused("nothing", "--job")
    assert "lies within the data of" in refused(run, "--job", "--scratch", f"{lake.path}/orders")
    assert "lies within the lineage tables" in refused(run, "--job", "--scratch", lake.store)
    assert "is no folder that can be written" in refused(run, "--job", "--scratch", "/nowhere")
    assert "are for --job" in refused(run, "--strict")
    assert "--job takes a run" in refused(run, "--job", "--check")
    assert not list(lake.scratch.iterdir())
    assert len(Store.open(lake.store).arrow("replays").to_pylist()) == before  # what the caller said is no verdict on the run
    assert lake.replay(run, "--", "false")[0] == 2
    replay = Store.open(lake.store).arrow("replays").to_pylist()[0]
    assert "is a replay" in refused(replay["replay_id"], "--job")


@pytest.mark.soak
def test_strict(lake: Lake, nightly: str) -> None:
    """Files and connections of a job's own are refused, in its workers too, and said even where the job catches that."""
    run = lake.record("leaking_job.py")
    for name in ("by_the_driver", "by_a_worker"):
        (lake.path / name).unlink()
    code, verdicts, err = lake.replay(run, "--strict")
    assert code == 2, err[-3000:]  # the job ended badly, though the table was written before
    assert told(verdicts) == [("leaked", "identical")]
    assert f"refused: writing the file {lake.path}/by_the_driver" in err
    assert f"refused: writing the file {lake.path}/by_a_worker" in err
    assert "the job ended with exit code 1" in err
    code, verdicts, err = lake.replay(run, "--strict", "--", *lake.submit("leaking_job.py", "quietly"))
    assert (code, told(verdicts)) == (0, [("leaked", "identical")]), err[-3000:]
    assert "refused: a connection to ('192.0.2.1', 80)" in err
    assert not (lake.path / "by_the_driver").exists()


@pytest.mark.soak
@pytest.mark.parametrize("how", ["", "table"])
def test_strict_with_a_connector_of_somebody_else(how: str, lake: Lake, nightly: str) -> None:
    (lake.path / "by_a_connector").unlink(missing_ok=True)
    run = lake.record("leaking_job.py")
    command = lake.submit("leaking_job.py", "connector", how)
    code, verdicts, err = lake.replay(run, "--strict", "--", *command)
    assert (code, told(verdicts)) == (2, [("leaked", "identical")]), err[-3000:]  # it was written before
    assert "the job was refused: the job writes to org.elsewhere.Connector" in verdicts[0]["reason"], verdicts
    assert not (lake.path / "by_a_connector").exists()
    done = subprocess.run(command, capture_output=True, text=True, cwd=lake.folder / "here")
    assert (done.returncode, (lake.path / "by_a_connector").exists()) == (0, True), done.stderr[-3000:]  # it does write


@pytest.mark.soak
@pytest.mark.skipif(not KAFKA, reason="SPARK_LINEAGE_KAFKA names no folder with Kafka's jars")
def test_a_job_that_writes_into_a_topic(lake: Lake, nightly: str) -> None:
    run = lake.record("leaking_job.py")
    jars = ",".join(map(str, Path(KAFKA, "spark").glob("*.jar")))
    more = ",".join(filter(None, (lake.settings.get("spark.jars"), jars)))
    code, verdicts, err = lake.replay(run, "--", *lake.submit("leaking_job.py", "topic", conf={"spark.jars": more}))
    assert (code, told(verdicts)) == (2, [("leaked", "identical")]), err[-3000:]
    assert "the job was refused: the job writes to org.apache.spark.sql.kafka010." in verdicts[0]["reason"], verdicts


@pytest.mark.soak
def test_a_job_that_writes_into_a_database(lake: Lake, nightly: str) -> None:
    """Which the recorded job did not: it is refused as it begins to."""
    run = lake.record("leaking_job.py")
    code, verdicts, err = lake.replay(run, "--", *lake.submit("leaking_job.py", "database"))
    assert (code, told(verdicts)) == (2, [("leaked", "identical")]), err[-3000:]  # it was written before
    assert "the job was refused: the job writes to org.apache.spark.sql.execution.datasources.jdbc." in verdicts[0]["reason"]
    run = lake.record("leaking_job.py", "database")
    code, verdicts, err = lake.replay(run)
    assert (code, {one["verdict"] for one in verdicts}) == (2, {"not_replayable"})
    assert "would write there again" in verdicts[0]["reason"]


@pytest.mark.soak
def test_a_job_that_writes_into_a_database_by_tables(lake: Lake, nightly: str) -> None:
    """Whose providers Spark asks to write without a command of their own."""
    run = lake.record("leaking_job.py")
    command = lake.submit("leaking_job.py", "tables", str(lake.folder / "database"))
    code, verdicts, err = lake.replay(run, "--", *command)
    assert (code, told(verdicts)) == (2, [("leaked", "identical")]), err[-3000:]  # it was written before
    ways = ("saveAsTable", "writeTo", "select", "class", "insert", "overwrite", "insertInto", "view")
    assert "; ".join([*(f"{way} refused" for way in ways), "rows 0"]) in verdicts[0]["reason"]


@pytest.mark.soak
def test_the_code_of_then(lake: Lake, nightly: str, tmp_path: Path) -> None:
    """The job lies in a repository, and has changed since: it is run as it was."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    program = tmp_path / "job.py"
    text = (PROGRAMS / "nightly_job.py").read_text()
    program.write_text(text)
    (tmp_path / "seeds.txt").write_text("then")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "then")
    command = lake.submit("nightly_job.py", "seeds")
    command[command.index(str(lake.folder / "programs" / "nightly_job.py"))] = str(program)
    done = lake.cli("run", "--", *command)
    assert done.returncode == 0, done.stderr[-3000:]
    run = str(spark_lineage.open(lake.store).runs()[0].run_id)
    program.write_text(text.replace("* 2", "* 3"))
    git("commit", "-qam", "now")
    code, verdicts, err = lake.replay(run)
    assert (code, {one["verdict"] for one in verdicts}) == (0, {"identical"}), err[-3000:]
    code, verdicts, err = lake.replay(run, "--", *command)
    found = {one["name"].rsplit("/", 1)[-1]: one for one in verdicts}
    assert {name for name, one in found.items() if one["verdict"] != "identical"} == {"out"}, err[-3000:]
    assert (code, found["out"]["columns"]) == (1, ["twice"])
    assert found["out"]["causes"][0].startswith("changed code: commit ")
    (tmp_path / "seeds.txt").write_text("now")
    code, verdicts, err = lake.replay(run, "--", *command)
    assert (code, {one["verdict"] for one in verdicts}) == (2, {"not_replayable"}), err[-3000:]
    assert "seeds.txt has no versions and has changed" in verdicts[0]["reason"]  # of today's code, beside which it lies


@pytest.mark.soak
def test_a_job_that_puts_the_guard_away(nightly: str, lake: Lake) -> None:
    """Nothing of it is begun."""
    code, verdicts, _ = lake.replay(nightly, "--", *lake.submit("nightly_job.py", "unguarded"))
    assert (code, {one["verdict"] for one in verdicts}) == (2, {"not_replayable"})
    assert "the guard of the replay is not running in this application" in verdicts[0]["reason"]
    code, verdicts, _ = lake.replay(nightly, "--", "env", "-u", "JAVA_TOOL_OPTIONS", *lake.submit("nightly_job.py"))
    assert (code, {one["verdict"] for one in verdicts}) == (2, {"not_replayable"})
    assert "Hadoop's file systems are not watched in this JVM" in verdicts[0]["reason"]


@pytest.mark.soak
def test_other_settings_are_named(lake: Lake, nightly: str) -> None:
    run = lake.record("nightly_job.py", "zoned")
    command = lake.submit("nightly_job.py", "zoned", conf={"spark.sql.session.timeZone": "Asia/Tokyo"})
    code, verdicts, err = lake.replay(run, "--", *command)
    found = [one for one in told(verdicts) if one[0] != "streamed"]  # there is nothing new for it after another test
    assert found == [*((name, "identical") for name in WRITTEN if name != "streamed"), ("zoned", "different")], err[-3000:]
    assert (code, verdicts[-1]["columns"]) == (1, ["hour"])
    assert verdicts[-1]["causes"][0].startswith("changed configuration: spark.sql.session.timeZone was"), verdicts[-1]["causes"]


@pytest.mark.soak
def test_tables_by_their_names(spark: Any, spark_settings: dict[str, str], tmp_path: Path) -> None:
    """In a Hive catalog of its own, which is not touched either, though the job drops a table and makes another of that name."""
    warehouse = Lake(spark, spark_settings, tmp_path)
    warehouse.record("warehouse_job.py", "make")
    run = warehouse.record("warehouse_job.py")
    wanted = [("marts.counts", "identical"), ("marts.top", "identical")]
    metastore = [path.name for path in warehouse.path.iterdir()]
    code, verdicts, err = warehouse.replay(run)
    assert ([(one["label"], one["verdict"]) for one in verdicts], code) == (wanted, 0), (err[-3000:], verdicts)
    _, verdicts, err = warehouse.replay(run, "--", *warehouse.submit("warehouse_job.py", "drop"))
    assert [(one["label"], one["verdict"]) for one in verdicts][:2] == wanted, (err[-3000:], verdicts)
    assert verdicts[2]["reason"] == "the job wrote it in the replay alone"
    assert [path.name for path in warehouse.path.iterdir()] == metastore
    again = warehouse.record("warehouse_job.py")  # the real catalog has its tables
    assert again != run


@pytest.mark.soak
def test_files_that_were_preserved(spark: Any, spark_settings: dict[str, str], tmp_path: Path) -> None:
    """Others are in their place now: the job reads the copies."""
    lake = Lake(spark, spark_settings, tmp_path)
    run = lake.record("nightly_job.py", SPARK_LINEAGE_SNAPSHOTS_PRESERVE="*/raw")
    rows = spark.sql("SELECT id, id % 3 AS customer, CAST(2 AS DECIMAL(9,2)) AS amount FROM range(0, 7, 1, 2)")
    rows.write.mode("overwrite").parquet(f"{lake.path}/raw")
    code, verdicts, err = lake.replay(run)
    assert (told(verdicts), code) == ([(name, "identical") for name in WRITTEN], 0), err[-3000:]


@pytest.mark.soak
def test_a_full_scratch_place(nightly: str, lake: Lake, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (small / "ballast").write_bytes(bytes(10 * 1024 * 1024))
        done = lake.cli("replay", nightly, "--job", "--scratch", str(small))
        assert (done.returncode, "is full" in done.stderr) == (2, True), done.stderr
        (small / "ballast").unlink()
        before = digest(lake.path)
        filling = lake.start("replay", nightly, "--job", "--json", "--scratch", str(small))
        deadline = time.monotonic() + 120
        while not list(small.glob("*/job.log")) and time.monotonic() < deadline:
            time.sleep(0.05)
        with (small / "ballast").open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1024 * 1024))
        out, err = filling.communicate(timeout=TIMEOUT)
        assert filling.returncode == 2, err[-3000:]
        told = json.loads(out) if out else []
        assert [one["verdict"] for one in told] == ["not_replayable"] * len(told)
        assert all("is full" in one["reason"] for one in told) if told else "is full" in err, (told, err[-3000:])
        assert [path.name for path in small.iterdir()] == ["ballast"]
        assert digest(lake.path) == before
    finally:
        subprocess.run(["umount", str(small)], check=True)
