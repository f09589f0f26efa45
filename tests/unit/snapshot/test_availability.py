"""Which versions can be read and until when, from logs, properties, and the files themselves."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from delta_tables import actions_of, commit, made_at, rows, set_properties, table_of, vacuum, write_actions
from deltalake import DeltaTable, write_deltalake

from spark_lineage.errors import NotFound, SnapshotError, VersionGone
from spark_lineage.model import Dataset, Input, Output
from spark_lineage.snapshot.availability import Availability, availability
from spark_lineage.snapshot.delta_listing import list_log
from spark_lineage.snapshot.delta_log import read_log, vector_file
from spark_lineage.snapshot.intervals import duration
from spark_lineage.snapshot.recorded_versions import key_of, recorded
from spark_lineage.snapshot.taking import take
from spark_lineage.store.tables import Store

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "some täble"


def of(place: Path, version: int, **values: object) -> Availability:
    return availability(str(place), [version], **values)[version]  # type: ignore[arg-type]


def test_a_week_for_files_and_thirty_days_for_the_log(place: Path) -> None:
    table_id = table_of(place, 3)
    made_at(place, START, DAY)
    found = availability(str(place), [0, 1, 2], table_id, now=START + 3 * DAY)
    assert [(one.readable, one.bound, one.until) for one in found.values()] == [
        (True, "files", START + 8 * DAY),
        (True, "files", START + 9 * DAY),
        (True, "none", None),
    ]
    assert (found[0].files, found[0].removed_files, found[2].removed_files) == (1, 1, 0)
    assert (
        found[0].removed_bytes
        == found[0].bytes
        == sum(action["add"]["size"] for action in actions_of(place, 0) if "add" in action)
    )
    assert (found[0].committed_at, found[0].plain_until, found[2].plain_until) == (START, START + 7 * DAY, None)


def test_what_is_appended_to_has_only_the_log_to_fear(place: Path) -> None:
    for version in range(3):
        write_deltalake(place, rows(version, version + 1), mode="append")
    made_at(place, START, DAY)
    one = of(place, 0, now=START)
    # a checkpoint of the newest version may come at any time: then all before it goes, once the last of that is old enough
    assert (one.readable, one.bound, one.until, one.removed_files) == (True, "log", START + DAY + 30 * DAY, 0)
    set_properties(place, enableExpiredLogCleanup="false")
    assert (of(place, 0).bound, of(place, 0).until) == ("none", None)


def test_a_checkpoint_brings_the_end_of_the_log_nearer(place: Path) -> None:
    for version in range(3):
        write_deltalake(place, rows(version, version + 1), mode="append")
    DeltaTable(place, version=1).create_checkpoint()
    made_at(place, START, DAY)
    assert of(place, 0).until == START + 30 * DAY
    assert of(place, 1).until == START + 31 * DAY


def test_properties_say_otherwise(place: Path) -> None:
    table_of(place, 2)
    set_properties(place, deletedFileRetentionDuration="interval 100 days", logRetentionDuration="interval 2 weeks")
    made_at(place, START, DAY)
    assert (of(place, 0).bound, of(place, 0).until) == ("log", START + DAY + 14 * DAY)
    set_properties(place, deletedFileRetentionDuration="interval 36 hours")
    assert (of(place, 0).bound, of(place, 0).until) == ("files", START + DAY + timedelta(hours=36))


def test_past_its_time_only_a_look_tells(place: Path) -> None:
    table_of(place, 2)
    made_at(place, START, DAY)
    late = START + 20 * DAY
    one = of(place, 0, now=late)
    assert (one.readable, one.until) == (None, START + 8 * DAY)
    assert "though the log has none: --deep looks" in str(one.reason)
    one = of(place, 0, now=late, deep=True)
    assert (one.readable, one.lost) == (True, ())
    assert "Spark's time travel refuses it" in str(one.reason)
    assert of(place, 1, now=late).reason is None


def test_a_vacuum_that_the_log_tells(place: Path) -> None:
    table_of(place, 2)
    (lost,) = (action["add"]["path"] for action in actions_of(place, 0) if "add" in action)
    vacuum(place)
    one = of(place, 0)
    assert (one.readable, one.lost, one.until) == (False, (lost,), None)
    assert "the VACUUM of" in str(one.reason)
    assert "a longer delta.deletedFileRetentionDuration would have kept it (it is 'interval 1 week')" in str(one.reason)
    deep = of(place, 0, deep=True)
    assert (deep.readable, deep.lost) == (False, (lost,))
    assert "1 file of it is gone" in str(deep.reason)
    assert of(place, 1, deep=True).readable


@pytest.mark.parametrize("kept", [0, "0"])
def test_a_vacuum_as_spark_logs_it(place: Path, kept: object) -> None:
    table_of(place, 2)
    vacuum(place)
    for action in (actions := actions_of(place, 2)):
        action["commitInfo"]["operationParameters"]["specifiedRetentionMillis"] = kept
    write_actions(place, 2, actions)
    assert of(place, 0).readable is False


def test_a_vacuum_that_was_told_to_keep_the_version(place: Path) -> None:
    table_of(place, 3)
    vacuum(place, keep_versions=[0])
    assert (of(place, 0).readable, of(place, 1).readable) == (None, False)
    assert of(place, 0, deep=True).readable


def test_files_that_went_some_other_way(place: Path) -> None:
    table_of(place, 1)
    write_deltalake(place, rows(10, 20), mode="append")
    files = sorted(path.name for path in place.glob("*.parquet"))
    content = (place / files[0]).read_bytes()
    (place / files[0]).write_bytes(content[:-9])
    assert of(place, 1).readable, "the log does not tell"
    assert (of(place, 1, deep=True).readable, of(place, 1, deep=True).lost) == (False, (files[0],))
    (place / files[0]).write_bytes(bytes(len(content)))
    assert "cannot be opened" in str(of(place, 1, deep=True).reason)
    for name in files:
        (place / name).unlink()
    assert sorted(of(place, 1, deep=True).lost) == files


def test_a_restored_version_is_not_in_danger(place: Path) -> None:
    table_of(place, 2)
    DeltaTable(place).restore(0)
    made_at(place, START, DAY)
    assert (of(place, 0).bound, of(place, 0).removed_files) == ("log", 0)
    assert (of(place, 1).bound, of(place, 1).until) == ("files", START + 2 * DAY + 7 * DAY)


def test_the_log_is_gone(place: Path) -> None:
    table_of(place, 4)
    DeltaTable(place, version=2).create_checkpoint()
    for version in (0, 1):
        commit(place, version).unlink()
    found = availability(str(place), range(5))
    assert [one.readable for one in found.values()] == [False, False, True, True, False]
    assert "its log is gone: a longer delta.logRetentionDuration would have kept it (it is 'interval 30 days')" in str(
        found[1].reason
    )
    assert "has no version 4: the newest is 3" in str(found[4].reason)


def test_a_hole_in_the_log(place: Path) -> None:
    table_of(place, 5)
    DeltaTable(place, version=3).create_checkpoint()
    before = of(place, 0)
    commit(place, 2).unlink()
    found = availability(str(place), range(5))
    assert [one.readable for one in found.values()] == [True, True, False, True, True]
    assert (found[0].files, found[0].removed_files) == (before.files, before.removed_files)
    assert found[1].until is not None, "the checkpoint has the time at which its file was removed"
    assert read_log(str(place)).removed.keys() > {held.path for held in read_log(str(place)).held if held.until}


def test_a_removal_without_a_time_may_be_taken_at_once(place: Path) -> None:
    table_of(place, 2)
    actions = actions_of(place, 1)
    for action in actions:
        action.get("remove", {}).pop("deletionTimestamp", None)
    write_actions(place, 1, actions)
    one = of(place, 0)
    assert (one.readable, one.until < datetime.now(UTC) if one.until else None) == (None, True)


def test_dropped_and_made_again(place: Path) -> None:
    first = table_of(place, 2)
    shutil.rmtree(place)
    assert of(place, 0, table_id=first).readable is False
    assert "nothing is at" in str(of(place, 0).reason)
    second = table_of(place, 1)
    one = of(place, 0, table_id=first)
    assert (one.readable, second in str(one.reason), first in str(one.reason)) == (False, True, True)
    assert "another table is there now" in str(of(place, 1, table_id=first).reason)
    assert of(place, 0, table_id=second).readable
    shutil.rmtree(place / "_delta_log")
    assert "the folder is there, its log is not" in str(of(place, 0).reason)


def test_what_cannot_be_looked_at_is_not_called_gone(place: Path) -> None:
    table_of(place, 1)
    commit(place, 0).write_text("{")
    one = of(place, 0)
    assert (one.readable, "cannot be read" in str(one.reason)) == (None, True)
    assert availability("nowhere://x/y", [0])[0].readable is None


def test_a_log_with_nothing_whole_in_it(place: Path) -> None:
    table_of(place, 2)
    commit(place, 0).unlink()
    with pytest.raises(VersionGone, match="is not whole"):
        list_log(str(place))


def test_parts_of_a_checkpoint_and_sidecars(place: Path) -> None:
    """As Spark writes them: one in two parts, one as JSON with a sidecar; one that lacks a part does not count."""
    table_of(place, 4)
    expected = availability(str(place), range(4))
    for version in (1, 2):
        DeltaTable(place, version=version).create_checkpoint()
    log = place / "_delta_log"
    one, two = (log / f"{version:020d}.checkpoint.parquet" for version in (1, 2))
    import pyarrow.parquet as pq

    whole = pq.read_table(one)
    for part, some in enumerate((whole.slice(0, 1), whole.slice(1)), 1):
        pq.write_table(some, log / f"{1:020d}.checkpoint.{part:010d}.{2:010d}.parquet")
    one.unlink()
    (log / "_sidecars").mkdir()
    two.rename(log / "_sidecars" / "some.parquet")
    (log / f"{2:020d}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json").write_text(
        json.dumps({"sidecar": {"path": "some.parquet", "sizeInBytes": 1, "modificationTime": 1}}) + "\n"
    )
    for version in (0, 1, 2):
        commit(place, version).unlink()
    found = availability(str(place), range(4))
    assert [found[version].readable for version in range(4)] == [False, True, True, True]
    assert [found[version].files for version in (1, 2, 3)] == [1, 1, 1]
    assert [found[v].removed_bytes for v in (1, 2)] == [expected[v].removed_bytes for v in (1, 2)]
    (log / f"{1:020d}.checkpoint.{1:010d}.{2:010d}.parquet").unlink()
    assert of(place, 1).readable is False


def test_where_a_deletion_vector_lies() -> None:
    """The example of Delta's protocol."""
    vector = vector_file({"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40})
    assert vector is not None
    assert (vector.path, vector.offset) == ("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", 4)
    assert (
        vector_file(
            {"storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 40}
        )
        is None
    )


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("interval 1 week", 168),
        ("30 days", 720),
        ("INTERVAL 1 day 12 hours", 36),
        ("interval 1.5 hours", 1.5),
        ("interval 2 minutes 60 seconds", 0.05),
    ],
)
def test_durations(text: str, hours: float) -> None:
    assert duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "interval", "interval 1 month", "1", "soon", "interval -1 days", "interval 1 dayss x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(SnapshotError, match="is no duration"):
        duration(text)


def record(store: Store, place: Path, table_id: str | None, version: int, execution: str, wrote: bool) -> None:
    shared = {
        "execution_id": execution, "run_id": "r", "job_name": "j", "event_time": START, "namespace": "file", "name": str(place),
        "table_id": table_id, "delta_version": version, "event_date": START.date(),
    }  # fmt: skip
    store.append("outputs" if wrote else "inputs", [(Output if wrote else Input)(**shared)], None)  # type: ignore[operator]


def test_what_is_recorded(store: Store, place: Path) -> None:
    table_id = table_of(place, 3)
    seen = {"first_seen_at": START, "last_seen_at": START}
    known = Dataset(namespace="file", name=str(place), table_id=table_id, location=f"file:{place}", **seen)
    nowhere = Dataset(namespace="kafka://b", name="topic", **seen)
    store.upsert("datasets", [known, nowhere, replace(nowhere, name="lost", table_id="x")], None)
    record(store, place, table_id, 0, "r:1", True)
    record(store, place, table_id, 0, "r:2", False)
    record(store, place, table_id, 0, "r:2", False)
    record(store, place, table_id, 1, "r:3", False)
    record(store, place, "other", 0, "r:0", True)
    take(store, str(place), 1)
    take(store, str(place), 2)
    vacuum(place)
    found = {(one.table_id, one.version): one for one in recorded(store)}
    told = {key: (one.read_by, one.written_by, one.checksums, one.readable) for key, one in found.items()}
    assert told == {
        (table_id, 0): (1, 1, 0, False),
        (table_id, 1): (1, 0, 1, False),
        (table_id, 2): (0, 0, 1, True),
        ("other", 0): (0, 1, 0, False),
    }
    assert [one.version for one in recorded(store, ("file", str(place)))] == [0, 0, 1, 2]
    assert recorded(store, ("file", "/nothing")) == ()


def test_the_log_is_read_once_for_all_versions(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spark_lineage.snapshot import availability as module

    table_of(place, 5)
    for version in range(5):
        take(store, str(place), version)
    read = []
    monkeypatch.setattr(module, "read_log", lambda *a, **k: read.append(a) or read_log(*a, **k))
    assert len(recorded(store)) == 5
    assert len(read) == 1


def test_a_table_that_only_has_checksums_and_is_gone(store: Store, place: Path) -> None:
    table_of(place, 1)
    take(store, str(place))
    shutil.rmtree(place)
    (one,) = recorded(store, key_of(store, str(place)))
    assert (one.readable, one.checksums, "nothing is at" in str(one.reason)) == (False, 1, True)
    with pytest.raises(NotFound):
        key_of(store, "/nothing/at/all")
