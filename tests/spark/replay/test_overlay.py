"""The overlay file system: as a plain one to who uses it, and the real files below it stay as they are."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException

from spark_lineage.replay.overlay import View, jar_path, write_universe

NAMES = ("a", "b", "c")
PATHS = tuple(f"{first}/{second}" for first in NAMES for second in NAMES) + NAMES + tuple(f"a/b/{name}" for name in NAMES)
OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["write", "add", "append", "mkdirs", "delete", "delete_all", "read"]), st.sampled_from(PATHS)),
    st.tuples(st.just("rename"), st.sampled_from(PATHS), st.sampled_from(PATHS)),
)


class World:
    """A real folder, and a view of it in a universe."""

    def __init__(self, spark: Any, folder: Path, *rules: tuple[str, ...], moment: int = 2**62) -> None:
        self.real, self.scratch = folder / "real", folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        universe = folder / f"universe-{secrets.token_hex(4)}"  # read once by a JVM
        write_universe(universe, [("scratch", str(self.scratch)), ("moment", str(moment)), *rules])
        self.spark = spark.newSession()
        self.view = View(self.spark, universe)
        self.jvm = spark.sparkContext._jvm

    def files(self) -> tuple[Any, str]:
        """Hadoop's FileSystem of the view, and the real folder in it."""
        root = self.view.location(str(self.real))
        conf = self.spark._jsparkSession.sessionState().newHadoopConf()
        return self.jvm.org.apache.hadoop.fs.Path(root).getFileSystem(conf), root


