"""How long a table keeps its versions, and what that costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from delta_tables import actions_of, made_at, set_properties, table_of, write_actions
from deltalake import DeltaTable

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.retention import retention

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FILES, LOG = "delta.deletedFileRetentionDuration", "delta.logRetentionDuration"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "table"


def properties(place: Path) -> dict[str, str]:
    return {name: value for name, value in DeltaTable(place).metadata().configuration.items() if name in (FILES, LOG)}


def test_what_is_kept_and_what_it_costs(place: Path) -> None:
    table_of(place, 11)
    made_at(place, START, DAY)
    sizes = [action["add"]["size"] for version in range(11) for action in actions_of(place, version) if "add" in action]
    found = retention(str(place), now=START + 10 * DAY)
    assert [(change.before, change.after) for change in found.changes] == [("interval 1 week",) * 2, ("interval 30 days",) * 2]
    assert (found.days, found.log_days, found.version) == (7, 30, None)
    assert (found.live_files, found.live_bytes) == (1, sizes[-1])
    # removed on the days 1 to 10; those of the days 4 and later are kept
    assert (found.held_files, found.held_bytes) == (7, sum(sizes[3:10]))
    assert (found.observed_days, found.removed_per_day) == (10, round(sum(sizes[:10]) / 10))
    assert found.estimated_bytes == round(sum(sizes[:10]) / 10 * 7)
    longer = retention(str(place), 20, now=START + 10 * DAY, dry_run=True)
    assert (longer.held_files, longer.estimated_bytes) == (10, round(sum(sizes[:10]) / 10 * 20))
    assert properties(place) == {}


def test_setting_it(place: Path) -> None:
    table_of(place, 2)
    found = retention(str(place), 90)
    assert properties(place) == {FILES: "interval 90 days", LOG: "interval 90 days"}
    assert found.version == DeltaTable(place).version() == 2
    assert (found.days, found.log_days, found.estimated_bytes) == (90, 90, None)
    assert retention(str(place), 90).version is None, "it says so already"
    assert DeltaTable(place).version() == 2


@pytest.mark.parametrize(
    ("days", "shorten", "expected"),
    [
        (3, False, {}),
        (3, True, {FILES: "interval 3 days", LOG: "interval 3 days"}),
        (7, False, {}),
        (14, False, {FILES: "interval 14 days"}),
        (14, True, {FILES: "interval 14 days", LOG: "interval 14 days"}),
        (30, False, {FILES: "interval 30 days"}),
    ],
)
def test_what_is_kept_for_longer_stays(place: Path, days: int, shorten: bool, expected: dict[str, str]) -> None:
    table_of(place, 1)
    assert (retention(str(place), days, shorten=shorten).version is None) == (not expected)
    assert properties(place) == expected


def test_the_log_is_kept_for_as_long_as_the_files(place: Path) -> None:
    """Spark refuses properties that say otherwise."""
    table_of(place, 1)
    set_properties(place, deletedFileRetentionDuration="interval 60 days 1 hour")
    retention(str(place), 45)
    assert properties(place) == {FILES: "interval 60 days 1 hour", LOG: "interval 61 days"}


def test_the_log_is_not_cleaned_by_setting_it(place: Path) -> None:
    table_of(place, 3)
    DeltaTable(place, version=1).create_checkpoint()
    set_properties(place, logRetentionDuration="interval 1 day")
    made_at(place, START - 4000 * DAY, DAY)
    retention(str(place), 10)
    assert actions_of(place, 0)


def test_a_table_that_only_spark_can_write(place: Path) -> None:
    table_of(place, 1)
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": [],
        "writerFeatures": ["identityColumns", "icebergCompatV2"],
    }
    write_actions(place, 0, [{"protocol": protocol} if "protocol" in action else action for action in actions_of(place, 0)])
    with pytest.raises(SnapshotError) as raised:
        retention(str(place), 40)
    statement = f"ALTER TABLE delta.`{place}` SET TBLPROPERTIES ('{FILES}' = 'interval 40 days', '{LOG}' = 'interval 40 days')"
    assert str(raised.value).endswith(statement)
    assert DeltaTable(place).version() == 0
    assert retention(str(place), 40, dry_run=True).days == 40


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_days_that_are_none(place: Path, days: int) -> None:
    table_of(place, 1)
    with pytest.raises(SnapshotError, match="cannot be kept"):
        retention(str(place), days)
