"""A real S3 server beside the tests: moto's, over HTTP, reached through pyarrow as any other is."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

BUCKET = "lineage"


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Starts it and gives the environment in which ``s3://lineage/...`` leads there. Ends it after the block."""
    pytest.importorskip("moto.server", reason="the S3 server of the tests is moto's; the dev extra has it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "s3.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
    try:
        _wait_for(process, port, folder / "s3.log")
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("the S3 server does not listen: " + log.read_text(errors="replace")[-2000:])


@contextlib.contextmanager
def in_environment(values: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key)
            else:
                os.environ[key] = value


class Bucket:
    """What lies below ``s3://lineage/<name>``, put there and taken away as drivers and people do."""

    def __init__(self, name: str) -> None:
        self.uri = f"s3://{BUCKET}/{name}"
        self._root = f"{BUCKET}/{name}"
        self._fs, _ = fs.FileSystem.from_uri(f"s3://{BUCKET}?allow_bucket_creation=true&allow_delayed_open=true")
        self._fs.create_dir(BUCKET)

    def upload(self, folder: Path) -> None:
        """Every file below `folder`, as a driver that wrote them would have left it."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(path.relative_to(folder).as_posix(), path.read_bytes())

    def put(self, name: str, data: bytes) -> None:
        with self._fs.open_output_stream(f"{self._root}/{name}") as file:
            file.write(data)

    def get(self, name: str) -> bytes:
        with self._fs.open_input_stream(f"{self._root}/{name}") as file:
            return bytes(file.read())

    def remove(self, name: str) -> None:
        self._fs.delete_file(f"{self._root}/{name}")

    def holds(self, name: str) -> bool:
        """Whether there is an object of this name, or one that stands for a folder of it."""
        return bool(self._fs.get_file_info(f"{self._root}/{name}").type != fs.FileType.NotFound)

    def files(self) -> list[str]:
        infos = self._fs.get_file_info(fs.FileSelector(self._root, recursive=True, allow_not_found=True))
        return sorted(info.path.removeprefix(self._root + "/") for info in infos if info.type == fs.FileType.File)
