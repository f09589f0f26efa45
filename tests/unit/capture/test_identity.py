"""Who runs what, where the code lies among names that are not UTF-8."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from spark_lineage.capture.identity import CodeProbe


def test_git_names_that_are_not_utf8_do_not_matter(tmp_path: Path) -> None:
    def git(*arguments: str | bytes) -> None:
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], check=True)

    name = os.fsencode(tmp_path) + b"/caf\xe9"
    with open(name, "w") as file:  # noqa: PTH123 - the name is no text
        file.write("1")
    (tmp_path / "job.py").write_text("")
    git("init", "-q")
    git("config", "core.quotePath", "false")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    with open(name, "w") as file:  # noqa: PTH123
        file.write("2")
    code = CodeProbe(tmp_path / "job.py").result()
    assert code.dirty is True
    assert code.commit is not None
