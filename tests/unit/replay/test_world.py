"""The world that a job finds when it is run again, as the overlay is told of it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark import SparkContext
from replay.lakes import NOW, Lake
from store.made import input_, output

from spark_lineage.errors import ExecutableError, QueryError
from spark_lineage.model import Run
from spark_lineage.replay.affected import Affected, Logs
from spark_lineage.replay.inputs import Missing
from spark_lineage.replay.jobs import JobOptions, replay_job
from spark_lineage.replay.outputs import past
from spark_lineage.replay.replaying import Options
from spark_lineage.replay.session import master
from spark_lineage.replay.upstream import State, Writes
from spark_lineage.replay.world import World, world_of
from spark_lineage.snapshot.held import Unlisted
from spark_lineage.store.listing import fingerprint_of, listed

RUN = "0001-run"


@pytest.fixture
def lake(tmp_path: Path, empty_store: Path) -> Lake:
    return Lake(tmp_path, empty_store)


def world(lake: Lake, **catalog: str) -> World:
    confs = {key.replace("_", "."): value for key, value in catalog.items()}
    return world_of(lake.store, [RUN], NOW, lake.root / "copies", confs, no_session)


def no_session() -> Any:
    raise Unlisted("no session is here")


def rules(lake: Lake, found: World) -> list[tuple[str, ...]]:
    """Of tables, by their names."""
    words = ("delta", "absent", "asis", "copy")
    return [(word, place.removeprefix(f"file:{lake.root}/"), *more) for word, place, *more in found.lines if word in words]


def test_the_versions_that_it_met_first(lake: Lake) -> None:
    """What it read as it was read, what it wrote as it was before, what it made not at all; and all that others did later is hidden."""
    for _ in range(3):
        lake.table("source")
    lake.table("target")
    lake.job("target", "source", run=RUN)
    lake.job("made", "target", run=RUN)
    lake.job("target", "made", run=RUN)
    for name in ("source", "target", "made"):
        lake.table(name)
    found = world(lake)
    assert sorted(rules(lake, found)) == [("absent", "made"), ("delta", "source", "2"), ("delta", "target", "0")]
    assert found.doubts == []
    assert {key[1].rsplit("/", 1)[-1]: version for key, version in found.at.items()} == {"source": 2, "target": 0, "made": -1}
    assert ("moment", str(int(NOW.timestamp() * 1000))) in found.lines


def test_what_others_wrote_meanwhile(lake: Lake) -> None:
    lake.table("source")
    lake.job("one", "source", run=RUN)
    lake.table("source")
    lake.job("two", "source", run=RUN)
    found = world(lake)
    assert ("delta", "source", "0") in rules(lake, found)
    (doubt,) = found.doubts
    assert "read version 1" in doubt
    assert "the replay has version 0 there" in doubt


def test_what_is_travelled_to(lake: Lake) -> None:
    """Yesterday's version beside today's: the universe has both."""
    for _ in range(5):
        lake.table("source")
    name = lake.job("one", "source", run=RUN)
    table_id = DeltaTable(lake.place("source")).metadata().id
    old = input_(name, lake.place("source"), run_id=RUN, table_id=table_id, delta_version=1)
    lake.store.append("inputs", [old], None)
    found = world(lake)
    assert ("delta", "source", "4") in rules(lake, found)
    assert found.doubts == []


def test_what_is_travelled_to_and_written(lake: Lake) -> None:
    """An old version is all that it read of the table: its write tells which one was there, if that was before the run began."""
    for _ in range(2):
        lake.table("target")
    between = datetime.now(UTC)
    lake.table("target")
    name = lake.job("target", run=RUN)
    table_id = DeltaTable(lake.place("target")).metadata().id
    old = input_(name, lake.place("target"), run_id=RUN, table_id=table_id, delta_version=0)
    lake.store.append("inputs", [old], None)
    for began, version in ((datetime.now(UTC), "2"), (between, "0")):
        found = world_of(lake.store, [RUN], began, lake.root / "copies", {}, no_session)
        assert rules(lake, found) == [("delta", "target", version)]
        assert found.doubts == []


def test_what_is_gone(lake: Lake) -> None:
    lake.table("source")
    lake.job("one", "source", run=RUN)
    shutil.rmtree(lake.place("source"))
    with pytest.raises(Missing, match=r"version 0 of .*source, which it began with, is gone"):
        world(lake)
    lake.table("source")  # another one, under its name
    with pytest.raises(Missing, match=r"version 0 of .*source, which it began with, is gone"):
        world(lake)


def test_what_is_no_file_is_refused(lake: Lake) -> None:
    name = lake.job("one", run=RUN)
    lake.store.append("outputs", [output(name, "shop.orders", namespace="postgres://db:5432", run_id=RUN)], None)
    with pytest.raises(ExecutableError, match=r"it wrote to shop.orders .* would write there again"):
        world(lake)


def test_a_command_of_tables_of_somebody_else(lake: Lake) -> None:
    """Whoever can write there could have it run as me."""
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    lake.job("one", run=RUN)
    lake.store.upsert("runs", [Run(run_id=RUN, status="succeeded", entry_point="/nowhere/job.py")], None)
    os.chown(lake.root / "store" / "runs", 12345, -1)
    with pytest.raises(QueryError, match="the tables are not yours"):
        replay_job(lake.store, RUN)
    (found,) = replay_job(lake.store, RUN, Options(trusted=True))
    assert (found.verdict, found.reason) == (
        "not_replayable",
        "the folder /nowhere that it ran in is not there any more; name a command after `--`",
    )
    (row,) = lake.store.arrow("replays").to_pylist()
    assert (row["replay_mode"], row["verdict"], row["run_id"]) == ("job", "not_replayable", RUN)


def test_settings_of_a_cluster_are_told_before_the_job_is_run(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.job("one", run=RUN)
    lake.store.upsert("runs", [Run(run_id=RUN, status="succeeded")], None)
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    for name in ("PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT", "MASTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert master() is None
    monkeypatch.setenv("MASTER", "yarn")
    assert master() == "yarn"
    defaults = tmp_path / "spark-defaults.conf"
    defaults.write_text(
        "# spark.master yarn\n! spark.master yarn\nspark.hadoop.spark.master yarn\nspark.master  local[2]\nspark.x 1\n"
    )
    assert master() == "local[2]"
    for text, named in (
        ("--master yarn pyspark-shell", "yarn"),
        ("--conf spark.master=spark://a:7077 pyspark-shell", "spark://a:7077"),
        ("--conf 'spark.master=yarn' pyspark-shell", "yarn"),
    ):
        monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", text)
        assert master() == named
        with pytest.raises(QueryError, match=f"compared in a local session, and the master of yours is {named}: set"):
            replay_job(lake.store, RUN)
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master local[1] --conf spark.master=yarn pyspark-shell")
    defaults.write_text("spark.master=yarn\n")
    assert master() == "local[1]"
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS")
    assert master() == "yarn"
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert master() is None, "spark-submit tells the context alone"


def test_a_command_that_cannot_be_run_is_no_verdict(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own command or options, and not what the recorded run makes impossible: nothing is kept of it."""
    lake.job("one", run=RUN)
    lake.store.upsert("runs", [Run(run_id=RUN, status="succeeded")], None)

    def refused(*command: str) -> str:
        with pytest.raises(QueryError) as caught:
            tuple(replay_job(lake.store, RUN, job=JobOptions(command=command, scratch=str(tmp_path))))
        return str(caught.value)

    assert "the command sets spark.plugins to x" in refused(sys.executable, "--conf", "spark.plugins=x")
    assert "the command sets spark.master to yarn" in refused(sys.executable, "--master", "yarn")
    assert "is no program" in refused("nothing-of-that-name")
    program = tmp_path / "program"
    program.write_bytes(b"\0")
    program.chmod(0o700)
    assert "cannot be started" in refused(str(program))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "core-site.xml").write_text("<")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path / "conf"))
    assert "core-site.xml cannot be read" in refused(sys.executable)
    assert lake.store.arrow("replays").num_rows == 0
    assert not list(tmp_path.glob("spark-lineage-replay-*"))


