"""What long work says of itself: on a terminal one line that goes on, elsewhere a line for each step."""

from __future__ import annotations

import os
import pty
import re
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
    time.sleep(0.4)

with working() as work:
    for name in work.each(found(work)):
        print("found", name, flush=True)
    time.sleep(0.4)
    print("done", flush=True)
"""


def test_lines_where_nobody_looks() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("found one\nfound two\ndone\n", "looking for one [red]\nlooking for two [red]\n")


def test_a_line_that_goes_on_where_somebody_does() -> None:
    """The answers are whole lines, on the same terminal: what was drawn is taken away before each of them."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=follower, stderr=follower, cwd=ROOT, env={**os.environ, "TERM": "xterm"}
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
    assert process.wait(timeout=60) == 0
    os.close(leader)
    text = drawn.decode()
    assert "looking for one [red]" in text
    assert "0:00:0" in text
    for answer in ("found one", "found two", "done"):
        before = re.sub(r"\x1b\[\?\d+[hl]", "", text.partition(answer)[0])  # but for what shows the cursor
        assert before.endswith(("\x1b[2K", "\n")), repr(before[-80:])
