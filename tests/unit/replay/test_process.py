"""What the processes of a replayed job begin with, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spark_lineage.config import load
from spark_lineage.errors import ConfigError, ExecutableError
from spark_lineage.model import REDACTED
from spark_lineage.replay import process
from spark_lineage.replay.code import Program
from spark_lineage.replay.verdict import Replayed, exit_code


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SPARK_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_DIST_CLASSPATH"):
        monkeypatch.delenv(name, raising=False)
    conf = tmp_path / "own"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text(
        "# mine\nspark.sql.ansi.enabled false\nspark.plugins=my.Plugin\nspark.hadoop.x  a b\nspark.driver.extraJavaOptions  -Da=b \\\n  -Dc:d\n"
    )
    (conf / "log4j2.properties").write_text("x")
    monkeypatch.setenv("SPARK_CONF_DIR", str(conf))
    monkeypatch.setattr(process, "jar_path", lambda: Path("/x/overlay.jar"))
    place = tmp_path / "scratch"
    place.mkdir()
    return place


def properties(file: Path) -> dict[str, str]:
    root = ElementTree.parse(file).getroot()
    return {one.findtext("name", ""): one.findtext("value", "") for one in root.iter("property")}


def test_the_configuration(scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hadoop = tmp_path / "hadoop"
    hadoop.mkdir()
    (hadoop / "core-site.xml").write_text(
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://a&amp;b</value></property>"
        "<property><name>fs.s3a.impl</name><value>my.S3</value></property></configuration>"
    )
    (hadoop / "hive-site.xml").write_text(
        "<configuration><property><name>hive.metastore.uris</name><value>thrift://real</value></property></configuration>"
    )
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hadoop))
    monkeypatch.setenv("SPARK_DIST_CLASSPATH", "/y/*")
    found = process.environment(scratch, {"spark.sql.ansi.enabled": "true", "spark.a": "c:\\d"}, strict=True)
    conf = Path(found["SPARK_CONF_DIR"])
    defaults = dict(line.split(" ", 1) for line in (conf / "spark-defaults.conf").read_text().splitlines())
    assert defaults["spark.sql.ansi.enabled"] == "true"  # the recorded one comes before the caller's
    assert (defaults["spark.hadoop.x"], defaults["spark.a"], defaults["spark.plugins"]) == ("a b", "c:\\\\d", process.PLUGIN)
    assert defaults["spark.driver.extraJavaOptions"] == "-Da=b -Dc:d"
    assert (defaults["spark.master"], defaults["spark.eventLog.enabled"]) == ("local[*]", "false")
    assert (conf / "log4j2.properties").read_text() == "x"
    core = properties(conf / "core-site.xml")
    assert (core["fs.defaultFS"], core["spark.lineage.lower.s3a.impl"]) == ("hdfs://a&b", "my.S3")
    assert {core["fs.s3a.impl"], core["fs.hdfs.impl"]} == {"org.sparklineage.overlay.Overlay"}
    assert core["fs.file.impl"] == "org.sparklineage.overlay.LocalOverlay"
    hive = properties(conf / "hive-site.xml")
    assert hive["hive.metastore.uris"] == ""
    assert str(scratch) in hive["javax.jdo.option.ConnectionURL"]
    assert found["SPARK_DIST_CLASSPATH"] == "/y/*:/x/overlay.jar"
    assert '"-javaagent:/x/overlay.jar"' in found["JAVA_TOOL_OPTIONS"]
    assert found["SPARK_LINEAGE_STRICT"] == str(scratch)
    assert Path(found["PYTHONPATH"].split(os.pathsep)[0], "sitecustomize.py").is_file()
    assert "SPARK_LINEAGE_RUN_ID" not in found


def test_options_that_hold_whatever_the_job_says(scratch: Path, tmp_path: Path) -> None:
    variables = process.environment(scratch, {}, strict=False)
    assert "SPARK_LINEAGE_STRICT" not in variables
    settings = load(
        {"spark.lineage.store": "/real"}.get, environment=variables, directory=tmp_path, store="/real", ingest="child"
    )
    assert (settings.store, settings.inbox, settings.ingest) == (f"{scratch}/lineage", f"{scratch}/inbox", "none")
    assert settings.origins["store"] == "replay"
    (scratch / "options.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(environment=variables, directory=tmp_path)


def test_recorded_settings() -> None:
    doubts: list[str] = []
    found = process.settings_of(
        {
            "spark.app.id": "x", "spark.lineage.store": "/real", "spark.master": "yarn", "spark.sql.shuffle.partitions": "7",
            "spark.jars": REDACTED, "spark.eventLog.dir": "/logs",
        },
        doubts,
    )  # fmt: skip
    assert found == {"spark.master": "local[*]", "spark.sql.shuffle.partitions": "7"}
    assert [doubt.partition(":")[0] for doubt in doubts] == ["changed configuration"] * 2


def test_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told: list[str] = []
    code = process.run(
        Program(
            (sys.executable, "-c", "print('x'); print('26/11/29 18:42:45 INFO SparkContext: stopped'); raise SystemExit(3)"),
            tmp_path,
        ),
        os.environ,
        log,
        told.append,
    )
    assert (code, process.last_words(log)) == (3, ["x"])
    assert told[0].startswith("the job ended with exit code 3 after")
    with pytest.raises(ExecutableError, match="cannot be started: No such file"):
        process.run(Program(("/nowhere/program",), tmp_path), os.environ, log, told.append)


TRACE = """Traceback (most recent call last):
  File "job.py", line 3, in <module>
    main()