def test_what_a_backfill_has_to_make_again(lake: Lake) -> None:
    """A version that nothing recorded has written is a gap where the one before it is affected, also where it is only read; an overwrite of other rows
    ends it."""
    lake.table("source")
    lake.table("other")
    lake.job("made", "source", run=RUN)  # version 0
    lake.table("made")  # 1, by nobody
    lake.job("made", "other", run=RUN)  # 2
    lake.job("next", "made", run=RUN)
    lake.job("made", "other", run=RUN, mode="overwrite")  # 3
    lake.job("made", "other", run=RUN)  # 4
    found = affected(lake)
    assert named(found.states) == [("made", 0), ("made", 1), ("made", 2), ("next", 0)]
    assert (named(gaps(lake, found)), found.same) == ([("made", 1)], set())
    lake.job("read", "source", run=RUN)
    lake.table("read")
    lake.job("last", "read", run=RUN)
    found = affected(lake)
    assert named(gaps(lake, found)) == [("made", 1), ("read", 1)]
    assert ("last", 0) in named(found.states)


def test_what_keeps_the_rows_keeps_them_affected(lake: Lake) -> None:
    """OPTIMIZE, whether it is recorded or not, and whether its version is then written on or only read."""
    lake.table("source")
    lake.table("other")
    first = lake.job("made", "source", run=RUN)  # version 0
    second = lake.job("made", "other", run=RUN)  # 1
    DeltaTable(lake.place("made")).optimize.compact()  # 2, by nobody
    lake.job("next", "made", run=RUN)
    lake.job("made", "other", run=RUN, mode="optimize", operation="optimize")  # 3
    assert DeltaTable(lake.place("made")).version() == 3
    found = affected(lake)
    assert named(found.states) == [("made", 0), ("made", 1), ("made", 2), ("made", 3), ("next", 0)]
    assert (named(found.same), gaps(lake, found)) == ([("made", 2), ("made", 3)], [])
    made = {state.version: state for state in found.states if state.key == ("file", lake.place("made"))}
    assert [found.wrote(made[version]) for version in range(4)] == [first, second, second, second]
    log = Path(lake.place("made")) / "_delta_log" / f"{2:020}.json"
    log.write_text(json.dumps({"commitInfo": {"operation": "MERGE"}}))  # which changed no row then
    assert named(gaps(lake, affected(lake))) == [("made", 2)]


