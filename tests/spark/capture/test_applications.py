"""A Java application, started by spark-submit as any other."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from captured import documents, executions, versions_read, versions_written
from test_jar import BIN

from spark_lineage.capture import jar

pytestmark = pytest.mark.soak
JAVA_SOURCE = Path(__file__).parents[1] / "programs" / "CopyIds.java"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Java application as a jar."""
    java, jars = jar._java("java"), jar.find_spark_jars()
    assert java is not None
    assert jars is not None
    target = tmp_path_factory.mktemp("application") / "copy-ids.jar"
    with zipfile.ZipFile(target, "w") as content:
        for name, code in jar.with_janino(java, jars, JAVA_SOURCE.read_text(encoding="utf-8")).items():
            content.writestr(name, code)
    return target


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
