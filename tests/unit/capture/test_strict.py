"""What `--strict` refuses, event by event, and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.capture.strict import REFUSED, VARIABLE, refused

AUTOLOAD = Path(__file__).parents[3] / "spark_lineage" / "capture" / "autoload"
READ, WRITE = os.O_RDONLY, os.O_WRONLY | os.O_CREAT
SCRATCH = "/scratch/one"


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("open", ("/data/x", "r", READ)),
        ("open", ("/scratch/one/x", "w", WRITE)),
        ("open", (b"/scratch/one/x", "w", WRITE)),
        ("open", ("/dev/null", "w", WRITE)),
        ("open", (3, "w", WRITE)),
        ("os.mkdir", ("/scratch/one/x", 0o700, -1)),
        ("os.rename", ("/scratch/one/x", "/scratch/one/y", -1, -1)),
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("socket.connect", (None, ("::1", 80, 0, 0))),
        ("socket.connect", (None, "/run/a.sock")),
        ("sqlite3.connect", (":memory:",)),
        ("subprocess.Popen", ("/x/bin/spark-submit", ["/x/bin/spark-submit"], None, None)),
        ("subprocess.Popen", ("git", ["git", "-C", "/x", "status", "--branch"], None, None)),
        ("subprocess.Popen", ("bash", ["bash", "/x/bin/spark-class", "y"], None, None)),
        ("os.listdir", ("/data",)),
        ("os.link", ("/data/x", "/scratch/one/x", -1, -1)),
    ],
)
def test_what_is_let_through(event: str, arguments: tuple[Any, ...]) -> None:
    assert refused(event, arguments, SCRATCH) is None


@pytest.mark.parametrize(
    ("event", "arguments", "reason"),
    [
        ("open", ("/data/x", "w", WRITE), "writing the file /data/x"),
        ("open", ("/scratch/one/../two", "w", WRITE), "writing the file /scratch/one/../two"),
        ("open", ("/scratch/one-more", "w", WRITE), "writing the file /scratch/one-more"),
        ("os.remove", ("/data/x", -1), "os.remove of /data/x"),
        ("os.rename", ("/scratch/one/x", "/data/y", -1, -1), "os.rename of /data/y"),
        ("os.chmod", ("/data/x", 0o600, -1), "os.chmod of /data/x"),
        ("os.symlink", ("/scratch/one/x", "/data/x", -1), "os.symlink of /data/x"),
        ("socket.connect", (None, ("10.0.0.1", 443)), "a connection to ('10.0.0.1', 443)"),
        ("sqlite3.connect", ("/data/x.db",), "the database /data/x.db"),
        ("os.system", (b"rm -r /data",), "the command rm -r /data"),
        ("subprocess.Popen", ("aws", ["aws", "s3", "cp"], None, None), "the program aws"),
        ("subprocess.Popen", ("/bin/sh", ["/bin/sh", "-c", "curl x"], None, None), "the program /bin/sh"),
        (
            "subprocess.Popen",
            ("/bin/sh", ["/bin/sh", "-c", "/x/bin/spark-submit; rm -rf /data"], None, None),
            "the program /bin/sh",
        ),
        ("subprocess.Popen", ("git", ["git", "push", "origin"], None, None), "the program git"),
        ("os.exec", ("/bin/rm", ["rm"], None), "the program /bin/rm"),
    ],
)
def test_what_is_refused(event: str, arguments: tuple[Any, ...], reason: str) -> None:
    assert refused(event, arguments, SCRATCH) == reason


def test_in_a_process(tmp_path: Path) -> None:
    """Even where the program catches it, nothing is written, and it is said."""
    scratch, outside = tmp_path / "scratch", tmp_path / "outside"
    scratch.mkdir()
    program = f"""
import pathlib, shutil, subprocess
pathlib.Path({str(scratch / "tree" / "below")!r}).mkdir(parents=True)
shutil.rmtree({str(scratch / "tree")!r})  # by descriptors of folders
for attempt in (
    lambda: open({str(outside)!r}, "w"),
    lambda: pathlib.Path({str(outside)!r}).mkdir(),
    lambda: subprocess.run(["touch", {str(outside)!r}]),
    lambda: __import__("os").system("touch {outside}"),
    lambda: __import__("socket").create_connection(("192.0.2.1", 80), timeout=1),
):
    try:
        attempt()
    except PermissionError as error:
        print(error)
open({str(scratch / "inside")!r}, "w").write("x")
"""
    environment = {**os.environ, "PYTHONPATH": str(AUTOLOAD), VARIABLE: str(scratch)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("spark-lineage replay: --strict refuses") == 5, done.stdout
    assert not outside.exists()
    assert (scratch / "inside").read_text() == "x"
    assert len((scratch / REFUSED).read_text().splitlines()) == 5
