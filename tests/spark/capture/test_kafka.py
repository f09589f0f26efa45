"""Kafka with a real broker: one node, without ZooKeeper, started here from its jars.

`SPARK_LINEAGE_KAFKA` names a folder with `broker/` (org.apache.kafka:kafka_2.13 with its dependencies) and `spark/`
(spark-sql-kafka-0-10, spark-token-provider-kafka-0-10, kafka-clients, commons-pool2). Without it the tests are skipped: what Kafka's plans
mean is held by the captured documents under tests/plans/kafka_*.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from captured import executions

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import ExecutionDocument, read

JOB = Path(__file__).parents[1] / "programs" / "kafka_job.py"
ROOT = Path(__file__).parents[3]
JARS = os.environ.get("SPARK_LINEAGE_KAFKA", "")
TIMEOUT = 300

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not JARS, reason="SPARK_LINEAGE_KAFKA names no folder with Kafka's jars"),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker of this test's own."""
    folder = tmp_path_factory.mktemp("kafka")
    address, controller = f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(folder / "data"),
        "num.partitions": "2",
        "offsets.topic.replication.factor": "1",
    }
    (folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    java = ["java", "-Xmx256m", "-cp", f"{JARS}/broker/*"]
    made = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(folder / "server.properties")]
    subprocess.run(made, check=True, capture_output=True, timeout=TIMEOUT)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*java, "kafka.Kafka", str(folder / "server.properties")], stdout=log, stderr=log)
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the broker did not start")


def test_topics_are_datasets_with_offsets(broker: str, spark_submit: Callable[..., list[str]], tmp_path: Path) -> None:
    command = spark_submit(JOB, broker, str(tmp_path), str(tmp_path / "inbox"))
    class_path = next(part for part in command if part.startswith("spark.driver.extraClassPath="))
    command[command.index(class_path)] = f"{class_path}:{JARS}/spark/*"
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    records = [
        records_of_execution(_typed(document), RunContext(job_name="job")) for document in executions(tmp_path / "inbox")
    ]
    namespace = f"kafka://{broker}"
    told = [
        ([(one.namespace, one.name) for one in record.inputs], [(one.namespace, Path(one.name).name) for one in record.outputs])
        for record in records
    ]
    numbers, copied = (namespace, "numbers"), (namespace, "copied")
    assert told == [
        ([], [numbers]),
        ([numbers], [("file", "batch")]),
        ([numbers], [copied]),
        ([], [numbers]),
        ([numbers], [copied]),
    ]
    first, second = (json.loads(str(records[number].inputs[0].offsets)) for number in (2, 4))
    assert first["to"] == second["from"], "the restart goes on where the first run stopped"
    assert sum(second["to"]["numbers"].values()) == 20
    assert [records[number].inputs[0].rows_read for number in (2, 4)] == [10, 10]
    assert [records[number].outputs[0].rows_written for number in (2, 4)] == [10, 10]


def _typed(document: dict[str, Any]) -> ExecutionDocument:
    found = read(json.dumps(document).encode())
    assert isinstance(found, ExecutionDocument)
    return found