py4j.protocol.Py4JJavaError: An error occurred while calling o45.save.
: java.lang.IllegalStateException: the table is closed
\tat org.apache.spark.Job.run(Job.scala:1)
"""


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        (TRACE, 1, "exit code 1: py4j.protocol.Py4JJavaError: An error occurred while calling o45.save: java.lang.IllegalStateException: the table is closed"),
        ("Traceback (most recent call last):\n  File x\nValueError: no rows\n26/11/30 18:17:42 INFO Utils: end\n", 1, "exit code 1: ValueError: no rows"),
        ('Exception in thread "main" java.lang.Error: no\n\tat a.B.c\n', 1, 'exit code 1: Exception in thread "main" java.lang.Error: no'),
        ("the quota is used up\n26/11/30 18:17:42 ERROR TaskSetManager: x\n", 3, "exit code 3; the last that it said is: the quota is used up"),
        (f"{TRACE}it goes on\n", 3, "exit code 3; the last that it said is: it goes on"),
        ("Picked up JAVA_TOOL_OPTIONS: -Dx\n26/11/30 18:17:42 INFO Utils: end\n", 3, "exit code 3"),
        (f"{'First. ' * 3}{'very ' * 100}long\n", 2, "exit code 2; the last that it said is: First. First. First."),
        ("", -9, "died of signal 9"),
    ],
)  # fmt: skip
def test_how_it_ended(said: str, code: int, told: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(said)
    assert process.how_it_ended(log, code).endswith(told)


def test_the_end_of_much_that_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is begun in its middle: what Spark says of its course would not be known as that."""
    log = tmp_path / "log"
    course = "26/11/30 18:17:42 INFO ResourceUtils: No custom resources\n"
    log.write_text(f"first\n{course * 10}")
    for least in range(1, len(course) * 3):
        monkeypatch.setattr(process, "_END_BYTES", least)
        assert process.how_it_ended(log, 3) == "the job ended with exit code 3"
    monkeypatch.setattr(process, "_END_BYTES", 10_000)
    assert process.last_words(log) == ["first"]


def test_a_job_that_ended_badly_proves_nothing_by_its_exit_code() -> None:
    one = Replayed(execution_id="a:1", run_id="a", job_name=None, operation="append", verdict="identical", job_exit_code=0)
    assert exit_code([one]) == 0
    assert exit_code(iter([one, replace(one, job_exit_code=3)])) == 2
    assert exit_code([replace(one, verdict="different", job_exit_code=3)]) == 1


def test_nothing_outlives_it(tmp_path: Path) -> None:
    """An interrupt ends the command and what it has started."""
    program = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]]); time.sleep(600)"
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"

    def interrupt() -> None:
        while mark.encode() not in subprocess.run(["ps", "axww", "-o", "args"], capture_output=True).stdout.replace(
            program.encode(), b""
        ):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        process.run(Program((sys.executable, "-c", program, mark), tmp_path), os.environ, tmp_path / "log", print)
    thread.join()
    deadline = time.monotonic() + 60  # it has been killed; when a busy system says so is another thing
    while mark in subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_options_of_a_replay_are_options() -> None:
    from spark_lineage.config import OPTIONS

    assert set(process.forced_options(Path("/x"))) <= {option.name for option in OPTIONS}
    assert json.dumps(process.forced_options(Path("/x")))
