"""A standalone cluster, its master and workers processes of their own: a driver inside it, and tasks that it tries twice at a time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pytest
from captured import documents, executions, versions_read, versions_written
from deltalake import DeltaTable
from servers import PATIENCE, free_port, server
from test_jar import BIN, ROOT, run
from test_versions_written import records

import spark_lineage
from spark_lineage.snapshot.taking import take
from spark_lineage.store.tables import Store

pytestmark = pytest.mark.soak
# Else each process names the machine's address, and Spark, which is bound to this one, does not answer there.
HERE = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1"}
# Spark tries a task twice at a time on different hosts only, so the second worker has another address of this machine.
HOSTS = ("127.0.0.1", "127.0.0.2")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The master's URL; two workers with a core each."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    url = f"spark://{HOSTS[0]}:{port}"
    spark_class = str(BIN / "spark-class")
    master = [
        spark_class,
        "org.apache.spark.deploy.master.Master",
        "--host",
        HOSTS[0],
        "--port",
        str(port),
        "--webui-port",
        "0",
    ]
    with contextlib.ExitStack() as running:
        running.enter_context(server(master, folder, port, **HERE))
        for host in HOSTS:
            seen = free_port(host)
            worker = [
                spark_class,
                "org.apache.spark.deploy.worker.Worker",
                "--host",
                host,
                "--port",
                str(seen),
                "--webui-port",
                "0",
            ]
            worker += ["--cores", "1", "--memory", "1500m", "--work-dir", str(folder / host), url]
            there = {"SPARK_LOCAL_IP": host, "SPARK_LOCAL_HOSTNAME": host}
            running.enter_context(server(worker, folder, seen, host, **there))
        yield url


def settings(cluster: str, spark_settings: dict[str, str]) -> dict[str, str]:
    classes = {
        key.replace("driver", "executor"): value
        for key, value in spark_settings.items()
        if key == "spark.driver.extraClassPath"
    }
    sizes = {"spark.driver.memory": "700m", "spark.executor.memory": "600m", "spark.executor.cores": "1"}
    return {**classes, **sizes, "spark.master": cluster}


def test_a_driver_inside_a_standalone_cluster(
    cluster: str, application: Path, with_jar: Callable[..., list[str]], spark_settings: dict[str, str], tmp_path: Path
) -> None:
    more = {"spark.submit.deployMode": "cluster", "spark.standalone.submit.waitAppCompletion": "true"}
    options = with_jar(tmp_path / "inbox", **settings(cluster, spark_settings), **more)
    submit = [str(BIN / "spark-submit"), *options, "--class", "programs.CopyIds", str(application), str(tmp_path)]
    run(submit, tmp_path, **HERE)
    _wait_until(lambda: any((tmp_path / "inbox").glob("*/*.run_end.json.gz")))
    start, first, second, end = documents(tmp_path / "inbox")
    assert [versions_written(document) for document in (first, second)] == [{"ids": [0]}, {"copy": [0]}]
    assert [versions_read(document) for document in (first, second)] == [{}, {"ids": {0}}]
    assert (start["job_name"], start["entry_point"], start["arguments"]) == ("copy_ids", "programs.CopyIds", [str(tmp_path)])
    assert (start["spark_confs"]["spark.master"], start["spark_confs"]["spark.submit.deployMode"]) == (cluster, "cluster")
    assert (end["kind"], end["status"], end["dropped"]) == ("run_end", "succeeded", {})
    store = str(tmp_path / "store")
    run([sys.executable, "-m", "spark_lineage.cli", "--store", store, "ingest", str(tmp_path / "inbox")], tmp_path)
    (recorded,) = spark_lineage.open(store).runs()
    assert (recorded.job_name, recorded.status, recorded.executions) == ("copy_ids", "succeeded", 2)


def test_a_task_that_is_tried_twice_at_a_time_counts_once(
    cluster: str, spark_submit: Callable[..., list[str]], spark_settings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    speculation = {"": "true", ".interval": "100ms", ".quantile": "0.5", ".multiplier": "1.1", ".minTaskRuntime": "100ms"}
    conf = {f"spark.speculation{key}": value for key, value in speculation.items()}
    program = ROOT / "tests/spark/programs/speculating_job.py"
    conf |= settings(cluster, spark_settings)
    command = spark_submit(program, str(tmp_path / "data"), str(tmp_path / "inbox"), conf=conf)
    run(command, tmp_path, **HERE)
    for form in ("delta", "parquet"):
        marks = tmp_path / "data" / f"marks-{form}"
        tried = {path.name for path in marks.iterdir()}
        assert tried == {"first", "second"}, "a task has to be tried twice at a time for this to be a test"
    source, to_delta, to_files = executions(tmp_path / "inbox")
    assert [records(one).executions[0].rows_written for one in (source, to_delta, to_files)] == [1000, 1000, 1000]
    assert [[one.rows_read for one in records(document).inputs] for document in (to_delta, to_files)] == [[1000], [1000]]
    for document, table in ((source, "source"), (to_delta, "delta")):
        (output,) = records(document).outputs
        taken = take(Store.open(tmp_path / "store", create=True), str(tmp_path / "data" / table))
        assert (output.observed_rows, output.observed_checksum) == (1000, taken.checksum), "summed in the same pass, once"
    # Delta leaves the files of attempts that lost where they are: its log says which ones count.
    read, written = committed(tmp_path / "data" / "source"), committed(tmp_path / "data" / "delta")
    kept = [path.stat().st_size for path in (tmp_path / "data" / "parquet").glob("*.parquet")]
    assert [[one.bytes_read for one in records(document).inputs] for document in (to_delta, to_files)] == [
        [sum(read)],
        [sum(read)],
    ]
    outputs = [output for document in (to_delta, to_files) for output in records(document).outputs]
    assert [(one.files_written, one.bytes_written) for one in outputs] == [(len(written), sum(written)), (len(kept), sum(kept))]


def committed(table: Path) -> list[int]:
    """The sizes of the files that are in a Delta table."""
    return pyarrow.table(DeltaTable(str(table)).get_add_actions())["size_bytes"].to_pylist()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
