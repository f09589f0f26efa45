"""Real stores of files beside the tests: an HDFS of one node, and an S3 whose server is moto's, as Spark reaches them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JARS = Path(sys.prefix) / "store-jars"
CLUSTER = "hadoop-client-minicluster"
BUCKET = "lake"

needs_jars = pytest.mark.skipif(
    not (JARS / "coordinates").is_file(), reason="no jars of S3 and HDFS: run scripts/setup.sh soak"
)


@contextlib.contextmanager
def hdfs(folder: Path) -> Iterator[str]:
    """The location of its root, as ``hdfs://127.0.0.1:port``."""
    (jar,) = JARS.glob(f"{CLUSTER}-*.jar")
    program = Path(__file__).parent / "programs" / "hdfs_server.py"
    command = [sys.executable, str(program), str(jar), str(folder / "hdfs"), str(folder / "port")]
    with (folder / "hdfs.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 180
        while not (folder / "port").is_file():
            assert process.poll() is None, (folder / "hdfs.log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"hdfs://127.0.0.1:{(folder / 'port').read_text()}"
    finally:
        process.communicate(timeout=60)  # it ends when its input does


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The location of a bucket, and the Spark settings with which it is reached. The keys are in the environment."""
    sys.path.insert(0, str(ROOT / "tests" / "unit"))
    try:
        import s3_server
    finally:
        sys.path.pop(0)
    from pyarrow import fs

    with s3_server.s3_server(folder) as found, s3_server.in_environment(variables := {**found, "AWS_ALLOW_HTTP": "true"}):
        store, _ = fs.FileSystem.from_uri(f"s3://{BUCKET}?allow_bucket_creation=true")
        store.create_dir(BUCKET)
        yield (
            f"s3a://{BUCKET}",
            {
                "spark.jars": ",".join(str(jar) for jar in sorted(JARS.glob("*.jar")) if CLUSTER not in jar.name),
                "spark.hadoop.fs.s3a.endpoint": variables["AWS_ENDPOINT_URL"],
                "spark.hadoop.fs.s3a.endpoint.region": variables["AWS_DEFAULT_REGION"],
                "spark.hadoop.fs.s3a.path.style.access": "true",
            },
        )


def bring(spark: object, settings: dict[str, str]) -> None:
    """Makes a running session reach what `settings` are for. Its JVM began with another environment: it is told the keys."""
    context = spark.sparkContext  # type: ignore[attr-defined]
    loader = context._jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for jar in settings.get("spark.jars", "").split(","):
        if jar:
            loader.addURL(context._jvm.java.io.File(jar).toURI().toURL())
    keys = {"access.key": "AWS_ACCESS_KEY_ID", "secret.key": "AWS_SECRET_ACCESS_KEY"}
    told = {f"spark.hadoop.fs.s3a.{key}": os.environ[name] for key, name in keys.items() if name in os.environ}
    for key, value in {**settings, **told}.items():
        if key.startswith("spark.hadoop."):
            context._jsc.hadoopConfiguration().set(key.removeprefix("spark.hadoop."), value)
