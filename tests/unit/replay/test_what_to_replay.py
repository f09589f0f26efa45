"""Which executions an id names, which led to a version, and which can still be replayed. No Spark."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from replay.lakes import NOW, Lake
from store.made import execution, input_, output

from spark_lineage.cli import main
from spark_lineage.errors import Ambiguous, NotFound, QueryError
from spark_lineage.model import REDACTED, Dataset, ExecutableLeaf, PlanExecutable, Replay, Run
from spark_lineage.render.replays import check_summary
from spark_lineage.replay.check import Checked, CheckedRun, check
from spark_lineage.replay.downstream import replay_downstream
from spark_lineage.replay.outputs import Written, executions_of, with_plans
from spark_lineage.replay.replaying import Options
from spark_lineage.replay.upstream import upstream_of
from spark_lineage.store.listing import WHOLE, fingerprint_of, listed
from spark_lineage.store.schemas import SCHEMA_VERSION, STORE_INFO
from spark_lineage.store.tables import uri, write_version


@pytest.fixture
def lake(tmp_path: Path, empty_store: Path) -> Lake:
    return Lake(tmp_path, empty_store)


def test_an_id_names_an_execution_or_those_of_a_run(lake: Lake) -> None:
    first, second = lake.job("a", run="0001-x"), lake.job("b", run="0001-x")
    other = lake.job("c", run="0002-y")
    lake.job("model", run="0002-y", operation="save model")  # no rows
    ids = [one.execution_id for one in executions_of(lake.store, "0001")]
    assert ids == [first, second]
    assert [one.execution_id for one in executions_of(lake.store, "0001-x:2")] == [second]
    assert [one.execution_id for one in executions_of(lake.store, "0002")] == [other]
    with pytest.raises(Ambiguous, match="begins the ids of 2 runs"):
        executions_of(lake.store, "000")
    for wanted in ("", "ff", "0001:7", "0001:30"):  # the number is that of its id, not its place in the run
        with pytest.raises(NotFound):
            executions_of(lake.store, wanted)


def test_a_replay_is_nothing_to_replay(lake: Lake) -> None:
    lake.job("a")
    replayed = Replay(
        replay_id="abc", execution_id="e", run_id="r", replay_mode="plan", verdict="identical", started_at=NOW, ended_at=NOW
    )
    lake.store.append("replays", [replayed], None)
    with pytest.raises(QueryError, match="abc is a replay"):
        executions_of(lake.store, "abc")


def test_a_run_that_wrote_no_rows(lake: Lake) -> None:
    lake.store.upsert("runs", [Run(run_id="idle", started_at=NOW)], None)
    with pytest.raises(QueryError, match="wrote no rows"):
        executions_of(lake.store, "idle")


def dataset_of(lake: Lake, name: str) -> Dataset:
    place = lake.place(name)
    return Dataset(namespace="file", name=place, location=place, first_seen_at=NOW, last_seen_at=NOW)


def test_which_plan_gave_which_output() -> None:
    one, other = (Written(namespace="file", name=f"/lake/{name}", version=1) for name in ("orders", "orders_late"))
    commands = [{"class": "AppendData", "table": "/lake/orders_late"}, {"class": "AppendData", "table": "/lake/orders/"}]
    parts = {found.name: found.part for found in with_plans((one, other), commands, [0, 1])}
    assert parts == {"/lake/orders": 1, "/lake/orders_late": 0}
    twice = [replace(one, version=version) for version in (4, 3)]
    assert {found.version: found.part for found in with_plans(twice, [commands[1]] * 2, [0, 1])} == {3: 0, 4: 1}
    assert with_plans((one, other), [commands[0]], [0])[0].part is None


def test_what_led_to_a_version(lake: Lake) -> None:
    lake.table("raw")
    bronze = lake.job("bronze", "raw", mode="overwrite")
    lake.job("other", "raw")
    silver = [lake.job("silver", "bronze"), lake.job("silver", "bronze")]
    gold = lake.job("gold", "silver", mode="overwrite")
    later = lake.job("silver", "bronze", mode="overwrite")
    chain = upstream_of(lake.store, "gold@0")
    assert [one.execution_id for one in chain.executions] == [bronze, *silver, gold]
    assert chain.raw == ("raw@0: version 0 was written by nothing that is recorded",)
    assert [one.execution_id for one in upstream_of(lake.store, "silver").executions] == [bronze, later]
    lake.store.append("outputs", [output(later, lake.place("silver"), minutes=99, write_mode="delete", rows_deleted=0)], None)
    assert [one.execution_id for one in upstream_of(lake.store, "silver").executions] == [bronze, later]  # no row, no version
    with pytest.raises(NotFound):
        upstream_of(lake.store, "raw@0")
    with pytest.raises(QueryError, match="DATASET@NUMBER"):
        upstream_of(lake.store, "gold@first")
    with pytest.raises(QueryError, match="gold has no version 99: the newest is 0"):
        upstream_of(lake.store, "gold@99")
    lake.store.append("outputs", [output(gold, lake.place("files"), fingerprint="listing:f")], None)
    lake.store.append("datasets", [dataset_of(lake, "files")], None)
    with pytest.raises(QueryError, match="files has no versions: name it without @0"):
        upstream_of(lake.store, "files@0")


def test_what_has_no_such_version_has_nothing_downstream(lake: Lake) -> None:
    """Said before Spark is started."""
    lake.table("raw")
    made = lake.job("gold", "raw")
    with pytest.raises(QueryError, match="raw has no version 99: the newest is 0"):
        replay_downstream(lake.store, "raw@99", Options())
    lake.store.append("inputs", [input_(made, lake.place("files"), fingerprint="listing:f")], None)
    lake.store.append("datasets", [replace(dataset_of(lake, "files"), format="parquet")], None)
    for wanted in ("files", "files@0"):
        with pytest.raises(QueryError, match=r"files is no Delta table, .* Name a Delta table that was made of it"):
            replay_downstream(lake.store, wanted, Options())


def test_a_chain_with_holes(lake: Lake) -> None:
    """What no query made, and what nobody recorded, is no part of a proof: each is said."""
    lake.table("raw")
    first = lake.job("silver", "raw")
    lake.table("silver")  # by somebody else
    lake.table("silver")
    restored = lake.job("silver", mode="restore", operation="restore")
    converted = lake.job("silver", mode="convert", operation="convert to delta")
    optimized = lake.job("silver", mode="optimize", operation="optimize")
    last = lake.job("silver", "raw")
    chain = upstream_of(lake.store, "silver@6")
    assert [one.execution_id for one in chain.executions] == [first, restored, converted, last]
    assert optimized not in {one.execution_id for one in chain.executions}
    assert [(gap.label.rsplit("/", 1)[-1], gap.first, gap.last) for gap in chain.gaps] == [("silver", 1, 2)]
    assert chain.raw == ("raw@0: version 0 was written by nothing that is recorded",)
    lake.table("raw")
    lake.table("raw")
    lake.job("gold", "raw", mode="overwrite")
    chain = upstream_of(lake.store, "gold")
    assert chain.gaps == ()
    assert chain.raw == ("raw@2: version 2 and 2 before it was written by nothing that is recorded",)
    DeltaTable(lake.place("silver")).optimize.compact()  # not recorded, and changes no row
    lake.job("silver", "raw")
    assert len(upstream_of(lake.store, "silver").gaps) == 1


def test_what_can_be_replayed(lake: Lake) -> None:
    lake.table("raw")
    fine = lake.job("gold", "raw", mode="overwrite")
    without = lake.job("gold", "raw", plan=False, incomplete_reasons=("executable: literals are redacted",))
    driver = lake.job("gold", "raw", leaf="rows")
    lake.table("lost")
    lost = lake.job("gold", "lost")
    shutil.rmtree(lake.place("lost"))
    stated = lake.job("marts", "raw", mode="create", plan=False, statement="CREATE TABLE marts AS SELECT * FROM raw")
    told = {one.execution_id: one for one in check(lake.store, "all").executions}
    assert {name: one.replayable for name, one in told.items()} == {
        fine: True,
        without: False,
        driver: False,
        lost: False,
        stated: None,
    }
    assert "only a replay tells" in str(told[stated].reason)
    assert told[without].reason == "no plan is kept: literals are redacted"
    assert told[driver].reason == "it read rows that lived in the driver"
    assert "/lost@0" in str(told[lost].reason)
    assert [one.execution_id for one in check(lake.store, "gold").executions] == [fine, without, driver, lost]
    assert check(lake.store, fine).holds
    with pytest.raises(NotFound, match="is no run and no dataset"):
        check(lake.store, "nothing")
    with pytest.raises(QueryError, match="nothing that is recorded wrote rows of raw"):
        check(lake.store, "raw")


def test_folders_without_versions_that_were_written(lake: Lake, tmp_path: Path) -> None:
    """What a replay is compared with has to be there."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "part-0").write_text("x")
    now = fingerprint_of(listed(folder, False))
    ways = {
        "there": ("file", "overwrite", now, True),
        "gone": ("file", "overwrite", f"{WHOLE}{0:032}", False),
        "added": ("file", "append", now, None),
        "bucket": ("s3://b", "overwrite", None, False),
        "unlisted": ("file", "overwrite", None, False),
    }
    told = {}
    lake.store.append(
        "datasets", [replace(dataset_of(lake, "out"), namespace=one, format="csv") for one in ("file", "s3://b")], None
    )
    for number, (name, (namespace, mode, fingerprint, _)) in enumerate(ways.items(), 100):
        one = with_command(lake, None, {}, run=f"{number:08x}-run")
        written = output(
            one, str(folder), run_id=one.partition(":")[0], write_mode=mode, fingerprint=fingerprint, rows_written=1
        )
        lake.store.append("outputs", [replace(written, namespace=namespace)], None)
        told[name] = check(lake.store, one).executions[0]
    assert {name: one.replayable for name, one in told.items()} == {name: way[-1] for name, way in ways.items()}
    assert "no checksum of it is kept" in str(told["gone"].reason)
    assert "nothing says what it wrote" in str(told["bucket"].reason)


