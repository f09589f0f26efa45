"""Applications whose driver is not Python: the jar, its listener, and what they leave in the inbox. Real processes each."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from captured import documents, executions, versions_read, versions_written
from deltalake import DeltaTable

import spark_lineage
from spark_lineage.capture import jar, orchestrators
from spark_lineage.capture.bridge_options import BRIDGE_OPTIONS, bridge_options
from spark_lineage.capture.bridge_sources import RESOURCE
from spark_lineage.config import load
from spark_lineage.errors import AttachError
from spark_lineage.ingest import ingest
from spark_lineage.lineage.limits import Limits
from spark_lineage.snapshot.policy import Policy
from spark_lineage.snapshot.taking import snapshots, take
from spark_lineage.store.tables import Store

TIMEOUT = 300
BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[3]
PYTHON_ONLY = {"python_version", "code_repository", "code_commit", "code_dirty", "code_sha256"}
JOB = Path(__file__).parents[1] / "programs" / "plain_job.py"


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, capture_output=True, text=True, timeout=TIMEOUT
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def test_a_jar_of_another_release_is_not_taken_for_ours(spark: Any, bridge_jar: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.jar"
    with zipfile.ZipFile(bridge_jar) as ours, zipfile.ZipFile(older, "w") as other:
        for name in ours.namelist():
            content = ours.read(name)
            other.writestr(name, content.replace(b"sources=", b"sources=0") if name == RESOURCE else content)
    jvm, gateway = spark._jvm, spark.sparkContext._gateway
    thread = jvm.java.lang.Thread.currentThread()
    before = thread.getContextClassLoader()
    urls = gateway.new_array(jvm.java.net.URL, 1)
    for place, refused in ((older, True), (bridge_jar, False)):
        urls[0] = jvm.java.io.File(str(place)).toURI().toURL()
        thread.setContextClassLoader(jvm.java.net.URLClassLoader(urls, before))
        try:
            with pytest.raises(AttachError, match="another release") if refused else contextlib.nullcontext():
                spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
        finally:
            thread.setContextClassLoader(before)
            spark_lineage.detach(spark)


def test_spark_sql_is_recorded_as_a_python_job_is(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "job.sql").write_text(
        f"CREATE TABLE ids USING delta LOCATION '{tmp_path}/ids' AS SELECT id, id * 2 AS twice FROM range(10);\n"
        f"INSERT INTO ids SELECT id + 100, twice FROM ids WHERE id < 5;\n"
        "SELECT count(*) FROM ids WHERE twice > 4;\n"
    )
    told = {
        "AIRFLOW_CTX_DAG_ID": "nightly",
        "AIRFLOW_CTX_TASK_ID": "ids",
        "AIRFLOW_CTX_DAG_RUN_ID": "scheduled__2026-05-01",
        "SPARK_LINEAGE_LABELS": "team=sales, db_password=hunter2",
        "SPARK_LINEAGE_JOB_NAME": "from the environment",
    }
    more = {"spark.lineage.job.name": "ids_by_sql", "spark.sql.my.token": "hunter2", "spark.redaction.regex": "(?i)unlikely"}
    command = [str(BIN / "spark-sql"), *with_jar(tmp_path / "inbox", **more), "-f", "job.sql"]
    assert run(command, tmp_path, **told).stdout.split() == ["9"]
    start, *rest, end = documents(tmp_path / "inbox")
    assert [versions_written(document) for document in rest] == [{"ids": [0]}, {"ids": [1]}, {}]
    assert [versions_read(document) for document in rest] == [{}, {"ids": {0}}, {"ids": {1}}]
    assert (end["kind"], end["status"], end["dropped"]) == ("run_end", "succeeded", {})
    labels = orchestrators.labels({}.get, told)
    assert start["labels"] == {**labels, "team": "sales", "db_password": "*********(redacted)"}
    assert (start["parent_run_id"], start["parent_job_name"]) == orchestrators.parent_of("", labels, {}.get, told)
    assert start["parent_job_name"] == "nightly.ids"
    assert (start["job_name"], start["entry_point"].rsplit(".", 1)[1]) == ("ids_by_sql", "SparkSQLCLIDriver")
    assert start["arguments"] == ["-f", "job.sql"]
    assert "hunter2" not in str(start)
    assert "ids WHERE id < 5" in rest[1]["statement"]
    assert (tmp_path / "inbox").stat().st_mode & 0o777 == 0o700
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"))
    (recorded,) = spark_lineage.open(str(tmp_path / "store")).runs()
    assert (recorded.job_name, recorded.status, recorded.executions) == ("ids_by_sql", "succeeded", 3)


@pytest.mark.soak
def test_rows_are_summed_and_get_their_keys_in_every_session(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    """Also in those of `newSession()`, and once where Python asks for it, too."""
    program = tmp_path / "job.py"
    program.write_text(
        "import sys, spark_lineage\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "for name, session in (('first', spark), ('new', spark.newSession()), ('joined', spark), ('off', spark)):\n"
        "    if name == 'joined':\n"
        "        spark_lineage.attach(spark, strict=True, snapshots_inline=True)\n"
        "    if name == 'off':\n"
        "        spark_lineage.detach(spark)\n"
        "    frame = session.sql('SELECT id, rand(7) AS r FROM range(0, 9, 1, 2) WHERE id < (SELECT max(id) FROM range(9))')\n"
        "    frame.write.format('delta').save(sys.argv[1] + '/' + name)\n"
        "spark.stop()\n"
    )
    more = {"snapshots.inline": "true", "rows.column": "_key", "rows.sample": "1", "rows.key": "id"}
    more = {f"spark.lineage.{name}": value for name, value in more.items()}
    run([str(BIN / "spark-submit"), *with_jar(tmp_path / "inbox", **more), str(program), str(tmp_path)], tmp_path)
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"), snapshots=Policy("outputs", Limits(), 0))
    store = Store.open(tmp_path / "store")
    taken = {one.name.rsplit("/", 1)[1]: one for one in snapshots(store, without=True)}
    assert {name: (one.method, one.row_count) for name, one in taken.items()} == dict.fromkeys(
        ("first", "new", "joined"), ("inline", 8)
    )
    told = {
        row["name"].rsplit("/", 1)[1]: row["sample_column"]
        for row in store.arrow("outputs", ["name", "sample_column"]).to_pylist()
    }
    assert told == dict.fromkeys(("first", "new", "joined"), "_key")
    for name in (*told, "off"):
        columns = [field.name for field in DeltaTable(str(tmp_path / name)).schema().fields]
        assert columns == (["id", "r"] if name == "off" else ["id", "r", "_key"]), name
    for name, one in taken.items():
        assert one.checksum == take(Store.open(tmp_path / "other", create=True), str(tmp_path / name)).checksum


@pytest.mark.soak
def test_attach_joins_the_listener(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    program = tmp_path / "job.py"
    program.write_text(
        "import sys, spark_lineage\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "attachment = spark_lineage.attach(spark, strict=True, job_name='too late')\n"
        "assert attachment.job_name == 'joined', attachment.job_name\n"
        "assert 'job_name of attach() came too late' in attachment.warnings[0], attachment.warnings\n"
        "spark.range(10).write.format('delta').save(sys.argv[1] + '/ids')\n"
        "with spark_lineage.job('inner') as run:\n"
        "    spark.read.format('delta').load(sys.argv[1] + '/ids').write.format('delta').save(sys.argv[1] + '/copy')\n"
        "assert run.run_id and spark_lineage.flush(timeout=60)\n"
        "spark.stop()\n"
    )
    secure = {"spark.lineage.executables.store": str(tmp_path / "secure"), "spark.lineage.datasets.deny": "*secret*"}
    options = with_jar(tmp_path / "inbox", **{"spark.app.name": "joined"}, **secure)
    run([str(BIN / "spark-submit"), *options, str(program), str(tmp_path)], tmp_path)
    assert len(list((tmp_path / "inbox").iterdir())) == 1
    found = documents(tmp_path / "inbox")
    assert [document["kind"] for document in found] == ["run_start", "run_start", "execution", "run_start", "execution", "run_end", "run_end"]  # fmt: skip
    assert [versions_written(document) for document in executions(tmp_path / "inbox")] == [{"ids": [0]}, {"copy": [0]}]
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"))
    runs = {recorded.job_name: recorded for recorded in spark_lineage.open(str(tmp_path / "store")).runs()}
    assert set(runs) == {"joined", "inner"}
    assert (runs["joined"].executions, runs["joined"].status) == (1, "succeeded")
    by_listener, by_python = found[:2]
    assert set(by_python) - set(by_listener) == PYTHON_ONLY
    assert by_python["entry_point"] == str(program)
    assert by_python["spark_confs"] == by_listener["spark_confs"]
    assert by_python["limits"] == by_listener["limits"]
    assert by_listener["limits"]["executables_store"] == str(tmp_path / "secure")


@pytest.mark.soak
def test_a_listener_that_cannot_work_leaves_the_application_alone(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    command = [str(BIN / "spark-sql"), *with_jar(tmp_path / "file" / "inbox"), "-e", "SELECT 1"]
    done = run(command, tmp_path)
    assert done.stdout.split() == ["1"]
    assert "lineage is not recorded for this application" in done.stderr


@pytest.mark.soak
def test_a_misspelt_policy_of_redaction_is_not_the_lack_of_one(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    options = with_jar(tmp_path / "inbox", **{"spark.lineage.redact.literals": "redact"})
    done = run([str(BIN / "spark-sql"), *options, "-e", "SELECT 'kanarienvogel'"], tmp_path)
    assert done.stdout.split() == ["kanarienvogel"]
    assert "lineage is not recorded for this application" in done.stderr
    assert "spark.lineage.redact.literals is 'redact'" in done.stderr
    assert documents(tmp_path / "inbox") == []


def test_both_compilers_make_the_same_jar(bridge_jar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = jar._java("java")
    monkeypatch.setattr(jar, "_java", lambda program: None if program == "javac" else java)
    by_janino = jar.build(tmp_path / "janino.jar")
    with zipfile.ZipFile(bridge_jar) as one, zipfile.ZipFile(by_janino) as other:
        assert set(one.namelist()) == set(other.namelist())
    assert jar.is_current(by_janino)


def test_the_bridge_is_told_the_same_by_both(bridge_jar: Path) -> None:
    with zipfile.ZipFile(bridge_jar) as content:
        lines = content.read("org/sparklineage/bridge/lineage.properties").decode().splitlines()
    told = {line.split("=", 1)[0].removeprefix("bridge.") for line in lines if line.startswith("bridge.")}
    assert told == set(BRIDGE_OPTIONS) == set(bridge_options(load(environment={}, directory=Path("/nonexistent"))))


@pytest.mark.soak
def test_the_wheel_carries_the_jar(tmp_path: Path) -> None:
    """Built in isolation, as `pip wheel .` does: the jars of Spark are found beside the Python that builds."""
    copy = tmp_path / "source"
    leave = shutil.ignore_patterns(".git", ".venv*", "demo", "*.jar", "build", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=leave)
    run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(tmp_path), str(copy)],
        tmp_path,
        SPARK_LINEAGE_REQUIRE_JAR="1",
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        (tmp_path / "bridge.jar").write_bytes(content.read("spark_lineage/capture/bridge/spark-lineage-bridge.jar"))
    assert jar.is_current(tmp_path / "bridge.jar")
