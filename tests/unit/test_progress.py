"""What long work says of itself: on a terminal one line that goes on, elsewhere a line for each step."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import time
from spark_lineage.render.progress import working

def found(work):
    for name in ("one", "two"):
        work.told(f"looking for {name} [red]")
        time.sleep(0.4)
        yield name

with working() as work:
    for name in work.each(found(work)):
        print("found", name, flush=True)
"""


def test_lines_where_nobody_looks() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("found one\nfound two\n", "looking for one [red]\nlooking for two [red]\n")


def test_a_line_that_goes_on_where_somebody_does() -> None:
    """The answers are on stdout, whole lines, whatever is drawn beside them; nothing drawn is left."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    drawn = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    out, _ = process.communicate(timeout=60)
    os.close(leader)
    assert out == "found one\nfound two\n"
    text = drawn.decode()
    assert "looking for one [red]" in text
    assert "0:00:0" in text
    assert text.endswith("\x1b[?25h") or "\x1b[2K" in text.rpartition("looking for two")[2]
