"""Applications that are not Python's, as spark-submit starts them: one in Java, a thriftserver and its clients."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from captured import documents, executions, versions_read, versions_written
from servers import free_port, server
from test_jar import BIN, run

import spark_lineage
from spark_lineage.ingest import ingest

pytestmark = pytest.mark.soak


def assert_copied(inbox: Path) -> None:
    found = executions(inbox)
    assert [versions_written(document) for document in found] == [{"ids": [0]}, {"copy": [0]}]
    assert [versions_read(document) for document in found] == [{}, {"ids": {0}}]


@pytest.mark.parametrize("throws", [False, True])
def test_a_java_application(throws: bool, application: Path, with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    """Its inbox is reached by a Hadoop file system that is not the local one."""
    (tmp_path / "inbox").mkdir()
    mount = {"spark.hadoop.fs.viewfs.mounttable.lineage.link./inbox": f"file://{tmp_path}/inbox"}
    options = with_jar("viewfs://lineage/inbox", **mount)
    arguments = [str(tmp_path), *(["what the job threw"] if throws else [])]
    command = [str(BIN / "spark-submit"), *options, "--class", "programs.CopyIds", str(application), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == int(throws), done.stderr[-3000:]
    start, *_, end = documents(tmp_path / "inbox")
    assert_copied(tmp_path / "inbox")
    assert (start["job_name"], start["entry_point"], start["arguments"]) == ("copy_ids", "programs.CopyIds", arguments)
    # That `main` threw is known to nobody in the JVM who would hear it: docs/attaching.md says so.
    assert (end["kind"], end["status"]) == ("run_end", "succeeded")


def test_a_thriftserver_records_what_its_clients_type(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    """It gives each statement a job group with the statement as its description: Delta's executions have that text too."""
    port = free_port()
    more = {"spark.hadoop.hive.server2.thrift.port": str(port), "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1"}
    main = ["--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "--name", "a thriftserver", "spark-internal"]
    ids, copy = f"delta.`{tmp_path}/ids`", f"delta.`{tmp_path}/copy`"
    quiet = ["use default", "show tables", "set spark.sql.shuffle.partitions=3"]
    typed = [
        f"CREATE TABLE {ids} USING delta AS SELECT id, id * 2 AS twice FROM range(10)",
        f"INSERT INTO {ids} SELECT id + 100, twice FROM {ids} WHERE id < 5",
        f"SELECT count(*) FROM {ids} WHERE twice > 4",
        f"CREATE TABLE {copy} USING delta AS SELECT * FROM {ids}",
        f"MERGE INTO {copy} t USING {ids} s ON t.id = s.id AND s.id < 3 WHEN MATCHED THEN DELETE",
    ]
    with server([str(BIN / "spark-submit"), *with_jar(tmp_path / "inbox", **more), *main], tmp_path, port):
        asked = [part for statement in [*quiet, *typed] for part in ("-e", statement)]
        run([str(BIN / "beeline"), "-u", f"jdbc:hive2://127.0.0.1:{port}/default", "-n", "reader", *asked], tmp_path)
    start, *rest, end = documents(tmp_path / "inbox")
    assert [document["statement"] for document in rest] == typed
    assert [versions_written(document) for document in rest] == [{"ids": [0]}, {"ids": [1]}, {}, {"copy": [0]}, {"copy": [1]}]
    assert [versions_read(document) for document in rest] == [
        {},
        {"ids": {0}},
        {"ids": {1}},
        {"ids": {1}},
        {"ids": {1}, "copy": {0}},
    ]
    assert [document["description"] for document in rest] == typed
    assert len({document["job_group"] for document in rest} - {None}) == len(typed), "a group for each statement"
    assert (start["job_name"], start["entry_point"].rsplit(".", 1)[1]) == ("a thriftserver", "HiveThriftServer2")
    assert (end["kind"], end["status"], end["dropped"]) == ("run_end", "succeeded", {})
    ingest(str(tmp_path / "inbox"), str(tmp_path / "store"))
    (recorded,) = spark_lineage.open(str(tmp_path / "store")).runs()
    assert (recorded.job_name, recorded.executions) == ("a thriftserver", len(typed))
