"""attach, detach, job(...), redaction, budgets, and what happens when things go wrong inside the driver."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import Capture, documents, executions, versions_written

import spark_lineage
from spark_lineage.capture import attach as attaching
from spark_lineage.errors import AttachError


@pytest.fixture(autouse=True)
def _detached(spark: Any) -> Iterator[None]:
    """A test that fails half way must not leave its attachment to the next."""
    yield
    spark_lineage.detach(spark)


def test_attach_twice_is_once(spark: Any, capture: Capture) -> None:
    again = spark_lineage.attach(spark, inbox=str(capture.inbox), ingest="none")
    assert again is capture.attachment
    assert spark_lineage.attach(spark.newSession(), inbox=str(capture.inbox), ingest="none") is capture.attachment
    spark.range(3).count()
    assert len(capture.executions()) == 1


def test_detach_ends_the_run_and_hears_nothing_more(spark: Any, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path), ingest="none", strict=True)
    spark.range(3).count()
    spark_lineage.detach(spark)
    spark.range(4).count()
    spark_lineage.detach(spark)
    kinds = [document["kind"] for document in documents(tmp_path)]
    assert kinds == ["run_start", "execution", "run_end"]
    assert [document["sequence"] for document in documents(tmp_path)] == [0, 1, 2]
    assert documents(tmp_path)[2]["last_sequence"] == 1


def test_the_run_says_who_ran_what(capture: Capture) -> None:
    (start,) = [document for document in documents(capture.inbox) if document["kind"] == "run_start"]
    assert start["application"] is True
    assert start["job_name"] == "tests"
    assert start["spark_version"] == capture.spark.version
    assert start["application_id"] == capture.spark.sparkContext.applicationId
    assert start["user_name"]
    assert start["code_sha256"] is None or len(start["code_sha256"]) == 64
    assert start["spark_confs"]["spark.sql.shuffle.partitions"] == "2"


def test_switched_off_by_configuration_nothing_is_written(spark: Any, tmp_path: Path) -> None:
    assert spark_lineage.attach(spark, enabled=False, inbox=str(tmp_path / "inbox"), strict=True) is None
    assert spark_lineage.attach(spark, jobs_deny="te*", inbox=str(tmp_path / "inbox"), strict=True) is None
    assert spark_lineage.attach(spark, jobs_allow="other", inbox=str(tmp_path / "inbox"), strict=True) is None
    assert not (tmp_path / "inbox").exists()


def test_jobs_in_threads_do_not_mix(spark: Any, capture: Capture) -> None:
    runs: dict[str, str] = {}
    barrier = threading.Barrier(4)

    def work(name: str) -> None:
        with spark_lineage.job(name, parameters={"day": name}, labels={"team": "x"}) as run:
            assert run.run_id is not None
            runs[name] = run.run_id
            barrier.wait(30)
            for _ in range(3):
                spark.range(10).selectExpr(f"'{name}' AS who", "id").collect()

    threads = [threading.Thread(target=work, args=(f"job{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spark.range(1).count()
    recorded = capture.executions()
    for name, run_id in runs.items():
        mine = [document for document in recorded if document["run_id"] == run_id]
        assert len(mine) == 3
        assert all(name in json.dumps(document["analyzed"]) for document in mine)
        assert all(document["tags"] == [] for document in mine), "our own tag is not the user's"
    assert [d["run_id"] for d in recorded].count(capture.attachment.run_id) == 1
    starts = {d["run_id"]: d for d in documents(capture.inbox) if d["kind"] == "run_start"}
    for name, run_id in runs.items():
        assert starts[run_id]["job_name"] == name
        assert starts[run_id]["parameters"] == {"day": name}
        assert starts[run_id]["parent_run_id"] == capture.attachment.run_id


def test_a_job_as_decorator_opens_a_run_a_call_and_nests(spark: Any, capture: Capture) -> None:
    @spark_lineage.job("inner")
    def inner() -> int:
        return int(spark.range(5).count())

    with spark_lineage.job("outer") as outer:
        assert inner() == 5
        assert inner() == 5
        spark.range(2).count()
    recorded = capture.executions()
    starts = [d for d in documents(capture.inbox) if d["kind"] == "run_start" and d["job_name"] == "inner"]
    assert len({start["run_id"] for start in starts}) == 2
    assert all(start["parent_run_id"] == outer.run_id for start in starts)
    assert [document["run_id"] for document in recorded] == [starts[0]["run_id"], starts[1]["run_id"], outer.run_id]


def test_a_job_that_raises_is_a_failed_run_and_the_exception_is_the_users(spark: Any, capture: Capture) -> None:
    with pytest.raises(ZeroDivisionError), spark_lineage.job("fails") as run:
        _ = 1 / 0
    capture.executions()
    (end,) = [d for d in documents(capture.inbox) if d["kind"] == "run_end" and d["run_id"] == run.run_id]
    assert end["status"] == "failed"
    assert end["error"].startswith("ZeroDivisionError")


SECRETS = ("hunter2", "s3cr3t-in-url", "tok-12345", "conf-secret-1", "arg-secret-1", "MIIE-private", "eyJ-4711")
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIE-private\n-----END PRIVATE KEY-----"


def test_secrets_never_reach_the_disk(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["job.py", "--password", "arg-secret-1", "--day=1"])
    spark.conf.set("spark.sql.my.secret.key", "conf-secret-1")
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.csv").write_text("1\n")
    try:
        spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", labels="api_token=tok-12345", strict=True)
        spark.sql(
            "CREATE TEMPORARY VIEW secret_view USING csv OPTIONS "
            f"(path '{source}', password 'hunter2', url 'jdbc:x://bob:s3cr3t-in-url@db/x')"
        )
        reader = spark.read.option("password", "hunter2").option("token", "tok-12345")
        reader = reader.option("kafka.ssl.keystore.key", PRIVATE_KEY).option("header.Authorization", "Bearer eyJ-4711")
        reader.option("note", PRIVATE_KEY).schema("a int").csv(str(source)).count()
        spark.sql("SELECT 'password=hunter2' AS a, 'with Bearer eyJ-4711' AS b").collect()
        spark_lineage.job(
            "j", parameters={"password": "hunter2", "url": "jdbc:x://bob:s3cr3t-in-url@db/x"}
        ).__enter__().__exit__(None, None, None)
        spark_lineage.detach(spark)
    finally:
        spark.conf.unset("spark.sql.my.secret.key")
        spark.sql("DROP VIEW IF EXISTS secret_view")
    text = json.dumps(documents(tmp_path / "inbox"))
    assert len(executions(tmp_path / "inbox")) == 3
    assert [secret for secret in SECRETS if secret in text] == []
    assert "jdbc:x://bob:" in text, "only the secret is taken out, not what is beside it"


@pytest.mark.parametrize(("mode", "rights"), [("private", (0o700, 0o600)), ("group", (0o770, 0o660))])
def test_an_inbox_on_a_hadoop_file_system_has_the_rights_of_a_local_one(
    mode: str, rights: tuple[int, int], spark: Any, tmp_path: Path
) -> None:
    hadoop, place = spark.sparkContext._jsc.hadoopConfiguration(), f"rights-{mode}-{os.getpid()}"
    hadoop.set(f"fs.viewfs.mounttable.{place}.link./mounted", f"file://{tmp_path}")
    try:
        spark_lineage.attach(spark, inbox=f"viewfs://{place}/mounted/the/inbox", ingest="none", inbox_mode=mode, strict=True)
        spark.range(3).collect()
        spark_lineage.detach(spark)
    finally:
        hadoop.unset(f"fs.viewfs.mounttable.{place}.link./mounted")
    inbox = tmp_path / "the" / "inbox"
    (folder,) = inbox.iterdir()
    assert len(executions(inbox)) == 1
    for made in (inbox.parent, inbox, folder):
        assert made.stat().st_mode & 0o777 == rights[0], made
    assert {path.stat().st_mode & 0o777 for path in folder.glob("[0-9]*")} == {rights[1]}


def test_a_plan_over_the_node_budget_keeps_target_and_version(spark: Any, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", plan_max_nodes=10, strict=True)
    frame = spark.range(3)
    for i in range(30):
        frame = frame.where(f"id != {i + 10}")
    frame.write.format("delta").save(str(tmp_path / "t"))
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path / "inbox")
    assert document["incomplete"] == ["plan over the node budget (10)"]
    assert [commit["version"] for commit in document["commits"]] == [0]
    (node,) = document["analyzed"]["nodes"]
    assert node["class"].endswith("SaveIntoDataSourceCommand")
    (end,) = [d for d in documents(tmp_path / "inbox") if d["kind"] == "run_end"]
    assert end["dropped"] == {"plan over the node budget (10)": 1}


@pytest.mark.parametrize("point", ["attach", "inbox", "compile"])
def test_a_failure_while_attaching_leaves_the_job_alone(
    point: str, spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_FAULT", f"raise:{point}")
    with caplog.at_level(logging.WARNING, logger="spark_lineage"):
        assert spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none") is None
    assert len(caplog.records) == 1
    assert "the job is not affected" in caplog.text
    assert spark.range(7).count() == 7


def test_a_bridge_that_does_not_compile_says_so(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spark_lineage.capture.java_sources import JavaSources

    monkeypatch.setattr(JavaSources, "class_name", "x.Broken")
    monkeypatch.setattr(JavaSources, "text", lambda _: "package x; class Broken extends NoSuchSparkClass {}")
    with pytest.raises(AttachError, match=r"does not compile against this Spark.*NoSuchSparkClass"):
        spark_lineage.attach(spark, inbox=str(tmp_path), ingest="none", strict=True)


@pytest.mark.parametrize(
    ("point", "documents_left"), [("listener", 0), ("plan", 1), ("scans", 1), ("document", 0), ("write", 0), ("commit", 1)]
)
def test_a_failure_inside_the_bridge_leaves_the_job_alone(point: str, documents_left: int, spark: Any, tmp_path: Path) -> None:
    attachment = spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    system = spark.sparkContext._jvm.java.lang.System
    system.setProperty("spark.lineage.fault", f"raise:{point}")
    try:
        spark.range(7).write.format("delta").save(str(tmp_path / "t"))
        attachment.flush(30)
    finally:
        system.clearProperty("spark.lineage.fault")
    assert spark.read.format("delta").load(str(tmp_path / "t")).count() == 7
    spark_lineage.detach(spark)
    left = executions(tmp_path / "inbox")
    assert len(left) == documents_left + 1, "what the fault did not touch is recorded"
    if point != "commit":
        told = [*attachment.bridge.warnings(), *(reason for document in left for reason in document["incomplete"])]
        assert any(f"fault injected at {point}" in text for text in told)
    (end,) = [document for document in documents(tmp_path / "inbox") if document["kind"] == "run_end"]
    assert end["status"] == "succeeded"


def test_threads_that_name_an_execution_that_is_over_are_recorded(spark: Any, capture: Capture) -> None:
    """Spark hands the root's number down to threads that are started within an execution, and they keep it."""
    context, table = spark.sparkContext, str(capture.data / "t")
    spark.range(2).count()
    context.setLocalProperty("spark.sql.execution.root.id", "0")
    try:
        spark.range(3).write.format("delta").save(table)
        spark.range(3).write.format("delta").mode("append").save(table)
        spark.range(3).count()
    finally:
        context.setLocalProperty("spark.sql.execution.root.id", None)
    spark.range(4).count()
    recorded = capture.executions()
    assert [versions_written(one) for one in recorded] == [{}, {"t": [0]}, {"t": [1]}, {}, {}]
    assert capture.attachment.bridge.retained()[2] == 0, "commits that nobody took"