def test_what_is_made_through_files(lake: Lake) -> None:
    """By their listings: what was read of them before is as it was. A failed write leaves no others, and an overwrite of other rows ends it."""
    lake.table("source")
    lake.table("other")

    def files(writes: str, fingerprint: str, **more: Any) -> None:
        one = output(writes, lake.place("files"), minutes=int(writes.split(":")[1]), fingerprint=fingerprint, rows_written=1)
        lake.store.append("outputs", [replace(one, **more)], None)

    def read(name: str, fingerprint: str) -> None:
        reads = input_(f"{RUN}:{name}", lake.place("files"), fingerprint=fingerprint)
        lake.store.append("inputs", [reads], None)

    files(lake.job("a", "other", run=RUN), "listing:1")
    files(lake.job("b", "source", run=RUN), "listing:2")
    read("3", "listing:1")
    lake.job("early", run=RUN)
    read("4", "listing:2")
    lake.job("late", run=RUN)
    read("5", "partitions:2")
    lake.job("part", run=RUN)
    files(lake.job("c", "source", run=RUN, status="failed"), "listing:3", name=lake.place("failed"))
    found = affected(lake)
    assert named(found.states) == [("b", 0), ("c", 0), ("late", 0), ("part", 0)]
    assert {key[1].rsplit("/", 1)[-1] for key in found.unversioned} == {"files"}
    assert named(found.through) == [("late", 0), ("part", 0)]
    files(lake.job("d", "other", run=RUN), "listing:4", write_mode="overwrite")
    read("8", "listing:4")
    lake.job("after", run=RUN)
    found = affected(lake)
    assert named(found.through) == [("late", 0), ("part", 0)]
    assert found.unversioned == {}


def test_of_two_that_write_at_a_time_the_later_version_may_end_first(lake: Lake) -> None:
    lake.table("source")
    lake.job("t")
    lake.job("t", "source", minutes=9)
    lake.job("t")
    assert named(affected(lake).states) == [("t", 1), ("t", 2)]
    newest = Writes(lake.store).newest(("file", lake.place("t")), None)
    assert newest is not None
    assert newest.version == 2


def affected(lake: Lake) -> Affected:
    executions = {one.execution_id: one for one in past(lake.store, writing=False)}
    return Affected(Writes(lake.store), ("file", lake.place("source")), executions, Logs(lambda key: key[1]).keeps_rows)


def gaps(lake: Lake, found: Affected) -> list[State]:
    """What cannot be made again, as nothing recorded has written it."""
    writes = Writes(lake.store)
    return [one for one in found.states - found.same if writes.write(one) is None]


def named(states: Iterable[State]) -> list[tuple[str, int | None]]:
    return sorted((state.key[1].rsplit("/", 1)[-1], state.version) for state in states)


@pytest.mark.parametrize("stream", [None, "q"])
def test_files_without_versions(stream: str | None, lake: Lake) -> None:
    """As they are while their listing is the recorded one. A stream's batch may have read some of them."""
    raw = Path(lake.place("raw"))
    raw.mkdir()
    (raw / "a.csv").write_text("1")
    name = lake.job("made", run=RUN, stream_query_id=stream)
    read = input_(name, str(raw), run_id=RUN, fingerprint=fingerprint_of(listed(raw, False)))
    lake.store.append("inputs", [read], None)
    found = world(lake)
    assert ("asis", "raw") in rules(lake, found)
    assert found.doubts == []
    (raw / "b.csv").write_text("2")
    if stream is None:
        with pytest.raises(Missing, match="has no versions and has changed"):
            world(lake)
    else:
        (doubt,) = world(lake).doubts
        assert "which files of" in doubt


def test_files_that_nothing_can_list(lake: Lake) -> None:
    name = lake.job("made", run=RUN)
    read = replace(input_(name, "raw", run_id=RUN, fingerprint="listing:" + 32 * "0"), namespace="s3://bucket")
    lake.store.append("inputs", [read], None)
    (doubt,) = world(lake).doubts
    assert "are not held against those of then: no session is here" in doubt
