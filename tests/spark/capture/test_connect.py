"""Spark Connect: the server has the jar, the client writes; attach() in the client says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from captured import documents, root_class, versions_read, versions_written
from servers import free_port, server
from test_jar import BIN, run

CLIENT = """
import sys, warnings
warnings.simplefilter("ignore")
import spark_lineage
from pyspark.sql import SparkSession

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
target = sys.argv[2]
try:
    spark_lineage.attach(spark, strict=True)
except Exception as error:
    print(type(error).__name__, error)
assert spark_lineage.attach(spark) is None
spark.addTag("from the client")
spark.range(10).write.format("delta").save(target + "/ids")
ids = spark.read.format("delta").load(target + "/ids")
ids.withColumn("twice", ids.id * 2).write.format("delta").save(target + "/twice")
print(len(ids.collect()), len(ids.filter("id > 7").toPandas()))
spark.stop()
"""


@pytest.mark.soak
def test_a_connect_server_records_what_its_clients_do(with_jar: Callable[..., list[str]], tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="a Connect client needs grpcio; the dev extra has it")
    port = free_port()
    (tmp_path / "client.py").write_text(CLIENT)
    more = {"spark.connect.grpc.binding.port": str(port), "spark.connect.grpc.binding.address": "127.0.0.1"}
    options = with_jar(tmp_path / "inbox", **more)
    main = [
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
        "--name",
        "a connect server",
        "spark-internal",
    ]
    with server([str(BIN / "spark-submit"), *options, *main], tmp_path, port):
        told = run([sys.executable, "client.py", f"sc://127.0.0.1:{port}", str(tmp_path)], tmp_path)
    assert "AttachError this is a Spark Connect session" in told.stdout
    assert "spark.extraListeners=org.sparklineage.bridge.LineageListener" in told.stdout
    assert told.stdout.splitlines()[-1] == "10 2"
    start, *rest, end = documents(tmp_path / "inbox")
    assert (start["job_name"], end["kind"], end["status"]) == ("a connect server", "run_end", "succeeded")
    assert [versions_written(document) for document in rest] == [{"ids": [0]}, {"twice": [0]}, {}, {}]
    assert [versions_read(document) for document in rest] == [{}, {"ids": {0}}, {"ids": {0}}, {"ids": {0}}]
    assert [root_class(document) for document in rest[2:]] == ["LogicalRelation", "Filter"]
    assert all(any(tag.endswith("from the client") for tag in document["tags"]) for document in rest)