def test_a_commit_that_was_not_heard_is_said(spark: Any, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    system = spark.sparkContext._jvm.java.lang.System
    system.setProperty("spark.lineage.fault", "raise:commit")
    try:
        spark.range(7).write.format("delta").save(str(tmp_path / "t"))
        spark_lineage.detach(spark)
    finally:
        system.clearProperty("spark.lineage.fault")
    (document,) = executions(tmp_path / "inbox")
    (commit,) = document["commits"]
    assert (commit["version"], commit["basis"]) == (0, "inferred"), "it is looked for in the table's log"


def test_a_spark_that_is_not_known_is_attached_to_and_says_so(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attaching.identity, "KNOWN_SPARK", ("3.9.",))
    with caplog.at_level(logging.WARNING, logger="spark_lineage"):
        spark_lineage.attach(spark, inbox=str(tmp_path), ingest="none", strict=True)
    spark.range(3).count()
    spark_lineage.detach(spark)
    (document,) = executions(tmp_path)
    assert document["incomplete"] == [f"Spark {spark.version} is not known to this release"]
    assert "is not known to this release" in caplog.text


def test_an_inbox_that_cannot_be_made_is_an_error_with_a_next_step(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AttachError, match=r"cannot be written.*set spark.lineage.inbox"):
        spark_lineage.attach(spark, inbox=str(tmp_path / "file" / "inbox"), ingest="none", strict=True)


def test_a_full_inbox_gives_up_documents_and_counts_them(spark: Any, tmp_path: Path) -> None:
    attachment = spark_lineage.attach(spark, inbox=str(tmp_path), ingest="none", inbox_max_bytes=100, strict=True)
    assert spark.range(3).count() == 3
    assert spark.range(4).count() == 4
    spark_lineage.detach(spark)
    assert executions(tmp_path) == []
    assert list(attachment.bridge.warnings()) == ["reads given up, the inbox is full (inbox.max.bytes) (2)"]
    (end,) = [document for document in documents(tmp_path) if document["kind"] == "run_end"]
    assert (end["last_sequence"], end["dropped"]) == (2, {"reads given up, the inbox is full (inbox.max.bytes)": 2})


def test_an_inbox_that_was_removed_is_made_again(spark: Any, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", strict=True)
    shutil.rmtree(tmp_path / "inbox")
    spark.range(3).count()
    spark_lineage.detach(spark)
    assert [document["kind"] for document in documents(tmp_path / "inbox")] == ["execution", "run_end"]


def test_reads_can_be_left_out(spark: Any, tmp_path: Path) -> None:
    spark_lineage.attach(spark, inbox=str(tmp_path / "inbox"), ingest="none", reads=False, strict=True)
    spark.range(3).count()
    spark.range(3).write.format("delta").save(str(tmp_path / "t"))
    spark_lineage.detach(spark)
    assert len(executions(tmp_path / "inbox")) == 1


def test_the_inbox_is_for_its_owner_alone(capture: Capture) -> None:
    assert capture.inbox.stat().st_mode & 0o777 == 0o700
    assert Path(capture.attachment.folder).stat().st_mode & 0o777 == 0o700


def test_no_signal_handler_is_installed(capture: Capture) -> None:
    import signal

    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert attaching.attachment_of(capture.spark) is capture.attachment


def test_what_delta_raises_is_what_the_user_gets(spark: Any, capture: Capture) -> None:
    """A checked exception of the JVM's, thrown while a commit is prepared."""
    from py4j.protocol import Py4JJavaError

    (capture.data / "file").write_text("")
    with pytest.raises(Py4JJavaError) as caught:
        spark.sql(f"CREATE TABLE delta.`{capture.data}/file/t` (id int) USING delta")
    assert caught.value.java_exception.getClass().getName() == "org.apache.spark.sql.delta.DeltaIOException"
    (document,) = capture.executions()
    assert document["error_class"] == "org.apache.spark.sql.delta.DeltaIOException"


def test_a_report_that_cannot_be_written_does_not_give_two_bridges(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LINEAGE_LAUNCH_REPORT", "/proc/version")  # not even root may append to it
    first = spark_lineage.attach(spark, inbox=str(tmp_path), ingest="none", strict=True)
    assert spark_lineage.attach(spark, inbox=str(tmp_path), ingest="none", strict=True) is first
    spark.range(3).count()
    spark_lineage.detach(spark)
    assert len(executions(tmp_path)) == 1


def test_an_attach_that_fails_late_leaves_no_bridge(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no child")

    monkeypatch.setattr(attaching.child, "start", broken)
    assert spark_lineage.attach(spark, inbox=str(tmp_path)) is None
    spark.range(3).count()
    assert [document["kind"] for document in documents(tmp_path)] == ["run_start", "run_end"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the fork of a process with threads is what is tested
def test_a_forked_child_says_nothing_to_the_drivers_jvm(spark: Any, capture: Capture) -> None:
    import os
    import sys

    assert attaching.the_attachment() is capture.attachment
    pid = os.fork()
    if pid == 0:
        silent = attaching.the_attachment() is None and not attaching._ending
        try:
            sys.excepthook(ValueError, ValueError("the child's"), None)
            with spark_lineage.job("child") as run:
                silent = silent and run.run_id is None
        finally:
            os._exit(0 if silent else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    spark_lineage.detach(spark)
    end = documents(capture.inbox)[-1]
    assert (end["kind"], end["status"]) == ("run_end", "succeeded")
    assert attaching.attachment_of(spark) is None