@pytest.mark.parametrize(
    ("source", "command", "reason"),
    [
        ("csv", {"options": {"HEADER": "true", "encoding": "latin1"}}, None),
        ("parquet", {"partitionColumns": ["`k`"]}, None),
        ("xml", {}, "is of format xml, whose rows are not compared"),
        (None, {}, "is of format unknown, whose rows are not compared"),
        ("csv", {"partitionColumns": ["`k`"]}, "is csv with folders for partitions, whose lines are not compared"),
        ("json", {"options": {"Encoding": "UTF-16"}}, "is json in the encoding UTF-16, whose lines are not compared"),
        ("json", {"options": {"key": REDACTED}}, "was written with secrets, which are not recorded"),
    ],
)
def test_folders_whose_rows_are_not_compared(
    lake: Lake, tmp_path: Path, source: str | None, command: dict[str, object], reason: str | None
) -> None:
    """What a replay refuses is not promised."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "part-0").write_text("x")
    lake.store.append("datasets", [replace(dataset_of(lake, "out"), format=source)], None)
    one = with_command(lake, None, command)
    written = {"write_mode": "overwrite", "fingerprint": fingerprint_of(listed(folder, False)), "rows_written": 1}
    lake.store.append("outputs", [output(one, str(folder), run_id=one.partition(":")[0], **written)], None)
    (told,) = check(lake.store, one).executions
    assert told.replayable is (reason is None), told
    assert told.reason == (None if reason is None else f"{folder} {reason}")


@pytest.mark.parametrize(
    ("mode", "command", "replayable", "reason"),
    [
        ("append", {"class": "WriteToMicroBatchDataSource", "stateful": True}, False, "only complete mode is replayed"),
        ("overwrite", {"class": "WriteToMicroBatchDataSource", "stateful": True}, None, "only a replay tells"),
        ("append", {"class": "WriteToMicroBatchDataSource", "stateful": False}, True, "None"),
        ("replace_where", {"class": "AppendData", "deleteExpr": "true"}, False, "which rows it replaced is not recorded"),
        ("replace_where", {"options": {"ReplaceWhere": "id = 1"}}, True, "None"),
    ],
)
def test_what_a_replay_refuses_by_the_command(
    lake: Lake, mode: str, command: dict[str, object], replayable: bool | None, reason: str
) -> None:
    lake.table("gold")
    (told,) = check(lake.store, with_command(lake, mode, command)).executions
    assert (told.replayable, reason in str(told.reason)) == (replayable, True), told


def test_a_source_with_secrets(lake: Lake) -> None:
    leaf = ExecutableLeaf(number=0, kind="jdbc", format="jdbc", options={"url": "jdbc:x", "password": REDACTED})
    (told,) = check(lake.store, with_command(lake, "append", {}, leaf)).executions
    assert (told.replayable, told.reason) == (False, "it read a source with secrets, which are not recorded")


def with_command(
    lake: Lake, mode: str | None, command: dict[str, object], *leaves: ExecutableLeaf, run: str = "00000001-run"
) -> str:
    """An execution with a plan for that command. Without a mode it has written nothing yet."""
    if mode is None:
        one = f"{run}:1"
        lake.store.append("executions", [execution(one, run_id=run)], None)
        lake.store.upsert("runs", [Run(run_id=run, started_at=NOW)], None)
    else:
        one = lake.job("gold", mode=mode, plan=False)
    made = PlanExecutable(
        execution_id=one, run_id=one.partition(":")[0], executable_id="e", spark_version="4", leaves=leaves, event_date=NOW.date(),
        commands=(json.dumps(command),),
    )  # fmt: skip
    lake.store.append("plan_executables", [made], None)
    return one


def test_files_elsewhere(lake: Lake) -> None:
    """Nothing but Spark can list them."""
    name = lake.job("made")
    read = replace(input_(name, "raw", fingerprint="listing:" + 32 * "0"), namespace="s3://bucket")
    lake.store.append("inputs", [read], None)
    (one,) = check(lake.store, "all").executions
    assert (one.replayable, "s3://bucket/raw has no versions" in str(one.reason)) == (None, True)


def test_until_when_it_can_be(lake: Lake) -> None:
    """A file that was removed is kept for a week from its removal on."""
    lake.table("raw")
    one = lake.job("gold", "raw")
    (told,) = check(lake.store, "all").executions
    assert (told.replayable, told.execution_id) == (True, one)
    lake.table("raw", "overwrite")
    (told,) = check(lake.store, "all").executions
    assert told.until is not None
    assert timedelta(days=6, hours=23) < told.until - NOW < timedelta(days=7, hours=1)
    (later,) = check(lake.store, "all", now=NOW + timedelta(days=8)).executions
    assert (later.replayable, "a VACUUM may have taken files" in str(later.reason)) == (None, True)
    (deep,) = check(lake.store, "all", now=NOW + timedelta(days=8), deep=True).executions
    assert deep.replayable is True


def test_the_command_says_it_in_a_sentence(lake: Lake) -> None:
    lake.table("raw")
    lake.job("gold", "raw")
    done = CliRunner().invoke(main, ["replay", "--check", "all", "--store", lake.place("store")])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "can be replayed: 1 of 1 runs in all"), done.output
    lake.table("raw", "overwrite")
    lake.job("gold", "raw", plan=False)
    done = CliRunner().invoke(main, ["replay", "--check", "gold", "--store", lake.place("store")])
    assert done.exit_code == 1
    assert "1 of 2 runs in all; the first may be lost in" in done.output


def test_the_sentence() -> None:
    def run(days: float, replayable: bool | None, until: float | None) -> CheckedRun:
        ends = None if until is None else NOW + timedelta(days=until)
        return CheckedRun(
            run_id="r", job_name=None, ended_at=NOW - timedelta(days=days), replayable=replayable, executions=1,
            replayable_executions=int(replayable is True), until=ends, reason=None,
        )  # fmt: skip

    from spark_lineage.replay.check import Check

    runs = (run(1, True, 2.2), run(3, False, None), run(30, True, 5))
    assert check_summary(Check(at=NOW, runs=runs, executions=(), versions=0)) == (
        "can be replayed: 1 of 2 runs in the last week, 2 of 3 runs in all; the first may be lost in 2 days"
    )
    assert check_summary(Check(at=NOW, runs=(run(1, True, -1),), executions=(), versions=0)).endswith("at any time")
    assert isinstance(Checked.__doc__, str)


@pytest.mark.parametrize(
    ("version", "said"),
    [(SCHEMA_VERSION + 1, "install the release that wrote them"), (SCHEMA_VERSION - 1, "spark-lineage maintain --migrate")],
)
def test_a_store_of_another_schema_version(lake: Lake, version: int, said: str) -> None:
    lake.table("raw")
    name = lake.job("gold", "raw")
    run = name.partition(":")[0]
    DeltaTable(uri(lake.store.location, STORE_INFO)).delete()
    write_version(lake.store.location, version)
    before = sorted(path for path in Path(lake.place("store")).rglob("*"))
    for arguments in (
        (name,), ("--check", "all"), ("--upstream-of", "gold@0"), ("--downstream-of", "raw"), (run, "--job"), (run, "--job", "--", "true"),
    ):  # fmt: skip
        done = CliRunner().invoke(main, ["replay", "--store", lake.place("store"), *arguments])
        assert (done.exit_code, f"of schema version {version}" in done.output, said in done.output) == (2, True, True), (
            done.output
        )
    assert sorted(path for path in Path(lake.place("store")).rglob("*")) == before


@pytest.mark.parametrize("wanted", ["gold@", "gold@x", "gold@²"])
def test_a_version_that_is_no_number(lake: Lake, wanted: str) -> None:
    lake.table("raw")
    lake.job("gold", "raw")
    with pytest.raises(QueryError, match="names no version: write DATASET@NUMBER"):
        upstream_of(lake.store, wanted)
    with pytest.raises(NotFound):
        replay_downstream(lake.store, wanted, Options())


@pytest.mark.parametrize("options", [("--volatile", "x"), ("--tolerance", "0"), ("--sample", "10"), ("--trust-store",)])
def test_what_a_check_does_not_heed_is_refused(lake: Lake, options: tuple[str, ...]) -> None:
    lake.job("gold")
    done = CliRunner().invoke(main, ["replay", "--check", "all", *options, "--store", lake.place("store")])
    assert (done.exit_code, f"--check compares nothing and runs no plan: {options[0]} is for replays" in done.output) == (
        2,
        True,
    )