def digest(folder: Path) -> list[tuple[str, str, int]]:
    """Every file with its content and time, every folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found.append((str(path.relative_to(folder)), content, path.stat().st_mtime_ns if path.is_file() else 0))
    return found


class Files:
    """What a job does with files; an error is an answer."""

    def __init__(self, jvm: Any, files: Any, root: str) -> None:
        self._jvm, self._files, self._root = jvm, files, root

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self._root}/{name}")

    def do(self, operation: tuple[str, ...]) -> Any:
        word, *names = operation
        try:
            return getattr(self, word)(*map(self._path, names))
        except (Py4JJavaError, CapturedException):
            return "refused"

    def _put(self, stream: Any, text: str) -> None:
        stream.write(bytearray(text.encode()))
        stream.close()

    def write(self, path: Any) -> None:
        self._put(self._files.create(path, True), f"written to {path.getName()}")

    def add(self, path: Any) -> None:
        self._put(self._files.create(path, False), f"added as {path.getName()}")

    def append(self, path: Any) -> None:
        self._put(self._files.append(path), "+")

    def mkdirs(self, path: Any) -> Any:
        return self._files.mkdirs(path)

    def delete(self, path: Any) -> Any:
        return self._files.delete(path, False)

    def delete_all(self, path: Any) -> Any:
        return self._files.delete(path, True)

    def rename(self, source: Any, target: Any) -> Any:
        """Of what is there, onto what is not: the rest file systems settle each in its own way."""
        if self._files.exists(target) and not self._files.getFileStatus(target).isDirectory():
            return None
        inner = self._jvm.org.apache.hadoop.fs.Path(target, source.getName())
        if self._files.exists(target) and self._files.exists(inner):
            return None
        if not self._files.exists(source) or str(inner).startswith(f"{source}/") or not self._files.exists(target.getParent()):
            return None
        return self._files.rename(source, target)

    def read(self, path: Any) -> Any:
        stream = self._files.open(path)
        try:
            return self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def tree(self) -> list[tuple[str, bool, int]]:
        found = []

        def below(name: str) -> None:
            for status in self._files.listStatus(self._path(name) if name else self._jvm.org.apache.hadoop.fs.Path(self._root)):
                inner = f"{name}/{status.getPath().getName()}".lstrip("/")
                found.append((inner, status.isDirectory(), 0 if status.isDirectory() else status.getLen()))
                if status.isDirectory():
                    below(inner)

        below("")
        return sorted(found)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, min_size=1, max_size=12))
@example(operations=[("mkdirs", "b/a"), ("rename", "a/b", "b/a"), ("read", "b/a/a")])  # in the place of an empty one
def test_as_a_plain_file_system(operations: list[tuple[str, ...]], spark: Any, tmp_path: Path) -> None:
    as_plain(operations, spark, tmp_path)


@pytest.mark.soak
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, min_size=1, max_size=25))
def test_as_a_plain_file_system_at_length(operations: list[tuple[str, ...]], spark: Any, tmp_path: Path) -> None:
    as_plain(operations, spark, tmp_path)


def as_plain(operations: list[tuple[str, ...]], spark: Any, tmp_path: Path) -> None:
    """Whatever is done in any order, each answer and all that is there afterwards is as in a plain copy; the real folder is as it was."""
    folder = tmp_path / secrets.token_hex(8)
    world = World(spark, folder_with_files(folder))
    plain_root = folder / "plain"
    shutil.copytree(world.real, plain_root)
    before = digest(world.real)
    conf = world.spark._jsparkSession.sessionState().newHadoopConf()
    plain_files = world.jvm.org.apache.hadoop.fs.RawLocalFileSystem()
    plain_files.initialize(world.jvm.java.net.URI("file:///"), conf)
    plain = Files(world.jvm, plain_files, f"file:{plain_root}")
    laid = Files(world.jvm, *world.files())
    for operation in operations:
        assert laid.do(operation) == plain.do(operation), operation
        assert laid.tree() == plain.tree(), operation
    for path in PATHS:
        assert laid.do(("read", path)) == plain.do(("read", path)), path
    assert digest(world.real) == before


def folder_with_files(folder: Path) -> Path:
    for name in ("a/a", "a/b/a", "b/c", "c"):
        path = folder / "real" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"real {name}")
    return folder


def test_what_came_later_is_not_there(spark: Any, tmp_path: Path) -> None:
    folder_with_files(tmp_path)
    moment = int(time.time() * 1000)
    later = time.time() + 100
    for name in ("later", "a/later", "new/one", "new/deep/two"):
        path = tmp_path / "real" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("later")
        os.utime(path, (later, later))
    for name in ("new/deep", "new", "a"):
        os.utime(tmp_path / "real" / name, (later, later))
    files = Files(spark.sparkContext._jvm, *World(spark, tmp_path, moment=moment).files())
    assert [name for name, _, _ in files.tree()] == ["a", "a/a", "a/b", "a/b/a", "b", "b/c", "c"]
    assert files.do(("read", "later")) == "refused"
    assert files.do(("mkdirs", "new")) is True  # there is none yet
    assert [name for name, _, _ in files.tree() if name.startswith("new")] == ["new"]


@pytest.fixture(scope="module")
def table(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlay")
    for number in range(14):
        rows = spark.range(number * 10, number * 10 + 10, 1, 1)
        rows.write.format("delta").mode("append").save(f"{folder}/real/t")
    return folder


@pytest.mark.parametrize("version", [0, 9, 10, 12])
def test_a_delta_table_as_it_was(version: int, table: Path, spark: Any, tmp_path: Path) -> None:
    """With checkpoints before and after that version; and what is written onto it becomes the next version, here and nowhere else."""
    before = digest(table / "real")
    shutil.rmtree(table / "scratch", ignore_errors=True)
    world = World(spark, table, ("delta", f"file:{table}/real/t", str(version)))
    place = world.view.location(f"{table}/real/t")
    reader = world.spark.read.format("delta")
    assert reader.load(place).count() == 10 * (version + 1)
    world.spark.range(3).write.format("delta").mode("append").save(place)
    assert reader.load(place).count() == 10 * (version + 1) + 3
    history = world.spark.sql(f"DESCRIBE HISTORY delta.`{place}`")
    assert history.agg({"version": "max"}).first()[0] == version + 1
    assert digest(table / "real") == before


def test_a_table_that_was_not_there(table: Path, spark: Any) -> None:
    shutil.rmtree(table / "scratch", ignore_errors=True)
    world = World(spark, table, ("absent", f"file:{table}/real/t"))
    place = world.view.location(f"{table}/real/t")
    world.spark.range(4).write.format("delta").save(place)  # which fails where there is one
    assert world.spark.read.format("delta").load(place).count() == 4


def test_copies_in_the_place_of_files_that_changed(spark: Any, tmp_path: Path) -> None:
    folder_with_files(tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "x").write_text("as it was")
    world = World(spark, tmp_path, ("copy", f"file:{tmp_path}/real/a", str(kept)))
    files = Files(world.jvm, *world.files())
    assert [name for name, _, _ in files.tree() if name.startswith("a/")] == ["a/x"]
    assert files.do(("read", "a/x")) == "as it was"
    files.do(("append", "a/x"))
    assert files.do(("read", "a/x")) == "as it was+"
    assert (kept / "x").read_text() == "as it was"


def test_a_jvm_without_spark_goes_without_the_agent() -> None:
    """`JAVA_TOOL_OPTIONS` reaches every Java program that a job starts."""
    java = Path(os.environ["JAVA_HOME"], "bin", "java")
    done = subprocess.run([java, f"-javaagent:{jar_path()}", "-version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
